"""What the readers hand out, and how a body is delimited (RFC 9112 section 6).

A head is a value; nothing in it refers to the connection it came on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.message.fields import Fields
from gateway.message.host import Authority
from gateway.message.target import Target


@dataclass(frozen=True, slots=True)
class NoBody:
    """No body follows, whatever the fields say (a request without framing fields; HEAD, 1xx, 204, 304)."""


@dataclass(frozen=True, slots=True)
class ContentLength:
    """Exactly `length` bytes follow."""

    length: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """Chunks follow, until the one of size 0 (RFC 9112 section 7.1)."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """All that comes until the connection closes: responses only, and a broken-off one cannot be told from a whole one."""


Framing = NoBody | ContentLength | Chunked | UntilClose

NO_BODY: Final = NoBody()
CHUNKED: Final = Chunked()
UNTIL_CLOSE: Final = UntilClose()


class RequestHead(NamedTuple):
    """Request line and fields of one request, with everything that follows from them for the connection."""

    method: str
    """One of the registered spellings: upper case letters and hyphens."""
    target: Target
    """Canonical: the decision and the origin see these very bytes."""
    version: str
    """"1.0" or "1.1"."""
    fields: Fields
    host: Authority
    """The Host field, parsed; an absolute-form target agreed with it."""
    framing: Framing
    """`NoBody`, `ContentLength` or `Chunked`."""
    keep_alive: bool
    """Whether the client lets the connection persist (RFC 9112 section 9.3)."""
    expect_continue: bool
    """Whether the client waits for 100 before it sends the body."""
    upgrade_websocket: bool
    """Whether this is a valid opening handshake (RFC 6455 section 4.2.1)."""


class InformationalHead(NamedTuple):
    """A 1xx response; the final one is still to come, except after 101, after which the connection is no longer HTTP."""

    status: int
    fields: Fields


class ResponseHead(NamedTuple):
    """Status line and fields of a final response."""

    status: int
    reason: str
    fields: Fields
    framing: Framing
    keep_alive: bool
    """Whether the origin lets the connection persist; never with `UntilClose`."""


class Data:
    """A piece of the body, never empty. Pieces follow the wire, not the chunks: only their concatenation means something.

    Written out, because each answer makes one, and a dataclass is made by a function that is not compiled.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Data) and self.data == other.data

    __hash__ = None  # type: ignore[assignment]  # equal by value, and nobody keys a table by a piece


@dataclass(frozen=True, slots=True)
class EndOfMessage:
    """The message is whole. Trailer fields were checked and dropped."""


END_OF_MESSAGE: Final = EndOfMessage()
