"""A permitted request on its way to an origin and the answer on its way back, with back-pressure in both directions.

It passes pieces as they come and keeps none, so that bodies of any size go through in constant memory. It never decides and writes
no line: how it ended it reports to its `Exchange`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import structlog

from gateway.decision import REASONS, SAFE_METHODS, Decision, Place
from gateway.errors import OriginError, RequestError
from gateway.message import (
    CHUNKED,
    LAST_CHUNK,
    NO_BODY,
    NO_FIELDS,
    UNTIL_CLOSE,
    Chunked,
    ContentLength,
    Data,
    InformationalHead,
    NoBody,
    RequestHead,
    ResponseHead,
    write_chunk,
    write_response_head,
)
from gateway.proxy import forward
from gateway.proxy.answers import HSTS, http_date
from gateway.proxy.origin import WEBSOCKET_ACCEPTED, OriginConnection
from gateway.proxy.pacing import Slow
from gateway.proxy.progress import Progress
from gateway.proxy.relay import Relay
from gateway.proxy.wheel import NEVER

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection
    from gateway.proxy.exchange import Exchange

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110 section 9.2.2: what may be sent again when a kept connection turns out to be dead."""
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LOOK_SECONDS: Final = 15.0
"""How often a forwarding is looked at when it waits for nothing in particular."""
CONTINUE_AFTER_SECONDS: Final = 1.0
"""How long the origin may take to say 100 before we do: clients wait about as long (curl: 1 s)."""
EVENT_STREAM: Final = "text/event-stream"
"""What never ends by itself (WHATWG HTML section 9.2): silence is no fault of it, and like a websocket it lasts with the session."""

_log = structlog.get_logger("gateway.proxy")


class State(enum.Enum):
    """Where a forwarding stands."""

    CONNECTING = "waits for an origin connection"
    SENT = "waits for the origin's answer"
    ANSWERING = "streams the answer"
    OVER = "over"


