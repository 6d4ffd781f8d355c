from __future__ import annotations

import pytest

from tests.portal.conftest import DOSSIER, PORTAL, SESSION, Browser, World
from tests.portal.test_hand_over import handed_over

PAGES = {PORTAL: f"https://{PORTAL}/sign-out", DOSSIER: f"https://{DOSSIER}/.gateway/sign-out"}


async def inside(world: World) -> Browser:
    browser = world.browser()
    await browser.get((await handed_over(browser)).location)
    return browser


@pytest.mark.parametrize("host", PAGES)
async def test_signing_out_ends_the_session_everywhere(world: World, host: str) -> None:
    browser = await inside(world)
    form = await browser.get(PAGES[host])
    assert form.page.one("form").attributes["action"] == PAGES[host].removeprefix(f"https://{host}")
    answer = await browser.post(PAGES[host], {"csrf": form.csrf})
    assert (answer.status, answer.headers["Clear-Site-Data"]) == (303, '"cache", "storage"')
    assert SESSION not in browser.jar[host]
    (session,) = await world.records.sessions_of("jansen01")
    assert (session.ended_reason, session.ended_at) == ("signed out", world.clock.now)
    (line,) = world.lines("sign-out")
    assert (line["cause"], line["session"]) == ("signed_out", session.id)
    assert (await browser.follow(answer)).page.one("h1").text == "You are signed out"
    refused = await browser.get(f"https://{PORTAL}/applications")
    assert refused.challenge is not None
    other = await browser.get(f"https://{DOSSIER}/dossier/")
    assert other.challenge is not None
    assert other.challenge.reason.code in ("session_revoked", "sign_in_required")


async def test_looking_at_the_page_ends_nothing(world: World) -> None:
    browser = await inside(world)
    await browser.get(PAGES[PORTAL])
    assert (await browser.get(f"https://{PORTAL}/applications")).status == 200


async def test_a_form_without_its_token_ends_nothing_and_says_so(world: World) -> None:
    browser = await inside(world)
    answer = await browser.post(PAGES[PORTAL], {"csrf": "0" * 64})
    assert answer.status == 403
    assert "You are still signed in" in answer.page.words
    assert (await browser.get(f"https://{PORTAL}/applications")).status == 200


async def test_who_is_not_signed_in_is_told_so(world: World) -> None:
    for url in PAGES.values():
        assert (await world.browser().get(url)).page.one("h1").text == "You are signed out"
    browser = world.browser()
    assert (await browser.post(PAGES[PORTAL], {})).page.one("h1").text == "You are signed out"
