"""The files of a ledger: names, classes, and where the good part of a segment ends.

A stream is a row of segments, `<stream>-<20 digits of its first n>.jsonl`, in the directory of its retention class. Within and
across segments every *entry* has a number. An entry is a line, or a *fenced tail*: the bytes after a segment's last
good line that a crash or a failing disk left there. They are never altered; the tail takes one number, its leaf is the
leaf hash of its bytes, and the first line of the next segment (a `start` or `gap`) declares it in `fenced`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import orjson

from gateway.ledger.line import MAX_LINE_BYTES, ZERO_LEAF, leaf, read_envelope

CLASS_OF_STREAM = {"user": "request", "admin": "administration", "cli": "administration", "conn": "connection"}
"""Retention class by a stream's first word: what lies in one directory is deleted together."""
SEGMENT_DIGITS = 20
_NAME = re.compile(r"(?P<stream>[a-z]+-[0-9A-Za-z-]+)-(?P<first>[0-9]{20})\.jsonl")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a stream; `first` is the number of its first entry."""

    path: Path
    stream: str
    first: int


class Cause(enum.StrEnum):
    """How a fenced tail came about."""

    TORN = "torn"
    """Found at a start: an earlier process stopped there."""
    GIVEN_UP = "given_up"
    """Written by this process, but never confirmed by the disk."""
    FOREIGN = "foreign"
    """A file that somebody put where the next segment belonged."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A tail that is no line: in `segment`, from byte `offset` to the end, `size` bytes; it is entry `n` with leaf `sha256`."""

    segment: str
    offset: int
    size: int
    n: int
    sha256: str
    cause: Cause

    def as_record(self) -> dict[str, object]:
        return {
            "segment": self.segment,
            "offset": self.offset,
            "bytes": self.size,
            "n": self.n,
            "sha256": self.sha256,
            "cause": self.cause.value,
        }

    @staticmethod
    def of_record(record: object) -> Fence | None:
        """The fence that a line declares, or None when that is not one."""
        match record:
            case {
                "segment": str(segment),
                "offset": int(offset),
                "bytes": int(size),
                "n": int(n),
                "sha256": str(digest),
                "cause": str(cause),
            } if cause in set(Cause):
                return Fence(segment, offset, size, n, digest, Cause(cause))
        return None


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream goes on: the number of its next entry, and the leaf before it."""

    n: int = 0
    prev: str = ZERO_LEAF


@dataclass(frozen=True, slots=True)
class Scan:
    """What a segment holds: `head` after its last good line (None: it has none), ending at byte `offset` of `size`."""

    head: Head | None
    offset: int
    size: int


def class_of(stream: str) -> str:
    return CLASS_OF_STREAM[stream.split("-", 1)[0]]


def segment_name(stream: str, first: int) -> str:
    return f"{stream}-{first:0{SEGMENT_DIGITS}}.jsonl"


def find_segments(directory: Path) -> dict[str, list[Segment]]:
    """Every stream below a ledger's directory, with its segments in order. Raises `OSError`."""
    streams: dict[str, list[Segment]] = {}
    for name in sorted(set(CLASS_OF_STREAM.values())):
        if (directory / name).is_dir():
            for segment in _segments_in(directory / name):
                streams.setdefault(segment.stream, []).append(segment)
    for segments in streams.values():
        segments.sort(key=lambda segment: segment.first)
    return dict(sorted(streams.items()))


def segments_of(directory: Path, stream: str) -> list[Segment]:
    """The segments of one stream in the directory of its class, in order. Raises `OSError`."""
    found = (segment for segment in _segments_in(directory) if segment.stream == stream)
    return sorted(found, key=lambda segment: segment.first)


def _segments_in(directory: Path) -> Iterator[Segment]:
    for path in directory.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is not None:
            yield Segment(path, match["stream"], int(match["first"]))


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file cut after each LF; a piece without one is the last, or is too long to be a line."""
    while piece := file.readline(MAX_LINE_BYTES + 1):
        yield piece


def scan(segment: Segment) -> Scan:
    """Follows the chain from the segment's first line as far as it holds. Raises `OSError`."""
    head: Head | None = None
    offset = 0
    with segment.path.open("rb") as file:
        for piece in pieces(file):
            envelope = read_envelope(piece[:-1]) if piece.endswith(b"\n") else None
            if envelope is None or envelope.stream != segment.stream:
                break
            expected = Head(segment.first, envelope.prev) if head is None else head
            if (envelope.n, envelope.prev) != (expected.n, expected.prev):
                break
            head = Head(envelope.n + 1, leaf(piece[:-1]))
            offset += len(piece)
        size = file.seek(0, 2)
    return Scan(head, offset, size)


def tail_leaf(path: Path, offset: int, size: int) -> str:
    """The leaf hash of the `size` bytes from `offset`; of fewer when the file is shorter. Raises `OSError`."""
    digest = sha256(b"\x00")
    with path.open("rb") as file:
        file.seek(offset)
        while size > 0 and (chunk := file.read(min(size, _CHUNK_BYTES))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.hexdigest()


def resume(segments: list[Segment]) -> tuple[Head, list[Fence]]:
    """Where a stream goes on after whatever happened to it, and the tails to fence. Raises `OSError`.

    Only the last segment that begins with a good line is read, and what lies after it.
    """
    torn: list[tuple[Segment, Scan]] = []
    head = Head()
    for segment in reversed(segments):
        found = scan(segment)
        if found.offset < found.size:
            torn.append((segment, found))
        if found.head is not None:
            head = found.head
            break
    fences: list[Fence] = []
    for segment, found in reversed(torn):
        # A whole segment of rubbish keeps the number in its name, or the next segment could not be named.
        n = max(head.n, segment.first) if found.offset == 0 else head.n
        fence = Fence(
            segment.path.name,
            found.offset,
            found.size - found.offset,
            n,
            tail_leaf(segment.path, found.offset, found.size - found.offset),
            Cause.TORN,
        )
        fences.append(fence)
        head = Head(n + 1, fence.sha256)
    return head, fences


def fences_at_start(segment: Segment) -> dict[str, Fence]:
    """What a segment's first line fences, by segment name; nothing when that is no good `start` or `gap`. Raises `OSError`."""
    with segment.path.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES + 1)[:-1]
    envelope = read_envelope(line)
    if envelope is None or envelope.stream != segment.stream or envelope.kind not in ("start", "gap"):
        return {}
    listed = orjson.loads(line).get("fenced")
    found = [fence for entry in listed if (fence := Fence.of_record(entry))] if isinstance(listed, list) else []
    return {fence.segment: fence for fence in found}


def first_time(segment: Segment) -> str:
    """When a segment begins (RFC 3339); "" when its first line cannot be read. Raises `OSError`."""
    with segment.path.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES + 1)
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    return str(read.get("time", "")) if isinstance(read, dict) else ""


def between(segments: Sequence[Segment], first: str, last: str, more: int = 0) -> Sequence[Segment]:
    """Of a stream's segments those that can hold a line from `first` to before `last` (RFC 3339), and so many `more` after them. Raises
    `OSError`."""
    starts = [first_time(each) for each in segments]
    ends = [*starts[1:], ""]  # "": not known
    fitting = [
        n for n, (start, end) in enumerate(zip(starts, ends, strict=True)) if start < last and (not end or end >= first)
    ]
    return segments[fitting[0] : fitting[-1] + 1 + more] if fitting else []
