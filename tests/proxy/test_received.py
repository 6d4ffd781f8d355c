"""One buffer for all connections: what comes on one stays that one's, however much it is and whatever comes meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from gateway.proxy import received as module
from gateway.proxy.received import READ_BYTES, Receiver
from tests.proxy.stage import until

if not module.__file__.endswith(".py"):
    pytest.skip("what is compiled has no subclass that is not", allow_module_level=True)


class Collecting(Receiver):
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    @property
    def whole(self) -> bytes:
        return b"".join(self.pieces)


async def test_what_comes_on_one_connection_stays_its_own() -> None:
    loop = asyncio.get_running_loop()
    sent = [os.urandom(3 * READ_BYTES + number) for number in range(8)]
    pairs = [socket.socketpair() for _ in sent]
    received: list[Collecting] = []
    transports, writers = [], []
    for ours, theirs in pairs:
        transport, protocol = await loop.create_connection(Collecting, sock=ours)
        transports.append(transport)
        received.append(protocol)
        writers.append((await asyncio.open_connection(sock=theirs))[1])
    for start in range(0, len(sent[-1]), 10_000):
        for data, writer in zip(sent, writers, strict=True):
            writer.write(data[start : start + 10_000])
        await asyncio.sleep(0)
    await until(lambda: [one.whole for one in received] == sent, 10)
    assert all(type(piece) is bytes and len(piece) <= READ_BYTES for one in received for piece in one.pieces)
    for transport, writer in zip(transports, writers, strict=True):
        transport.close()
        writer.close()
        await writer.wait_closed()
