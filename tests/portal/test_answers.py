"""Why somebody may or may not, and who could and did: to whom it is shown, that it is the decision's own answer, and that it is recorded."""

from __future__ import annotations

import csv
import datetime as dt
import io
import threading
from pathlib import Path

import pytest

from gateway.decision import REASONS, Place
from gateway.decision.access import Could
from gateway.decision.criteria import BY_PLACE
from gateway.ledger.line import Record
from gateway.ledger.pseudonym import Sealer
from gateway.ledger.record import decision_record
from gateway.model import BRUSSELS, LANGUAGES, Channel, Means, Use, UserRecords
from gateway.portal import access_report
from gateway.portal.ask import Ask
from gateway.portal.criterion_words import MEANINGS, MENDERS, NAMES
from gateway.portal.then import Then, then
from tests.decision import world as decided
from tests.decision.world import HOUR
from tests.ledger.test_replaying import Book
from tests.portal.conftest import DAY, KBO, NOW, OFFICIAL, PORTAL, Answer, Browser, World
from tests.portal.test_accessibility import faults
from tests.portal.test_administration import OTHER_KBO, Admin, add_person, admin, signed_in  # noqa: F401 - a fixture
from tests.portal.test_reading import INSZ, OTHER_INSZ, acts, ciso, reader  # noqa: F401 - fixtures

WHY = f"https://{PORTAL}/administration/why"
READ_WHY = f"https://{PORTAL}/read/why"
ACCESS = f"https://{PORTAL}/read/access"
JANSEN_INSZ = "85.07.30-033.28"


async def test_a_past_time_without_a_table_permitted_nothing(world: World, admin: Admin, tmp_path: Path) -> None:
    await world.records.accept_regulation("jansen01", "2026.1", "ab" * 32, NOW)
    none = decided.WORLD.table(hash="", usable=False)
    Book(tmp_path / "ledger", "user-9").add(none.at(NOW), none.at(NOW + HOUR))
    world.clock.now += DAY
    browser = await signed_in(world, "admin01")
    at = dt.datetime.fromtimestamp(NOW + 60, BRUSSELS)
    then = await browser.get(f"{WHY}?user_id=jansen01&transaction=dossier&at={at:%Y-%m-%dT%H:%M}")
    assert "table_unavailable" in then.page.words
    assert "The gateway had no good table then, and refused everything." in then.page.words


def test_the_words_are_the_decisions_own() -> None:
    assert {row.name for row in BY_PLACE[Place.TRANSACTION, Channel.USER]} == NAMES
    assert {reason.meaning for reason in REASONS.values()} >= MEANINGS
    assert {reason.mender for reason in REASONS.values()} == set(MENDERS)


def states(text: str) -> list[str]:
    return [part.split("</span>")[0].split(">")[-1] for part in text.split('<span class="tag')[1:]]


async def test_an_administrator_sees_every_check_with_what_it_goes_by(world: World, admin: Admin) -> None:
    waits = await admin.browser.get(f"{WHY}?user_id=jansen01&transaction=dossier")
    assert "regulation_not_accepted" in waits.page.words
    assert "the person themself" in waits.page.words
    await world.records.accept_regulation("jansen01", "2026.1", "ab" * 32, NOW)
    permitted = await admin.browser.get(f"{WHY}?user_id=jansen01&transaction=dossier")
    words = permitted.page.words
    assert permitted.status == 200
    assert "Permitted" in words
    assert set(states(permitted.text)) == {"met"}
    for part in (
        "user ID jansen01",
        "designation 1",
        "authorisations/ (24/123)",
        "transactions/ (dossier)",
        "gateway.toml [levels]",
    ):
        assert part in words
    weak = await admin.browser.get(f"{WHY}?user_id=jansen01&transaction=dossier&use=communication&means=password")
    assert "means_too_weak" in weak.page.words
    assert "<dt>Means that would do</dt><dd>electronic identity card (eID)</dd>" in weak.text
    await world.records.block_user_id("jansen01", OFFICIAL, NOW)
    blocked = await admin.browser.get(f"{WHY}?user_id=jansen01&transaction=dossier")
    assert "the user ID is blocked or has ended" in blocked.page.words
    assert "a local administrator of the institution" in blocked.page.words


