"""Messages that are allowed and rare, and peers that do what no peer should: on real sockets, with an origin of any bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.proxy.gate import Timeouts
from tests.proxy.stage import OK, Stage, answering, stage

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


def keep(it: Stage, line: str = "GET /dossier/x HTTP/1.1", *fields: str, body: bytes = b"") -> bytes:
    return it.request(line, *fields, body=body).replace(b"Connection: close\r\n", b"")


def own(it: Stage) -> str:
    return f"Origin: https://dossier.localhost:{it.port}"


@pytest.mark.parametrize(
    ("method", "answer", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"Content-Length: 5000"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"200 OK"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b" 204 "),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 5000\r\n\r\n', b'ETag: "a"'),
    ],
)
async def test_an_answer_without_a_body_leaves_the_connection_whole(
    tmp_path: Path, method: str, answer: bytes, head: bytes
) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)

    async with stage(tmp_path, origin) as it:
        said = await it.ask(keep(it, f"{method} /dossier/x HTTP/1.1") + it.request())
        first, _, rest = said.partition(b"\r\n\r\n")
        assert head in first, first
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
        assert rest.endswith(b"\r\n\r\nhello")
        assert len(it.seen) == 1  # the origin's connection is kept, too


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Checksum: 1\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_every_framing_of_an_origin_becomes_one_that_the_client_reads(
    tmp_path: Path, answer: bytes, version: str
) -> None:
    async with stage(tmp_path, answering(answer, close=b"chunked" not in answer)) as it:
        said = await it.ask(it.request(f"GET /dossier/x HTTP/{version}"))
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK"), said
        if version == "1.0":
            assert b"Transfer-Encoding" not in head
            assert body == b"hello"
        else:
            assert b"Transfer-Encoding: chunked" in head
            assert body.endswith(b"0\r\n\r\n")
            assert b"X-Checksum" not in body
        assert (await it.completion())["response_bytes"] == 5


async def test_requests_that_follow_a_body_are_read_where_it_ends(tmp_path: Path) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"Content-Length: 4" in head:
                assert await reader.readexactly(4) == b"GET "
            writer.write(OK)

    async with stage(tmp_path, origin) as it:
        said = await it.ask(
            keep(it, "POST /dossier/x HTTP/1.1", "Content-Length: 4", own(it), body=b"GET ") + keep(it) + it.request()
        )
        assert said.count(b"hello") == 3
        assert [line["method"] for line in it.lines("decision")] == ["POST", "GET", "GET"]


@pytest.mark.parametrize(
    ("field", "body", "connections"),
    [
        ("Content-Length: 0", b"", 1),  # nothing that could be taken for a request
        ("Content-Length: 4", b"GET ", 2),
    ],
)
async def test_a_get_that_sent_a_body_leaves_its_connection_to_nobody(
    tmp_path: Path, field: str, body: bytes, connections: int
) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)

    async with stage(tmp_path, origin) as it:
        reader, writer = await it.connect()
        for request in (keep(it, "GET /dossier/x HTTP/1.1", field, body=body), keep(it)):
            writer.write(request)
            await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        assert len(it.seen) == connections
        writer.close()


async def test_bytes_after_the_end_of_an_answer_spoil_it(tmp_path: Path) -> None:
    """Response splitting by an origin, or its confusion: neither is believed, and the next request has a connection of its own."""
    async with stage(tmp_path, answering(OK + EVIL)) as it:
        for number in range(1, 4):
            said = await it.ask(it.request("GET /dossier/x HTTP/1.1", "Sec-Fetch-Mode: navigate"))
            assert said.startswith(b"HTTP/1.1 502 "), said  # nothing had gone out yet: a page, not a broken connection
            assert b"hello" not in said
            assert b"EVIL" not in said
            completion = await it.completion(number)
            assert (completion["outcome"], completion["status"], completion["response_bytes"]) == (
                "origin_malformed",
                502,
                0,
            )
        assert len(it.seen) == 3


async def test_bytes_after_the_end_that_come_later_reach_nobody(tmp_path: Path) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:-2])
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(OK[-2:] + EVIL)
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        reader, writer = await it.connect()
        writer.write(keep(it) * 2)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # broken off, visibly, before EVIL
            await asyncio.wait_for(reader.readuntil(b"EVIL"), 5)
        writer.close()


async def test_bytes_that_nobody_asked_for_end_an_idle_connection(tmp_path: Path) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(EVIL)
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        assert b"hello" in await it.ask(it.request())
        await asyncio.sleep(0.3)
        assert b"hello" in await it.ask(it.request())
        assert len(it.seen) == 2


@pytest.mark.parametrize("early", [b"103 Early Hints\r\nLink: </x>; rel=preload", b"102 Processing"])
async def test_informational_answers_are_not_passed_on(tmp_path: Path, early: bytes) -> None:
    async with stage(tmp_path, answering(b"HTTP/1.1 " + early + b"\r\n\r\n" + OK)) as it:
        said = await it.ask(it.request())
        assert said.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Early" not in said


@pytest.mark.parametrize("close", [True, False])
async def test_an_answer_that_comes_before_the_body_has_gone_reaches_the_client(tmp_path: Path, close: bool) -> None:
    """An origin that has seen enough: whether it then closes or reads on, the client gets its words."""
    full = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 4\r\n\r\nfull"

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(full)
        await writer.drain()
        if close:
            writer.close()
        else:
            await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        reader, writer = await it.connect()
        size = 4 * 1024 * 1024
        writer.write(it.request("PUT /dossier/x HTTP/1.1", f"Content-Length: {size}", own(it)) + bytes(100_000))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 507 "), head
        assert await asyncio.wait_for(reader.readexactly(4), 5) == b"full"
        writer.transport.abort()
        completion = await it.completion()
        assert completion["status"] in (507, 499)


async def test_a_client_that_disappears_while_it_sends_never_completes_a_request(tmp_path: Path) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        for fields, body in (
            (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n"),
            (("Content-Length: 10",), b"hello"),
        ):
            _, writer = await it.connect()
            before = len(it.seen)
            writer.write(it.request("POST /dossier/x HTTP/1.1", *fields, own(it), body=body))
            while len(it.seen) == before or b"hello" not in it.seen[-1]:  # noqa: ASYNC110 - sockets have no event
                await asyncio.sleep(0.01)
            writer.transport.abort()
            completion = await it.completion(before + 1)
            assert (completion["outcome"], completion["status"], completion["request_bytes"]) == (
                "client_closed",
                499,
                5,
            )
            await asyncio.sleep(0.1)
            assert not it.seen[-1].endswith(b"0\r\n\r\n")  # a cut body is never made to look whole


async def test_a_refused_expectation_is_answered_without_its_body(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        fields = ("Expect: 100-continue", "Content-Length: 1000000", "Sec-Fetch-Mode: cors", own(it))
        said = await it.ask(it.request("PUT /dossier/x HTTP/1.1", *fields, signed_in=False))
        assert said.startswith(b"HTTP/1.1 401 "), said
        assert b"100 Continue" not in said
        assert not it.seen


async def test_a_body_that_stops_coming_ends_with_its_reason(tmp_path: Path) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with stage(tmp_path, origin, timeouts=Timeouts(5.0, 5.0, 0.4, 1.0)) as it:
        said = await it.ask(it.request("PUT /dossier/x HTTP/1.1", "Content-Length: 10", own(it), body=b"hel"))
        assert said.startswith(b"HTTP/1.1 408 "), said
        assert (await it.completion())["outcome"] == "too_slow"


async def test_a_body_over_the_limit_is_cut_in_chunks_as_by_its_length(tmp_path: Path) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        it.gate.max_body_bytes = 10
        by_length = await it.ask(it.request("PUT /dossier/x HTTP/1.1", "Content-Length: 11", own(it), body=bytes(11)))
        assert by_length.startswith(b"HTTP/1.1 413 "), by_length
        assert not it.seen
        chunks = b"6\r\nabcdef\r\n" * 2 + b"0\r\n\r\n"
        by_chunks = await it.ask(
            it.request("PUT /dossier/x HTTP/1.1", "Transfer-Encoding: chunked", own(it), body=chunks)
        )
        assert by_chunks.startswith(b"HTTP/1.1 413 "), by_chunks
        assert not it.seen[0].endswith(b"0\r\n\r\n")


async def test_two_cookies_of_an_origin_stay_two_fields(tmp_path: Path) -> None:
    answer = OK.replace(
        b"Content-Type", b"Set-Cookie: a=1\r\nSet-Cookie: b=2; Domain=localhost; Path=/app/y\r\nContent-Type"
    )
    async with stage(tmp_path, answering(answer), origin={"cookies": "plain"}) as it:
        said = await it.ask(it.request())
        assert b"\r\nSet-Cookie: a=1; Path=/dossier/; Secure\r\n" in said, said
        assert b"\r\nSet-Cookie: b=2; Path=/dossier/y; Secure\r\n" in said
