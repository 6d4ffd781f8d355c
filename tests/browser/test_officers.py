"""The pages of those who read and of those who can stop anything: the duty officer, the KSZ's reader, an institution's data protection officer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.demo.files import PKCS12_PASSWORD
from gateway.model import LANGUAGES
from tests.browser.barriers import barriers, misfits
from tests.browser.conftest import visitor
from tests.browser.harness import Demo, chromium, own, screenshot, trust, with_policy
from tests.browser.person import fresh_code, sign_in

pytestmark = pytest.mark.timeout(300)
DUTY, READER, PROTECTION = "pieter.nijs", "olga.thijs", "iris.wouters"
ACCESS = "read/access?transaction=benefits"
WHY = "read/why?user_id=an.peeters&transaction=dossier&use=consultation&means=password"
PAGES = {
    DUTY: ("duty",),
    READER: ("read", "read/report?days=30", "read/people", "read/table", ACCESS, WHY),
    PROTECTION: ("read", "read/ledger", "read/report?days=30", "read/people", "read/table", ACCESS),
}
NARROW, WIDE = {"width": 320, "height": 800}, {"width": 1280, "height": 900}


async def looked_over(demo: Demo, page: Page, officer: str, languages: tuple[str, ...]) -> None:
    for language in languages:
        await page.goto(f"{demo.user}language?to={language}&back=/applications")
        for path in PAGES[officer]:
            answer = await page.goto(demo.user + path)
            assert answer is not None
            assert (answer.status, await page.get_attribute("html", "lang")) == (200, language), path
            for summary in await page.locator("main summary").all():
                await summary.click()
            for size in (WIDE, NARROW):
                await page.set_viewport_size(size)  # type: ignore[arg-type]
                assert (await barriers(page), await misfits(page)) == ([], []), (language, path, size)
                name = path.partition("?")[0].replace("/", "-")
                await screenshot(page, f"{officer}-{name}-{language}-{size['width']}")


@pytest.mark.parametrize("officer", [DUTY, READER])
async def test_pages_that_ask_for_the_card(demo: Demo, tmp_path: Path, officer: str, soak: bool) -> None:
    who = next(person for person in demo.facts["people"] if person["user_id"] == officer)
    complaints: list[str] = []
    home = tmp_path / "home"
    trust(home, demo.ca)
    own(home, Path(who["pkcs12"]), PKCS12_PASSWORD)
    rule = json.dumps({"pattern": "https://[*.]localhost", "filter": {}})
    program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [rule]})
    async with chromium(home, demo.ca, program=program) as browser:
        page = await (await visitor(browser, complaints, locale="fr-BE")).new_page()
        await page.goto(demo.user)
        await page.fill("[name=user_id]", officer)
        await page.click("[formaction='/eid']")
        await expect(page.locator("h1")).to_have_text("Mes applications")
        await looked_over(demo, page, officer, LANGUAGES if soak else ("fr",))
    assert complaints == []


async def test_pages_of_an_institution(demo: Demo, page: Page, soak: bool) -> None:
    iris = next(person for person in demo.facts["people"] if person["user_id"] == PROTECTION)
    await page.goto(demo.user)
    await sign_in(page, iris, await fresh_code(iris))
    await looked_over(demo, page, PROTECTION, LANGUAGES if soak else ("de",))
