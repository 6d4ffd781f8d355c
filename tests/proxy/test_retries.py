"""What is sent to an origin twice: an idempotent request without a body, once, when a kept connection closed before a byte came."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.proxy.stage import HOST, OK, Stage, stage, until


def keep(it: Stage, line: str = "GET /dossier/x HTTP/1.1", *fields: str, body: bytes = b"") -> bytes:
    return it.request(line, f"Origin: https://{HOST}:{it.port}", *fields, body=body).replace(
        b"Connection: close\r\n", b""
    )


class Origin:
    """Answers the first request of a connection, and dies of the second; `first` what it says before it does."""

    def __init__(self, first: bytes = b"", *, answers: int = 1) -> None:
        self.first = first
        self.answers = answers

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self.answers):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        if self.first:
            writer.write(self.first)
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.transport.abort()


async def second(it: Stage, request: bytes) -> bytes:
    """The status line of a request on the connection that the origin has answered once."""
    reader, writer = await it.connect()
    writer.write(keep(it))
    await asyncio.wait_for(reader.readuntil(b"hello"), 5)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.readline(), 5)
    finally:
        writer.close()


async def test_an_idempotent_request_is_sent_again_once(tmp_path: Path) -> None:
    async with stage(tmp_path, Origin()) as it:
        answer = await second(it, keep(it))
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert len(it.seen) == 2


@pytest.mark.parametrize(
    ("line", "body"),
    [("POST /dossier/x HTTP/1.1", b""), ("POST /dossier/x HTTP/1.1", b"abc"), ("PUT /dossier/x HTTP/1.1", b"abc")],
)
async def test_what_could_happen_twice_is_not(tmp_path: Path, line: str, body: bytes) -> None:
    async with stage(tmp_path, Origin()) as it:
        answer = await second(it, keep(it, line, f"Content-Length: {len(body)}", body=body))
        assert answer.startswith(b"HTTP/1.1 502 "), answer
        assert len(it.seen) == 1


async def test_a_byte_of_an_answer_ends_it(tmp_path: Path) -> None:
    async with stage(tmp_path, Origin(b"H")) as it:
        answer = await second(it, keep(it))
        assert answer.startswith(b"HTTP/1.1 502 "), answer
        assert len(it.seen) == 1


async def test_a_new_connection_that_closes_is_not_tried_again(tmp_path: Path) -> None:
    async with stage(tmp_path, Origin(answers=0)) as it:
        answer = await it.ask(it.request())
        assert answer.startswith(b"HTTP/1.1 502 "), answer
        assert len(it.seen) == 1


async def test_it_is_tried_once_and_no_more(tmp_path: Path) -> None:
    """The second connection, a new one, dies as well."""
    connections = 0

    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await Origin(answers=1 if connections == 1 else 0)(reader, writer)

    async with stage(tmp_path, dies) as it:
        answer = await second(it, keep(it))
        assert answer.startswith(b"HTTP/1.1 502 "), answer
        assert connections == 2


async def test_a_flood_of_informational_answers_is_502_and_the_connection_is_closed(tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
        try:
            await reader.read(-1)
        finally:
            closed.set()

    async with stage(tmp_path, floods) as it:
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 502 ")
        await asyncio.wait_for(closed.wait(), 5)
        await until(lambda: bool(it.lines("completion")))
        assert it.lines("completion")[-1]["outcome"] == "origin_malformed"
