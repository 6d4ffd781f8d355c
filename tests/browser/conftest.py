"""One demo and one browser for all browser tests; a context (cookies, storage) of its own for each test.

The tests of this folder are coroutines on one event loop, the session's, because browser and demo outlive a test. A test that needs
a demo of its own starts it with `harness.running_demo`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.harness import Demo, chromium, missing_programs, running_demo

HERE = Path(__file__).parent


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
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo that all tests share: leave its people as they were."""
    async with running_demo(tmp_path_factory.mktemp("demo") / "state") as demo:
        yield demo


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium that trusts the demo."""
    async with chromium(tmp_path_factory.mktemp("browser"), demo.ca) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser that nobody has used yet, in English."""
    context = await browser.new_context(locale="en-GB", viewport={"width": 1024, "height": 768})
    try:
        yield context
    finally:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()
