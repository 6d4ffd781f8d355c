"""Who is counted, and that nobody is remembered of whom nothing is open."""

from __future__ import annotations

import resource

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.admission import DESCRIPTORS_EACH, DESCRIPTORS_KEPT, Admission, Networks, Seat, room_for
from gateway.policy.sections import Connections


def admission(total: int = 100, **limits: object) -> Admission:
    return Admission(Connections.model_validate(limits), total)


def test_places_in_all() -> None:
    it = admission(2)
    first, second = it.enter(), it.enter()
    assert first is not None
    assert second is not None
    assert it.enter() is None
    first.leave()
    first.leave()  # whoever notices first; the other changes nothing
    assert it.open == 1
    assert it.enter() is not None
    assert it.enter() is None


@pytest.mark.parametrize(
    ("addresses", "networks"),
    [
        (["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"], 1),
        (["192.0.2.1", "192.0.2.2"], 2),
        (["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:8000::"], 1),
        (["2001:db8::1", "2001:db8:0:1::1"], 2),
        (["fe80::1%eth0", "fe80::2%eth1"], 1),
        (["198.51.100.1", "198.51.100.200", "203.0.113.1"], 2),
        (["2001:db9::1", "2001:db9:ffff::1"], 1),
        (["0.0.0.1", "::1"], 2),
    ],
)
def test_what_one_network_is(addresses: list[str], networks: int) -> None:
    it = admission(large_networks=["198.51.100.0/24", "2001:db9::/32", "203.0.113.0/25", "10.0.0.0/8"])
    seats = []
    for address in addresses:
        seat = it.enter()
        assert seat is not None
        assert seat.claim(address)
        seats.append(seat)
    assert it.networks == networks
    for seat in seats:
        seat.leave()
    assert (it.open, it.networks) == (0, 0)


def test_a_seat_that_was_left_claims_nothing() -> None:
    it = admission()
    seat = it.enter()
    assert seat is not None
    seat.leave()
    assert not seat.claim("192.0.2.1")
    assert (it.open, it.networks) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_counts_come_back_to_nothing(acts: list[tuple[int, bool]]) -> None:
    it = admission(20, per_network=4)
    seats: list[Seat] = []
    for number, enter in acts:
        if enter or not seats:
            seat = it.enter()
            if seat is None:
                assert it.open == 20
            elif seat.claim(f"192.0.2.{number}"):
                seats.append(seat)
            else:
                seat.leave()
        else:
            seats.pop(number % len(seats)).leave()
        assert it.open == len(seats)
        assert it.networks <= 4
    for seat in seats:
        seat.leave()
    assert (it.open, it.networks) == (0, 0)


def test_networks() -> None:
    some = Networks(Connections.model_validate({"large_networks": ["127.0.0.0/8", "2001:db8::/32"]}).large_networks)
    assert "127.1.2.3" in some
    assert "2001:db8::1%eth0" in some
    assert "192.0.2.1" not in some
    assert some
    assert not Networks(())


def test_descriptors_are_raised_as_far_as_they_go() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert room_for(1000) == 1000
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1000 * DESCRIPTORS_EACH + DESCRIPTORS_KEPT
        with structlog.testing.capture_logs() as logs:
            room = room_for(hard)
        assert room == (hard - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH
        assert [(entry["event"], entry["total"]) for entry in logs] == [("fewer_connections", room)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
