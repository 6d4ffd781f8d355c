"""The same field section on one connection is read once; every other request is read as if it were the first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MessageError
from gateway.message import RequestHead, RequestReader
from gateway.message.limits import DEFAULT_LIMITS
from gateway.message.request import Seen, read_request_head

FIELDS = "Host: dossier.localhost\r\nUser-Agent: x\r\nAccept: */*\r\n"
SECTIONS = (
    FIELDS,
    FIELDS + "Connection: close\r\n",
    FIELDS + "Content-Length: 0\r\n",
    FIELDS + "Content-Length: 3\r\n",
    FIELDS + "Transfer-Encoding: chunked\r\n",
    FIELDS + "Content-Length: 3\r\nExpect: 100-continue\r\n",
    FIELDS
    + "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Host: pension.localhost\r\n",
    "Accept: */*\r\n",
)
LINES = ("GET /a HTTP/1.1", "HEAD /b?c=d HTTP/1.1", "POST /a HTTP/1.1", "GET /a HTTP/1.0", "GET https://dossier.localhost/x HTTP/1.1",
         "GET https://pension.localhost/x HTTP/1.1", "GET /../a HTTP/1.1", "CONNECT a:1 HTTP/1.1")  # fmt: skip


def read(block: bytes, seen: Seen | None) -> RequestHead | str:
    try:
        return read_request_head(block, DEFAULT_LIMITS, seen)
    except MessageError as error:
        return str(error)


def test_a_repeated_section_is_read_once() -> None:
    reader = RequestReader()
    reader.feed(f"GET /a HTTP/1.1\r\n{FIELDS}\r\nGET /b HTTP/1.1\r\n{FIELDS}\r\n".encode())
    first = reader.next_event()
    reader.next_event()
    reader.start_next()
    second = reader.next_event()
    assert isinstance(first, RequestHead)
    assert isinstance(second, RequestHead)
    assert second.fields is first.fields
    assert (first.target.path, second.target.path) == ("/a", "/b")


def test_a_repeated_request_is_read_once() -> None:
    reader = RequestReader()
    heads = []
    for line in ("GET /a HTTP/1.1", "GET /a HTTP/1.1", "GET /b HTTP/1.1", "GET /b HTTP/1.1"):
        reader.feed(f"{line}\r\n{FIELDS}\r\n".encode())
        heads.append(reader.next_event())
        reader.next_event()
        reader.start_next()
    assert heads[1] is heads[0]
    assert heads[3] is heads[2]
    assert [head.target.path for head in heads if isinstance(head, RequestHead)] == ["/a", "/a", "/b", "/b"]


def events(reader: RequestReader, data: bytes, size: int) -> list[object]:
    """What a reader makes of one message that comes in pieces of that size, or the fault in its place."""
    found: list[object] = []
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            while (event := reader.next_event()) is not None:
                found.append(event)
    except MessageError as error:
        found.append((error.reason, error.detail, reader.excerpt))
    return found


@given(
    st.lists(
        st.tuples(st.sampled_from(LINES), st.sampled_from(SECTIONS[:2]), st.sampled_from((1, 7, 9999)), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_a_connection_of_requests_reads_as_if_each_came_alone(requests: list[tuple[str, str, int, bool]]) -> None:
    reader = RequestReader()
    for line, section, size, empty_line in requests:
        data = ("\r\n" * empty_line + f"{line}\r\n{section}\r\n").encode()
        found = events(reader, data, size)
        assert found == events(RequestReader(), data, size)
        if isinstance(found[-1], tuple) and not isinstance(found[-1], RequestHead):
            return
        reader.start_next()


@pytest.mark.parametrize("section", SECTIONS[3:7])
def test_what_has_a_body_an_upgrade_or_an_expectation_is_always_read_anew(section: str) -> None:
    seen = Seen()
    read(f"GET /a HTTP/1.1\r\n{section}\r\n".encode(), seen)
    assert seen.head is None


@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(SECTIONS)), min_size=1, max_size=6))
def test_every_request_reads_as_if_it_were_the_first(requests: list[tuple[str, str]]) -> None:
    seen = Seen()
    for line, section in requests:
        block = f"{line}\r\n{section}\r\n".encode()
        assert read(block, seen) == read(block, None)
