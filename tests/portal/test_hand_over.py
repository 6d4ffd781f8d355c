"""From the portal to a transaction host: the code, the cookie it belongs to, and another person at the same browser."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway.decision import ClientEvidence
from tests.portal.conftest import DOSSIER, PENSION, PORTAL, SESSION, Answer, Browser, World


async def handed_over(
    browser: Browser, host: str = DOSSIER, target: str = "/dossier/", user_id: str = "jansen01"
) -> Answer:
    """Signs in from a challenge; gives the answer that holds the code."""
    start = browser.challenged(host, target)
    answer = await browser.sign_in(user_id, start=start)
    return await browser.accept(answer) if "/regulation" in answer.location else answer


async def test_the_code_opens_the_host_and_leads_to_the_target(world: World) -> None:
    browser = world.browser()
    answer = await handed_over(browser, target="/dossier/list?x=1&y=%2F")
    assert answer.location.startswith(f"https://{DOSSIER}:8443/.gateway/enter?code=")
    for one_time in (answer, entered := await browser.get(answer.location)):
        assert one_time.headers["Cache-Control"] == "no-store"
        assert one_time.headers["Referrer-Policy"] == "no-referrer"
    assert (entered.status, entered.location) == (303, "/dossier/list?x=1&y=%2F")
    assert SESSION in browser.jar[DOSSIER]
    assert "__Host-gw-start" not in browser.jar[DOSSIER]
    assert browser.jar[DOSSIER][SESSION] != browser.jar[PORTAL][SESSION]
    assert "Clear-Site-Data" not in entered.headers


@pytest.mark.parametrize(
    "change", ["used", "other host", "other browser", "no cookie", "late", "wrong", "empty", "session ended"]
)
async def test_a_code_is_good_once_here_in_this_browser_for_a_minute(world: World, change: str) -> None:
    browser = world.browser()
    answer = await handed_over(browser)
    url = answer.location
    if change == "used":
        start = browser.jar[DOSSIER]["__Host-gw-start"]
        await browser.get(url)
        browser.jar[DOSSIER] = {"__Host-gw-start": start}
    elif change == "other host":
        browser.jar[PENSION] = dict(browser.jar[DOSSIER])
        url = url.replace(DOSSIER, PENSION)
    elif change == "other browser":
        browser.jar[DOSSIER]["__Host-gw-start"] = "f" * 64
    elif change == "no cookie":
        del browser.jar[DOSSIER]["__Host-gw-start"]
    elif change == "late":
        world.clock.now += 61
    elif change == "wrong":
        url = re.sub(r"code=.....", "code=AAAAA", url)
    elif change == "empty":
        url = f"https://{DOSSIER}/.gateway/enter"
    else:
        (session,) = await world.records.sessions_of("jansen01")
        await world.records.end_session(session.id, "test", "test")
    entered = await browser.get(url)
    assert entered.status == 403
    assert not any(cookie.startswith(SESSION) for cookie in entered.cookies)
    assert f'href="https://{PORTAL}:8443/applications"' in entered.text
    assert "has been used, or is too old" in entered.page.words


@pytest.mark.parametrize("shown", ["no start cookie", "another start cookie"])
async def test_a_code_that_was_shown_in_the_wrong_browser_is_used_up(world: World, shown: str) -> None:
    """A stranger's start token, opened by somebody who is signed in: the code must not wait for the stranger, who has the cookie."""
    browser = world.browser()
    answer = await handed_over(browser)
    stranger = browser.jar[DOSSIER].pop("__Host-gw-start")
    if shown == "another start cookie":
        browser.jar[DOSSIER]["__Host-gw-start"] = "f" * 64
    assert (await browser.get(answer.location)).status == 403
    thief = world.browser()
    thief.jar[DOSSIER] = {"__Host-gw-start": stranger}
    assert (await thief.get(answer.location)).status == 403
    assert SESSION not in thief.jar[DOSSIER]


async def test_who_is_signed_in_reaches_a_second_host_without_a_form(world: World) -> None:
    browser = world.browser()
    await browser.get((await handed_over(browser)).location)
    start = browser.challenged(PENSION, "/pension/")
    answer = await browser.get(f"https://{PORTAL}/sign-in?start={start}")
    assert answer.location.startswith(f"https://{PENSION}:8443/.gateway/enter?code=")
    assert (await browser.get(answer.location)).location == "/pension/"


async def test_every_tab_that_was_asked_to_sign_in_comes_to_its_page(world: World) -> None:
    """A browser that opens its tabs again, say: one of them signs in, and the others only go on."""
    browser = world.browser()
    first, *others = [browser.challenged(DOSSIER, f"/dossier/{tab}") for tab in range(3)]
    answer = await browser.accept(await browser.sign_in(start=first))
    entered = await browser.get(answer.location)
    assert (entered.status, entered.location) == (303, "/dossier/0")
    cookie = browser.jar[DOSSIER][SESSION]
    for tab, start in enumerate(others, 1):
        answer = await browser.get(f"https://{PORTAL}/sign-in?start={start}")
        entered = await browser.get(answer.location)
        assert (entered.status, entered.location) == (303, f"/dossier/{tab}")
        assert not any(each.startswith(SESSION) for each in entered.cookies)
        assert browser.jar[DOSSIER][SESSION] == cookie
        assert (await browser.get(answer.location)).status == 403  # the code was good once all the same


