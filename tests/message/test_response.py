"""Response heads: one row a rule, with where the rule comes from."""

import pytest

from gateway.message import CHUNKED, NO_BODY, UNTIL_CLOSE, ContentLength, EndOfMessage, InformationalHead, ResponseHead
from tests.message.dialogue import body_of, one_response, read_response, response

SWITCH = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

REFUSED = {
    "RFC 9112 4: HTTP/0.9": b"<html>hello</html>",
    "RFC 9112 4: HTTP/2": response(start="HTTP/2 200"),
    "RFC 9112 4: HTTP/1.2": response(start="HTTP/1.2 200 OK"),
    "RFC 9112 4: lower case": response(start="http/1.1 200 OK"),
    "RFC 9112 4: two spaces": response(start="HTTP/1.1  200 OK"),
    "RFC 9112 4: no status": response(start="HTTP/1.1 OK"),
    "RFC 9112 4: two digits": response(start="HTTP/1.1 20 OK"),
    "RFC 9112 4: four digits": response(start="HTTP/1.1 2000 OK"),
    "RFC 9112 4: a sign": response(start="HTTP/1.1 +20 OK"),
    "RFC 9110 15: below 100": response(start="HTTP/1.1 099 X"),
    "RFC 9110 15: above 599": response(start="HTTP/1.1 600 X"),
    "RFC 9112 4: a control in the reason": response(start="HTTP/1.1 200 O\x01K"),
    "RFC 9112 2.2: an empty line before": b"\r\n" + response(),
    "RFC 9112 2.2: bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "RFC 9112 2.2: bare LF in the fields": response("X: a\nSet-Cookie: b"),
    "RFC 9112 2.2: bare CR": response("X: a\rb"),
    "RFC 9112 5.2: obs-fold": response("X: a", " b"),
    "RFC 9112 5.1: space before the colon": response("Content-Length : 0"),
    "RFC 9112 5: no colon": response("X"),
    "RFC 9110 5.1: no token": response("X@Y: z"),
    "RFC 9110 5.5: NUL": response("X: \0"),
    "RFC 9112 6.1: both framing fields": response("Content-Length: 0", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "RFC 9112 6.1: an unknown coding": response("Transfer-Encoding: gzip"),
    "RFC 9112 6.1: a tab behind the coding": response("Transfer-Encoding: chunked \t ", body=b"0\r\n\r\n"),
    "RFC 9112 6.1: a list of codings": response("Transfer-Encoding: gzip, chunked"),
    "RFC 9112 6.1: chunked in HTTP/1.0": response("Transfer-Encoding: chunked", start="HTTP/1.0 200 OK"),
    "RFC 9112 6.3: two lengths": response("Content-Length: 1", "Content-Length: 2", body=b"ab"),
    "RFC 9112 6.3: one length twice": response("Content-Length: 1", "Content-Length: 1", body=b"a"),
    "RFC 9112 6.3: a bad length": response("Content-Length: x"),
    "RFC 9110 15.2.2: a 101 that nobody asked for": response(*SWITCH, start="HTTP/1.1 101 Switching Protocols"),
    "RFC 9110 8.6: a 1xx with a length": response("Content-Length: 5", start="HTTP/1.1 103 Early Hints"),
    "RFC 9112 6.1: a 1xx with a coding": response("Transfer-Encoding: chunked", start="HTTP/1.1 100 Continue"),
    "RFC 9110 15.3.5: a 204 with a length": response(
        "Content-Length: 5", start="HTTP/1.1 204 No Content", body=b"hello"
    ),
    "RFC 9112 6.1: a 204 with a coding": response("Transfer-Encoding: chunked", start="HTTP/1.1 204 No Content"),
    "RFC 9110 15.3.5: a 204 with a body": response(start="HTTP/1.1 204 No Content", body=b"hello"),
    "RFC 9110 15.4.5: a 304 with a body": response(
        "Content-Length: 5", start="HTTP/1.1 304 Not Modified", body=b"hello"
    ),
    "RFC 9112 6.3: bytes behind the length": response("Content-Length: 1", body=b"ab"),
    "RFC 9112 6.3: a second response": response("Content-Length: 0") + response("Content-Length: 0"),
    "RFC 9112 7.1: bytes behind the chunks": response("Transfer-Encoding: chunked", body=b"0\r\n\r\nx"),
    "RFC 9112 8: nothing": b"",
    "RFC 9112 8: half a status line": b"HTTP/1.1 2",
    "RFC 9112 8: half a head": b"HTTP/1.1 200 OK\r\nX: y\r\n",
    "RFC 9112 8: half a body": response("Content-Length: 5", body=b"hell"),
    "RFC 9112 8: chunks without end": response("Transfer-Encoding: chunked", body=b"1\r\na\r\n"),
    "RFC 9112 8: only a 100": response(start="HTTP/1.1 100 Continue"),
    "issue of 1xx floods": response(start="HTTP/1.1 102 Processing") * 9 + response("Content-Length: 0"),
    "too many fields": response(*["X: y"] * 101),
    "too large": response("X: " + "y" * 40_000),
}


@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in REFUSED.items()])
def test_refused(raw: bytes) -> None:
    events, error = read_response([raw])
    assert error is not None
    assert error.reason == "origin_malformed"
    assert error.detail.isascii()
    assert not any(isinstance(event, EndOfMessage) for event in events)
    _, again = read_response([raw[i : i + 1] for i in range(len(raw))])
    assert again is not None
    assert again.detail == error.detail


