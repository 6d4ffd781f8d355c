"""One connection of a client on a public TLS port: reads requests one after the other, and paces both directions.

A request is an `Exchange`; while one is under way, bytes of the next wait in the reader (RFC 9112 section 9.3.2), and when too
many wait, the socket is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final, cast

from gateway.address import client_ip
from gateway.decision import Connection, Hello
from gateway.errors import RequestError
from gateway.ledger.pseudonym import Identity
from gateway.ledger.repeated import Lines
from gateway.message import CHUNKED, RequestHead, RequestReader
from gateway.message.frames import FrameFollower
from gateway.model import Channel
from gateway.proxy.doorman import leave_no_request_line
from gateway.proxy.evidence import Observed
from gateway.proxy.exchange import Exchange
from gateway.proxy.facts import Sent, read_sent
from gateway.proxy.forward import Answered, Lasting
from gateway.proxy.gate import Gate
from gateway.proxy.kernel import half_close, keep_probing, reset_on_close, unacknowledged
from gateway.proxy.received import Receiver
from gateway.proxy.wheel import NEVER

HIGH_WATER_BYTES: Final = 64 * 1024
"""Unread bytes of a client above which its socket is not read: one TLS record is 16 KiB, four keep a fast upload flowing."""
WRITE_HIGH_BYTES: Final = 128 * 1024
"""Unsent bytes towards a client above which the origin is not read."""
CARD_KEEP_ALIVE_SECONDS: Final = 3.0
"""How long a connection of the eID door stays open between two requests: a page with its style sheet. The card was shown to the
connection; who tries again with another one must come by a new one, and a browser takes what is open."""
CARD_LIFE_SECONDS = 15.0
"""How old a connection of the eID door gets, however busy it is: what a card proves there is believed to be of now. Long enough to ask
whether it was revoked, and for a page with its style sheet."""
LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 64 * 1024
"""How long, and how much, a refused client may go on sending before its connection is closed: a close on unread bytes resets
the connection, and the browser drops our page (RFC 9112 section 9.6)."""


class ClientConnection(Receiver):
    """The protocol of one accepted connection, after its handshake."""

    __slots__ = (
        "_discarded", "_farewell", "_given", "_keep_alive", "_last_at", "_left", "_lingering", "_observed", "_reading_paused", "_requests", "_sent", "_transport", "_waiting_since",
        "address", "answered", "due", "exchange", "facts", "gate", "ip", "lasting", "lines", "public_port", "reader", "remote", "write_paused",
    )  # fmt: skip

    def __init__(
        self,
        gate: Gate,
        channel: Channel,
        public_port: int,
        address: str,
        hello: Hello | None,
        left: Callable[[], None],
    ) -> None:
        """`address` is the client's, as the accepted socket gave it: a connection that is gone has none any more.

        `left` is called once, when the connection is gone.
        """
        self._left = left
        self.gate = gate
        self.public_port = public_port
        self.facts = Connection(channel, None, None, None, hello)
        self.reader = RequestReader(gate.limits)
        self.exchange: Exchange | None = None
        self.write_paused = False
        self.ip: IPv4Address | IPv6Address = client_ip(address)
        self.remote = str(self.ip)
        self.address: Identity = gate.ledger.sealer.address(self.ip)
        self._transport: asyncio.Transport | None = None
        self._keep_alive = gate.timeouts.keep_alive if channel is not Channel.EID else CARD_KEEP_ALIVE_SECONDS
        self._reading_paused = False
        self._last_at = NEVER if channel is not Channel.EID else gate.loop.time() + CARD_LIFE_SECONDS
        self._lingering = False
        self._discarded = 0
        self._farewell: FrameFollower | None = None
        self._given = 0
        self._requests = 0
        self.due = NEVER
        self._waiting_since = 0.0
        self._sent: Sent | None = None
        self._observed: Observed | None = None
        self.lines = Lines()
        self.answered: Answered | None = None
        self.lasting: Lasting | None = None
        """What the last request to an origin leaves for the next one."""

    # --- asyncio's side -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast(asyncio.Transport, transport)
        stream.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        tls = stream.get_extra_info("ssl_object")
        if tls is not None:
            cipher = tls.cipher()
            self.facts = Connection(
                self.facts.channel,
                tls.version(),
                None if cipher is None else cipher[0],
                getattr(tls, "requested_name", None),
                self.facts.hello,
                stream.get_extra_info("certificate_chain", ()),
                self.remote,
            )
        self._waiting_since = self.gate.loop.time()
        self.gate.connections.add(self)
        self.look_by(self._waiting_since + self._keep_alive)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            self._discard(data)
            return
        exchange = self.exchange
        if exchange is not None and exchange.relay is not None:
            exchange.relay.client_raw(data)
            return
        if not self.reader.buffered and exchange is None:
            self._waiting_since = self.gate.loop.time()
        self.reader.feed(data)
        if exchange is None:
            self._next()
        else:
            exchange.pump()
        self.pace()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.gate.wheel.forget(self)
        self._left()
        self.carries(None)
        self.gate.connections.discard(self)
        if self.gate.draining and not self.gate.connections:
            self.gate.emptied.set()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_lost()
        elif self._requests == 0 and not self._lingering:
            leave_no_request_line(self.gate, self.ip, self.address, self.facts)

    def pause_writing(self) -> None:
        self.write_paused = True
        if self.exchange is not None:
            self.exchange.client_paused()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.exchange is not None:
            self.exchange.client_resumed()
        else:
            self._go_on()

    def sent(self, head: RequestHead) -> Sent:
        """What the fields of a request say, read once for as long as the client repeats them."""
        sent = self._sent
        if sent is None or sent.fields is not head.fields:
            sent = self._sent = read_sent(head, self.public_port, self.facts)
        return sent

    def carries(self, observed: Observed | None) -> None:
        """Whose session the last request had: each counts its connections."""
        if observed is not self._observed:
            if self._observed is not None:
                self._observed.connections -= 1
            self._observed = observed
            if observed is not None:
                observed.connected(self.gate.clock())

    # --- the exchange's side ------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._given += len(data)
            self._transport.write(data)

    @property
    def waits(self) -> bool:
        """Whether the client has not yet confirmed all that it was given."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and unacknowledged(transport) > 0

    @property
    def taken(self) -> int:
        """How many bytes of ours the client has confirmed. (Encryption makes them a little more: it is to compare two moments.)"""
        transport = self._transport
        if transport is None or transport.is_closing():
            return self._given
        return self._given - unacknowledged(transport)

    def probe(self) -> None:
        """What is open lasts: find out when the client has gone without a word."""
        if self._transport is not None:
            keep_probing(self._transport)

    def pace(self) -> None:
        """Stop reading the socket when more waits than anybody takes, and go on when it was taken."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self.reader.buffered > HIGH_WATER_BYTES:
            if not self._reading_paused:
                self._reading_paused = True
                transport.pause_reading()
        elif self._reading_paused:
            self._reading_paused = False
            transport.resume_reading()

    def hold(self) -> None:
        """Do not read: the other side of a relay takes nothing."""
        if not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()

    def exchange_over(self, *, close: bool, read_whole: bool) -> None:
        """The exchange was answered whole. The next request is read, or the connection is closed in order."""
        self.exchange = None
        if close or self.gate.draining or self._transport is None:
            if read_whole and not self.reader.buffered:
                self._lingering = True
                self.close()
            else:
                self.linger()
            return
        self._waiting_since = self.gate.loop.time()
        self.reader.start_next()
        # From the loop and not from here: a client that pipelines must not make the stack deep.
        if self.reader.buffered:
            self.gate.loop.call_soon(self._go_on)

    def linger(self) -> None:
        """Close so that what was written arrives: say that it was all, read on for a moment, and throw it away."""
        self.exchange = None
        self._lingering = True
        transport = self._transport
        if transport is None:
            return
        half_close(transport)
        if self._reading_paused:
            self._reading_paused = False
            transport.resume_reading()
        self.gate.loop.call_later(LINGER_SECONDS, self._lingered)

    def farewell(self, frames: FrameFollower) -> None:
        """A websocket has ended: close when the client's own Close has come, or in a moment (RFC 6455 section 7.1.1)."""
        self.exchange = None
        self._lingering = True
        if self._transport is None:
            return
        if frames.closed:
            self.close()
            return
        self._farewell = frames
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        self.gate.loop.call_later(LINGER_SECONDS, self._parted)

    def _discard(self, data: bytes) -> None:
        """Bytes that come after the end."""
        frames = self._farewell
        if frames is not None:
            frames.follow(data)
            if frames.closed:
                self.close()
            return
        self._discarded += len(data)
        if self._discarded > LINGER_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def _parted(self) -> None:
        """Who has not taken the goodbye by now gets nothing more of what lay before it."""
        if self.waits:
            self.abort()
        else:
            self.close()

    def _lingered(self) -> None:
        """The moment is over. Who still sends is cut off; who only reads slowly gets the rest."""
        if self._discarded > LINGER_BYTES and not self.write_paused:
            self.drop()
        else:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Break the connection visibly: the client must not take what it got for the whole answer."""
        self.exchange = None
        self._lingering = True
        if self._transport is not None:
            reset_on_close(self._transport)
            self._transport.abort()

    # --- requests -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """What waits in the reader is taken up, and the socket is read again."""
        self._next()
        self.pace()

    def _next(self) -> None:
        # Who does not take the answers gets no more of them: else a few kB of small requests would fill the memory with pages.
        if self.exchange is not None or self._transport is None or self._lingering or self.write_paused:
            return
        try:
            event = self.reader.next_event()
            if type(event) is RequestHead and event.framing is CHUNKED:
                # What came with the head is looked at now: of a body with two readings the origin does not even see the head.
                self.reader.look_ahead(event)
        except RequestError as error:
            self._requests += 1
            self.exchange = Exchange(self, None)
            self.exchange.refuse(error)
            return
        if event is None:
            if self.reader.buffered:
                self.look_by(self._waiting_since + self.gate.timeouts.header)
            return
        self._requests += 1
        self.exchange = Exchange(self, cast(RequestHead, event))
        self.exchange.begin()

    @property
    def last_request(self) -> bool:
        """Whether the request that is under way is the last of this connection."""
        return self._requests >= self.gate.requests_per_connection or self.gate.loop.time() >= self._last_at

    # --- time ---------------------------------------------------------------------------------------------------------

    def look_by(self, at: float) -> None:
        """Something may be too late at `at` (the loop's time)."""
        if at < self.due:
            self.gate.wheel.by(self, at)

    def look(self, now: float) -> float:
        """Limits of time; gives when to look again (`wheel.Timed`)."""
        exchange = self.exchange
        if exchange is not None:
            at = exchange.look(now)
            if self.exchange is exchange:
                return at
        if self._lingering or self._transport is None:
            return NEVER
        limits = self.gate.timeouts
        at = self._waiting_since + (limits.header if self.reader.buffered else self._keep_alive)
        if now < at:
            return at
        if not self.reader.buffered:
            self.close()
            return NEVER
        self._requests += 1
        self.exchange = Exchange(self, None)
        self.exchange.refuse(self.reader.too_slow())
        return now + limits.keep_alive

    def drop(self) -> None:
        """A fault of ours: the connection ends at once, and its exchange with it as if the client had gone."""
        if self._transport is not None:
            self._transport.abort()

    def drain(self) -> None:
        """The gateway stops: an idle connection is closed, a running exchange ends first, and a websocket, which has no end, is ended."""
        if self.exchange is None:
            self.close()
        elif self.exchange.relay is not None:
            self.exchange.relay.break_off("draining")

    def stop(self) -> None:
        """The gateway waits no longer: what still runs is broken off, with its line."""
        if self.exchange is not None:
            self.exchange.stop()
        self.abort()
