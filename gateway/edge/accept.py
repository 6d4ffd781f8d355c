"""The accept loop of a listener: every connection reaches a protocol, or is refused with a line that says why (clause B3).

What a connection begins with is looked at and left where it is (`MSG_PEEK`), so that OpenSSL reads the same bytes again. The kernel wakes
us when there are enough of them (`SO_RCVLOWAT`): a client who sends byte by byte costs no turn of the loop for each. In order:

1. a place (`admission`), counted until the connection is gone;
2. from a load balancer that the configuration lists, and from nobody else, the PROXY protocol: taken off to the byte;
3. a whole ClientHello, within its time: version and name are judged here, with OpenSSL's alert for the client;
4. the handshake, within its time; then the protocol has the connection. Where a client certificate is asked for, that time is a
   person's, who looks for a card and its PIN: such handshakes have a bound of their own, and the oldest goes when there are too many.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Protocol

import structlog
from OpenSSL import SSL

from gateway.decision import Hello
from gateway.edge.admission import Admission, Networks, Seat
from gateway.edge.farewell import Farewell
from gateway.edge.handshakes import NEW_ENOUGH, alert_of, handshake_fault
from gateway.edge.hello import ClientHello, describe_hello
from gateway.edge.mutual import MutualContexts
from gateway.edge.mutual_transport import Greeting, greet
from gateway.edge.opening import ClearText, read_opening
from gateway.edge.peek import Waiting
from gateway.edge.proxy_protocol import read_proxy_header
from gateway.edge.share import HOLD_SECONDS, TAKEN_AFTER_ALL
from gateway.edge.tls import ServerContexts
from gateway.errors import OpeningError

ACCEPTS_AT_ONCE: Final = 64
"""Connections taken in one turn of the loop, so that a flood of them does not starve the others."""
PAUSE_SECONDS: Final = 0.1
"""Rest when a connection cannot be taken: accept(2) lists a dozen troubles of the network and of memory, which pass."""
LOG_SECONDS: Final = 1.0
"""At most one line in so long of what cannot be accepted."""

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})
_AT_ONCE = frozenset({"too_slow", "crowded_out", "broken_off"})
"""Closed without a farewell: who says nothing waits for no answer."""

_log = structlog.get_logger("gateway.edge")

MakeProtocol = Callable[[str, Hello | None, Callable[[], None]], asyncio.BaseProtocol]
"""Makes the protocol of a connection, given the client's address, what its TLS said first, and whom to tell when it is gone."""


class Watch(Protocol):
    """Who is told of connections that come no further, with the client's address. Each is a line."""

    def failed(self, address: str, why: str, hello: Hello | None) -> None:
        """It is no TLS of ours, or its handshake failed."""

    def too_many(self, address: str, which: str, hello: Hello | None) -> None:
        """Over the bound `which`, a key of the configuration."""

    def clear_text(self, address: str, head: bool, send: Callable[[bytes], None]) -> None:
        """HTTP where TLS is spoken: `send` takes the answer when the line is written; without content when `head`."""