@pytest.mark.parametrize(
    ("method", "raw", "framing", "keep_alive", "body"),
    [
        ("GET", response("Content-Length: 5", body=b"hello"), ContentLength(5), True, b"hello"),
        ("GET", response("Content-Length: 0"), ContentLength(0), True, b""),
        ("GET", response("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), CHUNKED, True, b"hello"),
        ("GET", response(body=b"hello"), UNTIL_CLOSE, False, b"hello"),
        ("GET", response("Connection: keep-alive", body=b""), UNTIL_CLOSE, False, b""),
        ("GET", response("Connection: close", "Content-Length: 0"), ContentLength(0), False, b""),
        ("GET", response("Content-Length: 0", start="HTTP/1.0 200 OK"), ContentLength(0), False, b""),
        (
            "GET",
            response("Content-Length: 0", "Connection: keep-alive", start="HTTP/1.0 200 OK"),
            ContentLength(0),
            True,
            b"",
        ),
        ("HEAD", response("Content-Length: 5"), NO_BODY, True, b""),
        ("HEAD", response("Transfer-Encoding: chunked"), NO_BODY, True, b""),
        ("HEAD", response(), NO_BODY, True, b""),
        ("GET", response("Content-Length: 5", start="HTTP/1.1 304 Not Modified"), NO_BODY, True, b""),
        ("GET", response("Transfer-Encoding: chunked", start="HTTP/1.1 304 Not Modified"), NO_BODY, True, b""),
        ("POST", response(start="HTTP/1.1 204 No Content"), NO_BODY, True, b""),
        ("POST", response("Content-Length: 0", start="HTTP/1.1 204 No Content"), NO_BODY, True, b""),
    ],
)
def test_framing(method: str, raw: bytes, framing: object, keep_alive: bool, body: bytes) -> None:
    events, error = read_response([raw], method)
    assert error is None
    head = events[0]
    assert isinstance(head, ResponseHead)
    assert head.framing == framing
    assert head.keep_alive is keep_alive
    assert body_of(events) == body
    assert isinstance(events[-1], EndOfMessage)


@pytest.mark.parametrize(
    ("start", "status", "reason"),
    [
        ("HTTP/1.1 200 OK", 200, "OK"),
        ("HTTP/1.1 200 ", 200, ""),
        ("HTTP/1.1 200", 200, ""),
        ("HTTP/1.0 599 Very \t odd \xe9", 599, "Very \t odd \xe9"),
    ],
)
def test_status_lines(start: str, status: int, reason: str) -> None:
    head = one_response(response("Content-Length: 0", start=start))
    assert (head.status, head.reason) == (status, reason)


def test_names_may_be_any_token() -> None:
    """RFC 9110 section 5.1: what reaches a browser has no aliases."""
    assert one_response(response("Content-Length: 0", "X_y.z!: a")).fields.get("x_y.z!") == "a"


def test_informational_heads_come_before_the_final_one() -> None:
    raw = (
        response(start="HTTP/1.1 100 Continue")
        + response("Link: </a>", start="HTTP/1.1 103 Early Hints")
        + response("Content-Length: 0")
    )
    events, error = read_response([raw])
    assert error is None
    assert [type(event) for event in events] == [InformationalHead, InformationalHead, ResponseHead, EndOfMessage]
    assert events[1].fields.get("link") == "</a>"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: Upgrade", SWITCH[2]),
        ("Upgrade: websocket", SWITCH[2]),
        ("Upgrade: h2c", "Connection: Upgrade"),
        ("Upgrade: websocket, h2c", "Connection: Upgrade"),
    ],
)
def test_a_101_has_to_switch_to_websocket(lines: tuple[str, ...]) -> None:
    _, error = read_response([response(*lines, start="HTTP/1.1 101 X")], websocket=True)
    assert error is not None
    assert "websocket" in error.detail


def test_a_101_of_http_1_0_is_refused() -> None:
    assert read_response([response(*SWITCH, start="HTTP/1.0 101 X")], websocket=True)[1] is not None
