"""The administrator's pages: who may see them, whom they act for, and that what they make is shown once and works."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.credentials import activation, code_card
from gateway.model import LANGUAGES, Language, Means, Validity
from gateway.portal.hashing import Busy, HashingPool
from gateway.portal.people import PEOPLE_ON_A_PAGE
from tests.portal.conftest import (
    DAY,
    HOUR,
    KBO,
    NOW,
    OFFICIAL,
    PORTAL,
    SESSION,
    SETTINGS,
    Answer,
    Browser,
    World,
    token_hash,
)
from tests.portal.test_accessibility import faults

OTHER_KBO = "0671516647"
PAGE = f"https://{PORTAL}/administration"
ACTS = (
    "code-card",
    "activation",
    "sessions",
    "end",
    "block",
    "unblock",
    "designate",
    "end-designation",
    "role",
    "end-role",
    "change",
    "leave",
)

OTHER_ACTS = ("new", "import", "import/apply", "export")
"""Forms that are on no person's page."""
PAGES = (
    *(f"{PAGE}/{page}?user_id=dupont01" for page in ("person", "designate", "change", "leave")),
    *(f"{PAGE}/{page}" for page in ("new", "lists", "recent")),
)


@dataclass
class Admin:
    """A local administrator at a browser, signed in with their eID."""

    browser: Browser
    mandate: int

    async def person(self, user_id: str = "jansen01") -> Answer:
        return await self.browser.get(f"{PAGE}/person?user_id={user_id}")

    async def do(self, what: str, user_id: str = "jansen01", reason: str = "card lost", **more: str) -> Answer:
        csrf = (await self.browser.get(f"https://{PORTAL}/sign-out")).csrf
        return await self.browser.post(f"{PAGE}/{what}", {"csrf": csrf, "user_id": user_id, "reason": reason, **more})


async def signed_in(world: World, user_id: str, means: Means = Means.EID) -> Browser:
    """Somebody with a session by these means; how they proved it is for other tests."""
    login = await world.records.find_login(user_id)
    assert login is not None
    browser, cookie = world.browser(), f"cookie of {user_id} {means} {world.clock.now}"
    await world.records.create_session(
        login, means, world.clock.now, PORTAL, token_hash(cookie), world.clock.now, 10 * HOUR
    )
    regulation = world.snapshot.regulation(world.clock.now)
    assert regulation is not None
    await world.records.accept_regulation(user_id, regulation.version, regulation.sha256, NOW)
    browser.jar[PORTAL] = {SESSION: cookie}
    return browser


async def add_person(
    world: World, user_id: str, insz: str, name: str, institution: str = KBO, language: Language = "en"
) -> None:
    person = await world.records.add_person(insz, name, OFFICIAL, NOW - DAY)
    await world.records.add_user_id(user_id, person, institution, language, OFFICIAL, NOW - DAY)


@pytest.fixture
async def admin(world: World) -> Admin:
    await add_person(world, "admin01", "98472899765", "Ad Min")
    mandate = await world.records.add_mandate("admin01", OFFICIAL, NOW - DAY)
    return Admin(await signed_in(world, "admin01"), mandate)


async def kinds(world: World, user_id: str = "jansen01") -> list[str]:
    return [str(each.says["kind"]) for each in await world.records.entries("credential", user_id=user_id)]


# --- who may


async def test_for_everybody_else_the_pages_do_not_exist(world: World, admin: Admin) -> None:
    """No mandate, one that has ended, one that is yet to begin, another institution's: one answer, that of no page at all."""
    await world.records.add_mandate("dupont01", OFFICIAL, NOW, Validity(NOW + DAY))
    somebody, soon = await signed_in(world, "jansen01"), await signed_in(world, "dupont01")
    await world.records.end_mandate(admin.mandate, OFFICIAL, NOW)
    for browser in (somebody, soon, admin.browser):
        nothing = await browser.get(f"https://{PORTAL}/no-such-page")
        for page in (PAGE, *PAGES):
            answer = await browser.get(page)
            assert (answer.status, answer.page.one("h1").text) == (404, nothing.page.one("h1").text)
        csrf = (await browser.get(f"https://{PORTAL}/sign-out")).csrf
        for act in (*ACTS, *OTHER_ACTS):
            answer = await browser.post(f"{PAGE}/{act}", {"csrf": csrf, "user_id": "dupont01", "reason": "x"})
            assert answer.status == 404
    assert await kinds(world, "dupont01") == ["password"]


