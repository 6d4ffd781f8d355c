"""The flood rule: above a rate per client network, unauthenticated refusals become one counted line a second. Pure.

A network floods once it had more than `rate` refusals within a second. From then on its refusals are only counted, one tally
a second, until a second passes with no more than `rate` of them. The memory is bounded: networks beyond the limit share one place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway.ledger.pseudonym import Network

FLOOD_RATE = 100
"""Refusals a second that a network may cause with lines of its own. An office of 500 persons behind one address begins its morning with
some tens of sign-in challenges a second; a flood has thousands."""
MAX_NETWORKS = 4096
WINDOW_SECONDS = 1.0


@dataclass(slots=True)
class Tally:
    """What is counted of one network (None: of all that found no place), from `since` to `until` (Unix seconds).

    `reference` finds the line, and is what every counted client is shown.
    """

    network: Network | None
    since: float
    until: float
    reference: str
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Place:
    since: float
    seen: int = 0
    tally: Tally | None = None


class Flood:
    """Counts refusals. `now` is Unix seconds throughout; nothing here looks at a clock."""

    def __init__(self, rate: int = FLOOD_RATE) -> None:
        self._rate = rate
        self._places: dict[Network | None, _Place] = {}

    def count(self, network: Network, reason: str, reference: str, now: float) -> str | None:
        """None: the refusal gets a line of its own. Else it was counted, and the answer is the reference that finds the tally."""
        known: Network | None = network
        place = self._places.get(known)
        if place is None:
            if len(self._places) >= MAX_NETWORKS:
                known = None
            place = self._places.setdefault(known, _Place(now))
        place.seen += 1
        if place.tally is None:
            if place.seen <= self._rate:
                return None
            place.tally = Tally(known, now, now, reference)
        tally = place.tally
        if not tally.reasons:
            tally.since, tally.reference = now, reference
        tally.reasons[reason] += 1
        tally.until = now
        return tally.reference

    def due(self, now: float) -> list[Tally]:
        """The tallies whose second is over, each to be written as one line. To be asked about once a second."""
        finished: list[Tally] = []
        for network, place in list(self._places.items()):
            if 0 <= now - place.since < WINDOW_SECONDS:  # a clock that was set back ends the second
                continue
            if place.tally is not None and place.tally.reasons:
                finished.append(place.tally)
            if place.seen > self._rate:
                # Still flooding: the next second is counted from its first refusal on.
                self._places[network] = _Place(now, 0, Tally(network, now, now, ""))
            else:
                del self._places[network]
        return finished

    def rest(self) -> list[Tally]:
        """All that is still counted, when the gateway stops."""
        places, self._places = self._places, {}
        return [place.tally for place in places.values() if place.tally is not None and place.tally.reasons]
