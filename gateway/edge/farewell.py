"""The last words to a client who gets no further: written, then the socket is closed so that they arrive.

A close on unread bytes resets the connection, and what was written is lost (RFC 9112 section 9.6): so half-close, and throw away for a
moment what still comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 16 * 1024


class Farewell:
    """Sends `last_words` (a few hundred bytes: they fit into the socket's buffer) and closes in order; `gone` is called once, at the end."""

    __slots__ = ("_connection", "_gone", "_loop", "_read", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        last_words: bytes,
        gone: Callable[[Farewell], None],
    ) -> None:
        self._loop = loop
        self._connection: socket.socket | None = connection
        self._gone = gone
        self._read = 0
        self._timer: asyncio.TimerHandle | None = None
        try:
            if last_words:
                connection.send(last_words)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # who has left already needs none
            loop.call_soon(self.end)
            return
        self._timer = loop.call_later(LINGER_SECONDS, self.end)
        loop.add_reader(connection.fileno(), self._discard)

    def _discard(self) -> None:
        if self._connection is None:
            return
        try:
            data = self._connection.recv(_PIECE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._read += len(data)
        if not data or self._read > LINGER_BYTES:
            self.end()

    def end(self) -> None:
        """Close now."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(OSError):
            self._loop.remove_reader(connection.fileno())
        connection.close()
        self._gone(self)
