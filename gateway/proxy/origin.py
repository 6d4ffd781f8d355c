"""Connections to origins: a lean pool of keep-alive connections, each driven by callbacks of one protocol (DESIGN section 9).

The portal is reached in the same way, over a UNIX socket (`unix:` URL). What an origin sends is read by `message.ResponseReader`
and held to the same strictness as what a client sends.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast
from urllib.parse import urlsplit

from gateway.errors import OriginError, ResponseError, WriteError
from gateway.message import Data, EndOfMessage, InformationalHead, Known, ResponseHead, ResponseReader
from gateway.model import Origin
from gateway.proxy.kernel import keep_probing
from gateway.proxy.received import Receiver

IDLE_KEPT: Final = 512
"""Idle connections kept by a worker, to all origins together, until they are too old: about as many as its requests under way. Where more are
under way than are kept, the others pay for a new connection each, which at full speed is half a request more."""

UNIX_SCHEME: Final = "unix:"
WEBSOCKET_ACCEPTED: Final = 101
LEAVE_SECONDS: Final = 1.0
"""How long an origin that was told why has for its own goodbye."""


class OriginUser(Protocol):
    """Who uses an origin connection for one exchange. Each call comes on the event loop."""

    def origin_informational(self, head: InformationalHead) -> None: ...
    def origin_head(self, head: ResponseHead) -> None: ...
    def origin_data(self, data: bytes) -> None: ...
    def origin_end(self) -> None: ...
    def origin_flush(self) -> None: ...
    def origin_lost(self, error: OriginError) -> None: ...
    def origin_writable(self) -> None: ...


class OriginRelay(Protocol):
    """Who uses an origin connection that is no longer HTTP, from an accepted websocket on."""

    def origin_raw(self, data: bytes) -> None: ...
    def origin_lost(self, error: OriginError) -> None: ...
    def origin_writable(self) -> None: ...


class OriginConnection(Receiver):
    """One connection to an origin. `reused` says that it served an earlier exchange; `answered` that bytes of this one's answer came."""

    __slots__ = (
        "_ended", "_known", "_leaving", "_reader", "_relay", "_transport", "_user", "answered", "idle_since", "origin", "paused", "pool", "reused",
    )  # fmt: skip

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self.pool = pool
        self.origin = origin
        self.reused = False
        self.answered = False
        self.paused = False
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._user: OriginUser | None = None
        self._reader: ResponseReader | None = None
        self._relay: OriginRelay | None = None
        self._ended = self._leaving = False
        self._known = pool.known(origin)

    # --- the user's side ----------------------------------------------------------------------------------------------

    def begin(self, user: OriginUser, method: str, *, websocket: bool) -> None:
        """A new exchange begins on this connection."""
        self._user = user
        self._reader = ResponseReader(method, websocket=websocket, known=self._known)
        self._ended = False
        self.answered = False

    def relay_to(self, relay: OriginRelay) -> None:
        """The origin accepted a websocket: every byte of its from here on goes to `relay`, and the connection serves nobody else."""
        self._user, self._relay = None, relay

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def finish(self, *, reusable: bool) -> None:
        """The exchange is over: back to the pool, or closed."""
        self._user = None
        reader = self._reader
        self._reader = None
        if reusable and self._ended and reader is not None and not reader.buffered and not self.closing:
            self.reused = True
            self.pool.give_back(self)
        else:
            self.close()

    def close(self) -> None:
        """At once: what was not sent yet is not sent any more."""
        self._user = self._relay = None
        if self._transport is not None:
            self._transport.abort()

    def shut(self) -> None:
        """Close when what was written has gone out."""
        self._user = self._relay = None
        if self._transport is not None:
            self._transport.close()

    def leave(self) -> None:
        """Close so that what was written arrives: what still comes is thrown away for a moment, unless the origin closes first."""
        self._user = self._relay = None
        self._leaving = True
        if self._transport is not None:
            self.resume_reading()
            self.pool.loop.call_later(LEAVE_SECONDS, self.close)

    def probe(self) -> None:
        """Ask the origin's system now and then whether it is still there, while nothing else is said."""
        if self._transport is not None:
            keep_probing(self._transport)

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    # --- asyncio's side -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        relay = self._relay
        if relay is not None:
            relay.origin_raw(data)
            return
        user, reader = self._user, self._reader
        if user is None or reader is None:
            # Bytes that nobody asked for: whatever they are, they must not be taken for the next answer.
            if not self._leaving:
                self.close()
            return
        self.answered = True
        reader.feed(data)
        self._read(reader)

    def _read(self, reader: ResponseReader) -> None:
        """Hand on the events that came; stops when the user gave the connection up on the way."""
        try:
            while self._reader is reader and not self._ended:
                event = reader.next_event()
                user = self._user
                if user is None:
                    return
                if event is None:
                    user.origin_flush()
                    return
                if type(event) is Data:
                    user.origin_data(event.data)
                elif type(event) is ResponseHead:
                    user.origin_head(event)
                elif type(event) is EndOfMessage:
                    self._ended = True
                    user.origin_end()
                elif type(event) is InformationalHead:
                    user.origin_informational(event)
                    relay = self._relay
                    if relay is not None:
                        self._reader = None
                        rest = reader.take_rest()
                        if rest:
                            relay.origin_raw(rest)
                        return
        except ResponseError as error:
            self._fail(OriginError(error.reason, error.detail, 502))
        except WriteError as error:
            # Read well and still not to be written: nothing of it has reached the client.
            self._fail(OriginError("origin_malformed", str(error), 502))

    def eof_received(self) -> None:
        reader = self._reader
        if reader is not None and self._user is not None:
            try:
                reader.feed_eof()
            except ResponseError as error:
                self._fail(OriginError("origin_broken", error.detail, 502))
                return
            self._read(reader)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.pool.forget(self)
        if not self._ended:
            self._fail(OriginError("origin_broken", "the origin closed the connection", 502))

    def _fail(self, error: OriginError) -> None:
        user = self._user if self._relay is None else self._relay
        self._user = self._relay = self._reader = None
        if self._transport is not None:
            self._transport.abort()
        if user is not None:
            user.origin_lost(error)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        user = self._user if self._relay is None else self._relay
        if user is not None:
            user.origin_writable()


