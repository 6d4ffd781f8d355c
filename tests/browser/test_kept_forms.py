"""A form that meets a challenge is kept: whatever ends or doubts the session, what was typed arrives once, byte for byte (docs/adr/0009)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.cli.check import ask_to_reload
from gateway.policy.settings import load_settings
from tests.browser.barriers import barriers, misfits, unseen_focus
from tests.browser.conftest import Visitors, visitor
from tests.browser.form_origin import Origin, running_origin
from tests.browser.harness import Demo, chromium, running_demo, screenshot
from tests.browser.person import fresh_code, sign_in

UMLAUTS = "Grüße aus Köln\nzweite Zeile: €, “in orde”, 50 % & mehr = +"


class Stage:
    """A demo in front of an application with forms, and a browser that trusts it."""

    def __init__(self, demo: Demo, origin: Origin, browser: Browser) -> None:
        self.demo = demo
        self.origin = origin
        self.browser = browser
        self.url: str = demo.facts["transactions"][0]["url"]
        self.an: dict[str, Any] = demo.facts["people"][0]
        self.complaints: list[str] = []

    @contextlib.asynccontextmanager
    async def visit(self, form: str, locale: str = "en-GB", **options: Any) -> AsyncIterator[Page]:
        """An Peeters, signed in, looking at a form."""
        self.origin.taken.clear()
        self.complaints.clear()
        context = await visitor(self.browser, self.complaints, locale=locale, **options)
        page = await context.new_page()
        await page.goto(f"{self.url}form/{form}")
        await sign_in(page, self.an)
        await page.wait_for_selector("form[action*='/take']")
        try:
            yield page
        finally:
            await context.close()
        assert self.complaints == []

    async def expire(self) -> None:
        await tell(self.demo, "UPDATE sessions SET expires_at = ? WHERE ended_at IS NULL", time.time() - 1)


async def tell(demo: Demo, statement: str, *values: object) -> None:
    """Change sessions in the database, and wait until the gateway knows (within a second)."""
    (database,) = Path(demo.facts["config"]).parent.rglob("records.sqlite")
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement, values)
        connection.execute(
            "INSERT INTO changes (at, kind, key) SELECT ?, 'session', id FROM sessions WHERE ended_at IS NULL",
            (time.time(),),
        )
    await asyncio.sleep(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    place = tmp_path_factory.mktemp("forms")
    async with (
        running_origin() as origin,
        running_demo(copytree(template, place / "state"), "--origin", origin.url) as demo,
        chromium(place / "home", demo.ca) as browser,
    ):
        yield Stage(demo, origin, browser)


async def save(page: Page) -> None:
    await page.click("form[action*='/take'] button")
    await page.wait_for_load_state()


async def send(page: Page) -> None:
    await page.click("main form[enctype] button")
    await page.wait_for_selector("#taken")


async def as_without_gateway(stage: Stage, page: Page) -> bytes:
    """What the browser sends when nothing is in the way."""
    await save(page)
    await page.wait_for_selector("#taken")
    body = stage.origin.body
    stage.origin.taken.clear()
    await page.go_back()
    await page.wait_for_selector("form[action*='/take']")
    return body


async def test_an_expired_session_loses_nothing(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        await page.fill("textarea", UMLAUTS)
        usual = await as_without_gateway(stage, page)
        await page.fill("textarea", UMLAUTS)
        await stage.expire()
        await save(page)
        await expect(page.locator("main .notice")).to_contain_text("has been kept")
        await screenshot(page, "kept-sign-in")
        await sign_in(page, stage.an)

        assert page.url.startswith(f"{stage.url}.gateway/form?key=")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Send your form")
        shown = await page.inner_text("main")
        for words in (
            "Grüße aus Köln",
            "zweite Zeile: €, “in orde”, 50 % & mehr = +",
            "naam",
            "Grüße",
            "Your application",
        ):
            assert words in shown
        for secret in ("hush", "t0ken"):
            assert secret not in shown
        assert stage.origin.taken == []
        await screenshot(page, "kept-form")
        await page.reload()  # looking at it does not use it up
        await page.click("nav.languages a[hreflang=de]")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ihr Formular senden")
        await send(page)
        assert page.url == f"{stage.url}take?from=a%26b&x=%C3%A9"
        assert stage.origin.taken == [("/take?from=a%26b&x=%C3%A9", "application/x-www-form-urlencoded", usual)]

        # Back shows that it is gone, and nothing is sent twice
        await page.go_back()
        await expect(page.locator("h1")).to_have_text("Dieses Formular wird nicht mehr aufbewahrt")
        assert len(stage.origin.taken) == 1


async def test_what_other_tabs_of_the_host_ask_meanwhile_costs_nothing(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        await page.fill("textarea", UMLAUTS)
        other = await page.context.new_page()
        await stage.expire()
        await save(page)
        await other.goto(f"{stage.url}form/file")  # led to sign-in as well, later
        await sign_in(page, stage.an)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Send your form")
        await sign_in(other, stage.an)
        assert other.url == f"{stage.url}form/file"
        await send(page)
        assert len(stage.origin.taken) == 1


async def test_a_session_that_ends_before_it_is_sent_loses_nothing_either(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        await page.fill("textarea", UMLAUTS)
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        await stage.expire()
        await page.click("main form[enctype] button")  # Chromium follows only where the page's policy lets a form lead
        await page.wait_for_url("**/sign-in?start=**")
        await sign_in(page, stage.an)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Send your form")
        await send(page)
        assert len(stage.origin.taken) == 1


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252"])
async def test_a_page_in_latin_1_gets_its_own_bytes(stage: Stage, charset: str) -> None:
    async with stage.visit(f"plain?charset={charset}") as page:
        await page.fill("textarea", UMLAUTS)
        usual = await as_without_gateway(stage, page)
        assert b"Gr%FC%DFe" in usual
        await page.fill("textarea", UMLAUTS)
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        assert "Grüße aus Köln" in await page.inner_text("main")
        await send(page)
        assert stage.origin.body == usual


async def test_sixty_kibibytes_of_text(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        paste = (
            "(area, text) => { area.value = text; }"  # as quick as a person's paste, which the driver's typing is not
        )
        text = ("Übung macht den Meister, nicht wahr?\n" * 2000)[: 60 * 1024]
        await page.locator("textarea").evaluate(paste, text)
        usual = await as_without_gateway(stage, page)
        await page.locator("textarea").evaluate(paste, text)
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        assert await barriers(page) == []
        await send(page)
        assert stage.origin.body == usual


async def test_what_is_in_a_field_is_text(stage: Stage) -> None:
    async with stage.visit("script") as page:
        usual = await as_without_gateway(stage, page)
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        assert "<img src=x onerror=alert(2)>" in await page.inner_text("main")
        assert await page.locator("main img, main script").count() == 0
        await send(page)
        assert stage.origin.body == usual


async def test_a_file_is_chosen_again(stage: Stage, tmp_path: Path) -> None:
    scan = tmp_path / "scän.pdf"
    scan.write_bytes(b"%PDF-1.7" + bytes(range(256)) * 40)
    async with stage.visit("file") as page:
        await page.set_input_files("[name=scan]", scan)
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        await expect(page.locator("main .notice")).to_contain_text("choose them again")
        assert "scän.pdf" in await page.inner_text("main")
        await screenshot(page, "kept-file")
        assert await barriers(page) == []
        await page.set_input_files("[name=scan]", scan)
        await send(page)
        body = stage.origin.body
        assert b"%PDF-1.7" + bytes(range(256)) * 40 in body
        assert (
            body.index(b'name="title"')
            < body.index(b'name="scan"')
            < body.index(b'name="more"')
            < body.index(b'"after"')
        )
        assert "Ça va".encode() in body


async def test_two_clicks_send_once(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        await page.dblclick("main form[enctype] button")
        # One of the two answers is shown in the end; before that the page is as idle as it was.
        await page.wait_for_selector("main form[enctype] button", state="detached")
        await page.wait_for_load_state("networkidle")
        assert len(stage.origin.taken) == 1


async def test_a_session_that_moved_is_asked_once_and_loses_nothing(demo: Demo, visitors: Visitors) -> None:
    """On the demo's own applications: the one for strangers' applications only reports it."""
    an = demo.person("permitted:")
    page = await visitors()
    other = demo.transaction("guidance")["url"]
    await page.goto(other)
    await sign_in(page, an)
    record = demo.transaction("dossier")["url"] + "dossiers/93051822361"
    await page.goto(record)
    await page.fill("#note", "Gezien in Köln")
    await tell(demo, "UPDATE session_cookies SET family = 'another browser'")
    await page.click("main form button")
    await page.wait_for_url("**/step-up?start=**")
    await expect(page.locator("h1")).to_have_text("Please confirm who you are")
    await screenshot(page, "moved")
    assert await barriers(page) == []
    await page.fill("[name=password]", "not this one")
    await page.click("main form button")
    await expect(page.locator("#errors")).to_be_visible()
    await page.fill("[name=password]", an["password"])
    await page.click("main form button")
    await expect(page.locator("h1")).to_have_text("Send your form")
    await page.click("main form[enctype] button")
    await expect(page.locator("main dl")).to_contain_text("Gezien in Köln")

    # nobody is asked twice, on this host or another
    for address in (record, other, demo.user):
        await page.goto(address)
        assert page.url == address


async def test_writing_that_asks_for_more_than_reading_loses_nothing(demo: Demo, visitors: Visitors) -> None:
    """The deliberation lets a password read, and asks for a code to write."""
    iris = demo.person("permitted with a code")
    config = Path(demo.facts["config"])
    file = config / "authorisations" / "24-108.toml"
    good = file.read_text()
    reading, change, writing = good.rpartition("[[use]]")
    writing = re.sub(r"^means = .*$", 'means = ["token", "eid"]', writing, flags=re.MULTILINE)
    page = await visitors()
    record = demo.transaction("guidance")["url"] + "dossiers/1001"
    try:
        file.write_text(reading + change + writing)
        assert (await asyncio.to_thread(ask_to_reload, load_settings(config), 20.0, os.kill))["ok"]
        await page.goto(record)
        await sign_in(page, iris)
        assert page.url == record
        await page.fill("#note", UMLAUTS)
        await page.click("main form button")
        await page.wait_for_url("**/step-up?start=**")
        await expect(page.locator("main")).to_contain_text(
            "official's token (app or code card), or electronic identity card"
        )
        await expect(page.locator("main")).to_contain_text("has been kept")
        assert await barriers(page) == []
        for code in ("000000", await fresh_code(iris)):  # a slip costs nothing either
            await page.fill("[name=password]", iris["password"])
            await page.fill("[name=code]", code)
            await page.click("main form button")
            await page.wait_for_load_state()
        await expect(page.locator("h1")).to_have_text("Send your form")
        await page.click("main form[enctype] button")
        await expect(page.locator("main dl")).to_contain_text("Grüße aus Köln")
    finally:
        file.write_text(good)
        assert (await asyncio.to_thread(ask_to_reload, load_settings(config), 20.0, os.kill))["ok"]


async def test_a_sign_in_of_this_morning_is_confirmed_and_nothing_is_lost(stage: Stage) -> None:
    """Reading asks for less than writing: the page is there, the form meets `authentication_too_old`."""
    async with stage.visit("plain") as page:
        usual = await as_without_gateway(stage, page)
        long_ago = time.time() - 3 * 3600
        await tell(
            stage.demo, "UPDATE sessions SET auth_time = ?, created_at = ? WHERE ended_at IS NULL", long_ago, long_ago
        )
        await page.reload()
        await page.wait_for_selector("form[action*='/take']")
        await save(page)
        await page.wait_for_url("**/step-up?start=**")
        await expect(page.locator("main")).to_contain_text("You signed in too long ago")
        await expect(page.locator("main")).to_contain_text("has been kept")
        await screenshot(page, "too-old")
        assert await barriers(page) == []
        await page.fill("[name=password]", stage.an["password"])
        await page.click("main form button")
        await expect(page.locator("h1")).to_have_text("Send your form")
        await send(page)
        assert stage.origin.taken == [("/take?from=a%26b&x=%C3%A9", "application/x-www-form-urlencoded", usual)]
        await page.goto(f"{stage.url}form/plain")
        await save(page)  # now it goes straight through
        await page.wait_for_selector("#taken")


async def test_another_person_does_not_get_it(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        await page.fill("textarea", "for my eyes only")
        await stage.expire()
        await save(page)
        await sign_in(page, stage.demo.facts["people"][1])
        await page.click("main .actions a")  # the page that clears what the other user left
        await expect(page.locator("h1")).to_have_text("This form was filled in with another user ID")
        assert "eyes" not in await page.content()
        address = page.url
        await page.context.clear_cookies(name="__Host-gw-session")
        await page.goto(address)
        await sign_in(page, stage.an)
        await page.click("main .actions a")
        await expect(page.locator("h1")).to_have_text("This form is not kept any more")
        assert stage.origin.taken == []


@pytest.mark.parametrize("how", ["signed out", "expired"])
async def test_another_user_id_brings_none_of_the_applications_cookies(stage: Stage, how: str) -> None:
    """Not those with a path either, which no page of ours is sent: the application would take it for the one before."""

    async def theirs(page: Page) -> list[str]:
        return [
            str(each["name"]) for each in await page.context.cookies() if not str(each["name"]).startswith("__Host-gw")
        ]

    async with stage.visit("plain") as page:
        assert len(await theirs(page)) == 3
        if how == "signed out":
            await page.goto(f"{stage.demo.user}sign-out?other=1")
            await page.click("main form button")
            await page.wait_for_selector("[name=user_id]")
            assert await theirs(page) == []
        else:
            await stage.expire()
            await page.reload()
            await sign_in(page, stage.demo.facts["people"][1])
            await expect(page.locator("h1")).to_have_text("Another user ID")
            assert await theirs(page) == []
        assert not any("path" in str(each["name"]) for each in await page.context.cookies())


async def test_it_can_be_discarded(stage: Stage) -> None:
    async with stage.visit("plain") as page:
        await stage.expire()
        await save(page)
        await sign_in(page, stage.an)
        address = page.url
        await page.click("main .button.quiet")
        await expect(page.locator("h1")).to_have_text("The form has been discarded")
        await page.goto(address)
        await expect(page.locator("h1")).to_have_text("This form is not kept any more")
        assert stage.origin.taken == []


@pytest.mark.parametrize("locale", ["nl-BE", "fr-BE", "de-DE", "en-GB"])
async def test_the_page_stands_in_nobodys_way(stage: Stage, locale: str) -> None:
    async with stage.visit("plain", locale, java_script_enabled=True) as page:
        await page.fill("textarea", UMLAUTS)
        await stage.expire()
        await save(page)
        await screenshot(page, f"kept-sign-in-{locale[:2]}")
        await sign_in(page, stage.an)
        assert await page.get_attribute("html", "lang") == locale[:2]
        for scheme, width in (("light", 1280), ("light", 320), ("dark", 320)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 800})
            assert await misfits(page) == []
            await screenshot(page, f"kept-form-{locale[:2]}-{width}-{scheme}")
        assert await barriers(page) == []
        assert await unseen_focus(page) == []
