"""The demo's world: a table without a fault, and people each of whom shows exactly the reason of their story."""

from __future__ import annotations

import stat
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.credentials import activation, code_card, password
from gateway.credentials.totp import parse_secret
from gateway.decision import Agent, Connection, Decision, Facts, PageOrigin, Snapshot, decide
from gateway.demo import stories
from gateway.demo.applications import APPLICATIONS
from gateway.demo.files import PORTAL, Plan, Ports, configuration
from gateway.demo.hashed import HASHED
from gateway.demo.people import populate
from gateway.demo.stories import Person, Transaction
from gateway.demo.world import Home, build, held
from gateway.errors import ConfigurationError, TableError
from gateway.identifiers import check_insz
from gateway.ledger.verify import verify
from gateway.model import Channel, Means, Session, UserRecords
from gateway.policy.material import inspect_material
from gateway.policy.release import load_release
from gateway.policy.settings import Settings
from gateway.records import Records

PLAN = Plan(Ports(), None, 2026)
OWN = Plan(Ports(), "http://127.0.0.1:3000/", 2026)


@dataclass
class World:
    home: Home
    settings: Settings
    snapshot: Snapshot
    records: Records
    users: dict[str, UserRecords | None]


async def _world(home: Home, plan: Plan) -> World:
    now = time.time()
    with held(home):
        settings = build(home, plan, now)
        snapshot = load_release(settings, now).snapshot
        await populate(settings, snapshot, now)
    records = await Records.open(settings.records_settings)
    users = {one.user_id: await records.user(one.user_id) for one in stories.PEOPLE}
    return World(home, settings, snapshot, records, users)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    world = await _world(Home(tmp_path_factory.mktemp("demo") / "state"), PLAN)
    yield world
    await world.records.close()


def by_id(user_id: str) -> Person:
    return next(person for person in stories.PEOPLE if person.user_id == user_id)


def transaction(name: str) -> Transaction:
    return next(one for one in (*stories.TRANSACTIONS, stories.APP) if one.id == name)


def ask(
    world: World,
    person: Person,
    name: str,
    means: Means = Means.PASSWORD,
    method: str = "GET",
    path: str = "",
    websocket: bool = False,
) -> Decision:
    """What the gateway decides when this person, just signed in, asks for a page of the transaction in a browser."""
    one, now = transaction(name), time.time()
    session = Session("s", person.user_id, means, now, now, now + 3600, None, None)
    return decide(
        Facts(
            now=now,
            connection=Connection(Channel.USER, "TLSv1.3", "TLS_AES_128_GCM_SHA256", one.host),
            method=method,
            host=one.host,
            port_is_ours=True,
            path=one.path + path,
            agent=Agent.BROWSER,
            websocket=websocket,
            fetch_site=None if websocket else "same-origin",
            page_origin=PageOrigin.OURS,
            navigation=not websocket,
            session=session,
            last_seen=now,
            user=world.users[person.user_id],
        ),
        world.snapshot,
    )


EDIT = "dossiers/1001"


def by_story(world: World, person: Person) -> tuple[Decision, str]:
    """The decision that a person's story is about, and where they go for it."""
    means = Means.TOKEN if person.totp_secret or person.code_card else Means.PASSWORD
    means = Means.ITSME if person.by_provider else Means.EID if person.card else means
    if person.reason == "use_not_covered":
        return ask(world, person, person.transaction, means, "POST", person.page), "POST"
    return ask(world, person, person.transaction, means, "GET", person.page), "GET"


@pytest.mark.parametrize("person", stories.PEOPLE, ids=lambda person: person.user_id)
async def test_every_story_gives_exactly_its_reason(world: World, person: Person) -> None:
    decision, _ = by_story(world, person)
    assert str(decision.reason) == person.reason


async def test_guidance_is_read_from_anywhere_and_changed_from_one_network(world: World) -> None:
    jana = by_id("jana.klein")
    assert ask(world, jana, "guidance", path=EDIT).permitted
    refused = ask(world, jana, "guidance", method="POST", path=EDIT)
    assert (str(refused.reason), refused.disclosed) == ("outside_context", True)


DISCLOSED = {
    "means_too_weak",
    "designation_ended",
    "expired",
    "not_activated",
    "suspended",
    "use_not_covered",
    "role_missing",
}


@pytest.mark.parametrize("person", stories.PEOPLE, ids=lambda person: person.user_id)
async def test_who_is_or_was_designated_is_told_and_a_stranger_is_not(world: World, person: Person) -> None:
    decision, _ = by_story(world, person)
    assert decision.disclosed is (person.reason not in ("not_designated", "not_authorised"))
    assert (person.reason in DISCLOSED) <= (decision.shown == person.reason)


