"""Checks a ledger with nothing but its files: chain, numbers, gaps and torn tails. Needs no key and no gateway.

What it can say, and what it cannot: a change to any line that a later line follows is *altered*, an absent one is *incomplete*. The
newest lines of a stream can be cut off unnoticed as long as no later line, of this stream or of one that recorded its
head at a start or stop, exists; and who can rewrite every file can make a new chain. Signed checkpoints will end both.
"""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from gateway.ledger.line import MAX_LINE_BYTES, read_envelope
from gateway.ledger.line import leaf as leaf_of
from gateway.ledger.segments import Cause, Fence, Head, Segment, fences_at_start, find_segments, tail_leaf

_PATIENCE = 5
_PATIENCE_SECONDS = 0.05
"""How often, and how long, a last line that is being written is waited for."""


class Verdict(enum.StrEnum):
    """What a fault means for the evidence."""

    ALTERED = "altered"
    INCOMPLETE = "incomplete"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One fault: what it means, in which file (relative to the ledger) and line (from 1; 0: the file as a whole), and why."""

    verdict: Verdict
    file: str
    line: int
    why: str


@dataclass(slots=True)
class StreamReport:
    """What was found in one stream. `notes` are no faults: recorded gaps and tails, and what cannot be known."""

    stream: str
    segments: int = 0
    entries: int = 0
    head: str = ""
    stopped: bool = False
    faults: list[LedgerFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Every stream, and the faults between streams."""

    streams: list[StreamReport]
    faults: list[LedgerFault] = field(default_factory=list)

    def all_faults(self) -> Iterator[LedgerFault]:
        for stream in self.streams:
            yield from stream.faults
        yield from self.faults

    @property
    def exit_status(self) -> int:
        """0 intact, 1 altered or incomplete, 3 cannot tell (DESIGN section 7)."""
        verdicts = {fault.verdict for fault in self.all_faults()}
        if verdicts & {Verdict.ALTERED, Verdict.INCOMPLETE}:
            return 1
        return 3 if verdicts or not self.streams else 0


@dataclass(frozen=True, slots=True)
class _Claim:
    """A line's word on where another stream stood: its entry `n` has this leaf."""

    file: str
    line: int
    stream: str
    n: int
    leaf: str


def verify(directory: Path) -> Report:
    """Reads the whole ledger once. Raises `OSError` when the directory cannot be listed."""
    streams = find_segments(directory)
    readers = [_Reader(directory, stream, segments) for stream, segments in streams.items()]
    report = Report([reader.read() for reader in readers])
    ends = {(reader.stream, n): leaf for reader in readers for n, leaf in reader.ends.items()}
    named: dict[str, tuple[str, int]] = {}
    for reader in readers:
        named = reader.named | named
        for claim in reader.claims:
            found = ends.get((claim.stream, claim.n))
            if claim.stream in streams and found != claim.leaf:
                report.faults.append(_broken(claim, found))
    for stream, (file, line) in sorted(named.items()):
        if stream not in streams:
            why = f"the stream {stream}, which this line names, is not there"
            report.faults.append(LedgerFault(Verdict.INCOMPLETE, file, line, why))
    return report


def _broken(claim: _Claim, found: str | None) -> LedgerFault:
    if found is None:
        why = f"the stream {claim.stream} ended with entry {claim.n} by this line; no segment ends there"
        return LedgerFault(Verdict.INCOMPLETE, claim.file, claim.line, why)
    why = f"entry {claim.n} of the stream {claim.stream} is not the one that this line saw"
    return LedgerFault(Verdict.ALTERED, claim.file, claim.line, why)


