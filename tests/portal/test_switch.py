"""Another user ID in the same browser: what was under way with the one before comes to nothing, and touches neither."""

from __future__ import annotations

import pytest

from gateway.credentials.totp import code_at, step_at
from tests.portal.conftest import DOSSIER, NOW, PASSWORD, PENSION, PORTAL, SESSION, TOTP_SECRET, Answer, Browser, World

FIRST, SECOND = "jansen01", "dupont01"


async def inside(browser: Browser, user_id: str, host: str = DOSSIER) -> Answer:
    """Signed in, with the code for that host not yet used."""
    answer = await browser.sign_in(user_id, start=browser.challenged(host, "/"))
    return await browser.accept(answer) if "/regulation" in answer.location else answer


async def switched(browser: Browser) -> None:
    """In another tab: out, and in again as the other one."""
    form = await browser.get(f"https://{PORTAL}/sign-out")
    await browser.follow(await browser.post(f"https://{PORTAL}/sign-out", {"csrf": form.csrf}))
    await browser.accept(await browser.sign_in(SECOND))


async def counted(world: World, user_id: str) -> int:
    login = await world.records.find_login(user_id)
    assert login is not None
    return (await world.records.lockout(login)).failures


async def test_a_step_up_of_the_one_before_is_not_checked_against_either(world: World) -> None:
    browser = world.browser()
    await browser.follow(await inside(browser, FIRST))
    start = browser.challenged(PENSION, "/pension/", "means_too_weak")
    form = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    await switched(browser)
    session = browser.jar[PORTAL][SESSION]
    before = len(world.lines("sign-in"))
    for password in (PASSWORD, "wrong"):
        fields = {"csrf": form.csrf, "start": start, "password": password, "code": code_at(TOTP_SECRET, step_at(NOW))}
        answer = await browser.post(f"https://{PORTAL}/step-up", fields)
        assert answer.status in (303, 403)
        assert browser.jar[PORTAL][SESSION] == session
    assert len(world.lines("sign-in")) == before
    assert [await counted(world, user_id) for user_id in (FIRST, SECOND)] == [0, 0]
    (theirs,) = await world.records.live_sessions(NOW)
    assert (theirs.user_id, theirs.means.value) == (SECOND, "password")


async def test_a_code_of_the_one_before_opens_nothing(world: World) -> None:
    browser = world.browser()
    answer = await inside(browser, FIRST)
    await switched(browser)
    browser.challenged(DOSSIER, "/")
    assert (await browser.get(answer.location)).status == 403
    assert SESSION not in browser.jar[DOSSIER]


@pytest.mark.parametrize("path", ["/sign-out", "/methods/sessions", "/regulation", "/changes", "/methods/app/remove"])
async def test_a_page_of_the_one_before_changes_nothing(world: World, path: str) -> None:
    browser = world.browser()
    await browser.follow(await inside(browser, FIRST))
    form = await browser.get(f"https://{PORTAL}/sign-out")
    elsewhere = world.browser()
    await elsewhere.sign_in(SECOND)
    await switched(browser)
    live = {session.id for session in await world.records.live_sessions(NOW)}
    lines = len(world.lines("administration")) + len(world.lines("sign-out"))
    answer = await browser.post(
        f"https://{PORTAL}{path}", {"csrf": form.csrf, "session": "others", "password": PASSWORD}
    )
    assert answer.status in (303, 403)
    assert {session.id for session in await world.records.live_sessions(NOW)} == live
    assert len(world.lines("administration")) + len(world.lines("sign-out")) == lines
