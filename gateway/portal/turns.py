"""In what order, and how often, those who ask without end are served: client networks take turns, and refusals of one have a pace. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Waiting = TypeVar("Waiting")


class Turns(Generic[Waiting]):
    """What waits, by client network (any word for it): the one with much that waits keeps no other from being next."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Waiting]] = {}
        """In the order in which the networks' turns come; none without anything."""

    def put(self, network: str, waiting: Waiting) -> None:
        """Behind what waits of this network."""
        self._waiting.setdefault(network, deque()).append(waiting)

    def take(self, may: Callable[[str], bool]) -> tuple[str, Waiting] | None:
        """The next network that `may` begin something, and its oldest; its next turn comes after all others'. None when none may."""
        network = next(filter(may, self._waiting), None)
        if network is None:
            return None
        theirs = self._waiting.pop(network)
        taken = theirs.popleft()
        if theirs:
            self._waiting[network] = theirs
        return network, taken


REFUSALS_A_SECOND: Final = 5.0
"""Answers to refused attempts that one client network gets from one worker, after the first, which comes at once."""
LONGEST_WAIT_SECONDS: Final = 20.0
"""Shorter than any browser waits. A network with more open requests than the two numbers allow gets each answer after this."""
MAX_NETWORKS: Final = 4096
"""Those beyond share one pace."""


class Pace:
    """When a refusal is answered. Who asks again as soon as they have the answer would else fill the event loop with refusals."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        """When the next refusal of a network is due."""

    def wait(self, network: str, now: float) -> float:
        """Counts one more refusal of this network, and gives how many seconds its answer has to wait. `now` is seconds of any clock."""
        if network not in self._due and len(self._due) >= MAX_NETWORKS:
            self._due = {known: due for known, due in self._due.items() if due > now}
            if len(self._due) >= MAX_NETWORKS:
                network = ""
        wait = max(0.0, self._due.get(network, now) - now)
        if wait >= LONGEST_WAIT_SECONDS:
            return LONGEST_WAIT_SECONDS
        self._due[network] = now + wait + 1 / REFUSALS_A_SECOND
        return wait
