"""Coarse timers: nobody is looked at too early, nor later than promised, nor for nothing."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.wheel import NEVER, SLOT_SECONDS, Wheel


class Item:
    def __init__(self, then: Callable[[float], float] = lambda now: NEVER) -> None:
        self.due = NEVER
        self.looked: list[float] = []
        self.dropped = False
        self.then = then

    def look(self, now: float) -> float:
        self.looked.append(now)
        return self.then(now)

    def drop(self) -> None:
        self.dropped = True


def wheel(told: list[Exception] | None = None) -> Wheel:
    return Wheel(([] if told is None else told).append)


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=20),
    st.lists(st.floats(0.01, 2.0), min_size=40, max_size=80),
)
def test_each_is_looked_at_at_its_moment_or_soon_after(moments: list[float], steps: list[float]) -> None:
    it, items = wheel(), [Item() for _ in moments]
    for item, at in zip(items, moments, strict=True):
        it.by(item, at)
    now, turns = 0.0, []
    for step in steps:
        now += step
        it.turn(now)
        turns.append(now)
    for item, at in zip(items, moments, strict=True):
        first = next((turn for turn in turns if turn >= at + SLOT_SECONDS), None)
        if item.looked:
            assert item.looked[0] >= at
            assert len(item.looked) == 1
            assert first is None or item.looked[0] <= first
        else:
            assert first is None
    assert len(it) == sum(not item.looked for item in items)


def test_what_was_put_off_is_not_moved_but_asked() -> None:
    it = wheel()
    item = Item(lambda now: 60.0 if now < 60 else NEVER)
    it.by(item, 10.0)
    it.by(item, 60.0)
    assert it.turn(9.0) == 0
    assert it.turn(10.5) == 1
    assert it.turn(59.0) == 0
    assert it.turn(61.0) == 1
    assert it.turn(1000.0) == 0
    assert len(it) == 0


def test_what_is_due_earlier_is_moved_and_looked_at_once() -> None:
    it, item = wheel(), Item()
    it.by(item, 75.0)
    it.by(item, 15.0)
    assert len(it) == 1
    it.turn(15.3)
    assert item.looked == [15.3]
    it.turn(100.0)
    assert item.looked == [15.3]


def test_ten_thousand_idle_ones_cost_a_look_each_in_their_time() -> None:
    """Counted, not timed: 75 seconds of four turns each look at each of them once."""
    it = wheel()
    items = [Item(lambda now: now + 75.0) for _ in range(10_000)]
    for number, item in enumerate(items):
        it.by(item, 75.0 * number / len(items))
    looked = sum(it.turn(turn / 4) for turn in range(1, 301))
    assert 9_900 <= looked <= 10_000
    assert len(it) == 10_000


def test_who_is_gone_is_not_looked_at_and_leaves_nothing() -> None:
    it, gone, stays = wheel(), Item(), Item()
    it.by(gone, 1.0)
    it.by(stays, 1.0)
    it.forget(gone)
    it.forget(gone)
    assert (it.turn(2.0), gone.looked, len(it)) == (1, [], 0)


def test_one_that_ends_another_in_the_same_bucket() -> None:
    it = wheel()
    second = Item()
    first = Item(lambda now: it.forget(second) or NEVER)
    it.by(first, 1.0)
    it.by(second, 1.0)
    assert it.turn(2.0) == 1
    assert second.looked == []


def test_what_asks_for_a_moment_that_is_past_comes_in_a_later_turn() -> None:
    it, item = wheel(), Item(lambda now: now - 5)
    it.by(item, 1.0)
    assert it.turn(2.0) == 1
    assert it.turn(2.0) == 0
    assert it.turn(2.0 + SLOT_SECONDS) == 1


def test_a_fault_ends_one_and_is_told() -> None:
    told: list[Exception] = []
    it = wheel(told)

    def fault(now: float) -> float:
        raise RuntimeError("a fault of ours")

    faulty, good = Item(fault), Item()
    it.by(faulty, 1.0)
    it.by(good, 1.0)
    it.turn(2.0)
    assert (faulty.dropped, good.dropped, len(told)) == (True, False, 1)
    assert good.looked == [2.0]


def test_a_clock_that_jumps_ahead_or_back_loses_nobody() -> None:
    it, soon, late = wheel(), Item(), Item()
    it.by(soon, 100.0)
    it.by(late, 1e9)
    it.turn(10.0)
    it.turn(5.0)
    it.turn(5e8)
    assert (len(soon.looked), late.looked) == (1, [])
    it.turn(2e9)
    assert len(late.looked) == 1


def test_a_clock_that_was_set_back_does_not_make_anybody_wait_until_it_is_there_again() -> None:
    it, item = wheel(), Item()
    it.turn(5_000.0)
    it.turn(1_000.0)
    it.by(item, 1_001.0)
    it.turn(1_001.0 + SLOT_SECONDS)
    assert item.looked == [1_001.0 + SLOT_SECONDS]
