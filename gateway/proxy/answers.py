"""The gateway's own answers to refusals, challenges and failures (DESIGN section 4, "Who is told what")."""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple

from gateway.credentials.start import FORM_LIFETIME_SECONDS, lifetime
from gateway.decision import Decision, Facts, Kind
from gateway.decision.facts import SAFE_METHODS
from gateway.decision.places import FORM_PAGE, Place
from gateway.message import ContentLength, Fields, write_response_head
from gateway.model import Language
from gateway.proxy.cookies import KEPT_COOKIE, LANGUAGE_COOKIE, START_COOKIE, own_cookie, split
from gateway.proxy.gate import Gate
from gateway.proxy.keeping import Kept

HSTS = ("Strict-Transport-Security", "max-age=63072000")
"""Two years, on every answer over TLS, and only ours (DESIGN section 6; RFC 6797 section 7.2 forbids it over plain HTTP)."""

CHALLENGE_STATUS = 303
OFFICE = "office_link"
RETRY_SECONDS = "5"
PACE_SECONDS = "1"
"""Of a session that was too fast: by then some requests are let through again."""

_START = re.compile(r"[?&](start=[A-Za-z0-9_-]{1,4096})(?:&|\Z)")
"""A start token in the query of a page of the portal."""
_START_COOKIE = re.compile(r"[0-9a-f]{64}")
"""The value of a start cookie that we made: 32 random bytes."""

_STEP = {
    "sign_in_required": "/sign-in",
    "session_expired": "/sign-in",
    "session_revoked": "/sign-in",
    "regulation_not_accepted": "/regulation",
    "session_moved": "/step-up",
    "doubtful_client": "/step-up",
    "means_too_weak": "/step-up",
    "means_not_agreed": "/step-up",
    "authentication_too_old": "/step-up",
}
"""The portal's page that mends a challenge."""


class Asked(NamedTuple):
    """What an answer depends on beyond the decision. All None for a message that could not be read.

    `kept` is the form that the request was, when it can be had again after the challenge.
    """

    target: str
    fields: Fields | None
    host_field: str | None
    kept: Kept | None = None


