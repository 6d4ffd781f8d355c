"""Websockets beside and through the gateway, with a client and an origin that are not ours; many at once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.client import BROWSER, person, trusting
from tests.end_to_end.house import House
from tests.end_to_end.websocket_origin import MAX_BYTES, digest, running_websocket_origin

Opening = Callable[..., AbstractAsyncContextManager[ClientConnection]]
Transcript = list[Any]
MESSAGE = bytes(random.Random(6455).randbytes(8 * 1024 * 1024))
"""Eight MB that do not compress."""


@pytest.fixture
def websocket_origin() -> Iterator[int]:
    with running_websocket_origin() as port:
        yield port


def directly(port: int) -> Opening:
    @asynccontextmanager
    async def opening(**options: Any) -> AsyncIterator[ClientConnection]:
        async with connect(f"ws://127.0.0.1:{port}/", max_size=MAX_BYTES, ping_interval=None, **options) as socket:
            yield socket

    return opening


@asynccontextmanager
async def through(here: House) -> AsyncIterator[Opening]:
    """The same, as a signed-in person's browser opens it."""
    url = here.url("app")
    async with person(here.ca) as an:
        answer = await an.sign_in(url, "an.peeters", here.person("an.peeters")["password"])
        assert answer.status in (200, 426), await answer.text()
        cookies = an.cookies(url)

        @asynccontextmanager
        async def opening(**options: Any) -> AsyncIterator[ClientConnection]:
            async with connect(
                f"wss://app.localhost:{here.port}/", host="127.0.0.1", port=here.port, ssl=trusting(here.ca),
                origin=f"https://app.localhost:{here.port}", user_agent_header=BROWSER,
                additional_headers={"Cookie": cookies, "Accept-Language": "en"},
                max_size=MAX_BYTES, ping_interval=None, **options,
            ) as socket:  # fmt: skip
                yield socket

        yield opening


async def received(socket: ClientConnection, into: Transcript) -> None:
    into.append([digest(fragment) async for fragment in socket.recv_streaming()])


async def messages(opening: Opening, into: Transcript, **options: Any) -> None:
    """Texts and bytes, empty and of 8 MB, whole and in fragments, pings in both directions and between fragments."""
    async with opening(**options) as socket:
        response = socket.response
        assert response is not None
        into.append([response.status_code, response.headers.get("Sec-WebSocket-Extensions"), socket.subprotocol])
        for message in ("hello", "", "é€😀" * 1000, b"", b"\x00\xff" * 70_000, MESSAGE, "x" * len(MESSAGE)):
            await socket.send(message)
            await received(socket, into)
        for fragments in (["a", "b", "c"], ["", "b"], [b"x" * 126, b"", b"y" * 65_536, MESSAGE[:100_000]]):
            await socket.send(fragments)
            await received(socket, into)
        assert await (await socket.ping(b"p" * 125)) >= 0
        await socket.send("ping me")
        await received(socket, into)

        async def between() -> AsyncIterator[bytes]:
            for number in range(3):
                yield bytes([number]) * 1000
                await (await socket.ping(b"between"))

        await socket.send(between())
        await received(socket, into)


async def client_closes(opening: Opening, into: Transcript, **options: Any) -> None:
    for code, words in ((1000, ""), (1001, "going"), (3000, "x" * 123), (4999, "é")):
        async with opening(**options) as socket:
            await socket.send("hello")
            await received(socket, into)
            await socket.close(code, words)
            into.append([socket.close_code, socket.close_reason])


async def origin_closes(opening: Opening, into: Transcript, **options: Any) -> None:
    for told in ("close 1000 ", "close 1011 trouble", "close 4001 é", "vanish"):
        async with opening(**options) as socket:
            await socket.send(told)
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                into.append([closed.rcvd and closed.rcvd.code, closed.rcvd and closed.rcvd.reason, socket.close_code])


async def rules_broken(opening: Opening, into: Transcript, **options: Any) -> None:
    """What the origin must fail the connection for, it fails, and its words arrive."""
    for data in (
        b"\x81\x02hi",
        b"\x83\x80\x00\x00\x00\x00",
        b"\x81\x81\x00\x00\x00\x00\xff",
        b"\x09\x80\x00\x00\x00\x00",
    ):
        async with opening(**options) as socket:
            socket.transport.write(data)
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                into.append([closed.rcvd and closed.rcvd.code, closed.rcvd and closed.rcvd.reason])


async def told(opening: Opening) -> Any:
    """The origin's side of all that has ended."""
    async with opening() as socket:
        await socket.send("notes")
        return json.loads(await socket.recv())


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("script", [messages, client_closes, origin_closes, rules_broken])
async def test_no_difference_between_direct_and_through(
    house: Callable[..., House], websocket_origin: int, script: Any, compression: str | None
) -> None:
    here = house(origin=f"http://127.0.0.1:{websocket_origin}/")
    direct = directly(websocket_origin)
    beside: Transcript = []
    await script(direct, beside, compression=compression)
    await asyncio.sleep(0.2)
    theirs = await told(direct)
    passed: Transcript = []
    with here.serve():
        async with through(here) as opening:
            await script(opening, passed, compression=compression)
            await asyncio.sleep(0.5)
    assert passed == beside
    assert len(beside) >= 4
    # The origin saw the same, twice over (what asked it for its notes left a note of its own).
    seen = [note for note in await told(direct) if "notes" not in str(note) and note[0] != [[digest("notes")]]]
    half = len(theirs)
    assert seen[half : 2 * half] == theirs


@pytest.mark.slow
async def test_two_hundred_at_once(house: Callable[..., House], websocket_origin: int) -> None:
    """Each gets its own messages back, in order, while all of them talk."""
    here = house(origin=f"http://127.0.0.1:{websocket_origin}/")
    with here.serve():
        async with through(here) as opening:
            open_at_once = asyncio.Barrier(200)

            async def talks(number: int) -> int:
                async with opening(compression=None, open_timeout=60) as socket:
                    await asyncio.wait_for(open_at_once.wait(), 90)
                    for turn in range(20):
                        message = f"{number} {turn} " + "x" * (turn * 300)
                        await socket.send(message)
                        assert await asyncio.wait_for(socket.recv(), 60) == message
                return number

            async with asyncio.timeout(110):
                assert sorted(await asyncio.gather(*map(talks, range(200)))) == list(range(200))
    completions = [line for line in here.lines.all() if line["kind"] == "completion" and line["status"] == 101]
    assert len(completions) == 200
    assert {line["outcome"] for line in completions} == {"completed"}
