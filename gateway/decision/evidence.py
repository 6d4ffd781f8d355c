"""What speaks for a program, and how much (clause B1; CLIENTS, "Evidence"). It never refuses anybody: enough of it asks who is there.

No signal of a network proves a person or a program. So a signal is only a sign that counts some points, fades when it is not seen any
more, and may be watched (`report`) before it is believed (`enforce`). Enough points lead to re-authentication; an
authentication answers all doubt, for a while and whatever is seen: so nobody is asked again and again, and what runs without
a person comes to its end.

    points of a signal = weight x 0.5 ** (seconds since it was last seen / half-life)
    score              = the points of all signals that are enforced

Apart from the score: a session whose cookie comes from another client (`moved`). That is told by the fingerprint of its TLS.
"""

from __future__ import annotations

import enum
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

MIN_POINTS: Final = 1.0
"""What has faded to less is not worth a word."""
NAVIGATIONS: Final = 21
"""As many navigations as it takes for 20 intervals (CLIENTS)."""
STEADY_VARIATION: Final = 0.2
"""A coefficient of variation below which intervals are a timer's: fixed timers 100 %, humans 0 %, simulated (CLIENTS)."""
SHORTEST_MEAN_SECONDS: Final = 1.0
"""Navigations that are closer together are the browser's own: it opens many tabs again after a restart."""
MANY_CONNECTIONS: Final = 20
"""Parallel connections of one session to one worker: Chromium uses at most 6 to a host (CLIENTS)."""


class Mode(enum.StrEnum):
    """What is done about a signal."""

    OFF = "off"
    REPORT = "report"
    """It stands in the ledger line, and counts for nothing."""
    ENFORCE = "enforce"


class Signal(enum.StrEnum):
    """What may speak for a program."""

    NO_FETCH_METADATA = "no_fetch_metadata"
    """The user agent is a browser's that always sends `Sec-Fetch-…`, and there is none (websockets apart)."""
    NO_ACCEPT_LANGUAGE = "no_accept_language"
    POST_HANDSHAKE_AUTH = "post_handshake_auth"
    """The TLS of the client offers post-handshake authentication, which no browser does by itself."""
    STEADY_NAVIGATIONS = "steady_navigations"
    """The last 20 navigations came at the beat of a timer."""
    MANY_CONNECTIONS = "many_connections"
    """More than 20 connections at once on one session."""
    USER_AGENT_CHANGED = "user_agent_changed"
    """Another browser's name than at the session's last authentication."""


class Rule(NamedTuple):
    """How a signal counts: points when it is seen, and the seconds in which they fade to half."""

    weight: float
    half_life: float
    mode: Mode


DEFAULT_RULES: Mapping[Signal, Rule] = MappingProxyType(
    {
        Signal.NO_FETCH_METADATA: Rule(100.0, 3600.0, Mode.ENFORCE),
        Signal.NO_ACCEPT_LANGUAGE: Rule(50.0, 3600.0, Mode.ENFORCE),
        Signal.POST_HANDSHAKE_AUTH: Rule(50.0, 3600.0, Mode.REPORT),
        Signal.STEADY_NAVIGATIONS: Rule(50.0, 1800.0, Mode.REPORT),
        Signal.MANY_CONNECTIONS: Rule(50.0, 600.0, Mode.REPORT),
        Signal.USER_AGENT_CHANGED: Rule(50.0, 1800.0, Mode.REPORT),
    }
)
"""Enforced are those that no browser was ever seen to give: docs/person-or-program.md has the reasons."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings by which evidence is gathered. `answered` is the seconds for which an authentication answers all doubt; `pace` the
    requests a second of one session and transaction that are let through in the long run, `burst` those at once. (How many
    points are enough is the decision's to know: `Snapshot.doubtful_score`.)"""

    signals: Mapping[Signal, Rule] = field(default_factory=lambda: DEFAULT_RULES)
    answered: float = 900.0
    moved: Mode = Mode.ENFORCE
    pace: float = 100.0
    burst: float = 2000.0


class ClientEvidence(NamedTuple):
    """What is known of a session's client at one moment.

    `score` is the sum of `parts`: the signals that are enforced, each with its points. `reported` are those that are only watched.
    `moved` says that the client is not the one that the session's cookie was given to; `moved_reported` the same when
    that is only watched. `answered` that the person proved who they are so recently that the score asks nothing.
    `since` is the authentication that all this came after, Unix seconds: a later one has answered it.
    """

    score: float = 0.0
    parts: tuple[tuple[Signal, float], ...] = ()
    reported: tuple[tuple[Signal, float], ...] = ()
    moved: bool = False
    moved_reported: bool = False
    answered: bool = False
    since: float = 0.0


def assess(
    seen: Mapping[Signal, float], rules: Rules, *, moved: bool, since: float, now: float
) -> ClientEvidence | None:
    """What the signals come to at `now`; `seen` is when each was last seen (Unix seconds). None when there is nothing to tell."""
    parts: list[tuple[Signal, float]] = []
    reported: list[tuple[Signal, float]] = []
    for signal, at in seen.items():
        rule = rules.signals[signal]
        if rule.mode is Mode.OFF:
            continue
        # A clock that was set back makes nothing count for more than it was when it was seen.
        points = round(rule.weight * 0.5 ** (max(0.0, now - at) / rule.half_life), 1)
        if points >= MIN_POINTS:
            (parts if rule.mode is Mode.ENFORCE else reported).append((signal, points))
    moved = moved and rules.moved is not Mode.OFF
    if not parts and not reported and not moved:
        return None
    enforced = rules.moved is Mode.ENFORCE
    return ClientEvidence(
        round(sum((points for _, points in parts), 0.0), 1),
        tuple(parts),
        tuple(reported),
        moved and enforced,
        moved and not enforced,
        0.0 <= now - since < rules.answered,
        since,
    )


def steady(moments: Sequence[float]) -> bool:
    """Whether navigations at these moments (ascending) are so regular that a timer made them."""
    if len(moments) < NAVIGATIONS:
        return False
    intervals = [later - earlier for earlier, later in itertools.pairwise(moments)]
    mean = statistics.fmean(intervals)
    return mean >= SHORTEST_MEAN_SECONDS and statistics.pstdev(intervals, mean) < STEADY_VARIATION * mean
