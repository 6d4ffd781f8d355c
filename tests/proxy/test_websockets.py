"""A websocket on the stage: what passes, and how it ends when the access does, at a frame boundary of each direction."""

from __future__ import annotations

import asyncio
import dataclasses as dc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.proxy.gate import Timeouts
from gateway.proxy.pacing import Rates
from tests.decision import world
from tests.message.test_frames import MASK, frame
from tests.proxy.stage import HOST, Stage, stage, until

FIELDS = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
)
CLOSE = 8


class Both:
    """Both ends of one websocket through the gateway, byte for byte."""

    def __init__(self, it: Stage) -> None:
        self.it = it
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.origin: asyncio.StreamReader
        self.origin_writer: asyncio.StreamWriter
        self.accepted = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCH)
        self.origin, self.origin_writer = reader, writer
        self.accepted.set()
        await asyncio.Event().wait()

    def revoke(self) -> None:
        self.it.records.users[world.USER.user_id] = dc.replace(world.USER, designations={})

    async def both_read(self, client: bytes, origin: bytes) -> None:
        assert await asyncio.wait_for(self.reader.readexactly(len(client)), 5) == client
        assert await asyncio.wait_for(self.origin.readexactly(len(origin)), 5) == origin

    async def client_rest(self) -> bytes:
        """What the client still gets; the connection may break."""
        data = b""
        try:
            while piece := await asyncio.wait_for(self.reader.read(65536), 5):
                data += piece
        except ConnectionError:
            return data + b"<broken>"
        return data

    async def origin_rest(self) -> bytes:
        data = b""
        try:
            while piece := await asyncio.wait_for(self.origin.read(65536), 5):
                data += piece
        except ConnectionError:
            return data + b"<broken>"
        return data


