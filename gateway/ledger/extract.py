"""What an institution's own readers, and the KSZ's, read of a ledger: its lines, newest first, and how many there are of each sort.

A plain scan, bounded in time. What is said of one institution rests on the member `institution` of each line, and on nothing else. To be
called in a thread: it rests between its pieces, so that requests are served meanwhile.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.ledger.line import MAX_LINE_BYTES, is_whole
from gateway.ledger.segments import Segment, between, find_segments

SCAN_SECONDS = 5.0
"""A longer one says that it is not whole: some 100,000 lines of one institution, or ten times as many of others."""
AFTER_ALL = "~"
"""Sorts behind every moment; after a day, behind the moments of that day."""
_KINDS = frozenset({"decision", "sign-in", "administration"})
"""Lines that name an institution."""
_REST_EVERY = 200
_REST_SECONDS = 0.0005

Line = Mapping[str, Any]


@dataclass(slots=True)
class Scan:
    """How a scan is going: `whole` becomes False when its time was over before its end."""

    until: float
    whole: bool = True

    @staticmethod
    def begun(seconds: float = SCAN_SECONDS) -> Scan:
        return Scan(time.monotonic() + seconds)

    def over(self) -> bool:
        if time.monotonic() < self.until:
            time.sleep(_REST_SECONDS)
            return False
        self.whole = False
        return True


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first; `more` when there are older ones."""

    lines: list[Line]
    more: bool


@dataclass(slots=True)
class Counts:
    """How many lines of decisions: by day (UTC) and verdict, and by institution, transaction and reason ("" where a line has none)."""

    days: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def newest_lines(
    directory: Path, institution: str, most: int, wanted: Callable[[Line], bool], since: str, before: str, scan: Scan
) -> Page:
    """The newest lines of an institution that are `wanted`, from `since` to before `before` (RFC 3339; "" and AFTER_ALL: without an end).
    Raises OSError."""
    lines = (line for line in _lines(directory, institution, since, before, scan) if wanted(line))
    found = heapq.nlargest(most + 1, lines, key=lambda line: (line["time"], line["stream"], line["n"]))
    return Page(found[:most], len(found) > most)


def count_lines(directory: Path, institution: str | None, since: str, scan: Scan) -> Counts:
    """Of decisions from `since` on; None: of all institutions. Raises OSError."""
    counts = Counts()
    for line in _lines(directory, institution, since, AFTER_ALL, scan):
        if line["kind"] == "decision":
            counts.days[line["time"][:10], str(line["verdict"])] += 1
            counts.reasons[line["institution"], str(line.get("transaction") or ""), str(line["reason"])] += 1
    return counts


def _lines(directory: Path, institution: str | None, since: str, before: str, scan: Scan) -> Iterator[Line]:
    segments = [segment for each in find_segments(directory).values() for segment in between(each, since, before)]
    needle = b'"institution":"' + (b"" if institution is None else institution.encode("ascii", "replace") + b'"')
    for segment in sorted(segments, key=_changed, reverse=True):
        if time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_changed(segment) + 1)) < since:
            return
        with segment.path.open("rb") as file:
            number = 0
            while piece := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if number % _REST_EVERY == 0 and scan.over():
                    return
                if needle not in piece or not piece.endswith(b"\n") or not is_whole(piece[:-1]):
                    continue
                line: dict[str, Any] = orjson.loads(piece)
                own = line.get("institution")
                theirs = type(own) is str and institution in (None, own)
                if line["kind"] in _KINDS and theirs and since <= line["time"] < before:
                    yield line


def _changed(segment: Segment) -> float:
    return segment.path.stat().st_mtime
