"""Origins are held to the strictness that clients are: what is no single answer becomes our 502, and its connection is not used again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.proxy.stage import OK, Answerer, Stage, stage, until

BAD = {
    # framing
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "two equal lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "lengths in a list": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "+5": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "0x5": b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
    "005": b"HTTP/1.1 200 OK\r\nContent-Length: 005\r\n\r\nhello",
    "over 64 bits": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello",
    "xchunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a 204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "a 100 with a length": b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + OK,
    # chunks that come with their head
    "a bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
    "a chunk line with a bare LF": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "a chunk that is too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    "a trailer with a bare LF": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\n\r\n\r\n",
    "a trailer that sets a cookie": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: a=b\r\n\r\n",
    # the head
    "a bare LF": b"HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\nContent-Length: 5\r\n\r\nhello",
    "bare LFs": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello",
    "a control": b"HTTP/1.1 200 OK\r\nX-A: \x01\r\nContent-Length: 5\r\n\r\nhello",
    "NUL": b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 5\r\n\r\nhello",
    "DEL in the reason": b"HTTP/1.1 200 O\x7fK\r\nContent-Length: 5\r\n\r\nhello",
    "obs-fold": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "a space before the first field": b"HTTP/1.1 200 OK\r\n X-A: b\r\nContent-Length: 5\r\n\r\nhello",
    "no colon": b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 5\r\n\r\nhello",
    "a name that is no token": b"HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 5\r\n\r\nhello",
    "many fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 101 + b"\r\n",
    "large fields": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 33_000 + b"\r\n\r\n",
    "endless fields": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 33_000,
    # the status line
    "HTTP/0.9": b"hello, world\r\n",
    "HTML": b"<html>hello</html>",
    "TLS": b"\x15\x03\x01\0\x02\x02\x46",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "http/1.1": b"http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "an empty line first": b"\r\n" + OK,
    "two spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a tab": b"HTTP/1.1\t200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status 99": b"HTTP/1.1 99 X\r\nContent-Length: 5\r\n\r\nhello",
    "status 600": b"HTTP/1.1 600 X\r\nContent-Length: 5\r\n\r\nhello",
    "status 0200": b"HTTP/1.1 0200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status 2xx": b"HTTP/1.1 2xx OK\r\nContent-Length: 5\r\n\r\nhello",
    # what nobody asked for
    "a 101": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a 101 to h2c": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a flood of 100s": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK,
    "a flood of 103s": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 9 + OK,
    "bytes after the end": OK + b"X",
    "a second answer": OK + OK,
    "a line end after the end": OK + b"\r\n",
    "bytes after the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nX",
    "bytes after a 304": b"HTTP/1.1 304 Not Modified\r\n\r\nX",
    "bytes after a 204": b"HTTP/1.1 204 No Content\r\n\r\nX",
}  # fmt: skip


def by_number(answers: list[bytes], left: list[int]) -> Answerer:
    """An origin that says what the number in the path asks for, and then waits to be left."""

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, _, _ = (await reader.readuntil(b"\r\n\r\n")).partition(b" HTTP/1.1\r\n")
        number = int(line.rpartition(b"/")[2])
        writer.write(answers[number])
        try:
            await reader.read(-1)
        finally:
            left.append(number)
            writer.close()

    return origin


def page(said: bytes, status: int) -> bool:
    """Our own answer, whole, with nothing of the origin's."""
    top, _, body = said.partition(b"\r\n\r\n")
    return (
        top.startswith(b"HTTP/1.1 %d " % status)
        and b"Content-Length: %d\r\n" % len(body) in top + b"\r\n"
        and b"Connection: close" in top
        and b"</html>" in body
        and b"hello" not in said
        and b"Set-Cookie" not in said
    )


def ask(it: Stage, path: str = "/dossier/x") -> bytes:
    return it.request(f"GET {path} HTTP/1.1", "Sec-Fetch-Mode: navigate")


async def test_it_becomes_our_502_and_that_connection_is_closed(tmp_path: Path) -> None:
    left: list[int] = []
    async with stage(tmp_path, by_number(list(BAD.values()), left)) as it:
        answers = await asyncio.gather(*(it.ask(ask(it, f"/dossier/{number}")) for number in range(len(BAD))))
        assert {name: said[:200] for name, said in zip(BAD, answers, strict=True) if not page(said, 502)} == {}
        await until(lambda: sorted(left) == list(range(len(BAD))))
        await it.completion(len(BAD))
        completions = it.lines("completion")
        assert {(line["outcome"], line["status"], bool(line["detail"])) for line in completions} == {
            ("origin_malformed", 502, True)
        }
        assert len(it.lines("decision")) == len(completions) == len(it.seen) == len(BAD)


BROKEN = {
    "a length that is not reached": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", b""),
    "chunks without an end": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b""),
    "a chunk that is cut": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello", b""),
    "a bad chunk behind a good one": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"x\r\n"),
    "a chunk that is too long": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", b"!\r\n0\r\n\r\n"),
    "a trailer that sets a cookie": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"0\r\nSet-Cookie: a=b\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_a_body_that_breaks_off_breaks_the_answer_visibly(tmp_path: Path, name: str) -> None:
    """The client must not take what it got for the whole: no last chunk, no length reached, no end in order."""
    first, then = BROKEN[name]
    told = asyncio.Event()

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        await told.wait()
        writer.write(then)
        await writer.drain()
        if not then:
            writer.close()
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 ")
        body = await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        told.set()
        try:
            rest = await asyncio.wait_for(reader.read(-1), 5)
        except ConnectionError:
            rest = b""
        writer.close()
        assert not (body + rest).endswith(b"0\r\n\r\n")
        assert b"Set-Cookie" not in rest
        assert b"HTTP/1.1" not in rest
        completion = await it.completion()
        assert completion["outcome"] in ("origin_broken", "origin_malformed")
        assert completion["detail"]


async def test_an_answer_that_ends_with_its_connection_is_whole(tmp_path: Path) -> None:
    """RFC 9112 section 6.3: without a length or a coding the end of the connection is the end. There is no way to see a break."""

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        writer.close()

    async with stage(tmp_path, origin) as it:
        said = await it.ask(it.request())
        assert said.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        assert (await it.completion())["outcome"] == "completed"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_origin_that_closes_before_an_answer_is_a_502(tmp_path: Path, answer: bytes) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with stage(tmp_path, origin) as it:
        assert page(await it.ask(ask(it)), 502)
        completion = await it.completion()
        assert completion["outcome"] in ("origin_broken", "origin_malformed")
        assert len(it.seen) == 1  # a new connection is no reason to ask twice


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("HEAD", 2), ("POST", 1)])
async def test_only_what_is_idempotent_is_asked_again_once_on_a_kept_connection(
    tmp_path: Path, method: str, times: int
) -> None:
    """An origin that closes a kept connection just when a request comes: sent again once where that cannot do a thing twice."""
    connections = 0

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")  # the request that matters: no byte of an answer
        writer.transport.abort()

    async with stage(tmp_path, origin) as it:
        assert b"hello" in await it.ask(it.request())
        own = f"Origin: https://dossier.localhost:{it.port}"
        said = await it.ask(it.request(f"{method} /dossier/y HTTP/1.1", "Sec-Fetch-Mode: navigate", own))
        assert said.startswith(b"HTTP/1.1 502 "), said
        assert connections == times
        assert b"".join(bytes(seen) for seen in it.seen).count(b"/app/y ") == times
