"""What stands behind the origin's `/live`, the same for every server: websockets that echo, and requests that wait.

    python -m bench.echo PORT

`GET /live/wait` is answered never, for the memory of a connection in flight. A websocket there gets one message back for each
message of MESSAGE_BYTES; frames are counted, not read, so that the origin costs the load's core as little as possible.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

MESSAGE_BYTES = 100
CLIENT_FRAME_BYTES = 2 + 4 + MESSAGE_BYTES
"""RFC 6455 section 5.2: two bytes, a client's mask, and the text."""
SERVER_FRAME = bytes((0x81, MESSAGE_BYTES)) + b"x" * MESSAGE_BYTES
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._head = b""
        self._open = False
        self._rest = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has its methods and is no subclass of it

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._open:
            self._head += data
            if b"\r\n\r\n" not in self._head or b"upgrade: websocket" not in self._head.lower():
                return
            self._transport.write(_accept(self._head))
            self._open = True
            return
        messages, self._rest = divmod(self._rest + len(data), CLIENT_FRAME_BYTES)
        if messages:
            self._transport.write(SERVER_FRAME * messages)


def _accept(head: bytes) -> bytes:
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    key = next(value for name, value in fields.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
