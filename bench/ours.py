"""The gateway under test: the demo's world with the bench's origin behind it, served by `gateway serve`, and a person signed in."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.peers import Server
from bench.processes import SERVER_CORE, START_SECONDS, Process, start, wait_for_port
from gateway.demo.toml import dump
from tests.browser.harness import free_offset
from tests.end_to_end.client import BROWSER, person

SETTINGS: Mapping[str, Mapping[str, Any]] = {}
"""What the bench sets in gateway.toml beside the demo's settings, by section: it shows in docs/performance.md."""


@dataclass(frozen=True, slots=True)
class World:
    """A demo's configuration on the disk, and whom to sign in as at its first transaction."""

    config: Path
    ca: Path
    certificate: Path
    key: Path
    host: str
    port: int
    operator: int
    url: str
    user_id: str
    password: str


def build(directory: Path, origin: int, aside: int = 0) -> World:
    """Has the demo make its world once, with the origin on that port as its first transaction; it is stopped again.

    `aside` is added to its ports, for a second world beside the first.
    """
    command = [sys.executable, "-m", "gateway", "demo", "--state", str(directory),
               "--port-offset", str(free_offset() + aside), "--origin", f"http://127.0.0.1:{origin}/", "--json"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as demo:
        if demo.stdout is None:
            raise RuntimeError("the demo has no output")
        facts: dict[str, Any] = json.loads(demo.stdout.readline() or b"{}")
        demo.terminate()
    if not facts:
        raise RuntimeError("the demo did not start; it said why above")
    config = Path(facts["config"])
    _set(config / "gateway.toml", SETTINGS)
    url, who = facts["transactions"][0]["url"], facts["people"][0]
    parts = urlsplit(url)
    certificate = config / "certs" / "server.pem"
    return World(
        config, Path(facts["ca"]), certificate, certificate.with_suffix(".key"),
        str(parts.hostname), parts.port or 443,
        urlsplit(facts["addresses"]["operator"]).port or 0, url, who["user_id"], who["password"],
    )  # fmt: skip


SOURCE = Path(__file__).parent.parent
"""The package as it stands, in pure Python."""
COMPILED = SOURCE / "build" / "compiled"
"""The package with its hot path compiled, as `make compiled` leaves it."""


def start_gateway(
    world: World, directory: Path, *, workers: int = 1, core: int | None = SERVER_CORE, package: Path = SOURCE
) -> Server:
    """Serves the world with the package that is in that folder, and signs its person in. The fields are those of a script on a page of
    the transaction."""
    options = ["--workers", str(workers)] if workers > 1 else []
    # -P: not the folder that we stand in, but the one that is named.
    command = [sys.executable, "-P", "-m", "gateway", "serve", "--config", str(world.config), *options]
    name = "gateway, compiled" if package != SOURCE else "gateway" if workers == 1 else f"gateway, {workers} workers"
    process = start(name.replace(", ", "-"), command, core, directory, {"PYTHONPATH": str(package)})
    wait_until_ready(process, world.operator)
    fields = {
        "User-Agent": BROWSER,
        "Accept": "*/*",
        "Accept-Language": "nl-BE,nl;q=0.9,en;q=0.8",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Referer": world.url,
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Dest": "empty",
        "Cookie": asyncio.run(_sign_in(world)),
    }
    return Server(name, process, world.host, world.port, fields)


def wait_until_ready(process: Process, operator: int) -> None:
    """Returns when the gateway says on its operator's port that it is ready: the doors open earlier."""
    wait_for_port(process, operator)
    deadline = time.monotonic() + START_SECONDS
    while process.popen.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", operator, timeout=START_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.name} is not ready: {process.log.read_text('utf-8', 'replace')[-2000:]}")


async def _sign_in(world: World) -> str:
    """The Cookie field of the person, signed in at the first transaction."""
    async with person(world.ca) as browser:
        answer = await browser.sign_in(world.url, world.user_id, world.password)
        if answer.status != 200:
            raise RuntimeError(f"sign-in: {answer.status} at {answer.url}: {(await answer.text())[:2000]}")
        return browser.cookies(str(answer.url))


def _set(file: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    if not sections:
        return
    settings = tomllib.loads(file.read_text("utf-8"))
    for name, values in sections.items():
        settings[name] = settings.get(name, {}) | dict(values)
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict | list)}
    tables = {name: value for name, value in settings.items() if name not in plain}
    file.write_text(dump("The demo's settings, and those of the bench.", plain, tables), "utf-8")
