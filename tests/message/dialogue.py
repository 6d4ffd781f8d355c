"""Running a reader over bytes, cut in any way, and keeping what came out."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.errors import RequestError, ResponseError
from gateway.message import Data, EndOfMessage, RequestHead, RequestReader, ResponseHead, ResponseReader

BROWSER = (
    b"GET /dossier/dossiers/123?view=full&r=https%3A%2F%2Fa HTTP/1.1\r\n"
    b"Host: dossier.localhost:8443\r\n"
    b"Connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="129", "Not=A?Brand";v="8"\r\n'
    b"sec-ch-ua-mobile: ?0\r\n"
    b'sec-ch-ua-platform: "Linux"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-User: ?1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: nl-BE,nl;q=0.9,en;q=0.8\r\n"
    b"Cookie: __Host-gw=AAAA; theme=caf\xc3\xa9\r\n"
    b"\r\n"
)


def request(
    *lines: str | bytes, start: str = "GET / HTTP/1.1", host: str | None = "a.example", body: bytes = b""
) -> bytes:
    """A request of lines without their CRLF, with a Host unless told otherwise."""
    named = [] if host is None else [f"Host: {host}"]
    raw = [line if isinstance(line, bytes) else line.encode("latin-1") for line in (start, *named, *lines)]
    return b"".join(line + b"\r\n" for line in raw) + b"\r\n" + body


def response(*lines: str | bytes, start: str = "HTTP/1.1 200 OK", body: bytes = b"") -> bytes:
    """A response of lines without their CRLF."""
    return request(*lines, start=start, host=None, body=body)


def read_requests(pieces: Iterable[bytes], *, eof: bool = True) -> tuple[list[object], RequestError | None]:
    """All events of a connection, neighbouring Data joined, and the error that ended it, if one did."""
    reader = RequestReader()
    events: list[object] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            _drain(reader, events)
        if eof:
            reader.feed_eof()
            _drain(reader, events)
    except RequestError as error:
        return joined(events), error
    return joined(events), None


def _drain(reader: RequestReader, events: list[object]) -> None:
    while (event := reader.next_event()) is not None:
        events.append(event)
        if isinstance(event, EndOfMessage):
            reader.start_next()


def read_response(
    pieces: Iterable[bytes], method: str = "GET", *, websocket: bool = False, eof: bool = True
) -> tuple[list[object], ResponseError | None]:
    """All events of one response, neighbouring Data joined, and the error that ended it, if one did."""
    reader = ResponseReader(method, websocket)
    events: list[object] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (event := reader.next_event()) is not None:
                events.append(event)
        if eof:
            reader.feed_eof()
            while (event := reader.next_event()) is not None:
                events.append(event)
    except ResponseError as error:
        return joined(events), error
    return joined(events), None


def joined(events: list[object]) -> list[object]:
    """The events with the pieces of a body put together: where a body is cut means nothing."""
    whole: list[object] = []
    for event in events:
        if isinstance(event, Data) and whole and isinstance(whole[-1], Data):
            whole[-1] = Data(whole[-1].data + event.data)
        else:
            whole.append(event)
    return whole


def one_request(raw: bytes) -> RequestHead:
    """The head of a request that must be accepted."""
    events, error = read_requests([raw])
    if error is not None:
        raise error
    head = events[0]
    assert isinstance(head, RequestHead)
    return head


def refused_request(raw: bytes) -> tuple[str, int]:
    """Reason and status of a request that must be refused."""
    events, error = read_requests([raw])
    assert error is not None, f"accepted: {events}"
    return error.reason, error.status


def one_response(raw: bytes, method: str = "GET") -> ResponseHead:
    """The final head of a response that must be accepted."""
    events, error = read_response([raw], method)
    if error is not None:
        raise error
    (head,) = [event for event in events if isinstance(event, ResponseHead)]
    return head


def body_of(events: list[object]) -> bytes:
    """What Data there was."""
    return b"".join(event.data for event in events if isinstance(event, Data))
