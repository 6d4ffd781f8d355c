"""Others that the gateway asks: real servers on loopback, well behaved or not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.serving import serving

Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Given a request's head and body, writes what it likes; the connection is closed after it."""


class Elsewhere:
    """A server that keeps what it was asked. `address` is `scheme://127.0.0.1:port`."""

    def __init__(self, answer: Answering, scheme: str) -> None:
        self.answer = answer
        self.scheme = scheme
        self.asked: list[bytes] = []
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            request = head + await reader.readexactly(length)
            self.asked.append(request)
            await self.answer(request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1


@asynccontextmanager
async def elsewhere(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[Elsewhere]:
    """A server for as long as the block lasts."""
    place = Elsewhere(answer, "https" if tls else "http")
    async with serving(place.serve, tls=tls) as place.port:
        yield place


def says(body: bytes, *fields: str, status: str = "200 OK") -> Answering:
    """Answers at once, with a Content-Length unless `fields` frame the body otherwise."""
    framed = any(field.lower().startswith(("content-length", "transfer-encoding")) for field in fields)
    lines = [f"HTTP/1.1 {status}", *fields, *([] if framed else [f"Content-Length: {len(body)}"])]
    head = "\r\n".join([*lines, "", ""]).encode()

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)

    return answer


async def never(_: bytes, __: asyncio.StreamWriter) -> None:
    """Says nothing for as long as anybody waits."""
    await asyncio.Event().wait()
