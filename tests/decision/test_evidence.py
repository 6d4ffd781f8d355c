"""What the signals come to: points, fading, modes, and what an authentication answers."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision.evidence import (
    DEFAULT_RULES,
    MIN_POINTS,
    ClientEvidence,
    Mode,
    Rule,
    Rules,
    Signal,
    assess,
    steady,
)

NOW = 1_795_521_600.0
A, B = Signal.NO_FETCH_METADATA, Signal.NO_ACCEPT_LANGUAGE


def rules(a: Mode = Mode.ENFORCE, b: Mode = Mode.REPORT, moved: Mode = Mode.ENFORCE) -> Rules:
    return Rules({**DEFAULT_RULES, A: Rule(80.0, 600.0, a), B: Rule(50.0, 600.0, b)}, answered=900.0, moved=moved)


def test_nothing_seen_is_nothing_to_tell() -> None:
    assert assess({}, Rules(), moved=False, since=NOW, now=NOW) is None


@pytest.mark.parametrize(
    ("age", "points"), [(0.0, 80.0), (600.0, 40.0), (1200.0, 20.0), (300.0, 56.6), (3600.0, 1.2), (-60.0, 80.0)]
)
def test_points_fade_by_half_life(age: float, points: float) -> None:
    found = assess({A: NOW - age}, rules(), moved=False, since=0.0, now=NOW)
    assert found == ClientEvidence(points, ((A, points),))


def test_what_has_faded_is_forgotten() -> None:
    assert assess({A: NOW - 4200.0}, rules(), moved=False, since=0.0, now=NOW) is None


def test_modes() -> None:
    seen = {A: NOW, B: NOW}
    assert assess(seen, rules(), moved=False, since=0.0, now=NOW) == ClientEvidence(80.0, ((A, 80.0),), ((B, 50.0),))
    assert assess(seen, rules(b=Mode.ENFORCE), moved=False, since=0.0, now=NOW) == ClientEvidence(
        130.0, ((A, 80.0), (B, 50.0))
    )
    assert assess(seen, rules(Mode.REPORT), moved=False, since=0.0, now=NOW) == ClientEvidence(
        0.0, (), ((A, 80.0), (B, 50.0))
    )
    assert assess(seen, rules(Mode.OFF, Mode.OFF), moved=False, since=0.0, now=NOW) is None


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        (Mode.ENFORCE, ClientEvidence(moved=True)),
        (Mode.REPORT, ClientEvidence(moved_reported=True)),
        (Mode.OFF, None),
    ],
)
def test_a_session_that_moved(mode: Mode, found: ClientEvidence | None) -> None:
    assert assess({}, rules(moved=mode), moved=True, since=0.0, now=NOW) == found


@pytest.mark.parametrize(("age", "answered"), [(0.0, True), (899.9, True), (900.0, False), (-1.0, False)])
def test_an_authentication_answers_all_doubt_for_a_while(age: float, answered: bool) -> None:
    """One in the future answers nothing: a clock was moved."""
    found = assess({A: NOW}, rules(), moved=False, since=NOW - age, now=NOW)
    assert found is not None
    assert (found.score, found.answered) == (80.0, answered)


signals = st.dictionaries(st.sampled_from(Signal), st.floats(NOW - 1e6, NOW + 1e6))
modes = st.fixed_dictionaries(
    {signal: st.builds(Rule, st.floats(0, 1e4), st.floats(1, 86400), st.sampled_from(Mode)) for signal in Signal}
)


@given(signals, modes, st.booleans(), st.floats(NOW - 1e6, NOW + 1e6))
def test_properties(seen: dict[Signal, float], signals: dict[Signal, Rule], moved: bool, since: float) -> None:
    given_rules = Rules(signals)
    found = assess(seen, given_rules, moved=moved, since=since, now=NOW)
    assert found == assess(seen, given_rules, moved=moved, since=since, now=NOW)  # nothing but its arguments
    if found is None:
        return
    assert found.score == pytest.approx(sum(points for _, points in found.parts), abs=0.05 * len(seen) + 0.05)
    assert all(signals[signal].mode is Mode.ENFORCE for signal, _ in found.parts)
    assert all(signals[signal].mode is Mode.REPORT for signal, _ in found.reported)
    for signal, points in found.parts + found.reported:
        assert MIN_POINTS <= points <= round(signals[signal].weight, 1)
    later = assess(seen, given_rules, moved=moved, since=since, now=NOW + 60)
    assert later is None or later.score <= found.score or max(seen.values()) > NOW


# --- cadence -----------------------------------------------------------------------------------------------------------------


def moments(intervals: list[float]) -> list[float]:
    return [NOW, *itertools.accumulate(intervals, initial=NOW)][1:]


def test_a_timer_is_steady() -> None:
    assert steady(moments([30.0] * 20))


def test_a_timer_with_jitter_is_steady() -> None:
    chance = random.Random(1)
    assert all(steady(moments([chance.uniform(27, 33) for _ in range(20)])) for _ in range(200))


def test_a_person_is_not() -> None:
    """Reading times are spread log-normally; how widely differs among persons (simulated, as in CLIENTS)."""
    chance = random.Random(2)
    for spread in (0.6, 0.8, 1.0, 1.2):
        assert not any(steady(moments([chance.lognormvariate(3, spread) for _ in range(20)])) for _ in range(2000))


def test_too_few_navigations_tell_nothing() -> None:
    assert not steady(moments([30.0] * 19))


def test_tabs_that_a_browser_opens_again_are_no_timer() -> None:
    assert not steady(moments([0.05] * 20))
    assert not steady([NOW] * 21)