class _Reader:
    """Follows one stream through its segments. `ends` has the leaf of each segment's last entry, by number."""

    def __init__(self, directory: Path, stream: str, segments: list[Segment]) -> None:
        self.stream = stream
        self.claims: list[_Claim] = []
        self.named: dict[str, tuple[str, int]] = {}
        self.ends: dict[int, str] = {}
        self._directory = directory
        self._segments = segments
        self._report = StreamReport(stream, len(segments))
        self._head = Head()
        self._fences: dict[str, Fence] = {}

    def read(self) -> StreamReport:
        report = self._report
        for segment in self._segments:
            with contextlib.suppress(OSError):  # told when its turn comes
                self._fences |= fences_at_start(segment)
        for segment in self._segments:
            try:
                self._read_segment(segment, last=segment is self._segments[-1])
            except OSError as error:
                self._fault(Verdict.CANNOT_TELL, segment, 0, f"cannot be read: {error.strerror}")
                self._head = Head(max(self._head.n, segment.first), "")
            self.ends[self._head.n - 1] = self._head.prev
        report.entries = self._head.n
        report.head = self._head.prev
        return report

    def _read_segment(self, segment: Segment, *, last: bool) -> None:
        fence = self._fences.get(segment.path.name)
        self._expect(segment, 0, segment.first, None)
        offset = number = 0
        with segment.path.open("rb") as file:
            while (fence is None or offset < fence.offset) and (piece := file.readline(MAX_LINE_BYTES + 1)):
                number += 1
                if not piece.endswith(b"\n"):
                    piece += _rest(file, piece, wait=last)
                offset += len(piece)
                if piece.endswith(b"\n"):
                    self._read_line(segment, number, piece[:-1])
                else:
                    self._torn(segment, number, last=last)
        if fence is not None:
            self._read_fence(segment, fence, offset)

    def _read_line(self, segment: Segment, number: int, line: bytes) -> None:
        envelope = read_envelope(line)
        if envelope is None:
            self._fault(Verdict.ALTERED, segment, number, "is not a whole, undamaged line of a ledger")
            self._head = Head(self._head.n + 1, "")
            return
        if envelope.stream != self.stream:
            self._fault(Verdict.ALTERED, segment, number, f"belongs to the stream {envelope.stream}")
        self._expect(segment, number, envelope.n, envelope.prev)
        self._head = Head(envelope.n + 1, leaf_of(line))
        self._report.stopped = envelope.kind == "stop"
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            self._fault(Verdict.ALTERED, segment, number, "is not JSON")
            return
        if envelope.kind in ("start", "stop", "gap"):
            self._read_own_life(segment, number, envelope.kind, record)

    def _expect(self, segment: Segment, number: int, n: int, prev: str | None) -> None:
        """Compares a number and a `prev` with where the chain stands, and goes on from what is there."""
        head = self._head
        if n > head.n:
            missing = f"entry {head.n} is" if n == head.n + 1 else f"entries {head.n} to {n - 1} are"
            self._fault(Verdict.INCOMPLETE, segment, number, f"{missing} missing before entry {n}")
            self._head = Head(n, "")
        elif n < head.n:
            self._fault(
                Verdict.ALTERED, segment, number, f"has number {n} where {head.n} belongs: a copy, or out of order"
            )
        elif prev is not None and head.prev and prev != head.prev:
            self._fault(
                Verdict.ALTERED, segment, number, f"does not follow entry {n - 1} as it stands: one of them was changed"
            )

    def _read_fence(self, segment: Segment, fence: Fence, offset: int) -> None:
        name, found = segment.path.name, segment.path.stat().st_size - fence.offset
        if offset != fence.offset or self._head.n != fence.n:
            self._fault(Verdict.ALTERED, segment, 0, "is not as it was when a later segment fenced its tail")
        elif found != fence.size or tail_leaf(segment.path, fence.offset, fence.size) != fence.sha256:
            if fence.cause is Cause.GIVEN_UP:
                why = "differs from what was written; no line in it was ever confirmed, and a failing disk may do this"
                self._fault(Verdict.CANNOT_TELL, segment, 0, f"the fenced tail from byte {fence.offset} on {why}")
            else:
                self._fault(Verdict.ALTERED, segment, 0, f"the fenced tail from byte {fence.offset} on was changed")
        elif fence.cause is Cause.FOREIGN:
            self._fault(Verdict.ALTERED, segment, 0, "was put there by somebody while the gateway ran")
        elif fence.cause is Cause.TORN and _has_line_ends(segment.path, fence.offset):
            why = (
                "were more than one torn line at a start: a power cut may leave them, or a change to the first of them"
            )
            self._fault(Verdict.CANNOT_TELL, segment, 0, f"the {fence.size} bytes from byte {fence.offset} on {why}")
        else:
            self._report.notes.append(
                f"{name}: a tail of {fence.size} bytes from byte {fence.offset} on, recorded ({fence.cause})"
            )
        self._head = Head(fence.n + 1, fence.sha256)

    def _torn(self, segment: Segment, number: int, *, last: bool) -> None:
        if last:
            why = "ends inside a line: the writer stopped there (the next start will record it), or the file was cut"
            self._fault(Verdict.CANNOT_TELL, segment, number, why)
        else:
            self._fault(Verdict.ALTERED, segment, number, "ends inside a line, and the next segment does not record it")
        self._head = Head(self._head.n + 1, "")

    def _read_own_life(self, segment: Segment, number: int, kind: str, record: Mapping[str, object]) -> None:
        place = str(segment.path.relative_to(self._directory))
        heads = record.get("heads")
        if isinstance(heads, dict):
            for stream, head in heads.items():
                match head:
                    case {"n": int(n), "leaf": str(leaf)}:
                        self.claims.append(_Claim(place, number, stream, n, leaf))
        streams = record.get("streams")
        if isinstance(streams, list):
            for stream in streams:
                self.named.setdefault(str(stream), (place, number))
        if kind == "gap":
            self._report.notes.append(
                f"{segment.path.name} line {number}: gap from {record.get('from')} to {record.get('to')}, "
                f"{record.get('turned_away')} turned away: {record.get('cause')}"
            )

    def _fault(self, verdict: Verdict, segment: Segment, line: int, why: str) -> None:
        place = str(segment.path.relative_to(self._directory))
        self._report.faults.append(LedgerFault(verdict, place, line, why))


def _rest(file: BinaryIO, piece: bytes, *, wait: bool) -> bytes:
    """What follows a piece without LF, up to the next LF: a line too long, or one that is being written just now."""
    rest = b""
    for _ in range(_PATIENCE if wait else 1):
        while more := file.readline(MAX_LINE_BYTES):
            rest += more
            if more.endswith(b"\n"):
                return rest
        if wait:
            time.sleep(_PATIENCE_SECONDS)
    return rest


def _has_line_ends(path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return file.readline(MAX_LINE_BYTES + 1).endswith(b"\n")
