"""A TLS connection of a listener that asks for a client certificate, as a transport of asyncio's: OpenSSL works on memory alone, and
the loop's own transport carries the bytes.

Nothing is kept but what one read of the socket brought and what the loop's transport has not sent: who pauses reading pauses the
socket, and how full the way out is, the loop's transport says to the protocol itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

from OpenSSL import SSL, crypto

from gateway.edge.farewell import LINGER_BYTES

READ_BYTES: Final = 64 * 1024
"""The most that one read brings."""
RECORD_BYTES: Final = 16 * 1024
"""The most that one record holds (RFC 8446 section 5.1)."""
CLOSE_SECONDS: Final = 30.0
"""How long a client may take what was written before a close, and answer it; the loop's own TLS waits as long."""

# Filled and emptied within one callback of one loop; nobody keeps a view of it.
_shared = memoryview(bytearray(READ_BYTES))


class Shown:
    """What a handshake brought: the part of `ssl.SSLObject` that a connection asks for, and the certificates that the client showed.

    `certificates` is the chain as DER, the leaf first; empty when the client showed none.
    """

    __slots__ = ("_tls", "certificates", "requested_name")

    def __init__(self, tls: SSL.Connection, requested_name: str | None) -> None:
        self._tls = tls
        self.requested_name = requested_name
        self.certificates = _chain(tls)

    def version(self) -> str:
        return self._tls.get_protocol_version_name()

    def cipher(self) -> tuple[str, str, int] | None:
        name = self._tls.get_cipher_name()
        return None if name is None else (name, self.version(), self._tls.get_cipher_bits() or 0)

    def unwrap(self) -> None:
        """Put the closing alert on its way; it goes out with the next write. What the client still sends can be read."""
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()


def _chain(tls: SSL.Connection) -> tuple[bytes, ...]:
    """A server's OpenSSL has the leaf apart from the rest, which may not be what a client of ours has read."""
    leaf = tls.get_peer_certificate()
    if leaf is None:
        return ()
    shown = [leaf, *(tls.get_peer_cert_chain() or ())]
    chain = [crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in shown]
    return tuple(dict.fromkeys(chain))


