"""Writes messages anew from values: never a raw byte of the other side (RFC 9112 sections 3 to 7).

The last line of defence against splitting: whatever a reader, the hygiene or the proxy overlooked, a head with a CR, LF
or NUL in a name, a value, a method or a target, or with framing fields that the writer has not made, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from gateway.errors import WriteError
from gateway.message.events import Chunked, ContentLength, Framing, NoBody, UntilClose
from gateway.message.fields import Pair
from gateway.message.syntax import RESPONSE_FIELDS

LAST_CHUNK: Final = b"0\r\n\r\n"
"""The end of a chunked body, without trailers."""

_REQUEST_START: Final = re.compile(r"[A-Z-]+ [!-~]+")
CACHED_NAMES: Final = 2048
"""Field names whose verdict is remembered, as spelt: browsers and applications use some hundreds."""
_FRAMING_NAMES: Final = frozenset({"content-length", "transfer-encoding"})
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class FieldBlock:
    """Field lines that were checked once, to be written many times. Made by `field_block` alone, and by `and_ours` of one."""

    __slots__ = ("lines",)

    def __init__(self, lines: str) -> None:
        self.lines = lines

    def and_ours(self, lines: str) -> FieldBlock:
        """With field lines that are the gateway's own to the last character, and of which nobody else has a say."""
        return FieldBlock(self.lines + lines)


NO_FIELDS: Final = FieldBlock("")


def field_block(fields: Iterable[Pair]) -> FieldBlock:
    """The lines of fields that bear no framing field. Raises WriteError for what would split the message."""
    return FieldBlock(_lines(list(fields), length_allowed=False))


def write_request_head(
    method: str, encoded_target: str, fields: Iterable[Pair], framing: Framing, first: FieldBlock = NO_FIELDS
) -> bytes:
    """Request line, the fields of `first`, then `fields` in the given order, framing, empty line.

    Neither bears a framing field; Host is the caller's.

    Raises WriteError: for what would split the message, framing fields among `fields`, `UntilClose`.
    """
    start = f"{method} {encoded_target}"
    if _REQUEST_START.fullmatch(start) is None:
        raise WriteError("the method or the target of a request cannot be written")
    if isinstance(framing, UntilClose):
        raise WriteError("a request body cannot be delimited by the end of the connection")
    return _head(f"{start} HTTP/1.1\r\n{first.lines}", list(fields), framing, length_allowed=False)


def write_response_head(
    status: int, fields: Iterable[Pair], framing: Framing, *, to_head: bool = False, first: FieldBlock = NO_FIELDS
) -> bytes:
    """Status line with the standard reason, the fields of `first`, then `fields` in the given order, framing, empty line. `to_head`: answers a HEAD.

    Without a body to follow (HEAD, 304) `fields` may bear one Content-Length: that of the representation. To a HEAD, a
    framing other than `NoBody` is announced all the same, as the GET would have had it.
    Raises WriteError: for what would split the message, framing fields among `fields`, a body where none may follow and
    `NoBody` where the client would wait for one.
    """
    bodiless = status < 200 or status in (204, 304)
    if bodiless and not isinstance(framing, NoBody):
        raise WriteError(f"a {status} response has no body")
    if isinstance(framing, NoBody) and not bodiless and not to_head:
        raise WriteError(f"a {status} response without framing: an empty body is ContentLength(0)")
    start = _STATUS_LINES.get(status)
    if start is None:
        if not 100 <= status <= 599:
            raise WriteError(f"{status} is not a status code")
        start = f"HTTP/1.1 {status} \r\n"
    length_allowed = isinstance(framing, NoBody) and (to_head or status == 304)
    return _head(start + first.lines, list(fields), framing, length_allowed=length_allowed)


def write_chunk(data: bytes) -> tuple[bytes, ...]:
    """The buffers of one chunk, `data` among them uncopied; none for empty data, which would end the body."""
    return (b"%x\r\n" % len(data), data, b"\r\n") if data else ()


def _head(start: str, fields: list[Pair], framing: Framing, *, length_allowed: bool) -> bytes:
    lines = _lines(fields, length_allowed=length_allowed) if fields else ""
    match framing:
        case ContentLength(length):
            lines += f"Content-Length: {length}\r\n"
        case Chunked():
            lines += "Transfer-Encoding: chunked\r\n"
        case _:
            pass  # NoBody and UntilClose are what remains when nothing is said
    return f"{start}{lines}\r\n".encode("latin-1")


def _lines(fields: list[Pair], *, length_allowed: bool) -> str:
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
    if not _plain(fields):
        _check(lines, fields, length_allowed=length_allowed)
    return lines


def _plain(fields: list[Pair]) -> bool:
    """Whether every name is known to be good and every value printable ASCII: the everyday case, without a look at the grammar."""
    names = [name for name, _ in fields]
    if not _good_names.issuperset(names) and not all(map(_good_name, names)):
        return False
    values = "".join([value for _, value in fields])
    return values.isascii() and values.encode("ascii").translate(_CONTROLS).find(b"\0") < 0


_CONTROLS: Final = bytes(0 if octet < 0x20 or octet == 0x7F else octet for octet in range(256))
"""To find all control bytes as one: `isprintable` takes more than twice as long."""
_good_names: set[str] = set()
"""Names, as spelt, that are tokens and no framing field's: what `_good_name` has seen, at most CACHED_NAMES of them."""


def _good_name(name: str) -> bool:
    good = (
        RESPONSE_FIELDS.fullmatch(f"{name}: \r\n") is not None
        and ":" not in name
        and name.lower() not in _FRAMING_NAMES
    )
    if good and len(_good_names) < CACHED_NAMES:
        _good_names.add(name)
    return good


def _check(lines: str, fields: list[Pair], *, length_allowed: bool) -> None:
    """Raises WriteError for what would split the message, and for framing that is not the writer's."""
    names = [name.lower() for name, _ in fields]
    # Each line is a field line, there is one for each field, and each colon stands where it should: nothing is smuggled in.
    if RESPONSE_FIELDS.fullmatch(lines) is None or lines.count("\n") != len(fields) or ":" in "".join(names):
        raise WriteError("a field whose name is no token or whose value holds a control or a character beyond latin-1")
    if not _FRAMING_NAMES.isdisjoint(names):
        given = [name for name in names if name in _FRAMING_NAMES]
        if not length_allowed or given != ["content-length"]:
            raise WriteError("a framing field among the fields: framing is the writer's")
