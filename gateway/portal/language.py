"""Which of the four languages a page speaks: the person's own choice, else the browser's, else the default."""

from __future__ import annotations

import re
from typing import Final

from gateway.model import LANGUAGES, Language

LANGUAGE_COOKIE: Final = "__Host-gw-language"
NAMES: Final[dict[Language, str]] = {"nl": "Nederlands", "fr": "Français", "de": "Deutsch", "en": "English"}
"""Each language by its own name."""
MAX_ACCEPT_LANGUAGE_CHARACTERS: Final = 512
"""Browsers send less than 100; what lies beyond is not looked at."""

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[qQ]\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?\Z"
)
"""A language range with its weight (RFC 9110 section 12.5.4); the primary subtag alone is compared."""


def known(text: str | None) -> Language | None:
    """`text` as one of the four languages, or None."""
    return text if text in LANGUAGES else None


def choose(accept_language: str | None, cookie: str | None, default: Language) -> Language:
    """The language for a page. `cookie` is the value of `LANGUAGE_COOKIE`, the person's own choice; hostile values are passed over."""
    return known(cookie) or _accepted(accept_language) or default


def _accepted(field: str | None) -> Language | None:
    best: Language | None = None
    best_weight = 0.0
    for part in (field or "")[:MAX_ACCEPT_LANGUAGE_CHARACTERS].split(","):
        match = _RANGE.match(part)
        if match is None:
            continue
        language = known(match[1].lower())
        weight = float(match[2] or 1)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best
