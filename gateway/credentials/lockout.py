"""The lock-out rule (NIST SP 800-63B-4 section 3.2.2): how long a person waits after failed attempts. Pure; who counts is `records/`.

Password and code count together, in one counter for a natural person over all their user IDs, and an unknown user ID has a
counter with the very same times, so that neither the words nor the waits tell whether a user ID exists. An attempt during a
wait is refused unchecked and not counted: nobody can prolong another person's wait by going on.
"""

from __future__ import annotations

from typing import NamedTuple

WAIT_SECONDS = (0.0, 0.0, 0.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0)
"""The wait after so many counted failures in a row; the last one holds for all that follow. Two slips of the finger cost nothing;
15 minutes is the most, so that a stranger's attempts do not keep a person out."""

DISABLED_AFTER = 100
"""Counted failures in a row after which the password is disabled until it is recovered: the most that NIST SP 800-63B-4
section 3.2.2 allows. At these waits it takes a guesser nearly a day."""


class LockState(NamedTuple):
    """Where a counter stands. `wait_until` is Unix seconds: before it an attempt is refused unchecked. `disabled`: always refused."""

    failures: int
    wait_until: float
    disabled: bool

    def waits(self, now: float) -> bool:
        return now < self.wait_until


UNLOCKED = LockState(0, 0.0, False)


def lock_state(failures: int, last_failure_at: float) -> LockState:
    """The state after `failures` counted failures in a row, the last one at `last_failure_at` (Unix seconds)."""
    wait = WAIT_SECONDS[min(failures, len(WAIT_SECONDS) - 1)]
    return LockState(failures, last_failure_at + wait if wait else 0.0, failures >= DISABLED_AFTER)


def last_failure(state: LockState, now: float) -> float:
    """A moment at which the last failure of this state may have been: one that gives the same wait. `now` where there is none."""
    wait = WAIT_SECONDS[min(state.failures, len(WAIT_SECONDS) - 1)]
    return state.wait_until - wait if wait else now
