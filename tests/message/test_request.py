"""Request heads: one row a rule, with where the rule comes from."""

import pytest

from gateway.message import CHUNKED, NO_BODY, Authority, ContentLength, Target
from tests.message.dialogue import BROWSER, one_request, read_requests, refused_request, request

WEBSOCKET = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def test_a_browser() -> None:
    head = one_request(BROWSER)
    assert head.method == "GET"
    assert head.target == Target("/dossier/dossiers/123", "view=full&r=https%3A%2F%2Fa")
    assert head.version == "1.1"
    assert head.host == Authority("dossier.localhost", 8443)
    assert head.framing == NO_BODY
    assert head.keep_alive
    assert not head.expect_continue
    assert not head.upgrade_websocket
    assert len(head.fields) == 15
    assert head.fields.get("sec-fetch-mode") == "navigate"
    assert head.fields.get("cookie") == "__Host-gw=AAAA; theme=caf\xc3\xa9"
    assert list(head.fields)[2] == ("sec-ch-ua", '"Chromium";v="129", "Not=A?Brand";v="8"')


MALFORMED = {
    "RFC 9112 2.2: bare LF": b"GET / HTTP/1.1\nHost: a.example\n\n",
    "RFC 9112 2.2: bare LF after one line": b"GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n",
    "RFC 9112 2.2: bare LF before the end": b"GET / HTTP/1.1\r\nHost: a.example\r\n\n",
    "RFC 9112 2.2: bare CR in a value": request("X: a\rb"),
    "RFC 9112 2.2: bare CR as a line end": b"GET / HTTP/1.1\rHost: a.example\r\n\r\n",
    "RFC 9112 2.2: CR CR LF": request("X: a\r"),
    "RFC 9112 2.2: white space before the first field": request(" Host: a.example", host=None),
    "RFC 9112 2.2: tab before the first field": request("\tHost: a.example", host=None),
    "RFC 9112 2.2: two empty lines before": b"\r\n\r\n" + request(),
    "RFC 9112 2.2: space before the request line": b" " + request(),
    "RFC 9112 3: two spaces after the method": request(start="GET  / HTTP/1.1"),
    "RFC 9112 3: two spaces before the version": request(start="GET /  HTTP/1.1"),
    "RFC 9112 3: a space behind the version": request(start="GET / HTTP/1.1 "),
    "RFC 9112 3: tabs": request(start="GET\t/\tHTTP/1.1"),
    "RFC 9112 3: a tab in the target": request(start="GET /\tx HTTP/1.1"),
    "RFC 9112 3: a space in the target": request(start="GET /a b HTTP/1.1"),
    "RFC 9112 3: no target": request(start="GET HTTP/1.1"),
    "RFC 9112 3: an empty target": request(start="GET  HTTP/1.1"),
    "RFC 9112 3: no method": request(start=" / HTTP/1.1"),
    "RFC 9112 3: HTTP/0.9": b"GET /\r\n\r\n",
    "RFC 9112 2.3: HTTP/1.2": request(start="GET / HTTP/1.2"),
    "RFC 9112 2.3: HTTP/2.0": request(start="GET / HTTP/2.0"),
    "RFC 9112 2.3: HTTP/1.10": request(start="GET / HTTP/1.10"),
    "RFC 9112 2.3: HTTP/01.1": request(start="GET / HTTP/01.1"),
    "RFC 9112 2.3: http/1.1": request(start="GET / http/1.1"),
    "RFC 9112 2.3: HTTP/1": request(start="GET / HTTP/1"),
    "RFC 9112 2.3: HTTPS/1.1": request(start="GET / HTTPS/1.1"),
    "RFC 9113 3.4: the h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "RFC 9110 9.1: a lower-case method": request(start="get / HTTP/1.1"),
    "RFC 9110 9.1: a mixed-case method": request(start="tRACE / HTTP/1.1"),
    "RFC 9110 9.1: no token": request(start="G@T / HTTP/1.1"),
    "RFC 9110 9.1: a method without end": request(start="A" * 25 + " / HTTP/1.1"),
    "RFC 9110 9.3.6: CONNECT": request(start="CONNECT a.example:443 HTTP/1.1"),
    "RFC 9110 9.3.8: TRACE": request(start="TRACE / HTTP/1.1"),
    "RFC 9112 3.2: no Host": request(host=None),
    "RFC 9112 3.2: no Host in HTTP/1.0": request(host=None, start="GET / HTTP/1.0"),
    "RFC 9112 3.2: two Hosts": request("Host: a.example"),
    "RFC 9112 3.2: two Hosts that differ": request("Host: b.example"),
    "RFC 9112 3.2: two Hosts, another spelling": request("hOST: b.example"),
    "RFC 9112 3.2: a list of Hosts": request(host="a.example, b.example"),
    "RFC 9112 3.2: an empty Host": request(host=""),
    "RFC 9110 4.2.4: userinfo": request(host="user@a.example"),
    "RFC 9110 4.2: a bad port": request(host="a.example:99999"),
    "RFC 9112 5.1: space before the colon": request("X : y"),
    "RFC 9112 5.1: tab before the colon": request("X\t: y"),
    "RFC 9112 5.1: space before the colon of a framing field": request("Transfer-Encoding : chunked"),
    "RFC 9112 5.2: obs-fold": request("X: a", " b"),
    "RFC 9112 5.2: obs-fold with a tab": request("X: a", "\tb"),
    "RFC 9112 5: no colon": request("X"),
    "RFC 9112 5: an empty name": request(": y"),
    "RFC 9110 5.1: a space in a name": request("X Y: z"),
    "RFC 9110 5.1: a non-ASCII name": request("X\xe9: y"),
    "RFC 9110 5.1: no token": request("X@: y"),
    "RFC 9110 5.5: NUL": request("X: a\0b"),
    "RFC 9110 5.5: a control": request("X: a\x01b"),
    "RFC 9110 5.5: DEL": request("X: a\x7fb"),
    "RFC 9110 5.5: a vertical tab": request("X: \x0bchunked"),
    "RFC 9110 5.5: NUL in a name": request("X\0: a"),
    "RFC 9110 5.5: NUL in the request line": request(start="GET /\0 HTTP/1.1"),
    "RFC 9110 5.3: two Origins": request("Origin: https://a.example", "Origin: https://b.example"),
    "RFC 9110 5.3: two user agents": request("User-Agent: a", "user-agent: b"),
    "RFC 9110 5.3: two Authorizations": request("Authorization: a", "Authorization: b"),
    "RFC 6455 4.2.1: no key": request(*WEBSOCKET[:3]),
    "RFC 6455 4.2.1: a short key": request(*WEBSOCKET[:3], "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="),
    "RFC 6455 4.2.1: another version": request(*WEBSOCKET[:2], "Sec-WebSocket-Version: 8", WEBSOCKET[3]),
    "RFC 6455 4.2.1: no version": request(*WEBSOCKET[:2], WEBSOCKET[3]),
    "RFC 6455 4.2.1: no Connection": request(*WEBSOCKET[1:]),
    "RFC 6455 4.2.1: Connection without upgrade": request("Connection: keep-alive", *WEBSOCKET[1:]),
    "RFC 6455 4.2.1: POST": request(*WEBSOCKET, start="POST / HTTP/1.1"),
    "RFC 6455 4.2.1: HTTP/1.0": request(*WEBSOCKET, start="GET / HTTP/1.0"),
    "RFC 6455 4.2.1: with a body": request(*WEBSOCKET, "Content-Length: 1", body=b"x"),
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
}

