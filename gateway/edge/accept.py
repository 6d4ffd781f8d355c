"""The accept loop of a listener: every connection is handed to a protocol, and every one that fails on its way is a line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from functools import partial

import structlog

from gateway.decision import Hello

HANDSHAKE_SECONDS = 10.0
"""For the whole TLS handshake: phones on a bad network need two or three."""
TLS_HANDSHAKE = b"\x16"
"""What a TLS connection begins with (RFC 8446 section 5.1); HTTP begins with a letter."""
ACCEPTS_AT_ONCE = 64
"""Connections taken in one turn of the loop, so that a flood of them does not starve the others."""
PAUSE_SECONDS = 0.1
"""Rest when the process or the machine is out of file descriptors or memory."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = structlog.get_logger("gateway.edge")

Failed = Callable[[str, str, Hello | None], None]
"""Told of a connection that never became one: the client's address, why, and what its TLS said first."""


MakeProtocol = Callable[[str, Hello | None, Callable[[], None]], asyncio.Protocol]
"""Makes the protocol of a connection, given the client's address, what its TLS said first, and whom to tell when it is gone."""


class Acceptor:
    """Accepts on some sockets. `context` may be replaced at a reload: new handshakes use the new one."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: list[socket.socket],
        factory: MakeProtocol,
        plain: MakeProtocol,
        failed: Failed,
        context: ssl.SSLContext | None,
    ) -> None:
        """`factory` makes the protocol of a good connection, `plain` that of one which speaks plain HTTP where TLS is spoken."""
        self.context = context
        self._loop = loop
        self._sockets = sockets
        self._factory = factory
        self._plain = plain
        self._failed = failed
        self._handshakes: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for listener in self._sockets:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def stop(self) -> None:
        """Take no more connections. Handshakes that are under way go on."""
        for listener in self._sockets:
            self._loop.remove_reader(listener.fileno())
            listener.close()

    async def close(self) -> None:
        for task in list(self._handshakes):
            task.cancel()
        if self._handshakes:
            await asyncio.wait(list(self._handshakes))

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                connection, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                _log.error("cannot_accept", reason=os.strerror(error.errno or 0))
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(PAUSE_SECONDS, self._resume, listener)
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._open(connection, peer[0]))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    async def _open(self, connection: socket.socket, address: str) -> None:
        try:
            if self.context is None:
                await self._loop.connect_accepted_socket(partial(self._factory, address, None, _gone), connection)
            elif await self._first_byte(connection) == TLS_HANDSHAKE:
                await self._shake_hands(connection, address, self.context)
            else:
                await self._loop.connect_accepted_socket(partial(self._plain, address, None, _gone), connection)
        except (OSError, ssl.SSLError) as error:
            connection.close()
            self._failed(address, handshake_fault(error), None)
        except asyncio.CancelledError:
            connection.close()
            raise

    async def _shake_hands(self, connection: socket.socket, address: str, context: ssl.SSLContext) -> None:
        # The loop closes a connection whose handshake failed without sending OpenSSL's alert, and a browser could then tell its
        # person nothing but that the connection was closed. A second descriptor keeps it open until the alert is out.
        with connection.dup() as spare:
            try:
                await self._loop.connect_accepted_socket(
                    partial(self._factory, address, None, _gone),
                    connection,
                    ssl=context,
                    ssl_handshake_timeout=HANDSHAKE_SECONDS,
                )
            except ssl.SSLError as error:
                alert = _ALERTS.get(handshake_fault(error))
                if alert is not None:
                    with contextlib.suppress(OSError):  # who has left already needs no alert
                        spare.send(_FATAL + bytes([alert]))
                raise

    async def _first_byte(self, connection: socket.socket) -> bytes:
        """The first byte, left where it is. Raises TimeoutError, or ConnectionError when the client closes instead."""
        readable = self._loop.create_future()
        self._loop.add_reader(connection.fileno(), _tell, readable)
        try:
            await asyncio.wait_for(readable, HANDSHAKE_SECONDS)
        finally:
            self._loop.remove_reader(connection.fileno())
        first = connection.recv(1, socket.MSG_PEEK)
        if not first:
            raise ConnectionResetError("closed before a byte")
        return first


def _gone() -> None:
    """Nobody counts connections yet."""


def _tell(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


def handshake_fault(error: BaseException) -> str:
    """Why a handshake failed, in a word that is ours: nothing of what the client sent is repeated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate_refused"
    if isinstance(error, ssl.SSLError):
        return _TLS_FAULTS.get(error.reason or "", (error.reason or "tls").lower())
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return "too_slow"
    return "broken_off"


_TLS_FAULTS = {
    "HTTP_REQUEST": "plain_http",
    "HTTPS_PROXY_REQUEST": "plain_http",
    "UNSUPPORTED_PROTOCOL": "protocol_too_old",
    "VERSION_TOO_LOW": "protocol_too_old",
    "NO_SHARED_CIPHER": "no_common_cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no_common_cipher",
    "CALLBACK_FAILED": "unknown_name",
    "UNRECOGNIZED_NAME": "unknown_name",
    "TLSV1_UNRECOGNIZED_NAME": "unknown_name",
    "WRONG_VERSION_NUMBER": "not_tls",
    "UNEXPECTED_EOF_WHILE_READING": "broken_off",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "certificate_refused_by_client",
    "TLSV1_ALERT_UNKNOWN_CA": "certificate_refused_by_client",
}

_FATAL = b"\x15\x03\x03\x00\x02\x02"
"""The head of an unencrypted alert record, level fatal (RFC 8446 sections 5.1 and 6)."""
_ALERTS: dict[str, int] = {
    "no_common_cipher": ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE,
    "protocol_too_old": ssl.ALERT_DESCRIPTION_PROTOCOL_VERSION,
    "unknown_name": ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME,
}
"""What is found wrong in the ClientHello itself: at that point nothing is encrypted yet, and the alert is not either."""
