"""The lock-out rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.lockout import DISABLED_AFTER, UNLOCKED, WAIT_SECONDS, last_failure, lock_state

FIFTEEN_MINUTES = 900.0


@pytest.mark.parametrize(
    ("failures", "wait"),
    [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 5),
        (4, 15),
        (5, 30),
        (6, 60),
        (7, 120),
        (8, 300),
        (9, 600),
        (10, 900),
        (11, 900),
        (99, 900),
    ],
)
def test_the_wait_after_so_many_failures(failures: int, wait: float) -> None:
    state = lock_state(failures, 1000.0)
    assert state.failures == failures
    assert not state.disabled
    assert state.waits(1000.0) is (wait > 0)
    assert not state.waits(1000.0 + wait)
    if wait:
        assert state.wait_until == 1000.0 + wait
        assert state.waits(1000.0 + wait - 0.001)


def test_nobody_failed_yet() -> None:
    assert lock_state(0, 0.0) == UNLOCKED
    assert not UNLOCKED.waits(0.0)


@pytest.mark.parametrize(("failures", "disabled"), [(99, False), (100, True), (101, True), (10_000, True)])
def test_disabled_after_a_hundred(failures: int, disabled: bool) -> None:
    assert DISABLED_AFTER == 100
    assert lock_state(failures, 0.0).disabled is disabled


@given(st.integers(0, 1_000), st.floats(0, 4e9))
def test_waits_grow_and_never_pass_a_quarter_of_an_hour(failures: int, at: float) -> None:
    now, later = lock_state(failures, at), lock_state(failures + 1, at)
    assert now.wait_until <= later.wait_until <= at + FIFTEEN_MINUTES
    assert now.disabled <= later.disabled


def test_the_table_grows() -> None:
    assert list(WAIT_SECONDS) == sorted(WAIT_SECONDS)
    assert WAIT_SECONDS[-1] == FIFTEEN_MINUTES


@pytest.mark.parametrize("failures", range(13))
def test_a_state_can_be_put_back(failures: int) -> None:
    """The same state comes of the moment that it gives for its last failure."""
    state = lock_state(failures, 1_000_000.0)
    assert lock_state(failures, last_failure(state, 2_000_000.0)) == state
