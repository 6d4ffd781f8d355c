"""Signing in with a card: from the portal to the door and back, and everything that must not get anybody in."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.credentials.certificate_profile import Profile
from gateway.decision import ClientEvidence, Facts
from gateway.demo.card_answers import OcspAnswer
from gateway.demo.cards import DAY, Issued, Tree, make_tree
from gateway.model import Channel, Means
from gateway.outbound.hosts import parse_place
from gateway.outbound.http import Client
from gateway.outbound.lists import Lists
from gateway.outbound.revocation import Revocation
from gateway.outbound.settings import OutboundSettings, RevocationSettings
from gateway.portal.claim import DOOR_SECONDS, MOST_TRIES, RESULT_SECONDS
from gateway.portal.eid_words import WORDS
from gateway.records import Records
from tests.outbound.elsewhere import Elsewhere, elsewhere, says
from tests.portal.conftest import (
    DOSSIER,
    MINUTE,
    NOW,
    OFFICIAL,
    PORTAL,
    SESSION,
    SETTINGS,
    Answer,
    Browser,
    World,
    open_world,
)

DOORS = ("eid.localhost", "eid2.localhost", "eid3.localhost")
ENTER = "/.gateway/eid"
INSZ, OTHER_INSZ = "85073003328", "17073003384"


@dataclass
class Cards:
    """Authorities, their responder, and what it says next."""

    tree: Tree
    responder: Elsewhere

    def card(self, insz: str = INSZ) -> Issued:
        return self.tree.card(insz, "An", "Jansen", NOW).signed_by(self.tree.citizen)

    def says(self, card: Issued, **answer: object) -> None:
        made = OcspAnswer(NOW - MINUTE, NOW + 60 * MINUTE, **answer)  # type: ignore[arg-type]
        body = made.signed(card, self.tree.citizen, self.tree.citizen)
        self.responder.answer = says(body, "Content-Type: application/ocsp-response")

    def good(self, insz: str = INSZ) -> Issued:
        card = self.card(insz)
        self.says(card)
        return card


class Holder(Browser):
    """A browser with a card in the reader, or none: what it shows at a door."""

    shown: tuple[bytes, ...] = ()
    evidence: ClientEvidence | None = None

    async def send(self, method: str, url: str, form: dict[str, str] | None = None, facts: object = None) -> Answer:
        def at_door(made: Facts) -> Facts:
            if urlsplit(url).hostname not in self.world.snapshot.eid_names:
                return made if self.evidence is None else replace(made, evidence=self.evidence)
            return replace(made, connection=made.connection._replace(channel=Channel.EID, certificate=self.shown))

        return await super().send(method, url, form, at_door)

    def put_in(self, *cards: Issued) -> None:
        self.shown = tuple(card.der for card in cards)

    async def choose_card(self, user_id: str = "jansen01", start: str = "") -> Answer:
        """On the sign-in page: fills in the user ID, and takes the button of the card."""
        form = await self.open_form(start)
        assert 'formaction="/eid"' in form.text
        fields = {"user_id": user_id, "password": "", "code": "", "csrf": form.csrf, "start": start}
        return await self.post(f"https://{PORTAL}/eid", fields)

    async def with_card(self, user_id: str = "jansen01", start: str = "") -> Answer:
        """All the way, until a page."""
        return await self.follow(await self.choose_card(user_id, start))


@pytest.fixture
async def door(tmp_path: Path, prepared: Path) -> AsyncIterator[tuple[World, Cards]]:
    async with opened(tmp_path, prepared) as it:
        yield it


@asynccontextmanager
async def opened(tmp_path: Path, prepared: Path, doors: tuple[str, ...] = DOORS) -> AsyncIterator[tuple[World, Cards]]:
    settings = replace(SETTINGS, eid_doors=tuple(f"https://{name}:8444" for name in doors))
    async with elsewhere(says(b"")) as responder:
        tree = make_tree(NOW, responder.address)
        profile = Profile.read({"authorities": b"".join(one.certificate.public_bytes(Encoding.PEM) for one in (tree.root, tree.citizen))}, {tree.root.fingerprint})  # fmt: skip
        client = Client(OutboundSettings())

        def revocation(records: Records) -> Revocation:
            asking = RevocationSettings(tmp_path / "revocation", (parse_place(responder.address),), ocsp=2.0)
            return Revocation(asking, client, Lists(asking, client, lambda: NOW), records, os.urandom)

        async with open_world(tmp_path, prepared, settings, profile, revocation) as world:
            world.snapshot = replace(world.snapshot, eid_names=frozenset(doors))
            yield world, Cards(tree, responder)
        await client.close()


Door = tuple[World, Cards]


def holder(world: World, *shown: Issued, **fields: str) -> Holder:
    made = Holder(world, fields)
    made.put_in(*shown)
    return made


def sign_ins(world: World) -> list[dict[str, object]]:
    return world.lines("sign-in")


def codes(answer: Answer) -> str:
    return re.search(r"code=([0-9A-Za-z_-]+)", answer.location)[1]  # type: ignore[index]


# --- the good way -----------------------------------------------------------------------------------------------------------


async def test_a_card_signs_in_whose_it_is(door: Door) -> None:
    world, cards = door
    card = cards.good()
    an = holder(world, card)
    chosen = await an.choose_card()
    assert (chosen.status, chosen.headers["Referrer-Policy"]) == (303, "no-referrer")
    assert chosen.location.startswith(f"https://{DOORS[0]}:8444{ENTER}?code=")
    judged = await an.get(chosen.location)
    assert judged.location.startswith(f"https://{PORTAL}:8443/eid?code=")
    assert SESSION not in an.jar[DOORS[0]]
    back = await an.get(judged.location)
    assert (back.status, back.location) == (303, "/regulation")
    (session,) = await world.records.sessions_of("jansen01")
    assert (session.means, session.auth_time) == (Means.EID, NOW)
    assert session.certificate == card_thumbprint(card)
    assert session.certificate_good_at == NOW
    (line,) = sign_ins(world)
    assert (line["reason"], line["means"], line["session"], line["verdict"]) == (
        "signed_in",
        "eid",
        session.id,
        "permit",
    )
    shown = line["certificate"]
    assert isinstance(shown, dict)
    assert (shown["policy"], shown["step"], shown["revoked"], shown["good_at"]) == (
        "2.16.56.13.6.1.1.1000", None, "no", NOW,
    )  # fmt: skip
    assert "Demo Citizen CA" in shown["issuer"]
    assert f"{card.certificate.serial_number:x}" not in str(line)
    assert INSZ not in str(line)
    assert await world.records.means_used("jansen01") == {"eid": NOW}


def card_thumbprint(card: Issued) -> str:
    return card.certificate.fingerprint(hashes.SHA256()).hex()


async def test_back_to_where_the_person_was_going(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    start = an.challenged(DOSSIER, "/dossier/list?name=Jansen")
    page = await an.with_card(start=start)
    answer = await an.follow(await an.accept(page))
    assert answer.url == f"https://{DOSSIER}/dossier/list?name=Jansen"


async def test_no_password_and_no_wait_stand_in_the_way_of_a_card(door: Door) -> None:
    """An eID is never locked by somebody else's guesses; nor does it give a password back its tries."""
    world, cards = door
    stranger = world.browser()
    for _ in range(12):
        await stranger.sign_in(password="wrong wrong wrong wrong")
    login = await world.records.find_login("jansen01")
    assert login is not None
    before = await world.records.lockout(login)
    assert before.waits(NOW)
    assert (await holder(world, cards.good()).with_card()).url.endswith("/regulation")
    assert await world.records.lockout(login) == before