class Pool:
    """Idle connections by origin, and the making of new ones. `idle_seconds` is how long one is kept unused."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle_seconds: float) -> None:
        self.loop = loop
        self._idle_seconds = idle_seconds
        self._idle: dict[Origin, deque[OriginConnection]] = {}
        self._kept = 0
        self._known: dict[Origin, Known] = {}
        self._contexts: dict[Origin, ssl.SSLContext] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def known(self, origin: Origin) -> Known:
        """The origin's last answer, whichever connection it came on."""
        known = self._known.get(origin)
        if known is None:
            known = self._known[origin] = Known()
        return known

    def take(self, origin: Origin) -> OriginConnection | None:
        """An idle connection, the one used last (the others may die of age); None when there is none."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            self._kept -= 1
            if not connection.closing:
                return connection
        return None

    def connect(self, origin: Origin, done: Callable[[OriginConnection | OriginError], None]) -> None:
        """Open a new connection; `done` learns of it, or why there is none, within the origin's connect time-out."""
        task = self.loop.create_task(self._connect(origin, done))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, origin: Origin, done: Callable[[OriginConnection | OriginError], None]) -> None:
        result: OriginConnection | OriginError
        try:
            async with asyncio.timeout(origin.connect_timeout):
                result = await self._open(origin)
        except TimeoutError:
            result = OriginError("origin_timeout", f"no connection within {origin.connect_timeout:g} s", 504)
        except (OSError, ValueError) as error:
            # ssl.SSLError is an OSError; a certificate that names another host is one as well.
            result = OriginError("origin_refused", type(error).__name__, 502)
        done(result)

    async def _open(self, origin: Origin) -> OriginConnection:
        def factory() -> OriginConnection:
            return OriginConnection(self, origin)

        if origin.url.startswith(UNIX_SCHEME):
            _, connection = await self.loop.create_unix_connection(factory, origin.url.removeprefix(UNIX_SCHEME))
            return connection
        parts = urlsplit(origin.url)
        secure = parts.scheme == "https"
        _, connection = await self.loop.create_connection(
            factory,
            parts.hostname or "",
            parts.port or (443 if secure else 80),
            ssl=self._context(origin) if secure else None,
            server_hostname=parts.hostname if secure else None,
        )
        return connection

    def _context(self, origin: Origin) -> ssl.SSLContext:
        """Verified TLS 1.2 or 1.3 to the origin, by its own CA where the table names one, with our certificate where it asks."""
        context = self._contexts.get(origin)
        if context is None:
            context = ssl.create_default_context(cafile=origin.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if origin.client_certificate is not None:
                context.load_cert_chain(origin.client_certificate, origin.client_key)
            self._contexts[origin] = context
        return context

    def give_back(self, connection: OriginConnection) -> None:
        idle = self._idle.get(connection.origin)
        if idle is None:
            idle = self._idle[connection.origin] = deque()
        if self._kept >= IDLE_KEPT:
            self._close_oldest_of(min(filter(None, self._idle.values()), key=lambda one: one[0].idle_since))
        connection.idle_since = self.loop.time()
        connection.resume_reading()
        idle.append(connection)
        self._kept += 1

    def _close_oldest_of(self, idle: deque[OriginConnection]) -> None:
        self._kept -= 1
        idle.popleft().close()

    def forget(self, connection: OriginConnection) -> None:
        """A connection was lost; when it lay idle, it is taken out."""
        idle = self._idle.get(connection.origin)
        if idle is not None and connection in idle:
            idle.remove(connection)
            self._kept -= 1

    def drop(self) -> None:
        """After a reload: idle connections and TLS contexts are made anew, with the keys that lie on the disk now."""
        self._contexts.clear()
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        self._idle.clear()
        self._kept = 0
        self._known.clear()

    def tick(self, now: float) -> None:
        """Close what lay idle for too long; `now` is the loop's time."""
        for idle in self._idle.values():
            while idle and now - idle[0].idle_since > self._idle_seconds:
                self._close_oldest_of(idle)

    async def close(self) -> None:
        for task in list(self._connecting):
            task.cancel()
        if self._connecting:
            await asyncio.wait(list(self._connecting))
        self.drop()
