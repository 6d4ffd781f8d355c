"""My sign-in methods: what is registered, where one is signed in; changing the password and the app; and being told of it."""

from __future__ import annotations

import html
import re

import pytest

from gateway.credentials.password import hash_password
from gateway.credentials.totp import code_at, parse_secret, step_at
from gateway.errors import LedgerError
from gateway.model import Means
from gateway.portal.hashing import Busy, HashingPool
from gateway.records import By
from tests.portal.conftest import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OFFICIAL,
    PASSWORD,
    PORTAL,
    SESSION,
    TOTP_SECRET,
    Answer,
    Browser,
    World,
    token_hash,
)
from tests.portal.test_card import give_card

METHODS = f"https://{PORTAL}/methods"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1"
NEW = "negen trage wolken fluiten"


async def inside(world: World, user_id: str = "jansen01", code: str = "", agent: str = FIREFOX) -> Browser:
    browser = world.browser(**{"User-Agent": agent})
    answer = await browser.sign_in(user_id, code=code)
    if answer.location == "/regulation":
        await browser.accept(answer)
    return browser


def app_code(world: World) -> str:
    return code_at(TOTP_SECRET, step_at(world.clock.now))


async def means_of(world: World, browser: Browser, means: Means) -> None:
    """As if this browser's session had been raised by another means, now."""
    entry = world.records.index.session(token_hash(browser.jar[PORTAL][SESSION]), PORTAL)
    assert entry is not None
    now, token = world.clock.now, "B" * 43
    await world.records.renew_session(entry.session.id, means, now, PORTAL, token_hash(token), None, now)
    browser.jar[PORTAL][SESSION] = token


def hidden(page: Answer, name: str) -> str:
    (value,) = re.findall(rf'name="{name}" value="([^"]*)"', page.text)
    return html.unescape(value)


async def live(world: World, user_id: str = "jansen01") -> int:
    return sum(session.ended_at is None for session in await world.records.sessions_of(user_id))


# --- the page


async def test_the_page_shows_what_is_registered_and_when_it_was_used(world: World) -> None:
    browser = await inside(world, code=app_code(world))
    await give_card(world, "jansen01", NOW - 3 * DAY)
    browser = await inside(world, code=code_at(TOTP_SECRET, step_at(world.clock.now) + 1))
    page = await browser.get(METHODS)
    headings = [heading.text for heading in page.page.all("h3")]
    assert headings[:3] == ["Password", "Security code via mobile app", "Code card"]
    assert page.page.words.count("15 June 2026, 10:00") == 3  # the password, the app, this session
    assert "never" in page.page.words  # the card
    assert "Your card is not registered here" in page.page.words
    assert [a.attributes["href"] for a in page.page.all("a")].count("https://portal.localhost:8443/methods") == 0
    assert "/methods" in [a.attributes["href"] for a in page.page.all("a")]


async def test_sessions_are_named_and_ended_one_by_one_or_all(world: World) -> None:
    browser = await inside(world)
    world.clock.now += MINUTE
    phone, third = await inside(world, agent=PHONE), await inside(world, agent="Something else")
    page = await browser.get(METHODS)
    assert "Firefox, Windows" in page.page.words
    assert "Safari, iPhone" in page.page.words
    assert "a browser that does not say its name" in page.page.words
    ids = [value for value in re.findall(r'name="session" value="([^"]*)"', page.text) if value != "others"]
    assert len(ids) == 2
    assert await live(world) == 3
    (wanted,) = [
        session.id for session in await world.records.sessions_of("jansen01") if session.client == "Safari, iPhone"
    ]
    answer = await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": wanted})
    assert "That session has ended" in answer.page.words
    assert (await phone.get(METHODS)).challenge is not None
    assert (await third.get(METHODS)).challenge is None
    assert world.lines("sign-out")[-1]["cause"] == "ended_by_person"
    again = await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": wanted})
    assert "had ended already" in again.page.words
    answer = await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": "others"})
    assert "1 other session has ended." in answer.page.words
    assert "You are signed in nowhere else" in answer.page.words
    assert await live(world) == 1
    assert (await third.get(METHODS)).challenge is not None
    none = await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": "others"})
    assert "You were signed in nowhere else." in none.page.words


