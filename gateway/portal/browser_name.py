"""What a browser calls itself, in words that its person knows: "Firefox, Windows". For the list of one's own sessions, and nothing else.

The names stand in the records and on pages only as far as they are in these two lists: nothing that a client sends comes through.
"""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 512
"""Browsers send less than 300; what lies beyond is not looked at."""

_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""In this order: almost every browser also calls itself those further down."""
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str | None) -> str | None:
    """`Firefox, Windows`, or as much of it as can be told; None when nothing can."""
    text = (user_agent or "")[:MAX_CHARACTERS]
    found = (next((name for mark, name in marks if mark in text), None) for marks in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in found if name is not None) or None
