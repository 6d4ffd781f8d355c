"""Connections to an origin are kept, as many as are under way at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.model import Origin
from gateway.proxy.origin import IDLE_KEPT, OriginConnection, Pool
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


class Line(asyncio.Transport):
    """A connection that nobody listens to."""

    open = True

    def is_closing(self) -> bool:
        return not self.open

    def abort(self) -> None:
        self.open = False

    def resume_reading(self) -> None:
        pass


async def test_the_oldest_goes_whosever_it_is() -> None:
    """The bound is on all of a worker's idle connections: each is a descriptor, and each may be a process of an origin."""
    pool = Pool(asyncio.get_running_loop(), 30.0)
    origins = [Origin(f"http://127.0.0.1:{port}") for port in (1, 2)]
    lines = []

    def idle(origin: Origin) -> Line:
        connection = OriginConnection(pool, origin)
        connection.connection_made(line := Line())
        pool.give_back(connection)
        lines.append(line)
        return line

    oldest = idle(origins[0])
    for number in range(IDLE_KEPT - 1):
        idle(origins[number % 2])
    assert all(line.open for line in lines)
    idle(origins[1])
    assert [line for line in lines if not line.open] == [oldest]

    taken = [pool.take(origin) for origin in origins for _ in range(3)]
    for connection in taken:
        assert connection is not None
        pool.give_back(connection)
    assert [line for line in lines if not line.open] == [oldest]

    pool.drop()
    assert not any(line.open for line in lines)
    first = idle(origins[0])
    for _ in range(IDLE_KEPT - 1):
        idle(origins[1])
    assert first.open
    pool.tick(pool.loop.time() + 31)
    assert not first.open
    second = idle(origins[0])
    for _ in range(IDLE_KEPT - 1):
        idle(origins[1])
    assert second.open