AMBIGUOUS = {
    "RFC 9112 6.1: both": request("Content-Length: 5", "Transfer-Encoding: chunked"),
    "RFC 9112 6.1: both, the other order": request("Transfer-Encoding: chunked", "Content-Length: 5"),
    "RFC 9112 6.1: in HTTP/1.0": request("Transfer-Encoding: chunked", start="POST / HTTP/1.0"),
    "RFC 9112 6.1: identity": request("Transfer-Encoding: identity"),
    "RFC 9112 6.1: a list": request("Transfer-Encoding: gzip, chunked"),
    "RFC 9112 6.1: chunked twice": request("Transfer-Encoding: chunked, chunked"),
    "RFC 9112 6.1: two lines": request("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "RFC 9112 6.1: two lines that differ": request("Transfer-Encoding: chunked", "Transfer-encoding: cow"),
    "RFC 9112 6.1: a parameter": request("Transfer-Encoding: chunked;q=1"),
    "RFC 9112 6.1: xchunked": request("Transfer-Encoding: xchunked"),
    "RFC 9112 6.1: quoted": request('Transfer-Encoding: "chunked"'),
    "RFC 9112 6.1: another spelling": request("Transfer-Encoding: Chunked"),
    "RFC 9112 6.1: a tab behind it": request("Transfer-Encoding: chunked\t"),
    "RFC 9112 6.1: a tab before it": request("Transfer-Encoding: \tchunked"),
    "RFC 9112 6.1: empty": request("Transfer-Encoding:"),
    "RFC 9112 6.1: a trailing comma": request("Transfer-Encoding: chunked,"),
    "RFC 9112 6.3: two lengths": request("Content-Length: 5", "Content-Length: 6"),
    "RFC 9112 6.3: the same length twice": request("Content-Length: 5", "Content-Length: 5"),
    "RFC 9112 6.3: a list": request("Content-Length: 5, 5"),
    "RFC 9110 8.6: plus": request("Content-Length: +5"),
    "RFC 9110 8.6: minus": request("Content-Length: -5"),
    "RFC 9110 8.6: minus nothing": request("Content-Length: -0"),
    "RFC 9110 8.6: underscore": request("Content-Length: 1_0"),
    "RFC 9110 8.6: hexadecimal": request("Content-Length: 0x5"),
    "RFC 9110 8.6: a leading zero": request("Content-Length: 05"),
    "RFC 9110 8.6: a fraction": request("Content-Length: 5.0"),
    "RFC 9110 8.6: white space inside": request("Content-Length: 5 5"),
    "RFC 9110 8.6: empty": request("Content-Length:"),
    "RFC 9110 8.6: not ASCII": request(b"Content-Length: \xb2"),
    "RFC 9110 8.6: not ASCII (UTF-8)": request("Content-Length: \u0665".encode()),
    "RFC 9110 8.6: more than 2^63": request("Content-Length: 9999999999999999999"),
    "RFC 9110 8.6: endless": request("Content-Length: " + "1" * 5000),
}

REFUSED_FIELDS = {
    "THREATS 2: underscore": request("X_Remote_User: admin"),
    "THREATS 2: underscore in a framing field": request("Content_Length: 5"),
    "THREATS 2: dot": request("X.Remote.User: admin"),
    "THREATS 2: other tokens": request("X!: y"),
    "THREATS 2: apostrophe": request("X'Y: z"),
    "RFC 9113 3.1: h2c": request(
        "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
    ),
    "RFC 9110 7.8: h2c beside websocket": request(*WEBSOCKET[:1], "Upgrade: websocket, h2c", *WEBSOCKET[2:]),
    "RFC 9110 7.8: TLS": request("Connection: Upgrade", "Upgrade: TLS/1.0"),
    "RFC 9110 7.8: nothing": request("Connection: Upgrade", "Upgrade:"),
}

UNSAFE = {
    "RFC 9112 3.2.2: disagrees with Host": request(start="GET https://b.example/ HTTP/1.1"),
    "RFC 9112 3.2.2: another port": request(start="GET https://a.example:8443/ HTTP/1.1"),
    "B3: absolute-form over http": request(start="GET http://a.example/ HTTP/1.1"),
    "RFC 9112 3.2.4: asterisk without OPTIONS": request(start="GET * HTTP/1.1"),
    "RFC 9112 3.2.3: authority-form": request(start="GET a.example:443 HTTP/1.1"),
    "RFC 9112 3.2: fragment": request(start="GET /# HTTP/1.1"),
    "RFC 9112 3.2: not ASCII": request(start="GET /\xe9 HTTP/1.1"),
    "THREATS 7: dot segment": request(start="GET /a/../b HTTP/1.1"),
}


def _rows(table: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in table.items()])