async def test_without_a_session_one_signs_in_first(world: World, admin: Admin) -> None:
    for page in (PAGE, *PAGES, *(f"{PAGE}/{act}" for act in (*ACTS, *OTHER_ACTS))):
        answer = await world.browser().get(page)
        assert answer.challenge is not None
        assert answer.challenge.reason.code == "sign_in_required"


@pytest.mark.parametrize("means", [Means.PASSWORD, Means.TOKEN, Means.ITSME])
async def test_with_a_weaker_means_the_eid_is_asked_for(world: World, admin: Admin, means: Means) -> None:
    browser = await signed_in(world, "admin01", means)
    for page in (PAGE, *PAGES):
        answer = await browser.get(page)
        assert answer.status == 403
        assert "Administration asks for your eID" in answer.text
        assert "Marc Dupont" not in answer.text
    csrf = (await browser.get(f"https://{PORTAL}/sign-out")).csrf
    for act in (*ACTS, *OTHER_ACTS):
        refused = await browser.post(f"{PAGE}/{act}", {"csrf": csrf, "user_id": "jansen01", "reason": "x"})
        assert refused.status == 403
    assert await kinds(world) == ["password", "totp"]


async def test_another_institutions_people_do_not_exist(world: World, admin: Admin) -> None:
    await add_person(world, "peeters1", "01490700185", "Bo Peeters", OTHER_KBO)
    nothing, theirs = await admin.person("nobody99"), await admin.person("peeters1")
    assert (theirs.status, theirs.page.one("h1").text) == (404, nothing.page.one("h1").text)
    for act in ACTS:
        assert (await admin.do(act, "peeters1", all="1", authorisation="24/123", use_consultation="1")).status == 404
    for page in PAGES:
        if "user_id=" in page:
            assert (await admin.browser.get(page.replace("dupont01", "peeters1"))).status == 404
    assert await kinds(world, "peeters1") == []
    assert "peeters1" not in (await admin.browser.get(PAGE)).text
    assert "peeters1" not in (await admin.browser.get(f"{PAGE}?search=peeters")).text


async def test_nobody_administers_their_own_means(world: World, admin: Admin) -> None:
    """Whichever user ID of theirs it is."""
    person = await world.records.person_of(user_id="admin01")
    await world.records.add_user_id("admin.two", person, KBO, "nl", OFFICIAL, NOW - DAY)
    for user_id in ("admin01", "admin.two"):
        page = await admin.person(user_id)
        assert page.status == 200
        assert "Nobody administers their own means" in page.text
        assert "/administration/code-card" not in page.text
        for act in ACTS:
            assert (await admin.do(act, user_id)).status == 403
        assert await kinds(world, user_id) == []
    assert world.lines("administration") == []


async def test_a_form_of_another_session_does_nothing(world: World, admin: Admin) -> None:
    for act in ACTS:
        answer = await admin.browser.post(f"{PAGE}/{act}", {"csrf": "0" * 64, "user_id": "jansen01", "reason": "x"})
        assert answer.status == 403
        assert "another session" in answer.text
    assert await kinds(world) == ["password", "totp"]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "be\u202ecause"])
async def test_every_act_has_a_reason(world: World, admin: Admin, reason: str) -> None:
    for act in ACTS:
        answer = await admin.do(act, reason=reason)
        assert answer.status == 422
        assert "Say in a few words why" in answer.text
    assert await kinds(world) == ["password", "totp"]


# --- the list


async def test_the_people_of_the_institution(world: World, admin: Admin) -> None:
    page = (await admin.browser.get(PAGE)).page
    assert [row.text.split("\n")[0] for row in page.all("tr")][1:] == [
        "Ad Minadmin01not designated",
        "An Jansenjansen01designated until 31 December 2026",
        "Marc Dupontdupont01designated until 31 December 2026",
    ]
    for search, found in (
        ("jans", ["An Jansen"]),
        ("DUPONT01", ["Marc Dupont"]),
        ("%", []),
        ("_", []),
        ("x" * 500, []),
    ):
        answer = await admin.browser.get(f"{PAGE}?search={search.replace('%', '%25')}")
        assert [link.text for link in answer.page.all("a") if "person?" in (link.attributes["href"] or "")] == found
    await world.records.block_user_id("jansen01", OFFICIAL, NOW)
    await world.records.end_user_id("dupont01", OFFICIAL, NOW)
    listed = (await admin.browser.get(PAGE)).page.words
    assert "jansen01blocked" in listed.replace(" ", "")
    assert "dupont01" not in listed


