"""One request head: from the bytes of a block to a `RequestHead` (RFC 9112 sections 2.2, 3 and 6). Pure."""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import RequestError
from gateway.message.events import NO_BODY, ContentLength, Framing, RequestHead
from gateway.message.fields import Fields
from gateway.message.host import Authority, parse_authority
from gateway.message.limits import Limits
from gateway.message.syntax import REQUEST_FIELDS, KnownLines, persists, read_fields, read_framing
from gateway.message.target import HTTPS_PORT, Target, parse_target

# RFC 9110 section 9.1 has any token; every registered method is upper case with hyphens, and "get" or "tRACE" means GET
# or TRACE to some frameworks and nothing to others. The longest registered one, UPDATEREDIRECTREF, has 17 letters.
_METHOD: Final = r"[A-Z][A-Z-]{0,23}"
_REQUEST_LINE: Final = re.compile(rf"({_METHOD}) ([!-~]++) HTTP/(1\.[01])\r\n")
_METHOD_ALONE: Final = re.compile(_METHOD)
# RFC 6455 section 4.1: the base64 of 16 bytes.
_WEBSOCKET_KEY: Final = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")
# Fields that hold one value and on which the gateway or an origin decides: of two lines each could believe another one.
_SINGLE: Final = frozenset(
    {
        "authorization",
        "content-type",
        "expect",
        "host",
        "origin",
        "range",
        "referer",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "sec-websocket-key",
        "sec-websocket-version",
        "upgrade",
        "user-agent",
    }
)


class Seen:
    """The head of a connection's last plain request as it came, where its fields begin, and what was read from it.

    Browsers send the same fields again and again on one connection, and pages that look after something the same request. What is
    the same to the byte has the same reading, so it is read once; whatever has a body, an upgrade or an expectation is read anew, but for its
    field lines that were the same.
    """

    __slots__ = ("block", "fields_at", "head", "lines")

    def __init__(self) -> None:
        self.lines = KnownLines()
        self.block = b""
        self.fields_at = 0
        self.head: RequestHead | None = None

    def keep(self, block: bytes, fields_at: int, head: RequestHead) -> None:
        plain = head.framing == NO_BODY and "expect" not in head.fields and "upgrade" not in head.fields
        self.block, self.fields_at, self.head = (block, fields_at, head) if plain else (b"", 0, None)


def read_request_head(block: bytes, limits: Limits, seen: Seen | None = None) -> RequestHead:
    """Read one whole head: request line, fields and the empty line. `seen` is what the connection's last request leaves.

    Raises RequestError, or MessageError where the grammar is that of responses too. Of several faults one is reported.
    """
    end = block.index(b"\n") + 1
    section = block[end:]
    method, target, version = read_request_line(block[:end].decode("latin-1"), limits)
    known = None if seen is None or section != seen.block[seen.fields_at :] else seen.head
    if seen is not None and known is not None and version == known.version and target.authority is None:
        head = RequestHead(method, target, version, known.fields, known.host, NO_BODY, known.keep_alive, False, False)
        seen.block, seen.fields_at, seen.head = block, end, head
        return head
    lines = None if seen is None else seen.lines
    fields = read_fields(section[:-2].decode("latin-1"), REQUEST_FIELDS, limits.field_count, lines)
    repeated = fields.repeated() & _SINGLE
    if repeated:
        raise RequestError("malformed", f"more than one {min(repeated)} field")
    name = fields.get("host")
    if name is None:
        raise RequestError("malformed", "no Host field (HTTP/1.0 needs one here too: the gateway guesses no host)")
    host = parse_authority(name)
    if target.authority is not None and _place(target.authority) != _place(host):
        raise RequestError("unsafe_target", "the authority of the absolute-form target is not that of the Host field")
    framing = read_framing(fields, version)
    head = RequestHead(
        method,
        target,
        version,
        fields,
        host,
        framing,
        keep_alive=persists(fields, version),
        expect_continue="expect" in fields and _expects_continue(fields, version, framing),
        upgrade_websocket="upgrade" in fields and _is_handshake(method, fields, version, framing),
    )
    if seen is not None:
        seen.keep(block, end, head)
    return head


def read_request_line(line: str, limits: Limits) -> tuple[str, Target, str]:
    """Method, target and version of a request line with its end. Raises RequestError."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _request_line_fault(line.partition("\r\n")[0])
    method, raw, version = match.groups()
    if len(raw) > limits.target_bytes:
        raise RequestError("too_large", f"the target is longer than {limits.target_bytes} bytes", 414)
    return method, parse_target(method, raw), version


def _request_line_fault(line: str) -> RequestError:
    """Why a request line is refused. The line is not repeated: it may hold a query."""
    if line.startswith("PRI * HTTP/2"):
        return RequestError("malformed", "the HTTP/2 connection preface, where HTTP/1.1 is spoken")
    if line[:1] in (" ", "\t"):
        return RequestError("malformed", "white space before the request line")
    parts = line.split(" ")
    if len(parts) != 3:
        return RequestError("malformed", "the request line is not method, target and version with one space between")
    method, target, _ = parts
    if _METHOD_ALONE.fullmatch(method) is None:
        return RequestError("malformed", "the method is not a word of upper-case letters")
    if not target.isascii():
        return RequestError("unsafe_target", "the target holds an octet outside ASCII")
    if not target or "\t" in target:
        return RequestError("malformed", "the target is empty or holds a tab")
    return RequestError("malformed", "the version is neither HTTP/1.0 nor HTTP/1.1")


def _place(authority: Authority) -> tuple[str, int]:
    """Host and port: `a` and `a:443` are one place, since the scheme is https."""
    return authority.name, HTTPS_PORT if authority.port is None else authority.port


def _expects_continue(fields: Fields, version: str, framing: Framing) -> bool:
    """Whether the client waits for 100 (RFC 9110 section 10.1.1): never in HTTP/1.0, never without a body."""
    if fields.tokens("expect") != ["100-continue"]:
        raise RequestError("field_refused", "an expectation other than 100-continue", 417)
    return version == "1.1" and framing not in (NO_BODY, ContentLength(0))


def _is_handshake(method: str, fields: Fields, version: str, framing: Framing) -> bool:
    """True for a valid websocket handshake (RFC 6455 section 4.2.1); every other use of Upgrade raises RequestError.

    RFC 9110 section 7.8 lets a server ignore an upgrade. Refusing leaves no doubt about what the bytes behind it are.
    """
    if fields.tokens("upgrade") != ["websocket"]:
        raise RequestError("field_refused", "an upgrade to another protocol than websocket")
    key = fields.get("sec-websocket-key") or ""
    if method != "GET" or version != "1.1" or framing != NO_BODY:
        raise RequestError("malformed", "a websocket handshake that is not a GET of HTTP/1.1 without a body")
    if "upgrade" not in fields.tokens("connection"):
        raise RequestError("malformed", "a websocket handshake without Connection: Upgrade")
    if fields.get("sec-websocket-version") != "13" or _WEBSOCKET_KEY.fullmatch(key) is None:
        raise RequestError("malformed", "a websocket handshake without version 13 and a key of 16 bytes")
    return True
