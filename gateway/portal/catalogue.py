"""The catalogues: every text of a page in the four languages (gettext), and dates as each language writes them.

English is the source. After a change of texts or translations, from the repository's root (tests say when it is due):

    pybabel extract -F gateway/portal/locale/babel.ini -k N_ --no-location -o build/messages.pot .
    pybabel update -i build/messages.pot -d gateway/portal/locale --no-fuzzy-matching --no-wrap --ignore-obsolete
    pybabel compile -d gateway/portal/locale
"""

from __future__ import annotations

import datetime as dt
import gettext
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time, get_day_names
from babel.numbers import format_decimal

from gateway.model import BRUSSELS, FOR_EVER, Language

LOCALE_DIRECTORY: Final = Path(__file__).with_name("locale")
_TERRITORY: Final = "BE"
_LAST_MOMENT: Final = dt.datetime(9999, 12, 30, tzinfo=dt.UTC).timestamp()


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for a text that is translated where it is used
    """Marks `text` for the catalogues."""
    return text


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """The catalogue of a language. A missing one stops the start (`FileNotFoundError`): no page is half translated."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("messages", LOCALE_DIRECTORY, [language])


@cache
def _locale(language: Language) -> Locale:
    return Locale(language, _TERRITORY)


def translate(language: Language, text: str) -> str:
    return translations(language).gettext(text) if text else ""


def number(language: Language, value: float) -> str:
    """A number as the language writes it, with one decimal at most: 10, 2.5."""
    return format_decimal(round(value, 1), locale=_locale(language))


def _brussels(moment: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(min(moment, _LAST_MOMENT), BRUSSELS)


def day(language: Language, moment: float) -> str:
    """The day in Europe/Brussels of `moment` (Unix seconds), written out: 24 November 2026."""
    return format_date(_brussels(moment), "long", locale=_locale(language))


def last_day(language: Language, end: float) -> str | None:
    """The last day of a validity that ends at `end` (exclusive); None when it has no end."""
    return None if end == FOR_EVER else day(language, end - 1)


def weekdays(language: Language, days: Iterable[int]) -> str:
    """Days of the week (Monday 0), in their order and as the language writes them."""
    names = get_day_names("wide", locale=_locale(language))
    return ", ".join(names[day] for day in sorted(days))


def clock_time(language: Language, moment: float) -> str:
    """The time of day in Europe/Brussels: 14:30."""
    return format_time(_brussels(moment), "HH:mm", locale=_locale(language))


def day_and_time(language: Language, moment: float) -> str:
    """24 November 2026, 14:30:05."""
    instant = _brussels(moment)
    return f"{format_date(instant, 'long', locale=_locale(language))}, {format_time(instant, 'HH:mm:ss', locale=_locale(language))}"
