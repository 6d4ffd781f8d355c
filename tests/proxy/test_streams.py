"""Bodies without a hurry: event streams, downloads and uploads, flushed at once, held back where nobody takes, and how they end."""

from __future__ import annotations

import asyncio
import dataclasses as dc
from pathlib import Path

import pytest

from gateway.decision import PathPattern
from gateway.model import Operation, Use
from gateway.proxy.gate import Timeouts
from tests.decision import world
from tests.proxy.stage import HOST, OK, Stage, snapshot, stage, until

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"data: tick\n\n"
BIG = 40_000_000


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def revoke(it: Stage) -> None:
    it.records.users[world.USER.user_id] = dc.replace(world.USER, designations={})


async def broken(reader: asyncio.StreamReader) -> bytes:
    """What still comes, and that the connection breaks: a reset, not an end."""
    data = b""
    try:
        while piece := await asyncio.wait_for(reader.read(1_000_000), 5):
            data += piece
    except ConnectionResetError:
        return data
    raise AssertionError("a clean end")


async def ended(it: Stage) -> tuple[str, str | None]:
    await until(lambda: bool(it.lines("completion")), 10)
    line = it.lines("completion")[-1]
    return line["outcome"], line["detail"]


async def test_each_event_goes_out_before_the_next_is_written(tmp_path: Path) -> None:
    seen = asyncio.Event()

    async def one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(EVENTS)
        for _ in range(3):
            writer.write(chunk(EVENT))
            await asyncio.wait_for(seen.wait(), 5)
            seen.clear()
        writer.write(b"0\r\n\r\n")

    async with stage(tmp_path, one_by_one) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(3):
            assert await asyncio.wait_for(reader.readexactly(len(chunk(EVENT))), 5) == chunk(EVENT)
            seen.set()
        assert await reader.read(-1) == b"0\r\n\r\n"
        writer.close()


async def silent_after(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(head)
    await reader.read(-1)


async def test_a_silent_event_stream_outlives_the_origins_idle_time(tmp_path: Path) -> None:
    """Its end is the session's; the same silence in a download is the origin's fault."""

    async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent_after(EVENTS + chunk(EVENT), reader, writer)

    async with stage(tmp_path, events, origin={"idle_timeout": 0.5}) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        await reader.readuntil(EVENT)
        await asyncio.sleep(2.0)
        assert it.lines("completion") == []
        revoke(it)
        assert b"0\r\n\r\n" not in await broken(reader)
        assert await ended(it) == ("access_ended", "not_designated")
        writer.close()


async def test_a_silent_download_of_a_background_operation_too(tmp_path: Path) -> None:
    async def some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", reader, writer)

    async with stage(tmp_path, some, origin={"idle_timeout": 0.5}) as it:
        background = Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET"}), background=True)
        it.gate.snapshot, _ = snapshot(it.transaction.origin)
        transaction = dc.replace(it.transaction, operations=(background,))
        it.gate.snapshot = dc.replace(
            it.gate.snapshot,
            transactions={transaction.id: transaction},
            hosts={HOST: {"/dossier/": (transaction, transaction.matches[0])}},
        )
        reader, writer = await it.connect()
        writer.write(it.request())
        await reader.readuntil(b"\r\n\r\nx")
        await asyncio.sleep(2.0)
        assert it.lines("completion") == []
        writer.close()


async def test_a_silent_download_ends_visibly_and_is_the_origins_fault(tmp_path: Path) -> None:
    async def some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", reader, writer)

    async with stage(tmp_path, some, origin={"idle_timeout": 0.5}) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        await reader.readuntil(b"\r\n\r\nx")
        assert await broken(reader) == b""
        assert (await ended(it))[0] == "origin_timeout"
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 50_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 50_000),
        EVENTS + chunk(EVENT),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50_000,
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_download_breaks_off_visibly_when_the_access_ends(tmp_path: Path, head: bytes, version: str) -> None:
    """Short of its length, without its last chunk, and by a reset: HTTP/1.0 knows nothing else."""

    async def begun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent_after(head, reader, writer)

    async with stage(tmp_path, begun) as it:
        reader, writer = await it.connect()
        writer.write(it.request(f"GET /dossier/x HTTP/{version}"))
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: len(it.gate.standing) == 1)
        revoke(it)
        assert b"0\r\n\r\n" not in await broken(reader)
        assert await ended(it) == ("access_ended", "not_designated")
        writer.close()


async def test_an_upload_is_broken_off_with_a_page(tmp_path: Path) -> None:
    """Nothing was told yet, so the person learns why; the origin sees a body without its end."""
    lost = asyncio.Event()

    async def takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await reader.readexactly(BIG)
        except (asyncio.IncompleteReadError, ConnectionError):
            lost.set()

    async with stage(tmp_path, takes) as it:
        reader, writer = await it.connect()
        writer.write(
            it.request(
                "POST /dossier/x HTTP/1.1",
                f"Origin: https://{HOST}:{it.port}",
                "Accept: text/html",
                f"Content-Length: {BIG}",
                body=b"x" * 100_000,
            )
        )
        await until(lambda: len(it.gate.standing) == 1)
        revoke(it)
        answer = await asyncio.wait_for(reader.read(-1), 5)
        assert answer.startswith(b"HTTP/1.1 403 "), answer
        assert await ended(it) == ("access_ended", "not_designated")
        await asyncio.wait_for(lost.wait(), 5)
        writer.close()


async def test_an_origin_is_held_while_the_client_does_not_read(tmp_path: Path) -> None:
    """Back-pressure: it can write no more than what lies in buffers on the way."""
    written = 0

    async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        while written < BIG:
            writer.write(b"x" * 100_000)
            await writer.drain()
            written += 100_000

    async with stage(tmp_path, pours) as it:
        reader, writer = await it.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(it.request())
        await until(lambda: bool(it.gate.connections))
        (connection,) = it.gate.connections
        await until(lambda: connection.write_paused)
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.3)
        assert written < BIG / 2
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await asyncio.wait_for(reader.read(-1), 30)) > BIG
        assert await ended(it) == ("completed", None)
        writer.close()


async def test_a_client_is_held_while_the_origin_does_not_read(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go_on.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        await reader.readexactly(BIG)
        writer.write(OK)

    async with stage(tmp_path, waits, timeouts=Timeouts(5.0, 5.0, 1.0, 1.0), origin={"response_timeout": 20.0}) as it:
        reader, writer = await it.connect()
        request = it.request(
            "POST /dossier/x HTTP/1.1", f"Origin: https://{HOST}:{it.port}", f"Content-Length: {BIG}", body=b"x" * BIG
        )
        writer.write(request)
        await until(lambda: bool(it.gate.connections))
        (connection,) = it.gate.connections
        await until(lambda: connection.reader.buffered > 0, 10)
        await asyncio.sleep(2.5)  # longer than the client's own time: it stands still
        assert connection.reader.buffered < 1_000_000
        assert it.lines("completion") == []
        go_on.set()
        assert b"hello" in await asyncio.wait_for(reader.read(-1), 30)
        assert await ended(it) == ("completed", None)
        writer.close()
