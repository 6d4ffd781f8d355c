"""Every limit of the configuration at a value of its own, over the wire: each refusal has its code, its status and its line."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.client import BROWSER, FETCH, Answer, person, read_answer, trusting
from tests.end_to_end.house import House
from tests.end_to_end.origin import running_origin

SETTINGS: dict[str, dict[str, Any]] = {
    "limits": {
        "header": 2,
        "keep_alive": 3,
        "body_idle": 1,
        "min_body_rate": 2000,
        "requests_per_connection": 3,
        "max_body_bytes": 20_000,
        "header_bytes": 3000,
        "field_count": 20,
        "target_bytes": 300,
    },
    "connections": {"total": 10, "per_network": 4, "first_bytes": 1, "handshake": 2},
    "ledger": {"flood_rate": 10_000},
}
HOST = "app.localhost"
SIGNED_OUT = ("sign_in_required", 401)
CLOSED_SECONDS = 10.0
"""By when anything that has its time is over, on a busy machine."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def small(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place = tmp_path_factory.mktemp("limits")
    with running_origin(place) as origin:
        here = House.copied(template, place / "state", origin.url, SETTINGS)
        with here.serve():
            yield here
    assert here.verified()


@asynccontextmanager
async def connection(here: House, source: str, context: ssl.SSLContext | None = None) -> AsyncIterator[Stream]:
    """From an address of its own: all of 127/8 is this machine."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", here.port, local_addr=(source, 0), ssl=context or trusting(here.ca), server_hostname=HOST
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def request(here: House, path: str = "/", *more: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Eight fields, and more."""
    fields = [f"{name}: {value}" for name, value in FETCH.items()]
    fields += [f"Host: {HOST}:{here.port}", f"User-Agent: {BROWSER}", "Accept-Language: en", *more]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *fields]).encode() + b"\r\n\r\n" + body


def sized(here: House, size: int) -> bytes:
    """A request whose line and fields are so many bytes."""
    rest = size - len(request(here, "/", "X-Rest: "))
    return request(here, "/", "X-Rest: " + "x" * rest)


def counted(here: House, fields: int) -> bytes:
    own = request(here).count(b"\r\n") - 2
    return request(here, "/", *(f"X-{number}: y" for number in range(fields - own)))


Case = tuple[str, Callable[[House], bytes], tuple[str, int]]
CASES: list[Case] = [
    ("header_bytes, all of them", lambda here: sized(here, 3000), SIGNED_OUT),
    ("header_bytes, one more", lambda here: sized(here, 3001), ("too_large", 431)),
    ("field_count, all of them", lambda here: counted(here, 20), SIGNED_OUT),
    ("field_count, one more", lambda here: counted(here, 21), ("too_large", 431)),
    ("target_bytes, all of them", lambda here: request(here, "/".ljust(300, "x")), SIGNED_OUT),
    ("target_bytes, one more", lambda here: request(here, "/".ljust(301, "x")), ("too_large", 414)),
]


