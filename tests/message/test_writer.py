"""What is written, what is refused, and that the readers read what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import WriteError
from gateway.message import (
    CHUNKED,
    LAST_CHUNK,
    NO_BODY,
    UNTIL_CLOSE,
    ContentLength,
    Data,
    EndOfMessage,
    RequestHead,
    ResponseHead,
    field_block,
    write_chunk,
    write_request_head,
    write_response_head,
)
from gateway.message.events import Framing
from tests.message.dialogue import body_of, read_requests, read_response


def test_a_request() -> None:
    assert (
        write_request_head("POST", "/a?b", [("Host", "a"), ("X-Y", "caf\xe9")], ContentLength(5))
        == b"POST /a?b HTTP/1.1\r\nHost: a\r\nX-Y: caf\xe9\r\nContent-Length: 5\r\n\r\n"
    )
    assert write_request_head("GET", "/", iter([("Host", "a")]), NO_BODY) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write_request_head("PUT", "/", [], CHUNKED) == b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert write_request_head("OPTIONS", "*", [], NO_BODY) == b"OPTIONS * HTTP/1.1\r\n\r\n"


def test_a_response() -> None:
    assert (
        write_response_head(200, [("A", "b")], ContentLength(0))
        == b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n"
    )
    assert write_response_head(200, [], CHUNKED) == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert write_response_head(200, [], UNTIL_CLOSE) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert write_response_head(204, [], NO_BODY) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert write_response_head(599, [], ContentLength(0)) == b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"
    assert (
        write_response_head(101, [("Upgrade", "websocket")], NO_BODY)
        == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    )


def test_answers_to_head_and_304_may_say_the_length_of_the_representation() -> None:
    length = [("content-length", "5")]
    assert write_response_head(200, length, NO_BODY, to_head=True) == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    assert (
        write_response_head(200, [], ContentLength(5), to_head=True) == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    )
    assert write_response_head(200, [], NO_BODY, to_head=True) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert write_response_head(304, length, NO_BODY) == b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"


SPLITTING = [
    ("X", "a\r\nSet-Cookie: b"),
    ("X", "a\r\n\r\nGET / HTTP/1.1"),
    ("X", "a\nb: c"),
    ("X", "a\rb"),
    ("X", "a\0b"),
    ("X", "a\x7f"),
    ("X", "\r\n b"),
    ("X", "\u20ac"),
    ("X", "\u010d\u010a"),  # CR LF once somebody keeps the low octets only
    ("X\r\nY", "a"),
    ("X: a\r\nY", "b"),
    ("X: y", "\r\n"),
    ("", "a"),
    ("X ", "a"),
    ("X:", "a"),
    ("\xe9", "a"),
    ("Content-Length", "5"),
    ("transfer-encoding", "chunked"),
    ("TRANSFER-ENCODING", "x"),
]


@pytest.mark.parametrize("pair", SPLITTING)
def test_nothing_can_split_a_message(pair: tuple[str, str]) -> None:
    with pytest.raises(WriteError):
        write_request_head("GET", "/", [("Host", "a"), pair], NO_BODY)
    with pytest.raises(WriteError):
        write_response_head(200, [pair, ("A", "b")], ContentLength(0))


@pytest.mark.parametrize(
    "fields", [[("Content-Length", "5"), ("Content-Length", "5")], [("Transfer-Encoding", "chunked")]]
)
def test_one_length_and_no_coding_without_a_body(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(WriteError):
        write_response_head(304, fields, NO_BODY)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/ HTTP/1.1\r\nX: y"),
        ("GET", "/a b"),
        ("GET", ""),
        ("GET", "/\xe9"),
        ("GET", "/\0"),
        ("get", "/"),
        ("", "/"),
        ("GET /", "/"),
        ("G\r\nT", "/"),
    ],
)
def test_request_lines(method: str, target: str) -> None:
    with pytest.raises(WriteError):
        write_request_head(method, target, [], NO_BODY)


def test_framings_that_nobody_could_read() -> None:
    with pytest.raises(WriteError):
        write_request_head("POST", "/", [], UNTIL_CLOSE)
    for status in (100, 101, 204, 304):
        for framing in (ContentLength(5), CHUNKED, UNTIL_CLOSE):
            with pytest.raises(WriteError):
                write_response_head(status, [], framing)
    with pytest.raises(WriteError):
        write_response_head(200, [], NO_BODY)
    for status in (-1, 0, 99, 600, 1000):
        with pytest.raises(WriteError):
            write_response_head(status, [], NO_BODY, to_head=True)


def test_chunks() -> None:
    data = b"x" * 26
    assert write_chunk(data) == (b"1a\r\n", data, b"\r\n")
    assert write_chunk(data)[1] is data
    assert write_chunk(b"") == ()
    assert LAST_CHUNK == b"0\r\n\r\n"


NAMES = st.text(alphabet="abcXYZ019-", min_size=1, max_size=10).map(lambda name: f"X-{name}")
VALUES = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=255).filter(lambda c: c != "\x7f"), max_size=20
).map(lambda value: "".join(c for c in value if not "\x7f" <= c < "\x80").strip(" \t"))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
BODIES = st.lists(st.binary(max_size=50), max_size=5)


def _wire(framing: Framing, pieces: list[bytes]) -> bytes:
    if framing == CHUNKED:
        return b"".join(buffer for piece in pieces for buffer in write_chunk(piece)) + LAST_CHUNK
    return b"".join(pieces)


@given(FIELDS, BODIES, st.booleans())
def test_what_is_written_is_read(fields: list[tuple[str, str]], pieces: list[bytes], chunked: bool) -> None:
    body = b"".join(pieces)
    framing: Framing = CHUNKED if chunked else ContentLength(len(body))
    added = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))

    events, error = read_requests(
        [write_request_head("POST", "/a?b", [("Host", "a"), *fields], framing) + _wire(framing, pieces)]
    )
    assert error is None
    head = events[0]
    assert isinstance(head, RequestHead)
    assert list(head.fields) == [("Host", "a"), *fields, added]
    assert head.framing == framing
    assert [event for event in events[1:] if isinstance(event, Data)] == ([Data(body)] if body else [])
    assert events[-1] == EndOfMessage()

    answers, fault = read_response([write_response_head(200, fields, framing) + _wire(framing, pieces)], "POST")
    assert fault is None
    answer = answers[0]
    assert isinstance(answer, ResponseHead)
    assert list(answer.fields) == [*fields, added]
    assert body_of(answers) == body
    assert answers[-1] == EndOfMessage()


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=8)), max_size=3))
def test_any_text_is_written_as_it_is_or_refused(fields: list[tuple[str, str]]) -> None:
    try:
        raw = write_response_head(200, fields, UNTIL_CLOSE)
    except WriteError:
        return
    events, error = read_response([raw])
    assert error is None
    head = events[0]
    assert isinstance(head, ResponseHead)
    assert list(head.fields) == [(name, value.strip(" \t")) for name, value in fields]


def test_a_block_of_fields_is_written_first_and_as_often_as_one_likes() -> None:
    block = field_block([("Host", "a"), ("Cookie", "b=c")])
    for reference in ("1", "2"):
        head = write_request_head("GET", "/x", [("X-Request-Id", reference)], NO_BODY, block)
        assert head == f"GET /x HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nX-Request-Id: {reference}\r\n\r\n".encode()


def test_our_own_lines_go_behind_a_block_and_leave_it_as_it_is() -> None:
    block = field_block([("Host", "a")])
    for reference in ("1", "2"):
        with_ours = block.and_ours(f"X-Request-Id: {reference}\r\n")
        head = write_request_head("GET", "/x", [("B", "c")], NO_BODY, with_ours)
        assert head == f"GET /x HTTP/1.1\r\nHost: a\r\nX-Request-Id: {reference}\r\nB: c\r\n\r\n".encode()


@pytest.mark.parametrize(
    "field", [("A", "b\r\nC: d"), ("A\r\nB", "c"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked")]
)
def test_a_block_is_held_to_the_same_rules(field: tuple[str, str]) -> None:
    with pytest.raises(WriteError):
        field_block([field])
