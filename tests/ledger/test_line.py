"""Lines: whatever goes in, one harmless line comes out, and it can be told from any other."""

from __future__ import annotations

import enum
import json
from collections import UserDict
from hashlib import sha256
from zlib import crc32

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.line import (
    ENVELOPE_KEYS,
    MAX_LINE_BYTES,
    ZERO_LEAF,
    compose,
    fragment,
    harmless_text,
    leaf,
    moment,
    read_envelope,
    serialise,
)

TIME = "2026-11-24T12:00:00.000000Z"

hostile = st.text(st.characters(codec=None), max_size=300) | st.sampled_from(
    [
        "\ud800",
        "\u202e",
        "\u2028",
        "\0",
        "a\nb",
        '"}\n{"v":1',
        "\\u202e",
        "\x7f",
        "é",
        "x" * 3000,
        '","crc":"00000000"}',
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | hostile
    | st.binary(max_size=50)
    | st.just(object())
    | st.dates(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(hostile, inner, max_size=5) | st.tuples(inner),
    max_leaves=20,
)
records = st.dictionaries(
    st.sampled_from(["kind", "id", "path", *sorted(ENVELOPE_KEYS)]) | hostile, values, max_size=20
)


def line_of(record: dict[str, object]) -> bytes:
    return compose("user-0", 7, ZERO_LEAF, TIME, serialise(record))


def keys_of(line: bytes) -> list[str]:
    pairs: list[list[tuple[str, object]]] = []
    json.loads(line, object_pairs_hook=pairs.append)
    return [key for key, _ in pairs[-1]]


@given(records)
def test_no_record_can_raise_or_forge_a_line(record: dict[str, object]) -> None:
    line = line_of(record)
    assert b"\n" not in line
    assert line.decode("ascii").isprintable()
    assert len(line) <= MAX_LINE_BYTES
    read = json.loads(line)
    assert {key: read[key] for key in ("v", "stream", "n", "prev", "time")} == {
        "v": 1,
        "stream": "user-0",
        "n": 7,
        "prev": ZERO_LEAF,
        "time": TIME,
    }
    keys = keys_of(line)
    assert keys[:5] == ["v", "stream", "n", "prev", "time"]
    assert keys[-1] == "crc"
    assert all(keys.count(key) == 1 for key in ENVELOPE_KEYS)
    for text in texts_of(read):
        assert text.isascii()
        assert text.isprintable()


@given(records.map(lambda record: {"kind": "decision"} | record | {"kind": "decision"}))
def test_every_line_of_ours_is_read_back(record: dict[str, object]) -> None:
    envelope = read_envelope(line_of(record))
    assert envelope is not None
    assert (envelope.stream, envelope.n, envelope.prev, envelope.time) == ("user-0", 7, ZERO_LEAF, TIME)
    assert envelope.kind == "decision"


def texts_of(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [key, *texts_of(item)]]
    return []


def test_an_ordinary_record_is_written_as_it_is() -> None:
    assert serialise({"kind": "decision", "id": "X", "a": [1, None, True, 1.5]}) == (
        '"kind":"decision","id":"X","a":[1,null,true,1.5]'
    )


def test_the_form_of_a_line_never_changes() -> None:
    line = compose("user-0", 3, "ab" * 32, TIME, '"kind":"stop","id":"X"')
    assert line == (
        b'{"v":1,"stream":"user-0","n":3,"prev":"' + b"ab" * 32 + b'","time":"2026-11-24T12:00:00.000000Z",'
        b'"kind":"stop","id":"X","crc":"%08x"}' % crc32(line[: line.index(b',"crc"')])
    )
    assert leaf(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"  # RFC 6962: SHA-256 of 0x00


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("\ud800", "\\ud800"),
        ("\u202ecod.exe", "\\u202ecod.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("a\nb\0", "a\\nb\\x00"),
        ("\x7f", "\\x7f"),
        ("\U0001f600", "\\U0001f600"),
        ("back\\slash", "back\\\\slash"),
        ('quo"te', 'quo"te'),
        (b"\xff\x00", "\\xff\\x00"),
        (2**70, str(2**70)),
        (-(2**63), -(2**63)),
        (True, True),
        (enum.Enum("E", [("A", "value")]).A, "value"),  # type: ignore[attr-defined]
        ({"a", "b"} and frozenset({"one"}), ["one"]),
        (UserDict({"a": 1}), {"a": 1}),
        (object(), {"truncated": "object"}),
    ],
)
def test_what_is_not_harmless_is_made_so(value: object, written: object) -> None:
    assert orjson.loads("{" + serialise({"kind": "x", "value": value}) + "}")["value"] == written


@given(hostile, hostile)
def test_two_texts_are_never_written_alike(one: str, other: str) -> None:
    assert (one == other) == (harmless_text(one, 5000) == harmless_text(other, 5000))


def test_an_over_long_value_is_cut_and_marked() -> None:
    read = orjson.loads("{" + serialise({"kind": "decision", "path": "/" + "a" * 5000, "method": "GET"}) + "}")
    assert read["method"] == "GET"
    assert read["path"] == {
        "truncated": "/" + "a" * 1023,
        "length": 5001,
        "sha256": sha256(b"/" + b"a" * 5000).hexdigest(),
    }


def test_many_long_values_still_fit() -> None:
    record: dict[str, object] = {"kind": "decision", "id": "ABC"}
    record |= {f"f{number}": "v" * 900 for number in range(200)}
    read = orjson.loads(line_of(record))
    assert read["kind"] == "decision"
    assert read["id"] == "ABC"
    assert len(line_of(record)) <= MAX_LINE_BYTES


def test_a_record_that_nothing_makes_fit_is_named_by_its_hash() -> None:
    record: dict[str, object] = {"kind": "x", "id": "ABC"}
    record |= {f"f{number}": {f"g{inner}": "v" * 900 for inner in range(100)} for number in range(200)}
    read = orjson.loads(line_of(record))
    assert read["record"]["truncated"] == "record"
    assert (read["kind"], read["id"]) == ("x", "ABC")


def test_deep_records_end() -> None:
    value: object = "bottom"
    for _ in range(300):
        value = [value]
    assert "truncated" in serialise({"kind": "x", "value": value})


def test_envelope_keys_of_a_record_give_way() -> None:
    assert serialise({"kind": "x", "n": 5, "prev": "no"}) == '"kind":"x","_n":5,"_prev":"no"'


def test_a_fragment_is_copied_as_it_is() -> None:
    made = fragment({"a": "\u202e", "b": 1})
    assert serialise({"kind": "x", "who": made}) == '"kind":"x","who":{"a":"\\\\u202e","b":1}'
    assert serialise({"kind": "x", "who": fragment({"a": 1})}) == '"kind":"x","who":{"a":1}'


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line[:-1],
        lambda line: line + b" ",
        lambda line: line.replace(b'"v":1', b'"v":2'),
        lambda line: line.replace(b'"n":7', b'"n":07'),
        lambda line: line.replace(b'"n":7', b'"n":8'),
        lambda line: line.replace(b"decision", b"decisiom"),
        lambda line: line.replace(b"user-0", b"user-1"),
        lambda line: b"",
    ],
)
def test_a_damaged_line_is_none(change: object) -> None:
    line = line_of({"kind": "decision", "id": "X"})
    assert read_envelope(line) is not None
    assert read_envelope(change(line)) is None  # type: ignore[operator]


def test_every_single_byte_change_of_a_line_is_noticed_by_itself() -> None:
    line = line_of({"kind": "decision", "id": "X", "path": "/a"})
    for place in range(len(line)):
        for flip in (1, 2, 4, 0x20, 0x80):
            changed = bytearray(line)
            changed[place] ^= flip
            assert read_envelope(bytes(changed)) is None, (place, flip)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1795521600.25, "2026-11-24T12:00:00.250000Z"),
        (1795521600.9999995, "2026-11-24T12:00:00.999999Z"),
    ],
)
def test_moments(seconds: float, text: str) -> None:
    assert moment(seconds) == text


def test_a_record_in_pieces_makes_the_same_line() -> None:
    record = serialise({"kind": "decision", "id": "A", "path": "/x"})
    pieces = [record[:7], "", record[7:20], record[20:]]
    assert compose("user-0", 3, ZERO_LEAF, TIME, pieces) == compose("user-0", 3, ZERO_LEAF, TIME, record)
    assert len(pieces) == 4, "the pieces are the caller's"
