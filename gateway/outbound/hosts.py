"""Where the gateway may go by itself: places of a configured list, compared as parsed values (THREATS: server-side request forgery).

Addresses come from certificates and from providers' documents, so an address is a stranger's word. It is read once, strictly; what is
compared is what is connected to: scheme, host in its one spelling, and port. A name of the list may lead to an inner network: the
list is the operator's explicit decision, and there is no other way to be on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.errors import OutboundError, RequestError

# A room of the same floor: there is one reader of host names in the gateway, and it is pure.
from gateway.message.host import parse_authority

PORTS = {"http": 80, "https": 443}
MAX_URL_CHARACTERS = 2000
"""Long enough for an OCSP request by GET or an authorization server's address; certificates hold some fifty characters."""

_URL = re.compile(r"(https?)://([^/?#@\\]+)(/[^?#\\]*)?(?:\?([^#\\]*))?", re.IGNORECASE)
_VISIBLE = re.compile(r"[!-~]+")  # ASCII without space: RFC 3986 section 2 knows nothing else


class Place(NamedTuple):
    """A scheme, a host and a port. `host` is in lower case, without a trailing dot; IPv6 in brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")


class Url(NamedTuple):
    """An address that was read: where it is, and what is asked for there, as it was written."""

    place: Place
    path: str
    query: str | None

    @property
    def text(self) -> str:
        """The address in the spelling that is used."""
        return f"{self.place}{self.path}" + ("" if self.query is None else f"?{self.query}")


def parse_url(text: str) -> Url:
    """Reads an absolute http or https URL (RFC 3986). Raises OutboundError `unsafe_url`.

    Refused: userinfo, fragments, backslashes, anything outside visible ASCII (names are written as A-labels, RFC 5890), port 0,
    percent signs or underscores in the host, and every other scheme.
    """
    found = _URL.fullmatch(text) if len(text) <= MAX_URL_CHARACTERS and _VISIBLE.fullmatch(text) else None
    if found is None:
        raise OutboundError("unsafe_url")
    scheme = found[1].lower()
    try:
        name, port = parse_authority(found[2])
    except RequestError:
        raise OutboundError("unsafe_url") from None
    return Url(Place(scheme, name, port or PORTS[scheme]), found[3] or "/", found[4])


def parse_place(text: str) -> Place:
    """Reads `scheme://host[:port]`, nothing behind it. Raises OutboundError `unsafe_url`."""
    url = parse_url(text)
    if url.path != "/" or url.query is not None or text.endswith("/"):
        raise OutboundError("unsafe_url")
    return url.place


class Hosts:
    """The places that one purpose may go to. Nothing is allowed unless it is listed: an empty list allows nothing."""

    __slots__ = ("_places",)

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._places = frozenset(places)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Hosts:
        """From `scheme://host[:port]` texts. Raises OutboundError `unsafe_url`."""
        return cls(parse_place(text) for text in texts)

    def __contains__(self, place: Place) -> bool:
        return place in self._places

    def __iter__(self) -> Iterator[Place]:
        return iter(sorted(self._places))

    def check(self, text: str) -> Url:
        """The address, read, when it leads to one of these places. Raises OutboundError `unsafe_url` or `host_not_allowed`."""
        url = parse_url(text)
        if url.place not in self._places:
            raise OutboundError("host_not_allowed", str(url.place))
        return url
