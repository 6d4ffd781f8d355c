"""What a person does in a browser: signs in, steps up with the code of their app, reads a reference out."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from gateway.credentials.totp import STEP_SECONDS, code_at, parse_secret, step_at

REFERENCE = re.compile(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]")

_used: dict[str, int] = {}


async def sign_in(page: Page, person: dict[str, Any], code: str = "") -> None:
    """Fill in the sign-in page that is open, and send it."""
    await page.fill("[name=user_id]", person["user_id"])
    await page.fill("[name=password]", person["password"])
    await page.fill("[name=code]", code)
    await page.click("main form button")
    await page.wait_for_load_state()


async def sign_out(page: Page) -> None:
    """On the sign-out page that is open: yes, everywhere."""
    await page.click("main form button")
    await page.wait_for_load_state()


async def fresh_code(person: dict[str, Any]) -> str:
    """A code by app that was not used before; waits when those of the present are spent (they are good once, RFC 6238 section 5.2)."""
    secret = person["totp_secret"]
    step = max(step_at(time.time()), _used.get(secret, 0) + 1)
    if step > step_at(time.time()) + 1:
        await asyncio.sleep((step - 1) * STEP_SECONDS - time.time())
    _used[secret] = step
    return code_at(parse_secret(secret), step)


async def language(page: Page) -> str | None:
    return await page.get_attribute("html", "lang")


async def reference(page: Page) -> str:
    """The reference that the page shows, as it would be dictated."""
    found = REFERENCE.search(await page.inner_text("main"))
    assert found is not None, await page.inner_text("main")
    return found[0]


def ledger_line(ledger: Path, reference: str) -> dict[str, Any]:
    """The decision line that a reference finds."""
    request = reference.replace("-", "")
    for file in sorted(ledger.rglob("*.jsonl")):
        for text in file.read_text().splitlines():
            line: dict[str, Any] = json.loads(text)
            if line["id"] == request and line["kind"] == "decision":
                return line
    raise AssertionError(f"no decision line for {reference} in {ledger}")