@pytest.mark.parametrize("whose", ["of the same user ID", "of another user ID", "that came from another client"])
async def test_a_code_goes_with_no_other_session(world: World, whose: str) -> None:
    """Without the start cookie a code is for the browser that has its very session there, and so gives it nothing."""
    browser, other = world.browser(), world.browser()
    answer = await handed_over(browser)
    if whose == "that came from another client":
        await browser.get(answer.location)
        answer = await browser.get(f"https://{PORTAL}/sign-in?start={browser.challenged(DOSSIER, '/dossier/')}")
        other.jar[DOSSIER] = {SESSION: browser.jar[DOSSIER][SESSION]}
    else:
        await other.get((await handed_over(other, user_id="jansen01" if "same" in whose else "dupont01")).location)
    had = other.jar[DOSSIER][SESSION]
    moved = ClientEvidence(moved=True, since=world.clock.now) if "client" in whose else None
    entered = await other.send("GET", answer.location, facts=lambda facts: replace(facts, evidence=moved))
    assert entered.status == 403
    assert other.jar[DOSSIER][SESSION] == had
    assert (await browser.get(answer.location)).status == 403


async def test_another_user_id_finds_nothing_of_the_one_before(world: World) -> None:
    browser = world.browser()
    await browser.get((await handed_over(browser)).location)
    form = await browser.get(f"https://{PORTAL}/sign-out")
    await browser.post(f"https://{PORTAL}/sign-out", {"csrf": form.csrf})
    browser.jar[DOSSIER]["basket"] = "secret of the first"
    browser.jar[DOSSIER]["__Secure-gw-abc-dossier-sid"] = "x"
    browser.jar[DOSSIER][SESSION] = "A" * 43
    notes = {
        "a": "/my%20app:sid",
        "b": "/x%0D%0AA%3A%20b:sid",
        "c": "/x%3B%20Domain%3Dlocalhost:sid",
        "d": "x:sid",
        "e": "",
    }
    browser.jar[DOSSIER] |= {f"__Host-gw-path-{key}": note for key, note in notes.items()}
    answer = await handed_over(browser, user_id="dupont01")
    page = await browser.get(answer.location)
    assert page.status == 200
    expired = [each for each in page.cookies if not each.startswith("__Host-")]
    assert expired == [
        "__Secure-gw-abc-dossier-sid=; Path=/; Max-Age=0; Secure",
        "basket=; Path=/; Max-Age=0; Secure",
        "sid=; Path=/my app; Max-Age=0; Secure",
    ]
    assert page.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "another user ID" in page.page.words
    assert "Close the other tabs" in page.page.words
    assert SESSION not in browser.jar[DOSSIER]
    assert set(browser.jar[DOSSIER]) <= {"__Host-gw-last", "__Host-gw-language"}
    (link,) = [a for a in page.page.all("a") if a.text == "Go on"]
    assert link.attributes["href"] == "/dossier/"
    # the way on: challenged anew, handed over anew, and this time in
    start = browser.challenged(DOSSIER, "/dossier/")
    answer = await browser.get(f"https://{PORTAL}/sign-in?start={start}")
    entered = await browser.get(answer.location)
    assert (entered.status, entered.location) == (303, "/dossier/")
    assert "Clear-Site-Data" not in entered.headers


async def test_the_same_user_id_is_never_interrupted(world: World) -> None:
    browser = world.browser()
    for _ in range(2):
        entered = await browser.get((await handed_over(browser)).location)
        assert entered.status == 303
        form = await browser.get(f"https://{PORTAL}/sign-out")
        await browser.post(f"https://{PORTAL}/sign-out", {"csrf": form.csrf})


async def test_the_language_goes_along(world: World) -> None:
    browser = world.browser(**{"Accept-Language": "de"})
    answer = await handed_over(browser)
    await browser.get(answer.location)
    assert browser.jar[DOSSIER]["__Host-gw-language"] == "de"


async def test_a_start_for_a_host_that_is_not_ours_leads_nowhere(world: World) -> None:
    browser = world.browser()
    for host in ("evil.example", PORTAL):
        start = browser.challenged(host, "/x")
        assert "too old" in (await browser.open_form(start)).page.words


async def test_a_target_that_names_another_host_becomes_the_front_page(world: World) -> None:
    browser = world.browser()
    answer = await handed_over(browser, target="//evil.example/x")
    assert (await browser.get(answer.location)).location == "/"


async def test_a_head_does_not_use_up_the_code(world: World) -> None:
    browser = world.browser()
    answer = await handed_over(browser)
    assert (await browser.send("HEAD", answer.location)).status == 404
    assert (await browser.get(answer.location)).status == 303
