"""The bytes of a batch: what `compose` and `leaf` say line by line, whoever makes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger import writer
from gateway.ledger.chain import Chain, chain, chain_plainly
from gateway.ledger.line import ZERO_LEAF, Text, compose, leaf, read_envelope

TIME = "2026-11-29T10:00:00.000000Z"
RECORD = '"kind":"decision","id":"X"'

# In a compiled gateway the second is C's.
WAYS = pytest.mark.parametrize("way", [pytest.param(chain_plainly, id="plainly"), pytest.param(chain, id="as built")])

_texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300)
_records: st.SearchStrategy[Text] = st.one_of(_texts, st.lists(_texts, max_size=20))
_entries = st.lists(st.tuples(st.just(TIME), _records), max_size=12)


def line_by_line(stream: str, n: int, prev: str, entries: list[tuple[str, Text]]) -> tuple[bytes, str]:
    made = b""
    for number, (stamp, record) in enumerate(entries, n):
        line = compose(stream, number, prev, stamp, record)
        made, prev = made + line + b"\n", leaf(line)
    return made, prev


@WAYS
@settings(max_examples=200)
@given(
    entries=_entries, n=st.integers(0, (1 << 64) - 12), prev=st.text("0123456789abcdef", min_size=64, max_size=64),
    left=st.binary(max_size=3000),
)  # fmt: skip
def test_it_is_the_lines_one_behind_the_other(
    way: Chain, entries: list[tuple[str, Text]], n: int, prev: str, left: bytes
) -> None:
    """Whatever an earlier batch left in the memory, and however much room it has."""
    memory = bytearray(left)
    size, last = way("user-0", n, prev, entries, memory)
    assert (bytes(memory[:size]), last) == line_by_line("user-0", n, prev, entries)


@WAYS
def test_each_line_is_bound_to_the_one_before(way: Chain) -> None:
    memory = bytearray()
    size, last = way("user-0", 7, ZERO_LEAF, [(TIME, RECORD), (TIME, [RECORD, ',"verdict":', '"permit"'])], memory)
    first, second, rest = bytes(memory[:size]).split(b"\n")
    envelopes = read_envelope(first), read_envelope(second)
    assert envelopes[0] is not None
    assert envelopes[1] is not None
    assert (envelopes[0].n, envelopes[0].prev, envelopes[1].n, envelopes[1].prev) == (7, ZERO_LEAF, 8, leaf(first))
    assert (last, rest) == (leaf(second), b"")


@WAYS
def test_nothing_gives_nothing(way: Chain) -> None:
    memory = bytearray(b"left")
    assert way("user-0", 3, ZERO_LEAF, [], memory) == (0, ZERO_LEAF)


@WAYS
@pytest.mark.parametrize("record", ["\x80", '"kind":"é"', "\ud800", "漢", ["fine", "é"]])
def test_what_is_not_ascii_is_no_line(way: Chain, record: Text) -> None:
    with pytest.raises(UnicodeEncodeError):
        way("user-0", 0, ZERO_LEAF, [(TIME, RECORD), (TIME, record)], bytearray())


@WAYS
def test_memory_that_somebody_looks_at_is_not_moved(way: Chain) -> None:
    memory = bytearray(16)
    with memoryview(memory), pytest.raises(BufferError):
        way("user-0", 0, ZERO_LEAF, [(TIME, RECORD)], memory)
    assert len(memory) == 16


@WAYS
def test_a_batch_of_many_lines_grows_the_memory_and_the_next_uses_it(way: Chain) -> None:
    memory = bytearray()
    entries: list[tuple[str, Text]] = [
        (TIME, [RECORD, f',"number":{number},"text":"{"x" * 3000}"']) for number in range(300)
    ]
    size, last = way("user-0", 0, ZERO_LEAF, entries, memory)
    grown = len(memory)
    assert size > 900_000
    assert (bytes(memory[:size]), last) == line_by_line("user-0", 0, ZERO_LEAF, entries)
    size, last = way("user-0", 300, last, entries[:2], memory)
    assert len(memory) == grown
    assert read_envelope(bytes(memory[:size]).splitlines()[0]) is not None


def test_a_compiled_gateway_has_it_from_c() -> None:
    """Else the tests above would have looked at Python's twice."""
    assert (chain is not chain_plainly) is str(writer.__file__).endswith(".so")


@pytest.mark.skipif(
    chain is chain_plainly, reason="only C can be handed what the types do not allow: make test-compiled"
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("user-0", -1, ZERO_LEAF, [], bytearray()),
        ("user-0", 1 << 64, ZERO_LEAF, [], bytearray()),
        ("user-0", (1 << 64) - 1, ZERO_LEAF, [(TIME, RECORD)] * 2, bytearray()),
        ("user-0", 0, "é" * 32, [], bytearray()),
        ("user-0", 0, "abc", [], bytearray()),
        ("user-0", 0, ZERO_LEAF, [("x",)], bytearray()),
        ("user-0", 0, ZERO_LEAF, [(TIME, 3)], bytearray()),
        ("user-0", 0, ZERO_LEAF, [(TIME, ["x", None])], bytearray()),
        ("user-0", 0, ZERO_LEAF, 3, bytearray()),
        ("user-0", 0, ZERO_LEAF, [], b"memory"),
        ("user-0", 0, ZERO_LEAF, []),
        (b"user-0", 0, ZERO_LEAF, [], bytearray()),
    ],
)
def test_what_the_types_do_not_allow_is_an_error(arguments: tuple[object, ...]) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        chain(*arguments)  # type: ignore[arg-type]
