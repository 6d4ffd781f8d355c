"""One line of the ledger: canonical text, bounds, leaf hash and chain. Pure.

A line is a JSON object on one LF-ended line of printable ASCII. Its keys stand in this order: `v stream n prev time`, then the
record's own keys in the order of its builder (`kind` and `id` first), then `crc`. Its leaf is SHA-256(0x00 ‖ line without
LF) (RFC 6962 section 2.1), `prev` is the leaf of the entry before. `crc` is the CRC-32 of all bytes before `,"crc"`: no defence
against a person, but the newest line is covered by no later one, and damage to it must be noticed too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final
from zlib import crc32

import orjson

VERSION: Final = 1
_BEGINNING: Final = f'{{"v":{VERSION},"stream":"'
ZERO_LEAF: Final = "0" * 64
"""The `prev` of a stream's first line."""
TYPICAL_BYTES: Final = 2048
"""What a record takes as a rule."""
UNCUT_BYTES: Final = 2 * TYPICAL_BYTES
"""A record up to this size is written as it is; above it, over-long values are cut."""
MAX_LINE_BYTES: Final = 8192
_ENVELOPE_BYTES: Final = 512
"""More than `v stream n prev time crc` with their keys ever take."""
MAX_RECORD_BYTES: Final = MAX_LINE_BYTES - _ENVELOPE_BYTES
_VALUE_LIMITS: Final = (1024, 256, 64)
"""Characters kept of a value: tried in turn until the record fits."""
_MAX_DEPTH: Final = 6
_INT64: Final = 1 << 63

_LEAF: Final = sha256(b"\x00")
"""What every leaf begins with. To go on from a copy is cheaper than to copy the line behind that byte."""

ENVELOPE_KEYS: Final = frozenset({"v", "stream", "n", "prev", "time", "crc"})

Record = Mapping[str, object]
Text = str | list[str]
"""A record as the inner text of a JSON object, whole or in pieces that make it up. Pieces are put together only in the line: many lines
wait at a time, and what they share should lie in memory once."""

