"""Which worker takes a connection. All have the same listening sockets, and the kernel wakes them all: whoever comes first would take
a whole burst, and browsers keep connections for minutes. So a worker that has more than another leaves the next one to it.

The numbers lie in memory that is shared from the fork on. They are a hint: one that is late or lost costs `HOLD_SECONDS`, once.
"""

from __future__ import annotations

import mmap
from typing import Final

HOLD_SECONDS: Final = 0.002
"""How long a connection is left to a worker with fewer; a loop that is not busy takes it within a tenth of that."""
TAKEN_AFTER_ALL: Final = 4
"""Connections taken at once when the other has not come: 2,000 a second, twice what a core can shake hands with."""
ABSENT: Final = 2**62
"""The number of a worker that is not there: nothing is left to it."""


class Shares:
    """How many connections each worker has. Made before the fork."""

    def __init__(self, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * workers)).cast("q")
        for number in range(workers):
            self.of(number).leave()

    def of(self, number: int) -> Share:
        return Share(self._counts, number)


class Share:
    """One worker's own number, beside the others'."""

    __slots__ = ("_counts", "_number")

    def __init__(self, counts: memoryview[int], number: int) -> None:
        self._counts = counts
        self._number = number

    def begin(self) -> None:
        """This worker is there, with no connection yet."""
        self._counts[self._number] = 0

    def tell(self, connections: int) -> None:
        if self._counts[self._number] != ABSENT:
            self._counts[self._number] = connections

    def leave(self) -> None:
        """This worker takes no more."""
        self._counts[self._number] = ABSENT

    def ahead(self) -> bool:
        """Whether another worker has fewer."""
        return self._counts[self._number] > min(self._counts)
