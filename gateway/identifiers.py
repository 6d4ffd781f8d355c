"""The numbers of persons and institutions (DOMAIN section 2), checked more strictly than by their check digits alone."""

from __future__ import annotations

import calendar
import re

from stdnum.be import nn, ssn, vat
from stdnum.exceptions import ValidationError

from gateway.errors import GatewayError

_INSZ_SHAPE = re.compile(r"[0-9]{11}|[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}")
_KBO_SHAPE = re.compile(r"[0-9]{10}|[0-9]{4}\.[0-9]{3}\.[0-9]{3}")
_FIRST_COUNTER, _LAST_COUNTER = 1, 998


class IdentifierError(GatewayError):
    """A number that is not what it says it is. The message says why and never repeats the number: it may be a person's."""


def check_insz(text: str) -> str:
    """The 11 digits of a national or bis number, written `YYMMDDSSSCC` or `YY.MM.DD-SSS.CC`.

    Besides the check digits: a counter from 001 to 998, and no day that the calendar lacks, unless month or day is 00 (unknown,
    or the counters of that month ran out; then the day may exceed 31).

    Raises IdentifierError.
    """
    if not _INSZ_SHAPE.fullmatch(text):
        raise IdentifierError("an INSZ has 11 digits, written YYMMDDSSSCC or YY.MM.DD-SSS.CC")
    try:
        digits = str(ssn.validate(text))
        year = nn.get_birth_year(digits)
    except ValidationError:
        raise IdentifierError("the check digits or the date of birth of this INSZ are wrong") from None
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    if month and day and day > calendar.monthrange(year or 2000, month)[1]:
        raise IdentifierError("this INSZ holds a day that the calendar does not have")
    if not _FIRST_COUNTER <= int(digits[6:9]) <= _LAST_COUNTER:
        raise IdentifierError("the counter of this INSZ is not between 001 and 998")
    return digits


def check_kbo(text: str) -> str:
    """The 10 digits of a KBO number, written `0403019261` or `0403.019.261`. Raises IdentifierError."""
    if not _KBO_SHAPE.fullmatch(text):
        raise IdentifierError("a KBO number has 10 digits, written 0xxxxxxxxx or 0xxx.xxx.xxx")
    try:
        return str(vat.validate(text))
    except ValidationError:
        raise IdentifierError("the first or the check digits of this KBO number are wrong") from None


INSZ_MASK = "{insz}"
_MAYBE_INSZ = re.compile(r"(?<![0-9])(?:[0-9]{11}|[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2})(?![0-9])")


def mask_insz_in_path(path: str, subject: str | None = None) -> str:
    """`path` with every INSZ in it replaced by `{insz}`, for a log or a page.

    `subject` is the segment that the transaction's template names: it is masked even where it is no valid number, since a
    mistyped one still points to a person.
    """
    if subject:
        path = "/".join(INSZ_MASK if segment == subject else segment for segment in path.split("/"))
    return _MAYBE_INSZ.sub(_mask, path)


def _mask(found: re.Match[str]) -> str:
    try:
        check_insz(found[0])
    except IdentifierError:
        return found[0]
    return INSZ_MASK
