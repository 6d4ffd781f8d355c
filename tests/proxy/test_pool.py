"""Connections to an origin are kept, as many as are under way at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.proxy.stage import OK, stage

AT_ONCE = 100
"""More than a page load or two; fewer than connections from one address are allowed."""


class Crowd:
    """Answers when so many requests are there."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            self.waiting.append(writer)
            if len(self.waiting) == AT_ONCE:
                waiting, self.waiting = self.waiting, []
                for one in waiting:
                    one.write(OK)


async def test_a_crowd_finds_its_connections_again(tmp_path: Path) -> None:
    async with stage(tmp_path, Crowd()) as it:
        request = it.request().replace(b"Connection: close\r\n", b"")
        clients = await asyncio.gather(*(it.connect() for _ in range(AT_ONCE)))
        for _ in range(3):
            for _, writer in clients:
                writer.write(request)
            for reader, _ in clients:
                await asyncio.wait_for(reader.readuntil(b"hello"), 10)
        assert len(it.seen) == AT_ONCE
        for _, writer in clients:
            writer.close()
