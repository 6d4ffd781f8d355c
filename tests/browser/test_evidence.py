"""No browser of a person gives evidence of a program, whatever its pages do: with Chromium as it really is, and the lines it left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.browser.conftest import Visitors
from tests.browser.harness import Demo
from tests.browser.person import sign_in
from tests.browser.test_people import application

BUSY = """async () => {
  const socket = new WebSocket('wss://' + location.host + '/dossier/live');
  await new Promise((done) => { socket.onopen = done; socket.onerror = done; });
  // Streams of all tabs together may fill the six connections that Chromium has for a host: this one makes room again.
  const events = new EventSource('/dossier/events');
  await new Promise((done) => { events.onopen = events.onerror = done; });
  events.close();
  const get = (path, options) => fetch(path, options).then((answer) => answer.arrayBuffer(), () => 0);
  await Promise.all([
    get('/dossier/'), get('/dossier/', {headers: {Accept: 'application/json'}}), get('/dossier/', {method: 'HEAD'}),
    get('/dossier/', {mode: 'no-cors'}), get('/dossier/', {mode: 'same-origin', cache: 'reload'}),
    get('/dossier/', {credentials: 'include', referrerPolicy: 'no-referrer'}),
    get('/dossier/search', {method: 'POST', body: new URLSearchParams({query: 'x'})}),
    get('/dossier/documents/archive.csv', {headers: {Range: 'bytes=0-99'}}),
    new Promise((done) => { const one = new XMLHttpRequest(); one.open('GET', '/dossier/'); one.onloadend = done; one.send(); }),
    new Promise((done) => { const one = new Image(); one.onload = one.onerror = done; one.src = '/dossier/picture'; }),
  ]);
  navigator.sendBeacon('/dossier/search', new URLSearchParams({query: 'x'}));
  const frame = document.createElement('iframe');
  await new Promise((done) => { frame.onload = frame.onerror = done; frame.src = '/dossier/'; document.body.append(frame); });
  socket.close();
}"""


def lines(demo: Demo, after: int) -> list[dict[str, Any]]:
    """The decision lines with a session, from the `after`th on."""
    found = []
    for file in sorted(Path(demo.facts["ledger"]).rglob("user-*.jsonl")):
        whole, _, _ = file.read_bytes().rpartition(b"\n")
        found += [json.loads(line) for line in whole.split(b"\n") if line]
    return [line for line in found if line["kind"] == "decision" and "session" in line][after:]


def assert_a_person(found: list[dict[str, Any]], least: int) -> None:
    assert len(found) >= least
    assert [line for line in found if "evidence" in line or "too_fast" in line] == []
    assert len({line["client_hello"] for line in found}) == 1
    assert {line["agent"] for line in found} == {"browser"}
    assert {line["reason"] for line in found} <= {"permitted", "use_not_covered", "cross_site"}


async def work(page: Page) -> None:
    """All that a page can do by itself, and a link."""
    await page.evaluate(BUSY)
    await page.keyboard.press("Tab")
    await page.reload()


async def test_many_tabs_that_do_everything_at_once(demo: Demo, visitors: Visitors, complaints: list[str]) -> None:
    before = len(lines(demo, 0))
    page = await visitors()
    await page.goto(application(demo, "dossier"))
    await sign_in(page, demo.person("permitted:"))
    tabs = [page, *[await page.context.new_page() for _ in range(5)]]
    await asyncio.gather(*(tab.goto(application(demo, "dossier")) for tab in tabs))
    await asyncio.gather(*(work(tab) for tab in tabs))
    complaints.clear()  # what the demo's own pages do not have, or their policy forbids
    assert_a_person(lines(demo, before), 60)


async def test_a_phone_that_changes_networks(demo: Demo, visitors: Visitors, complaints: list[str]) -> None:
    """The network goes away and comes back. (The address of the client is not looked at, so another one cannot matter.)"""
    before = len(lines(demo, 0))
    page = await visitors(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    await page.goto(application(demo, "dossier"))
    await sign_in(page, demo.person("permitted:"))
    for _ in range(3):
        await page.context.set_offline(True)
        await page.evaluate("fetch('/dossier/').catch(() => 0)")
        await page.context.set_offline(False)
        await page.goto(application(demo, "dossier"))
        await page.tap("main h1")
    complaints.clear()
    assert_a_person(lines(demo, before), 4)


async def test_without_scripts_by_keyboard_in_forced_colours(demo: Demo, visitors: Visitors) -> None:
    """What a screen reader or a switch does: it presses keys and follows links, in a browser like any other."""
    before = len(lines(demo, 0))
    page = await visitors(java_script_enabled=False, forced_colors="active", reduced_motion="reduce")
    await page.goto(application(demo, "dossier"))
    await sign_in(page, demo.person("permitted:"))
    for _ in range(4):
        await page.keyboard.press("Tab")
    await page.focus("#query")
    await page.keyboard.type("aerts")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await page.goto(application(demo, "dossier"))
    await page.reload()
    assert_a_person(lines(demo, before), 4)
