"""What TLS and forwarding cost in Python at all: bytes go in and out between asyncio's (uvloop's) transports, and nothing of the job is done.

    python bench/bare.py CERTIFICATE KEY PORT ORIGIN_PORT

Nothing to deploy: no message is read, nobody is asked for, nothing is decided or written down. What it costs is what no gateway made of
these parts can go below, however little it does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import cast

import uvloop


class End(asyncio.Protocol):
    """One end of a pair; what comes here goes out there, and who takes nothing holds the other back."""

    transport: asyncio.Transport
    other: End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.transport.abort()
        else:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()


class Client(End):
    """A client's connection, which has one to the origin to itself."""

    def __init__(self, origin_port: int) -> None:
        self._origin_port = origin_port
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connecting = asyncio.get_running_loop().create_connection(End, "127.0.0.1", self._origin_port)
        asyncio.ensure_future(connecting).add_done_callback(lambda task: self._join(task.result()[1]))

    def _join(self, origin: End) -> None:
        self.other, origin.other = origin, self
        for data in self._waiting:
            origin.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._waiting.append(data)
        else:
            self.other.transport.write(data)


async def main(certificate: Path, key: Path, port: int, origin_port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(origin_port), "127.0.0.1", port, ssl=context, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
