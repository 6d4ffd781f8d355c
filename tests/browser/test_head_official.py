"""A head official with her card: she gives a mandate, confirms what waits for her, grants an office, and sees what was done by command line."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.demo.files import PKCS12_PASSWORD
from gateway.model import BRUSSELS
from tests.browser.barriers import barriers, misfits
from tests.browser.conftest import visitor
from tests.browser.harness import Demo, chromium, own, running_demo, screenshot, trust, with_policy
from tests.browser.person import sign_in

pytestmark = pytest.mark.timeout(300)
HEAD, ADMINISTRATOR, SOMEBODY = "claire.dubois", "gaelle.simon", "elise.renard"
LOCALES = ("nl-BE", "fr-BE", "de-DE")
PAGES = ("head", "head/mandates", "head/review?list=waiting", "head/review?list=due", "head/succession")


@pytest_asyncio.fixture(loop_scope="session")
async def demo(template: Path, tmp_path: Path) -> AsyncIterator[Demo]:
    """One of its own: what is done here, others' people would be told of."""
    async with running_demo(copytree(template, tmp_path / "state")) as demo:
        yield demo


def gateway(demo: Demo, *words: str) -> str:
    command = [sys.executable, "-m", "gateway", *words, "--config", demo.facts["config"]]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def look(page: Page, name: str) -> None:
    assert await barriers(page) == []
    await screenshot(page, name)


async def test_a_head_officials_day(demo: Demo, tmp_path: Path) -> None:
    people = {person["user_id"]: person for person in demo.facts["people"]}
    claire = people[HEAD]
    mandates = json.loads(gateway(demo, "mandate", "list", "--person", ADMINISTRATOR, "--json"))
    under = ("--on-behalf-of", str(mandates[0]["mandate"]), "--reason", "asked on the phone")
    named = ("--person", SOMEBODY, "--authorisation", "24/103", "--use", "consultation")
    gateway(demo, "designation", "add", *named, *under)
    complaints: list[str] = []
    home = tmp_path / "home"
    trust(home, demo.ca)
    own(home, Path(claire["pkcs12"]), PKCS12_PASSWORD)
    rule = json.dumps({"pattern": "https://[*.]localhost", "filter": {}})
    program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [rule]})
    async with chromium(home, demo.ca, program=program) as browser:
        desk = await (await visitor(browser, complaints, locale="en-GB")).new_page()
        await desk.goto(demo.user)
        await sign_in(desk, claire)
        await desk.click("main a[href='/head']")
        await expect(desk.locator("h1")).to_have_text("Please confirm who you are")
        await look(desk, "head-means")
        await desk.click("[formaction='/eid']")
        await expect(desk.locator("h1")).to_have_text("Head official")
        await expect(desk.locator("main")).to_contain_text("asked on the phone")
        await look(desk, "head")

        await desk.click("text=Designations that wait for you")
        await desk.check(f"tr:has-text('{SOMEBODY}') [type=checkbox]")
        await look(desk, "head-confirm")
        await desk.click("text=Confirm those chosen")
        await expect(desk.locator("main .good")).to_have_text("Confirmed: 1.")

        await desk.goto(f"{demo.user}head/mandates")
        form = desk.locator("form[action='/head/mandates/give']")
        await form.locator("[name=user_id]").fill(HEAD)
        await form.locator("text=These only:").click()
        await form.locator("label", has_text="24/103").click()
        await form.locator("[name=act_reference]").fill("HR/2026/7")
        await form.locator("[name=act_date]").fill(dt.datetime.now(BRUSSELS).date().isoformat())
        await form.locator("#reason-give").fill("second administrator")
        await form.get_by_role("button").click()
        await expect(desk.locator("#user_id-error")).to_contain_text("Nobody gives themself anything")
        await look(desk, "head-mandate-refused")
        await form.locator("[name=user_id]").fill(SOMEBODY)
        await form.get_by_role("button").click()
        await expect(desk.locator("main .good")).to_contain_text("once its holder has accepted it")
        await look(desk, "head-mandates")

        # She who is to accept it is shown it at her next sign-in, and is not kept from her applications.
        elsewhere = await (await visitor(browser, complaints, locale="en-GB")).new_page()
        await elsewhere.goto(demo.user)
        await sign_in(elsewhere, people[SOMEBODY])
        if "/changes" in elsewhere.url:
            await look(elsewhere, "head-told")
            await elsewhere.click("main form button")
        await expect(elsewhere.locator("h1")).to_have_text("A mandate for you")
        await look(elsewhere, "mandate")
        await elsewhere.click("[value=later]")
        await expect(elsewhere.locator("h1")).to_have_text("My applications")

        card = desk.locator("article", has_text=SOMEBODY)
        await card.locator("summary").click()
        await card.locator("[name=reason]").fill("changed her mind")
        await card.get_by_role("button").click()
        await expect(desk.locator("#past ~ article", has_text=SOMEBODY)).to_contain_text("changed her mind")

        for locale in LOCALES:
            await desk.goto(f"{demo.user}language?to={locale[:2]}&back=/head")
            for path in PAGES:
                await desk.goto(f"{demo.user}{path}")
                assert (await barriers(desk), await misfits(desk)) == ([], []), (locale, path)
    assert complaints == []