async def test_eight_people_show_eight_reasons_and_eight_more_theirs() -> None:
    reasons = [person.reason for person in stories.PEOPLE]
    assert reasons == [
        "permitted", "means_too_weak", "not_designated", "designation_ended", "expired", "not_activated", "suspended",
        "use_not_covered", "permitted", "role_missing", "regulation_not_accepted", "permitted",
        "permitted", "not_authorised", "not_authorised", "permitted",
    ]  # fmt: skip


async def test_the_first_person_reads_and_changes(world: World) -> None:
    an = by_id("an.peeters")
    for method, path, websocket, use in (
        ("GET", "", False, "consultation"),
        ("POST", "search", False, "consultation"),
        ("GET", "live", True, "consultation"),
        ("GET", "events", False, "consultation"),
        ("GET", "documents/archive.csv", False, "consultation"),
        ("POST", "documents", False, "communication"),
        ("POST", "dossiers/93051822361", False, "communication"),
        ("PUT", "dossiers/93051822361", False, "communication"),
    ):
        decision = ask(world, an, "dossier", method=method, path=path, websocket=websocket)
        assert (method, path, str(decision.reason)) == (method, path, "permitted")
        assert decision.operation is not None
        assert decision.operation.use == use
    assert str(ask(world, an, "dossier", method="DELETE", path="dossiers/93051822361").reason) == "use_not_covered"
    assert ask(world, an, "dossier", path="dossiers/93051822361").subject == "93051822361"


async def test_reading_is_permitted_where_only_writing_is_not(world: World) -> None:
    hans = by_id("hans.schmitz")
    assert ask(world, hans, "pension", path=hans.page).permitted
    assert str(ask(world, hans, "pension", method="PUT", path=hans.page).reason) == "use_not_covered"


async def test_a_code_opens_what_a_password_alone_does_not(world: World) -> None:
    iris = by_id("iris.wouters")
    assert str(ask(world, iris, "benefits").reason) == "means_too_weak"
    assert ask(world, iris, "benefits", Means.TOKEN).permitted
    assert str(ask(world, by_id("bart.janssens"), "benefits", Means.TOKEN).reason) == "permitted"


async def test_everybody_but_the_one_never_designated_has_something(world: World) -> None:
    open_to = {person.user_id for person in stories.PEOPLE if ask(world, person, "guidance").permitted}
    strangers = {"claire.dubois", "nora.specimen", "olga.thijs", "pieter.nijs"}
    assert open_to == {person.user_id for person in stories.PEOPLE} - strangers


async def test_passwords_and_codes_are_the_ones_that_are_shown(world: World) -> None:
    for person in stories.PEOPLE:
        login = await world.records.find_login(person.user_id)
        assert login is not None
        assert login.allowed(time.time())
        assert login.password_alone
        assert login.password_hash is not None
        assert (login.totp_secret is not None) is (person.totp_secret is not None)
    iris = await world.records.find_login("iris.wouters")
    assert iris is not None
    assert iris.totp_secret == parse_secret(by_id("iris.wouters").totp_secret or "")
    karel, nora = [await world.records.find_login(each) for each in ("karel.claes", "nora.specimen")]
    assert karel is not None
    assert nora is not None
    key, browser = b"k" * 32, b"b" * 32
    number = await world.records.new_card_challenge(karel, key, browser, {}, bytes(8), network="192.0.2.0/24")
    challenge = await world.records.take_card_challenge(key, browser)
    assert number is not None
    assert challenge is not None
    code = by_id("karel.claes").code_card[number - 1]
    code_card.verify(challenge.stored, world.records.pepper, "karel.claes", number, code)
    letter, until = by_id("nora.specimen").activation_code, nora.activation_until
    activation.verify(nora.activation_hash, world.records.pepper, nora.user_id, letter, until, time.time())
    first = await world.records.find_login("an.peeters")
    assert first is not None
    password.verify(first.password_hash or "", by_id("an.peeters").password)


@pytest.mark.parametrize("person", stories.PEOPLE, ids=lambda person: person.user_id)
def test_what_was_hashed_before_is_what_would_be_hashed_today(person: Person) -> None:
    password.verify(HASHED[person.password], person.password)
    assert not password.needs_rehash(HASHED[person.password])


@pytest.mark.parametrize("person", stories.PEOPLE, ids=lambda person: person.user_id)
def test_people_keep_the_rules(person: Person) -> None:
    context = (person.user_id, person.name, person.institution)
    password.check_new(person.password, context, only_factor=True)
    assert check_insz(person.insz) == person.insz


def test_no_number_and_no_password_belongs_to_two() -> None:
    for values in ([person.insz for person in stories.PEOPLE], [person.password for person in stories.PEOPLE]):
        assert len(set(values)) == len(values)