class Greeting(asyncio.BufferedProtocol):
    """The handshake, and then the way between the loop's transport and the connection's.

    `done` is given a result when the connection has its protocol, and an exception when it never will: `ssl.SSLError` with OpenSSL's
    reason, or ConnectionError.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: SSL.Context,
        name: str | None,
        factory: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        """`name` is the one for which the context was chosen: OpenSSL must read the same one."""
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._name = name
        self._factory = factory
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._raw: asyncio.Transport | None = None
        self._transport: MutualTransport | None = None

    def fail(self, error: Exception) -> None:
        """It comes to nothing. What OpenSSL has to say of it goes to the client, then the connection is closed."""
        if self.done.done():
            return
        self.done.set_exception(error)
        raw, self._raw = self._raw, None
        if raw is not None:
            _flush(self._tls, raw)
            raw.close()

    def drop(self) -> None:
        """The gateway stops: closed without a word."""
        if self._raw is not None and self._transport is None:
            self._raw.abort()

    # --- the loop's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _shared

    def buffer_updated(self, nbytes: int) -> None:
        if self._transport is not None:
            self._transport.take(_shared[:nbytes])
        elif self._raw is not None and not self.done.done():
            self._tls.bio_write(_shared[:nbytes])
            self._shake(self._raw)

    def eof_received(self) -> bool:
        if self._transport is None:
            self.fail(ConnectionResetError("closed within the handshake"))
            return False
        self._transport.take_end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._raw = None
        if self._transport is None:
            self.fail(ConnectionResetError("gone within the handshake"))
        else:
            self._transport.lost(exc)

    def pause_writing(self) -> None:
        if self._transport is not None:
            self._transport.protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.protocol.resume_writing()

    # --- the handshake ------------------------------------------------------------------------------------------------

    def _shake(self, raw: asyncio.Transport) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            _flush(self._tls, raw)
            return
        except SSL.Error as error:
            self.fail(_in_words_of_ssl(error))
            return
        read = self._tls.get_servername()
        name = None if read is None else read.decode("ascii", "replace").lower().rstrip(".")
        if name != self._name:
            self.fail(_fault("UNRECOGNIZED_NAME"))
            return
        self._transport = MutualTransport(self._loop, raw, self._tls, Shown(self._tls, name), self._factory())
        self.done.set_result(None)
        self._transport.begin()


class MutualTransport(asyncio.Transport):
    """What the connection's protocol writes to and is read from."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        raw: asyncio.Transport,
        tls: SSL.Connection,
        shown: Shown,
        protocol: asyncio.BaseProtocol,
    ) -> None:
        super().__init__({"ssl_object": shown, "certificate_chain": shown.certificates})
        self.protocol = protocol
        self._loop = loop
        self._raw = raw
        self._tls = tls
        self._paused = False
        self._ended = False
        self._closing = False
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- from the socket ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Meet the protocol, and hand over what came in one piece with the end of the handshake."""
        self.protocol.connection_made(self)
        self._pump()

    def take(self, data: memoryview) -> None:
        """What the socket brought. After a close it is thrown away, and of a client that goes on and on no more is read."""
        if self._closing:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES and not self._raw.is_closing():
                self._raw.pause_reading()
            return
        self._tls.bio_write(data)
        self._pump()

    def take_end(self) -> None:
        """Nothing more comes. That the closing alert is missing changes nothing: a request says itself where it ends."""
        self._ended = True
        if self._closing:
            self._raw.close()
        else:
            self._pump()

    def lost(self, exc: Exception | None) -> None:
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self.protocol.connection_lost(exc)

    def _pump(self) -> None:
        """Hand over what can be read, for as long as the protocol takes it."""
        while not self._paused and not self._closing:
            try:
                data = self._tls.recv(RECORD_BYTES)
            except SSL.WantReadError:
                if self._ended:
                    self._end()
                break
            except SSL.ZeroReturnError:
                self._end()
                break
            except SSL.Error:
                # A record that is none, or whose seal is broken (RFC 8446 section 5.2): the alert, and nothing more.
                self._flush()
                self._raw.close()
                break
            self._hand_over(data)
        self._flush()

    def _hand_over(self, data: bytes) -> None:
        protocol = self.protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            cast(asyncio.Protocol, protocol).data_received(data)
            return
        rest = memoryview(data)
        while rest:
            room = memoryview(cast(memoryview, protocol.get_buffer(len(rest))))[: len(rest)]
            room[:] = rest[: len(room)]
            protocol.buffer_updated(len(room))
            rest = rest[len(room) :]

    def _end(self) -> None:
        """The client sends no more: as with the loop's own TLS, that ends the connection whatever the protocol answers."""
        cast(asyncio.Protocol, self.protocol).eof_received()
        self.close()

    def _flush(self) -> None:
        if not self._raw.is_closing():
            _flush(self._tls, self._raw)

    # --- from the protocol --------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self._tls.get_shutdown() & SSL.SENT_SHUTDOWN:
            return
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.send(rest[:RECORD_BYTES]) :]
        self._flush()

    def writelines(self, list_of_data: Any) -> None:
        """With nothing in it: what waits within OpenSSL goes out."""
        self.write(b"".join(list_of_data))
        self._flush()

    def pause_reading(self) -> None:
        if not self._paused and not self._closing:
            self._paused = True
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            self._raw.resume_reading()
            # From the loop: who resumes within `data_received` is not called anew from inside it.
            self._loop.call_soon(self._pump)

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """What was written goes out, then the closing alert and the end of the stream. Until the client ends its side, or for
        `CLOSE_SECONDS`, what it still sends is thrown away: a close on unread bytes would reset the connection (RFC 9112 section 9.6)."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        self._flush()
        if self._ended or self._raw.is_closing():
            self._raw.close()
            return
        if self._paused:
            self._raw.resume_reading()
        self._raw.write_eof()
        self._timer = self._loop.call_later(CLOSE_SECONDS, self._raw.abort)

    def abort(self) -> None:
        self._closing = True
        self._raw.abort()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        own = super().get_extra_info(name)
        return self._raw.get_extra_info(name, default) if own is None else own


def _flush(tls: SSL.Connection, raw: asyncio.Transport) -> None:
    with contextlib.suppress(SSL.WantReadError):
        while True:
            raw.write(tls.bio_read(READ_BYTES))


def _in_words_of_ssl(error: SSL.Error) -> OSError:
    """The same fault as Python's `ssl` tells it, so that a line says the same whichever of the two met it."""
    if isinstance(error, SSL.SysCallError) or not error.args or not error.args[0]:
        return ConnectionResetError("ended within the handshake")
    reason = str(error.args[0][-1][2]).replace("ssl/tls alert", "sslv3 alert")
    return _fault(reason.upper().replace(" ", "_"))


def _fault(reason: str) -> ssl.SSLError:
    fault = ssl.SSLError(1, reason)
    fault.reason = reason
    return fault


async def greet(connection: socket.socket, greeting: Greeting) -> None:
    """Hand an accepted connection over, and wait for the end of its handshake. Raises what `Greeting.done` does."""
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: greeting, connection)
    try:
        await greeting.done
    except asyncio.CancelledError:
        greeting.drop()
        raise