class Forwarding:
    """The user of one origin connection (`origin.OriginUser`), for one exchange."""

    __slots__ = (
        "_answer", "_chunked_in", "_chunked_out", "_client", "_close", "_continue_at", "_deadline", "_decision", "_exchange",
        "_gate", "_has_body", "_head", "_most_bytes", "_origin", "_out", "_progress", "_request_done", "_retried", "_route", "_state", "_status",
        "_told", "_watched", "bytes_in", "bytes_out", "first_byte_at", "subject",
    )  # fmt: skip

    def __init__(
        self,
        exchange: Exchange,
        client: ClientConnection,
        head: RequestHead,
        decision: Decision,
        route: forward.Route,
        *,
        close: bool,
    ) -> None:
        self._exchange = exchange
        self._client = client
        self._gate = client.gate
        self._head = head
        self._decision = decision
        self._route = route
        self._close = close
        self._state = State.CONNECTING
        self._origin: OriginConnection | None = None
        self._has_body = type(head.framing) is not NoBody
        self._chunked_in = type(head.framing) is Chunked
        self._chunked_out = self._request_done = self._retried = self._told = self._watched = False
        self._most_bytes = client.gate.most_body_bytes(decision)
        self._deadline = self._continue_at = NEVER
        self._status = 0
        self._answer: ResponseHead | None = None
        self._progress: Progress | None = None
        self._out: list[bytes] = []
        self.bytes_in = self.bytes_out = 0
        self.first_byte_at = 0.0
        """The loop's time when the head of the origin's answer came; 0 before."""
        self.subject: str | None = decision.subject
        """The INSZ of the data subject, as far as it is known."""

    @property
    def lasting(self) -> bool:
        """Whether it lasts with the session instead of coming to an end of its own."""
        operation = self._decision.operation
        if operation is not None and operation.background:
            return True
        kind = None if self._answer is None else self._answer.fields.get("content-type")
        return kind is not None and kind.partition(";")[0].strip().lower() == EVENT_STREAM

    # --- towards the origin -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """On a kept connection if there is one, else on a new one."""
        origin = self._gate.pool.take(self._route.origin)
        if origin is None:
            self._gate.pool.connect(self._route.origin, self._connected)
        else:
            self._use(origin)

    def _connected(self, result: OriginConnection | OriginError) -> None:
        if isinstance(result, OriginError):
            if self._state is State.CONNECTING:
                self._fail(result)
        elif self._state is State.CONNECTING:
            self._use(result)
        else:
            result.close()

    def _use(self, origin: OriginConnection) -> None:
        head, route = self._head, self._route
        self._origin = origin
        self._state = State.SENT
        origin.begin(self, head.method, websocket=head.upgrade_websocket)
        origin.write(route.head)
        now = self._gate.loop.time()
        if self._has_body:
            self._progress = Progress(self._client, route.origin)
            self._progress.begin_upload(now)
            if head.expect_continue:
                self._continue_at = now + CONTINUE_AFTER_SECONDS
                self._client.look_by(self._continue_at)
        else:
            self._deadline = now + route.origin.response_timeout
            self._client.look_by(self._deadline)
        self.pump()

    def pump(self) -> None:
        """Pass on what came of the request's body, as long as the origin takes it."""
        origin = self._origin
        if origin is None or self._request_done or self._continue_at != NEVER or self._state is State.OVER:
            return
        reader = self._client.reader
        try:
            while not origin.paused:
                event = reader.next_event()
                if event is None:
                    break
                if type(event) is Data:
                    self._pass_on(event.data, origin)
                else:
                    if self._chunked_in:
                        origin.write(LAST_CHUNK)
                    self._request_done = True
                    if self._has_body and self._state is State.SENT:
                        self._deadline = self._gate.loop.time() + self._route.origin.response_timeout
                        self._client.look_by(self._deadline)
                    break
        except RequestError as error:
            self._client_failed(error)
            return
        self._client.pace()

    def _pass_on(self, data: bytes, origin: OriginConnection) -> None:
        self.bytes_in += len(data)
        if self.bytes_in > self._most_bytes:
            raise RequestError("too_large", "the body is over its limit", 413)
        origin.write(b"".join(write_chunk(data)) if self._chunked_in else data)

    def origin_writable(self) -> None:
        self.pump()

    # --- from the origin ----------------------------------------------------------------------------------------------

    def origin_informational(self, head: InformationalHead) -> None:
        if head.status == WEBSOCKET_ACCEPTED:
            self._start_relay(head)
        elif head.status == 100 and self._continue_at != NEVER:
            self._say_continue()
        # Others say nothing that a client may rely on, and older ones stumble over them: they are dropped (RFC 9110 section 15.2).

    def _say_continue(self) -> None:
        self._continue_at = NEVER
        self._client.send(CONTINUE)
        self.pump()

    def _start_relay(self, head: InformationalHead) -> None:
        """Only now, after the origin has accepted, do bytes of the client pass (THREATS row 18)."""
        origin, self._origin = self._origin, None
        if origin is None:
            return
        self._state = State.OVER
        pairs = [
            *forward.from_origin(head, self._route, self._decision),
            HSTS,
            ("X-Request-Id", self._exchange.reference),
        ]
        self._client.send(write_response_head(head.status, pairs, NO_BODY))
        relay = Relay(self._exchange, self._client, origin, head.status, self.subject)
        origin.relay_to(relay)
        self._exchange.relay_by(relay)
        waiting = self._client.reader.take_rest()
        if waiting:
            relay.client_raw(waiting)

    def origin_head(self, head: ResponseHead) -> None:
        self._continue_at = NEVER
        self._state = State.ANSWERING
        self._status = head.status
        self._answer = head
        self.first_byte_at = now = self._gate.loop.time()
        self._exchange.answer_began(now)
        decision = self._decision
        if decision.place is Place.TRANSACTION:
            self.subject = forward.subject_of(head, decision)
        framing = head.framing
        if type(framing) is NoBody:
            first = NO_FIELDS
            pairs = [*forward.fields_of(head, self._route, decision), HSTS]
        else:
            first, pairs = forward.answer_fields(self._client, head, self._route, decision), []
        if type(framing) not in (NoBody, ContentLength):
            # Its length is not known: chunks for those who read them, else the end of the connection.
            if self._head.version == "1.1":
                framing, self._chunked_out = CHUNKED, True
            else:
                framing, self._close = UNTIL_CLOSE, True
        self._close = self._close or self._gate.draining
        if "date" not in head.fields:
            # Whoever passes an answer on dates it where its origin has no clock (RFC 9110 section 6.6.1).
            pairs.append(("Date", http_date(int(self._gate.clock()))))
        connection = "close" if self._close else "keep-alive"
        first = first.and_ours(f"X-Request-Id: {self._exchange.reference}\r\nConnection: {connection}\r\n")
        self._out.append(
            write_response_head(head.status, pairs, framing, to_head=self._head.method == "HEAD", first=first)
        )

    def origin_data(self, data: bytes) -> None:
        self.bytes_out += len(data)
        if self._chunked_out:
            self._out.extend(write_chunk(data))
        else:
            self._out.append(data)

    def origin_flush(self) -> None:
        """All that one read of the origin brought goes out in one write; more is to come."""
        self._flush()
        if self._state is State.ANSWERING and not self._watched:
            self._watched = True
            progress = self._progress = self._progress or Progress(self._client, self._route.origin)
            progress.begin_download(self._gate.loop.time(), self.bytes_out, lasting=self.lasting)
            if self.lasting and self._origin is not None:
                self._origin.probe()
                self._client.probe()

    def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            self._told = True
            self._client.send(out[0] if len(out) == 1 else b"".join(out))
            if self._client.write_paused and self._origin is not None and self._state is not State.OVER:
                self._origin.pause_reading()

    def origin_end(self) -> None:
        if self._chunked_out:
            self._out.append(LAST_CHUNK)
        self._flush()
        self._state = State.OVER
        origin, self._origin = self._origin, None
        whole = self._request_done or not self._has_body
        if origin is not None:
            # An origin that ignores the body of a GET takes it for the next request, and one that was asked for a websocket and
            # answered otherwise may still not speak HTTP on (THREATS row 18): not on a connection that others use.
            sent_body = self._chunked_in or self.bytes_in > 0
            doubtful = (sent_body and self._head.method in SAFE_METHODS) or self._head.upgrade_websocket
            origin.finish(reusable=whole and not doubtful)
        # An answer to a request that did not come whole: where the next one would begin is nobody's guess.
        self._exchange.answered("completed", self._status, close=self._close or not whole, read_whole=whole)

    def origin_lost(self, error: OriginError) -> None:
        origin, self._origin = self._origin, None
        if self._state is State.SENT and origin is not None and self._may_retry(origin):
            self._retried = True
            self._state = State.CONNECTING
            self._gate.pool.connect(self._route.origin, self._connected)
        elif self._state is not State.OVER:
            self._fail(error)

    def _may_retry(self, origin: OriginConnection) -> bool:
        """A kept connection that was closed before a byte came: sent again once, if that cannot do a thing twice."""
        return (
            origin.reused
            and not origin.answered
            and not self._retried
            and self._head.method in IDEMPOTENT
            and not self._has_body
        )

    def _fail(self, error: OriginError) -> None:
        _log.warning("origin_failed", id=self._exchange.reference, reason=error.reason, detail=error.detail)
        own = self._decision.place is not Place.TRANSACTION
        self.break_off("gateway_error" if own else error.reason, error.detail)

    # --- from the client ----------------------------------------------------------------------------------------------

    def client_paused(self) -> None:
        if self._origin is not None and self._state is State.ANSWERING:
            self._origin.pause_reading()

    def client_resumed(self) -> None:
        if self._origin is not None:
            self._origin.resume_reading()

    def client_lost(self) -> None:
        self._give_up()
        self._exchange.gone("client_closed", REASONS["client_closed"].status)

    def _client_failed(self, error: RequestError) -> None:
        """The body could not be read, is too large or too slow: the exchange ends, and the connection with it."""
        self.break_off(error.reason, error.detail, error.status)

    # --- time and trouble ---------------------------------------------------------------------------------------------

    def look(self, now: float) -> float:
        """Act on limits of time; gives when to look again. Whose fault it is depends on whom we wait for (clause B2)."""
        if now >= self._continue_at:
            self._say_continue()
        at, progress, origin = self._continue_at, self._progress, self._origin
        slow: Slow | None = None
        if self._has_body and not self._request_done:
            if at == NEVER and progress is not None and origin is not None:
                slow, at = progress.look_at_upload(now, self.bytes_in, origin_full=origin.paused)
        elif self._state is State.SENT:
            at = self._deadline
            slow = Slow.ORIGIN if now >= at else None
        if slow is None and self._state is State.ANSWERING and progress is not None:
            slow, then = progress.look_at_download(now, self.bytes_out)
            at = min(at, then)
        if slow is not None:
            self._too_slow(slow)
        return min(at, now + LOOK_SECONDS)

    def _too_slow(self, slow: Slow) -> None:
        if slow is Slow.CLIENT:
            self.break_off("too_slow")
        else:
            self._fail(OriginError("origin_timeout", "no answer, or no more of it, in time", 504))

    def break_off(self, reason: str, cause: str | None = None, status: int | None = None) -> None:
        """End it for a reason, with our page when nothing of an answer has gone to the client yet, else visibly broken."""
        self._give_up()
        if self._told:
            self._exchange.broken(reason, self._status, cause)
        else:
            self._out, self.bytes_out = [], 0
            code = REASONS[reason].status if status is None else status
            self._exchange.failed(reason, code, request_done=self._request_done, cause=cause)

    def _give_up(self) -> None:
        self._state = State.OVER
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.close()
