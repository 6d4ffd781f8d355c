"""The flood rule, as dialogues: what gets a line of its own, and what is counted."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import flood
from gateway.ledger.flood import Flood, Tally
from gateway.ledger.pseudonym import Network

ONE: Network = ip_network("192.0.2.0/24")
OTHER: Network = ip_network("2001:db8::/48")


def test_a_person_who_is_refused_now_and_then_has_lines() -> None:
    rule = Flood(rate=3)
    for second in range(10):
        for number in range(3):
            assert rule.count(ONE, "sign_in_required", f"R{number}", second + number / 10) is None
        assert rule.due(second + 1.0) == []


def test_above_the_rate_one_counted_line_a_second() -> None:
    rule = Flood(rate=2)
    shown = [rule.count(ONE, "machine_client", f"R{number}", number / 10) for number in range(6)]
    assert shown == [None, None, "R2", "R2", "R2", "R2"]
    (tally,) = rule.due(1.0)
    assert (tally.network, tally.reference, tally.reasons) == (ONE, "R2", {"machine_client": 4})
    assert (tally.since, tally.until) == (0.2, 0.5)
    # Still flooding: now every refusal is counted, from the first one on.
    shown = [rule.count(ONE, "plain_http", f"S{number}", 1.1 + number / 10) for number in range(4)]
    assert shown == ["S0"] * 4
    (tally,) = rule.due(2.0)
    assert (tally.reference, tally.reasons.total()) == ("S0", 4)
    # A second below the rate ends it, and is still one counted line.
    assert rule.count(ONE, "plain_http", "T0", 2.5) == "T0"
    (tally,) = rule.due(3.0)
    assert tally.reasons.total() == 1
    assert rule.count(ONE, "plain_http", "U0", 3.5) is None


def test_a_second_without_any_ends_it_without_a_line() -> None:
    rule = Flood(rate=1)
    for number in range(3):
        rule.count(ONE, "x", f"R{number}", 0.0)
    assert len(rule.due(1.0)) == 1
    assert rule.due(2.0) == []
    assert rule.count(ONE, "x", "S", 2.5) is None


def test_one_networks_flood_leaves_others_alone() -> None:
    rule = Flood(rate=1)
    for number in range(100):
        rule.count(ONE, "x", f"R{number}", 0.0)
    assert rule.count(OTHER, "x", "S", 0.0) is None


def test_networks_beyond_the_limit_share_one_place(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(flood, "MAX_NETWORKS", 2)
    rule = Flood(rate=1)
    networks: list[Network] = [ip_network(f"10.0.{number}.0/24") for number in range(10)]
    shown = [rule.count(network, "x", f"R{number}", 0.0) for number, network in enumerate(networks)]
    assert shown == [None, None, None] + ["R3"] * 7
    (tally,) = rule.due(1.0)
    assert (tally.network, tally.reasons.total()) == (None, 7)


def test_a_clock_that_is_set_back_does_not_hold_the_tally() -> None:
    rule = Flood(rate=1)
    for number in range(3):
        rule.count(ONE, "x", f"R{number}", 1000.0)
    assert len(rule.due(10.0)) == 1


def test_the_rest_is_told_at_the_end() -> None:
    rule = Flood(rate=1)
    for number in range(3):
        rule.count(ONE, "x", f"R{number}", 0.0)
    rule.count(OTHER, "x", "S", 0.0)
    assert [tally.reasons.total() for tally in rule.rest()] == [2]
    assert rule.rest() == []


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.sampled_from(["a", "b"]), st.floats(0, 0.3)), max_size=80),
)
def test_every_refusal_is_a_line_or_counted_once(rate: int, comes: list[tuple[Network, str, float]]) -> None:
    rule = Flood(rate)
    now, own, tallies = 0.0, 0, list[Tally]()
    told: set[str] = set()
    for number, (network, reason, later) in enumerate(comes):
        now += later
        tallies += rule.due(now)
        shown = rule.count(network, reason, f"R{number}", now)
        own += shown is None
        told |= set() if shown is None else {shown}
    tallies += rule.due(now + 1.0) + rule.rest()
    assert own + sum(tally.reasons.total() for tally in tallies) == len(comes)
    assert told == {tally.reference for tally in tallies}, "every shown reference finds a line"
