"""Cookies between a client, the gateway and an origin (DESIGN section 6, last paragraph). Pure.

The gateway's own cookies never reach an origin, and an origin can never set or shadow one of them. An origin's cookies are either
`plain` (the origin has the host to itself) or `per-session`: kept under a name that holds the session and the transaction, so that the next
person at this browser, and the next transaction on this host, never see them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal, NamedTuple

SESSION_COOKIE = "__Host-gw-session"
START_COOKIE = "__Host-gw-start"
LANGUAGE_COOKIE = "__Host-gw-language"
OWN_PREFIXES = ("__host-gw-", "__secure-gw-")
"""Lower case: browsers compare the prefixes of cookie names without regard to case (RFC 6265bis section 4.1.3)."""

ORIGIN_PREFIX = "__Secure-gw-"


class CookieScope(NamedTuple):
    """Whose cookies an exchange may carry. `prefix` is the match's path (ends in '/'), `base` the origin's (ends in '/')."""

    style: Literal["per-session", "plain"]
    session: str
    transaction: str
    prefix: str
    base: str

    @property
    def name_prefix(self) -> str:
        tag = hashlib.sha256(self.session.encode()).hexdigest()[:12]
        return f"{ORIGIN_PREFIX}{tag}-{self.transaction}-"


def is_own(name: str) -> bool:
    """Whether a cookie name belongs to the gateway, in any spelling."""
    return name.lower().startswith(OWN_PREFIXES)


def split(field: str) -> list[tuple[str, str]]:
    """The name-value pairs of a Cookie field's value (RFC 6265 section 5.4), in order; a piece without '=' has an empty name."""
    pairs: list[tuple[str, str]] = []
    for piece in field.split(";"):
        name, equals, value = piece.strip(" \t").partition("=")
        if equals:
            pairs.append((name, value))
        elif name:
            pairs.append(("", name))
    return pairs


def own_cookie(fields: Iterable[str], name: str) -> str | None:
    """The value of one of our cookies; None when it is absent, or there with two different values (then somebody plays)."""
    found: str | None = None
    for field in fields:
        if name not in field:
            continue
        for key, value in split(field):
            if key == name:
                if found is not None and found != value:
                    return None
                found = value
    return found


def to_origin(fields: Iterable[str], scope: CookieScope) -> str | None:
    """The Cookie field for the origin: its own cookies of this session and transaction, under their old names."""
    kept: list[str] = []
    wanted = scope.name_prefix if scope.style == "per-session" else ""
    for field in fields:
        for name, value in split(field):
            if scope.style == "per-session":
                if name.startswith(wanted):
                    kept.append(f"{name[len(wanted) :]}={value}")
            elif not is_own(name):
                kept.append(f"{name}={value}" if name else value)
    return "; ".join(kept) if kept else None


def from_origin(value: str, scope: CookieScope) -> str | None:
    """The Set-Cookie field for the client; None when the origin tried to set one of ours, or something without a name."""
    first, *attributes = value.split(";")
    name, equals, content = first.strip(" \t").partition("=")
    name = name.strip(" \t")
    if not equals or not name or is_own(name):
        return None
    path: str | None = None
    kept: list[str] = []
    for attribute in attributes:
        key, _, setting = attribute.strip(" \t").partition("=")
        lower = key.strip(" \t").lower()
        if lower == "path":
            path = setting.strip(" \t")
        elif lower not in ("domain", "secure", ""):
            kept.append(attribute.strip(" \t"))
    host_bound = name.lower().startswith("__host-") and scope.style == "plain"
    kept.append(f"Path={'/' if host_bound else map_path(path, scope)}")
    kept.append("Secure")
    shown = name if scope.style == "plain" else scope.name_prefix + name
    return "; ".join([f"{shown}={content.strip(' ' + chr(9))}", *kept])


def map_path(path: str | None, scope: CookieScope) -> str:
    """A cookie path of the origin, as the client must see it: never above the match."""
    if path is None or not path.startswith("/"):
        return scope.prefix
    if (path + "/").startswith(scope.base):
        rest = path[len(scope.base) :]
        return scope.prefix + rest
    return path if (path + "/").startswith(scope.prefix) and scope.prefix != "/" else scope.prefix


def expire(names: Iterable[str], path: str) -> list[str]:
    """Set-Cookie fields that make a browser forget these cookies at `path`."""
    return [f"{name}=; Path={path}; Max-Age=0; Secure" for name in names]
