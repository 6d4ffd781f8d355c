"""Dates of the KSZ's word against the clock, and what a value knows of itself."""

from __future__ import annotations

import datetime as dt
import pickle
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import BRUSSELS, FOR_EVER, LANGUAGES, Authorisation, Means, Text, Use, UseGrant, Validity

UTC = dt.UTC
days = st.dates(dt.date(1995, 1, 1), dt.date(2100, 12, 31))


def utc(*parts: int) -> float:
    return dt.datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc]


@pytest.mark.parametrize(("first", "last", "start", "end"), [
    # Winter: Brussels is UTC+1. Summer: UTC+2.
    (dt.date(2026, 1, 1), dt.date(2026, 1, 1), utc(2025, 12, 31, 23), utc(2026, 1, 1, 23)),
    (dt.date(2026, 7, 1), dt.date(2026, 7, 1), utc(2026, 6, 30, 22), utc(2026, 7, 1, 22)),
    # The last Sunday of March has 23 hours, that of October 25.
    (dt.date(2026, 3, 29), dt.date(2026, 3, 29), utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
    (dt.date(2026, 10, 25), dt.date(2026, 10, 25), utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
    # Across both changes, a year, and a leap day.
    (dt.date(2026, 3, 28), dt.date(2026, 10, 26), utc(2026, 3, 27, 23), utc(2026, 10, 26, 23)),
    (dt.date(2026, 1, 1), dt.date(2027, 12, 31), utc(2025, 12, 31, 23), utc(2027, 12, 31, 23)),
    (dt.date(2028, 2, 29), dt.date(2028, 2, 29), utc(2028, 2, 28, 23), utc(2028, 2, 29, 23)),
])  # fmt: skip
def test_days_are_brussels_and_the_last_is_included(first: dt.date, last: dt.date, start: float, end: float) -> None:
    validity = Validity.of_days(first, last)
    assert validity == Validity(start, end)
    assert not validity.holds(start - 0.001)
    assert validity.holds(start)
    assert validity.holds(end - 0.001)
    assert not validity.holds(end)


@given(days, st.integers(0, 4000), st.integers(-200_000_000, 200_000_000))
def test_it_holds_when_the_calendar_of_brussels_says_so(first: dt.date, length: int, milliseconds: int) -> None:
    last = first + dt.timedelta(days=length)
    validity = Validity.of_days(first, last)
    for edge in (validity.start, validity.end):
        now = edge + milliseconds / 1000
        today = dt.datetime.fromtimestamp(now, ZoneInfo("Europe/Brussels")).date()
        assert validity.holds(now) is (first <= today <= last)


@given(days, st.integers(0, 400))
def test_days_that_follow_each_other_leave_no_gap_and_no_overlap(first: dt.date, length: int) -> None:
    last = first + dt.timedelta(days=length)
    assert Validity.of_days(first, last).end == Validity.of_days(last + dt.timedelta(days=1), None).start


def test_without_a_last_day_it_has_no_end() -> None:
    assert Validity.of_days(dt.date(2026, 1, 1), None).end == FOR_EVER
    assert Validity.of_days(dt.date(2026, 1, 1), dt.date.max).end == FOR_EVER
    assert Validity(0.0).holds(1e300)
    assert not Validity(0.0).holds(float("nan"))


def test_midnight_is_midnight_in_brussels() -> None:
    start = Validity.of_days(dt.date(2026, 6, 15), None).start
    assert dt.datetime.fromtimestamp(start, BRUSSELS).isoformat() == "2026-06-15T00:00:00+02:00"


def test_levels_of_means_are_those_of_the_policy_and_words_stay_words() -> None:
    assert {str(means): means.level for means in Means} == {"password": 1, "token": 2, "itsme": 3, "eid": 4}
    assert Means("eid") is Means.EID == "eid"
    assert pickle.loads(pickle.dumps(Means.TOKEN)) is Means.TOKEN
    with pytest.raises(ValueError, match="retina"):
        Means("retina")


def test_a_text_speaks_four_languages_and_english_to_others() -> None:
    text = Text("ja", "oui", "ja doch", "yes")
    assert [text.in_(language) for language in LANGUAGES] == ["ja", "oui", "ja doch", "yes"]
    assert text.in_("es") == text.in_("__class__") == "yes"


def test_an_authorisation_grants_each_use_apart() -> None:
    grant = UseGrant(Use.CONSULTATION, None, frozenset({Means.EID}), False, 60.0)
    authorisation = Authorisation("24/1", "t", "i", Validity(0.0), "active", None, (grant,))
    assert authorisation.grant_for(Use.CONSULTATION) is grant
    assert authorisation.grant_for(Use.COMMUNICATION) is None
