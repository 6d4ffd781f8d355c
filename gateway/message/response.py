"""One response head: from the bytes of a block to a head (RFC 9112 sections 4 and 6). Pure.

Origins are held to the same strictness as clients; what breaks it becomes a ResponseError in the reader.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import MessageError
from gateway.message.events import NO_BODY, UNTIL_CLOSE, ContentLength, InformationalHead, ResponseHead
from gateway.message.fields import Fields
from gateway.message.limits import Limits
from gateway.message.syntax import RESPONSE_FIELDS, KnownLines, persists, read_fields, read_framing

START: Final = b"HTTP/1."
"""How every response begins; anything else (HTTP/0.9, TLS, another protocol) is refused with its first bytes."""
SWITCHING_PROTOCOLS: Final = 101

# Status codes are 100 to 599 (RFC 9110 section 15). The space before an empty reason is required of servers (RFC 9112
# section 4), but some leave it out, and nothing can be read two ways then.
_STATUS_LINE: Final = re.compile(r"HTTP/(1\.[01]) ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*+))?\r\n")


class Known:
    """The head of an origin's last answer, and what was read from it.

    An application says much the same each time. A head that is the same to the byte, in answer to the same kind of request, has the
    same reading: so it is read once.
    """

    __slots__ = ("block", "head", "lines", "to_head")

    def __init__(self) -> None:
        self.lines = KnownLines()
        self.block = b""
        self.head: ResponseHead | None = None
        self.to_head = False

    def keep(self, block: bytes, head: ResponseHead, *, to_head: bool) -> None:
        self.block, self.head, self.to_head = block, head, to_head


def read_response_head(
    block: bytes, request_method: str, limits: Limits, *, websocket: bool, lines: KnownLines | None = None
) -> ResponseHead | InformationalHead:
    """Read one whole head: status line, fields and the empty line. `websocket`: whether the request asked for one.

    Raises MessageError.
    """
    text = block.decode("latin-1")
    line = _STATUS_LINE.match(text)
    if line is None:
        raise MessageError("malformed", "the status line is not HTTP/1.0 or 1.1 with a status from 100 to 599")
    version, digits, reason = line.groups("")
    status = int(digits)
    fields = read_fields(text[line.end() : -2], RESPONSE_FIELDS, limits.field_count, lines)
    framing = read_framing(fields, version)
    if status < 200:
        if framing != NO_BODY:
            raise MessageError("ambiguous_framing", f"a {status} response with Content-Length or Transfer-Encoding")
        if status == SWITCHING_PROTOCOLS:
            _check_switch(fields, version, websocket=websocket)
        return InformationalHead(status, fields)
    if status == 204 and framing not in (NO_BODY, ContentLength(0)):
        raise MessageError("ambiguous_framing", "a 204 response that announces a body")
    if request_method == "HEAD" or status in (204, 304):
        framing = NO_BODY
    elif framing == NO_BODY:
        framing = UNTIL_CLOSE
    return ResponseHead(status, reason, fields, framing, framing != UNTIL_CLOSE and persists(fields, version))


def _check_switch(fields: Fields, version: str, *, websocket: bool) -> None:
    """A 101 is accepted only when a websocket was asked for, and only to that (RFC 6455 section 4.1).

    Sec-WebSocket-Accept is not checked: the browser that made the key does that end to end.
    """
    if not websocket or version != "1.1":
        raise MessageError("malformed", "a 101 response that nobody asked for")
    if fields.tokens("upgrade") != ["websocket"] or "upgrade" not in fields.tokens("connection"):
        raise MessageError("malformed", "a 101 response that does not switch to websocket")
