"""Which release of the table ran at a past moment: the hash that the lines around it name. A plain scan; whether the lines are intact is for
`gateway log verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gateway.ledger.line import moment
from gateway.ledger.reading import never, read_lines
from gateway.ledger.segments import Segment, find_segments, first_time

_TABLE = b'"table":"'


class Around(NamedTuple):
    """The tables of the last line at or before a moment, and of the first one after it, by hash ("": the gateway had none, and refused
    everything); None: there is no such line.

    After a reload the line names the table before it too: that one is `after`, since until that line it ran.
    """

    before: str | None
    after: str | None


def tables_around(directory: Path, at: float, stop: Callable[[], bool] = never) -> Around:
    """What ran around `at` (Unix seconds). `stop` is asked every few hundred lines, and ends it: then the answer says nothing. Raises
    `OSError`."""
    text = moment(at)
    before, after = ("", ""), ("", "")
    for segments in find_segments(directory).values():
        if stop():
            break
        earlier, later = _around(segments, text, stop)
        before = max(before, earlier)
        if later[0] and (not after[0] or later < after):
            after = later
    return Around(before[1] if before[0] else None, after[1] if after[0] else None)


_Dated = tuple[str, str]
"""The time of a line, and the table it tells of; the time is empty when there is no line."""


def _around(segments: Sequence[Segment], text: str, stop: Callable[[], bool]) -> tuple[_Dated, _Dated]:
    """In one stream; both empty where there is none."""
    start = max((n for n, one in enumerate(segments) if first_time(one) <= text), default=0)
    before: _Dated = ("", "")
    for first in range(start, -1, -1):
        for line in _dated(segments[first:], stop):
            if line["time"] > text:
                return before, (line["time"], str(line.get("table_before", line["table"])))
            before = (line["time"], line["table"])
        if before[0] or stop():
            break
    return before, ("", "")


def _dated(segments: Sequence[Segment], stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    for line in read_lines(segments, _TABLE, stop):
        if line.get("kind") in ("decision", "reload") and isinstance(line.get("table"), str):
            yield line
