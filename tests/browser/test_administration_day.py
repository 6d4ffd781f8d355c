"""A day of a local administrator, by the keyboard alone: she accepts her mandate, brings in five people, designates one, confirms what is
due, and somebody leaves. No page has a barrier; each is looked at in four languages, wide and narrow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from gateway.demo.files import PKCS12_PASSWORD
from gateway.demo.people import ACT
from gateway.policy.release import load_release
from gateway.policy.settings import load_settings
from gateway.records import By, RecordsDesk
from tests.browser.barriers import barriers, misfits
from tests.browser.conftest import visitor
from tests.browser.harness import Demo, chromium, own, running_demo, screenshot, trust, with_policy

pytestmark = pytest.mark.timeout(600)
ADMINISTRATOR, COLLEAGUE = "mila.vermeulen", "karel.claes"
HALF_A_YEAR_AGO = 170 * 86_400.0
MOST_TABS = 120
LOCALES = ("nl-BE", "fr-BE", "de-DE", "en-GB")
LIST = """insz;name;user_id;language;authorisation;uses;from;until;role;reason
90021412303;Bo Peeters;bo.peeters;nl;24/101;consultation;;;DossierReader;new department
88113004510;Çelik D'Hondt;celik.dhondt;fr;24/101;consultation;;;;new department
95060722253;Ann De Smet;ann.desmet;nl;24/108;consultation;;;;new department
01020300467;Dirk Maes;dirk.maes;de;;;;;;new department
77122433168;Eva Claes;eva.claes;en;;;;;;new department
"""


# --- what hands do


async def reach(page: Page, target: Locator) -> None:
    """Presses Tab until the focus is there."""
    await expect(target).to_have_count(1)
    for _ in range(MOST_TABS):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{MOST_TABS} times Tab, and the focus was never on {target}")


async def press(page: Page, target: Locator, key: str = "Enter") -> None:
    await reach(page, target)
    await page.keyboard.press(key)


async def go(page: Page, target: Locator) -> None:
    """Presses what leads to another page, and waits for it."""
    await reach(page, target)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def follow(page: Page, name: str) -> None:
    await go(page, page.get_by_role("link", name=name, exact=True).first)


async def send(page: Page, name: str) -> None:
    await go(page, page.get_by_role("button", name=name, exact=True))


async def search(page: Page, words: str) -> None:
    await write(page, "Name or user ID", words)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def write(page: Page, label: str, text: str) -> None:
    await reach(page, page.locator("main").get_by_label(label, exact=True))
    await page.keyboard.type(text)


async def tick(page: Page, label: str) -> None:
    await press(page, page.locator("main").get_by_label(label), "Space")


# --- a demo of their own


@asynccontextmanager
async def at_the_desk(demo: Demo, tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser with the administrator's card."""
    mila = next(person for person in demo.facts["people"] if person["user_id"] == ADMINISTRATOR)
    home = tmp_path / "home"
    trust(home, demo.ca)
    own(home, Path(mila["pkcs12"]), PKCS12_PASSWORD)
    rule = json.dumps({"pattern": "https://[*.]localhost", "filter": {}})
    program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [rule]})
    async with chromium(home, demo.ca, program=program) as browser:
        yield browser


def mandate(demo: Demo, *more: str) -> None:
    """The head official's written act, which the operator records."""
    act = ["--act", "HR/2026/9", "--act-date", "2026-01-05", "--reason", "new local administrator"]
    words = ["mandate", "add", "--person", ADMINISTRATOR, *act, *more, "--config", demo.facts["config"]]
    command = [sys.executable, "-m", "gateway", *words]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


async def designated_long_ago(demo: Demo) -> None:
    """A designation that is to be confirmed again: made before the demo was."""
    settings = load_settings(Path(demo.facts["config"]))
    granted = load_release(settings, time.time()).snapshot.by_reference["24/101"]
    records = await RecordsDesk.open(settings.records_settings)
    try:
        by = By("demo", "handles the files of the coast", act=ACT)
        uses = [grant.use for grant in granted.uses]
        await records.add_designation(COLLEAGUE, granted, uses, by, time.time() - HALF_A_YEAR_AGO)
    finally:
        await records.close()


async def sign_in(page: Page, demo: Demo) -> None:
    await page.goto(demo.user)
    await reach(page, page.locator("[name=user_id]"))
    await page.keyboard.type(ADMINISTRATOR)
    await press(page, page.locator("[formaction='/eid']"))
    await page.wait_for_url(re.compile("/(changes|mandate|applications)"))


async def choose(page: Page, file: Path) -> None:
    """The browser's own window for choosing a file, opened by the keyboard."""
    await reach(page, page.get_by_label("CSV file"))
    async with page.expect_file_chooser() as choosing:
        await page.keyboard.press("Enter")
    await (await choosing.value).set_files(file)


