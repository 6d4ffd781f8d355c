"""Bodies, chunked ones above all (RFC 9112 section 7.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RequestError
from gateway.message import END_OF_MESSAGE, Data, EndOfMessage, RequestHead, RequestReader
from tests.message.dialogue import body_of, read_requests, read_response, request, response

CHUNKED_REQUEST = request("Transfer-Encoding: chunked", start="POST / HTTP/1.1")
CHUNKED_RESPONSE = response("Transfer-Encoding: chunked")

ACCEPTED = [
    (b"0\r\n\r\n", b""),
    (b"000000000000000\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
    (b"5\r\n\r\n\0\r\n\r\n0\r\n\r\n", b"\r\n\0\r\n"),
    (b"5;a\r\nhello\r\n0;b=c\r\n\r\n", b"hello"),
    (b'5;a="b;\\"c\t";d=e\r\nhello\r\n0\r\n\r\n', b"hello"),
    (b"1\r\na\r\n0\r\nServer-Timing: x\r\nX-Checksum:\r\n\r\n", b"a"),
]
REFUSED = {
    "no size": b"\r\n",
    "no digit": b"x\r\nhello\r\n0\r\n\r\n",
    "a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "digits that are not ASCII": b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
    "17 digits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "16 digits": b"0000000000000005\r\nhello\r\n0\r\n\r\n",
    "space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "tab behind the size": b"5\t\r\nhello\r\n0\r\n\r\n",
    "space before an extension": b"5 ;a\r\nhello\r\n0\r\n\r\n",
    "space behind the semicolon": b"5; a\r\nhello\r\n0\r\n\r\n",
    "an empty extension": b"5;\r\nhello\r\n0\r\n\r\n",
    "an extension without a value": b"5;a=\r\nhello\r\n0\r\n\r\n",
    "an extension without end": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "a control in an extension": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "bare LF": b"5\nhello\r\n0\r\n\r\n",
    "bare LF behind an extension": b"5;a\nhello\r\n0\r\n\r\n",
    "bare LF within an extension": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "bare CR": b"5\rhello\r\n0\r\n\r\n",
    "bare CR within an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "CR CR LF": b"5\r\r\nhello\r\n0\r\n\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "bare CR behind the data": b"5\r\nhello\r0\r\n\r\n",
    "longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
    "shorter than its size": b"6\r\nhello\r\n0\r\n\r\n",
    "a long line": b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "a line without end": b"5;" + b"a" * 300,
    "extensions without end": (b"1;" + b"a" * 200 + b"\r\nx\r\n") * 21 + b"0\r\n\r\n",
    "bare LF for the end": b"0\r\n\n",
    "bare LF behind the last size": b"0\n\r\n",
    "a trailer without a colon": b"0\r\nX\r\n\r\n",
    "a folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "space before the colon of a trailer": b"0\r\nX : a\r\n\r\n",
    "a control in a trailer": b"0\r\nX: \x01\r\n\r\n",
    "bare LF in a trailer": b"0\r\nX: a\nY: b\r\n\r\n",
    "a request for a trailer": b"0\r\nGET / HTTP/1.1\r\n\r\n",
}
MEANINGFUL = [
    "Content-Length", "Transfer-Encoding", "Host", "Connection", "Upgrade", "TE", "Trailer", "Authorization", "Cookie", "Set-Cookie",
    "Expect", "Content-Type", "Content-Encoding", "Content-Range", "If-None-Match", "Range", "Cache-Control", "Location", "Origin",
    "Sec-Fetch-Site", "User-Agent", "X-Forwarded-For", "X-Gateway-Assertion", "X-Remote-User", "Forwarded", "Strict-Transport-Security",
    "Clear-Site-Data", "Access-Control-Allow-Origin",
]  # fmt: skip


@pytest.mark.parametrize(("raw", "body"), ACCEPTED)
def test_chunks(raw: bytes, body: bytes) -> None:
    for events, error in (read_requests([CHUNKED_REQUEST + raw]), read_response([CHUNKED_RESPONSE + raw])):
        assert error is None
        assert body_of(events) == body
        assert isinstance(events[-1], EndOfMessage)


@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in REFUSED.items()])
def test_refused_chunks(raw: bytes) -> None:
    whole, error = read_requests([CHUNKED_REQUEST + raw])
    pieces, again = read_requests([CHUNKED_REQUEST, *(raw[i : i + 1] for i in range(len(raw)))])
    assert error is not None
    assert again is not None
    assert (error.reason, error.status) == (again.reason, again.status) == ("malformed", 400)
    assert error.detail == again.detail
    assert whole == pieces
    assert not any(isinstance(event, EndOfMessage) for event in whole)
    _, answer = read_response([CHUNKED_RESPONSE + raw])
    assert answer is not None
    assert answer.reason == "origin_malformed"


@pytest.mark.parametrize("name", MEANINGFUL)
@pytest.mark.parametrize("spell", [str, str.lower, str.upper])
def test_trailers_that_would_change_the_message(name: str, spell: object) -> None:
    """THREATS row 5, RFC 9110 section 6.5.1."""
    raw = f"0\r\n{spell(name)}: x\r\n\r\n".encode()  # type: ignore[operator]
    _, error = read_requests([CHUNKED_REQUEST + raw])
    assert error is not None
    assert error.reason == "field_refused"
    assert read_response([CHUNKED_RESPONSE + raw])[1] is not None


def test_trailer_names_are_those_of_fields() -> None:
    _, error = read_requests([CHUNKED_REQUEST + b"0\r\nX_Y: z\r\n\r\n"])
    assert error is not None
    assert error.reason == "field_refused"
    assert read_response([CHUNKED_RESPONSE + b"0\r\nX_Y: z\r\n\r\n"])[1] is None


@pytest.mark.parametrize("raw", [b"0\r\nX: " + b"a" * 5000 + b"\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"])
def test_too_many_trailers(raw: bytes) -> None:
    _, error = read_requests([CHUNKED_REQUEST + raw])
    assert error is not None
    assert (error.reason, error.status) == ("too_large", 431)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 7))
def test_any_data_in_any_pieces(chunks: list[bytes], step: int) -> None:
    raw = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    events, error = read_requests([CHUNKED_REQUEST, *(raw[i : i + step] for i in range(0, len(raw), step))])
    assert error is None
    assert body_of(events) == b"".join(chunks)
    assert isinstance(events[-1], EndOfMessage)


CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def ahead(*pieces: bytes) -> tuple[RequestReader, list[object]]:
    """The reader after a head that was looked ahead of, and the events until it wants more."""
    reader = RequestReader()
    reader.feed(pieces[0])
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    reader.look_ahead(head)
    for piece in pieces[1:]:
        reader.feed(piece)
    return reader, list(iter(reader.next_event, None))


@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED_HEAD + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",),
        (CHUNKED_HEAD + b"3\r\nabc\r\n2\r\nd", b"e\r\n0\r\n\r\n"),
        (CHUNKED_HEAD, b"5\r\nabcde\r\n0\r\n\r\n"),
        (CHUNKED_HEAD + b"5", b"\r\nabcde\r\n0\r\n\r\n"),
    ],
)
def test_looking_ahead_changes_no_event(pieces: tuple[bytes, ...]) -> None:
    reader, events = ahead(*pieces)
    assert b"".join(item.data for item in events if isinstance(item, Data)) == b"abcde"
    assert events[-1] is END_OF_MESSAGE
    reader.start_next()
    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(reader.next_event(), RequestHead)


def test_looking_ahead_finds_what_came_with_the_head() -> None:
    reader = RequestReader()
    reader.feed(CHUNKED_HEAD + b"1\r\na\r\n1\nb\r\n0\r\n\r\n")
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    for _ in range(2):
        with pytest.raises(RequestError, match="chunk-size line"):
            reader.look_ahead(head) if reader.buffered else reader.next_event()
    assert (reader.excerpt, reader.buffered) == ("POST /", 0)