async def test_a_past_moment_is_answered_by_what_was_known_then(world: World, admin: Admin) -> None:
    await world.records.block_user_id("jansen01", OFFICIAL, NOW)
    world.clock.now += DAY
    browser = await signed_in(world, "admin01")
    then = await browser.get(f"{WHY}?user_id=jansen01&transaction=dossier&at=2026-06-14T10:00")
    assert "person_blocked" not in then.page.words
    assert "cannot be known" in then.page.words
    before = await browser.get(f"{WHY}?user_id=jansen01&transaction=dossier&at=2020-01-01T00:00")
    assert (before.status, "do not know this user ID at that moment" in before.page.words) == (200, True)
    assert 'name="user_id" value="jansen01"' in before.text  # another moment can be asked about
    # What no moment can be is now.
    for at in ("9999", "0001-01-01T00:00", "1999-12-31T23:59", "9999-12-31T23:59"):
        odd = await browser.get(f"{WHY}?user_id=jansen01&transaction=dossier&at={at}")
        assert (odd.status, "person_blocked" in odd.page.words) == (200, True), at


async def test_only_the_own_institution(world: World, admin: Admin) -> None:
    await add_person(world, "peeters1", OTHER_INSZ, "Bo Peeters", OTHER_KBO)
    for query in (
        "?user_id=peeters1&transaction=dossier",
        "?user_id=peeters1&at=2020-01-01T00:00",
        "",
        "?user_id=nobody01",
        "?user_id=%00",
    ):
        assert (await admin.browser.get(WHY + query)).status == 404
    somebody = await signed_in(world, "jansen01")
    for page in (WHY, READ_WHY, ACCESS):
        assert (await somebody.get(f"{page}?user_id=jansen01&transaction=dossier")).status == 404
    assert (await admin.browser.get(READ_WHY)).status == 404


async def test_a_reader_asks_about_anybody_and_it_is_recorded(world: World, reader: Browser) -> None:
    empty = await reader.get(READ_WHY)
    assert (empty.status, acts(world)) == (200, [])
    answer = await reader.get(f"{READ_WHY}?user_id=jansen01&transaction=pension&means=password")
    assert "means_too_weak" in answer.page.words
    line = world.lines("administration")[-1]
    assert (line["act"], line["objects"]) == ("why read", {"transaction": "pension"})
    assert line["person"]["user_id"] == world.ledger.sealer.user_pseudonym("jansen01")  # type: ignore[index]
    nobody = await reader.get(f"{READ_WHY}?user_id=nobody01")
    assert "do not know this user ID" in nobody.page.words


def permit(world: World, user: UserRecords, at: float) -> Record:
    """The line of a request that was permitted."""
    from gateway.decision import decide
    from gateway.decision.supposing import suppose, using

    transaction = world.snapshot.transactions["dossier"]
    facts = using(suppose(transaction, user, "/", "GET", Means.EID, at), transaction, Use.CONSULTATION, world.snapshot)
    assert facts is not None
    decision, sealer = decide(facts, world.snapshot), world.ledger.sealer
    assert decision.permitted
    return decision_record(
        world.ledger.references(),
        facts,
        decision,
        world.snapshot,
        client=sealer.address("192.0.2.7"),
        user=sealer.person(user.user_id, user.insz),
    )


async def used(world: World, user_id: str) -> None:
    user = await world.records.user(user_id)
    assert user is not None
    await world.records.accept_regulation(user_id, "2026.1", "ab" * 32, NOW)
    user = await world.records.user(user_id)
    assert user is not None
    await world.ledger.admin.write(permit(world, user, NOW))


