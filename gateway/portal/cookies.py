"""The portal's cookies. All have the `__Host-` prefix: one host, Secure, path `/` (RFC 6265bis section 4.1.3)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.portal.language import LANGUAGE_COOKIE

SESSION: Final = "__Host-gw-session"
START: Final = "__Host-gw-start"
"""Set by the proxy with a challenge: this browser asked for the target (DESIGN section 6)."""
KEPT: Final = "__Host-gw-kept"
"""Set by the proxy with a challenge to a form: that form was sent by this browser (docs/adr/0009)."""
FORM: Final = "__Host-gw-form"
"""Ties a form to the browser that it was given to, before anybody is signed in."""
LAST: Final = "__Host-gw-last"
"""A keyed tag of the user ID that this host last served."""
NOTE_PREFIX: Final = "__Host-gw-path-"
"""Set by the proxy beside a plain cookie of an origin that has a path: its value is that path, percent-encoded, a colon, and its name."""
LANGUAGE: Final = LANGUAGE_COOKIE
YEAR_SECONDS: Final = 365 * 86400


def set_cookie(response: web.StreamResponse, name: str, value: str, max_age: int | None = None) -> None:
    """`max_age` in seconds; without it the cookie ends with the browser's session."""
    response.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="Lax")


def expire_cookie(response: web.StreamResponse, name: str) -> None:
    response.set_cookie(name, "", max_age=0, path="/", secure=True, httponly=True, samesite="Lax")
