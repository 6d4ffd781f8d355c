"""Dialogues: what comes out of a connection, whatever pieces the bytes came in."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, RequestError, ResponseError
from gateway.message import (
    CHUNKED,
    Data,
    EndOfMessage,
    InformationalHead,
    Limits,
    RequestHead,
    RequestReader,
    ResponseHead,
    ResponseReader,
)
from gateway.message.syntax import REQUEST_FIELDS, excerpt, read_fields
from tests.message.dialogue import BROWSER, body_of, read_requests, read_response, request, response
from tests.message.test_response import SWITCH

POST = request("Content-Length: 5", start="POST /a HTTP/1.1", body=b"hello")
CHUNKS = request(
    "Transfer-Encoding: chunked", start="PUT /b HTTP/1.1", body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n"
)


def test_a_request_without_a_body_is_two_events() -> None:
    reader = RequestReader()
    assert reader.next_event() is None
    reader.feed(BROWSER)
    assert isinstance(reader.next_event(), RequestHead)
    assert reader.next_event() == EndOfMessage()
    assert reader.next_event() is None
    assert reader.buffered == 0


def test_pipelined_requests_wait_until_they_are_asked_for() -> None:
    reader = RequestReader()
    reader.feed(POST + CHUNKS + BROWSER[:10])
    assert isinstance(reader.next_event(), RequestHead)
    assert reader.next_event() == Data(b"hello")
    assert reader.next_event() == EndOfMessage()
    assert reader.next_event() is None
    assert reader.buffered == len(CHUNKS) + 10
    reader.start_next()
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    assert head.target.path == "/b"
    assert head.framing == CHUNKED
    assert [reader.next_event() for _ in range(4)] == [Data(b"abc"), Data(b"de"), EndOfMessage(), None]
    reader.start_next()
    assert reader.next_event() is None
    reader.feed(BROWSER[10:])
    assert isinstance(reader.next_event(), RequestHead)


def test_the_next_request_is_not_started_too_early() -> None:
    reader = RequestReader()
    with pytest.raises(GatewayError):
        reader.start_next()
    reader.feed(POST)
    reader.next_event()
    with pytest.raises(GatewayError):
        reader.start_next()


@pytest.mark.parametrize("data", [b"x" * 100_000])
def test_a_body_is_handed_out_uncopied(data: bytes) -> None:
    reader = RequestReader()
    reader.feed(request(f"Content-Length: {len(data) + 1}", start="POST / HTTP/1.1"))
    reader.next_event()
    reader.feed(data)
    event = reader.next_event()
    assert isinstance(event, Data)
    assert event.data is data
    assert reader.buffered == 0
    assert reader.next_event() is None


def test_a_body_is_cut_at_its_length() -> None:
    reader = RequestReader()
    reader.feed(POST[:-2])
    reader.next_event()
    assert reader.next_event() == Data(b"hel")
    reader.feed(b"lo" + BROWSER)
    assert reader.next_event() == Data(b"lo")
    assert reader.next_event() == EndOfMessage()
    assert reader.buffered == len(BROWSER)


def test_one_empty_line_before_a_request_is_ignored() -> None:
    """RFC 9112 section 2.2."""
    events, error = read_requests([b"\r\n" + BROWSER + b"\r\n" + BROWSER + b"\r\n"])
    assert error is None
    assert [type(event) for event in events] == [RequestHead, EndOfMessage] * 2


def test_a_connection_that_closes_between_requests_is_no_fault() -> None:
    assert read_requests([]) == ([], None)
    assert read_requests([b"\r\n"]) == ([], None)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\r", "within the head"),
        (b"G", "within the head"),
        (BROWSER[:-1], "within the head"),
        (POST[:-1], "within the body"),
        (CHUNKS[:-1], "within the body"),
        (CHUNKS[:-20], "within the body"),
    ],
)
def test_a_connection_that_ends_within_a_request(raw: bytes, says: str) -> None:
    assert read_requests([raw], eof=False)[1] is None
    _, error = read_requests([raw])
    assert error is not None
    assert error.reason == "malformed"
    assert says in error.detail


def test_a_half_closed_client_is_still_read() -> None:
    reader = RequestReader()
    reader.feed(POST)
    reader.feed_eof()
    assert isinstance(reader.next_event(), RequestHead)
    assert [reader.next_event() for _ in range(3)] == [Data(b"hello"), EndOfMessage(), None]


def test_a_fault_is_final_and_keeps_nothing() -> None:
    reader = RequestReader()
    reader.feed(b"GET /a?secret=1 HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\tc\r\n\r\n")
    for _ in range(2):
        with pytest.raises(RequestError, match="obs-fold"):
            reader.next_event()
        reader.feed(BROWSER)
        assert reader.buffered == 0
    assert reader.excerpt == "GET /a?..."


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"GET /\xe9\x1b[31m HTTP/1.1\r\n\r\n", "GET /\xe9\x1b[31m HTTP/1.1"),
        (b"GET /" + b"a" * 200 + b"\x00\r\n\r\n", "GET /" + "a" * 115),
        (b"GET /" + b"a" * 109 + b"85073003328 HTTP/1.1\n\n", "GET /" + "a" * 109),
        (b"A\nB", "A"),
        (b"\r\n\r\n", ""),
        (b"GET /a;jsessionid=s HTTP/1.1\n\n", "GET /a;..."),
        (b"GET /a#access_token=s HTTP/1.1\n\n", "GET /a#..."),
        (b"GET https://jan:secret@a.example/b HTTP/1.1\r\nHost: b\r\n\r\n", "GET https://...a.example/b HTTP/1.1"),
        (b"GET https://" + b"a" * 120 + b"@a/ HTTP/1.1\n\n", "GET https://..."),
        (b"GET https:/jan:secret@a/b HTTP/1.1\n\n", "GET https:..."),
        (b"//@" * 40 + b"\n\n", "//..." * 24),
        (b"word=secret&user=jan\n\n", "word=..."),
        (b'{"password": "secret"}\n\n', "{..."),
        (b"Cookie: a=b\n\n", "Cookie:..."),
    ],
)
def test_an_excerpt_is_bounded_and_holds_no_secret(raw: bytes, shown: str) -> None:
    """It is hostile text still: the ledger writes every text so that it cannot mislead."""
    reader = RequestReader()
    reader.feed(raw)
    with pytest.raises(RequestError):
        reader.next_event()
    assert reader.excerpt == shown


def test_bytes_behind_an_upgrade_are_handed_over_and_not_read() -> None:
    """THREATS row 18."""
    reader = RequestReader()
    reader.feed(
        request(
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        + b"\x81\x85early"
    )
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    assert head.upgrade_websocket
    assert [reader.next_event(), reader.next_event()] == [EndOfMessage(), None]
    assert reader.take_rest() == b"\x81\x85early"
    assert reader.buffered == 0


def test_a_head_that_takes_too_long_is_a_fault_like_another() -> None:
    reader = RequestReader()
    reader.feed(b"HEAD /a?secret=1 HTTP/1.1\r\nHost: a\r\n")
    assert reader.next_event() is None
    fault = reader.too_slow()
    assert (fault.reason, fault.status) == ("too_slow", 408)
    assert reader.excerpt == "HEAD /a?..."
    reader.feed(b"\r\n")
    assert reader.buffered == 0
    with pytest.raises(RequestError, match="in time"):
        reader.next_event()


@pytest.mark.parametrize(
    ("limits", "raw", "status"),
    [
        (Limits(header_bytes=len(BROWSER) - 1), BROWSER, 431),
        (Limits(field_count=14), BROWSER, 431),
        (Limits(target_bytes=8), request(start="GET /a?b=cdef HTTP/1.1"), 414),
        (Limits(header_bytes=100), b"GET /" + b"a" * 200, 414),
        (Limits(header_bytes=100), b"GET /" + b"a" * 200 + b" HTTP/1.1\r\n\r\n", 414),
        (Limits(header_bytes=100), b"GET / HTTP/1.1\r\nX: " + b"a" * 200, 431),
    ],
)
def test_limits(limits: Limits, raw: bytes, status: int) -> None:
    for step in (1, len(raw)):
        reader = RequestReader(limits)
        for i in range(0, len(raw) - step, step):
            reader.feed(raw[i : i + step])
            with suppress(RequestError):
                reader.next_event()
        reader.feed(raw[-step:])
        with pytest.raises(RequestError) as caught:
            reader.next_event()
        assert (caught.value.reason, caught.value.status) == ("too_large", status)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(header_bytes=len(BROWSER)),
        Limits(field_count=15),
        Limits(target_bytes=len("/dossier/dossiers/123?view=full&r=https%3A%2F%2Fa")),
    ],
)
def test_limits_are_inclusive(limits: Limits) -> None:
    reader = RequestReader(limits)
    reader.feed(BROWSER)
    assert isinstance(reader.next_event(), RequestHead)


def test_an_answer_and_then_nothing() -> None:
    reader = ResponseReader("GET")
    reader.feed(response("Content-Length: 5", body=b"hello"))
    assert isinstance(reader.next_event(), ResponseHead)
    assert [reader.next_event() for _ in range(4)] == [Data(b"hello"), EndOfMessage(), None, None]
    reader.feed_eof()
    assert reader.next_event() is None
    reader.feed(b"x")
    for _ in range(2):
        with pytest.raises(ResponseError, match="behind the end"):
            reader.next_event()
    reader.feed(b"x")
    assert reader.buffered == 0


def test_an_answer_until_close() -> None:
    reader = ResponseReader("GET")
    reader.feed(response(body=b"a"))
    assert isinstance(reader.next_event(), ResponseHead)
    assert [reader.next_event(), reader.next_event()] == [Data(b"a"), None]
    reader.feed(b"b")
    reader.feed_eof()
    assert [reader.next_event() for _ in range(3)] == [Data(b"b"), EndOfMessage(), None]


def test_after_101_the_rest_is_not_http() -> None:
    reader = ResponseReader("GET", True)
    reader.feed(
        response(start="HTTP/1.1 100 Continue")
        + response(*SWITCH, start="HTTP/1.1 101 Switching Protocols", body=b"\x81\x00")
    )
    reader.next_event()
    head = reader.next_event()
    assert isinstance(head, InformationalHead)
    assert head.status == 101
    assert reader.next_event() is None
    assert reader.take_rest() == b"\x81\x00"
    reader.feed_eof()
    assert reader.next_event() is None


def test_a_refused_websocket_is_an_ordinary_answer() -> None:
    events, error = read_response(
        [response("Content-Length: 2", start="HTTP/1.1 403 Forbidden", body=b"no")], websocket=True
    )
    assert error is None
    assert body_of(events) == b"no"


def test_a_response_is_refused_with_its_first_bytes() -> None:
    for first in (b"<", b"HTTP/2", b"\x15\x03"):
        reader = ResponseReader("GET")
        reader.feed(first)
        with pytest.raises(ResponseError):
            reader.next_event()


def test_fields_alone_name_the_field_of_a_control() -> None:
    with pytest.raises(GatewayError, match="'X'"):
        read_fields("A: b\r\nX: \x01\r\n", REQUEST_FIELDS, 10)


def test_excerpts() -> None:
    assert excerpt("X\u202e\n") == "'X\\u202e\\n'"
    assert excerpt("abc", 2) == "'ab'..."


MESSAGES = st.lists(
    st.sampled_from([BROWSER, POST, CHUNKS, b"\r\n" + BROWSER, request("Connection: close")]), max_size=4
).map(b"".join)
HOSTILE = st.lists(
    st.sampled_from(
        [
            b"GET ", b"POST ", b"/ ", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\r", b"\n", b"Host: a", b"Content-Length: ", b"5", b"Transfer-Encoding: ",
            b"chunked", b"0", b":", b" ", b"\t", b"\0", b"X", b"_", b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"\xff", b"101", b"Upgrade: websocket",
        ]
    ),
    max_size=24,
).map(b"".join)  # fmt: skip


@given(MESSAGES, st.lists(st.integers(0, 2500), max_size=8))
def test_events_do_not_depend_on_the_pieces(raw: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(places)]
    whole, error = read_requests([raw])
    assert error is None
    assert read_requests(pieces) == (whole, None)
    assert read_requests([raw[i : i + 1] for i in range(len(raw))]) == (whole, None)


@given(st.binary(max_size=200) | HOSTILE | st.tuples(MESSAGES, HOSTILE).map(b"".join))
def test_hostile_bytes_raise_only_our_errors_whatever_the_pieces(raw: bytes) -> None:
    events, error = read_requests([raw])
    again, same = read_requests([raw[i : i + 1] for i in range(len(raw))])
    assert events == again
    assert str(error) == str(same)
    answer, fault = read_response([raw])
    bytewise, same_fault = read_response([raw[i : i + 1] for i in range(len(raw))])
    assert str(fault) == str(same_fault)
    assert body_of(answer) == body_of(bytewise)


@given(st.integers(0, len(BROWSER) - 1), st.integers(0, 255))
def test_one_changed_byte_raises_only_our_errors(place: int, byte: int) -> None:
    raw = BROWSER[:place] + bytes([byte]) + BROWSER[place + 1 :]
    events, error = read_requests([raw])
    assert read_requests([raw[i : i + 1] for i in range(len(raw))])[0] == events
    if error is None:
        assert isinstance(events[0], RequestHead)