@asynccontextmanager
async def websocket(directory: Path, **options: object) -> AsyncIterator[Both]:
    served: list[Both] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await served[0].serve(reader, writer)

    async with stage(directory, serve, **options) as it:  # type: ignore[arg-type]
        both = Both(it)
        served.append(both)
        both.reader, both.writer = await it.connect()
        asked = it.request("GET /dossier/live HTTP/1.1", f"Origin: https://{HOST}:{it.port}", *FIELDS)
        both.writer.write(asked.replace(b"Connection: close", b"Connection: Upgrade"))
        head = await asyncio.wait_for(both.reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101 "), head
        await both.accepted.wait()
        try:
            yield both
        finally:
            both.writer.close()


def unmasked(data: bytes) -> bytes:
    """The payload of a short masked frame."""
    mask, payload = data[2:6], data[6:]
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def assert_told(data: bytes, status: int = 1008) -> None:
    """The client's Close, and nothing behind it."""
    assert data[0] == 0x88, data
    assert len(data) == 2 + data[1]
    assert int.from_bytes(data[2:4], "big") == status


def assert_origin_told(data: bytes, status: int = 1008) -> None:
    assert data[0] == 0x88, data
    assert data[1] & 0x80
    assert len(data) == 6 + (data[1] & 0x7F)
    assert int.from_bytes(unmasked(data)[:2], "big") == status


async def test_frames_pass_untouched_in_both_directions(tmp_path: Path) -> None:
    """Reserved bits, fragments, pings between them, an own Close with words: none of it is ours."""
    client = (
        frame(0x41, b"compressed", final=False, masked=True)
        + frame(9, b"ping", masked=True)
        + frame(0, b"rest", masked=True)
    )
    origin = frame(10, b"pong") + frame(2, b"x" * 70_000) + frame(CLOSE, b"\x0f\xa0words")
    async with websocket(tmp_path) as both:
        both.writer.write(client)
        both.origin_writer.write(origin)
        await both.both_read(origin, client)
        both.writer.write(frame(CLOSE, b"\x0f\xa0", masked=True))
        await both.both_read(b"", frame(CLOSE, b"\x0f\xa0", masked=True))
        both.origin_writer.close()
        assert await both.client_rest() == b""
        completion = await both.it.completion()
        assert (completion["outcome"], completion["status"]) == ("completed", 101)


async def test_when_the_access_ends_both_are_told_and_the_line_says_why(tmp_path: Path) -> None:
    async with websocket(tmp_path) as both:
        both.writer.write(frame(1, b"hello", masked=True))
        both.origin_writer.write(frame(1, b"hello"))
        await both.both_read(frame(1, b"hello"), frame(1, b"hello", masked=True))
        both.revoke()
        reference = (await both.it.completion())["id"]
        head = await asyncio.wait_for(both.reader.readexactly(2), 1)
        words = await both.reader.readexactly(head[1])
        assert head[0] == 0x88
        assert words == b"\x03\xf0" + f"access ended ({reference})".encode()
        began = asyncio.get_running_loop().time()
        both.writer.write(frame(CLOSE, b"\x03\xf0", masked=True))
        assert await both.client_rest() == b""
        assert asyncio.get_running_loop().time() - began < 0.8  # it did not wait the whole moment
        assert_origin_told(await both.origin_rest())
        completion = await both.it.completion()
        assert (completion["outcome"], completion["detail"]) == ("access_ended", "not_designated")


async def test_the_frame_under_way_passes_whole_and_nothing_behind_it(tmp_path: Path) -> None:
    origin, client = frame(2, b"o" * 50_000), frame(2, b"c" * 50_000, masked=True)
    async with websocket(tmp_path) as both:
        both.origin_writer.write(origin[:1000])
        both.writer.write(client[:1000])
        await both.both_read(origin[:1000], client[:1000])
        both.revoke()
        await asyncio.sleep(0.05)
        assert both.it.lines("completion") == []
        both.origin_writer.write(origin[1000:] + frame(1, b"secret"))
        both.writer.write(client[1000:] + frame(1, b"more", masked=True))
        got = await both.client_rest()
        assert got[: len(origin) - 1000] == origin[1000:]
        assert_told(got[len(origin) - 1000 :])
        sent = await both.origin_rest()
        assert sent[: len(client) - 1000] == client[1000:]
        assert_origin_told(sent[len(client) - 1000 :])
        assert (await both.it.completion())["outcome"] == "access_ended"


@pytest.mark.parametrize("where", ["in the head", "in the payload"])
async def test_a_frame_that_does_not_end_is_broken_off(tmp_path: Path, where: str) -> None:
    part = frame(2, b"", length=1_000_000)[:5] if where == "in the head" else frame(2, b"oooo", length=1_000_000)
    async with websocket(tmp_path) as both:
        both.origin_writer.write(part)
        await both.both_read(part, b"")
        began = asyncio.get_running_loop().time()
        both.revoke()
        assert await both.client_rest() == b"<broken>"
        assert 0.3 < asyncio.get_running_loop().time() - began < 1.0
        assert (await both.it.completion())["outcome"] == "access_ended"
        assert_origin_told(await both.origin_rest())


async def test_a_client_in_mid_frame_is_told_at_once(tmp_path: Path) -> None:
    part = frame(2, b"cccc", length=1_000_000, masked=True)
    async with websocket(tmp_path) as both:
        both.writer.write(part)
        await both.both_read(b"", part)
        both.revoke()
        assert (await asyncio.wait_for(both.reader.readexactly(4), 0.4))[2:] == b"\x03\xf0"
        assert b"\x88" not in await both.origin_rest()
        assert (await both.it.completion())["outcome"] == "access_ended"


async def test_who_said_goodbye_already_is_not_answered_twice(tmp_path: Path) -> None:
    async with websocket(tmp_path) as both:
        goodbye = frame(CLOSE, b"\x03\xe8")
        both.origin_writer.write(goodbye)
        await both.both_read(goodbye, b"")
        both.revoke()
        assert await both.client_rest() == b""
        assert_origin_told(await both.origin_rest())


async def test_what_is_no_websocket_passes_and_is_broken_off(tmp_path: Path) -> None:
    """Lost frames: a Close could be taken for anything there."""
    async with websocket(tmp_path) as both:
        both.origin_writer.write(b"first")
        both.writer.write(b"GET / HTTP/1.1\r\n\r\n" * 3)
        await both.both_read(b"first", b"GET / HTTP/1.1\r\n\r\n" * 3)
        both.revoke()
        assert await both.client_rest() == b"<broken>"
        assert await both.origin_rest() in (b"", b"<broken>")
        assert (await both.it.completion())["outcome"] == "access_ended"


async def test_a_drain_says_that_we_go_away(tmp_path: Path) -> None:
    async with websocket(tmp_path) as both:
        (connection,) = both.it.gate.connections
        both.it.gate.draining = True
        connection.drain()
        assert_told(await both.client_rest(), 1001)
        assert_origin_told(await both.origin_rest(), 1001)
        completion = await both.it.completion()
        assert (completion["outcome"], completion["detail"]) == ("draining", None)


async def test_an_origin_that_breaks_off_within_a_frame_breaks_the_clients(tmp_path: Path) -> None:
    async with websocket(tmp_path) as both:
        both.origin_writer.write(frame(2, b"oooo", length=1_000_000))
        await both.reader.readexactly(14)
        both.origin_writer.transport.abort()
        assert await both.client_rest() == b"<broken>"
        assert (await both.it.completion())["outcome"] == "origin_broken"


async def test_a_client_that_leaves_lets_the_origin_have_its_last_words(tmp_path: Path) -> None:
    async with websocket(tmp_path) as both:
        words = frame(2, b"w" * 60_000, masked=True) + frame(CLOSE, b"\x03\xe8", masked=True)
        both.writer.write(words)
        both.writer.close()
        assert await both.origin_rest() == words
        assert (await both.it.completion())["outcome"] == "completed"


async def test_a_client_that_leaves_while_the_access_ends_leaves_the_reason(tmp_path: Path) -> None:
    async with websocket(tmp_path) as both:
        both.origin_writer.write(frame(2, b"oooo", length=1_000_000))
        await both.reader.readexactly(14)
        both.revoke()
        await asyncio.sleep(0.05)
        both.writer.transport.abort()
        completion = await both.it.completion()
        assert (completion["outcome"], completion["detail"]) == ("access_ended", "not_designated")


async def test_who_takes_nothing_is_cut_and_the_memory_stays_bounded(tmp_path: Path) -> None:
    """The origin goes on until it is held; then the client's time runs out."""
    async with websocket(tmp_path, timeouts=Timeouts(5.0, 5.0, 1.0, 1.0), rates=Rates(500, 1_000_000)) as both:
        both.writer.transport.pause_reading()
        whole = frame(2, b"o" * 30_000_000)
        both.origin_writer.write(whole)
        (connection,) = both.it.gate.connections
        await until(lambda: connection.write_paused)
        await until(lambda: bool(both.it.lines("completion")))
        completion = await both.it.completion()
        assert completion["outcome"] == "too_slow"
        assert completion["response_bytes"] < 15_000_000
        both.writer.transport.abort()


async def test_bytes_before_the_acceptance_reach_no_origin_that_refuses(tmp_path: Path) -> None:
    """THREATS row 18: they wait here, and go nowhere, whatever the origin says; and the connection serves nobody else."""
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(refused)
        await reader.read(-1)

    async with stage(tmp_path, refuse) as it:
        smuggled = b"GET /admin HTTP/1.1\r\nHost: origin\r\n\r\n"
        asked = it.request("GET /dossier/live HTTP/1.1", f"Origin: https://{HOST}:{it.port}", *FIELDS)
        reader, writer = await it.connect()
        writer.write(asked.replace(b"Connection: close", b"Connection: Upgrade") + smuggled)
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 403 ")
        writer.close()
        await it.completion()
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 403 ")
        assert len(it.seen) == 2
        assert not [seen for seen in it.seen if b"admin" in seen]
        assert MASK not in it.seen[0]