_LINE: Final = re.compile(
    rb'\{"v":1,"stream":"(?P<stream>[a-z]+-[0-9A-Za-z-]+)","n":(?P<n>0|[1-9][0-9]{0,19}),"prev":"(?P<prev>[0-9a-f]{64})",'
    rb'"time":"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)",'
    rb'"kind":"(?P<kind>[a-z-]+)"(?:,[ -~]*)?,"crc":"(?P<crc>[0-9a-f]{8})"\}'
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every line carries, read back from its bytes."""

    stream: str
    n: int
    prev: str
    time: str
    kind: str


def moment(seconds: float) -> str:
    """Unix seconds as RFC 3339 UTC with microseconds and `Z`."""
    whole = int(seconds // 1)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1_000_000):06d}Z"


def leaf(line: bytes | memoryview) -> str:
    """The lower-case hex leaf hash of a line without its LF (RFC 6962)."""
    entry = _LEAF.copy()
    entry.update(line)
    return entry.hexdigest()


def compose(stream: str, n: int, prev: str, time: str, record: Text) -> bytes:
    """The line, without its LF, of a record that `serialise` made."""
    pieces = [f'{_BEGINNING}{stream}","n":{n},"prev":"{prev}","time":"{time}",']
    if isinstance(record, str):
        pieces.append(record)
    else:
        pieces.extend(record)
    covered = "".join(pieces).encode("ascii")
    return covered + b',"crc":"%08x"}' % crc32(covered)


def is_whole(line: bytes) -> bool:
    """Whether these bytes are a whole, undamaged line of this version, without its LF."""
    match = _LINE.fullmatch(line)
    return match is not None and _undamaged(line, match)


def _undamaged(line: bytes, match: re.Match[bytes]) -> bool:
    return crc32(line[: match.start("crc") - 8]) == int(match["crc"], 16)


def read_envelope(line: bytes) -> Envelope | None:
    """The envelope of a line without its LF, or None when the bytes are not a whole, undamaged line of this version."""
    match = _LINE.fullmatch(line)
    if match is None or not _undamaged(line, match):
        return None
    return Envelope(
        match["stream"].decode("ascii"),
        int(match["n"]),
        match["prev"].decode("ascii"),
        match["time"].decode("ascii"),
        match["kind"].decode("ascii"),
    )


def serialise(record: Record) -> str:
    """The record as the inner text of a JSON object: printable ASCII, within `MAX_RECORD_BYTES`. Never raises.

    The usual record is written by orjson as it is. Only when the result shows a backslash, something outside printable ASCII or
    an unusual length, or orjson refuses it (lone surrogates), each value is made harmless, and over-long ones are cut.
    """
    try:
        data = orjson.dumps(record)
    except TypeError:
        return _serialise_with_care(record)
    if (
        len(data) > UNCUT_BYTES
        or data.find(b"\\") >= 0  # `in` would first try whether bytes are a number
        or data.find(b"\x7f") >= 0
        or not data.isascii()
        or not data.startswith(b'{"kind":"')
        or not record.keys().isdisjoint(ENVELOPE_KEYS)
    ):
        return _serialise_with_care(record)
    return data[1:-1].decode("ascii")


def fragment(members: Record) -> orjson.Fragment:
    """Members that stand in many records, serialised once and harmless already."""
    return orjson.Fragment(orjson.dumps(_harmless(members, _VALUE_LIMITS[0], 0)))


def _serialise_with_care(record: Record) -> str:
    members = {"kind": "unknown"} | {(f"_{key}" if key in ENVELOPE_KEYS else key): record[key] for key in record}
    data = b""
    for limit in _VALUE_LIMITS:
        data = orjson.dumps(_harmless(members, limit, 0))
        if len(data) <= MAX_RECORD_BYTES:
            return data[1:-1].decode("ascii")
    kept = {key: _harmless(members.get(key), _VALUE_LIMITS[-1], _MAX_DEPTH) for key in ("kind", "id")}
    cut = {"truncated": "record", "length": len(data), "sha256": sha256(data).hexdigest()}
    return orjson.dumps(kept | {"record": cut})[1:-1].decode("ascii")


def _harmless(value: object, limit: int, depth: int) -> object:
    """A value that orjson can write as printable ASCII. What it does not know is named by its type, never by its `repr`."""
    match value:
        case None | bool() | float() | orjson.Fragment():
            return value
        case Enum():
            return _harmless(value.value, limit, depth)
        case int():
            return int(value) if -_INT64 <= value < _INT64 else harmless_text(str(value), limit)
        case str():
            return harmless_text(value, limit)
        case bytes() | bytearray():
            return harmless_text(value.decode("latin-1"), limit)
    if depth >= _MAX_DEPTH:
        return {"truncated": type(value).__name__}
    most = limit // 8
    match value:
        case Mapping():
            members = {
                _key(key, limit): _harmless(member, limit, depth + 1) for key, member in list(value.items())[:most]
            }
            return members | {"truncated": len(value)} if len(value) > most else members
        case Sequence() | frozenset() | set():
            items = [_harmless(item, limit, depth + 1) for item in list(value)[:most]]
            return [*items, {"truncated": len(value)}] if len(value) > most else items
    return {"truncated": type(value).__name__}


def _key(key: object, limit: int) -> str:
    text = harmless_text(str(key), limit)
    return text if isinstance(text, str) else str(text["truncated"])


def harmless_text(text: str, limit: int) -> str | dict[str, str | int]:
    r"""Printable ASCII of at most `limit` characters that cannot mislead a reader: anything else as `\xNN` or `\uNNNN`.

    A backslash becomes two, so that no text can pass for another's escape. An over-long text becomes an object with its
    beginning, its length in characters, and the SHA-256 of its UTF-8 form.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "\\" not in text:
        return str(text)
    # What lies beyond the limit is cut before it is escaped: a value of many MiB costs no more than its hash.
    escaped = text[: limit + 1].encode("unicode_escape").decode("ascii")
    if len(escaped) <= limit:
        return escaped
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"truncated": escaped[:limit], "length": len(text), "sha256": digest}
