"""One request's way: decision → line on the disk → obligations → forwarding → completion line (DESIGN section 3).

Driven by callbacks; it owns no time and no random of its own. What is permitted is handed to a `Forwarding`, which reports back how
it ended; every way out leaves the completion line and tells the client's connection how to go on.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from gateway.decision import REASONS, Decision, Facts, Kind, Place, decide
from gateway.errors import LedgerError, RequestError, WriteError
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import decision_record
from gateway.message import ContentLength, NoBody, RequestHead
from gateway.proxy import forward
from gateway.proxy.answers import Asked, answer, status_of
from gateway.proxy.evidence import note
from gateway.proxy.facts import Evidence, faulty, gather
from gateway.proxy.forwarding import LOOK_SECONDS, Forwarding
from gateway.proxy.keeping import Keeping, Kept, keepable
from gateway.proxy.relay import Relay
from gateway.proxy.standing import RECHECK_SECONDS, Permit, ask_anew

if TYPE_CHECKING:
    from gateway.message.frames import FrameFollower
    from gateway.proxy.client import ClientConnection
    from gateway.records.values import SessionEntry

_log = structlog.get_logger("gateway.proxy")


class Exchange:
    """One request of one client connection, from its decision to its end."""

    __slots__ = (
        "_carrier", "_client", "_close", "_decision", "_evidence", "_facts", "_fault", "_gate", "_head", "_keeping", "_kept", "_over",
        "_request_done", "_started", "_status", "decided_at", "reference", "relay",
    )  # fmt: skip

    def __init__(self, client: ClientConnection, head: RequestHead | None) -> None:
        self._client = client
        self._gate = client.gate
        self._head = head
        self._fault: RequestError | None = None
        self._evidence: Evidence | None = None
        self._facts: Facts
        self._decision: Decision
        self._carrier: Forwarding | Relay | None = None
        self.relay: Relay | None = None
        """The websocket that this has become."""
        self._keeping: Keeping | None = None
        self._kept: Kept | None = None
        self._started = self.decided_at = self._gate.loop.time()
        self._status: int | None = None
        self._over = self._request_done = False
        self._close = head is None or not head.keep_alive or client.last_request
        self.reference = self._gate.new_reference()

    # --- decision and ledger ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Decide on a request that could be read."""
        gate, client, head = self._gate, self._client, self._head
        if head is None:
            raise TypeError("an exchange without a head is refused, not begun")
        self._evidence = evidence = gather(
            head, client.sent(head), client.facts, gate.index, gate.rules, gate.suspensions, gate.clock()
        )
        self._decide(evidence.facts)

    def _begin_again(self, caught_up: asyncio.Future[bool]) -> None:
        """What other processes committed before this request is known now; or it cannot be, and then nobody is let in."""
        gate, client, head = self._gate, self._client, self._head
        if head is None:
            raise TypeError("an exchange without a head was refused")
        self.decided_at = gate.loop.time()
        self._evidence = evidence = gather(
            head, client.sent(head), client.facts, gate.index, gate.rules, gate.suspensions, gate.clock()
        )
        self._decide(
            evidence.facts if caught_up.result() else replace(evidence.facts, records_current=False), final=True
        )

    def refuse(self, error: RequestError) -> None:
        """Refuse a message that could not be read, and close the connection when the answer is out."""
        self._close = True
        self._fault = error
        self._status = error.status
        self._decide(faulty(self._client.facts, error.reason, self._gate.clock()))

    def _decide(self, facts: Facts, *, final: bool = False) -> None:
        gate, head = self._gate, self._head
        self._facts = facts
        decision = decide(facts, gate.snapshot)
        if not final and gate.catch_up is not None and self._may_be_behind(decision):
            gate.catch_up().add_done_callback(self._begin_again)
            return
        if gate.shadow is not None:  # on a turn of the loop that is nobody's: nothing here waits for it, or can see it
            gate.loop.call_soon(gate.shadow.compare, self.reference, facts, decision, self._person)
        framing = None if head is None else head.framing
        if type(framing) is ContentLength and decision.permitted and framing.length > gate.most_body_bytes(decision):
            decision = replace(decision, reason=REASONS["too_large"])
        self._decision = decision
        gate.decisions[decision.reason.code] += 1
        if head is not None and self._evidence is not None and self._evidence.entry is not None:
            sent = self._client.sent(head)
            self._client.carries(note(self._evidence.entry, facts, decision, sent.acting, gate.rules))
            gate.old_clients.look(facts, self._client.address, self._person(), self.reference)
        if head is not None and not self._over and keepable(self._client, head, facts, decision):
            self._keeping = Keeping(self._client, head, facts, self._keeping_over)
            self._keeping.pump()
        else:
            self._tell()

    def _may_be_behind(self, decision: Decision) -> bool:
        """Whether another worker may just have signed this person in, or stepped them up, so that the index does not have it yet; or
        whether the settings ask for a look at each request (`records.stale_limit`)."""
        if self._head is None or self._client.sent(self._head).token_hash is None:
            return False
        entry = None if self._evidence is None else self._evidence.entry
        if entry is None or self._gate.index.asked_each_time:
            return True
        return not decision.permitted and decision.kind is Kind.CHALLENGE

    def _keeping_over(self, kept: Kept | None) -> None:
        """A form that met the challenge was read and kept, or it could not be: now there is something to tell."""
        self._kept = kept
        keeping, self._keeping = self._keeping, None
        self._request_done = keeping is not None and keeping.whole
        self._tell()

    def _tell(self) -> None:
        """The decision's line; what follows waits for it."""
        gate, head, facts, decision = self._gate, self._head, self._facts, self._decision
        if not decision.permitted and self._status is None:
            self._status = status_of(decision, facts, readable=head is not None, kept=self._kept is not None)
        # What nobody signed in asks for, our open pages included, leaves the reserve of space to the persons who are at work.
        expendable = facts.session is None
        if expendable and not decision.permitted:
            counted = gate.ledger.counted(self._client.ip, decision.reason.code, self.reference)
            if counted is not None:
                # It stands in the counted line of this second; the answer does not wait for it (the flood rule, DESIGN section 3).
                self.reference = counted
                if not self._over:
                    self._act()
                return
        client, user = self._client.address, self._person()
        subject = None if decision.subject is None else gate.ledger.sealer.subject(decision.subject)
        if head is None or self._kept is not None:
            record = decision_record(
                self.reference,
                facts,
                decision,
                gate.snapshot,
                client=client,
                user=user,
                subject=subject,
                user_agent=None if head is None else head.fields.get("user-agent"),
                status=self._status,
                detail=None if self._fault is None else self._fault.detail,
                excerpt=None if self._fault is None else self._client.reader.excerpt,
                form_kept=self._kept is not None and bool(self._kept.key),
            )
            gate.ledger.user.append(record, self._durable, expendable)
            return
        text = self._client.lines.decision(
            self.reference,
            facts,
            decision,
            gate.snapshot,
            client=client,
            user=user,
            subject=subject,
            user_agent=head.fields.get("user-agent"),
            status=self._status,
        )
        gate.ledger.user.append_text("decision", text, self._durable, expendable)

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

    def _durable(self, error: LedgerError | None) -> None:
        """The decision's line is on the disk, or it is not: then nothing happens (clause T1)."""
        if self._over:
            if error is None and self._decision.permitted:
                reason = "draining" if self._gate.draining else "client_closed"
                self._complete(reason, REASONS[reason].status)
            return
        if error is not None:
            self._decision = self._failure("ledger_unavailable")
            self._gate.decisions["ledger_unavailable"] += 1
            self._status = None
        acted = False
        try:
            self._act_on(error)
            acted = True
        finally:
            # A fault of ours is told by the loop; it must not leave the client waiting for ever.
            if not acted:
                self._over = True
                self._gate.standing.end(self)
                self._client.abort()

    def _act_on(self, error: LedgerError | None) -> None:
        if error is None and self._decision.permitted:
            if not self._gate.ledger.healthy:
                # This line found room, but another stream's did not: 503 for everyone until all can be written.
                self.failed("ledger_unavailable", REASONS["ledger_unavailable"].status, request_done=False)
                return
            # A disk that was slow leaves time for a revocation: what was decided on then is not done now.
            if (
                self._gate.loop.time() - self.decided_at >= RECHECK_SECONDS
                and self._decision.place is Place.TRANSACTION
            ):
                now = self._ask_anew(lasting=False).decision
                if not now.permitted:
                    self.failed(
                        "access_ended", REASONS["access_ended"].status, request_done=False, cause=now.reason.code
                    )
                    return
        self._act()

    def _failure(self, code: str) -> Decision:
        return Decision(REASONS[code], self._decision.place, disclosed=True)

    def _act(self) -> None:
        decision, head, gate = self._decision, self._head, self._gate
        if not decision.permitted or head is None:
            self._answer_ourselves(decision, self._status)
            return
        entry = None if self._evidence is None else self._evidence.entry
        if (
            entry is not None
            and self._facts.activity
            and not (decision.operation is not None and decision.operation.background)
        ):
            gate.index.touch(entry, self._facts.now)
        try:
            route = forward.route(gate, self._client, head, self._facts, decision, self.reference)
        except WriteError as error:
            _log.error("request_not_written", id=self.reference, detail=str(error))
            self.failed("gateway_error", REASONS["gateway_error"].status, request_done=False)
            return
        carrier = self._carrier = Forwarding(self, self._client, head, decision, route, close=self._close)
        if decision.place is Place.TRANSACTION:
            gate.standing.begin(self)
        carrier.start()

    def _answer_ourselves(self, decision: Decision, status: int | None = None) -> None:
        """The gateway's own answer. What the client still sends of this request is read no more."""
        self._over = True
        head = self._head
        has_body = head is not None and type(head.framing) is not NoBody and not self._request_done
        self._close = self._close or has_body or decision.kind is Kind.FAILURE or decision.reason.clause == "B3"
        asked = Asked("", None, None)
        if head is not None:
            host = head.fields.get("host") if self._facts.port_is_ours else None
            asked = Asked(head.target.encoded, head.fields, host, self._kept)
        facts = self._facts
        if head is None and (self._client.reader.excerpt or "").startswith("HEAD "):
            facts = replace(facts, method="HEAD")  # nothing of it is believed, but that no body may follow
        data = answer(self._gate, decision, facts, asked, self.reference, close=self._close, status=status)
        self._client.send(data)
        if head is not None and not has_body and not self._request_done:
            # A request without a body still has its end event, which frees the reader for the next one.
            self._request_done = self._client.reader.next_event() is not None
        self._client.exchange_over(close=self._close, read_whole=self._request_done)

    # --- the client's side --------------------------------------------------------------------------------------------

    def pump(self) -> None:
        if type(self._carrier) is Forwarding:
            self._carrier.pump()
        elif self._keeping is not None:
            self._keeping.pump()

    def client_paused(self) -> None:
        if self._carrier is not None:
            self._carrier.client_paused()

    def client_resumed(self) -> None:
        if self._carrier is not None:
            self._carrier.client_resumed()

    def client_lost(self) -> None:
        """The client's connection broke off (its side: clause B2)."""
        if self._over:
            return
        if self._carrier is None:
            self._over = True  # `_durable` leaves the completion line, when there is something to complete
            if self._keeping is not None:
                self._keeping.give_up()
        else:
            self._carrier.client_lost()

    # --- while it is open ---------------------------------------------------------------------------------------------

    def look(self, now: float) -> float:
        """Limits of time; gives when to look again. The line, and a form that is being kept, have limits of their own."""
        return now + LOOK_SECONDS if self._carrier is None else self._carrier.look(now)

    def relay_by(self, relay: Relay) -> None:
        """The origin accepted a websocket."""
        self._carrier = self.relay = relay
        self._gate.standing.look_soon(self)

    def answer_began(self, now: float) -> None:
        """The head of the answer came, and with it whether this lasts. Where it came at once, nobody has looked yet."""
        if now - self._started > RECHECK_SECONDS:
            self._gate.standing.look_soon(self)

    @property
    def entry(self) -> SessionEntry | None:
        return None if self._evidence is None else self._evidence.entry

    def decide_anew(self) -> Permit | None:
        """The permit as it stands now (`standing.Open`); None when there is none, and then this ends."""
        carrier = self._carrier
        if self._over or carrier is None:
            return None
        permit = self._ask_anew(lasting=carrier.lasting)
        if permit.decision.permitted:
            return permit
        carrier.break_off("access_ended", permit.decision.reason.code)
        return None

    def _ask_anew(self, *, lasting: bool) -> Permit:
        """The same question as at the door, about the records, the table and the time as they stand now."""
        evidence = self._evidence
        if evidence is None:
            raise TypeError("what could not be read was not permitted")
        self.decided_at = self._gate.loop.time()
        permit = ask_anew(self._gate, evidence, lasting=lasting)
        if not permit.decision.permitted:
            _log.info("access_ended", id=self.reference, reason=permit.decision.reason.code)
            self._client.lasting = None
        return permit

    def drop(self) -> None:
        """A fault of ours: the connection ends at once, and this with it as if the client had gone."""
        self._client.drop()

    def stop(self) -> None:
        """The gateway stops and waits no longer."""
        if self._carrier is None:
            self._over = True  # its line is still on its way to the disk: nothing is forwarded any more
            if self._keeping is not None:
                self._keeping.give_up()
        elif not self._over:
            self._carrier.break_off("draining")

    # --- the end, as the forwarding reports it ------------------------------------------------------------------------

    def answered(self, reason: str, status: int, *, close: bool, read_whole: bool) -> None:
        """An answer went out whole, or a websocket ended: the connection goes on, or ends in order."""
        self._over = True
        self._complete(reason, status)
        self._client.exchange_over(close=close, read_whole=read_whole)

    def relayed(self, reason: str, status: int, cause: str | None, frames: FrameFollower) -> None:
        """A websocket has ended in order; `frames` are the client's, of which a Close may still come."""
        self._over = True
        self._complete(reason, status, cause)
        self._client.farewell(frames)

    def gone(self, reason: str, status: int, cause: str | None = None) -> None:
        """The client is not there any more."""
        self._over = True
        self._complete(reason, status, cause)

    def broken(self, reason: str, status: int, cause: str | None) -> None:
        """An answer that has begun cannot be ended in order: the client must not take it for whole."""
        self._over = True
        self._complete(reason, status, cause)
        self._client.abort()

    def failed(self, reason: str, status: int, *, request_done: bool, cause: str | None = None) -> None:
        """Nothing was answered yet: the person gets our page."""
        self._over = True
        self._request_done = request_done
        decision = self._failure(reason)
        self._close = True
        self._complete(reason, status, cause)
        self._answer_ourselves(decision, status)

    def _complete(self, reason: str, status: int, cause: str | None = None) -> None:
        """The completion line follows; nobody waits for it. A permit without one reads as outcome unknown."""
        gate, carrier = self._gate, self._carrier
        if self._decision.place is Place.TRANSACTION:
            gate.standing.end(self)
        else:
            gate.unhand(self.reference)
        first = 0.0 if carrier is None else carrier.first_byte_at
        subject = None if carrier is None else carrier.subject
        text = self._client.lines.completion(
            self.reference,
            REASONS[reason],
            client=self._client.address,
            user=self._person(),
            status=status,
            request_bytes=0 if carrier is None else carrier.bytes_in,
            response_bytes=0 if carrier is None else carrier.bytes_out,
            seconds=gate.loop.time() - self._started,
            first_byte_seconds=first - self._started if first else None,
            detail=cause,
            subject=None if subject is None else gate.ledger.sealer.subject(subject),
        )
        gate.ledger.user.append_text("completion", text, _follow, patient=True)
        # The two refer to each other: without this every request would be left to the garbage collector.
        self._carrier = self.relay = None


def _follow(error: LedgerError | None) -> None:
    """A completion line that could not be written: the stream is down by then, says so, and refuses what comes."""
