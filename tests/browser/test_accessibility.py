"""Every page of ours, WCAG 2.2 AA: in light and dark, four languages, narrow, enlarged, by keyboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from gateway.demo.files import LOOPBACK, Ports
from tests.browser.barriers import barriers, misfits, unseen_focus
from tests.browser.conftest import Visitors
from tests.browser.harness import Demo, screenshot
from tests.browser.person import language, sign_in, sign_out

Way = Callable[[Page, Demo], Awaitable[None]]

LOCALES = ("nl-BE", "fr-BE", "de-DE", "en-GB")


def opened(path: str) -> Way:
    async def go(page: Page, demo: Demo) -> None:
        await page.goto(demo.user + path)

    return go


def signed_in(story: str, transaction: str, path: str | None = None) -> Way:
    """A person who wants a transaction, and then a page of the portal if `path` names one."""

    async def go(page: Page, demo: Demo) -> None:
        await page.goto(demo.transaction(transaction)["url"])
        await sign_in(page, demo.person(story))
        if path is not None:
            await page.goto(demo.user + path)

    return go


async def empty_form(page: Page, demo: Demo) -> None:
    await page.goto(demo.user)
    await sign_in(page, {"user_id": "", "password": ""}, code="12")


async def wrong_password(page: Page, demo: Demo) -> None:
    await page.goto(demo.user)
    await sign_in(page, {"user_id": "nobody", "password": "not this one"})


async def problems_opened(page: Page, demo: Demo) -> None:
    await page.goto(demo.user)
    await page.click("main summary")


async def plain_http(page: Page, demo: Demo) -> None:
    await page.goto(demo.facts["addresses"]["plain"])
    for summary in await page.locator("summary").all():
        await summary.click()


async def signed_out(page: Page, demo: Demo) -> None:
    await signed_in("permitted:", "dossier", "sign-out")(page, demo)
    await sign_out(page)


async def form_not_sent(page: Page, demo: Demo) -> None:
    await page.goto(demo.transaction("pension")["url"] + "dossiers/1001")
    await sign_in(page, demo.person("wrong use"))
    await page.click("main form button")


async def used_up_way_in(page: Page, demo: Demo) -> None:
    await page.goto(demo.transaction("guidance")["url"] + ".gateway/enter?code=used")


PAGES: dict[str, Way] = {
    "sign-in": opened("sign-in"),
    "sign-in-problems": problems_opened,
    "sign-in-empty": empty_form,
    "sign-in-wrong": wrong_password,
    "help": opened("help"),
    "privacy": opened("privacy"),
    "accessibility": opened("accessibility"),
    "plain-http": plain_http,
    "applications": signed_in("permitted:", "dossier", "applications"),
    "applications-closed": signed_in("suspended:", "benefits", "applications"),
    "regulation": signed_in("permitted:", "dossier", "regulation"),
    "not-found": signed_in("permitted:", "dossier", "nowhere"),
    "sign-out": signed_in("permitted:", "dossier", "sign-out"),
    "signed-out": signed_out,
    "step-up": signed_in("permitted with a code", "benefits"),
    "step-up-impossible": signed_in("means too weak", "benefits"),
    "not-for-them": signed_in("never designated", "pension"),
    "ended": signed_in("designation ended", "pension"),
    "expired": signed_in("authorisation expired", "career"),
    "not-sent": form_not_sent,
    "way-in-used": used_up_way_in,
}


async def look(page: Page, name: str) -> list[str]:
    """The page in both colour schemes, at three widths: 1280, 640 (1280 enlarged to 200 %) and 320 (to 400 %)."""
    found = []
    for scheme, width, check in (
        ("light", 1280, barriers),
        ("light", 640, misfits),
        ("light", 320, misfits),
        ("dark", 320, barriers),
    ):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 800 * width // 1280})
        found += [f"{scheme}, {width} px: {barrier}" for barrier in await check(page)]
        await screenshot(page, f"{name}-{width}-{scheme}")
    return found


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_stands_in_nobodys_way(demo: Demo, visitors: Visitors, name: str) -> None:
    page = await visitors("nl-BE")
    await PAGES[name](page, demo)
    assert await language(page) == "nl"
    assert await look(page, name) == []
    assert await unseen_focus(page) == []


@pytest.mark.parametrize("name", ["sign-in-empty", "applications-closed", "step-up", "not-sent"])
@pytest.mark.parametrize("locale", LOCALES[1:])
async def test_longer_words_fit_too(demo: Demo, visitors: Visitors, name: str, locale: str) -> None:
    """German and French are longer than Dutch; at 320 px that shows first."""
    page = await visitors(locale, viewport={"width": 320, "height": 640})
    await PAGES[name](page, demo)
    assert await language(page) == locale[:2]
    assert await misfits(page) == []
    await screenshot(page, f"{name}-{locale[:2]}-320")


async def test_the_demo_practises_what_it_shows(demo: Demo, visitors: Visitors) -> None:
    """Its guide, which the gateway does not serve, and the pages of its application."""
    page = await visitors(viewport={"width": 320, "height": 640})
    ports = Ports((urlsplit(demo.user).port or 0) - Ports(0).user)
    await page.goto(f"http://{LOOPBACK}:{ports.guide}/")
    assert await page.locator("#people + ul > li").count() == len(demo.facts["people"])
    assert await barriers(page) == []
    assert await unseen_focus(page) == []
    await screenshot(page, "guide-320")
    home = demo.transaction("dossier")["url"]
    await page.goto(home)
    await sign_in(page, demo.person("permitted:"))
    for path in ("", "dossiers/93051822361", "documents", "live", "queue"):
        await page.goto(home + path)
        assert await barriers(page) == []
