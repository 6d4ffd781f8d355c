"""One request's way: decision → line on the disk → obligations → origin → stream back → completion line (DESIGN section 3).

Driven by callbacks; it owns no time and no random of its own. Every way out goes through `_end`, which leaves the completion
line of what was permitted, gives the origin connection back or closes it, and tells the client's connection how to go on.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import structlog

from gateway.decision import REASONS, Decision, Facts, Kind, Place, decide
from gateway.errors import LedgerError, OriginError, RequestError
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import completion_record, decision_record
from gateway.message import (
    LAST_CHUNK,
    NO_BODY,
    Chunked,
    ContentLength,
    Data,
    InformationalHead,
    NoBody,
    RequestHead,
    ResponseHead,
    write_chunk,
    write_request_head,
    write_response_head,
)
from gateway.proxy import forward
from gateway.proxy.answers import HSTS, Asked, answer, status_of
from gateway.proxy.facts import Evidence, faulty, gather, renewed
from gateway.proxy.origin import WEBSOCKET_ACCEPTED, OriginConnection

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110 section 9.2.2: what may be sent again when a kept connection turns out to be dead."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CONTINUE_AFTER_SECONDS = 1.0
"""How long the origin may take to say 100 before we do: clients wait about as long (curl: 1 s)."""
RECHECK_SECONDS = 0.4
"""An exchange older than this is decided anew at each tick; a shorter one is over before a revocation could reach it."""
NEVER = float("inf")

_log = structlog.get_logger("gateway.proxy")


class State(enum.Enum):
    """Where an exchange stands."""

    LEDGER = "waits for its line"
    CONNECTING = "waits for an origin connection"
    SENT = "waits for the origin's answer"
    ANSWERING = "streams the answer"
    RELAYING = "a websocket, byte for byte"
    OVER = "over"


class Exchange:
    """One request of one client connection; also the user of one origin connection (`origin.OriginUser`)."""

    __slots__ = (
        "_body_from_client", "_bytes_in", "_bytes_out", "_chunked_out", "_client", "_close", "_continue_at", "_deadline", "_decided_at",
        "_decision", "_evidence", "_facts", "_first_byte_at", "_framed_in", "_gate", "_head", "_origin", "_out", "_own_page",
        "_request_bytes", "_request_done", "_retried", "_route", "_started", "_state", "_status", "_subject", "reference",
    )  # fmt: skip

    def __init__(self, client: ClientConnection, head: RequestHead | None) -> None:
        self._client = client
        self._gate = client.gate
        self._head = head
        self._state = State.LEDGER
        self._origin: OriginConnection | None = None
        self._evidence: Evidence | None = None
        self._facts: Facts
        self._decision: Decision
        self._route: forward.Route | None = None
        self._started = self._decided_at = self._gate.loop.time()
        self._first_byte_at = 0.0
        self._deadline = self._continue_at = NEVER
        self._bytes_in = self._bytes_out = self._status = 0
        self._request_done = self._retried = self._own_page = self._chunked_out = self._body_from_client = False
        self._close = head is None or not head.keep_alive
        self._out: list[bytes] = []
        self._subject: str | None = None
        self._request_bytes = b""
        self._framed_in = False
        self.reference = self._gate.new_reference()

    # --- decision and ledger ------------------------------------------------------------------------------------------

    @property
    def relaying(self) -> bool:
        return self._state is State.RELAYING

    def begin(self) -> None:
        """Decide on a request that could be read."""
        gate, client, head = self._gate, self._client, self._head
        if head is None:
            raise TypeError("an exchange without a head is refused, not begun")
        now = gate.clock()
        self._evidence = evidence = gather(head, client.facts, client.public_port, gate.index, now)
        self._body_from_client = type(head.framing) is not NoBody
        self._decide(evidence.facts, status=None)

    def refuse(self, error: RequestError) -> None:
        """Refuse a message that could not be read, and close the connection when the answer is out."""
        self._close = True
        self._decide(
            faulty(self._client.facts, error.reason, self._gate.clock()), status=error.status, detail=error.detail
        )

    def _decide(self, facts: Facts, *, status: int | None, detail: str | None = None) -> None:
        gate = self._gate
        self._facts = facts
        self._status = status or 0
        decision = decide(facts, gate.snapshot)
        length = None if self._head is None else self._head.framing
        if decision.permitted and type(length) is ContentLength and length.length > self._most_bytes(decision):
            decision = decision._replace(reason=REASONS["too_large"])
        self._decision = decision
        gate.decisions[decision.reason.code] += 1
        expendable = not decision.permitted and facts.session is None
        if expendable:
            counted = gate.ledger.counted(self._client.ip, decision.reason.code, self.reference)
            if counted is not None:
                # It stands in the counted line of this second; the answer does not wait for it (the flood rule, DESIGN section 3).
                self.reference = counted
                self._act()
                return
        record = decision_record(
            self.reference,
            facts,
            decision,
            gate.snapshot,
            client=self._client.address,
            user=self._person(),
            subject=None if decision.subject is None else gate.ledger.sealer.subject(decision.subject),
            user_agent=None if self._head is None else self._head.fields.get("user-agent"),
            status=self._status_in_line(decision, facts, status),
        )
        gate.ledger.user.append(record, self._durable, expendable)

    def _status_in_line(self, decision: Decision, facts: Facts, status: int | None) -> int | None:
        """The status that the client gets from us; of what is forwarded the completion line tells it."""
        if status is not None or decision.permitted:
            return status
        return status_of(decision, facts, readable=self._head is not None)

    def _person(self) -> Identity | None:
        """The sealed identity of the session's user: made once for a session, the same bytes in each of its lines."""
        entry = None if self._evidence is None else self._evidence.entry
        user = self._facts.user
        if entry is None or user is None:
            return None
        identity = entry.identity
        if not isinstance(identity, Identity):
            identity = entry.identity = self._gate.ledger.sealer.person(user.user_id, user.insz)
        return identity

    def _most_bytes(self, decision: Decision) -> int:
        transaction = decision.transaction
        own = None if transaction is None else transaction.max_body_bytes
        return self._gate.max_body_bytes if own is None else own

    def _durable(self, error: LedgerError | None) -> None:
        """The decision's line is on the disk, or it is not: then nothing happens (clause T1)."""
        if self._state is State.OVER:
            if error is None and self._decision.permitted:
                self._complete("client_closed")
            return
        if error is not None:
            self._decision = self._failure("ledger_unavailable")
            self._gate.decisions["ledger_unavailable"] += 1
        self._act()

    def _failure(self, code: str) -> Decision:
        return Decision(REASONS[code], self._decision.place, disclosed=True)

    def _act(self) -> None:
        decision = self._decision
        if not decision.permitted:
            self._answer_ourselves(decision, self._status or None)
            return
        entry = None if self._evidence is None else self._evidence.entry
        if (
            entry is not None
            and self._facts.activity
            and not (decision.operation is not None and decision.operation.background)
        ):
            self._gate.index.touch(entry, self._facts.now)
        self._forward()

    def _answer_ourselves(self, decision: Decision, status: int | None = None) -> None:
        """The gateway's own answer. What the client still sends of this request is read no more."""
        self._state = State.OVER
        self._close = (
            self._close or self._body_from_client or decision.kind is Kind.FAILURE or decision.reason.clause == "B3"
        )
        head = self._head
        asked = (
            Asked("", None, None)
            if head is None
            else Asked(head.target.encoded, head.fields, head.fields.get("host") if self._facts.port_is_ours else None)
        )
        data = answer(self._gate, decision, self._facts, asked, self.reference, close=self._close, status=status)
        self._client.send(data)
        if head is not None and not self._body_from_client:
            self._drain_request()
        self._client.exchange_over(close=self._close, read_whole=self._request_done)

    def _drain_request(self) -> None:
        """A request without a body still has its end event, which frees the reader for the next one."""
        while not self._request_done and self._client.reader.next_event() is not None:
            self._request_done = True

    # --- towards the origin -------------------------------------------------------------------------------------------

    def _forward(self) -> None:
        gate, head = self._gate, self._head
        if head is None:
            raise TypeError("nothing to forward")
        self._own_page = self._decision.place is not Place.TRANSACTION
        if self._own_page:
            gate.hand(self.reference, self._facts, self._decision, self._client.address)
            self._route = forward.to_portal(gate.portal, head, self.reference)
        else:
            self._route = forward.to_origin(gate, self._client, head, self._facts, self._decision, self.reference)
        framing = head.framing
        self._framed_in = type(framing) is Chunked
        self._request_bytes = write_request_head(head.method, self._route.target, self._route.fields, framing)
        self._state = State.CONNECTING
        origin = gate.pool.take(self._route.origin)
        if origin is None:
            gate.pool.connect(self._route.origin, self._connected)
        else:
            self._use(origin)

    def _connected(self, result: OriginConnection | OriginError) -> None:
        if isinstance(result, OriginError):
            if self._state is State.CONNECTING:
                self._origin_failed(result)
        elif self._state is State.CONNECTING:
            self._use(result)
        else:
            result.close()

    def _use(self, origin: OriginConnection) -> None:
        head, route = self._head, self._route
        if head is None or route is None:
            raise TypeError("nothing to send")
        self._origin = origin
        self._state = State.SENT
        origin.begin(self, head.method, websocket=head.upgrade_websocket)
        origin.write(self._request_bytes)
        now = self._gate.loop.time()
        self._deadline = now + (
            route.origin.response_timeout if not self._body_from_client else self._gate.timeouts.body_idle
        )
        if head.expect_continue:
            self._continue_at = now + CONTINUE_AFTER_SECONDS
        self.pump()

    def pump(self) -> None:
        """Pass on what came of the request's body, as long as the origin takes it."""
        origin = self._origin
        if (
            origin is None
            or self._request_done
            or self._continue_at != NEVER
            or self._state in (State.RELAYING, State.OVER)
        ):
            return
        reader = self._client.reader
        try:
            while not origin.paused:
                event = reader.next_event()
                if event is None:
                    break
                if type(event) is Data:
                    data = event.data
                    self._bytes_in += len(data)
                    if self._bytes_in > self._most_bytes(self._decision):
                        raise RequestError("too_large", "the body is over its limit", 413)
                    origin.write(b"".join(write_chunk(data)) if self._framed_in else data)
                    self._deadline = self._gate.loop.time() + self._gate.timeouts.body_idle
                else:
                    if self._framed_in:
                        origin.write(LAST_CHUNK)
                    self._request_done = True
                    if self._state is State.SENT and self._route is not None:
                        self._deadline = self._gate.loop.time() + self._route.origin.response_timeout
                    break
        except RequestError as error:
            self._client_failed(error)
            return
        self._client.pace()

    def origin_writable(self) -> None:
        if self._state is State.RELAYING:
            self._client.pace()
        else:
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
        route = self._route
        if route is None:
            raise TypeError("a relay without a route")
        self._state = State.RELAYING
        self._status = head.status
        self._deadline = NEVER
        self._first_byte_at = self._gate.loop.time()
        pairs = [*forward.from_origin(head, route, self._decision), HSTS, ("X-Request-Id", self.reference)]
        self._client.send(write_response_head(head.status, pairs, NO_BODY))
        waiting = self._client.reader.take_rest()
        if waiting:
            self.client_raw(waiting)

    def origin_head(self, head: ResponseHead) -> None:
        request, route = self._head, self._route
        if request is None or route is None:
            raise TypeError("an answer to nothing")
        self._continue_at = NEVER
        self._state = State.ANSWERING
        self._status = head.status
        self._first_byte_at = now = self._gate.loop.time()
        self._deadline = now + route.origin.idle_timeout
        self._subject = forward.subject_of(head, self._decision) or self._subject
        pairs = forward.from_portal(head) if self._own_page else forward.from_origin(head, route, self._decision)
        framing = head.framing
        if type(framing) not in (NoBody, ContentLength):
            # Its length is not known: chunks for those who read them, else the end of the connection.
            if request.version == "1.1":
                framing, self._chunked_out = Chunked(), True
            else:
                self._close = True
        if head.status == 101:
            raise TypeError("101 is informational")
        self._close = (
            self._close
            or self._gate.draining
            or (not self._request_done and self._body_from_client and not self._may_finish_body())
        )
        pairs += (HSTS, ("X-Request-Id", self.reference), ("Connection", "close" if self._close else "keep-alive"))
        self._out.append(write_response_head(head.status, pairs, framing, to_head=request.method == "HEAD"))

    def _may_finish_body(self) -> bool:
        """An origin that answers early and keeps its connection still takes the rest of the body."""
        return self._origin is not None and not self._origin.closing

    def origin_data(self, data: bytes) -> None:
        self._bytes_out += len(data)
        if self._chunked_out:
            self._out.extend(write_chunk(data))
        else:
            self._out.append(data)
        self._deadline = self._gate.loop.time() + (self._route.origin.idle_timeout if self._route is not None else 0.0)

    def origin_flush(self) -> None:
        """All that one read of the origin brought goes out in one write."""
        if self._out:
            out = self._out
            self._out = []
            self._client.send(out[0] if len(out) == 1 else b"".join(out))
            if self._client.write_paused and self._origin is not None and self._state is not State.OVER:
                self._origin.pause_reading()

    def origin_end(self) -> None:
        if self._chunked_out:
            self._out.append(LAST_CHUNK)
        self.origin_flush()
        self._end("completed", reusable=self._request_done or not self._body_from_client)

    def origin_raw(self, data: bytes) -> None:
        self._bytes_out += len(data)
        self._client.send(data)
        if self._client.write_paused and self._origin is not None:
            self._origin.pause_reading()

    def origin_lost(self, error: OriginError) -> None:
        origin, self._origin = self._origin, None
        if self._state is State.RELAYING:
            # A websocket ends when either side closes; the bytes that were on their way are flushed by the close.
            self._end("completed")
        elif self._state is State.SENT and origin is not None and self._may_retry(origin) and self._route is not None:
            self._retried = True
            self._state = State.CONNECTING
            self._gate.pool.connect(self._route.origin, self._connected)
        elif self._state is not State.OVER:
            self._origin_failed(error)

    def _may_retry(self, origin: OriginConnection) -> bool:
        """A kept connection that was closed before a byte came: sent again once, if that cannot do a thing twice."""
        method = "" if self._head is None else self._head.method
        return (
            origin.reused
            and not origin.answered
            and not self._retried
            and method in IDEMPOTENT
            and not self._body_from_client
        )

    def _origin_failed(self, error: OriginError) -> None:
        _log.warning("origin_failed", id=self.reference, reason=error.reason, detail=error.detail)
        if self._state is State.ANSWERING:
            self._break(error.reason)
            return
        reason = "gateway_error" if self._own_page else error.reason
        decision = self._failure(reason)
        self._status = decision.reason.status
        self._complete(reason)
        self._close_origin()
        self._answer_ourselves(decision)

    # --- from the client ----------------------------------------------------------------------------------------------

    def client_raw(self, data: bytes) -> None:
        self._bytes_in += len(data)
        if self._origin is not None:
            self._origin.write(data)
            if self._origin.paused:
                self._client.hold()

    def client_paused(self) -> None:
        if self._origin is not None and self._state in (State.ANSWERING, State.RELAYING):
            self._origin.pause_reading()

    def client_resumed(self) -> None:
        if self._origin is not None:
            self._origin.resume_reading()
            self._deadline = min(self._deadline, self._gate.loop.time() + self._gate.timeouts.body_idle)

    def client_lost(self) -> None:
        """The client's connection broke off (its side: clause B2)."""
        if self._state is State.OVER:
            return
        if self._state is State.LEDGER:
            self._state = State.OVER
            return
        ended = self._state is State.RELAYING
        if not ended:
            self._status = 499
        self._state = State.OVER
        self._complete("completed" if ended else "client_closed")
        self._close_origin()

    def _client_failed(self, error: RequestError) -> None:
        """The body could not be read, is too large or too slow: the exchange ends, and the connection with it."""
        if self._state is State.ANSWERING:
            self._break(error.reason)
            return
        self._status = error.status
        self._complete(error.reason)
        self._close_origin()
        self._close = True
        self._answer_ourselves(self._failure(error.reason), error.status)

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self, loop_now: float) -> None:
        """Twice a second: limits of time, and whether the access still stands."""
        if self._state in (State.LEDGER, State.OVER):
            return
        if loop_now >= self._continue_at:
            self._say_continue()
        if loop_now >= self._deadline:
            self._too_late()
        elif self._evidence is not None and not self._own_page and loop_now - self._decided_at >= RECHECK_SECONDS:
            self._decided_at = loop_now
            self._decide_anew(self._evidence)

    def _too_late(self) -> None:
        if self._state is State.SENT and not (self._body_from_client and not self._request_done):
            self._origin_failed(OriginError("origin_timeout", "no answer in time", 504))
        elif self._state is State.SENT:
            self._client_failed(RequestError("too_slow", "the body did not arrive in time", 408))
        elif self._client.write_paused:
            self._break("too_slow")
        else:
            self._break("origin_timeout")

    def _decide_anew(self, evidence: Evidence) -> None:
        operation = self._decision.operation
        lasting = self._state is State.RELAYING or (operation is not None and operation.background)
        facts = renewed(evidence, self._gate.index, self._gate.clock(), lasting=lasting)
        decision = decide(facts, self._gate.snapshot)
        if decision.permitted or (
            not lasting and decision.reason.code in ("authentication_too_old", "session_expired")
        ):
            return
        _log.info("access_ended", id=self.reference, reason=decision.reason.code)
        self._break("access_ended", cause=decision.reason.code)

    # --- the end ------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The gateway stops and waits no longer."""
        if self._state not in (State.OVER, State.LEDGER):
            self._break("draining")

    def _break(self, reason: str, cause: str | None = None) -> None:
        """End what cannot be ended in order, so that the client does not take it for whole."""
        answered = self._state in (State.ANSWERING, State.RELAYING)
        self._state = State.OVER
        if not answered:
            self._status = REASONS[reason].status
        self._complete(reason, cause)
        self._close_origin()
        if answered:
            self._client.abort()
        else:
            self._close = True
            self._answer_ourselves(self._failure(reason))

    def _end(self, reason: str, *, reusable: bool = False) -> None:
        self._state = State.OVER
        self._complete(reason)
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.finish(reusable=reusable)
        close = self._close or self._status == WEBSOCKET_ACCEPTED
        if self._body_from_client:
            close = close or not self._request_done
        elif self._status != WEBSOCKET_ACCEPTED:
            self._drain_request()
        self._client.exchange_over(close=close, read_whole=self._request_done)

    def _close_origin(self) -> None:
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.close()
        if self._own_page:
            self._gate.unhand(self.reference)

    def _complete(self, reason: str, cause: str | None = None) -> None:
        """The completion line follows; nobody waits for it. A permit without one reads as outcome unknown."""
        gate = self._gate
        if self._own_page:
            gate.unhand(self.reference)
        now = gate.loop.time()
        record = completion_record(
            self.reference,
            REASONS[reason],
            client=self._client.address,
            user=self._person(),
            status=self._status,
            request_bytes=self._bytes_in,
            response_bytes=self._bytes_out,
            seconds=now - self._started,
            first_byte_seconds=self._first_byte_at - self._started if self._first_byte_at else None,
            detail=cause,
            subject=None if self._subject is None else gate.ledger.sealer.subject(self._subject),
        )
        gate.ledger.user.append(record, _follow)


def _follow(error: LedgerError | None) -> None:
    """A completion line that could not be written: the stream is down by then, says so, and refuses what comes."""