@_rows(MALFORMED)
def test_malformed(raw: bytes) -> None:
    assert refused_request(raw) == ("malformed", 400)


@_rows(AMBIGUOUS)
def test_ambiguous_framing(raw: bytes) -> None:
    assert refused_request(raw) == ("ambiguous_framing", 400)


@_rows(REFUSED_FIELDS)
def test_refused_fields(raw: bytes) -> None:
    assert refused_request(raw) == ("field_refused", 400)


@_rows(UNSAFE)
def test_unsafe_targets(raw: bytes) -> None:
    assert refused_request(raw) == ("unsafe_target", 400)


@_rows({**MALFORMED, **AMBIGUOUS, **REFUSED_FIELDS, **UNSAFE})
def test_a_refusal_reads_nothing_more_and_does_not_depend_on_the_pieces(raw: bytes) -> None:
    whole, error = read_requests([raw + request()])
    pieces, again = read_requests([raw[i : i + 1] for i in range(len(raw))])
    assert whole == pieces == []
    assert error is not None
    assert again is not None
    assert (error.reason, error.detail, error.status) == (again.reason, again.detail, again.status)
    assert error.detail.isascii()
    assert error.detail.isprintable()


@pytest.mark.parametrize("value", ["200-ok", "100-continue, 100-continue", "", "100-continue, x", "100 continue"])
def test_other_expectations(value: str) -> None:
    """RFC 9110 section 10.1.1."""
    assert refused_request(request(f"Expect: {value}", "Content-Length: 5")) == ("field_refused", 417)


