"""A browser that enters or leaves its employer's TLS inspection while its person works: one question at most, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import visitor
from tests.browser.harness import Demo, chromium, screenshot
from tests.browser.inspection import Office
from tests.browser.person import sign_in
from tests.browser.test_evidence import lines
from tests.browser.test_kept_forms import tell
from tests.browser.test_people import application

CONFIRM = "Please confirm who you are"


@pytest_asyncio.fixture(loop_scope="session")
async def office(demo: Demo) -> AsyncIterator[Office]:
    port = urlsplit(demo.user).port
    assert port is not None
    async with Office(port, Path(demo.facts["config"]) / "certs" / "server.pem", demo.ca).running() as office:
        yield office


@pytest_asyncio.fixture(loop_scope="session")
async def page(demo: Demo, office: Office, tmp_path: Path) -> AsyncIterator[Page]:
    """Of a browser whose way to the gateway leads through the office, from the first connection on."""
    port = urlsplit(demo.user).port
    complaints: list[str] = []
    async with chromium(tmp_path, demo.ca, host_rules=f"MAP *.localhost:{port} 127.0.0.1:{office.port}") as browser:
        context = await visitor(browser, complaints)
        yield await context.new_page()
        await context.close()
    assert complaints == []


async def confirm(page: Page, password: str) -> None:
    await page.fill("[name=password]", password)
    await page.click("main form button")
    await page.wait_for_load_state()


async def test_entering_and_leaving_costs_one_question_each_and_no_form(demo: Demo, office: Office, page: Page) -> None:
    an = demo.person("permitted:")
    record, other = application(demo, "dossier", "dossiers/93051822361"), application(demo, "guidance")
    before = len(lines(demo, 0))
    await page.goto(other)
    await sign_in(page, an)
    await page.goto(record)
    for change, word in ((office.enter, "geïnspecteerd"), (office.leave, "weer thuis")):
        await page.fill("#note", word)
        change()
        await page.click("main form button")
        await page.wait_for_url("**/step-up?start=**")
        await expect(page.locator("h1")).to_have_text(CONFIRM)
        await confirm(page, an["password"])
        await expect(page.locator("h1")).to_have_text("Send your form")
        await page.click("main form[enctype] button")
        await expect(page.locator("main dl")).to_contain_text(word)
        for address in (other, demo.user, record):  # nobody is asked twice, wherever they go
            await page.goto(address)
            assert page.url == address
    assert len({line["client_hello"] for line in lines(demo, before)}) == 2


async def test_an_inspection_that_takes_fields_out_asks_for_the_person_and_keeps_the_form(
    demo: Demo, office: Office, page: Page
) -> None:
    """All that a browser says of itself is missing from the first request on: evidence, but of nothing the person did."""
    an = demo.person("permitted:")
    record = application(demo, "dossier", "dossiers/93051822361")
    office.enter(b"sec-fetch-", b"sec-ch-")
    await page.goto(record)
    await sign_in(page, an)
    assert page.url == record  # an authentication answers all doubt, for a quarter of an hour
    await page.fill("#note", "zonder velden")
    await tell(demo, "UPDATE sessions SET auth_time = ? WHERE ended_at IS NULL", time.time() - 901)
    await page.click("main form button")
    await page.wait_for_url("**/step-up?start=**")
    await expect(page.locator("h1")).to_have_text(CONFIRM)
    await screenshot(page, "doubtful")
    before = len(lines(demo, 0))
    await confirm(page, an["password"])
    await expect(page.locator("h1")).to_have_text("Send your form")
    await page.click("main form[enctype] button")
    await expect(page.locator("main dl")).to_contain_text("zonder velden")
    await page.goto(record)
    assert page.url == record
    assert {line["reason"] for line in lines(demo, before)} == {"permitted"}
