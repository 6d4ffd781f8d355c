"""Whether one path pattern takes every path that another one takes: then the later operation can never be reached."""

from __future__ import annotations


def covers(wide: str, narrow: str) -> bool:
    """Whether every canonical path that `narrow` matches is matched by `wide` (`decision.paths`; both are valid there)."""
    if wide == "/**":
        return True
    return _covers(wide.split("/")[1:], narrow.split("/")[1:])


def _covers(wide: list[str], narrow: list[str]) -> bool:
    for position, segment in enumerate(wide):
        if segment == "**":
            return True
        if position == len(narrow) or narrow[position] == "**":
            return False
        if _any(segment):
            if narrow[position] == "":
                return False
        elif segment != narrow[position]:
            return False
    return len(wide) == len(narrow)


def _any(segment: str) -> bool:
    return segment == "*" or segment.startswith("{")