async def test_who_could_and_who_did(world: World, ciso: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.portal.access_report.DAYS", 10_000)  # the lines bear the machine's time
    await used(world, "jansen01")
    world.clock.now = NOW + 3650 * DAY
    ciso = await signed_in(world, "ciso01", Means.TOKEN)
    answer = await ciso.get(f"{ACCESS}?transaction=dossier&at=2026-06-15T09:59")
    assert answer.status == 200
    assert "An Jansen" in answer.page.words
    assert JANSEN_INSZ in answer.page.words
    line = world.lines("administration")[-1]
    assert (line["act"], line["institution"]) == ("access read", KBO)
    export = await ciso.get(f"{ACCESS}?transaction=dossier&as=csv")
    assert export.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(export.text.removeprefix("\ufeff")), delimiter=";"))
    [did] = [row for row in rows if row[:1] == ["jansen01"]]
    assert (did[1:5], did[8]) == (["An Jansen", JANSEN_INSZ, "Auxiliary Fund of Aalter", "dossier"], "1")


async def test_a_file_says_what_it_lacks(world: World, ciso: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(answer: Answer) -> list[list[str]]:
        return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))

    export = f"{ACCESS}?transaction=dossier&as=csv"
    assert rows(await ciso.get(export))[0][0] == "Who could"
    past = rows(await ciso.get(f"{export}&at=2026-06-01T10:00"))
    assert ("cannot be known" in past[0][0], past[1][0]) == (True, "Who could")
    monkeypatch.setattr("gateway.portal.access_report.MOST_PEOPLE", 0)
    lacking = rows(await ciso.get(export))
    assert ("this is what was found" in lacking[0][0], lacking[1][0]) == (True, "Who could")


async def test_the_line_is_written_before_the_ledger_is_searched(
    world: World, ciso: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[list[str]] = []

    async def searched(ask: Ask, at: float | None) -> Then:
        before.append(acts(world))
        return await then(ask, at)

    monkeypatch.setattr("gateway.portal.access_report.then", searched)
    assert (await ciso.get(f"{ACCESS}?transaction=dossier&at=2026-06-01T10:00")).status == 200
    assert [each[-1] for each in before] == ["access read"]


async def test_others_are_served_while_a_report_is_made(
    world: World, ciso: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hashes of all user IDs and the rows of a file are not made on the loop; and a page makes the rows that it shows."""
    on_loop, made = set(), []
    pseudonym, row = Sealer.user_pseudonym, access_report._could_row

    def hashed(sealer: Sealer, user_id: str) -> str:
        on_loop.add(threading.get_ident() == loop)
        return pseudonym(sealer, user_id)

    def formatted(ask: Ask, one: Could, ends: float) -> tuple[str, ...]:
        made.append(threading.get_ident() == loop)
        return row(ask, one, ends)

    loop = threading.get_ident()
    monkeypatch.setattr(Sealer, "user_pseudonym", hashed)
    monkeypatch.setattr(access_report, "_could_row", formatted)
    monkeypatch.setattr(access_report, "MOST_ROWS", 1)
    page = await ciso.get(f"{ACCESS}?transaction=dossier")
    assert ("than this page shows" in page.page.words, len(made)) == (True, 1)
    made.clear()
    await ciso.get(f"{ACCESS}?transaction=dossier&as=csv")
    assert (len(made) > 1, set(made), on_loop) == (True, {False}, {False})


async def test_an_institution_sees_nobody_of_another(world: World, ciso: Browser) -> None:
    for page in (f"{ACCESS}?user_id=peeters1", f"{ACCESS}?transaction=dossier"):
        answer = await ciso.get(page)
        assert answer.status == 200
        assert "Bo Peeters" not in answer.text
    assert (await ciso.get(f"{READ_WHY}?user_id=jansen01")).status == 404


async def test_a_reader_for_the_ksz_sees_all(world: World, reader: Browser) -> None:
    whole = await reader.get(f"{ACCESS}?user_id=jansen01")
    assert "24/123" in whole.page.words
    assert "accept the user regulation" in whole.page.words


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_accessible(world: World, admin: Admin, language: str) -> None:
    admin.browser.fields["Accept-Language"] = language
    answer = await admin.browser.get(f"{WHY}?user_id=jansen01&transaction=dossier&means=password&use=communication")
    assert faults(answer.page, language) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_report_is_accessible(world: World, ciso: Browser, language: str) -> None:
    ciso.fields["Accept-Language"] = language
    answer = await ciso.get(f"{ACCESS}?transaction=dossier")
    assert faults(answer.page, language) == []  # type: ignore[arg-type]