class Acceptor:
    """Accepts on some sockets. With `contexts` it is a TLS port, without a plain one; with `MutualContexts` it asks for a certificate."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: list[socket.socket],
        factory: MakeProtocol,
        watch: Watch,
        admission: Admission,
        contexts: ServerContexts | MutualContexts | None,
        balancers: Iterable[IPv4Network | IPv6Network] = (),
    ) -> None:
        """`balancers` are the peers that speak the PROXY protocol first."""
        self.contexts = contexts
        self._loop = loop
        self._sockets = sockets
        self._factory = factory
        self._watch = watch
        self._admission = admission
        self._limits = admission.limits
        self._balancers = Networks(balancers)
        self._waiting = Waiting(loop, admission.limits.waiting)
        self._tasks: set[asyncio.Task[None]] = set()
        self._farewells: set[Farewell] = set()
        self._greetings: dict[Greeting, object] = {}
        """Handshakes that ask for a certificate, the oldest first, and the client network of each."""
        self._reserve = _keep_descriptor()
        self._logged = 0.0

    def start(self) -> None:
        for listener in self._sockets:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def stop(self) -> None:
        """Take no more connections. Handshakes that are under way go on."""
        for listener in self._sockets:
            self._loop.remove_reader(listener.fileno())
            listener.close()

    async def close(self) -> None:
        """End what is on its way, with its line."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
        for farewell in list(self._farewells):
            farewell.end()
        if self._reserve is not None:
            os.close(self._reserve)

    # --- accepting ----------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket, held: bool = False) -> None:
        """`held`: these were left to a worker with fewer connections, and it has not come for them."""
        for _ in range(TAKEN_AFTER_ALL if held else ACCEPTS_AT_ONCE):
            if self._admission.ahead and not held:
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(HOLD_SECONDS, self._resume, listener, True)
                return
            try:
                connection, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._tell_trouble(error)
                if error.errno in _NO_DESCRIPTOR and self._turn_away(listener):
                    continue
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(PAUSE_SECONDS, self._resume, listener)
                return
            self._take(connection, peer[0])

    def _take(self, connection: socket.socket, peer: str) -> None:
        seat = self._admission.enter()
        if seat is None:
            connection.close()
            self._watch.too_many(peer, "total", None)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._open(connection, peer, seat))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell_trouble(self, error: OSError) -> None:
        if self._loop.time() - self._logged >= LOG_SECONDS:
            self._logged = self._loop.time()
            _log.error("cannot_accept", reason=os.strerror(error.errno or 0))

    def _turn_away(self, listener: socket.socket) -> bool:
        """Without a free descriptor a connection would wait, and wake us, for ever: with the one kept for this, it is closed."""
        if self._reserve is None:
            return False
        os.close(self._reserve)
        try:
            connection, peer = listener.accept()
        except OSError:
            return False
        else:
            connection.close()
            self._watch.too_many(peer[0], "open_files", None)
            return True
        finally:
            self._reserve = _keep_descriptor()

    def _resume(self, listener: socket.socket, held: bool = False) -> None:
        if self._reserve is None:
            self._reserve = _keep_descriptor()
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
            if held:
                self._accept(listener, held)

    # --- one connection -----------------------------------------------------------------------------------------------

    async def _open(self, connection: socket.socket, peer: str, seat: Seat) -> None:
        """Whatever comes, the connection ends in a protocol, in a farewell, or closed; and but for the first with a line."""
        entry = _Entry(peer)
        try:
            await self._lead_in(connection, entry, seat)
        except OpeningError as error:
            self._refuse(connection, entry, seat, error.why)
        except (OSError, ssl.SSLError) as error:
            connection.close()
            seat.leave()
            if error.errno in _NO_DESCRIPTOR:
                self._watch.too_many(entry.address, "open_files", entry.hello)
            else:
                self._watch.failed(entry.address, handshake_fault(error), entry.hello)
        except asyncio.CancelledError:
            connection.close()
            seat.leave()
            self._watch.failed(entry.address, "stopping", entry.hello)
            raise

    async def _lead_in(self, connection: socket.socket, entry: _Entry, seat: Seat) -> None:
        deadline = self._loop.time() + self._limits.first_bytes
        if self._balancers and entry.address in self._balancers:
            header = await self._waiting.look(connection, read_proxy_header, deadline)
            connection.recv(header.length)
            entry.address = header.address or entry.address
        if not seat.claim(entry.address):
            connection.close()
            seat.leave()
            self._watch.too_many(entry.address, "per_network", None)
            return
        contexts = self.contexts
        if contexts is None:
            await self._loop.connect_accepted_socket(
                partial(self._factory, entry.address, None, seat.leave), connection
            )
            return
        opening: ClientHello | ClearText = await self._waiting.look(connection, read_opening, deadline)
        if isinstance(opening, ClearText):
            send = partial(self._say_farewell, connection, seat)
            self._watch.clear_text(entry.address, opening.head, send)
            return
        entry.hello = hello = describe_hello(opening)
        if hello.newest_version not in NEW_ENOUGH:
            raise OpeningError("protocol_too_old")
        context = contexts.choose(hello.server_name)
        if context is None:
            raise OpeningError("unknown_name")
        if not isinstance(context, ssl.SSLContext):
            await self._greet(connection, entry.address, hello, context, seat)
            return
        if self._admission.handshakes >= self._limits.handshakes:
            connection.close()
            seat.leave()
            self._watch.too_many(entry.address, "handshakes", hello)
            return
        await self._shake_hands(connection, entry.address, hello, context, seat)

    async def _shake_hands(
        self, connection: socket.socket, address: str, hello: Hello, context: ssl.SSLContext, seat: Seat
    ) -> None:
        # The loop closes a connection whose handshake failed without sending OpenSSL's alert, and a browser could then tell its
        # person nothing but that the connection was closed. A second descriptor keeps it open until the alert is out.
        spare = os.dup(connection.fileno())
        self._admission.handshakes += 1
        try:
            await self._loop.connect_accepted_socket(
                partial(self._factory, address, hello, seat.leave),
                connection,
                ssl=context,
                ssl_handshake_timeout=self._limits.handshake,
            )
        except ssl.SSLError as error:
            alert = alert_of(handshake_fault(error))
            if alert:
                with contextlib.suppress(OSError):  # who has left already needs no alert
                    os.write(spare, alert)
            raise
        finally:
            self._admission.handshakes -= 1
            os.close(spare)

    async def _greet(
        self, connection: socket.socket, address: str, hello: Hello, context: SSL.Context, seat: Seat
    ) -> None:
        """A handshake that asks for a certificate. Who keeps many of them waiting pushes out its own, and a person tries again."""
        if len(self._greetings) >= self._limits.card_handshakes:
            ((crowd, _),) = Counter(self._greetings.values()).most_common(1)
            oldest = next(greeting for greeting, network in self._greetings.items() if network == crowd)
            del self._greetings[oldest]
            oldest.fail(OpeningError("crowded_out"))
        greeting = Greeting(self._loop, context, hello.server_name, partial(self._factory, address, hello, seat.leave))
        self._greetings[greeting] = seat.network
        timer = self._loop.call_later(self._limits.card_handshake, greeting.fail, OpeningError("too_slow"))
        try:
            await greet(connection, greeting)
        finally:
            timer.cancel()
            self._greetings.pop(greeting, None)

    # --- refusing -----------------------------------------------------------------------------------------------------

    def _refuse(self, connection: socket.socket, entry: _Entry, seat: Seat, why: str) -> None:
        self._watch.failed(entry.address, why, entry.hello)
        if why in _AT_ONCE:
            connection.close()
            seat.leave()
        else:
            self._say_farewell(connection, seat, alert_of(why))

    def _say_farewell(self, connection: socket.socket, seat: Seat, last_words: bytes) -> None:
        def gone(farewell: Farewell) -> None:
            self._farewells.discard(farewell)
            seat.leave()

        self._farewells.add(Farewell(self._loop, connection, last_words, gone))


class _Entry:
    """What is known of a connection so far: for its line, however it ends."""

    __slots__ = ("address", "hello")

    def __init__(self, address: str) -> None:
        self.address = address
        self.hello: Hello | None = None


def _keep_descriptor() -> int | None:
    """One that can be given up when there is no other; None when there is none even for this."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
