"""Waits for the first bytes of connections and leaves them where they are; bounded in time, bytes and number."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.errors import OpeningError

PEEK_BYTES: Final = 4096
"""The first look: a browser's hello is 1.9 to 2.5 kB (CLIENTS)."""
RETRY_SECONDS: Final = 0.05
"""The kernel wakes early when its buffers are full: the next look comes after this, not at once."""
_ESTABLISHED: Final = 1
"""TCP_ESTABLISHED of `tcp_info.tcpi_state` (Linux, netinet/tcp.h): the client has not closed its side."""

_Read = TypeVar("_Read")


class Waiting:
    """The connections of an acceptor that have not sent enough yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._waiting: dict[asyncio.Future[None], None] = {}

    async def look(self, connection: socket.socket, read: Callable[[bytes], _Read | int], deadline: float) -> _Read:
        """What `read` makes of the first bytes; it answers with a number while it needs as many.

        Raises OpeningError (`too_slow` at the deadline of the loop's clock, `crowded_out`, `broken_off`, or what `read` found), OSError.
        """
        needed, woken = PEEK_BYTES, False
        while True:
            data = _peek(connection, max(needed, PEEK_BYTES))
            found = read(data)
            if not isinstance(found, int):
                if woken:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                return found
            if woken and len(data) < needed:
                if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED:
                    raise OpeningError("broken_off")
                if self._loop.time() > deadline:
                    raise OpeningError("too_slow")
                await asyncio.sleep(RETRY_SECONDS)
            needed, woken = found, True
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, needed)
            await self._readable(connection, deadline)

    async def _readable(self, connection: socket.socket, deadline: float) -> None:
        while len(self._waiting) >= self._most:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            _break_off(oldest, "crowded_out")
        readable: asyncio.Future[None] = self._loop.create_future()
        self._waiting[readable] = None
        self._loop.add_reader(connection.fileno(), _tell, readable)
        timer = self._loop.call_at(deadline, _break_off, readable, "too_slow")
        try:
            await readable
        finally:
            timer.cancel()
            self._waiting.pop(readable, None)
            self._loop.remove_reader(connection.fileno())


def _peek(connection: socket.socket, most: int) -> bytes:
    """What has come so far; empty when nothing has. Raises ConnectionResetError when the client closes instead."""
    try:
        data = connection.recv(most, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return b""
    if not data:
        raise ConnectionResetError("closed before a byte")
    return data


def _tell(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


def _break_off(readable: asyncio.Future[None], why: str) -> None:
    if not readable.done():
        readable.set_exception(OpeningError(why))
