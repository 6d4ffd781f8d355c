"""A person signs in with itsme at the demo's provider, whose page is another site's: Chromium follows, and comes back."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import Visitors
from tests.browser.harness import Demo, screenshot
from tests.browser.person import language, ledger_line, reference, sign_in
from tests.provider import RealProvider, needs_provider

pytestmark = needs_provider

LENA = "federal authentication service"
ITSME = "Sign in with itsme (demo)"


def issuer(demo: Demo) -> str:
    settings = tomllib.loads((Path(demo.facts["config"]) / "gateway.toml").read_text())
    return str(settings["provider"][0]["issuer"])


def benefits(demo: Demo) -> str:
    return str(demo.transaction("benefits")["url"])


async def to_itsme(page: Page, person: dict[str, Any], label: str = ITSME) -> None:
    """On the sign-in page: the user ID, and the button of the other way."""
    await page.fill("[name=user_id]", person["user_id"])
    await page.get_by_role("button", name=label).click()
    await page.wait_for_load_state()


async def as_somebody(page: Page, name: str) -> None:
    """On the provider's page."""
    await page.get_by_role("button", name=f"{name}, itsme").click()
    await page.wait_for_load_state()


async def test_a_person_signs_in_with_itsme_and_is_where_they_wanted_to_go(demo: Demo, page: Page) -> None:
    lena = demo.person(LENA)
    await page.goto(benefits(demo))
    await screenshot(page, "federation-sign-in")
    await to_itsme(page, lena)
    assert page.url.startswith(f"{issuer(demo)}/interaction/")
    await screenshot(page, "federation-provider")
    await as_somebody(page, "Lena Kessler")
    assert page.url == benefits(demo)
    assert "itsme" in await page.inner_text("body")


async def test_somebody_else_there_is_nobody_here(demo: Demo, visitors: Visitors) -> None:
    lena = demo.person(LENA)
    for locale, words in (
        ("nl-BE", "Dit is de gebruikersnaam van iemand anders"),
        ("fr-BE", "Ce nom d'utilisateur est celui d'une autre personne"),
        ("de-BE", "Dies ist der Benutzername einer anderen Person"),
        ("en-GB", "This is another person's user ID"),
    ):
        page = await visitors(locale)
        await page.goto(demo.user)
        await to_itsme(page, lena, "itsme (demo)")
        await as_somebody(page, "An Peeters")
        assert re.fullmatch(r".*/oidc/failed\?key=[\w-]{43}", page.url)
        assert await language(page) == locale[:2]
        assert await page.inner_text("h1") == words
        await screenshot(page, f"federation-other-person-{locale[:2]}")
        line = ledger_line(Path(demo.facts["ledger"]), await reference(page))
        assert line["reason"] == "permitted"  # the way back; the attempt has a line of its own with the same id
        await page.get_by_role("link", name=re.compile("sign-in|aanmelden|connexion|Anmeldung")).first.click()
        assert "/sign-in" in page.url


async def test_who_cancels_there_can_begin_again(demo: Demo, page: Page) -> None:
    lena = demo.person(LENA)
    await page.goto(benefits(demo))
    await to_itsme(page, lena)
    await page.get_by_role("button", name="Cancel").click()
    assert "was cancelled" in await page.inner_text("main")
    await page.get_by_role("link", name="Back to the sign-in").click()
    await to_itsme(page, lena)
    await as_somebody(page, "Lena Kessler")
    assert page.url == benefits(demo)


async def test_a_password_is_raised_by_itsme(demo: Demo, page: Page) -> None:
    lena = demo.person(LENA)
    await page.goto(benefits(demo))
    await sign_in(page, lena)
    assert "/step-up" in page.url
    assert "itsme" in await page.inner_text("main dl")
    await page.get_by_role("button", name=ITSME).click()
    await as_somebody(page, "Lena Kessler")
    assert page.url == benefits(demo)


async def test_when_the_provider_ends_its_session_ours_ends_within_a_second(demo: Demo, page: Page) -> None:
    lena = demo.person(LENA)
    await page.goto(benefits(demo))
    await to_itsme(page, lena)
    await as_somebody(page, "Lena Kessler")
    await RealProvider(issuer(demo)).control(logout="session")
    ended = time.monotonic()
    while page.url == benefits(demo):
        assert time.monotonic() - ended < 1.0
        await page.goto(benefits(demo))
    assert "/sign-in" in page.url
    assert "Your session has ended" in await page.inner_text("main")


@pytest.mark.parametrize("path", ["/oidc/callback/fas?code=x&state=y", "/oidc/callback/fas", "/oidc/failed?key=x"])
async def test_an_address_that_nobody_asked_for_is_a_page(demo: Demo, page: Page, path: str) -> None:
    await page.goto(demo.user.rstrip("/") + path)
    assert await page.inner_text("h1") in ("This sign-in is over", "Sign in")
