"""Open exchanges, found by what their permit hangs on, so that each ends as soon as it is permitted no more (ADR 0008).

An exchange is decided anew, by the same `decide`, when something changes that its decision can have read. That is little, since `decide`
sees two values:

    facts      the time          a wheel, at the first moment that can turn a check (`decision.until`)
               the session       the index says which one changed
               the person        the index says whose records changed; all that is known of a person is one value
               records current   all, when they turn stale
               suspensions       all, when there is another one or one less: they are rare
               the request       never changes
    snapshot   by key            the exchanges of each transaction, authorisation, institution or host that differs
               anything else     all: also what somebody adds to the snapshot and forgets here

An exchange that is over within RECHECK_SECONDS costs an entry in a set. An older one is decided anew once, which finds whatever came
between its decision and now, and is hung up then. And should this page have overlooked something, BACKSTOP_SECONDS finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from gateway.decision import Decision, Facts, Snapshot, decide
from gateway.decision.until import stands_until
from gateway.proxy.facts import Evidence, renewed
from gateway.proxy.keys import WHOLE, Grants, Hosts, Institutions, TableKey, Transactions, User
from gateway.proxy.wheel import Wheel
from gateway.records.values import SessionEntry

if TYPE_CHECKING:
    from gateway.proxy.gate import Gate

RECHECK_SECONDS: Final = 0.4
"""An exchange older than this is hung up; a shorter one is over before a revocation could reach it."""
BACKSTOP_SECONDS: Final = 300.0
"""Each exchange is decided anew this often, whatever happens: 10,000 open websockets are 33 decisions a second."""
AT_ONCE: Final = 100
"""Exchanges decided anew in one turn of the loop: a millisecond, or some ten when all of them end."""


class Permit(NamedTuple):
    """A permit of a transaction, as it stands now."""

    facts: Facts
    decision: Decision


class Open(Protocol):
    """An exchange under way."""

    @property
    def decided_at(self) -> float:
        """The loop's time of its last decision."""
        ...

    def decide_anew(self) -> Permit | None:
        """The permit as it stands now; None when there is none any more, and it has ended itself."""
        ...

    @property
    def entry(self) -> SessionEntry | None:
        """The session that it hangs on: the entry lives on through a step-up."""
        ...

    def drop(self) -> None:
        """A fault of ours came up: end it at once."""
        ...


def hangs_on(permit: Permit, entry: SessionEntry) -> tuple[Hashable, ...]:
    """Everything, besides the time, whose change can turn this permit."""
    facts, decision = permit
    user, transaction = facts.user, decision.transaction
    if user is None or transaction is None:
        raise TypeError("a permit of a transaction without what it rests on")
    return (
        entry,
        User(user.user_id),
        Transactions(transaction.id),
        Grants(user.institution, transaction.id),
        Institutions(user.institution),
        Hosts(facts.host or ""),
    )


def ask_anew(gate: Gate, evidence: Evidence, *, lasting: bool) -> Permit:
    """The same question as at the door, about the records, the table and the time as they stand now. It may be answered with a refusal."""
    facts = renewed(evidence, gate.index, gate.suspensions, gate.clock(), lasting=lasting)
    decision = decide(facts, gate.snapshot)
    if not decision.permitted and evidence.facts.session is not None:
        gate.signer.forget(evidence.facts.session.id)
    return Permit(facts, decision)


def _concerns(entry: SessionEntry | None, users: Collection[str], entries: Collection[SessionEntry]) -> bool:
    return entry is None or entry in entries or entry.session.user_id in users


class _Hung:
    """An exchange that is hung up: its keys, and its place in the wheel."""

    __slots__ = ("_standing", "due", "exchange", "keys")

    def __init__(self, standing: Standing, exchange: Open) -> None:
        self._standing = standing
        self.exchange = exchange
        self.keys: tuple[Hashable, ...] = ()
        self.due = float("inf")

    def look(self, now: float) -> float:
        self._standing.look_again(self)
        return self.due

    def drop(self) -> None:
        self.exchange.drop()


