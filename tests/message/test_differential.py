"""Independent readers on the same bytes: whatever ours accepts, h11 and llhttp (by httptools) read alike, or refuse.

The other way round they differ by design: ours refuses much that they accept. Where ours accepts and another refuses, or stops, the
difference stands in DIFFERENCES with the bytes that show it, and is argued in docs/fuzzing.md.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from tests.message.dialogue import BROWSER, request
from tests.message.independent import (
    Reading,
    by_h11,
    by_llhttp,
    disagreement,
    disagreement_on_response,
    our_response,
    ours,
)

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
    if draw(st.booleans()):
        twist = draw(TWISTS)
        places = [place + 2 for place in range(len(raw)) if raw.startswith(b"\r\n", place)]
        place = draw(st.sampled_from(places) | st.integers(0, len(raw)))
        taken = draw(st.sampled_from([0, 0, 0, 1, 2]))
        raw = raw[:place] + twist + raw[place + taken :]
    return raw


@settings(max_examples=400, deadline=None)
@given(streams())
@example(BROWSER * 2)
@example(request("Content-Length: 0") + request("Transfer-Encoding: chunked", body=b"0\r\n\r\n") + BROWSER)
@example(request("X: \t y \t"))
def test_requests_are_read_alike(raw: bytes) -> None:
    mine = ours(raw)
    event(f"{len(mine.messages)} whole requests" if not mine.refused else mine.refused[:60])
    assert disagreement(raw) == ""


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(BROWSER) - 1), st.integers(0, 255), st.booleans())
def test_a_changed_or_added_byte_is_read_alike(place: int, byte: int, added: bool) -> None:
    assert disagreement(BROWSER[:place] + bytes([byte]) + BROWSER[place + (0 if added else 1) :]) == ""


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
    event("accepted" if our_response(raw).messages else "refused")
    assert disagreement_on_response(raw) == ""


# --- where they differ --------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """Bytes that ours accepts, and which of the others does as well: it refuses, or reads that many messages."""

    raw: bytes
    h11: int | None
    llhttp: int | None


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HANDSHAKE = request(
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {'A' * 22}=="
)
DIFFERENCES = {
    "empty line": Difference(b"\r\n" + GET, None, 1),
    "method": Difference(GET.replace(b"GET", b"VERSION-CONTROL"), 1, None),
    "1.0 persists": Difference(request("Connection: keep-alive", start="GET / HTTP/1.0") + GET, 1, 2),
    "close": Difference(request("Connection: close") + GET, 1, None),
    "upgrade": Difference(HANDSHAKE + GET, 2, 1),
}


def outcome(reading: Reading) -> int | None:
    return None if reading.refused else len(reading.messages)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_as_it_is_listed(name: str) -> None:
    raw, *others = DIFFERENCES[name]
    assert outcome(ours(raw)) is not None
    assert [outcome(by_h11(raw)), outcome(by_llhttp(raw))] == others
    assert disagreement(raw) == ""


def test_every_difference_is_argued() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fuzzing.md").read_text("utf-8")
    table = page[page.index("## Where the readers differ") :]
    assert re.findall(r"(?m)^\| `([a-z0-9. ]+)` \|", table) == list(DIFFERENCES)
