"""What says whether the demo's cards were revoked, behind a door that a test locks: it answers, it hangs, or nobody is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from gateway.demo.card_office import answers_app
from tests.serving import serving

NO_LIST = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Responder:
    """Counts of questions by what came of them: `asked` are all, `waiting` those open now, whose asker has neither an answer nor left."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.hangs = False
        self.asked = 0
        self.answered = 0
        self.waiting = 0
        self.left = 0
        self._office = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = await reader.readuntil(b"\r\n\r\n")
            if question.startswith(b"GET "):  # there is no list, which would count in the responder's place
                writer.write(NO_LIST)
                await writer.drain()
                return
            self.asked += 1
            if self.hangs:
                await self._hang(reader)
            else:
                writer.write(await self._answer(question, reader))
                self.answered += 1
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        """Until the asker leaves, or everybody is sent away."""
        self.waiting += 1
        try:
            while await reader.read(4096):
                pass
            self.left += 1
        finally:
            self.waiting -= 1

    async def _answer(self, question: bytes, asker: asyncio.StreamReader) -> bytes:
        length = next(int(line[15:]) for line in question.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        question += await asker.readexactly(length)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._office)
        try:
            writer.write(question)
            return await reader.read(-1)
        finally:
            writer.close()

    @asynccontextmanager
    async def office(self, cards: Path, clock: Callable[[], float]) -> AsyncIterator[None]:
        """The demo's own responder, which knows these cards."""
        runner = web.AppRunner(answers_app(cards, clock))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._office = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    @asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        """Takes connections as long as the block lasts; before and after, they are refused. Who waits at its end is sent away."""
        async with serving(self.serve, self.port):
            yield
