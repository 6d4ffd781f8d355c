"""What was seen of a session's client, in this worker: last sightings of signals, times of navigations, requests by transaction.

It hangs on the session's entry in the index, so it is as bounded as the sessions are, and forgotten with them. Per request it costs a few
comparisons: what fields say was read when they first came (`Sent`), and a browser shows none of the signals. What it
comes to is `decision.evidence`, which is pure.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from gateway.decision import ClientEvidence, Connection, Decision, Facts, Rules, Signal
from gateway.decision.evidence import MANY_CONNECTIONS, NAVIGATIONS, assess, steady
from gateway.decision.facts import SAFE_METHODS
from gateway.message import Fields
from gateway.proxy.activity import Acting
from gateway.proxy.agent import Named
from gateway.records.values import SessionEntry

TOGETHER_SECONDS: Final = 0.5
"""Navigations that are closer are one act: a browser that opens its tabs again, or a request that was decided twice."""
ASSESSED_SECONDS: Final = 1.0
"""How long what the signals come to holds while no new one is seen: they fade over minutes, and requests come many a second."""
MAX_TRANSACTIONS: Final = 256
"""Of which one session's pace is kept; a person who opens more within a minute begins them anew."""


class Observed:
    """One session, since its last authentication. Moments are Unix seconds."""

    __slots__ = ("assessed", "connections", "dry", "family", "navigations", "paces", "seen", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.family = ""
        self.seen: dict[Signal, float] = {}
        self.assessed: tuple[float, bool, ClientEvidence | None] | None = None
        """When it was last worked out what they come to, whether for a client that moved, and what it was."""
        self.navigations: deque[float] = deque(maxlen=NAVIGATIONS)
        self.connections = 0
        """How many connections to this worker carry the session now."""
        self.paces: dict[str, float] = {}
        """By transaction: when what was asked until now would have been asked at the pace that is allowed."""
        self.dry: dict[str, float] = {}
        """By transaction: until when no more is let through."""

    def begin_anew(self, since: float) -> None:
        """The person proved who they are: what was seen before is answered. Connections and paces go on."""
        self.since = since
        self.family = ""
        self.seen.clear()
        self.assessed = None
        self.navigations.clear()

    def request(self, traits: tuple[Signal, ...], family: str, now: float) -> None:
        """A request came: what its fields and its connection show, and the browser's name."""
        for signal in traits:
            self._saw(signal, now)
        if family and family != self.family:
            if self.family:
                self._saw(Signal.USER_AGENT_CHANGED, now)
            self.family = family

    def _saw(self, signal: Signal, now: float) -> None:
        self.seen[signal] = now
        self.assessed = None

    def navigation(self, now: float) -> None:
        moments = self.navigations
        if moments and now - moments[-1] < TOGETHER_SECONDS:
            return
        moments.append(now)
        if len(moments) == NAVIGATIONS and steady(moments):
            self._saw(Signal.STEADY_NAVIGATIONS, now)

    def connected(self, now: float) -> None:
        """One more connection carries the session."""
        self.connections += 1
        if self.connections > MANY_CONNECTIONS:
            self._saw(Signal.MANY_CONNECTIONS, now)

    def count(self, transaction: str, rules: Rules, now: float) -> None:
        """A request to this transaction was decided on, whatever came of it (the generic cell rate algorithm: one number a bucket)."""
        if transaction in self.dry and now < self.dry[transaction]:
            return
        self.dry.pop(transaction, None)
        if len(self.paces) >= MAX_TRANSACTIONS and transaction not in self.paces:
            self.paces.clear()
        spent = max(self.paces.get(transaction, now), now) + 1.0 / rules.pace
        self.paces[transaction] = spent
        ahead = spent - now - (rules.burst - 1) / rules.pace
        if ahead > 0:
            self.dry[transaction] = now + ahead

    def too_fast(self, now: float) -> tuple[str, ...]:
        """The transactions that get no more of this session now."""
        return tuple(name for name, until in self.dry.items() if now < until)


def observed(entry: SessionEntry) -> Observed:
    """What was seen of this session, begun anew when the person has authenticated since."""
    found, since = entry.observed, entry.session.auth_time
    if not isinstance(found, Observed):
        found = entry.observed = Observed(since)
    elif found.since != since:
        found.begin_anew(since)
    return found


def look(
    found: Observed,
    traits: tuple[Signal, ...],
    named: Named,
    connection: Connection,
    given_to: str | None,
    rules: Rules,
    now: float,
) -> ClientEvidence | None:
    """What speaks for a program on this session, this request included. `given_to` is the family that the cookie was given to."""
    moved = given_to is not None and (connection.hello is None or connection.hello.fingerprint != given_to)
    # Whoever has somebody else's cookie says nothing of the person whose it is.
    if not moved and (traits or named.family != found.family):
        found.request(traits, named.family, now)
    if not moved and not found.seen:
        return None
    held = found.assessed
    if held is not None and held[1] is moved and held[0] <= now < held[0] + ASSESSED_SECONDS:
        return held[2]
    evidence = assess(found.seen, rules, moved=moved, since=found.since, now=now)
    found.assessed = (now, moved, evidence)
    return evidence


def note(entry: SessionEntry, facts: Facts, decision: Decision, acting: Acting, rules: Rules) -> Observed | None:
    """A request was decided on: its pace and its rhythm. Gives what its connection is to be counted with, if with anything."""
    if facts.evidence is not None and facts.evidence.moved:
        return None
    found = observed(entry)
    if decision.transaction is not None:
        found.count(decision.transaction.id, rules, facts.now)
    if facts.activity and acting.whole and facts.method in SAFE_METHODS:
        found.navigation(facts.now)
    return found


def read_traits(fields: Fields, named: Named, connection: Connection, *, websocket: bool) -> tuple[Signal, ...]:
    """The signals in the fields of a request, and in its connection."""
    traits: list[Signal] = []
    if (
        named.sends_metadata
        and not websocket
        and not any(f"sec-fetch-{name}" in fields for name in ("site", "mode", "dest"))
    ):
        traits.append(Signal.NO_FETCH_METADATA)
    if "accept-language" not in fields:
        traits.append(Signal.NO_ACCEPT_LANGUAGE)
    if connection.hello is not None and connection.hello.post_handshake_auth:
        traits.append(Signal.POST_HANDSHAKE_AUTH)
    return tuple(traits)
