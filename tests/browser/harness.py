"""A real browser against the real demo, both in processes of their own.

The browser is Debian's Chromium. It trusts the demo's authority as a person's would, through the store of its user (NSS, in a HOME
of its own so that nobody's profile is touched), and sends the user agent of a normal browser: the gateway refuses programs, and
makes no exception for tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from gateway.demo.world import Home
from tests.replayed import replayed

# What the demo listens on before --port-offset is added (DESIGN section 6).
DEMO_PORTS = (8080, 8443, 8444, 8445, 8446, 9090)
READY_SECONDS = 150
"""A busy machine has taken more than a minute."""
STOP_SECONDS = 60

# No request leaves this machine by the browser's own wish.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-quic",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
)


def missing_programs() -> str:
    """What to install before a browser test can run; empty when nothing is missing."""
    programs = {"chromium": "chromium", "certutil": "libnss3-tools"}
    packages = [package for program, package in programs.items() if shutil.which(program) is None]
    return f"no browser: apt install {' '.join(packages)}" if packages else ""


@cache
def user_agent() -> str:
    """What this Chromium says of itself with a window: its major version, nothing about being headless."""
    command = ["chromium", "--version"]
    said = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    version = re.search(r"\d+", said)
    if version is None:
        raise RuntimeError(f"chromium --version says {said!r}")
    return (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{version[0]}.0.0.0 Safari/537.36"
    )


def trust(home: Path, ca: Path) -> None:
    """Make the browser whose HOME this is trust the authority in the PEM file `ca` for servers."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True, exist_ok=True)
    database = f"sql:{store}"
    if not (store / "cert9.db").exists():
        subprocess.run(["certutil", "-d", database, "-N", "--empty-password"], check=True, capture_output=True)
    add = ["certutil", "-d", database, "-A", "-n", str(ca), "-t", "C,,", "-i", str(ca)]
    subprocess.run(add, check=True, capture_output=True)


def own(home: Path, pkcs12: Path, password: str) -> None:
    """Give the browser whose HOME this is, and that trusts somebody already, a certificate of its own with the key."""
    database = f"sql:{home / '.pki' / 'nssdb'}"
    add = ["pk12util", "-d", database, "-i", str(pkcs12), "-W", password, "-K", ""]
    subprocess.run(add, check=True, capture_output=True)


def with_policy(directory: Path, policy: dict[str, Any]) -> Path:
    """A program that starts Chromium under a policy as an administrator would set it; nobody else on this machine comes under it.

    Chromium reads policies in one place only, which is covered for this process: a mount of its own, which needs no rights.
    """
    managed = directory / "policies" / "managed"
    managed.mkdir(parents=True)
    (managed / "policy.json").write_text(json.dumps(policy))
    program = directory / "chromium"
    cover = 'mount -t tmpfs none /etc/chromium && cp -r "$0/policies" /etc/chromium/ && exec chromium "$@"'
    program.write_text(f"#!/bin/sh\nexec unshare --user --map-root-user --mount sh -c '{cover}' '{directory}' \"$@\"\n")
    program.chmod(0o755)
    return program


@asynccontextmanager
async def chromium(
    home: Path, ca: Path, *, host_rules: str = "", program: Path | None = None
) -> AsyncIterator[Browser]:
    """A Chromium that trusts `ca`. `host_rules`, e.g. `MAP *.gateway.test 127.0.0.1`, gives it names that no resolver knows; `program`
    starts it (see `with_policy`)."""
    trust(home, ca)
    arguments = [*QUIET, f"--user-agent={user_agent()}"]
    if host_rules:
        arguments.append(f"--host-resolver-rules={host_rules}")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program or shutil.which("chromium"),
            args=arguments,
            # Root has no sandbox of Chromium's, and is who starts it where a policy is set.
            chromium_sandbox=os.geteuid() != 0 and program is None,
            env={**outside, "HOME": str(home)},
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True)
class Demo:
    """A running demo: the object that it printed (DESIGN section 7), its process, and what it says on stderr."""

    facts: dict[str, Any]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ca(self) -> Path:
        return Path(self.facts["ca"])

    @property
    def user(self) -> str:
        """The portal's address, as a person would type it."""
        return str(self.facts["addresses"]["user"])

    def person(self, story: str) -> dict[str, Any]:
        """The first person whose story has these words."""
        return self._first("people", story)

    def transaction(self, story: str) -> dict[str, Any]:
        """The first transaction whose story has these words, or whose id this is."""
        return self._first("transactions", story)

    def _first(self, kind: str, words: str) -> dict[str, Any]:
        for item in self.facts[kind]:
            if words.lower() in item["story"].lower() or words == item.get("id"):
                return dict(item)
        raise LookupError(f"the demo has none of {kind} with {words!r}: {[item['story'] for item in self.facts[kind]]}")


def free_offset(ports: Sequence[int] = DEMO_PORTS) -> int:
    """A --port-offset with which every port of the demo is free now, on both families' loopback."""
    for offset in range(11_000 + os.getpid() % 500 * 20, 50_000, 20):
        with suppress(OSError):
            for port in ports:
                with socket.create_server(("127.0.0.1", port + offset)):
                    pass
            return offset
    raise RuntimeError("no free ports for a demo")


@asynccontextmanager
async def running_demo(
    state: Path,
    *arguments: str,
    command: Sequence[str] = (sys.executable, "-m", "gateway", "demo"),
) -> AsyncIterator[Demo]:
    """The demo, started as a person would and stopped by Ctrl-C: it must end cleanly and leave nothing running, and what it decided must
    be what `gateway replay` decides again."""
    state.mkdir(parents=True, exist_ok=True)
    log = state.with_name(state.name + ".log")
    options = ("--state", str(state), "--port-offset", str(free_offset()), "--json", *arguments)
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},  # so that one that hangs can be asked where
        ) as process,
    ):
        try:
            facts = await _ready(process, log)
            yield Demo(facts, process, log)
            await _stop(process, log)
            home = Home(state)
            if home.ledger.exists():  # the stand-ins of test_harness have none
                replayed(home)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


async def _ready(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    if process.stdout is None:
        raise RuntimeError("the demo has no stdout")
    try:
        line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), READY_SECONDS)
    except TimeoutError:
        process.send_signal(signal.SIGABRT)  # it says on stderr where each of its threads is
        await asyncio.to_thread(process.wait, STOP_SECONDS)
        raise AssertionError(f"the demo was not ready within {READY_SECONDS} s:\n{log.read_text()}") from None
    if not line.endswith(b"\n"):
        raise AssertionError(f"the demo ended before it was ready:\n{log.read_text()}")
    facts = json.loads(line)
    if not isinstance(facts, dict):
        raise AssertionError(f"the demo printed no object: {line!r}")
    return facts


async def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself: its status tells
        os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the whole group
    try:
        status = await asyncio.to_thread(process.wait, STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the demo still ran {STOP_SECONDS} s after Ctrl-C:\n{log.read_text()}") from None
    said = log.read_text()
    if status != 0 or "Traceback" in said:
        raise AssertionError(f"the demo ended with {status} after Ctrl-C:\n{said}")
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError("the demo left processes running after Ctrl-C")


async def screenshot(page: Page, name: str) -> None:
    """Save the whole page as NAME.png where the environment's SCREENSHOTS says; without it, do nothing."""
    directory = os.environ.get("SCREENSHOTS")
    if directory:
        await page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)