async def test_a_capital_in_front_makes_no_other_user_id(door: Door) -> None:
    world, cards = door
    assert (await holder(world, cards.good()).with_card(" Jansen01")).url.endswith("/regulation")


async def test_the_number_that_the_person_had_before_names_them_too(door: Door) -> None:
    world, cards = door
    login = await world.records.find_login("jansen01")
    assert login is not None
    await world.records.change_person(login.person, "98472899765", "An Jansen", OFFICIAL, NOW)
    for insz in (INSZ, "98472899765"):
        assert (await holder(world, cards.good(insz)).with_card()).url.endswith("/regulation")


async def test_a_step_up_keeps_the_page(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    await an.follow(await an.accept(await an.sign_in()))
    (first,) = await world.records.sessions_of("jansen01")
    start = an.challenged(DOSSIER, "/careers/mine", "means_too_weak")
    start = an.challenged("pension.localhost", "/careers/mine", "means_too_weak")
    page = await an.get(f"https://{PORTAL}/step-up?start={start}")
    assert 'formaction="/eid"' in page.text
    begun = await an.post(
        f"https://{PORTAL}/eid", {"csrf": page.csrf, "start": start, "errand": "step-up", "user_id": "dupont01"}
    )
    judged = await an.follow(begun)
    assert judged.url == "https://pension.localhost/careers/mine"
    second = next(one for one in await world.records.sessions_of("jansen01") if one.ended_at is None)
    assert (second.means, second.expires_at) == (Means.EID, first.expires_at)
    assert second.certificate is not None
    assert sign_ins(world)[-1]["reason"] == "stepped_up"
    assert sign_ins(world)[-1]["step_up"] is True


async def test_who_confirms_for_administration_comes_back_to_it(door: Door) -> None:
    world, cards = door
    await world.records.add_mandate("jansen01", OFFICIAL, NOW - MINUTE)
    an = holder(world, cards.good())
    await an.follow(await an.accept(await an.sign_in()))
    asked = await an.get(f"https://{PORTAL}/administration")
    assert "Local administrators manage other people's means" in asked.page.words
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
    back = await an.follow(await an.post(f"https://{PORTAL}/eid", hidden))
    assert (back.status, back.url) == (200, f"https://{PORTAL}/administration")


# --- nobody gets in ----------------------------------------------------------------------------------------------------------


async def test_the_result_is_of_no_use_to_another_browser_and_then_to_nobody(door: Door) -> None:
    world, cards = door
    an, thief = holder(world, cards.good()), holder(world)
    judged = await an.get((await an.choose_card()).location)
    await thief.open_form()
    stolen = await thief.get(judged.location)
    assert stolen.status == 403
    assert SESSION not in thief.jar[PORTAL]
    assert (await an.get(judged.location)).status == 403
    assert not await world.records.sessions_of("jansen01")


async def test_the_result_is_good_once_and_for_a_minute(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    late = await an.get((await an.choose_card()).location)
    world.clock.now += RESULT_SECONDS
    assert (await an.get(late.location)).status == 403
    world.clock.now = NOW
    judged = await an.get((await an.choose_card()).location)
    assert (await an.get(judged.location)).status == 303
    again = await an.get(judged.location)
    assert again.status == 403
    assert len(await world.records.sessions_of("jansen01")) == 1


async def test_the_way_to_the_door_is_good_once_and_for_ten_minutes(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    chosen = await an.choose_card()
    assert (await an.get(chosen.location)).status == 303
    assert (await an.get(chosen.location)).status == 403
    late = await an.choose_card()
    world.clock.now += DOOR_SECONDS
    assert (await an.get(late.location)).status == 403


async def test_a_lured_card_signs_in_the_one_who_began_only_as_its_holder_and_not_elsewhere(door: Door) -> None:
    """Somebody begins with another's user ID and sends them to the door: what their card proves comes back in their own browser."""
    world, cards = door
    thief, victim = holder(world), holder(world, cards.good())
    lure = (await thief.choose_card("jansen01")).location
    judged = await victim.get(lure)
    assert judged.status == 303
    assert (await victim.get(judged.location)).status == 403
    assert (await thief.get(judged.location)).status == 403
    assert not await world.records.sessions_of("jansen01")


@pytest.mark.parametrize("code", ["", "x", "a" * 43, "../../etc", "é"])
async def test_a_code_that_is_none(door: Door, code: str) -> None:
    world, cards = door
    an = holder(world, cards.good())
    for url in (f"https://{DOORS[0]}{ENTER}", f"https://{DOORS[0]}{ENTER}/refused", f"https://{PORTAL}/eid"):
        assert (await an.get(f"{url}?{urlencode({'code': code})}")).status == 403


async def test_codes_do_not_pass_for_each_other(door: Door) -> None:
    """The way to the door is no result, nor the other way round; nor is a code that a page shows a result."""
    world, cards = door
    an = holder(world, cards.good())
    chosen = await an.choose_card()
    assert (await an.get(f"https://{PORTAL}/eid?code={codes(chosen)}")).status == 403
    judged = await an.get((await an.choose_card()).location)
    assert (await an.get(f"https://{DOORS[0]}{ENTER}?code={codes(judged)}")).status == 403
    an.put_in()
    refused = await an.get((await an.choose_card()).location)
    assert (await an.get(f"https://{PORTAL}/eid?code={codes(refused)}")).status == 403
    assert not await world.records.sessions_of("jansen01")


async def test_a_fresh_code_shows_no_refusal(door: Door) -> None:
    world, _ = door
    an = holder(world)
    chosen = await an.choose_card()
    assert (await an.get(f"https://{DOORS[0]}{ENTER}/refused?code={codes(chosen)}")).status == 403


async def test_a_head_uses_no_code_up(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    chosen = await an.choose_card()
    assert (await an.send("HEAD", chosen.location)).status == 404
    judged = await an.get(chosen.location)
    assert (await an.send("HEAD", judged.location)).status == 404
    assert (await an.get(judged.location)).status == 303


async def test_a_form_of_another_browser_begins_nothing(door: Door) -> None:
    world, _ = door
    an, other = holder(world), holder(world)
    csrf = (await other.open_form()).csrf
    await an.open_form()
    answer = await an.post(f"https://{PORTAL}/eid", {"user_id": "jansen01", "csrf": csrf})
    assert (answer.status, "Location" in answer.headers) == (403, False)


@pytest.mark.parametrize("user_id", ["", "  ", "x" * 200])
async def test_without_a_user_id_nothing_begins(door: Door, user_id: str) -> None:
    """I4: an eID authenticates a claimed user ID, and does not replace it."""
    world, _ = door
    answer = await holder(world).choose_card(user_id)
    assert (answer.status, "Fill in your user ID." in answer.text) == (403, True)


async def test_a_step_up_without_a_session_begins_nothing(door: Door) -> None:
    world, _ = door
    an = holder(world)
    csrf = (await an.open_form()).csrf
    answer = await an.post(f"https://{PORTAL}/eid", {"csrf": csrf, "errand": "step-up", "user_id": "jansen01"})
    assert (answer.status, "Location" in answer.headers) == (403, False)


async def test_who_was_blocked_on_the_way_back_gets_no_session(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    judged = await an.get((await an.choose_card()).location)
    await world.records.block_user_id("jansen01", OFFICIAL, NOW)
    assert (await an.get(judged.location)).status == 403
    assert not await world.records.sessions_of("jansen01")


# --- what is read at the door --------------------------------------------------------------------------------------------------


def refused_cards(cards: Cards) -> dict[str, tuple[Issued, ...]]:
    tree = cards.tree
    fine = tree.card(INSZ, "An", "Jansen", NOW)
    return {
        "certificate_missing": (),
        "certificate_expired": (replace(fine, not_after=NOW - DAY).signed_by(tree.citizen),),
        "certificate_not_yet_valid": (replace(fine, not_before=NOW + DAY).signed_by(tree.citizen),),
        "certificate_untrusted": (fine.signed_by(None),),
        "certificate_for_signing": (tree.signature(INSZ, "An", "Jansen", NOW).signed_by(tree.citizen),),
        "certificate_not_a_person": (tree.organisation("Hulpkas", "0403019261", NOW).signed_by(tree.citizen),),
        "certificate_not_yours": (cards.card(OTHER_INSZ),),
    }


@pytest.mark.parametrize("reason", [
    "certificate_missing", "certificate_expired", "certificate_not_yet_valid", "certificate_untrusted",
    "certificate_for_signing", "certificate_not_a_person", "certificate_not_yours",
])  # fmt: skip
async def test_each_refusal_has_its_page_its_line_and_a_way_on(door: Door, reason: str) -> None:
    world, cards = door
    shown = refused_cards(cards)[reason]
    an = holder(world, *shown)
    chosen = await an.choose_card()
    moved = await an.get(chosen.location)
    assert urlsplit(moved.location).path == f"{ENTER}/refused"
    page = await an.follow(moved)
    assert page.status == 403
    assert page.page.one("h1").text == WORDS[reason].title
    assert page.headers["Referrer-Policy"] == "no-referrer"
    (line,) = sign_ins(world)
    assert (line["reason"], line["verdict"], line["means"], line["session"]) == (reason, "deny", "eid", None)
    reference = str(line["id"])
    assert reference in page.text.replace("-", "").replace(" ", "") or reference[:5] in page.text
    assert INSZ not in page.text
    assert "jansen01" not in page.text
    if shown:
        certificate = line["certificate"]
        assert isinstance(certificate, dict)
        assert certificate["step"]
        assert (certificate["issuer"] is None) == (reason == "certificate_untrusted")
        assert f"{shown[0].certificate.serial_number:x}" not in str(line)
    else:
        assert "certificate" not in line
    links = {element.text.strip(): str(element.attributes["href"]) for element in page.page.all("a")}
    assert links["Sign in in another way"] == f"https://{PORTAL}:8443/sign-in?"
    assert links["Use another card"].startswith(f"https://{DOORS[1]}:8444{ENTER}?code=")
    # The right card now, in either way.
    card = cards.good()
    an.put_in(card)
    again = links["Try again"]
    assert (await an.follow(await an.get(f"https://{DOORS[0]}{again}"))).url.endswith("/regulation")
    assert (await an.get(links["Use another card"])).status == 403  # one of the two, once


async def test_another_card_goes_from_door_to_door_and_round(door: Door) -> None:
    world, _ = door
    an = holder(world)
    page = await an.with_card()
    seen = []
    for _ in DOORS:
        links = {element.text.strip(): str(element.attributes["href"]) for element in page.page.all("a")}
        seen.append(urlsplit(links["Use another card"]).hostname)
        page = await an.follow(await an.get(links["Use another card"]))
    assert seen == [DOORS[1], DOORS[2], DOORS[0]]


async def test_another_card_goes_to_another_door_also_where_names_begin_alike(tmp_path: Path, prepared: Path) -> None:
    names = ("eid.localhost.test", "eid.localhost")
    async with opened(tmp_path, prepared, names) as (world, _):
        an = holder(world)
        page = await an.with_card()
        seen = []
        for _ in names:
            links = {element.text.strip(): str(element.attributes["href"]) for element in page.page.all("a")}
            seen.append(urlsplit(links["Use another card"]).hostname)
            page = await an.follow(await an.get(links["Use another card"]))
        assert seen == ["eid.localhost", "eid.localhost.test"]


async def test_with_one_door_the_browser_has_to_be_closed(tmp_path: Path, prepared: Path) -> None:
    async with opened(tmp_path, prepared, DOORS[:1]) as (world, _):
        page = await holder(world).with_card()
        assert "Use another card" not in [element.text.strip() for element in page.page.all("a")]
        assert "close all its windows first" in page.text


async def test_tries_come_to_an_end(door: Door) -> None:
    world, cards = door
    an = holder(world)
    page = await an.with_card()
    for _ in range(MOST_TRIES - 1):
        again = next(str(one.attributes["href"]) for one in page.page.all("a") if one.text.strip() == "Try again")
        page = await an.follow(await an.get(f"https://{DOORS[0]}{again}"))
    assert "Try again" not in [element.text.strip() for element in page.page.all("a")]
    assert len(sign_ins(world)) == MOST_TRIES
    an.put_in(cards.good())
    beyond = await an.get(f"https://{DOORS[0]}{ENTER}?{urlsplit(page.url).query}")
    assert beyond.status == 403
    assert len(sign_ins(world)) == MOST_TRIES


async def test_the_page_of_a_refusal_stays_and_speaks_every_language(door: Door) -> None:
    world, _ = door
    an = holder(world)
    page = await an.with_card()
    for language, title in (
        ("nl", "Er werd geen kaart getoond"),
        ("fr", "Aucune carte n’a été présentée"),
        ("de", "Es wurde keine Karte vorgelegt"),
        ("en", "No card was shown"),
    ):
        where = page.url.removeprefix(f"https://{DOORS[0]}")
        switched = await an.get(f"https://{DOORS[0]}/.gateway/language?{urlencode({'to': language, 'back': where})}")
        shown = await an.follow(switched)
        assert (shown.page.one("h1").text, shown.status) == (title, 403)


async def test_the_door_speaks_the_language_of_the_portal(door: Door) -> None:
    world, _ = door
    an = holder(world, **{"Accept-Language": "en"})
    an.jar[PORTAL] = {"__Host-gw-language": "fr"}
    page = await an.with_card()
    assert page.page.one("html").attributes["lang"] == "fr"


async def test_an_unknown_user_id_looks_like_one_of_somebody_else(door: Door) -> None:
    world, cards = door
    pages = []
    for user_id in ("nobody99", "dupont01"):
        an = holder(world, cards.good())
        page = await an.with_card(user_id)
        pages.append(re.sub(r"code(=|%3D)[^\"&]+|[0-9a-f]{64}", "…", page.text))
        assert page.status == 403
    assert re.sub(r'class="reference">[^<]*', "", pages[0]) == re.sub(r'class="reference">[^<]*', "", pages[1])
    assert [line["reason"] for line in sign_ins(world)] == ["unknown_user_id", "certificate_not_yours"]


async def test_a_blocked_user_id_is_told_to_its_owner_alone(door: Door) -> None:
    world, cards = door
    await world.records.block_user_id("jansen01", OFFICIAL, NOW)
    assert (await holder(world, cards.good()).with_card()).page.one("h1").text == WORDS["user_id_blocked"].title
    other = await holder(world, cards.good(OTHER_INSZ)).with_card()
    assert other.page.one("h1").text == WORDS["certificate_not_yours"].title


async def test_a_revoked_card(door: Door) -> None:
    world, cards = door
    card = cards.card()
    cards.says(card, revoked_at=NOW - DAY)
    page = await holder(world, card).with_card()
    assert page.page.one("h1").text == "The certificate has been revoked."
    (line,) = sign_ins(world)
    assert line["reason"] == "certificate_revoked"
    assert isinstance(line["certificate"], dict)
    assert (line["certificate"]["step"], line["certificate"]["revoked"]) == ("revocation", "yes")


async def test_when_nobody_can_say_the_session_begins_and_the_line_tells(door: Door) -> None:
    """Whether that is enough is for each transaction (hard or soft)."""
    world, cards = door
    cards.responder.answer = says(b"", status="500 Internal Server Error")
    card = cards.card()
    assert (await holder(world, card).with_card()).url.endswith("/regulation")
    (session,) = await world.records.sessions_of("jansen01")
    assert (session.certificate, session.certificate_good_at) == (card_thumbprint(card), None)
    (line,) = sign_ins(world)
    assert isinstance(line["certificate"], dict)
    assert (line["certificate"]["revoked"], line["certificate"]["good_at"]) == ("unknown", None)


async def test_the_responder_is_asked_about_ones_own_card_alone(door: Door) -> None:
    """So nobody learns by time or traffic whether a user ID is known; and what is no card asks nobody anything."""
    world, cards = door
    for user_id, shown in (("nobody99", cards.good()), ("dupont01", cards.good())):
        await holder(world, shown).with_card(user_id)
    for shown_cards in refused_cards(cards).values():
        await holder(world, *shown_cards).with_card()
    assert cards.responder.asked == []


async def test_no_door_no_button(world: World) -> None:
    an = world.browser()
    form = await an.open_form()
    assert 'formaction="/eid"' not in form.text
    answer = await an.post(f"https://{PORTAL}/eid", {"user_id": "jansen01", "csrf": form.csrf})
    assert answer.status == 404


async def test_who_comes_without_a_code_is_told_where_to_begin(door: Door) -> None:
    world, _ = door
    page = await holder(world).get(f"https://{DOORS[0]}/")
    assert (page.status, page.page.one("h1").text) == (404, "This address is only for showing an eID card")


async def test_on_other_hosts_there_is_no_door(door: Door) -> None:
    world, cards = door
    an = holder(world, cards.good())
    await an.follow(await an.accept(await an.with_card(start=an.challenged(DOSSIER, "/dossier/list"))))
    answer = await an.get(f"https://{DOSSIER}{ENTER}?code=x")
    assert (answer.status, answer.challenge) != (303, None)


async def test_where_there_is_no_room_nothing_is_lost_and_the_form_says_so(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = door
    monkeypatch.setattr("gateway.records.pending.MOST_BYTES", 100)
    answer = await holder(world).choose_card()
    assert (answer.status, answer.headers["Retry-After"]) == (403, "5")
    assert "Too many people are signing in" in answer.text


# --- a session that moved ---------------------------------------------------------------------------------------------------


async def confirm_by_card(world: World, an: Holder) -> Answer:
    """At another client than the session was given to: who is there is to be shown by a card."""
    world.clock.now += 1
    start = an.challenged(DOSSIER, "/dossier/list", "session_moved")
    page = await an.get(f"https://{PORTAL}/step-up?start={start}")
    return await an.follow(
        await an.post(f"https://{PORTAL}/eid", {"csrf": page.csrf, "errand": "step-up", "start": start})
    )


async def test_another_persons_card_confirms_no_session_that_moved(door: Door) -> None:
    """I4: as after wrong passwords, the third ends it; to show no card proves nothing either way."""
    world, cards = door
    an = holder(world)
    await an.accept(await an.sign_in())
    an.evidence = ClientEvidence(moved=True, since=world.clock.now)
    for _ in range(3):
        assert (await confirm_by_card(world, an)).status == 403
    (session,) = await world.records.sessions_of("jansen01")
    assert session.ended_at is None
    an.put_in(cards.good(OTHER_INSZ))
    for _ in range(3):
        assert session.ended_at is None
        await confirm_by_card(world, an)
        (session,) = await world.records.sessions_of("jansen01")
    assert session.ended_at is not None
    assert world.lines("sign-out")[-1]["cause"] == "not_confirmed"