async def test_a_day_by_the_keyboard_alone(tmp_path: Path) -> None:
    complaints: list[str] = []
    file = tmp_path / "people.csv"
    file.write_text(LIST, encoding="utf-8-sig")
    async with running_demo(tmp_path / "state") as demo, at_the_desk(demo, tmp_path) as browser:
        mandate(demo, "--to-accept")
        await designated_long_ago(demo)
        page = await (await visitor(browser, complaints, locale="en-GB")).new_page()
        # From the beginning, so that no press comes before the browser knows that its window for files is the test's to answer.
        page.on("filechooser", lambda _: None)

        async def looked_at(name: str) -> None:
            assert await barriers(page) == [], name
            await screenshot(page, f"day-{name}")

        # In the morning: the mandate.
        await sign_in(page, demo)
        if "/changes" in page.url:
            await looked_at("1-told")
            await send(page, "I have read this: go on")
        await expect(page.locator("h1")).to_have_text("A mandate for you")
        await looked_at("2-mandate")
        await send(page, "I accept the mandate")
        await expect(page.locator("h1")).to_have_text("My applications")
        await go(page, page.locator("main a[href='/administration']"))
        await looked_at("3-people")

        # Five people, by a list.
        await follow(page, "Lists as files")
        await looked_at("4-lists")
        await choose(page, file)
        await reach(page, page.locator("#import-reason"))
        await page.keyboard.type("new department")
        await send(page, "Check the list")
        await expect(page.locator("h1")).to_have_text("What the list would do")
        await looked_at("5-plan")
        await send(page, "Do all of this")
        await expect(page.locator("h1")).to_have_text("The list has been brought in")
        await looked_at("6-brought-in")

        # A mistake in a list: every fault is named, and nothing is done.
        await follow(page, "Lists as files")
        file.write_text(LIST.replace("24/108", "99/999").replace("dirk.maes;de", "dirk.maes;es"), encoding="cp1252")
        await choose(page, file)
        await send(page, "Check the list")
        await expect(page.locator("h1")).to_have_text("What is wrong with the list")
        await looked_at("7-faults")

        # One of them is designated for something more.
        await follow(page, "People")
        await search(page, "dho cel")
        await follow(page, "Çelik D'Hondt")
        await looked_at("8-person")
        await follow(page, "Designate for an authorisation")
        await looked_at("9-choices")
        await go(page, page.locator("main .uses a").filter(has_text="24/108"))
        # Without a reason the browser itself sends nothing.
        await press(page, page.get_by_role("button", name="Designate", exact=True))
        await tick(page, "Consultation")
        await reach(page, page.get_by_label("Reason", exact=True))
        await page.keyboard.type("guides newcomers")
        await looked_at("10-designate")
        await send(page, "Designate")
        await expect(page.locator("[role=status]").first).to_contain_text("designation is recorded")
        await looked_at("11-designated")

        # What is due is confirmed again.
        await page.goto(f"{demo.user}administration/review")
        await expect(page.locator("main")).to_contain_text("Karel Claes")
        await looked_at("12-review")
        await tick(page, "Karel Claes, ")
        await send(page, "Confirm those chosen")
        await expect(page.locator("main")).not_to_contain_text("Karel Claes")
        await looked_at("13-confirmed")

        # Somebody leaves.
        await page.goto(f"{demo.user}administration")
        await search(page, "bo.peeters")
        await follow(page, "Bo Peeters")
        await follow(page, "This person leaves the institution")
        await looked_at("14-leaving")
        await tick(page, "All of this is to end.")
        await write(page, "Reason", "retired")
        await send(page, "End everything")
        await expect(page.locator("[role=status]").first).to_contain_text("has left the institution")
        await looked_at("15-left")

        # What the day was, and what is printed of it.
        await follow(page, "Recent changes")
        for part in ("bo.peeters", "left the institution", "by Mila Vermeulen: retired", "designated for"):
            await expect(page.locator("main")).to_contain_text(part)
        await looked_at("16-recent")
        await page.emulate_media(media="print")
        for hidden in (".tabs", ".who", ".languages"):
            await expect(page.locator(hidden).first).to_be_hidden()
        await expect(page.locator(".print-only")).to_be_visible()
        await screenshot(page, "day-17-printed")
    assert complaints == []


@pytest.mark.soak
async def test_every_page_in_every_language_wide_and_narrow(tmp_path: Path) -> None:
    complaints: list[str] = []
    async with running_demo(tmp_path / "state") as demo, at_the_desk(demo, tmp_path) as browser:
        mandate(demo)
        pages = {
            "people": "",
            "person": "/person?user_id=karel.claes",
            "choices": "/designate?user_id=karel.claes",
            "designate": "/designate?user_id=karel.claes&authorisation=24/101",
            "new": "/new",
            "change": "/change?user_id=karel.claes",
            "leave": "/leave?user_id=karel.claes",
            "lists": "/lists",
            "recent": "/recent",
        }
        for locale in LOCALES:
            context = await visitor(browser, complaints, locale=locale)
            page = await context.new_page()
            await sign_in(page, demo)
            if "/changes" in page.url:
                await page.locator("main form button").first.click()
                await page.wait_for_load_state()
            for width in (1280, 320):
                await page.set_viewport_size({"width": width, "height": 900})
                for name, path in pages.items():
                    await page.goto(f"{demo.user}administration{path}")
                    for summary in await page.locator("main summary").all():
                        await summary.click()
                    assert await misfits(page) == [], (locale, width, name)
                    assert await barriers(page) == [], (locale, width, name)
                    await screenshot(page, f"administration-{name}-{locale[:2]}-{width}")
            await context.close()
    assert complaints == []