class Standing:
    """The index of a worker's open exchanges. Everything happens on the loop."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._young: set[Open] = set()
        self._hung: dict[Open, _Hung] = {}
        self._by_key: dict[Hashable, dict[_Hung, None]] = {}
        self._woken: dict[_Hung, None] = {}
        self._wheel = Wheel(self._fault)
        self._snapshot = gate.snapshot
        self._suspensions = gate.suspensions
        self._current = True
        self._now = gate.clock()
        self.decided = 0
        """How many decisions were asked anew, for those who count them."""
        gate.index.listen(self.changed)

    def __len__(self) -> int:
        return len(self._hung)

    # --- an exchange's side -------------------------------------------------------------------------------------------

    def begin(self, exchange: Open) -> None:
        """It is being forwarded."""
        self._young.add(exchange)

    def end(self, exchange: Open) -> None:
        """It is over."""
        self._young.discard(exchange)
        hung = self._hung.pop(exchange, None)
        if hung is not None:
            self._take_down(hung)
            self._wheel.forget(hung)
            self._woken.pop(hung, None)

    def look_soon(self, exchange: Open) -> None:
        """What it is has changed, and so may what it waits for (an answer that turned out to be a stream)."""
        hung = self._hung.get(exchange)
        if hung is not None:
            self._wake((hung,))

    # --- what wakes them ----------------------------------------------------------------------------------------------

    def changed(self, users: Collection[str], entries: Collection[SessionEntry]) -> None:
        """The records of these persons, and these sessions, are not what they were."""
        # Those that are not hung up yet are few: what is under way and not half a second old.
        self._hang_up([exchange for exchange in self._young if _concerns(exchange.entry, users, entries)])
        keys: list[Hashable] = [User(user_id) for user_id in users]
        self._wake_by(keys + list(entries))

    def tick(self) -> None:
        """Four times a second: who has grown old enough, what the clock ends, and whether the table, the records' age or the suspensions
        changed."""
        gate = self._gate
        grown = gate.loop.time() - RECHECK_SECONDS
        self._hang_up([exchange for exchange in self._young if exchange.decided_at <= grown])
        now, current = gate.clock(), gate.index.current(gate.clock())
        if gate.snapshot is not self._snapshot:
            old, self._snapshot = self._snapshot, gate.snapshot
            self._table_changed(old, self._snapshot)
        suspended, self._suspensions = gate.suspensions is not self._suspensions, gate.suspensions
        if now < self._now or (self._current and not current) or suspended:
            self._wake(self._hung.values())
        self._now, self._current = now, current
        self._wheel.turn(now)

    def _table_changed(self, old: Snapshot, new: Snapshot) -> None:
        if any(getattr(old, name) != getattr(new, name) for name in WHOLE):
            self._wake(self._hung.values())
            return
        self._wake_by([key for key in self._by_key if isinstance(key, TableKey) and key.differs(old, new)])

    def _wake_by(self, keys: Iterable[Hashable]) -> None:
        for key in keys:
            self._wake(self._by_key.get(key, ()))

    def _wake(self, hung: Iterable[_Hung]) -> None:
        idle = not self._woken
        self._woken.update(dict.fromkeys(hung))
        if idle and self._woken:
            self._gate.loop.call_soon(self._go_through)

    def _go_through(self) -> None:
        """Some of those that were woken; the others in the next turn of the loop, so that many do not make everybody wait."""
        for _ in range(min(AT_ONCE, len(self._woken))):
            hung = next(iter(self._woken))
            del self._woken[hung]
            self._try(hung)
        if self._woken:
            self._gate.loop.call_soon(self._go_through)

    # --- deciding anew ------------------------------------------------------------------------------------------------

    def _hang_up(self, exchanges: Iterable[Open]) -> None:
        for exchange in exchanges:
            self._young.discard(exchange)
            hung = self._hung[exchange] = _Hung(self, exchange)
            self._try(hung)

    def _try(self, hung: _Hung) -> None:
        try:
            self.look_again(hung)
        except Exception as fault:  # noqa: BLE001 - whatever it was, it ends one exchange, is told, and the next has its turn
            hung.drop()
            self._fault(fault)

    def look_again(self, hung: _Hung) -> None:
        """Decide anew; what is still permitted hangs on what this decision read, and waits for its own moment."""
        exchange = hung.exchange
        self.decided += 1
        permit = exchange.decide_anew()
        if permit is None:
            return
        entry = exchange.entry
        if entry is None:
            raise TypeError("a permit of a transaction without a session")
        keys = hangs_on(permit, entry)
        if keys != hung.keys:
            self._take_down(hung)
            hung.keys = keys
            for key in keys:
                self._by_key.setdefault(key, {})[hung] = None
        until = stands_until(permit.facts, permit.decision, self._gate.snapshot)
        self._wheel.forget(hung)
        self._wheel.by(hung, min(until, permit.facts.now + BACKSTOP_SECONDS))

    def _take_down(self, hung: _Hung) -> None:
        for key in hung.keys:
            others = self._by_key.get(key)
            if others is not None:
                others.pop(hung, None)
                if not others:
                    del self._by_key[key]

    def _fault(self, fault: Exception) -> None:
        self._gate.loop.call_exception_handler({"message": "deciding anew failed", "exception": fault})
