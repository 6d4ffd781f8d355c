"""Allowances: who is slow and steady is never cut, who stands still is, and the time of the other side does not count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.pacing import LOOKS, NEVER, Allowance, Passage, Slow, any_byte


def cut_at(rate: float, full: float, arrivals: dict[float, int], until: float = 1000.0) -> float | None:
    """When a sender is cut whose bytes come at these moments (seconds: bytes), looked at as often as the passage asks."""
    passage = Passage(Allowance(full, rate, 0.0, 0), Slow.CLIENT, any_byte(NEVER, 0.0, 0), Slow.ORIGIN)
    now = full / LOOKS
    while now < until:
        come = sum(size for at, size in arrivals.items() if at <= now)
        slow, now_next = passage.look(now, come, come, waits=False)
        if slow is not None:
            return now
        assert now_next > now
        now = now_next
    return None


def test_nothing_at_all_is_cut_after_the_allowance() -> None:
    assert cut_at(500, 60, {}) == pytest.approx(60)


@given(st.floats(1.0, 20.0), st.floats(0.1, 30.0))
def test_who_keeps_to_the_rate_is_never_cut(factor: float, pause: float) -> None:
    arrivals = {pause * number: int(500 * pause * factor) + 1 for number in range(int(1000 / pause) + 1)}
    assert cut_at(500, 60, arrivals) is None


def test_a_phone_in_a_tunnel_is_waited_for() -> None:
    arrivals = dict.fromkeys((*range(10), *range(55, 200)), 100000)
    assert cut_at(500, 60, arrivals, until=200.0) is None


def test_who_trickles_is_cut_however_much_came_before() -> None:
    trickle = {float(at): 10 for at in range(10, 1000, 10)}
    at = cut_at(500, 60, {0.0: 10_000_000} | trickle)
    assert at is not None
    assert at < 60 * (1 + 1 / LOOKS) + 15 + 1
    assert cut_at(500, 60, trickle) == pytest.approx(60, abs=2)


def test_half_the_rate_lasts_twice_as_long() -> None:
    assert cut_at(500, 60, {float(at): 250 for at in range(500)}) == pytest.approx(120, abs=2)


def test_the_turn_is_the_takers_while_something_waits_for_it() -> None:
    passage = Passage(any_byte(300, 0.0, 0), Slow.ORIGIN, Allowance(60, 500, 0.0, 0), Slow.CLIENT)
    slow, now = passage.look(15.0, 100, 0, waits=True)
    for _ in range(3):
        assert slow is None
        slow, now = passage.look(now, 100, 0, waits=True)
    assert slow is Slow.CLIENT
    passage = Passage(any_byte(300, 0.0, 0), Slow.ORIGIN, Allowance(60, 500, 0.0, 0), Slow.CLIENT)
    now = 0.0
    while now < 280:
        slow, now = passage.look(now, 100, 100, waits=False)
        assert slow is None
    assert passage.look(301.0 + 15, 100, 100, waits=False)[0] is Slow.ORIGIN


def test_the_senders_time_stands_still_while_the_taker_has_the_turn() -> None:
    passage = Passage(Allowance(60, 500, 0.0, 0), Slow.CLIENT, any_byte(NEVER, 0.0, 0), Slow.ORIGIN)
    for now in range(0, 1000, 15):
        assert passage.look(float(now), 0, 0, waits=True)[0] is None
    assert passage.look(1000.0 + 40, 0, 0, waits=False)[0] is None
    assert passage.look(1000.0 + 70, 0, 0, waits=False)[0] is Slow.CLIENT


def test_a_byte_is_a_sign_of_life_and_some_may_be_silent_for_ever() -> None:
    alive = any_byte(300, 0.0, 0)
    assert alive.spend(299.0, 1) == 300
    assert alive.spend(598.0, 2) == 300
    assert alive.spend(899.0, 2) == -1
    passage = Passage(any_byte(NEVER, 0.0, 0), Slow.ORIGIN, Allowance(60, 500, 0.0, 0), Slow.CLIENT)
    slow, at = passage.look(1e6, 0, 0, waits=False)
    assert (slow, at) == (None, 1e6 + 15)
