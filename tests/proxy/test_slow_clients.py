"""Slow on purpose, as slowhttptest is: headers, body, reading. Each is cut with a line; who is slow but honest is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gateway.proxy.gate import Timeouts
from gateway.proxy.pacing import Rates
from tests.proxy.stage import HOST, OK, Stage, answering, stage, until

LIMITS = Timeouts(1.0, 1.5, 1.0, 1.0)
BIG = 40_000_000


async def outcome(it: Stage) -> dict[str, Any]:
    await until(lambda: bool(it.lines("completion")), 10)
    return it.lines("completion")[-1]


async def sent_slowly(writer: asyncio.StreamWriter, data: bytes, pause: float, at_once: int = 1) -> None:
    try:
        for at in range(0, len(data), at_once):
            writer.write(data[at : at + at_once])
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        return


async def test_slow_headers_are_408_and_one_line(tmp_path: Path) -> None:
    """slowhttptest -H: a field now and then, and never the empty line."""
    async with stage(tmp_path, timeouts=LIMITS) as it:
        reader, writer = await it.connect()
        sending = asyncio.create_task(sent_slowly(writer, it.request()[:-2] + b"X: y\r\n" * 100, 0.05))
        answer = await asyncio.wait_for(reader.read(-1), 5)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        sending.cancel()
        (line,) = it.lines("decision")
        assert (line["reason"], line["verdict"]) == ("too_slow", "deny")
        assert not it.seen
        writer.close()


async def test_a_slow_head_gets_no_body(tmp_path: Path) -> None:
    async with stage(tmp_path, timeouts=LIMITS) as it:
        reader, writer = await it.connect()
        writer.write(it.request("HEAD /dossier/x HTTP/1.1")[:-2])
        answer = await asyncio.wait_for(reader.read(-1), 5)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert answer.endswith(b"\r\n\r\n")
        (line,) = it.lines("decision")
        assert (line["reason"], line["excerpt"]) == ("too_slow", "HEAD /dossier/x HTTP/1.1")
        writer.close()


async def test_a_connection_that_says_nothing_is_closed_and_is_no_request(tmp_path: Path) -> None:
    async with stage(tmp_path, timeouts=LIMITS) as it:
        reader, writer = await it.connect()
        began = asyncio.get_running_loop().time()
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
        assert asyncio.get_running_loop().time() - began > 1.4
        await until(lambda: bool(it.lines("connection")))
        assert [line["reason"] for line in it.lines("connection")] == ["no_request"]
        writer.close()


async def test_an_idle_connection_is_closed_after_its_time_and_a_busy_one_is_not(tmp_path: Path) -> None:
    async with stage(tmp_path, timeouts=LIMITS) as it:
        reader, writer = await it.connect()
        keep = it.request().replace(b"Connection: close\r\n", b"")
        for _ in range(5):
            writer.write(keep)
            await asyncio.wait_for(reader.readuntil(b"hello"), 5)
            await asyncio.sleep(0.6)
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
        writer.close()


def post(it: Stage, *fields: str) -> bytes:
    return it.request("POST /dossier/x HTTP/1.1", f"Origin: https://{HOST}:{it.port}", *fields)


async def reads_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(int(length.split(b":")[1]))
    writer.write(OK)


async def test_a_slow_body_is_cut_with_a_page(tmp_path: Path) -> None:
    """slowhttptest -B: a byte now and then."""
    async with stage(tmp_path, reads_body, timeouts=LIMITS, rates=Rates(500, 500)) as it:
        reader, writer = await it.connect()
        writer.write(post(it, "Content-Length: 100000"))
        sending = asyncio.create_task(sent_slowly(writer, b"x" * 1000, 0.02))
        answer = await asyncio.wait_for(reader.read(-1), 8)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        line = await outcome(it)
        assert (line["outcome"], line["status"]) == ("too_slow", 408)
        sending.cancel()
        writer.close()


async def test_a_slow_phone_that_keeps_to_the_rate_is_not_cut(tmp_path: Path) -> None:
    """Three times as long as the whole allowance, and with a pause nearly as long as it."""
    async with stage(tmp_path, reads_body, timeouts=LIMITS, rates=Rates(2000, 500)) as it:
        reader, writer = await it.connect()
        writer.write(post(it, "Content-Length: 10000"))
        await sent_slowly(writer, b"x" * 8000, 0.1, 400)
        await asyncio.sleep(0.7)
        await sent_slowly(writer, b"x" * 2000, 0.1, 400)
        assert b"hello" in await asyncio.wait_for(reader.read(-1), 5)
        assert (await outcome(it))["outcome"] == "completed"
        writer.close()


async def test_an_origin_that_takes_no_body_is_the_origins_fault(tmp_path: Path) -> None:
    """The client's time stands still meanwhile, and the client is held: memory stays bounded (clause B2)."""

    async def takes_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(30)

    async with stage(tmp_path, takes_nothing, timeouts=LIMITS, origin={"response_timeout": 3.0}) as it:
        reader, writer = await it.connect()
        writer.write(post(it, f"Content-Length: {BIG}") + b"x" * BIG)
        answer = await asyncio.wait_for(reader.read(-1), 15)
        assert answer.startswith(b"HTTP/1.1 504 ") or answer == b"", answer
        line = await outcome(it)
        assert line["outcome"] == "origin_timeout"
        assert line["request_bytes"] < BIG / 2
        writer.transport.abort()


async def test_a_client_that_reads_slowly_is_cut(tmp_path: Path) -> None:
    """slowhttptest -X: it asks for a large answer, and takes next to nothing of it."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG
    async with stage(tmp_path, answering(whole), timeouts=LIMITS) as it:
        _, writer = await it.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(it.request())
        line = await outcome(it)
        assert (line["outcome"], line["status"]) == ("too_slow", 200)
        assert line["response_bytes"] < BIG / 2
        await until(lambda: not it.gate.connections)
        writer.transport.abort()


async def test_a_client_that_reads_slowly_but_steadily_gets_all(tmp_path: Path) -> None:
    size = 12_000_000
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with stage(tmp_path, answering(whole), timeouts=LIMITS, rates=Rates(500, 500)) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < size:
            got += len(await asyncio.wait_for(reader.read(400_000), 5))
            await asyncio.sleep(0.05)
        assert (await outcome(it))["outcome"] == "completed"
        writer.close()


async def test_requests_of_a_connection_are_counted(tmp_path: Path) -> None:
    """The last one is answered, and says that it was the last."""
    async with stage(tmp_path, requests_per_connection=3) as it:
        keep = it.request().replace(b"Connection: close\r\n", b"")
        answer = await it.ask(keep * 5)
        assert answer.count(b"hello") == 3
        assert answer.count(b"Connection: close") == 1
        assert answer.rfind(b"Connection: close") > answer.rfind(b"HTTP/1.1 200 OK")
        assert len(it.lines("decision")) == 3


async def test_many_idle_connections_are_not_looked_at(tmp_path: Path) -> None:
    """Ticks go by, and nobody has a turn: who had one would lie in another bucket now."""
    count = 200
    async with stage(tmp_path, timeouts=Timeouts(5.0, 60.0, 5.0, 1.0)) as it:
        connections = [await it.connect() for _ in range(count)]
        await until(lambda: len(it.gate.connections) == count)
        due = {connection: connection.due for connection in it.gate.connections}
        await asyncio.sleep(1.0)
        assert {connection: connection.due for connection in it.gate.connections} == due
        assert len(it.gate.wheel) == count
        for _, writer in connections:
            writer.transport.abort()
        await until(lambda: not it.gate.connections)
        assert len(it.gate.wheel) == 0
