"""How a refused connection ends: the page arrives, whatever the client still sends, and nothing behind it is read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from gateway.proxy.client import LINGER_SECONDS
from tests.proxy.stage import HOST, OK, Stage, stage
from tests.proxy.test_hostile_messages import CASES, CHUNKS, Case, chunked, get, head, post

MEGABYTES = 8 * 1024 * 1024
BAD = b"GET /dossier/../x HTTP/1.1\r\nHost: dossier.localhost\r\n\r\n"


Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
"""How a connection ends is the loop's doing: the one that serves, and the standard library's."""


def of(it: Stage, raw: bytes) -> bytes:
    return raw.replace(b"PORT", str(it.port).encode())


def whole(said: bytes, status: int) -> bool:
    """One answer, of that status, that ends its connection and came to its last byte."""
    top, _, page = said.partition(b"\r\n\r\n")
    return (
        top.startswith(b"HTTP/1.1 %d " % status)
        and b"\r\nConnection: close" in top
        and b"\r\nContent-Length: %d\r\n" % len(page) in top + b"\r\n"
    )


def send_all_then_read(it: Stage, data: bytes) -> bytes:
    """A client that reads nothing before it has sent everything, or cannot send on: as browsers do with a form."""
    context = ssl.create_default_context(cafile=str(it.ca))
    with (
        socket.create_connection(("127.0.0.1", it.port)) as raw,
        context.wrap_socket(raw, server_hostname=HOST, suppress_ragged_eofs=True) as connection,
    ):
        connection.settimeout(10)
        said = b""
        with contextlib.suppress(OSError):  # we are cut off: what we were told before is what this is about
            connection.sendall(data)
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                said += piece
        return said


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (BAD, 400),
        (chunked(b"5\nhello"), 400),
        (post("Content-Length: 8388608", "Expect: a-miracle"), 417),
        (post("Content-Length: 8388608").replace(b"__Host-gw-session", b"nothing"), 403),
        (post("Content-Length: 8388608").replace(b"Origin: https://dossier", b"Origin: https://evil"), 403),
        (get("/dossier/" + "a" * 16_384), 414),
        (get("/dossier/x", "X-A: " + "b" * 33_000), 431),
    ],
)
@LOOPS
def test_the_page_reaches_a_client_that_sends_megabytes(tmp_path: Path, start: bytes, status: int, loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_send_megabytes(tmp_path, start, status))


async def _send_megabytes(tmp_path: Path, start: bytes, status: int) -> None:
    async with stage(tmp_path) as it:
        data = of(it, start) + bytes(MEGABYTES)
        both_ways, one_way = await asyncio.gather(
            it.ask(data), asyncio.to_thread(send_all_then_read, it, data), return_exceptions=True
        )
        assert isinstance(one_way, bytes)
        assert whole(one_way, status), one_way[:300]
        assert isinstance(both_ways, bytes), both_ways
        assert whole(both_ways, status), both_ways[:300]
        assert not it.seen
        assert len(it.lines("decision")) == 2


@LOOPS
def test_a_refused_client_is_told_at_once_that_it_was_all(tmp_path: Path, loop: Loop) -> None:
    """TLS's own half-close: who reads to the end need not wait for the moment in which we still listen."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_read_to_the_end(tmp_path))


async def _read_to_the_end(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        began = time.monotonic()
        assert whole(await it.ask(BAD), 400)
        assert time.monotonic() - began < LINGER_SECONDS


@LOOPS
def test_at_most_64_kib_are_read_of_what_it_still_sends(tmp_path: Path, loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_send_on(tmp_path))


async def _send_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        reader, writer = await it.connect()
        writer.write(BAD)
        assert whole(await reader.read(-1), 400)
        (connection,) = it.gate.connections
        for _ in range(64):
            writer.write(bytes(64 * 1024))
            await asyncio.sleep(0)
        await asyncio.sleep(LINGER_SECONDS / 2)
        assert connection._discarded <= 64 * 1024 + 256 * 1024  # what one read of the loop brings comes on top
        await asyncio.sleep(LINGER_SECONDS)
        assert not it.gate.connections
        writer.transport.abort()


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
@pytest.mark.parametrize(
    ("mode", "signed_in", "fields", "status"),
    [
        ("navigate", False, (), 403),
        ("cors", False, (), 401),
        ("navigate", True, ("Sec-Fetch-Site: cross-site",), 403),
        ("navigate", True, ("X: y",), 413),
    ],
)
async def test_a_refusal_before_the_body_was_read_ends_the_connection(
    tmp_path: Path, mode: str, signed_in: bool, fields: tuple[str, ...], status: int, expect: tuple[str, ...]
) -> None:
    """What follows may be the body or a request: it is not read."""
    async with stage(tmp_path, max_body_bytes=10) as it:
        own = f"Origin: https://{HOST}:{it.port}"
        request = it.request(
            "POST /dossier/x HTTP/1.1",
            own,
            "Content-Length: 200",
            f"Sec-Fetch-Mode: {mode}",
            *fields,
            *expect,
            signed_in=signed_in,
        ).replace(b"Connection: close\r\n", b"")
        said = await it.ask(request + of(it, get("/dossier/smuggled")))
        assert whole(said, status), said
        assert not it.seen
        assert [line["path"] for line in it.lines("decision")] == ["/dossier/x"]


@pytest.mark.parametrize("mode", ["navigate", "cors"])
async def test_a_challenge_to_a_get_with_a_body_ends_the_connection(tmp_path: Path, mode: str) -> None:
    async with stage(tmp_path) as it:
        request = it.request(
            "GET /dossier/x HTTP/1.1", "Content-Length: 200", f"Sec-Fetch-Mode: {mode}", signed_in=False
        ).replace(b"Connection: close\r\n", b"")
        said = await it.ask(request + of(it, get("/dossier/smuggled")))
        assert whole(said, 303 if mode == "navigate" else 401), said
        assert len(it.lines("decision")) == 1


@pytest.mark.parametrize(
    "raw",
    [
        head("HEAD /dossier/../x HTTP/1.1"),
        head("HEAD /dossier/x HTTP/1.1", "X_A: b"),
        head("HEAD /dossier/x HTTP/3.0"),
        head("HEAD /dossier/x HTTP/1.1", "Transfer-Encoding: chunked") + b"x\r\n",
        head("HEAD /elsewhere HTTP/1.1", "Connection: close"),
        head("HEAD /dossier/x HTTP/1.1", "Expect: a-miracle"),
    ],
)
async def test_a_refused_head_has_no_body(tmp_path: Path, raw: bytes) -> None:
    async with stage(tmp_path) as it:
        said = await it.ask(of(it, raw))
        assert said[9:10] == b"4", said
        assert said.endswith(b"\r\n\r\n")
        assert b"\r\nContent-Length: 0\r\n" not in said


async def test_a_message_is_refused_however_it_is_cut(tmp_path: Path) -> None:
    """TLS records of a few bytes each: the answer, its one line and the silence behind it stay the same."""
    cut = [
        ("framing", "length and coding"), ("fields", "obs-fold"), ("fields", "bare LF"), ("hosts", "two hosts"), ("lines", "HTTP/0.9"),
        ("lines", "the h2 preface"), ("targets", "the path /dossier/%2e%2e/x"), ("targets", "user and password"),
    ]  # fmt: skip

    async def ask(case: Case, size: int) -> None:
        reader, writer = await it.connect()
        raw = of(it, case.raw + get("/dossier/smuggled"))
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])
            await asyncio.sleep(0)
            if reader.at_eof() or writer.is_closing():
                break
        said = await asyncio.wait_for(reader.read(-1), 4)
        writer.close()
        assert whole(said, case.status), (case.detail, size, said[:300])

    async with stage(tmp_path, flood_rate=1000) as it:
        await asyncio.gather(*(ask(CASES[group][name], size) for group, name in cut for size in (1, 7)))
        assert not it.seen
        assert sorted(line["reason"] for line in it.lines("decision")) == sorted(
            CASES[group][name].reason for group, name in cut for _ in range(2)
        )


