"""Replays a whole ledger: every decision's line by its own release, or by another one, and what differs, grouped.

Lines of all streams and of any age, read as they are; whether they are intact is for `gateway log verify`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.decision import Snapshot
from gateway.decision.replay import REMEMBERED, NotReplayable, Users, replay
from gateway.ledger.line import MAX_LINE_BYTES, is_whole
from gateway.ledger.segments import find_segments

EXAMPLES = 3
"""References of lines that are kept for each group."""
_DECISION = b'"kind":"decision"'
_RECORDS = b',"records":{'
_TAIL_BYTES = len(b',"crc":"00000000"}\n')


@dataclass(slots=True)
class Group:
    """Decisions that differ alike: how many, of how many persons (by pseudonym), and where to look."""

    count: int = 0
    persons: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        self.count += 1
        user = line.get("user")
        if user is not None:
            self.persons.add(user["user_id"])
        if len(self.examples) < EXAMPLES:
            self.examples.append(str(line.get("id")))


Key = tuple[str, str, str, str, str]
"""Institution, transaction, use (each "" where the line has none), the reason then, the reason now."""


@dataclass(slots=True)
class Report:
    """`decisions` are all that were read; the rest of them were `same`."""

    decisions: int = 0
    same: int = 0
    different: dict[Key, Group] = field(default_factory=dict)
    not_replayable: Counter[str] = field(default_factory=Counter)
    """By what was missing."""

    @property
    def differences(self) -> int:
        return sum(group.count for group in self.different.values())


Find = Callable[[str], Snapshot | None]
"""The release for a line, by the hash that stands in it; None when it is not to be had."""


def replay_lines(lines: Iterable[dict[str, Any]], find: Find) -> Report:
    """Decide every line again by the release that `find` gives."""
    report, users = Report(), Users()
    for line in lines:
        report.decisions += 1
        table = str(line.get("table"))
        snapshot = find(table)
        if snapshot is None:
            report.not_replayable[f"release {table or 'none'} is not kept"] += 1
            continue
        try:
            found = replay(line, snapshot, users)
        except NotReplayable as missing:
            report.not_replayable[str(missing)] += 1
            continue
        if found.same:
            report.same += 1
            continue
        operation = found.found.operation
        key = (
            str(line.get("institution") or ""),
            "" if found.found.located is None else found.found.located.transaction.id,
            str(line.get("use") or ("" if operation is None else operation.use)),
            found.then,
            found.now,
        )
        report.different.setdefault(key, Group()).add(line)
    return report


def decisions(directory: Path, since: str = "") -> Iterator[dict[str, Any]]:
    """The decisions' lines of a ledger, stream by stream, from `since` (RFC 3339, UTC) on. Raises `OSError`."""
    read = _Reader()
    for segments in find_segments(directory).values():
        for segment in segments:
            with segment.path.open("rb") as file:
                while piece := file.readline(MAX_LINE_BYTES + 1):
                    if _DECISION in piece and piece.endswith(b"\n") and is_whole(piece[:-1]):
                        line = read(piece)
                        if line["kind"] == "decision" and line["time"] >= since:
                            yield line


class _Reader:
    """Reads lines. A person's records stand alike in many of them, as their last member: the same bytes are read once, and are the very same
    object in each line, which `Users` knows again.
    """

    def __init__(self) -> None:
        self._read: dict[bytes, Any] = {}

    def __call__(self, piece: bytes) -> dict[str, Any]:
        """The line in `piece`, which is whole."""
        line: dict[str, Any]
        at = piece.rfind(_RECORDS)
        if at >= 0:
            told = piece[at + len(_RECORDS) - 1 : -_TAIL_BYTES]
            try:
                line = orjson.loads(piece[:at] + b"}")
                records = self._read.get(told)
                if records is None:
                    if len(self._read) >= REMEMBERED:
                        self._read.clear()
                    records = self._read[told] = orjson.loads(told)
            except orjson.JSONDecodeError:
                pass  # it is not the last member, or not the line's own
            else:
                line["records"] = records
                return line
        line = orjson.loads(piece)
        return line
