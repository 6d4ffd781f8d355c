"""What stands between a browser and the gateway at an office: nothing, or a TLS inspection that can be entered and left in mid-session.

The browser connects to `port` all the time. Directly, its bytes go on as they are. Inspected, its TLS ends here (with a certificate that it
trusts, as it would its employer's), and a TLS of our own goes on to the gateway: another ClientHello, and the fields in `taken_out` missing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FAILURES = (OSError, EOFError, ssl.SSLError, asyncio.IncompleteReadError)


class Office:
    """Between a browser and a gateway's port on 127.0.0.1. `certificate` has its key beside it; `ca` is what the gateway shows."""

    def __init__(self, gateway: int, certificate: Path, ca: Path) -> None:
        self._gateway = gateway
        self._shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._shown.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._asks = ssl.create_default_context(cafile=str(ca))
        self._open: set[asyncio.StreamWriter] = set()
        self._inspecting = 0
        self._to = gateway
        self.port = 0
        self.taken_out: tuple[bytes, ...] = ()

    def enter(self, *taken_out: bytes) -> None:
        """From the next connection on everything is inspected; what is open is cut, as it is when a cable is plugged in."""
        self._to, self.taken_out = self._inspecting, taken_out
        self._cut()

    def leave(self) -> None:
        self._to = self._gateway
        self._cut()

    def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Office]:
        door = await asyncio.start_server(self._kept(self._pass_on), "127.0.0.1", 0)
        inside = await asyncio.start_server(self._kept(self._inspect), "127.0.0.1", 0, ssl=self._shown)
        self.port, self._inspecting = (server.sockets[0].getsockname()[1] for server in (door, inside))
        try:
            yield self
        finally:
            door.close()
            inside.close()
            self._cut()

    def _kept(self, handler: Handler) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._open.add(writer)
            try:
                with suppress(*FAILURES):
                    await handler(reader, writer)
            finally:
                self._open.discard(writer)
                writer.transport.abort()

        return handle

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, onward = await asyncio.open_connection("127.0.0.1", self._to)
        await both(onward, pump(reader, onward), pump(answers, writer))

    async def _inspect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
        name = host.partition(b":")[2].strip().partition(b":")[0].decode()
        answers, onward = await asyncio.open_connection(
            "127.0.0.1", self._gateway, ssl=self._asks, server_hostname=name
        )
        await both(onward, self._requests(head, reader, onward), pump(answers, writer))

    async def _requests(self, head: bytes, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        while True:
            first, *fields = head[:-4].split(b"\r\n")
            left = (
                [line for line in fields if not line.lower().startswith(self.taken_out)] if self.taken_out else fields
            )
            onward.write(b"\r\n".join([first, *left]) + b"\r\n\r\n")
            length = next(
                (line.partition(b":")[2] for line in left if line.lower().startswith(b"content-length:")), b"0"
            )
            onward.write(await reader.readexactly(int(length)))
            await onward.drain()
            head = await reader.readuntil(b"\r\n\r\n")


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def both(onward: asyncio.StreamWriter, *ways: Awaitable[None]) -> None:
    """Until one way has ended; the other, and the connection onward, end with it."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        onward.transport.abort()