async def test_a_long_list_has_pages(world: World, admin: Admin) -> None:
    person = await world.records.person_of(user_id="jansen01")
    for number in range(PEOPLE_ON_A_PAGE):
        await world.records.add_user_id(f"jansen.{number:02}", person, KBO, "nl", OFFICIAL, NOW - DAY)
    seen: list[str] = []
    answer = await admin.browser.get(PAGE)
    for _ in range(2):
        seen += [str(link.attributes["href"]) for link in answer.page.all("a") if "person?" in str(link.attributes)]
        following = [link for link in answer.page.all("a") if link.attributes.get("rel") == "next"]
        if not following:
            break
        answer = await admin.browser.get(f"https://{PORTAL}{following[0].attributes['href']}")
    assert len(seen) == len(set(seen)) == PEOPLE_ON_A_PAGE + 3
    assert any(link.attributes.get("rel") == "prev" for link in answer.page.all("a"))
    for odd in ("0", "-1", "x", "99999", "٣", "1.5"):
        assert (await admin.browser.get(f"{PAGE}?page={odd}")).status == 200


async def test_a_persons_page(world: World, admin: Admin) -> None:
    login = await world.records.find_login("jansen01")
    assert login is not None
    await world.records.record_success(login, NOW - DAY, ("password",))
    await signed_in(world, "jansen01", Means.PASSWORD)
    words = (await admin.person()).page.words
    for part in ("An Jansen", "Password", "Security code via mobile app", "Last used", "There is 1 session."):
        assert part in words, part
    assert "85073003328" not in words


# --- a code card


def codes_of(answer: Answer) -> dict[int, str]:
    found = re.findall(r'<th scope="row">(\d+)</th><td>([0-9A-Z]{6})</td>', answer.text)
    return {int(number): code for number, code in found}


async def test_a_card_is_made_shown_once_and_works(world: World, admin: Admin) -> None:
    there = await signed_in(world, "jansen01", Means.PASSWORD)
    answer = await admin.do("code-card")
    assert answer.status == 200
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    codes = codes_of(answer)
    assert sorted(codes) == list(code_card.NUMBERS)
    assert await kinds(world) == ["password", "totp", "code_card"]
    login = await world.records.find_login("jansen01")
    assert login is not None
    key, browser = b"k" * 32, b"b" * 32
    number = await world.records.new_card_challenge(login, key, browser, {}, bytes(8), network="192.0.2.0/24")
    challenge = await world.records.take_card_challenge(key, browser)
    assert number is not None
    assert challenge is not None
    code_card.verify(challenge.stored, world.records.pepper, "jansen01", number, codes[number].lower())
    # Nowhere else: not on the next page, in no line, not in the database.
    after = (await admin.person()).text.encode() + world.ledger_bytes()
    for path in world.directory.glob("records.sqlite*"):
        after += path.read_bytes()
    assert not any(code.encode() in after for code in codes.values())
    assert (await there.get(f"https://{PORTAL}/applications")).challenge is not None


MADE = {"table": "credentials", "id": 4, "kind": "activation", "valid_from": NOW, "valid_to": NOW + 14 * DAY}


async def test_the_line_of_an_act(world: World, admin: Admin) -> None:
    await admin.do("activation", reason="  card\tlost ")
    [line] = world.lines("administration")
    told = {key: line[key] for key in ("act", "actor", "institution", "on_behalf_of", "reason", "objects")}
    assert told == {
        "act": "credential add",
        "actor": "portal",
        "institution": KBO,
        "on_behalf_of": admin.mandate,
        "reason": "card lost",
        "objects": {"record": 4, "kind": "activation", "after": [MADE]},
    }
    sealer = world.ledger.sealer
    assert line["by"] != line["person"]
    assert {line["by"]["user_id"], line["person"]["user_id"]} == {  # type: ignore[index]
        orjson_of(sealer.person("admin01", "98472899765"))["user_id"],
        orjson_of(sealer.person("jansen01", "85073003328"))["user_id"],
    }


def orjson_of(identity: object) -> dict[str, object]:
    import orjson

    found: dict[str, object] = orjson.loads(orjson.dumps(identity.fragment))  # type: ignore[attr-defined]
    return found


