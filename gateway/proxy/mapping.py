"""Addresses between the public side and the origin's (DESIGN section 6, "From the origin"). Pure.

A transaction lives at `https://public-host/prefix/` and its origin at `scheme://origin/base/`. Requests go from prefix to base;
Location and Content-Location come back from base to prefix. Bodies are not rewritten.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.model import Match, Origin


class Mount(NamedTuple):
    """Where a transaction's origin is mounted.

    `public` is host[:port] as browsers type it; `prefix` and `base` end in '/'. `authority` is the origin's host[:port],
    `audience` its scheme://host[:port], `host_field` the Host that it sees.
    """

    public: str
    prefix: str
    base: str
    scheme: str
    authority: str
    audience: str
    host_field: str


@lru_cache(maxsize=4096)
def mount(origin: Origin, match: Match, public: str) -> Mount:
    """The mount of a match's origin, reached under `public`."""
    parts = urlsplit(origin.url)
    base = parts.path or "/"
    if not base.endswith("/"):
        base += "/"
    authority = parts.netloc
    return Mount(
        public,
        match.path,
        base,
        parts.scheme,
        authority,
        f"{parts.scheme}://{authority}",
        public if origin.host == "public" else authority,
    )


def origin_target(rest: str, query: str | None, place: Mount) -> str:
    """The target for the origin: `rest` is the canonical path below the match, starting with '/'."""
    path = place.base + rest[1:]
    return path if query is None else f"{path}?{query}"


def public_location(value: str, place: Mount) -> str:
    """A Location of the origin as the client must see it. A location elsewhere stays as it is."""
    scheme, host, path = _split(value)
    if host:
        if host.lower() not in (place.authority.lower(), place.public.lower()) or scheme not in ("", "http", "https"):
            return value
        return f"https://{place.public}{_map_path(path or '/', place)}"
    return _map_path(path, place) if path.startswith("/") and not scheme else value


def _split(value: str) -> tuple[str, str, str]:
    """Scheme (lower case), authority, and all from the path on, byte for byte."""
    scheme = ""
    rest = value
    colon = value.find(":")
    if (
        colon > 0
        and value[:colon].isascii()
        and value[:colon].replace("+", "").replace("-", "").replace(".", "").isalnum()
    ):
        scheme, rest = value[:colon].lower(), value[colon + 1 :]
    if not rest.startswith("//"):
        return scheme, "", rest
    end = len(rest)
    for mark in "/?#":
        at = rest.find(mark, 2)
        if at >= 0:
            end = min(end, at)
    path = rest[end:]
    return scheme, rest[2:end], path if path.startswith("/") or not path else "/" + path


def _map_path(path: str, place: Mount) -> str:
    if place.base == "/":
        # A framework that knows X-Forwarded-Prefix has put the prefix there already.
        if place.prefix != "/" and _below(path, place.prefix) is not None:
            return path
        return place.prefix + path[1:]
    rest = _below(path, place.base)
    if rest is None:
        return path
    return place.prefix[:-1] + (rest or "/")


def _below(path: str, prefix: str) -> str | None:
    """What follows `prefix` (without its last slash) in `path`, when whole segments of it stand there."""
    stem = prefix[:-1]
    rest = path[len(stem) :]
    return rest if path.startswith(stem) and rest[:1] in ("", "/", "?", "#") else None