@pytest.mark.parametrize(("make", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_what_is_too_large_has_its_line(
    small: House, make: Callable[[House], bytes], expected: tuple[str, int]
) -> None:
    async with connection(small, "127.0.0.9") as (reader, writer):
        writer.write(make(small))
        answer = await read_answer(reader)
        line = small.lines.one(answer.fields["x-request-id"])
        assert (line["reason"], answer.status) == expected
        if expected != SIGNED_OUT:
            assert await reader.read() == b""  # nothing more of it is read


async def test_a_header_that_does_not_come_to_its_end(small: House) -> None:
    async with connection(small, "127.0.0.9") as (reader, writer):
        writer.write(request(small)[:-2])
        began = time.monotonic()
        answer = await read_answer(reader, wait=CLOSED_SECONDS)
        assert time.monotonic() - began >= 1.9
        assert (answer.status, small.lines.one(answer.fields["x-request-id"])["reason"]) == (408, "too_slow")


async def test_a_kept_connection_that_is_idle_is_closed_and_asks_nobody(small: House) -> None:
    async with connection(small, "127.0.0.9") as (reader, writer):
        writer.write(request(small))
        assert (await read_answer(reader)).status == 401
        before, began = len(small.lines.all()), time.monotonic()
        assert await asyncio.wait_for(reader.read(), CLOSED_SECONDS) == b""
        assert time.monotonic() - began >= 2.9
        assert len(small.lines.all()) == before


async def test_the_last_request_of_a_connection_says_so(small: House) -> None:
    async with connection(small, "127.0.0.9") as (reader, writer):
        said = []
        for _ in range(3):
            writer.write(request(small))
            said.append((await read_answer(reader)).fields["connection"])
        assert said == ["keep-alive", "keep-alive", "close"]
        assert await reader.read() == b""


async def test_bodies_have_a_size_and_a_pace(small: House) -> None:
    url = small.url("app")
    async with person(small.ca) as an:
        page = await an.sign_in(url, "an.peeters", small.person("an.peeters")["password"])
        assert page.status == 200
        cookie = f"Cookie: {an.cookies(url)}"
    form = "Content-Type: application/x-www-form-urlencoded"
    async with AsyncExitStack() as stack:

        async def posted(length: int, pieces: int, pause: float) -> Answer:
            reader, writer = await stack.enter_async_context(connection(small, "127.0.0.9"))
            same = f"Origin: https://{HOST}:{small.port}"
            writer.write(request(small, "/take", cookie, form, same, f"Content-Length: {length}", method="POST"))
            sending = asyncio.create_task(sent(writer, length, pieces, pause))
            try:
                return await read_answer(reader, wait=CLOSED_SECONDS)
            finally:
                sending.cancel()

        # Twice the pace that is asked for; half of it; a body that is too large is not waited for.
        honest, slow, large = await asyncio.gather(posted(8000, 20, 0.1), posted(8000, 80, 0.1), posted(20_001, 1, 0))
    assert honest.status == 200
    ended = await small.lines.completion(slow.fields["x-request-id"])
    assert (slow.status, ended["outcome"]) == (408, "too_slow")
    assert (large.status, small.lines.one(large.fields["x-request-id"])["reason"]) == (413, "too_large")


async def sent(writer: asyncio.StreamWriter, length: int, pieces: int, pause: float) -> None:
    for _ in range(pieces):
        writer.write(b"q=" + b"x" * (length // pieces - 2))
        await asyncio.sleep(pause)


async def test_connections_are_counted_for_each_network_and_in_all(small: House) -> None:
    context = trusting(small.ca)
    before = len(small.lines.decisions("too_many_connections"))

    async def refused(source: str) -> str:
        with pytest.raises((OSError, ssl.SSLError)):
            async with connection(small, source, context):
                pass
        return str((await small.lines.soon("too_many_connections", before + 1))[-1]["detail"])

    async with AsyncExitStack() as stack:

        async def fill(source: str, count: int) -> None:
            for _ in range(count):
                reader, writer = await stack.enter_async_context(connection(small, source, context))
                writer.write(request(small))
                assert (await read_answer(reader)).status == 401

        await fill("127.0.0.2", 4)
        assert await refused("127.0.0.2") == "per_network"
        before += 1
        await fill("127.0.0.3", 4)
        await fill("127.0.0.4", 2)
        assert await refused("127.0.0.5") == "total"
    answer = None
    until = time.monotonic() + CLOSED_SECONDS
    while answer is None:  # when the gateway has noticed that they left, there is room
        assert time.monotonic() < until
        with suppress(OSError, ssl.SSLError):
            async with connection(small, "127.0.0.5", context) as (reader, writer):
                writer.write(request(small))
                answer = await read_answer(reader)
    assert answer.status == 401


async def test_who_says_nothing_or_does_not_end_the_handshake(small: House) -> None:
    before = len(small.lines.decisions("tls_failed"))
    silent = await asyncio.open_connection("127.0.0.1", small.port, local_addr=("127.0.0.6", 0))
    began = time.monotonic()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(small.ca).wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    half = await asyncio.open_connection("127.0.0.1", small.port, local_addr=("127.0.0.6", 0))
    half[1].write(outgoing.read())
    for reader, _ in (silent, half):
        await asyncio.wait_for(reader.read(), CLOSED_SECONDS)
    assert time.monotonic() - began >= 0.9
    lines = (await small.lines.soon("tls_failed", before + 2))[before:]
    assert [line["detail"] for line in lines] == ["too_slow", "too_slow"]
    for _, writer in (silent, half):
        writer.transport.abort()
