"""A server within a test, for as long as a block lasts: none of its connections outlives it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Has a connection to itself; when it returns or fails, the connection is closed."""


@asynccontextmanager
async def serving(serve: Serve, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Gives the port, of which the system chooses one for 0. Before and after, connections are refused; who is there at the end is sent
    away."""
    served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def to_its_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)

    def ended(task: asyncio.Task[None]) -> None:
        # Not at the end of the coroutine: one that is cancelled in the turn in which it was accepted never begins, and has no end.
        served.pop(task).close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(to_its_end(reader, writer))
        served[task] = writer
        task.add_done_callback(ended)

    server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.sleep(0)  # whom the system let in is handed to `accept` in the next turn
        left = dict(served)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for writer in left.values():
            writer.transport.abort()
        await asyncio.sleep(0)  # and their ends come in the next
