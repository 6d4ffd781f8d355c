"""Coarse timers for very many: who waits for a moment lies in the bucket of its quarter of a second, and nobody else is looked at.

A limit of time is almost never reached, and is put off all the time. So nothing is moved when it is put off: when its bucket comes up, the
item says how things stand, and until when it can wait now. Only what becomes due earlier than the item lies is moved. An idle connection
costs one look in its keep-alive time, a busy one about one a minute, and none of them anything in between.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final, Protocol

SLOT_SECONDS: Final = 0.25
"""Width of a bucket. Nobody is looked at before its moment, and at most this and the time between two turns after it."""
NEVER: Final = float("inf")


class Timed(Protocol):
    """Who waits. `due` belongs to the wheel: NEVER at first, then when it is looked at."""

    due: float

    def look(self, now: float) -> float:
        """Act on what is due at `now`; gives the next moment to be looked at, NEVER when there is none."""
        ...

    def drop(self) -> None:
        """A fault of ours came up in `look`: end what this stands for."""
        ...


class Wheel:
    """Everything that waits, on one clock; `told` hears of a fault in a `look`, which must not leave the others without their limits."""

    def __init__(self, told: Callable[[Exception], None]) -> None:
        self._told = told
        self._buckets: dict[float, dict[Timed, None]] = {}
        self._order: list[float] = []
        self._now = float("-inf")

    def by(self, item: Timed, at: float) -> None:
        """Look at the item at `at`, if that is earlier than it would be anyway."""
        if at >= item.due:
            return
        due = max((at // SLOT_SECONDS + 1) * SLOT_SECONDS, self._now + SLOT_SECONDS)
        if due >= item.due:
            return
        self.forget(item)
        item.due = due
        bucket = self._buckets.get(due)
        if bucket is None:
            self._buckets[due] = {item: None}
            heapq.heappush(self._order, due)
        else:
            bucket[item] = None

    def forget(self, item: Timed) -> None:
        """It waits for nothing any more."""
        if item.due != NEVER:
            bucket = self._buckets.get(item.due)
            if bucket is not None:
                bucket.pop(item, None)
            item.due = NEVER

    def turn(self, now: float) -> int:
        """Look at all that is due; gives how many there were."""
        # Not the latest that it ever was: a clock that was set back must not make everybody wait until it is there again.
        self._now = now // SLOT_SECONDS * SLOT_SECONDS
        looked = 0
        while self._order and self._order[0] <= now:
            for item in self._buckets.pop(heapq.heappop(self._order)):
                if item.due <= now:
                    item.due = NEVER
                    looked += 1
                    self._look(item, now)
        return looked

    def _look(self, item: Timed, now: float) -> None:
        try:
            self.by(item, item.look(now))
        except Exception as fault:  # noqa: BLE001 - whatever it was, it ends one item, is told, and the next has its turn
            item.drop()
            self._told(fault)

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))
