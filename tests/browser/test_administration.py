"""A local administrator with their card: a new person gets a letter and begins with it, then a code card; what the browser prints is theirs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.demo.files import PKCS12_PASSWORD
from tests.browser.barriers import barriers, misfits
from tests.browser.conftest import visitor
from tests.browser.harness import Demo, chromium, own, screenshot, trust, with_policy
from tests.browser.person import sign_in

pytestmark = pytest.mark.timeout(300)
ADMINISTRATOR = "filip.maes"
NEWCOMER, NAME, INSZ = "otto.newcomer", "Otto Newcomer", "01010199768"
PASSWORD = "seventeen violet umbrellas"
LOCALES = ("nl-BE", "fr-BE", "de-DE", "en-GB")


def gateway(demo: Demo, *words: str, given: str = "") -> None:
    command = [sys.executable, "-m", "gateway", *words, "--config", demo.facts["config"]]
    done = subprocess.run(command, input=given, text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def newcomer(demo: Demo, institution: str) -> None:
    """Somebody whom the records know and who has nothing yet to sign in with."""
    act = ["--act", "HR/2026/9", "--act-date", "2026-01-05", "--reason", "new colleague"]
    gateway(demo, "person", "add", "--name", NAME, "--insz-file", "-", *act, given=INSZ)
    gateway(demo, "user-id", "add", NEWCOMER, "--insz-file", "-", "--institution", institution, *act, given=INSZ)


async def act(page: Page, title: str, button: str, reason: str) -> None:
    """On a person's page: opens one of the forms, says why, and does it."""
    form = page.locator("details", has_text=title)
    await form.locator("summary").click()
    await form.locator("[name=reason]").fill(reason)
    await form.get_by_role("button", name=button).click()
    await page.wait_for_load_state()


async def test_from_a_letter_to_a_card(demo: Demo, tmp_path: Path) -> None:
    filip = next(person for person in demo.facts["people"] if person["user_id"] == ADMINISTRATOR)
    newcomer(demo, filip["institution"])
    complaints: list[str] = []
    home = tmp_path / "home"
    trust(home, demo.ca)
    own(home, Path(filip["pkcs12"]), PKCS12_PASSWORD)
    rule = json.dumps({"pattern": "https://[*.]localhost", "filter": {}})
    program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [rule]})
    async with chromium(home, demo.ca, program=program) as browser:
        desk = await (await visitor(browser, complaints, locale="en-GB")).new_page()
        await desk.goto(demo.user)
        await sign_in(desk, filip)
        await desk.goto(f"{demo.user}administration")
        await expect(desk.locator("h1")).to_have_text("Administration asks for your eID")
        await screenshot(desk, "administration-eid")
        assert await barriers(desk) == []
        await desk.click("[formaction='/eid']")
        await desk.wait_for_load_state()
        await desk.goto(f"{demo.user}applications")
        await desk.click("main a[href='/administration']")
        await desk.fill("[name=search]", "newcomer")
        await desk.keyboard.press("Enter")
        await desk.wait_for_load_state()
        await desk.click(f"text={NAME}")
        await expect(desk.locator("h1")).to_have_text(NAME)

        # The letter: on the page, and the same as a file.
        await act(desk, "Make a letter", "Make the letter", "new colleague")
        code = await desk.inner_text(".big-code")
        assert await barriers(desk) == []
        await screenshot(desk, "administration-letter")
        async with desk.expect_download() as download:
            await desk.click("a[download]")
        file = await (await download.value).path()
        assert file.read_bytes().startswith(b"%PDF-")
        assert (await download.value).suggested_filename == f"letter-{NEWCOMER}.pdf"

        # What is printed is the paper, and nothing of the page around it.
        await desk.emulate_media(media="print")
        for hidden in ("header", "footer", ".screen", "a[download]"):
            await expect(desk.locator(hidden).first).to_be_hidden()
        await expect(desk.locator(".paper")).to_be_visible()
        await desk.emulate_media(media="screen")

        # Elsewhere, without any card: the newcomer begins.
        person = await (await visitor(browser, complaints, locale="en-GB")).new_page()
        await person.goto(f"{demo.user}activation")
        await person.fill("[name=user_id]", NEWCOMER)
        await person.fill("[name=activation_code]", code.lower().replace("-", " "))
        await person.click("main form button")
        await person.fill("[name=new_password]", PASSWORD)
        await person.fill("[name=new_password_again]", PASSWORD)
        await person.click("main form button")
        await expect(person.locator("h1")).to_have_text("User regulation")
        await person.get_by_role("button", name="I accept").click()
        await expect(person.locator("h1")).to_have_text("My applications")

        # A card: the person is signed out, asked for one of its numbers from now on, and told who did it.
        await desk.click("text=Back to this person")
        await act(desk, "Make a code card", "Make the card", "works with sensitive data")
        cells = await desk.locator(".codes tr").all_inner_texts()
        codes = dict(re.findall(r"(\d+)\s+([0-9A-Z]{6})", "\n".join(cells)))
        assert len(codes) == 24
        assert await barriers(desk) == []
        await screenshot(desk, "administration-card")
        await person.goto(f"{demo.user}applications")
        await sign_in(person, {"user_id": NEWCOMER, "password": PASSWORD})
        asked = re.search(r"\d+", await person.inner_text("h1"))
        assert asked is not None
        await person.fill("[name=card_code]", codes[asked[0]])
        await person.click("main form button")
        await expect(person.locator("main")).to_contain_text("by Filip Maes")
        await screenshot(person, "administration-told")

        # What is made void opens nothing any more.
        await desk.click("text=Back to this person")
        card = desk.locator("article", has_text="Code card")
        await card.locator("summary").click()
        await card.locator("[name=reason]").fill("card lost")
        await card.get_by_role("button", name="Make it void").click()
        await expect(desk.locator("[role=status]").first).to_contain_text("void now")
        await person.goto(f"{demo.user}applications")
        assert "/sign-in" in person.url
    assert complaints == []


@pytest.mark.soak
async def test_the_pages_in_every_language_and_narrow(demo: Demo, tmp_path: Path) -> None:
    filip = next(person for person in demo.facts["people"] if person["user_id"] == ADMINISTRATOR)
    complaints: list[str] = []
    home = tmp_path / "home"
    trust(home, demo.ca)
    own(home, Path(filip["pkcs12"]), PKCS12_PASSWORD)
    rule = json.dumps({"pattern": "https://[*.]localhost", "filter": {}})
    program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [rule]})
    async with chromium(home, demo.ca, program=program) as browser:
        for locale in LOCALES:
            context = await visitor(browser, complaints, locale=locale, viewport={"width": 320, "height": 800})
            page = await context.new_page()
            await page.goto(demo.user)
            await page.fill("[name=user_id]", ADMINISTRATOR)
            await page.click("[formaction='/eid']")
            await page.wait_for_load_state()
            for name, path in (("list", ""), ("person", "/person?user_id=bart.janssens")):
                await page.goto(f"{demo.user}administration{path}")
                for summary in await page.locator("main summary").all():
                    await summary.click()
                assert await misfits(page) == []
                assert await barriers(page) == []
                await screenshot(page, f"administration-{name}-{locale[:2]}")
            await context.close()
    assert complaints == []