async def test_nobody_ends_somebody_elses_session_or_without_the_form(world: World) -> None:
    await inside(world, "dupont01")
    browser = await inside(world)
    page = await browser.get(METHODS)
    (theirs,) = await world.records.sessions_of("dupont01")
    await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": theirs.id})
    await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": "others"})
    assert await live(world, "dupont01") == 1
    await inside(world)
    refused = await browser.post(f"{METHODS}/sessions", {"csrf": "0" * 64, "session": "others"})
    assert refused.status == 403
    assert await live(world) == 2


async def test_a_session_that_idled_out_is_not_listed(world: World) -> None:
    await inside(world, agent=PHONE)
    world.clock.now += 31 * MINUTE
    browser = await inside(world)
    assert "Safari, iPhone" not in (await browser.get(METHODS)).page.words


async def test_without_its_line_no_session_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await inside(world, agent=PHONE)
    browser = await inside(world)
    page = await browser.get(METHODS)

    async def fail(record: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(world.ledger.admin, "write", fail)
    answer = await browser.post(f"{METHODS}/sessions", {"csrf": page.csrf, "session": "others"})
    assert answer.status == 503
    assert await live(world) == 2


# --- the password


async def changed(browser: Browser, old: str, new: str, again: str | None = None) -> Answer:
    page = await browser.get(f"{METHODS}/password")
    fields = {"password": old, "new_password": new, "new_password_again": new if again is None else again}
    return await browser.post(f"{METHODS}/password", {"csrf": page.csrf, **fields})


async def test_a_new_password_ends_the_other_sessions_and_says_how_many(world: World) -> None:
    browser, phone = await inside(world, "dupont01"), await inside(world, "dupont01", agent=PHONE)
    await inside(world, "dupont01", agent=PHONE)
    answer = await changed(browser, PASSWORD, NEW)
    assert (answer.status, answer.page.one("h1").text) == (200, "Your password has been changed")
    assert "2 other sessions have ended." in answer.page.words
    assert (await browser.get(METHODS)).challenge is None
    assert (await phone.get(METHODS)).challenge is not None
    (line,) = [line for line in world.lines("administration") if line["act"] == "credential add"]
    assert (line["actor"], line["by"]) == ("portal", line["person"])
    assert b"fluiten" not in world.ledger_bytes()
    assert (await world.browser().sign_in("dupont01")).status == 403
    assert (await world.browser().sign_in("dupont01", NEW)).status == 303


@pytest.mark.parametrize(
    ("user_id", "new", "field", "told"),
    [
        ("dupont01", "kort", "new_password", "at least 15 characters"),
        ("jansen01", "kort", "new_password", "at least 8 characters"),
        ("dupont01", "x" * 129, "new_password", "at most 128"),
        ("dupont01", "tab\tin het wachtwoord", "new_password", "cannot be typed everywhere"),
        ("dupont01", "aaaaaaaaaaaaaaaaaa", "new_password", "too easy to guess"),
        ("dupont01", "marcdupontmarcdupont", "new_password", "too easy to guess"),
        ("dupont01", PASSWORD, "new_password", "the password that you have now"),
        ("dupont01", NEW, "new_password_again", "not the same"),
    ],
)
async def test_each_rule_is_told_at_the_field(world: World, user_id: str, new: str, field: str, told: str) -> None:
    browser = await inside(world, user_id)
    answer = await changed(browser, PASSWORD, new, "something else" if field.endswith("again") else None)
    assert answer.status == 422
    assert told in answer.page.by_id(f"{field}-error").text
    assert new not in answer.text


async def test_the_old_password_is_asked_for_and_wrong_ones_count(world: World) -> None:
    browser = await inside(world)
    empty = await changed(browser, "", NEW)
    assert "Fill in your password." in empty.page.by_id("password-error").text
    for _ in range(3):
        wrong = await changed(browser, "wrong", NEW)
    assert wrong.status == 403
    assert "Your present password is not right." in wrong.page.words
    assert "You can try again at" in wrong.page.words
    assert world.lines("sign-in")[-1]["reason"] == "password_wrong"
    assert (await changed(browser, PASSWORD, NEW)).status == 403  # during the wait
    world.clock.now += 6
    assert (await changed(browser, PASSWORD, NEW)).status == 200


async def test_a_form_of_another_session_or_a_rush_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await inside(world)
    fields = {"csrf": "0" * 64, "password": PASSWORD, "new_password": NEW, "new_password_again": NEW}
    assert (await browser.post(f"{METHODS}/password", fields)).status == 403

    def full(self: HashingPool, network: str) -> None:
        raise Busy("full")

    with monkeypatch.context() as patched:
        patched.setattr(HashingPool, "take_place", full)
        assert (await changed(browser, PASSWORD, NEW)).status == 503
    assert (await world.browser().sign_in()).status == 303


async def test_after_a_stronger_means_the_old_password_is_not_needed_for_a_while(world: World) -> None:
    browser = await inside(world)
    await means_of(world, browser, Means.EID)
    page = await browser.get(f"{METHODS}/password")
    assert "password" not in [field.attributes["name"] for field in page.page.all("input")]
    answer = await changed(browser, "", NEW)
    assert answer.page.one("h1").text == "Your password has been changed"
    world.clock.now += 16 * MINUTE
    page = await browser.get(f"{METHODS}/password")
    assert "password" in [field.attributes["name"] for field in page.page.all("input")]


async def test_a_token_does_not_replace_the_old_password(world: World) -> None:
    """It rests on the password itself."""
    browser = await inside(world, code=app_code(world))
    page = await browser.get(f"{METHODS}/password")
    assert "password" in [field.attributes["name"] for field in page.page.all("input")]


async def test_what_is_forgotten_or_lost_has_a_page_for_everybody(world: World) -> None:
    for browser in (world.browser(), await inside(world)):
        page = await browser.get(f"https://{PORTAL}/forgotten")
        assert "the local administrator of your institution" in page.page.words
        assert "Nothing is ever sent by e-mail" in page.page.words


# --- the app


async def test_an_app_is_added_by_a_code_of_it_after_a_token(world: World) -> None:
    browser, phone = await inside(world, code=app_code(world)), await inside(world, agent=PHONE)
    page = await browser.get(f"{METHODS}/app")
    assert page.status == 200
    secret = parse_secret(page.page.elements[_reference(page)].text)
    svg = page.page.all("svg")[-1].attributes
    assert (svg["aria-hidden"], "style" in svg) == ("true", False)
    assert "style=" not in page.text
    world.clock.now += MINUTE
    given = code_at(secret, step_at(world.clock.now))
    answer = await browser.post(f"{METHODS}/app", {"csrf": page.csrf, "key": hidden(page, "key"), "code": given})
    assert answer.page.one("h1").text == "Your app has been added"
    assert "1 other session has ended." in answer.page.words
    assert (await phone.get(METHODS)).challenge is not None
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert login.totp_secret == secret
    assert secret not in world.ledger_bytes()
    assert (await world.browser().sign_in(code=given)).status == 403  # used already
    world.clock.now += MINUTE
    assert (await world.browser().sign_in(code=app_code(world))).status == 403  # the old app
    fresh = code_at(secret, step_at(world.clock.now))
    world.clock.now += MINUTE
    assert (await world.browser().sign_in(code=code_at(secret, step_at(world.clock.now)))).status == 303, fresh


def _reference(page: Answer) -> int:
    (index,) = [i for i, e in enumerate(page.page.elements) if e.attributes.get("class") == "reference"]
    return index


async def test_a_wrong_code_keeps_the_same_secret_and_nothing_counts_before(world: World) -> None:
    browser = await inside(world, code=app_code(world))
    page = await browser.get(f"{METHODS}/app")
    for given, told in (
        ("", "Fill in the code"),
        ("12ab", "six digits"),
        ("000000", "not the code that this app shows"),
    ):
        wrong = await browser.post(f"{METHODS}/app", {"csrf": page.csrf, "key": hidden(page, "key"), "code": given})
        assert wrong.status == 422
        assert told in wrong.page.by_id("code-error").text
        assert wrong.page.elements[_reference(wrong)].text == page.page.elements[_reference(page)].text
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert login.totp_secret == TOTP_SECRET


async def test_who_clicks_twice_is_not_told_that_nothing_was_done(world: World) -> None:
    browser = await inside(world, code=app_code(world))
    page = await browser.get(f"{METHODS}/app")
    secret = parse_secret(page.page.elements[_reference(page)].text)
    given = {"csrf": page.csrf, "key": hidden(page, "key"), "code": code_at(secret, step_at(world.clock.now))}
    first, second = [await browser.post(f"{METHODS}/app", given) for _ in range(2)]
    assert (first.status, second.status) == (200, 410)
    assert "Nothing was changed" not in second.page.words
    assert "may have been added already" in second.page.words
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert login.totp_secret == secret


async def test_with_the_password_alone_nobody_adds_or_removes_an_app(world: World) -> None:
    browser = await inside(world, "dupont01")
    page = await browser.follow(await browser.get(f"{METHODS}/app"))
    assert page.url == f"https://{PORTAL}/step-up?page=/methods/app"
    assert "You have no means that is strong enough for this" in page.page.words
    key, csrf = "A" * 43, (await browser.get(f"{METHODS}/password")).csrf
    assert (await browser.post(f"{METHODS}/app", {"csrf": csrf, "key": key, "code": "123456"})).status == 403
    other = await inside(world)  # has an app, but signed in by the password
    page = await other.follow(await other.get(f"{METHODS}/app"))
    assert "at least as strong" in page.page.words
    removing = await other.post(f"{METHODS}/app/remove", {"csrf": (await other.get(METHODS)).csrf})
    assert removing.location == "/step-up?page=/methods/app"
    given = {"csrf": page.csrf, "page": "/methods/app", "password": PASSWORD, "code": app_code(world)}
    stepped = await other.post(f"https://{PORTAL}/step-up", given)
    assert stepped.location == "/methods/app"
    assert (await other.follow(stepped)).page.one("h1").text == "Add a security code app"


async def test_a_token_of_long_ago_is_asked_again(world: World) -> None:
    browser = await inside(world, code=app_code(world))
    world.clock.now += 16 * MINUTE
    page = await browser.follow(await browser.get(f"{METHODS}/app"))
    assert page.url == f"https://{PORTAL}/step-up?page=/methods/app"
    shown = await browser.get(f"https://{PORTAL}/step-up?page=/elsewhere")
    assert shown.location == "/applications"


async def test_an_app_is_removed_where_the_password_may_stand_alone(world: World) -> None:
    browser = await inside(world, code=app_code(world))
    page = await browser.get(METHODS)
    assert (await browser.post(f"{METHODS}/app/remove", {"csrf": "0" * 64})).status == 403
    answer = await browser.post(f"{METHODS}/app/remove", {"csrf": page.csrf})
    assert answer.page.one("h1").text == "Your app has been removed"
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert not login.has_totp
    assert (await browser.post(f"{METHODS}/app/remove", {"csrf": page.csrf})).location == "/methods"


async def test_a_short_password_keeps_its_app(world: World) -> None:
    stored = hash_password("kort maar", b"1" * 16)
    await world.records.set_password("jansen01", stored, OFFICIAL, NOW - DAY, alone=False)
    browser = world.browser()
    await browser.accept(await browser.sign_in(password="kort maar", code=app_code(world)))
    answer = await browser.post(f"{METHODS}/app/remove", {"csrf": (await browser.get(METHODS)).csrf})
    assert answer.status == 409
    assert "too short to be used alone" in answer.page.words


# --- being told


async def test_who_begins_is_told_nothing_and_what_is_changed_later_is_told_until_it_was_read(world: World) -> None:
    await inside(world)
    world.clock.now += HOUR
    await world.records.set_totp("jansen01", TOTP_SECRET, OFFICIAL, world.clock.now)
    world.clock.now += MINUTE
    browser = world.browser()
    start = browser.challenged("dossier.localhost", "/dossier/list")
    answer = await browser.sign_in(start=start)
    assert answer.location == f"/changes?start={start}"
    page = await browser.follow(answer)
    assert "Security code via mobile app – replaced by a new one" in page.page.words
    assert "on 15 June 2026 at 11:00, by the operator of this service" in page.page.words
    again = world.browser()
    assert (await again.sign_in()).location == "/changes"  # shown until it was read
    fields = {"csrf": page.csrf, "start": hidden(page, "start"), "until": hidden(page, "until")}
    old = await browser.post(f"https://{PORTAL}/changes", fields | {"csrf": "0" * 64})
    assert (
        old.location == f"/changes?start={start}"
    )  # of before a step-up, say: shown again, and the way back goes along
    other = await browser.post(f"https://{PORTAL}/changes", fields | {"csrf": "0" * 64, "start": "x" * 9000})
    assert other.location == "/changes"
    done = await browser.post(f"https://{PORTAL}/changes", fields)
    assert (await browser.follow(done)).url == "https://dossier.localhost/dossier/list"
    assert (await world.browser().sign_in()).location == "/applications"
    assert (await browser.get(f"https://{PORTAL}/changes")).location == "/applications"


async def test_ones_own_change_is_told_as_ones_own_and_a_later_one_is_not_read_with_it(world: World) -> None:
    browser = await inside(world, "dupont01")
    world.clock.now += MINUTE
    await changed(browser, PASSWORD, NEW)
    world.clock.now += MINUTE
    browser = world.browser()
    page = await browser.follow(await browser.sign_in("dupont01", NEW))
    assert "Password – replaced by a new one" in page.page.words
    assert "by yourself" in page.page.words
    world.clock.now += MINUTE
    by = By("user:jansen01", "test", act=OFFICIAL.act)
    login = await world.records.find_login("dupont01")
    assert login is not None
    assert login.password_hash is not None
    await world.records.set_activation("dupont01", login.password_hash, by, world.clock.now)
    await browser.post(f"https://{PORTAL}/changes", {"csrf": page.csrf, "until": hidden(page, "until")})
    later = await browser.get(f"https://{PORTAL}/changes")
    assert "Activation code – added" in later.page.words
    assert "by An Jansen, for your institution" in later.page.words
    assert "by yourself" not in later.page.words


@pytest.mark.parametrize("until", ["", "x", "nan", "inf", "-1"])
async def test_a_strange_moment_reads_nothing(world: World, until: str) -> None:
    await inside(world)
    world.clock.now += MINUTE
    await world.records.set_totp("jansen01", TOTP_SECRET, OFFICIAL, world.clock.now)
    world.clock.now += MINUTE
    browser = world.browser()
    page = await browser.follow(await browser.sign_in())
    await browser.post(f"https://{PORTAL}/changes", {"csrf": page.csrf, "until": until})
    await browser.post(f"https://{PORTAL}/changes", {"csrf": "0" * 64, "until": hidden(page, "until")})
    assert len(await world.records.untold_changes("jansen01")) == 1


async def test_a_session_that_was_ended_for_a_doubt_is_told(world: World) -> None:
    browser = await inside(world)
    (session,) = await world.records.sessions_of("jansen01")
    for _ in range(3):
        await world.records.not_confirmed(session.id, world.clock.now + 1)
    world.clock.now += MINUTE
    browser = world.browser()
    page = await browser.follow(await browser.sign_in())
    assert page.page.one("h1").text == "A session of yours was ended"
    assert "(Firefox, Windows): ended" in page.page.words
    await browser.post(f"https://{PORTAL}/changes", {"csrf": page.csrf, "until": hidden(page, "until")})
    assert (await world.browser().sign_in()).location == "/applications"
