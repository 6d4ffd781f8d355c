"""How a connection on a TLS port begins: with a ClientHello, with HTTP in the clear, or with something else. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gateway.edge.hello import ClientHello, read_client_hello
from gateway.edge.proxy_protocol import looks_like_proxy
from gateway.errors import OpeningError

_LONGEST_METHOD: Final = 20
"""UPDATEREDIRECTREF has 17 letters, and is the longest that IANA lists."""
_METHOD = re.compile(rb"[A-Za-z]{1,%d}" % _LONGEST_METHOD)


class ClearText(NamedTuple):
    """HTTP without TLS: a request, or the preface of HTTP/2 (RFC 9113 section 3.4). `head`: a body must not be answered."""

    head: bool


def read_opening(data: bytes) -> ClientHello | ClearText | int:
    """What `data` begins with; or how many bytes there must be, before more can be said. Raises OpeningError for the rest."""
    if not data:
        return 1
    if data[0] == 0x16:
        return read_client_hello(data)
    if looks_like_proxy(data):
        raise OpeningError("proxy_header_refused")
    method = _METHOD.match(data)
    if method is None or (method.end() < len(data) and data[method.end()] != 0x20):
        raise OpeningError("not_tls")
    if method.end() == len(data):
        return len(data) + 1
    return ClearText(method[0] == b"HEAD")
