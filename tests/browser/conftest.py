"""One demo and one browser for all browser tests; a context (cookies, storage) of its own for each test.

The tests of this folder are coroutines on one event loop, the session's, because browser and demo outlive a test. A test that needs
a demo of its own starts it with `harness.running_demo` on a copy of the template.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.browser.harness import Demo, chromium, missing_programs, running_demo

HERE = Path(__file__).parent

# A page with a status of 400 or more is a refusal that a test asked for; Chromium mentions it, which is no fault of the page.
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of \d+")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = missing_programs()
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker("browser")
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo(template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo that all tests share: leave its people as they were."""
    async with running_demo(copytree(template, tmp_path_factory.mktemp("demo") / "state")) as demo:
        yield demo


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium that trusts the demo."""
    async with chromium(tmp_path_factory.mktemp("browser"), demo.ca) as browser:
        yield browser


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained of in this test: breaches of the content security policy, scripts that failed. A test that
    provokes one takes it out; what is left fails the test."""
    return []


async def visitor(browser: Browser, complaints: list[str], **options: Any) -> BrowserContext:
    """A browser that nobody has used yet, in English unless `options` (of a Playwright context) say otherwise."""
    options = {"locale": "en-GB", "viewport": {"width": 1024, "height": 768}} | options
    context = await browser.new_context(**options)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not ANSWERED.match(message.text):
            complaints.append(f"{message.page.url if message.page else ''}: {message.type}: {message.text}")

    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(f"{error.page.url if error.page else ''}: {error.error}"))
    return context


class Visitors(Protocol):
    """Opens browsers that nobody has used yet, and a page in each; closed with the test."""

    async def __call__(self, locale: str = "en-GB", **options: Any) -> Page: ...


@pytest_asyncio.fixture(loop_scope="session")
async def visitors(browser: Browser, complaints: list[str]) -> AsyncIterator[Visitors]:
    opened: list[BrowserContext] = []

    async def open_one(locale: str = "en-GB", **options: Any) -> Page:
        context = await visitor(browser, complaints, locale=locale, **options)
        opened.append(context)
        return await context.new_page()

    try:
        yield open_one
    finally:
        for context in opened:
            await context.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(visitors: Visitors) -> Page:
    return await visitors()


@pytest_asyncio.fixture(loop_scope="session")
async def context(page: Page) -> BrowserContext:
    return page.context