@pytest.mark.parametrize(
    ("lines", "start", "expected"),
    [
        (("Expect: 100-continue", "Content-Length: 5"), "POST / HTTP/1.1", True),
        (("Expect: 100-Continue", "Transfer-Encoding: chunked"), "PUT / HTTP/1.1", True),
        (("Expect: 100-continue", "Content-Length: 0"), "POST / HTTP/1.1", False),
        (("Expect: 100-continue",), "POST / HTTP/1.1", False),
        (("Expect: 100-continue", "Content-Length: 5"), "POST / HTTP/1.0", False),
        (("Content-Length: 5",), "POST / HTTP/1.1", False),
    ],
)
def test_expect_continue(lines: tuple[str, ...], start: str, expected: bool) -> None:
    events, error = read_requests([request(*lines, start=start)], eof=False)
    assert error is None
    assert events[0].expect_continue is expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        ("1.1", (), True),
        ("1.1", ("keep-alive",), True),
        ("1.1", ("close",), False),
        ("1.1", ("Close",), False),
        ("1.1", ("keep-alive", "X-Y, close"), False),
        ("1.1", ("",), True),
        ("1.0", (), False),
        ("1.0", ("keep-alive",), True),
        ("1.0", ("Keep-Alive, X",), True),
        ("1.0", ("X",), False),
        ("1.0", ("keep-alive, close",), False),
    ],
)
def test_keep_alive(version: str, connection: tuple[str, ...], expected: bool) -> None:
    """RFC 9112 section 9.3."""
    lines = [f"Connection: {value}" for value in connection]
    assert one_request(request(*lines, start=f"GET / HTTP/{version}")).keep_alive is expected


@pytest.mark.parametrize(
    ("lines", "body", "framing"),
    [
        ((), b"", NO_BODY),
        (("Content-Length: 0",), b"", ContentLength(0)),
        (("Content-Length: 5",), b"hello", ContentLength(5)),
        (("content-length:5 \t",), b"hello", ContentLength(5)),
        (("Transfer-Encoding: chunked",), b"0\r\n\r\n", CHUNKED),
    ],
)
def test_framing(lines: tuple[str, ...], body: bytes, framing: object) -> None:
    assert one_request(request(*lines, start="POST / HTTP/1.1", body=body)).framing == framing


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, Upgrade", "upgrade,keep-alive"])
def test_websocket_handshakes(upgrade: str, connection: str) -> None:
    head = one_request(
        request(f"Connection: {connection}", f"Upgrade: {upgrade}", *WEBSOCKET[2:], "Origin: https://a.example")
    )
    assert head.upgrade_websocket


@pytest.mark.parametrize(
    ("start", "host", "path"),
    [
        ("GET https://a.example/x HTTP/1.1", "a.example", "/x"),
        ("GET https://A.example:443/x HTTP/1.1", "a.example", "/x"),
        ("GET https://a.example HTTP/1.1", "a.example:443", "/"),
        ("GET https://a.example:8443/ HTTP/1.0", "a.example:8443", "/"),
        ("OPTIONS * HTTP/1.1", "a.example", "*"),
    ],
)
def test_target_forms(start: str, host: str, path: str) -> None:
    """RFC 9112 section 3.2."""
    assert one_request(request(start=start, host=host)).target.path == path


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "VERSION-CONTROL", "UPDATEREDIRECTREF"]
)
def test_registered_methods(method: str) -> None:
    assert one_request(request(start=f"{method} / HTTP/1.1")).method == method


def test_optional_white_space_and_opaque_octets() -> None:
    """RFC 9110 sections 5.5 and 5.6.3."""
    head = one_request(request("A:b", "C: \t d e\t ", "F:", "G: \t", "H: \xe9\x80"))
    assert list(head.fields)[1:] == [("A", "b"), ("C", "d e"), ("F", ""), ("G", ""), ("H", "\xe9\x80")]


def test_the_length_of_the_largest_accepted_body() -> None:
    events, error = read_requests([request("Content-Length: 999999999999999999")], eof=False)
    assert error is None
    assert events[0].framing == ContentLength(10**18 - 1)  # type: ignore[attr-defined]
