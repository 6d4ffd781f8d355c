"""What an administrator may choose within an authorisation, and what is said when they choose more: nothing outside it, nothing longer, no use
that it does not name (clauses P1, P2, P4). Pure; the acts on the records check the same once more."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.model import BRUSSELS, FOR_EVER, Authorisation, Use, Validity

_DAY: Final = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"|(?P<day_>[0-9]{1,2})[./-](?P<month_>[0-9]{1,2})[./-](?P<year_>[0-9]{4})",
    re.ASCII,
)


class Terms(NamedTuple):
    """What somebody is designated for, and how long."""

    uses: frozenset[Use]
    validity: Validity


class TooWide(NamedTuple):
    """A choice that cannot be: in which field (`uses`, `from`, `until`, `authorisation`), and by which rule."""

    field: str
    code: str


def read_day(text: str) -> dt.date | None:
    """A day as a form sends it (2026-11-28) or a spreadsheet in Belgium writes it (28/11/2026); None for an empty text. Raises ValueError."""
    if not text:
        return None
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError("no day")
    year, month, day = (found[name] or found[f"{name}_"] for name in ("year", "month", "day"))
    return dt.date(int(year), int(month), int(day))


def day_of(moment: float) -> dt.date:
    """The day in Brussels of a moment, Unix seconds."""
    return dt.datetime.fromtimestamp(moment, BRUSSELS).date()


def last_day_of(validity: Validity) -> dt.date | None:
    """The last day on which it holds; None when it has no end."""
    return None if validity.end == FOR_EVER else day_of(validity.end - 1)


def read_days(first: str, last: str, now: float) -> tuple[Validity | None, list[TooWide]]:
    """From when to when, as two fields say it: nothing is begun in the past, and the last day is included. Without a first day, from now."""
    faults: list[TooWide] = []
    days: dict[str, dt.date | None] = {}
    for name, text in (("from", first), ("until", last)):
        try:
            days[name] = read_day(text)
        except ValueError:
            faults.append(TooWide(name, "no_day"))
    if faults:
        return None, faults
    begins, ends, today = days["from"], days["until"], day_of(now)
    if begins is not None and begins < today:
        faults.append(TooWide("from", "past"))
    if ends is not None and ends < (begins or today):
        faults.append(TooWide("until", "ends_before"))
    start = now if begins is None or begins == today else Validity.of_days(begins, None).start
    end = FOR_EVER if ends is None else Validity.of_days(ends, ends).end
    return (None, faults) if faults else (Validity(start, end), [])


def designation_terms(
    authorisation: Authorisation, uses: Iterable[str], first: str, last: str, now: float
) -> tuple[Terms | None, list[TooWide]]:
    """The terms as fields of a form or a file give them; else everything that is wrong with them. Without a first day it begins now, or when
    the authorisation does; without a last day it ends with the authorisation."""
    limits, words = authorisation.validity, frozenset(uses)
    if authorisation.status == "revoked" or limits.end <= now:
        return None, [TooWide("authorisation", "over")]
    faults: list[TooWide] = []
    if not words:
        faults.append(TooWide("uses", "no_use"))
    elif not words <= {grant.use.value for grant in authorisation.uses}:
        faults.append(TooWide("uses", "use_not_granted"))
    wanted, wrong = read_days(first, last, now)
    faults += wrong
    if wanted is None:
        return None, faults
    start = max(now, limits.start) if not first else wanted.start
    end = limits.end if wanted.end == FOR_EVER else wanted.end
    if start < limits.start:
        faults.append(TooWide("from", "before_authorisation"))
    if end > limits.end:
        faults.append(TooWide("until", "beyond_authorisation"))
    if not faults and start >= end:
        faults.append(TooWide("until", "ends_before"))
    return (None, faults) if faults else (Terms(frozenset(map(Use, words)), Validity(start, end)), [])
