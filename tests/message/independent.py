"""Readers of HTTP/1.1 that are not ours: h11, and llhttp by httptools. What they make of bytes, in one form with what ours does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import h11
import httptools

from gateway.errors import MessageError
from gateway.message import Data, EndOfMessage, RequestHead, ResponseHead, parse_target
from tests.message.dialogue import read_requests, read_response


class Message(NamedTuple):
    """What any reader says of one whole message: method, target and version, or status and version; fields; body."""

    start: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    body: bytes


class Reading(NamedTuple):
    """The whole messages; why nothing more was read, "" when only bytes were missing; and whether no message may follow."""

    messages: list[Message]
    refused: str = ""
    over: bool = False


def fields_of(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Names in lower case, values without the white space around them: that much of a field has no meaning (RFC 9110 section 5)."""
    return tuple((name.lower(), value.strip(" \t")) for name, value in pairs)


def ours(raw: bytes) -> Reading:
    """Up to where the connection ends: behind `Connection: close` or an upgrade no reader has to go on."""
    events, error = read_requests([raw], eof=False)
    messages: list[Message] = []
    head: RequestHead | None = None
    body = b""
    for item in events:
        if isinstance(item, RequestHead):
            head, body = item, b""
        elif isinstance(item, Data):
            body += item.data
        elif isinstance(item, EndOfMessage) and head is not None:
            messages.append(Message((head.method, head.target.encoded, head.version), fields_of(head.fields), body))
            if not head.keep_alive or head.upgrade_websocket:
                return Reading(messages, over=True)
    return Reading(messages, "" if error is None else str(error))


def by_h11(raw: bytes) -> Reading:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    messages: list[Message] = []
    start: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    body = b""
    try:
        connection.receive_data(raw)
        while True:
            item = connection.next_event()
            if isinstance(item, h11.Request):
                start = (item.method.decode(), item.target.decode("latin-1"), item.http_version.decode())
                fields, body = fields_of((n.decode("latin-1"), v.decode("latin-1")) for n, v in item.headers), b""
            elif isinstance(item, h11.Data):
                body += bytes(item.data)
            elif isinstance(item, h11.EndOfMessage):
                messages.append(canonical(Message(start, fields, body)))
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return Reading(messages, over=True)
                connection.start_next_cycle()
            else:
                return Reading(messages)
    except (h11.ProtocolError, MessageError) as error:
        return Reading(messages, str(error) or "refused")


class _Llhttp:
    """Collects the messages of httptools' callbacks."""

    def __init__(self, *, response: bool = False) -> None:
        self.messages: list[Message] = []
        self.parser = httptools.HttpResponseParser(self) if response else httptools.HttpRequestParser(self)
        self.response = response
        self.on_message_begin()

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
        if self.response:
            self.start: tuple[str, ...] = (str(self.parser.get_status_code()),)
        else:
            version = self.parser.get_http_version()
            self.start = (self.parser.get_method().decode(), self.url.decode("latin-1"), version)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages.append(Message(self.start, fields_of(self.fields), self.body))


def by_llhttp(raw: bytes) -> Reading:
    collector = _Llhttp()
    refused, over = "", False
    try:
        collector.parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        over = True
    except httptools.HttpParserError as error:
        refused = str(error) or "refused"
    try:
        return Reading([canonical(message) for message in collector.messages], refused, over)
    except MessageError as error:
        return Reading([], str(error))


def canonical(message: Message) -> Message:
    """The others hand on the raw target: compared after our canonicaliser, which is a matter of its own."""
    method, target, version = message.start
    return message._replace(start=(method, parse_target(method, target).encoded, version))


# --- responses to a GET -------------------------------------------------------------------------------------------------------


def our_response(raw: bytes) -> Reading:
    """The one response, when the connection ends behind it."""
    events, error = read_response([raw])
    heads = [item for item in events if isinstance(item, ResponseHead)]
    if error is not None or not heads:
        return Reading([], "refused" if error is None else str(error))
    (head,) = heads
    body = b"".join(item.data for item in events if isinstance(item, Data))
    return Reading([Message((str(head.status),), fields_of(head.fields), body)])


def response_by_h11(raw: bytes) -> Reading:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    start: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    body = b""
    try:
        connection.receive_data(raw)
        connection.receive_data(b"")
        while True:
            item = connection.next_event()
            if isinstance(item, h11.Response):
                start = (str(item.status_code),)
                fields = fields_of((n.decode("latin-1"), v.decode("latin-1")) for n, v in item.headers)
            elif isinstance(item, h11.Data):
                body += bytes(item.data)
            elif isinstance(item, h11.EndOfMessage):
                return Reading([Message(start, fields, body)])
            elif not isinstance(item, h11.InformationalResponse):
                return Reading([], "nothing more")
    except h11.ProtocolError as error:
        return Reading([], str(error) or "refused")


def response_by_llhttp(raw: bytes) -> Reading:
    collector = _Llhttp(response=True)
    try:
        collector.parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        return Reading([], "upgraded")
    except httptools.HttpParserError as error:
        return Reading([], str(error) or "refused")
    final = [message for message in collector.messages if message.start[0][0] != "1"]
    if not final and collector.ended_head and collector.start[0][0] != "1":
        # Until close: httptools is told of the end by nobody.
        final = [Message(collector.start, fields_of(collector.fields), collector.body)]
    return Reading(final[:1], "" if final else "nothing whole")


# --- what must not be ---------------------------------------------------------------------------------------------------------


def disagreement(raw: bytes) -> str:
    """How another reader understands a connection's requests otherwise than ours; "" when none does.

    That one refuses what ours accepts is no other reading; docs/fuzzing.md lists and argues where they do.
    """
    mine = ours(raw)
    for name, theirs in (("h11", by_h11(raw)), ("llhttp", by_llhttp(raw))):
        for own, other in zip(mine.messages, theirs.messages, strict=False):
            if own != other:
                return f"ours reads {own}, {name} {other}"
        if len(theirs.messages) > len(mine.messages) and not (mine.refused or mine.over):
            return f"{name} sees one more request where ours waits: {theirs.messages[len(mine.messages)]}"
        if len(mine.messages) > len(theirs.messages) and not (theirs.refused or theirs.over):
            return f"ours sees one more request where {name} waits: {mine.messages[len(theirs.messages)]}"
    return ""


def disagreement_on_response(raw: bytes) -> str:
    """The same of a response to a GET, behind which the connection ends."""
    mine = our_response(raw)
    if not mine.messages:
        return ""
    for name, theirs in (("h11", response_by_h11(raw)), ("llhttp", response_by_llhttp(raw))):
        if theirs.messages and theirs.messages != mine.messages:
            return f"ours reads {mine.messages}, {name} {theirs.messages}"
        if not theirs.messages and not theirs.refused:
            return f"ours reads {mine.messages}, {name} waits"
    return ""
