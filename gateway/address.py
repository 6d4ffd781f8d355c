"""A socket's peer address as a value."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

REMEMBERED = 4096
"""Clients whose address was read lately: a browser opens several connections one after the other."""


@lru_cache(maxsize=REMEMBERED)
def client_ip(text: str) -> IPv4Address | IPv6Address:
    """A socket's peer address, without the zone of a link-local one. Raises ValueError for what is no address."""
    return ip_address(text.partition("%")[0])
