"""The numbers of persons and institutions (DOMAIN section 2), checked more strictly than by their check digits alone."""

from __future__ import annotations

import calendar
import re
from typing import Final

from stdnum.be import nn, ssn, vat
from stdnum.exceptions import ValidationError

from gateway.errors import GatewayError

_INSZ_SHAPE: Final = re.compile(r"[0-9]{11}|[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}")
_KBO_SHAPE: Final = re.compile(r"[0-9]{10}|[0-9]{4}\.[0-9]{3}\.[0-9]{3}")
_BIS_MONTH: Final = 20
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


def is_bis(insz: str) -> bool:
    """Whether a number that `check_insz` gave is a bis number: its month is raised by 20 or 40 (DOMAIN section 2)."""
    return int(insz[2:4]) >= _BIS_MONTH


def check_kbo(text: str) -> str:
    """The 10 digits of a KBO number, written `0403019261` or `0403.019.261`. Raises IdentifierError."""
    if not _KBO_SHAPE.fullmatch(text):
        raise IdentifierError("a KBO number has 10 digits, written 0xxxxxxxxx or 0xxx.xxx.xxx")
    try:
        return str(vat.validate(text))
    except ValidationError:
        raise IdentifierError("the first or the check digits of this KBO number are wrong") from None


INSZ_MASK: Final = "{insz}"
_DIGIT: Final = r"(?:[0-9]|%3[0-9])"
_FORM_OF_INSZ: Final = re.compile(
    rf"(?<![0-9])(?:{_DIGIT}{{2}}\.?){{2}}{_DIGIT}{{2}}(?:\.|-|%2[dD])?{_DIGIT}{{3}}\.?{_DIGIT}{{2}}(?![0-9])"
)
_MAY_BE_INSZ: Final = re.compile(r"[0-9%][0-9.%Dd-]{10}")
"""A quick look, for the many paths without one."""


def mask_insz(path: str, subject: str | None = None) -> str:
    """The path with everything in it that has the form of an INSZ (DOMAIN section 2) masked, whatever its check digits: a mistyped
    one still points to a person.

    `subject` is what stands where the transaction's template names the data subject; that segment is masked in any form.
    """
    if subject is not None:
        path = "/".join([INSZ_MASK if segment == subject else segment for segment in path.split("/")])
    return path if _MAY_BE_INSZ.search(path) is None else _FORM_OF_INSZ.sub(INSZ_MASK, path)
