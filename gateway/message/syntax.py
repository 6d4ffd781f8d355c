"""The grammar that requests and responses share: field lines, lengths, codings, connection options (RFC 9110, RFC 9112).

A block of fields is accepted by one expression, run once over the whole block; possessive quantifiers keep it linear.
Only a block that fails is looked at line by line, to say why.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import MessageError
from gateway.message.events import CHUNKED, NO_BODY, ContentLength, Framing
from gateway.message.fields import Fields, Pair

EXCERPT_CHARACTERS: Final = 40
"""Longest piece of a message that a detail repeats, in characters: enough to recognise a field name."""

KNOWN_CHARACTERS: Final = 8192
"""Longest field section whose lines are remembered: browsers send one or two thousand, and each connection keeps them."""

# RFC 9110 section 5.5: visible ASCII, SP, HTAB and obs-text, which stays opaque (browsers put UTF-8 into cookies).
_VALUE: Final = r"[\t -~\x80-\xff]*+"
# Narrower than a token (THREATS row 2): CGI, WSGI and PHP fold "_" and "." into "-", so X_Remote_User becomes X-Remote-User.
REQUEST_FIELDS: Final = re.compile(rf"(?:[A-Za-z0-9-]++:{_VALUE}\r\n)*+")
# RFC 9110 section 5.1: any token. Names of responses reach browsers only, which know no aliases.
RESPONSE_FIELDS: Final = re.compile(rf"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:{_VALUE}\r\n)*+")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 section 8.6 has 1*DIGIT. No leading zeros (octal for some readers), below 2^63 (signed for others).
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,17}")


class KnownLines:
    """The field lines of the last message of this side, and what was read from each: most stand in the next one as well."""

    __slots__ = ("lines", "pairs")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pairs: list[Pair] = []


def read_fields(block: str, grammar: re.Pattern[str], limit: int, known: KnownLines | None = None) -> Fields:
    """Read field lines, each with its CRLF, without the empty line after them. A line that is the same as the known one in its place
    (read by the same grammar) is not looked at again.

    Raises MessageError `too_large` for more than `limit` lines, `field_refused` for a name that is a token but not
    allowed by `grammar`, `malformed` for what is no field line.
    """
    if block.count("\n") > limit:
        raise MessageError("too_large", f"there are more than {limit} field lines")
    if known is None:
        known = KnownLines()
    lines = block.split("\r\n")
    rest = lines.pop()
    there, fresh, pairs = len(known.lines), list[str](), list[Pair]()
    for place, line in enumerate(lines):
        if place < there and line == known.lines[place]:
            pairs.append(known.pairs[place])
        else:
            fresh.append(line)
            pairs.append(_pair(line))
    # What stands behind the last CRLF is nothing in a good block, which is judged to its last character.
    fresh.append(rest)
    if grammar.fullmatch("\r\n".join(fresh)) is None:
        raise _field_fault(block, grammar)
    known.lines, known.pairs = (lines, pairs) if len(block) <= KNOWN_CHARACTERS else ([], [])
    return Fields(pairs)  # neither of the two changes it


def _pair(line: str) -> Pair:
    """A field line's name and value. A tab around the value is white space (RFC 9110 section 5.5); but llhttp reads `chunked` with a tab
    behind it as another coding, so that around a transfer coding it stays, and is refused with it.
    """
    name, _, value = line.partition(":")
    value = value.strip(" ")
    if "\t" in value and name.lower() != "transfer-encoding":
        value = value.strip(" \t")
    return name, value


def _field_fault(block: str, grammar: re.Pattern[str]) -> MessageError:
    """Why a block is refused: the first line that is not a field line."""
    lines = block.split("\r\n")
    number, line = next((n, line) for n, line in enumerate(lines) if grammar.fullmatch(f"{line}\r\n") is None)
    name, colon, _ = line.partition(":")
    if line[:1] in (" ", "\t"):
        where = "before the first field" if number == 0 else "at the start of a line (obs-fold)"
        return MessageError("malformed", f"white space {where}")
    if not colon:
        return MessageError("malformed", "a field line without a colon")
    if name[-1:] in (" ", "\t"):
        return MessageError("malformed", "white space between a field name and its colon")
    if _TOKEN.fullmatch(name) is None:
        return MessageError("malformed", f"the field name {excerpt(name)} is not a token")
    if grammar.fullmatch(f"{name}:\r\n") is None:
        return MessageError(
            "field_refused", f"the field name {excerpt(name)} has other characters than letters, digits and -"
        )
    return MessageError("malformed", f"the value of the field {excerpt(name)} holds a control")


def read_framing(fields: Fields, version: str) -> Framing:
    """How the fields delimit a body: `NoBody` when they do not (RFC 9112 section 6.3, stricter).

    Raises MessageError `ambiguous_framing` wherever two readers have been seen to disagree: both framing fields,
    repeated ones, lists, codings other than exactly `chunked`, a transfer coding in HTTP/1.0, lengths with signs,
    leading zeros or more digits than a signed 64-bit integer holds.
    """
    coding = fields.get("transfer-encoding")
    length = fields.get("content-length")
    if coding is None and length is None:
        return NO_BODY
    if coding is not None:
        if length is not None:
            raise _ambiguous("Content-Length beside Transfer-Encoding")
        if version != "1.1":
            raise _ambiguous("Transfer-Encoding in an HTTP/1.0 message")
        if coding != "chunked" or "transfer-encoding" in fields.repeated():
            raise _ambiguous("a transfer coding other than exactly one chunked")
        return CHUNKED
    if "content-length" in fields.repeated():
        raise _ambiguous("more than one Content-Length")
    if length is None or _LENGTH.fullmatch(length) is None:
        raise _ambiguous("a Content-Length that is not one plain number below 10^18")
    return ContentLength(int(length))


def persists(fields: Fields, version: str) -> bool:
    """Whether a message lets its connection persist (RFC 9112 section 9.3): `close` wins, HTTP/1.0 has to ask."""
    if "connection" not in fields:
        return version == "1.1"
    options = fields.tokens("connection")
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


def excerpt(text: str, limit: int = EXCERPT_CHARACTERS) -> str:
    """A quoted piece of foreign text that is bounded, printable ASCII and on one line."""
    piece = ascii(text[:limit])
    return piece if len(text) <= limit else f"{piece}..."


def _ambiguous(detail: str) -> MessageError:
    return MessageError("ambiguous_framing", detail)