def answer(
    gate: Gate,
    decision: Decision,
    facts: Facts,
    asked: Asked,
    reference: str,
    *,
    close: bool,
    status: int | None = None,
) -> bytes:
    """The whole answer to what was not permitted, ready to be written."""
    readable = asked.fields is not None
    code = status_of(decision, facts, readable=readable, kept=asked.kept is not None) if status is None else status
    if decision.kind is Kind.CHALLENGE:
        if decision.reason.code == OFFICE:
            return _write(
                200, [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")], b"", facts, close
            )
        if code == CHALLENGE_STATUS:
            return _challenge(gate, decision, facts, asked, reference, close)
    language = _language(gate, facts, asked.fields)
    pairs = [("X-Request-Id", reference), ("Content-Language", language)]
    if asked.fields is None or facts.navigation:
        body = gate.pages.page(decision, facts, reference, language)
        pairs += gate.pages.fields
        pairs.append(("Content-Type", "text/html; charset=utf-8"))
    else:
        body = gate.pages.problem(decision, facts, reference, language)
        pairs += [
            ("Content-Type", "application/problem+json"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
    if code == 401:
        # RFC 9110 section 11.6.1 demands the field; no browser makes a prompt for a scheme that it does not know.
        pairs.append(("WWW-Authenticate", 'Gateway-Session realm="portal"'))
    if code == 429:
        pairs.append(("Retry-After", PACE_SECONDS))
    if code == 503:
        pairs.append(("Retry-After", RETRY_SECONDS))
    return _write(code, pairs, body, facts, close)


def status_of(decision: Decision, facts: Facts, *, readable: bool, kept: bool = False) -> int:
    """The status of the gateway's own answer; `readable` is False for a message that could not be read, `kept` True for a form
    that was kept."""
    if decision.kind is not Kind.CHALLENGE:
        return decision.reason.status
    safe = facts.method in SAFE_METHODS
    if decision.reason.code == OFFICE:
        # Office opens a link itself before it opens the browser; a 401 would keep the browser shut (CLIENTS).
        return decision.reason.status
    if not facts.navigation:
        return 401 if facts.session is None else decision.reason.status
    # A form that was neither sent nor kept is told so on a page, which no browser may make a prompt of: so not 401.
    return CHALLENGE_STATUS if readable and (safe or kept) else 403


def _challenge(gate: Gate, decision: Decision, facts: Facts, asked: Asked, reference: str, close: bool) -> bytes:
    """To the portal's page that mends it; on a transaction host with the way back sealed in the query (ADR 0001)."""
    location = f"https://{gate.portal_authority}{_STEP[decision.reason.code]}"
    pairs = [("X-Request-Id", reference), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")]
    if facts.host == gate.snapshot.portal_host:
        # A session that ended on the way: the way back, sealed as it is, goes with the person to the next page.
        under_way = _START.search(asked.target)
        if under_way is not None:
            location = f"{location}?{under_way[1]}"
    elif asked.host_field is not None:
        form = "" if asked.kept is None else asked.kept.key
        had = _start_cookie(asked.fields)
        cookie = gate.random(32).hex() if had is None else had
        # Another tab may have a form to come back to, which lives longer.
        seconds = lifetime(form) if had is None else FORM_LIFETIME_SECONDS
        token = gate.start_tokens.seal(
            asked.host_field,
            _way_back(decision, facts, asked),
            cookie,
            decision.reason.code,
            reference,
            facts.now,
            gate.random(12),
            form,
        )
        location = f"{location}?start={token}"
        pairs.append(
            (
                "Set-Cookie",
                f"{START_COOKIE}={cookie}; Path=/; Max-Age={seconds:.0f}; Secure; HttpOnly; SameSite=Lax",
            )
        )
        if asked.kept is not None and asked.kept.browser:
            pairs.append(("Set-Cookie", f"{KEPT_COOKIE}={asked.kept.browser}; Path=/; Secure; HttpOnly; SameSite=Lax"))
    pairs.append(("Location", location))
    return _write(303, pairs, b"", facts, close)


def _start_cookie(fields: Fields | None) -> str | None:
    """What this browser is known by already when it comes back: the same for all its tabs, else each of them would take the way back from
    the others."""
    had = None if fields is None else own_cookie(split(fields.all("cookie")), START_COOKIE)
    return None if had is None or _START_COOKIE.fullmatch(had) is None else had


def _way_back(decision: Decision, facts: Facts, asked: Asked) -> str:
    """Where to go when the challenge is met. Of a kept form only the path is needed: the rest is kept with it."""
    if decision.place is Place.TRANSACTION:
        return asked.target if asked.kept is None else facts.path
    return asked.target if facts.path == FORM_PAGE else "/"


def _language(gate: Gate, facts: Facts, fields: Fields | None) -> Language:
    if fields is None:
        return gate.pages.language(None, None, facts)
    cookie = own_cookie(split(fields.all("cookie")), LANGUAGE_COOKIE)
    return gate.pages.language(fields.get("accept-language"), cookie, facts)


@lru_cache(maxsize=4)
def http_date(second: int) -> str:
    """The Date field's value at this Unix second (RFC 9110 section 5.6.7)."""
    return formatdate(second, usegmt=True)


def _write(status: int, pairs: list[tuple[str, str]], body: bytes, facts: Facts, close: bool) -> bytes:
    pairs = [*pairs, HSTS] if facts.connection.tls_version is not None else pairs
    pairs = [*pairs, ("Date", http_date(int(facts.now))), ("Connection", "close" if close else "keep-alive")]
    head = write_response_head(status, pairs, ContentLength(len(body)))
    return head if facts.method == "HEAD" else head + body
