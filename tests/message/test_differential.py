"""Independent readers on the same bytes: whatever ours accepts, h11 and llhttp (by httptools) read alike.

The other way round they differ by design: ours refuses much that they accept. Where ours accepts and another refuses, the
difference is listed here and argued; the strategies below keep away from nothing else.

1. One empty line before a request (RFC 9112 section 2.2: SHOULD be ignored). h11 refuses it; llhttp ignores it.
2. Registered methods that llhttp does not know (VERSION-CONTROL, UPDATEREDIRECTREF …): it refuses them, h11 does not.
3. A status line without the space before an empty reason: llhttp refuses it in its strict mode; h11 accepts it.
4. Trailing white space in a value: llhttp hands it on, h11 and ours strip it (RFC 9112 section 5.1). Compared stripped.
5. Absolute-form targets and normalised paths: the others hand on the raw target. Compared after the same canonicaliser.
6. After a websocket handshake llhttp stops reading HTTP, ours waits to be told. Compared up to there.
7. A request with "Connection: close" (or HTTP/1.0 without keep-alive): h11 and llhttp read nothing behind it, ours leaves
   that to the caller, who knows `keep_alive`. Compared up to there. h11 knows no keep-alive of HTTP/1.0 at all.
8. Chunk extensions with a quoted string that holds obs-text or an escaped character: llhttp refuses some. Not generated.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import accumulate, takewhile
from typing import NamedTuple

import h11
import httptools
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from gateway.message import Data, EndOfMessage, RequestHead, ResponseHead, parse_target
from tests.message.dialogue import BROWSER, read_requests, read_response, request


class Message(NamedTuple):
    """What any reader says of one message."""

    start: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    body: bytes


def _field_values(pairs: object) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value.strip(" \t")) for name, value in pairs)  # type: ignore[attr-defined]


def _ours(events: list[object]) -> list[Message]:
    """The complete requests."""
    messages: list[Message] = []
    head: RequestHead | None = None
    body = b""
    for item in events:
        if isinstance(item, RequestHead):
            head, body = item, b""
        elif isinstance(item, Data):
            body += item.data
        elif isinstance(item, EndOfMessage):
            assert head is not None
            messages.append(Message((head.method, head.target.encoded, head.version), _field_values(head.fields), body))
            if not head.keep_alive or head.upgrade_websocket:
                break
    return messages


def _h11(raw: bytes) -> list[Message]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(raw)
    messages: list[Message] = []
    start: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    body = b""
    while True:
        item = connection.next_event()
        if isinstance(item, h11.Request):
            start = (item.method.decode(), item.target.decode("latin-1"), item.http_version.decode())
            fields, body = _field_values((n.decode("latin-1"), v.decode("latin-1")) for n, v in item.headers), b""
        elif isinstance(item, h11.Data):
            body += bytes(item.data)
        elif isinstance(item, h11.EndOfMessage):
            messages.append(Message(start, fields, body))
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return messages
            connection.start_next_cycle()
        else:
            return messages


class _Llhttp:
    """Collects the messages of httptools' callbacks."""

    def __init__(self, *, response: bool = False) -> None:
        self.messages: list[Message] = []
        self.parser = httptools.HttpResponseParser(self) if response else httptools.HttpRequestParser(self)
        self.response = response

    def on_message_begin(self) -> None:
        self.url, self.body, self.fields = b"", b"", []  # type: ignore[var-annotated]
        self.ended_head = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.ended_head:  # trailers come by the same callback
            self.fields.append((name.decode("latin-1"), (value or b"").decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.ended_head = True
        version = self.parser.get_http_version()
        if self.response:
            self.start = (str(self.parser.get_status_code()), version)
        else:
            self.start = (self.parser.get_method().decode(), self.url.decode("latin-1"), version)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages.append(Message(self.start, _field_values(self.fields), self.body))


def _httptools(raw: bytes, *, response: bool = False) -> list[Message]:
    collector = _Llhttp(response=response)
    with suppress(httptools.HttpParserUpgrade):
        collector.parser.feed_data(raw)
    return collector.messages


KNOWN_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
METHODS = st.sampled_from(KNOWN_METHODS)
TARGETS = st.sampled_from(["/", "/a", "/a/b?c=d&e[]=%2F", "/caf%C3%A9", "/?", "/.well-known/x"])
LINES = st.sampled_from(
    [
        "X-A: b", "x-a:b", "X-A: \t b \t", "X-A:", "X-A: ", "X-A: \xe9\x80", "Cookie: a=b; c=d", "Connection: keep-alive", "Connection: close",
        "Connection: X-A", "Expect: 100-continue", "Accept: a,b", "Accept: c", "Trailer: X-T", "TE: trailers", "A: " + "x" * 300,
    ]
)  # fmt: skip
CHUNKS = st.lists(
    st.tuples(
        st.sampled_from([b"%x", b"%X", b"0%x", b"%x;a", b"%x;a=b", b'%x;a="b c"']), st.binary(min_size=1, max_size=20)
    ).map(lambda pair: (pair[0] % len(pair[1])) + b"\r\n" + pair[1] + b"\r\n"),
    max_size=3,
).map(b"".join)
LAST = st.sampled_from([b"0\r\n\r\n", b"000\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\nX-T: y\r\n\r\n"])
# What smuggling is made of. One of them goes into a well-formed stream, anywhere.
TWISTS = st.sampled_from(
    [
        b"\n", b"\r", b"\r\n", b"\0", b" ", b"\t", b"\x0b", b":", b";", b",", b"0", b"5", b"+", b"_", b"\xff", b"\r\n ", b"\r\n\r\n", b"0\r\n\r\n",
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5, 5\r\n", b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding : chunked\r\n", b"Host: b.example\r\n",
        b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"X_A: b\r\n", b" X: y\r\n", b"X\r\n", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A well-formed request."""
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    framing, body = draw(
        st.just(([], b""))
        | st.binary(max_size=20).map(lambda data: ([f"Content-Length: {len(data)}"], data))
        | st.tuples(CHUNKS, LAST).map(lambda parts: (["Transfer-Encoding: chunked"], b"".join(parts)))
    )
    if version == "1.0" and framing and framing[0].startswith("T"):
        version = "1.1"
    lines = draw(st.permutations(["Host: a.example", *framing, *draw(st.lists(LINES, max_size=3))]))
    return "\r\n".join([f"{draw(METHODS)} {draw(TARGETS)} HTTP/{version}", *lines, "", ""]).encode("latin-1") + body


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """One to three requests, with at most one twist: after a line end as a rule, where it is worth most."""
    messages = draw(st.lists(requests(), min_size=1, max_size=3))
    raw = b"".join(messages)
    starts = [0, *accumulate(len(message) for message in messages)]
    if draw(st.booleans()):
        twist = draw(TWISTS)
        places = [place + 2 for place in range(len(raw)) if raw.startswith(b"\r\n", place)]
        place = draw(st.sampled_from(places) | st.integers(0, len(raw)))
        assume(twist != b"\r\n" or place not in starts)  # difference 1
        taken = draw(st.sampled_from([0, 0, 0, 1, 2]))
        raw = raw[:place] + twist + raw[place + taken :]
    return raw


def _compare(raw: bytes) -> None:
    events, error = read_requests([raw], eof=False)
    ours = _ours(events)
    event(f"{len(ours)} whole requests" if error is None else error.reason)
    if not ours:
        return
    # The others are given exactly the bytes that ours calls whole requests and whatever a fault may hide behind them.
    for name, theirs in (("h11", _tolerant(_h11, raw)), ("llhttp", _tolerant(_httptools, raw))):
        known = _through_http_1_0(ours) if name == "h11" else _before_unknown_methods(ours)
        assert theirs[: len(known)] == known, name


def _through_http_1_0(messages: list[Message]) -> list[Message]:
    """Difference 7: h11 reads nothing behind an HTTP/1.0 request."""
    versions = [message.start[2] for message in messages]
    return messages[: versions.index("1.0") + 1] if "1.0" in versions else messages


def _before_unknown_methods(messages: list[Message]) -> list[Message]:
    """Difference 2: llhttp refuses methods that it does not know, such as the AGET that a twist makes."""
    return list(takewhile(lambda message: message.start[0] in KNOWN_METHODS, messages))


def _tolerant(read: object, raw: bytes) -> list[Message]:
    """What a reader made of the longest prefix that it accepts: the whole, unless a later message is a fault for it too."""
    for end in (len(raw), *range(len(raw) - 1, 0, -1)):
        try:
            return read(raw[:end])  # type: ignore[operator, no-any-return]
        except (h11.RemoteProtocolError, httptools.HttpParserError):
            continue
    return []


@settings(max_examples=400, deadline=None)
@given(streams())
@example(BROWSER * 2)
@example(request("Content-Length: 0") + request("Transfer-Encoding: chunked", body=b"0\r\n\r\n") + BROWSER)
@example(request("X: \t y \t"))
def test_requests_are_read_alike(raw: bytes) -> None:
    _compare(raw)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(BROWSER) - 1), st.integers(0, 255), st.booleans())
def test_a_changed_or_added_byte_is_read_alike(place: int, byte: int, added: bool) -> None:
    raw = BROWSER[:place] + bytes([byte]) + BROWSER[place + (0 if added else 1) :]
    events, error = read_requests([raw], eof=False)
    ours = _ours(events)
    if error is not None or not ours:
        return
    assert _normal(_tolerant(_h11, raw)) == ours
    if _before_unknown_methods(ours):
        assert _normal(_tolerant(_httptools, raw)) == ours


def _normal(messages: list[Message]) -> list[Message]:
    """Difference 5: their raw target, through our canonicaliser."""
    return [
        message._replace(
            start=(message.start[0], parse_target(message.start[0], message.start[1]).encoded, message.start[2])
        )
        for message in messages
    ]


STATUS = st.sampled_from(
    ["200 OK"] * 6 + ["204 No Content", "304 Not Modified", "404 ", "500 X", "100 Continue", "600 X"]
)
BODIES = st.sampled_from(
    [
        b"",
        b"hello",
        b"0\r\n\r\n",
        b"3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
    ]
)
RESPONSE_FIELDS = st.sampled_from(
    [
        "Content-Length: 5", "Content-Length: 0", "content-length:5", "Content-Length: 05", "Content-Length: 5, 5", "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip", "Connection: close", "Connection: keep-alive", "X_Y: z", "X: \t z ", "X : y", " X: y", "X: a\rb", "Set-Cookie: a=b",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(STATUS, st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]), st.lists(RESPONSE_FIELDS, max_size=3), BODIES)
def test_responses_are_read_alike(status: str, version: str, lines: list[str], body: bytes) -> None:
    raw = "\r\n".join([f"{version} {status}", *lines, "", ""]).encode("latin-1") + body
    events, error = read_response([raw])
    heads = [item for item in events if isinstance(item, ResponseHead)]
    event("accepted" if error is None else error.detail)
    if error is not None:
        return
    (head,) = heads
    whole = b"".join(item.data for item in events if isinstance(item, Data))
    ours = Message((str(head.status), version[5:]), _field_values(head.fields), whole)

    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    connection.receive_data(b"")
    fields: tuple[tuple[str, str], ...] = ()
    code, data = "", b""
    while not isinstance(item := connection.next_event(), (h11.EndOfMessage, h11.ConnectionClosed)):
        if isinstance(item, h11.Response):
            code, fields = (
                str(item.status_code),
                _field_values((n.decode("latin-1"), v.decode("latin-1")) for n, v in item.headers),
            )
        elif isinstance(item, h11.Data):
            data += bytes(item.data)
    assert (code, fields, data) == (ours.start[0], ours.fields, ours.body)

    collector = _Llhttp(response=True)
    collector.parser.feed_data(raw)
    if not collector.messages:  # until close: llhttp is told of the end by nobody
        collector.on_message_complete()
    assert collector.messages[0] == ours
