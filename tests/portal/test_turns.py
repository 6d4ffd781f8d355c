from __future__ import annotations

import pytest

from gateway.portal import turns
from gateway.portal.turns import LONGEST_WAIT_SECONDS, REFUSALS_A_SECOND, Pace, Turns


def test_networks_take_turns_and_each_is_served_in_order() -> None:
    waiting: Turns[str] = Turns()
    for word in ("a1", "a2", "a3", "b1", "c1", "c2"):
        waiting.put(word[0], word)
    taken = [waiting.take(lambda _: True) for _ in range(6)]
    assert [each[1] for each in taken if each is not None] == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert waiting.take(lambda _: True) is None


def test_who_may_not_begin_is_passed_over_and_keeps_the_turn() -> None:
    waiting: Turns[str] = Turns()
    for word in ("a1", "b1", "b2"):
        waiting.put(word[0], word)
    assert waiting.take(lambda network: network != "a") == ("b", "b1")
    assert waiting.take(lambda _: False) is None
    assert waiting.take(lambda _: True) == ("a", "a1")


def test_the_first_refusal_comes_at_once_and_a_flood_of_them_at_the_pace() -> None:
    pace, now = Pace(), 0.0
    waits = [pace.wait("flood", now) for _ in range(60)]
    assert waits[0] == 0.0
    assert waits[-1] == pytest.approx(59 / REFUSALS_A_SECOND)
    assert pace.wait("elsewhere", now) == 0.0
    assert pace.wait("flood", now + 60) == 0.0


def test_who_asks_again_as_soon_as_they_are_answered_gets_no_more_than_the_pace() -> None:
    pace, due = Pace(), [0.0] * 60  # as many connections
    for _ in range(int(100 * REFUSALS_A_SECOND) + 60):
        now = min(due)
        due[due.index(now)] = now + pace.wait("flood", now)
    assert min(due) >= 99.0


def test_no_refusal_waits_longer_than_a_browser() -> None:
    pace = Pace()
    waits = [pace.wait("flood", 0.0) for _ in range(3000)]
    assert max(waits) == LONGEST_WAIT_SECONDS
    assert pace.wait("flood", LONGEST_WAIT_SECONDS + 1) == 0.0


def test_the_memory_of_networks_is_bounded() -> None:
    pace = Pace()
    for n in range(turns.MAX_NETWORKS + 100):
        pace.wait(f"network {n}", 0.0)
    assert len(pace._due) <= turns.MAX_NETWORKS + 1
    # Those beyond share one pace; when the others' time is over, there is room again.
    assert pace.wait("one more", 0.0) > 0.0
    assert pace.wait("one more", 60.0) == 0.0
    assert len(pace._due) == 1
