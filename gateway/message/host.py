"""The authority of a request: the Host field and absolute-form targets (RFC 9110 section 7.2, RFC 3986 section 3.2).

Hosts are compared with names from the table and with SNI, so there is one spelling: lower case, without the root's
trailing dot, IPv6 addresses in brackets in their canonical form (RFC 5952). What is no DNS host name and no address is
refused, not interpreted: percent-encodings, underscores, zone ids, IPvFuture, userinfo, lists.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple

from gateway.errors import RequestError

NAME_CHARACTERS: Final = 253
"""Longest DNS name in characters (RFC 1035 section 2.3.4, less the length octets)."""
PORT_MAX: Final = 65535
CACHED_AUTHORITIES: Final = 1024
"""Authorities remembered: a gateway serves tens of names, and what does not parse is never remembered."""

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_AUTHORITY: Final = re.compile(rf"(?:({_LABEL}(?:\.{_LABEL})*)\.?|\[([0-9a-f:.]+)\])(?::([1-9][0-9]{{0,4}}))?")


class Authority(NamedTuple):
    """A host and, if it was given, a port."""

    name: str
    port: int | None


@lru_cache(maxsize=CACHED_AUTHORITIES)
def parse_authority(value: str) -> Authority:
    """Parse `host[:port]`. Raises RequestError `malformed` for anything else."""
    match = _AUTHORITY.fullmatch(value.lower()) if value.isascii() else None
    if match is None:
        raise RequestError("malformed", "the host is not a DNS name or an address with an optional port")
    name, address, port_digits = match.groups()
    port = None if port_digits is None else int(port_digits)
    if port is not None and port > PORT_MAX:
        raise RequestError("malformed", f"the port of the host is above {PORT_MAX}")
    if address is not None:
        try:
            name = f"[{IPv6Address(address).compressed}]"
        except AddressValueError:
            raise RequestError("malformed", "the host is not a valid IPv6 address") from None
    elif len(name) > NAME_CHARACTERS:
        raise RequestError("malformed", f"the host is longer than {NAME_CHARACTERS} characters")
    return Authority(name, port)
