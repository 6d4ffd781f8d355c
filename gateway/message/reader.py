"""The strict readers of HTTP/1.1, without any I/O: bytes in, events out, in the style of h11.

One direction of one connection is a sequence of messages, and a message is a small machine:

    HEAD ──► BODY ──► END         a request waits at END until `start_next()`: pipelined bytes stay where they are
     │ ▲                          a response ends there: another byte is a fault
     └─┘ 1xx (responses)          after 101 there is no more HTTP: `take_rest()` hands over to the relay

Events do not depend on how the bytes were cut into pieces, except where Data is cut. A fault is final: the reader raises
it again at every call and reads nothing more, because behind an ambiguous byte every reading is a guess.
Nothing is lenient but what the grammar allows: optional white space around values, one empty line before a request
(RFC 9112 section 2.2), and a status line without the space before its empty reason.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import GatewayError, MessageError, RequestError, ResponseError
from gateway.message.body import EMPTY, Body, ReadAhead, body_of
from gateway.message.buffer import Buffer, blame
from gateway.message.events import (
    END_OF_MESSAGE,
    NO_BODY,
    Data,
    EndOfMessage,
    InformationalHead,
    RequestHead,
    ResponseHead,
)
from gateway.message.limits import DEFAULT_LIMITS, Limits
from gateway.message.request import Seen, read_request_head, read_request_line
from gateway.message.response import START, SWITCHING_PROTOCOLS, Known, read_response_head
from gateway.message.syntax import REQUEST_FIELDS, RESPONSE_FIELDS

EXCERPT_BYTES: Final = 120
"""Longest excerpt of a refused start line: a line of the ledger stays short."""
# What stands behind a path may be secret (a query, path parameters, a fragment), and so may all of a "request line" that is a
# misplaced body: a form, JSON, a field line. User information stands before its "@". A number that was cut cannot be masked.
_SECRETS: Final = re.compile(rb"//[^/?#]*(?:@|\Z)|[?#;=&\"'{<].*|:(?!//).*", re.DOTALL)
_CUT_NUMBER: Final = re.compile(rb"[0-9%.-]+\Z")

__all__ = ["Limits", "RequestReader", "ResponseReader"]


class _Reader:
    """What the readers of both sides have in common: a buffer, the rest of the current message, and the fault that ended it."""

    __slots__ = ("_body", "_buffer", "_complete", "_error", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = Buffer()
        self._body: Body | None = None
        self._complete = False
        self._error: MessageError | None = None

    def feed(self, data: bytes) -> None:
        """Take what the connection brought."""
        if self._error is None:
            self._buffer.append(data)

    def feed_eof(self) -> None:
        """The other side will send nothing more."""
        self._buffer.ended = True

    @property
    def buffered(self) -> int:
        """Bytes that came and were not read: pipelined requests, or what was sent before an upgrade was accepted."""
        return self._buffer.unread

    def take_rest(self) -> bytes:
        """Hand over what was not read, when the connection stops being HTTP."""
        return self._buffer.take(len(self._buffer))


class RequestReader(_Reader):
    """Reads the requests of one connection, one after the other."""

    __slots__ = ("_line_checked", "_seen", "_skipped", "excerpt")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._skipped = False  # whether the one empty line before this request was there
        self._line_checked = False  # whether the line of a request whose fields have not come yet is good
        self._seen = Seen()
        self.excerpt: str | None = None
        """After a fault in a head (too slow a one, too) or in chunks: method and path, bounded, cut before anything that could be secret. Hostile text."""

    def start_next(self) -> None:
        """Go on to the next request. Only after EndOfMessage; raises GatewayError otherwise."""
        if not self._complete:
            raise GatewayError("the current request has not been read to its end")
        self._complete = self._skipped = self._line_checked = False

    def next_event(self) -> RequestHead | Data | EndOfMessage | None:
        """The next event; None when more bytes are needed, or the message is whole, or the client closed between two.

        Raises RequestError with the status to answer; then the connection is to be closed.
        """
        if self._error is not None:
            raise self._error
        try:
            if self._body is None:
                return None if self._complete else self._head()
            if self._body is EMPTY:
                self._body = None
                self._complete = True
                return END_OF_MESSAGE
            event = self._body.next(self._buffer)
            if event is None:
                if self._buffer.ended:
                    raise MessageError("malformed", "the connection ended within the body")
            elif event is END_OF_MESSAGE:
                self._body = None
                self._complete = True
            return event
        except MessageError as error:
            raise self._failed(error) from None

    def look_ahead(self, head: RequestHead) -> None:
        """Check what has come of the chunked body of `head`, the last event: a fault there is found before anything is done.

        The events are the same as without. Raises RequestError as `next_event` would have later.
        """
        pieces: list[Data | EndOfMessage] = []
        body = body_of(head.framing, REQUEST_FIELDS, self._limits)
        try:
            while (piece := body.next(self._buffer)) is not None:
                pieces.append(piece)
                if piece is END_OF_MESSAGE:
                    break
        except MessageError as error:
            self.excerpt = f"{head.method} {head.target.path[:EXCERPT_BYTES]}"
            raise self._failed(error) from None
        self._body = ReadAhead(pieces, body)

    def too_slow(self) -> RequestError:
        """The head that has begun did not come in time: the fault that this is, final like every other."""
        self.excerpt = _start_line_excerpt(self._buffer.peek(EXCERPT_BYTES))
        return self._failed(RequestError("too_slow", "the fields did not arrive in time", 408))

    def _failed(self, error: MessageError) -> RequestError:
        self._error = _request_error(error)
        self._buffer.clear()
        return self._error

    def _head(self) -> RequestHead | None:
        buffer, seen = self._buffer, self._seen
        if seen.head is not None and buffer.skip_same(seen.block):
            self._body = EMPTY
            return seen.head
        if not self._skipped and buffer.peek(2) == b"\r\n":
            buffer.skip(2)
            self._skipped = True
        start = buffer.peek(EXCERPT_BYTES)
        try:
            if start[:2] == b"\r\n":
                raise MessageError("malformed", "empty lines before the request line")
            block = self._block()
            if block is None:
                if start and buffer.ended:
                    raise MessageError("malformed", "the connection ended within the head")
                return None
            try:
                head = read_request_head(block, self._limits, seen)
            except MessageError as error:
                self._check_line(block[: block.index(b"\n") + 1])
                raise blame(block, error) from None
        except MessageError:
            self.excerpt = _start_line_excerpt(start)
            raise
        framing = head.framing
        self._body = EMPTY if framing is NO_BODY else body_of(framing, REQUEST_FIELDS, self._limits)
        return head

    def _block(self) -> bytes | None:
        limit = self._limits.header_bytes
        try:
            block = self._buffer.take_block(limit)
        except MessageError as error:
            self._check_line(self._buffer.peek_line(limit))
            if error.reason == "too_large" and b"\r\n" not in self._buffer.peek(limit):
                raise RequestError("too_large", f"{limit} bytes hold no end of the request line", 414) from None
            raise
        if block is None and not self._line_checked:
            line = self._buffer.peek_line(limit)
            self._check_line(line)
            self._line_checked = line is not None
        return block

    def _check_line(self, line: bytes | None) -> None:
        """Refuse a bad request line before anything behind it is looked at or waited for: who speaks HTTP/0.9 sends no more."""
        if line is not None:
            try:
                read_request_line(line.decode("latin-1"), self._limits)
            except MessageError as error:
                raise blame(line, error) from None


class ResponseReader(_Reader):
    """Reads the response to one request. A byte behind it is a fault, so pipelining towards origins is not possible."""

    __slots__ = ("_informational", "_known", "_method", "_switched", "_websocket")

    def __init__(
        self,
        request_method: str,
        websocket: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        known: Known | None = None,
    ) -> None:
        """`websocket`: whether the request asked for one, so that a 101 is an answer to it. `known` is the origin's."""
        super().__init__(limits)
        self._known = known or Known()
        self._method = request_method
        self._websocket = websocket
        self._informational = 0
        self._switched = False

    def next_event(self) -> InformationalHead | ResponseHead | Data | EndOfMessage | None:
        """The next event; None when more bytes are needed, or all was read.

        Raises ResponseError `origin_malformed`; then the connection is to be closed. Bytes behind the end that are
        there already are raised in place of EndOfMessage, so that a small answer can still become a 502.
        """
        if self._error is not None:
            raise self._error
        try:
            if self._switched:
                return None
            event = self._head() if self._body is None and not self._complete else self._rest()
            if event is None and self._buffer.ended and not self._complete:
                raise MessageError("malformed", "the connection ended within the response")
            return event
        except MessageError as error:
            self._error = ResponseError("origin_malformed", error.detail)
            self._buffer.clear()
            raise self._error from None

    def _rest(self) -> Data | EndOfMessage | None:
        event = None if self._body is None else self._body.next(self._buffer)
        if event is END_OF_MESSAGE:
            self._body = None
            self._complete = True
        if self._complete and self._buffer:
            raise MessageError("malformed", "bytes behind the end of the response")
        return event

    def _head(self) -> InformationalHead | ResponseHead | None:
        buffer, known = self._buffer, self._known
        to_head = self._method == "HEAD"
        if known.head is not None and known.to_head == to_head and buffer.skip_same(known.block):
            self._body = body_of(known.head.framing, RESPONSE_FIELDS, self._limits)
            return known.head
        if not START.startswith(buffer.peek(len(START))):
            raise MessageError("malformed", "the answer does not begin with HTTP/1.")
        block = buffer.take_block(self._limits.header_bytes)
        if block is None:
            return None
        try:
            head = read_response_head(block, self._method, self._limits, websocket=self._websocket, lines=known.lines)
        except MessageError as error:
            raise blame(block, error) from None
        if isinstance(head, ResponseHead):
            self._body = body_of(head.framing, RESPONSE_FIELDS, self._limits)
            known.keep(block, head, to_head=to_head)
            return head
        self._informational += 1
        if self._informational > self._limits.informational_count:
            raise MessageError("malformed", f"more than {self._limits.informational_count} informational responses")
        self._switched = head.status == SWITCHING_PROTOCOLS
        return head


def _request_error(error: MessageError) -> RequestError:
    """With a status: RequestErrors bear theirs; what is too large in the shared grammar are fields or trailers (431)."""
    if isinstance(error, RequestError):
        return error
    return RequestError(error.reason, error.detail, 431 if error.reason == "too_large" else 400)


def _start_line_excerpt(start: bytes) -> str:
    """The beginning of a refused start line, without what could be secret."""
    line, end, _ = start.partition(b"\n")
    line = line.rstrip(b"\r") if end else _CUT_NUMBER.sub(b"", line)
    return _SECRETS.sub(_left_out, line)[:EXCERPT_BYTES].decode("latin-1")


def _left_out(secret: re.Match[bytes]) -> bytes:
    return b"//..." if secret[0].startswith(b"//") else secret[0][:1] + b"..."
