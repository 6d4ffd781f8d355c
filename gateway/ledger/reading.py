"""Reads a ledger for people: its lines in order of time, a decision joined with its completion, the newest ones, and those to come."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from gateway.ledger.line import MAX_LINE_BYTES, read_envelope
from gateway.ledger.segments import Fence, Segment, fences_at_start, find_segments

JOIN_SECONDS = 1.0
"""How long a permit waits for its completion before a follower is told of it."""
MAX_OPEN = 65_536
"""Decisions without completion that are remembered while a ledger is read."""
STOP_EVERY = 200
"""Lines between which a reader is asked whether to stop."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line, or a decision with the completion that followed it.

    `record` is the line as it stands; `completion` the second line. A permit without one has an unknown outcome: it still runs, or
    the gateway stopped before it ended.
    """

    time: str
    record: dict[str, Any]
    completion: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return str(self.record.get("id"))

    @property
    def is_completion(self) -> bool:
        """A completion whose decision was not among the lines read."""
        return self.record.get("kind") == "completion"

    def joined(self) -> dict[str, Any]:
        """As one object: the decision's keys, and the completion under `completion`."""
        return self.record if self.completion is None else {**self.record, "completion": self.completion}


def never() -> bool:
    """For a reading that nothing bounds."""
    return False


def read_lines(
    segments: Sequence[Segment], wanted: bytes = b"", stop: Callable[[], bool] = never
) -> Iterator[dict[str, Any]]:
    """The good lines, with `wanted` in them, of some segments in order. `stop` is asked every few hundred lines, also of those without, and
    ends it. Raises `OSError`.

    What is no line is left to `verify`, and so is a fenced tail: it was never confirmed, and was written again or refused.
    """
    fences: dict[str, Fence] = {}
    for segment in segments:
        fences |= fences_at_start(segment)
    number = 0
    for segment in segments:
        fence = fences.get(segment.path.name)
        offset = 0
        with segment.path.open("rb") as file:
            while (fence is None or offset < fence.offset) and (piece := file.readline(MAX_LINE_BYTES + 1)):
                offset += len(piece)
                number += 1
                if number % STOP_EVERY == 0 and stop():
                    return
                if wanted in piece:
                    record = _record_of(piece)
                    if record is not None:
                        yield record


def events(directory: Path) -> Iterator[Event]:
    """Everything in a ledger by time, decisions joined with their completions. Raises `OSError`."""
    streams = [_joined(read_lines(segments)) for segments in find_segments(directory).values()]
    return heapq.merge(*streams, key=attrgetter("time"))


def newest(directory: Path, count: int) -> list[Event]:
    """The last `count` events. Reads only as many segments as it must. Raises `OSError`."""
    found: list[Event] = []
    for segments in find_segments(directory).values():
        for first in range(len(segments) - 1, -1, -1):
            # A completion whose decision lies further back is no event of its own, as long as there is anything further back.
            kept = deque(
                (event for event in _joined(read_lines(segments[first:])) if not first or not event.is_completion),
                maxlen=count,
            )
            if len(kept) == count or not first:
                found.extend(kept)
                break
    found.sort(key=attrgetter("time"))
    return found[-count:] if count else []


def find(directory: Path, reference: str) -> list[Event]:
    """The events with this id (in its stored form): usually one. Raises `OSError`."""
    wanted = f'"id":"{reference}"'.encode("ascii")
    found: list[Event] = []
    for segments in find_segments(directory).values():
        found.extend(_joined(read_lines(segments, wanted)))
    return sorted(found, key=attrgetter("time"))


def _record_of(piece: bytes) -> dict[str, Any] | None:
    if not piece.endswith(b"\n") or read_envelope(piece[:-1]) is None:
        return None
    try:
        record: dict[str, Any] = orjson.loads(piece)
    except orjson.JSONDecodeError:
        return None
    return record


def _joined(lines: Iterable[dict[str, Any]]) -> Iterator[Event]:
    """Joins within one stream, and keeps its order."""
    waiting: dict[str, Event] = {}
    order: deque[Event] = deque()
    for record in lines:
        name, kind = str(record.get("id")), record.get("kind")
        if kind == "completion" and name in waiting:
            joined = waiting[name]
            if joined.completion is None:
                waiting[name] = Event(joined.time, joined.record, record)
            continue
        event = Event(str(record.get("time")), record)
        if kind == "decision":
            waiting[name] = event
        order.append(event)
        if len(order) > MAX_OPEN:
            yield _final(order.popleft(), waiting)
    while order:
        yield _final(order.popleft(), waiting)


def _final(event: Event, waiting: dict[str, Event]) -> Event:
    if event.record.get("kind") != "decision":
        return event
    return waiting.pop(event.id, event)


class Follower:
    """What is appended to a ledger from now on. A permit waits a moment for its completion, to be told with it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._waiting: dict[str, tuple[Event, float]] = {}
        self._offsets: dict[Path, int] = {}
        self._newest: dict[str, int] = {}
        for stream, segments in find_segments(directory).items():
            self._newest[stream] = segments[-1].first
            self._offsets[segments[-1].path] = _whole_lines(segments[-1].path)

    def poll(self, now: float) -> list[Event]:
        """What happened since the last call, by time; `now` is any clock in seconds. Raises `OSError`."""
        found: list[Event] = []
        for record in self._new_lines():
            name = str(record.get("id"))
            if record.get("kind") == "completion" and name in self._waiting:
                decision, _ = self._waiting.pop(name)
                found.append(Event(decision.time, decision.record, record))
            elif record.get("kind") == "decision" and record.get("verdict") == "permit":
                self._waiting[name] = Event(str(record.get("time")), record), now
            else:
                found.append(Event(str(record.get("time")), record))
        late = [name for name, (_, since) in self._waiting.items() if now - since >= JOIN_SECONDS]
        found.extend(self._waiting.pop(name)[0] for name in late)
        return sorted(found, key=attrgetter("time"))

    def _new_lines(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for stream, segments in find_segments(self._directory).items():
            known = self._newest.get(stream, 0)
            for segment in segments:
                if segment.first >= known:
                    found.extend(self._read_new(segment.path))
            self._newest[stream] = segments[-1].first
        return sorted(found, key=lambda record: str(record.get("time")))

    def _read_new(self, path: Path) -> Iterator[dict[str, Any]]:
        with path.open("rb") as file:
            offset = file.seek(self._offsets.get(path, 0))
            while (piece := file.readline(MAX_LINE_BYTES + 1)).endswith(b"\n"):
                offset += len(piece)
                record = _record_of(piece)
                if record is not None:
                    yield record
        self._offsets[path] = offset


def _whole_lines(path: Path) -> int:
    """Where the last whole line of a file ends, in bytes."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - MAX_LINE_BYTES - 1)
        file.seek(start)
        return start + file.read().rfind(b"\n") + 1
