"""The page of a form that was kept: looked at as often as one likes, sent once, by its own person, browser and host."""

from __future__ import annotations

import asyncio
import os

import pytest

from gateway.credentials.tokens import make_token, token_hash
from gateway.errors import RecordsError
from gateway.model import Means
from gateway.records import KeptForm
from tests.portal.conftest import DOSSIER, HOUR, NOW, PENSION, PORTAL, SESSION, Browser, World

KEPT = "__Host-gw-kept"
TARGET = "/dossier/dossiers/93051822361?tab=2&x=%C3%A9"
BODY = b"note=words+of+mine&%3Cscript%3E=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E&note=twice&password=hush&empty="
FIELDS = (("note", "words of mine"), ("<script>", '"><script>alert(1)</script>'), ("note", "twice"), ("password", "hush"), ("empty", ""))  # fmt: skip


async def inside(world: World, host: str = DOSSIER, user_id: str = "jansen01") -> Browser:
    """Signed in, with a session on that host."""
    browser = world.browser()
    answer = await browser.sign_in(user_id, start=browser.challenged(host, "/"))
    answer = await browser.accept(answer) if "/regulation" in answer.location else answer
    await browser.follow(answer)
    assert SESSION in browser.jar[host]
    return browser


async def kept(world: World, browser: Browser, user_id: str = "jansen01", host: str = DOSSIER) -> str:
    """The address of a form that this browser had sent."""
    key, cookie = make_token(os.urandom(32)), make_token(os.urandom(32))
    form = KeptForm(user_id, host, TARGET, "application/x-www-form-urlencoded", BODY, world.clock.now + 900)
    assert await world.records.keep_form(token_hash(key), token_hash(cookie), form)
    browser.jar[host][KEPT] = cookie
    return f"https://{host}/.gateway/form?key={key}"


async def test_it_is_shown_as_text_and_sent_once(world: World) -> None:
    browser = await inside(world)
    address = await kept(world, browser)
    for method in ("HEAD", "GET", "GET"):  # looking uses nothing up
        page = await browser.send(method, address)
        assert page.status == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "strict-origin"
    hidden = [each.attributes for each in page.page.all("input") if each.attributes["name"] != "csrf"]
    assert tuple((each["name"], each["value"]) for each in hidden) == FIELDS
    assert not page.page.all("script")
    assert "words of mine" in page.page.words
    assert "hush" not in page.page.words
    allowed = page.headers["Content-Security-Policy"].partition("form-action ")[2].partition(";")[0]
    assert allowed.split() == ["'self'", f"https://{PORTAL}:8443", f"https://{PENSION}:8443"]

    answers = await asyncio.gather(*(browser.post(address, {"note": "whatever it says"}) for _ in range(5)))
    assert sorted(each.status for each in answers) == [307, 410, 410, 410, 410]
    (sent,) = [each for each in answers if each.status == 307]
    assert sent.location == f"https://{DOSSIER}:8443{TARGET}"
    assert sent.headers["Cache-Control"] == "no-store"
    assert (await browser.get(address)).status == 410
    assert b"words of mine" not in world.ledger_bytes()
    assert b"words+of+mine" not in world.ledger_bytes()


@pytest.mark.parametrize("act", ["GET", "POST"])
async def test_another_user_id_drops_it_and_sees_nothing(world: World, act: str) -> None:
    browser = await inside(world)
    address = await kept(world, browser)
    other = await inside(world, user_id="dupont01")
    other.jar[DOSSIER][KEPT] = browser.jar[DOSSIER][KEPT]  # the same browser, after a switch
    answer = await other.send(act, address)
    assert (answer.status, "mine" in answer.text, "Dossiers" in answer.text) == (403, False, False)
    assert (await browser.get(address)).status == 410


@pytest.mark.parametrize("where", ["another browser", "another host", "no cookie"])
async def test_elsewhere_it_is_not_there(world: World, where: str) -> None:
    browser = await inside(world)
    address = await kept(world, browser)
    other = await inside(world, PENSION if "host" in where else DOSSIER)
    if where == "another browser":
        await kept(world, other)
    elif where == "another host":
        other.jar[PENSION][KEPT] = browser.jar[DOSSIER][KEPT]
    there = address.replace(DOSSIER, PENSION) if "host" in where else address
    assert (await other.get(there)).status == 410
    assert (await browser.get(address)).status == 200
    assert (await other.post(there, {})).status == 410
    # Whoever has the key beside a cookie of ours has used it up.
    assert (await browser.get(address)).status == (200 if where == "no cookie" else 410)


async def test_after_a_step_up_it_is_sent_or_discarded_from_the_page_of_before(world: World) -> None:
    """The session has another id then, which the form that discards is tied to. What is kept must not be called gone."""
    browser = await inside(world)
    sent = await kept(world, browser)
    page = await browser.get(sent)
    (session,) = await world.records.sessions_of("jansen01")
    cookie = make_token(os.urandom(32))
    await world.records.renew_session(session.id, Means.TOKEN, NOW, DOSSIER, token_hash(cookie), None, NOW)
    browser.jar[DOSSIER][SESSION] = cookie
    discarded = sent.replace("/form?", "/form/discard?")
    again = await browser.post(discarded, {"csrf": page.csrf})
    assert (again.status, again.location) == (303, sent.removeprefix(f"https://{DOSSIER}"))
    page = await browser.follow(again)
    assert page.status == 200
    assert (await browser.post(discarded, {"csrf": page.csrf})).status == 200
    assert (await browser.get(sent)).status == 410


async def test_what_is_not_there_any_more_is_said_where_it_is_discarded(world: World) -> None:
    browser = await inside(world)
    address = await kept(world, browser)
    world.clock.now += 901
    assert (await browser.get(address)).status == 410
    assert (await browser.post(address, {})).status == 410
    world.clock.now += 2 * HOUR
    assert (await browser.get(address)).challenge is not None


async def test_when_the_records_do_not_answer_it_can_be_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an address that still says which form, and where the person was going."""
    browser = await inside(world)
    address = await kept(world, browser)

    async def failing(*_: object) -> None:
        raise RecordsError("disk full")

    for name in ("kept_form", "find_login"):
        monkeypatch.setattr(world.records, name, failing)
    start = browser.challenged(PENSION, "/pension/", "means_too_weak")
    for asked in (address, f"https://{PORTAL}/step-up?start={start}"):
        page = await browser.get(asked)
        (link,) = [each for each in page.page.all("a") if each.text == "Try again"]
        assert (page.status, f"https://{asked.split('/')[2]}{link.attributes['href']}") == (503, asked)
    monkeypatch.undo()
    assert (await browser.get(address)).status == 200