@pytest.mark.parametrize("name", ["bare LF behind the size", "data too long", "trailer: obs-fold", "over 64 bits"])
async def test_a_bad_chunk_that_comes_later_never_makes_a_whole_request(tmp_path: Path, name: str) -> None:
    """The permit's line was written and the origin has the head; it never gets an end, and the completion says why."""

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with stage(tmp_path, origin) as it:
        reader, writer = await it.connect()
        writer.write(of(it, chunked(b"2\r\nok\r\n")))
        while not it.seen or b"ok" not in it.seen[0]:  # noqa: ASYNC110 - sockets have no event
            await asyncio.sleep(0.01)
        body, detail, *_ = CHUNKS[name]
        writer.write(body + of(it, get("/dossier/smuggled")))
        said = await asyncio.wait_for(reader.read(-1), 4)
        writer.close()
        assert whole(said, 400), said[:300]
        completion = await it.completion()
        assert completion["status"] == 400
        assert detail in completion["detail"]
        assert len(it.lines("decision")) == len(it.seen) == 1
        assert not it.seen[0].endswith(b"0\r\n\r\n")
        assert b"smuggled" not in it.seen[0]


async def test_what_stands_before_a_bad_message_is_answered(tmp_path: Path) -> None:
    """A fault ends what follows and not what was whole before it."""
    async with stage(tmp_path) as it:
        good, bad = of(it, get("/dossier/x")), of(it, get("/dossier/x", "X_A: b"))
        said = await it.ask(good + good + bad + good)
        assert said.count(b"HTTP/1.1 200 OK\r\n") == 2
        assert said.count(b"HTTP/1.1 400 Bad Request\r\n") == 1
        assert said.count(b"HTTP/1.1 ") == 3
        assert bytes(it.seen[0]).count(b"GET /app/x ") == 2
        assert [line["reason"] for line in it.lines("decision")] == ["permitted", "permitted", "field_refused"]


async def test_a_line_cannot_be_forged(tmp_path: Path) -> None:
    """What a message holds comes into its line as printable text only, and cannot end it."""
    forged = (
        b'GET /\r\x1b[2K\xe2\x80\xae","verdict":"permit"}\\u000a{"v":1,"kind":"decision" HTTP/1.1\r\nHost: a\r\n\r\n'
    )
    async with stage(tmp_path) as it:
        assert whole(await it.ask(forged), 400)
        (line,) = it.lines("decision")
        assert (line["verdict"], line["reason"]) == ("deny", "malformed")
        assert line["excerpt"] == 'GET /\\r\\x1b[2K\\xe2\\x80\\xae"...'
        assert line["detail"].startswith("a control byte")


async def test_an_answer_to_head_204_and_304_has_no_body(tmp_path: Path) -> None:
    """Whatever the origin sends behind them, of which the client gets nothing."""
    for method, answer in (
        ("HEAD", OK),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\nhello"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"),
    ):
        directory = tmp_path / str(len(answer))
        directory.mkdir()
        async with stage(directory, _saying(answer)) as it:
            said = await it.ask(it.request(f"{method} /dossier/x HTTP/1.1"))
            assert said.startswith(b"HTTP/1.1 502 "), said
            assert b"hello" not in said
            assert said.endswith(b"\r\n\r\n") == (method == "HEAD")


def _saying(data: bytes):  # type: ignore[no-untyped-def]
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)

    return origin
