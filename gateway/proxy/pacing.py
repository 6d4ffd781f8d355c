"""Who is too slow: the client that sends, the client that takes, or the origin (clause B2: they are told apart).

Nothing is counted while bytes pass. Now and then somebody looks how far they have come, and an allowance says whether that was enough.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

LOOKS: Final = 4
"""How often an allowance is looked at while it runs out: it ends at most a quarter late."""
NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Rates:
    """The least that a client must manage, in bytes a second; both are settings (`limits.…`)."""

    body: float
    """Of the body that it sends."""
    read: float
    """Of the answer that it takes."""


class Allowance:
    """How many seconds somebody may still fall behind.

    It begins full; a second takes a second of it, `rate` bytes give one back, and it is never more than full. So a
    phone in a tunnel is waited for, who is slow but steady is never cut, and nobody saves up for later.
    """

    __slots__ = ("_at", "_come", "_left", "_rate", "full")

    def __init__(self, full: float, rate: float, at: float, come: int) -> None:
        """`full` seconds, from the moment `at` on, when `come` bytes had come."""
        self.full = self._left = full
        self._rate = rate
        self._at = at
        self._come = come

    def spend(self, now: float, come: int) -> float:
        """What is left at `now`, when `come` bytes have come: seconds, 0 or less when it is used up."""
        earned = (come - self._come) / self._rate
        self._left = min(self.full, self._left + earned - (now - self._at))
        self._at, self._come = now, come
        return self._left

    def wait(self, now: float, come: int) -> None:
        """Since the last look it was not their turn: the time does not count."""
        self._at, self._come = now, come


def any_byte(full: float, at: float, come: int) -> Allowance:
    """For whom a single byte is a sign of life: it fills the allowance again. `full` may be NEVER: then it never runs out."""
    return Allowance(full, 1.0 / full if full < NEVER else 1.0, at, come)


class Slow(enum.Enum):
    """Who did not manage."""

    CLIENT = "the client"
    ORIGIN = "the origin"


class Passage:
    """One direction of an exchange: somebody sends, somebody else takes, each with an allowance, and one of them has the turn."""

    __slots__ = ("_between", "_sender", "_sender_is", "_taker", "_taker_is")

    def __init__(self, sender: Allowance, sender_is: Slow, taker: Allowance, taker_is: Slow) -> None:
        self._sender, self._sender_is = sender, sender_is
        self._taker, self._taker_is = taker, taker_is
        self._between = min(sender.full, taker.full) / LOOKS

    def look(self, now: float, come: int, taken: int, *, waits: bool) -> tuple[Slow | None, float]:
        """Who is too slow at `now`, and when to look again.

        `come` bytes came from the sender so far, and the taker has taken `taken` of what it was given. `waits` says that something waits
        for the taker: then the turn is the taker's, and the sender's time stands still.
        """
        if waits:
            self._sender.wait(now, come)
            slow, left = self._taker_is, self._taker.spend(now, taken)
        else:
            self._taker.wait(now, taken)
            slow, left = self._sender_is, self._sender.spend(now, come)
        return (slow if left <= 0 else None), now + min(max(left, 0.0), self._between)
