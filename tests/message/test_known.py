"""An answer's head that is known from the origin's last answer reads as if it were read anew."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MessageError, ResponseError
from gateway.message import Fields, Known, ResponseReader
from gateway.message.syntax import KNOWN_CHARACTERS, REQUEST_FIELDS, RESPONSE_FIELDS, KnownLines, read_fields

HEADS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
)
BODIES = (b"", b"hello", b"hell", b"5\r\nhello\r\n0\r\n\r\n", b"hello!")

answers = st.lists(
    st.tuples(st.sampled_from(("GET", "HEAD")), st.sampled_from(HEADS), st.sampled_from(BODIES), st.booleans()),
    max_size=6,
)


def read(reader: ResponseReader, data: bytes, *, piecewise: bool) -> list[object]:
    """The events, or the fault in their place."""
    events: list[object] = []
    pieces = [data[at : at + 1] for at in range(len(data))] if piecewise else [data]
    try:
        for piece in pieces:
            reader.feed(piece)
            while (event := reader.next_event()) is not None:
                events.append(event)
    except ResponseError as error:
        events.append((error.reason, error.detail))
    return events


@given(answers)
def test_reads_as_if_nothing_was_known(sequence: list[tuple[str, bytes, bytes, bool]]) -> None:
    known = Known()
    for method, head, body, piecewise in sequence:
        with_memory = read(ResponseReader(method, known=known), head + body, piecewise=piecewise)
        assert with_memory == read(ResponseReader(method), head + body, piecewise=piecewise)


def test_the_same_head_is_the_same_object() -> None:
    known = Known()
    first, second = (read(ResponseReader("GET", known=known), HEADS[0] + b"hello", piecewise=False) for _ in range(2))
    assert second[0] is first[0]


@pytest.mark.parametrize("head", HEADS[:2])
def test_an_answer_to_head_has_no_body_though_the_same_head_had_one(head: bytes) -> None:
    known = Known()
    read(ResponseReader("GET", known=known), head + b"hello"[: int(head[33:34])], piecewise=False)
    assert len(read(ResponseReader("HEAD", known=known), head, piecewise=False)) == 2


LINES = (
    "Host: a",
    "Accept: */*",
    "A:b",
    "A: b ",
    "X_Y: z",
    "Bad name: a",
    " folded",
    "A",
    "A: \x01",
    "A: b\rC: d",
    "A: b\nC: d",
    "",
    "A: é",
)
blocks = st.tuples(st.lists(st.sampled_from(LINES[:4]) | st.sampled_from(LINES), max_size=5), st.sampled_from(("", "", "", "\r", "\n")))  # fmt: skip


def fields_of(block: str, grammar: re.Pattern[str], known: KnownLines | None) -> Fields | tuple[str, str]:
    try:
        return read_fields(block, grammar, 4, known)
    except MessageError as error:
        return error.reason, error.detail


@given(st.sampled_from((REQUEST_FIELDS, RESPONSE_FIELDS)), st.lists(blocks, max_size=6))
def test_known_lines_read_as_if_nothing_was_known(grammar: re.Pattern[str], made: list[tuple[list[str], str]]) -> None:
    known = KnownLines()
    for lines, rest in made:
        block = "".join(f"{line}\r\n" for line in lines) + rest
        assert fields_of(block, grammar, known) == fields_of(block, grammar, None)


def test_what_is_remembered_is_bounded() -> None:
    known = KnownLines()
    read_fields("A: b\r\n", REQUEST_FIELDS, 4, known)
    assert (known.lines, known.pairs) == (["A: b"], [("A", "b")])
    read_fields(f"A: {'b' * KNOWN_CHARACTERS}\r\n", REQUEST_FIELDS, 4, known)
    assert (known.lines, known.pairs) == ([], [])
