"""Cookies between a client, the gateway and an origin (DESIGN section 6, last paragraph). Pure.

The gateway's own cookies never reach an origin, and an origin can never set or shadow one of them. An origin's cookies are either
`plain` (the origin has the host to itself) or `per-session`: kept under a name that holds the session and the transaction, so that the next
person at this browser, and the next transaction on this host, never see them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

SESSION_COOKIE: Final = "__Host-gw-session"
START_COOKIE: Final = "__Host-gw-start"
KEPT_COOKIE: Final = "__Host-gw-kept"
"""Ties a kept form to the browser that sent it (docs/adr/0009)."""
LANGUAGE_COOKIE: Final = "__Host-gw-language"
NOTE_PREFIX: Final = "__Host-gw-path-"
"""Of cookies that tell the path and the name of an origin's (`note_of`)."""
OWN_PREFIXES: Final = ("__host-gw-", "__secure-gw-")
"""Lower case: browsers compare the prefixes of cookie names without regard to case (RFC 6265bis section 4.1.3)."""

ORIGIN_PREFIX: Final = "__Secure-gw-"
REMEMBERED: Final = 4096
"""Scopes kept: one for each sign-in and transaction that is in use."""

Pair = tuple[str, str]


class CookieScope(NamedTuple):
    """Whose cookies an exchange may carry: made by `scope_of`.

    `names` is what the names of this session's and transaction's cookies begin with (`per-session`). `prefix` is the match's path
    (ends in '/'), `base` the origin's (ends in '/').
    """

    style: Literal["per-session", "plain"]
    names: str
    prefix: str
    base: str


@lru_cache(maxsize=REMEMBERED)
def scope_of(
    style: Literal["per-session", "plain"], user_id: str, signed_in_at: float, transaction: str, prefix: str, base: str
) -> CookieScope:
    """The scope of one sign-in (`signed_in_at` in Unix seconds) at one transaction.

    The transaction is in the tag as well: `a`, with a cookie `b-x`, must not meet transaction `a-b` with its cookie `x`.
    """
    tag = hashlib.sha256(f"{user_id} {signed_in_at!r} {transaction}".encode()).hexdigest()[:12]
    return CookieScope(style, f"{ORIGIN_PREFIX}{tag}-{transaction}-", prefix, base)


def is_own(name: str) -> bool:
    """Whether a cookie name belongs to the gateway, in any spelling."""
    return name.lower().startswith(OWN_PREFIXES)


def split(fields: Iterable[str]) -> tuple[Pair, ...]:
    """The name-value pairs of Cookie fields (RFC 6265 section 5.4), in order; a piece without '=' has an empty name."""
    pairs: list[Pair] = []
    for field in fields:
        for piece in field.split(";"):
            name, equals, value = piece.strip(" \t").partition("=")
            if equals:
                pairs.append((name, value))
            elif name:
                pairs.append(("", name))
    return tuple(pairs)


def own_cookie(pairs: Iterable[Pair], name: str) -> str | None:
    """The value of one of our cookies; None when it is absent, or there with two different values (then somebody plays)."""
    found: str | None = None
    for key, value in pairs:
        if key == name:
            if found is not None and found != value:
                return None
            found = value
    return found


def to_origin(pairs: Iterable[Pair], scope: CookieScope) -> str | None:
    """The Cookie field for the origin: its own cookies of this session and transaction, under their old names."""
    if scope.style == "per-session":
        start = len(scope.names)
        kept = [f"{name[start:]}={value}" for name, value in pairs if name.startswith(scope.names)]
    else:
        kept = [f"{name}={value}" if name else value for name, value in pairs if not is_own(name)]
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
    shown = name if scope.style == "plain" else scope.names + name
    return "; ".join([f"{shown}={content.strip(' ' + chr(9))}", *kept])


def map_path(path: str | None, scope: CookieScope) -> str:
    """A cookie path of the origin, as the client must see it: never above the match."""
    if path is None or not path.startswith("/"):
        return scope.prefix
    if (path + "/").startswith(scope.base):
        rest = path[len(scope.base) :]
        return scope.prefix + rest
    return path if (path + "/").startswith(scope.prefix) and scope.prefix != "/" else scope.prefix


def note_of(seen: str, scope: CookieScope) -> str | None:
    """A cookie of ours beside one of the origin's, `seen` as `from_origin` gave it: that it lies in this browser, and where. None where no
    note is needed.

    A plain cookie with a path is sent to no page of ours, so that without a note nobody could make the browser forget it before the
    next user ID; and the origin would take that one for the one before. A cookie `per-session` is not sent for another one anyway.
    """
    if scope.style != "plain":
        return None
    first, *attributes, path, _ = seen.split("; ")
    path = path.removeprefix("Path=")
    if path == "/":
        return None
    name = first.partition("=")[0]
    tag = hashlib.sha256(f"{path} {name}".encode()).hexdigest()[:12]
    # It lives as long as the other one, and goes with it.
    ends = [each for each in attributes if each.lower().startswith(("max-age=", "expires="))]
    value = f"{NOTE_PREFIX}{tag}={quote(path, safe='/')}:{name}"
    return "; ".join([value, *ends, "Path=/", "Secure", "HttpOnly", "SameSite=Lax"])
