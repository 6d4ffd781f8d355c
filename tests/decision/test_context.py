"""Networks, hours and days, against an independent reading of the calendar."""

from __future__ import annotations

import datetime as dt
import math
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision.context import clock, network_of, outside, turns
from gateway.model import Context
from tests.decision import oracle
from tests.decision.test_until import CONTEXTS
from tests.decision.world import NOW

YEAR_2000, YEAR_2090 = 946_684_800, 3_786_912_000
HOLIDAYS = frozenset({dt.date(2026, 7, 21), dt.date(2026, 12, 25)})
OFFICE = Context((ip_network("192.0.2.0/24"),), (420, 1140), frozenset(range(5)), True)


@given(CONTEXTS, st.floats(YEAR_2000, YEAR_2090))
def test_it_is_the_clock_on_the_wall_in_brussels(context: Context, now: float) -> None:
    year, month, day, weekday, minute = oracle.brussels(now)
    assert ("hours" in outside(context, "", now, HOLIDAYS)) is (
        context.hours is not None and minute not in range(*context.hours)
    )
    free = context.working and dt.date(year, month, day) in HOLIDAYS
    assert ("days" in outside(context, "", now, HOLIDAYS)) is (
        context.days is not None and (weekday not in context.days or free)
    )


@pytest.mark.parametrize(("address", "moment", "missed"), [
    ("192.0.2.9", (2026, 6, 15, 10, 0), ()),
    ("198.51.100.9", (2026, 6, 15, 10, 0), ("networks",)),
    ("192.0.2.9", (2026, 6, 15, 6, 59), ("hours",)),
    ("192.0.2.9", (2026, 6, 15, 19, 0), ("hours",)),
    ("192.0.2.9", (2026, 6, 14, 10, 0), ("days",)),
    ("192.0.2.9", (2026, 7, 21, 10, 0), ("days",)),
    ("2001:db8::9", (2026, 12, 25, 23, 0), ("networks", "hours", "days")),
])  # fmt: skip
def test_everything_that_does_not_hold_is_told(
    address: str, moment: tuple[int, int, int, int, int], missed: tuple[str, ...]
) -> None:
    now = dt.datetime(*moment, tzinfo=dt.timezone(dt.timedelta(hours=1 if moment[1] == 12 else 2))).timestamp()
    assert outside(OFFICE, address, now, HOLIDAYS) == missed


@pytest.mark.parametrize("now", [-1.0, math.nan, math.inf, -math.inf, 1e300])
def test_a_moment_that_no_calendar_knows_is_outside(now: float) -> None:
    assert outside(OFFICE, "192.0.2.9", now, ()) == ("hours", "days")


def test_a_context_that_names_nothing_is_everywhere_and_always() -> None:
    assert outside(Context(), "", math.nan, ()) == ()
    assert list(turns(Context(), NOW)) == []


@pytest.mark.parametrize("address", ["", "x", "192.0.2.9 ", "fe80::1%eth0", "192.0.2.0/24"])
def test_an_address_that_is_none_is_in_no_network(address: str) -> None:
    assert network_of(address, (ip_network("192.0.2.0/24"), ip_network("::/1"))) is None


def test_the_first_of_the_networks_is_told() -> None:
    wide, narrow = ip_network("192.0.0.0/16"), ip_network("192.0.2.0/24")
    assert network_of("192.0.2.9", (wide, narrow)) == wide
    assert network_of("::ffff:192.0.2.9", (narrow, wide)) == narrow


@given(CONTEXTS, st.floats(YEAR_2000, YEAR_2090))
def test_the_next_turn_lies_ahead_and_within_the_hour(context: Context, now: float) -> None:
    assert all(now < moment <= now + 3600 for moment in turns(context, now))


def test_a_clock_shows_minutes() -> None:
    assert [clock(minutes) for minutes in (0, 425, 1140, 1440)] == ["00:00", "07:05", "19:00", "24:00"]
