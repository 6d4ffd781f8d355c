"""An access that ends under load ends a websocket, a stream, a download and an upload within a second, whichever way it ends."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from tests.end_to_end.client import BROWSER, FETCH, Person, connected, origin_of, person
from tests.end_to_end.house import House
from tests.end_to_end.origin import Origin

WITHIN_SECONDS = 1.0
"""From the line that says what ended the access, which stands before it is committed, to what the client sees."""
AN = "an.peeters"
APP = "24/100"
"""The authorisation for the application that stands for the tests' own origin."""


@asynccontextmanager
async def load(somebody: Person, url: str, count: int = 8) -> AsyncIterator[list[int]]:
    """Small requests of the same person, one after the other on each of some connections."""
    done = [0]

    async def asks() -> None:
        while True:
            async with await somebody.fetch(url + "x") as answer:
                await answer.read()
            done[0] += 1

    tasks = [asyncio.create_task(asks()) for _ in range(count)]
    try:
        yield done
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, aiohttp.ClientError):
                await task


async def websocket_ends(socket: aiohttp.ClientWebSocketResponse) -> str:
    # The tests' origin sends bytes back as they came, masks and all; so nothing is said here, and the frames are whole.
    message = await socket.receive()
    return f"{message.type.name} {message.data}"


async def stream_ends(answer: aiohttp.ClientResponse) -> str:
    with pytest.raises(aiohttp.ClientError):
        await answer.read()
    return "broken"


async def download_ends(reader: asyncio.StreamReader) -> str:
    try:
        while await reader.read(65_536):  # noqa: ASYNC110 - a client that is slow to read
            await asyncio.sleep(0.05)
    except ConnectionError:
        return "broken"
    return "a clean end"


async def upload_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    async def sends() -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()
                await asyncio.sleep(0.05)

    sending = asyncio.create_task(sends())
    try:
        return (await reader.readline()).decode().strip()
    finally:
        sending.cancel()


def head(here: House, somebody: Person, line: str, *fields: str) -> bytes:
    url = here.url("app")
    known = FETCH | {"Cookie": somebody.cookies(url), "User-Agent": BROWSER, "Host": f"app.localhost:{here.port}"}
    lines = [line, *(f"{name}: {value}" for name, value in known.items()), f"Origin: {origin_of(url)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def by_session(here: House) -> str:
    await command(here, "session", "end", "--person", AN, "--reason", "laptop stolen")
    return "session end"


async def by_designation(here: House) -> str:
    listed = json.loads(await command(here, "designation", "list", "--person", AN, "--json"))
    number = next(one["designation"] for one in listed if one["authorisation"] == APP)
    act = ("--act", "TEST/1", "--act-date", "2026-01-02")
    await command(here, "designation", "end", str(number), "--reason", "another department", *act)
    return "designation end"


async def by_table(here: House) -> str:
    file = here.config / "authorisations" / f"{APP.replace('/', '-')}.toml"
    active = file.read_text()
    assert 'status = "active"' in active
    file.write_text(active.replace('status = "active"', 'status = "suspended"'))
    await command(here, "reload")
    return "reload"


async def by_suspension(here: House) -> str:
    await command(here, "suspend", "--authorisation", APP, "--reason", "origin compromised")
    return "suspension add"


async def command(here: House, *words: str) -> str:
    done = await asyncio.to_thread(here.run, *words)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def moment_of(here: House, act: str) -> float:
    """When the line of this act was made, Unix seconds."""
    lines = [line for line in here.lines.all() if line.get("act") == act or line["kind"] == act]
    return dt.datetime.fromisoformat(lines[-1]["time"]).timestamp()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (by_session, "session_revoked"),
        (by_designation, "designation_ended"),
        (by_table, "suspended"),
        (by_suspension, "suspended_by_ksz"),
    ],
)
async def test_what_is_open_ends_within_a_second_under_load(
    house: Callable[..., House], origin: Origin, end: Any, reason: str
) -> None:
    here = house(origin=origin.url)
    url = here.url("app")
    async with AsyncExitStack() as stack:
        stack.enter_context(here.serve())
        an = await stack.enter_async_context(person(here.ca))
        another = await stack.enter_async_context(person(here.ca))
        for one in (an, another):
            assert (await one.sign_in(url, AN, here.person(AN)["password"])).status == 200
        done = await stack.enter_async_context(load(another, url))
        socket = await an.session.ws_connect(url.replace("https:", "wss:") + "socket", origin=origin_of(url))
        events = await an.fetch(url + "events")
        raw = [
            await stack.enter_async_context(connected(here.port, ca=here.ca, sni="app.localhost", receive_buffer=8192))
            for _ in range(2)
        ]
        raw[0][1].write(head(here, an, "GET /bytes/500000000 HTTP/1.1"))
        assert b" 200 " in (await raw[0][0].readuntil(b"\r\n\r\n"))
        raw[1][1].write(head(here, an, "POST /sink HTTP/1.1", "Content-Length: 500000000"))
        ended: dict[str, tuple[float, str]] = {}

        async def ends(name: str, waiting: Any) -> None:
            how = await waiting
            ended[name] = (time.time(), how)

        waiting = [
            asyncio.create_task(ends("websocket", websocket_ends(socket))),
            asyncio.create_task(ends("events", stream_ends(events))),
            asyncio.create_task(ends("download", download_ends(raw[0][0]))),
            asyncio.create_task(ends("upload", upload_ends(*raw[1]))),
        ]
        await asyncio.sleep(1.0)
        assert not ended, ended
        before = done[0]
        assert before > 0
        act = await end(here)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*waiting), 20)
        assert len(ended) == len(waiting), ended
        began = moment_of(here, act)
        took = {name: round(at - began, 3) for name, (at, _) in ended.items()}
        print(f"{act}: {took}, {before} requests beside it")
        assert max(took.values()) <= WITHIN_SECONDS, took
        assert {name: how for name, (_, how) in ended.items()} == {
            "websocket": "CLOSE 1008",
            "events": "broken",
            "download": "broken",
            "upload": "HTTP/1.1 403 Forbidden",
        }
    details = [line["detail"] for line in here.lines.all() if line.get("outcome") == "access_ended"]
    assert details.count(reason) >= 4
    assert here.verified()
