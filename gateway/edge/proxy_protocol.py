"""The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`, 2020): what a load balancer says first. Pure and bounded.

It names the client's address, so it is believed only from addresses that the configuration lists (THREATS row 1), and only when it
is there: a listed peer that sends none is refused. Extensions (TLV) of version 2 are passed over: nothing here depends on them.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from gateway.errors import OpeningError

SIGNATURE_1: Final = b"PROXY "
SIGNATURE_2: Final = b"\r\n\r\n\0\r\nQUIT\n"
MAX_LINE_BYTES: Final = 107
"""Section 2.1: the longest line of version 1, its end included."""
MAX_HEADER_BYTES: Final = 4096
"""Of version 2. Addresses take 52; what balancers add as extensions, names and certificates' names among them, some hundreds."""
_FIXED_BYTES: Final = 16

_PORT = r"(?:0|[1-9][0-9]{0,4})"
_LINE = re.compile(rf"PROXY (?:UNKNOWN(?: [ -~]*)?|TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ({_PORT}) ({_PORT}))")


class ProxyHeader(NamedTuple):
    """`length` bytes are to be taken off the connection, and no more. `address` is the client's; None: the peer speaks for itself."""

    length: int
    address: str | None


def looks_like_proxy(data: bytes) -> bool:
    """Whether a connection begins with a header of either version, as far as its bytes go."""
    return data[:12] == SIGNATURE_2 or data[:6] == SIGNATURE_1


def read_proxy_header(data: bytes) -> ProxyHeader | int:
    """The header that `data` begins with; or how many bytes there must be, before more can be said. Raises OpeningError."""
    if not data:
        return 1
    if data[:12] == SIGNATURE_2[: len(data)]:
        return _version_2(data)
    if data[:6] == SIGNATURE_1[: len(data)]:
        return _version_1(data)
    raise OpeningError("proxy_header_missing")


def _version_1(data: bytes) -> ProxyHeader | int:
    end = data.find(b"\r\n", 0, MAX_LINE_BYTES)
    if end < 0:
        if len(data) >= MAX_LINE_BYTES:
            raise OpeningError("bad_proxy_header")
        return len(data) + 1
    line = _LINE.fullmatch(data[:end].decode("latin-1"))
    if line is None:
        raise OpeningError("bad_proxy_header")
    family, source, destination, *ports = line.groups()
    if family is None:
        return ProxyHeader(end + 2, None)
    try:
        addresses = ip_address(source), ip_address(destination)
    except ValueError:
        raise OpeningError("bad_proxy_header") from None
    if any(address.version != int(family) for address in addresses) or any(int(port) > 65535 for port in ports):
        raise OpeningError("bad_proxy_header")
    return ProxyHeader(end + 2, str(addresses[0]))


def _version_2(data: bytes) -> ProxyHeader | int:
    """Section 2.2: signature, version and command, family and protocol, length; then the addresses, the source first."""
    if len(data) < _FIXED_BYTES:
        return _FIXED_BYTES
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    end = _FIXED_BYTES + length
    if command not in (0x20, 0x21) or end > MAX_HEADER_BYTES:
        raise OpeningError("bad_proxy_header")
    if len(data) < end:
        return end
    if command == 0x20:  # LOCAL: the balancer's own, a health check; its addresses mean nothing
        return ProxyHeader(end, None)
    match family:
        case 0x11 if length >= 12:  # TCP over IPv4
            return ProxyHeader(end, str(IPv4Address(data[16:20])))
        case 0x21 if length >= 36:  # TCP over IPv6
            return ProxyHeader(end, str(IPv6Address(data[16:32])))
        case 0x00:  # UNSPEC
            return ProxyHeader(end, None)
    raise OpeningError("bad_proxy_header")