async def test_the_configuration_has_no_fault_and_nobody_else_reads_its_keys(world: World) -> None:
    assert inspect_material(world.settings, time.time()) == []
    for file in world.home.state.rglob("*"):
        if file.suffix in (".key", ".sqlite") or file.name.endswith("private.pem") or file.name == "assertion.pem":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_two_hosts_of_transactions_and_a_regulation_that_says_what_it_is(world: World) -> None:
    snapshot = world.snapshot
    assert len(snapshot.institutions) >= 2
    assert len(snapshot.transactions) == 5
    assert set(snapshot.hosts) == {"dossier.localhost", "pension.localhost", "guidance.localhost"}
    regulation = snapshot.regulation(time.time())
    assert regulation is not None
    for language in ("nl", "fr", "de", "en"):
        title, _, said = regulation.texts.in_(language).splitlines()[:3]
        assert title.endswith(("demo", "démo", "Demo"))
        assert said.startswith("**")


def test_every_transaction_has_its_application() -> None:
    assert {(one.id, one.base) for one in stories.TRANSACTIONS} == {(one.transaction, one.base) for one in APPLICATIONS}
    for application in APPLICATIONS:
        one = transaction(application.transaction)
        assert (one.social, one.subject_path is not None) == (application.social, application.by_insz)


async def test_every_act_is_a_line_and_the_ledger_verifies(world: World) -> None:
    assert verify(world.home.ledger).exit_status == 0
    lines = b"".join(file.read_bytes() for file in world.home.ledger.rglob("*.jsonl"))
    assert lines.count(b'"user-id add"') == len(stories.PEOPLE)
    assert lines.count(b'"acceptance add"') == len(stories.PEOPLE) - 1
    for person in stories.PEOPLE:
        assert person.insz.encode() not in lines
        assert person.name.encode() not in lines
        assert person.password.encode() not in lines


def _content(home: Home) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in home.config.rglob("*") if file.is_file()}


async def test_a_second_start_goes_on_with_what_is_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = await _world(home, PLAN)
    await first.records.close()
    before = _content(home)
    again = await _world(home, PLAN)
    await again.records.close()
    assert _content(home) == before
    assert again.users == first.users
    assert again.snapshot.hash == first.snapshot.hash


async def test_what_somebody_changed_stays_until_the_demo_has_something_else_to_write(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with held(home):
        build(home, PLAN, time.time())
        file = home.config / "authorisations" / "24-101.toml"
        changed = file.read_text().replace('"active"', '"suspended"')
        file.write_text(changed)
        build(home, PLAN, time.time())
        assert file.read_text() == changed
        build(home, Plan(Ports(7), None, 2026), time.time())
        assert file.read_text() != changed


async def test_an_origin_of_ones_own_takes_the_first_place_and_gives_it_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    world = await _world(home, OWN)
    an = by_id("an.peeters")
    assert OWN.transactions[0].id == "app"
    assert "dossier" not in world.snapshot.transactions
    app = world.snapshot.transactions["app"]
    assert (app.sensitivity, app.social_personal_data, app.role) == (1, False, None)
    assert (app.origin.url, app.origin.cookies) == (OWN.origin, "plain")
    assert [(match.host, match.path) for match in app.matches] == [("app.localhost", "/")]
    for method, websocket, use in (
        ("GET", False, "consultation"),
        ("HEAD", False, "consultation"),
        ("GET", True, "consultation"),
        *((method, False, "communication") for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    ):
        for path in ("", "any/where"):
            decision = ask(world, an, "app", method=method, path=path, websocket=websocket)
            assert str(decision.reason) == "permitted"
            assert decision.operation is not None
            assert decision.operation.use == use
    for person in stories.PEOPLE[1:]:
        assert str(by_story(world, person)[0].reason) == person.reason
    await world.records.close()
    back = await _world(home, PLAN)
    assert str(by_story(back, an)[0].reason) == "permitted"
    assert "app" not in back.snapshot.transactions
    await back.records.close()


def test_an_origin_that_cannot_be_is_a_fault_with_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with held(home):
        settings = build(home, Plan(Ports(), "http://192.0.2.1/", 2026), time.time())
        with pytest.raises(TableError) as refused:
            load_release(settings, time.time())
    assert [fault.where for fault in refused.value.faults] == ["origin.url"]


def test_two_demos_do_not_share_a_directory(tmp_path: Path) -> None:
    with held(Home(tmp_path)), pytest.raises(ConfigurationError, match="runs there already"), held(Home(tmp_path)):
        pass
    with held(Home(tmp_path)):
        pass


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--state"), held(Home(tmp_path / "file" / "state")):
        pass


@pytest.mark.parametrize("year", [2025, 2026, 2030])
def test_the_table_is_good_in_other_years(tmp_path: Path, year: int) -> None:
    """Its dates move with the year it is made in."""
    assert (
        f"valid_until = {year + 1}-12-31"
        in configuration(Plan(Ports(), None, year), "ab" * 32)["authorisations/24-101.toml"]
    )


def test_the_ports_move_together() -> None:
    ports = Ports(100)
    assert (ports.user, ports.plain, ports.operator, ports.origin, ports.guide) == (8543, 8180, 9190, 9101, 8188)
    assert PORTAL in Plan(ports, None, 2026).names
    assert ports.portal_url == "https://portal.localhost:8543"