async def test_the_pdf_is_inside_the_page(world: World, admin: Admin) -> None:
    for act, name in (("code-card", "code-card-jansen01.pdf"), ("activation", "letter-jansen01.pdf")):
        page = (await admin.do(act)).page
        [link] = [link for link in page.all("a") if "download" in link.attributes]
        assert link.attributes["download"] == name
        address = link.attributes["href"] or ""
        assert address.startswith("data:application/pdf;base64,")
        assert base64.b64decode(address.partition(",")[2], validate=True).startswith(b"%PDF-1.")


async def test_the_paper_is_in_the_language_of_who_gets_it(world: World, admin: Admin) -> None:
    await add_person(world, "peeters1", "01490700185", "Bo Peeters", language="nl")
    answer = await admin.do("activation", "peeters1")
    assert answer.page.one("html").attributes["lang"] == "en"  # the administrator's
    paper = answer.page.one("article")
    assert paper.attributes["lang"] == "nl"
    assert "Uw activeringscode" in paper.text


# --- a letter


async def test_what_took_a_while_to_make_is_told_to_who_read_meanwhile(
    world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter is a change of when it was recorded: one of before what the person has read would never be told."""
    run = HashingPool.run

    async def slow(self: HashingPool, network: str, work: Callable[[], object]) -> object:
        await world.records.mark_told("jansen01", world.clock.now + 1)
        world.clock.now += 2
        return await run(self, network, work)

    with monkeypatch.context() as patched:
        patched.setattr(HashingPool, "run", slow)
        assert (await admin.do("activation")).status == 200
    assert [change.kind for change in await world.records.untold_changes("jansen01")] == ["activation"]


async def test_a_letter_is_made_shown_once_and_works(world: World, admin: Admin) -> None:
    there = await signed_in(world, "jansen01", Means.PASSWORD)
    answer = await admin.do("activation", reason="password forgotten")
    found = re.search(r'class="big-code">([0-9A-Z-]{19})<', answer.text)
    assert found is not None
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert login.activation_until == NOW + 14 * DAY
    activation.verify(
        login.activation_hash, world.records.pepper, "jansen01", found[1], login.activation_until, world.clock.now
    )
    assert f"https://{PORTAL}:8443/activation" in answer.text
    assert found[1].encode() not in world.ledger_bytes()
    # Nothing else has changed: the person goes on until they use it.
    assert (await there.get(f"https://{PORTAL}/applications")).status == 200
    assert login.password_hash is not None


# --- what is lost


async def test_what_is_lost_is_void_at_once(world: World, admin: Admin) -> None:
    there = await signed_in(world, "jansen01", Means.TOKEN)
    [_, app] = await world.records.entries("credential", user_id="jansen01")
    answer = await admin.do("end", reason="telephone lost", credential=str(app.record))
    assert answer.status == 200
    assert "void now" in answer.text
    assert await kinds(world) == ["password"]
    assert (await there.get(f"https://{PORTAL}/applications")).challenge is not None
    assert world.lines("administration")[0]["act"] == "credential end"
    again = await admin.do("end", credential=str(app.record))
    assert (again.status, len(world.lines("administration"))) == (409, 1)


@pytest.mark.parametrize("credential", ["", "x", "0", "-1", "4711", "3.0"])
async def test_a_credential_that_is_not_theirs(world: World, admin: Admin, credential: str) -> None:
    """Nor that of somebody else of the same institution, named by its number."""
    [theirs] = await world.records.entries("credential", user_id="dupont01")
    for chosen in (credential, str(theirs.record)):
        assert (await admin.do("end", credential=chosen)).status == 409
    assert await kinds(world, "dupont01") == ["password"]
    assert await kinds(world) == ["password", "totp"]


async def test_sessions_end_everywhere(world: World, admin: Admin) -> None:
    browsers = [await signed_in(world, "jansen01", means) for means in (Means.PASSWORD, Means.TOKEN)]
    somebody = await signed_in(world, "dupont01", Means.PASSWORD)
    assert (await admin.do("sessions", reason="laptop stolen")).status == 200
    for browser in browsers:
        assert (await browser.get(f"https://{PORTAL}/applications")).challenge is not None
    assert (await somebody.get(f"https://{PORTAL}/applications")).status == 200
    [line] = world.lines("administration")
    assert (line["act"], line["on_behalf_of"], line["reason"]) == ("session end", admin.mandate, "laptop stolen")


async def test_the_sessions_that_can_be_used_are_listed(world: World, admin: Admin) -> None:
    assert "This user ID is signed in nowhere." in (await admin.person()).page.words
    await signed_in(world, "jansen01", Means.PASSWORD)
    world.clock.now += SETTINGS.idle_seconds - 1
    await signed_in(world, "jansen01", Means.TOKEN)
    admin.browser = await signed_in(world, "admin01")
    shown = (await admin.person()).page
    assert [each.text.count("Last active") for each in shown.all("section") if "Sessions" in each.text] == [2]
    assert "There are 2 sessions." in shown.words
    world.clock.now += 2  # and the first one has idled out
    assert "There is 1 session." in (await admin.person()).page.words


async def test_the_person_is_told_who_did_what(world: World, admin: Admin) -> None:
    await admin.do("activation")
    [change] = await world.records.changes_to_means("jansen01", NOW - 1)
    assert (change.kind, change.what, change.by_user, change.mandate) == (
        "activation",
        "added",
        "admin01",
        admin.mandate,
    )


# --- when it does not go


async def test_a_mandate_that_ends_meanwhile(world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the page's check and the commit: the records check again."""
    mandates_of = type(world.records).mandates_of

    async def ends_after(records, user_id):  # type: ignore[no-untyped-def]
        found = await mandates_of(records, user_id)
        monkeypatch.undo()
        await records.end_mandate(admin.mandate, OFFICIAL, world.clock.now - 1)
        return found

    csrf = (await admin.browser.get(f"https://{PORTAL}/sign-out")).csrf
    monkeypatch.setattr(type(world.records), "mandates_of", ends_after)
    form = {"csrf": csrf, "user_id": "jansen01", "reason": "x"}
    answer = await admin.browser.post(f"{PAGE}/activation", form)
    assert (answer.status, answer.page.one("h1").text) == (404, "This page does not exist")
    assert await kinds(world) == ["password", "totp"]


async def test_when_too_many_sign_in_nothing_is_made(
    world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise Busy("full")

    monkeypatch.setattr(HashingPool, "run", busy)
    for act in ("code-card", "activation"):
        answer = await admin.do(act)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert await kinds(world) == ["password", "totp"]


async def test_without_its_line_nothing_is_made(world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.errors import LedgerError
    from gateway.ledger.journal import Stream

    async def full(*_: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(Stream, "write", full)
    for act in ("activation", "sessions"):
        answer = await admin.do(act)
        assert answer.status == (503 if act != "sessions" else 200)  # nobody was signed in, so there is nothing to end
        assert "big-code" not in answer.text
    assert await kinds(world) == ["password", "totp"]


async def test_who_administers_finds_the_way(world: World, admin: Admin) -> None:
    link = 'href="/administration"'
    assert link in (await admin.browser.get(f"https://{PORTAL}/applications")).text
    somebody = await signed_in(world, "jansen01", Means.PASSWORD)
    assert link not in (await somebody.get(f"https://{PORTAL}/applications")).text


async def test_after_an_act_the_language_is_switched_on_the_persons_page(world: World, admin: Admin) -> None:
    """An answer to a form cannot be asked for again: the switch leads to where the person is."""
    for act in ("activation", "sessions"):
        answer = await admin.do(act)
        [french] = [link for link in answer.page.all("a") if link.attributes.get("hreflang") == "fr"]
        page = await admin.browser.follow(await admin.browser.get(f"https://{PORTAL}{french.attributes['href']}"))
        assert page.status == 200
        assert page.page.one("h1").text == "An Jansen"
        assert "big-code" not in page.text
        admin.browser.jar[PORTAL].pop("__Host-gw-language", None)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_for_everybody(world: World, admin: Admin, language: Language) -> None:
    """WCAG as far as the text shows it, in each language, faults of forms included."""
    admin.browser.fields["Accept-Language"] = language
    weaker = await signed_in(world, "admin01", Means.PASSWORD)
    weaker.fields["Accept-Language"] = language
    pages = {
        "list": await admin.browser.get(PAGE),
        "nobody": await admin.browser.get(f"{PAGE}?search=nobody"),
        "person": await admin.person(),
        "own": await admin.person("admin01"),
        "no reason": await admin.do("activation", reason=""),
        "done": await admin.do("sessions"),
        "letter": await admin.do("activation"),
        "eID": await weaker.get(PAGE),
    }
    assert {name: found for name, answer in pages.items() if (found := faults(answer.page, language))} == {}
    assert pages["no reason"].page.by_id("errors").attributes["role"] == "alert"
