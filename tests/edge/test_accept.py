"""The accept loop: every connection reaches a protocol with its client's address, also one that is gone already."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import uvloop

from gateway.decision import Hello
from gateway.edge.accept import Acceptor
from gateway.edge.plain import PlainConnection
from gateway.edge.sockets import listen
from gateway.message import RequestHead

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""


def test_a_connection_that_was_reset_at_once_is_refused_by_its_address_like_any_other() -> None:
    """Its peer name was asked for when there was none any more: a trace in the log instead of a line."""
    refused: list[str] = []
    faults: list[object] = []

    def refuse(address: str, head: RequestHead | None, send: Callable[[bytes], None]) -> None:
        refused.append(address)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context))
        sockets = listen([("127.0.0.1", 0)], "plain")
        port = sockets[0].getsockname()[1]

        def make(address: str, hello: Hello | None, left: Callable[[], None]) -> asyncio.Protocol:
            return PlainConnection(loop, refuse, address, hello, left)

        acceptor = Acceptor(loop, sockets, make, make, lambda address, *_: refused.append(address), None)
        acceptor.start()
        for number in range(20):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                if number % 2:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(200):
            if len(refused) == 20:
                break
            await asyncio.sleep(0.02)
        acceptor.stop()
        await acceptor.close()

    uvloop.run(run())
    assert refused == ["127.0.0.1"] * 20
    assert not faults
