"""Bodies: one decoder for each framing, reading from a shared buffer (RFC 9112 sections 6 and 7).

`next(buffer)` gives `Data`, then `EndOfMessage`, or None while more bytes are needed. Chunked bodies are read strictly:
the chunk line is where the smuggling attacks of recent years hid (bare LF behind an extension, white space behind the
size, extensions without end).
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum
from typing import Final, Protocol

from gateway.errors import MessageError
from gateway.message.buffer import Buffer, blame
from gateway.message.events import END_OF_MESSAGE, Chunked, ContentLength, Data, EndOfMessage, Framing, NoBody
from gateway.message.hygiene import trailer_changes_meaning
from gateway.message.limits import Limits
from gateway.message.syntax import excerpt, read_fields

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
# RFC 9112 section 7.1 without the white space that section 7.1.1 calls bad. 15 digits stay below 2^63.
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})((?:;%b(?:=(?:%b|%b))?)*+)\r\n" % (_TOKEN, _TOKEN, _QUOTED))


class Body(Protocol):
    """What is left of one message."""

    def next(self, buffer: Buffer) -> Data | EndOfMessage | None:
        """The next piece. Raises MessageError `malformed` when the bytes do not fit the framing."""
        ...


def body_of(framing: Framing, grammar: re.Pattern[str], limits: Limits) -> Body:
    """The decoder of a framing; `grammar` is that of the trailer fields' names."""
    match framing:
        case NoBody():
            return EMPTY
        case ContentLength(length):
            return LengthBody(length)
        case Chunked():
            return ChunkedBody(grammar, limits)
        case _:
            return OpenBody()


class EmptyBody:
    """No body: the end comes at once."""

    __slots__ = ()

    def next(self, buffer: Buffer) -> EndOfMessage:
        """The end."""
        return END_OF_MESSAGE


EMPTY: Final = EmptyBody()


class LengthBody:
    """A body of known length."""

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    def next(self, buffer: Buffer) -> Data | EndOfMessage | None:
        """As much as has come."""
        if self._remaining == 0:
            return END_OF_MESSAGE
        if not buffer:
            return None
        data = buffer.take(self._remaining)
        self._remaining -= len(data)
        return Data(data)


class OpenBody:
    """A response body that ends with its connection."""

    __slots__ = ()

    def next(self, buffer: Buffer) -> Data | EndOfMessage | None:
        """As much as has come; the end when the connection has ended."""
        if buffer:
            return Data(buffer.take(len(buffer)))
        return END_OF_MESSAGE if buffer.ended else None


class ReadAhead:
    """A body of which pieces were read already: they come first, then the rest."""

    __slots__ = ("_pieces", "_rest")

    def __init__(self, pieces: list[Data | EndOfMessage], rest: Body) -> None:
        self._pieces = deque(pieces)
        self._rest = rest

    def next(self, buffer: Buffer) -> Data | EndOfMessage | None:
        """As `rest` would have given it."""
        return self._pieces.popleft() if self._pieces else self._rest.next(buffer)


class _At(Enum):
    """Where in a chunked body the next byte stands."""

    SIZE = "the chunk-size line"
    DATA = "the data of a chunk"
    DATA_END = "the CRLF after the data"
    TRAILERS = "the trailer section"


class ChunkedBody:
    """A chunked body: SIZE → DATA → DATA_END → SIZE → … → TRAILERS."""

    __slots__ = ("_at", "_extension_bytes", "_grammar", "_limits", "_remaining")

    def __init__(self, grammar: re.Pattern[str], limits: Limits) -> None:
        self._grammar = grammar
        self._limits = limits
        self._at = _At.SIZE
        self._remaining = 0
        self._extension_bytes = 0

    def next(self, buffer: Buffer) -> Data | EndOfMessage | None:
        """As much of the current chunk as has come."""
        if self._at is _At.DATA_END and not self._skip_crlf(buffer):
            return None
        if self._at is _At.SIZE and not self._read_size(buffer):
            return None
        if self._at is _At.TRAILERS:
            return self._read_trailers(buffer)
        if not buffer:
            return None
        data = buffer.take(self._remaining)
        self._remaining -= len(data)
        if self._remaining == 0:
            self._at = _At.DATA_END
        return Data(data)

    def _skip_crlf(self, buffer: Buffer) -> bool:
        found = buffer.peek(2)
        if found != b"\r\n":
            if b"\r\n".startswith(found):
                return False
            raise MessageError("malformed", "a chunk is longer than its size says")
        buffer.skip(2)
        self._at = _At.SIZE
        return True

    def _read_size(self, buffer: Buffer) -> bool:
        line = buffer.take_line(self._limits.chunk_line_bytes)
        if line is None:
            return False
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise MessageError(
                "malformed", "a chunk-size line that is not a hexadecimal size with well-formed extensions"
            )
        self._extension_bytes += len(match[2])
        if self._extension_bytes > self._limits.chunk_extension_bytes:
            raise MessageError("malformed", f"more than {self._limits.chunk_extension_bytes} bytes of chunk extensions")
        self._remaining = int(match[1], 16)
        self._at = _At.DATA if self._remaining else _At.TRAILERS
        return True

    def _read_trailers(self, buffer: Buffer) -> EndOfMessage | None:
        """Check and drop the trailer fields; refuse those that would change what was decided on (THREATS row 5)."""
        start = buffer.peek(2)
        if start == b"\r\n":
            buffer.skip(2)
            return END_OF_MESSAGE
        block = buffer.take_block(self._limits.trailer_bytes)
        if block is None:
            return None
        try:
            trailers = read_fields(block[:-2].decode("latin-1"), self._grammar, self._limits.field_count)
        except MessageError as error:
            raise blame(block, error) from None
        for name, _ in trailers:
            if trailer_changes_meaning(name):
                raise MessageError("field_refused", f"the trailer field {excerpt(name)} would change the message")
        return END_OF_MESSAGE
