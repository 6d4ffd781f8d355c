"""From a request's head to the facts of the decision."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final, NamedTuple

from gateway.decision import Connection, Facts, PageOrigin, Rules, Signal
from gateway.decision.suspensions import Suspensions
from gateway.message import Fields, RequestHead, request_to_origin
from gateway.proxy.activity import Acting, read_acting
from gateway.proxy.agent import Named, read_agent
from gateway.proxy.cookies import SESSION_COOKIE, own_cookie, split
from gateway.proxy.evidence import look, observed, read_traits
from gateway.records.index import Index
from gateway.records.values import SessionEntry

HTTPS_PORT: Final = 443
CREDENTIAL_FIELDS: Final = (
    "proxy-authorization",
    "dpop",
    "x-api-key",
    "api-key",
    "apikey",
    "x-auth-token",
    "x-access-token",
    "x-authorization",
    "ocp-apim-subscription-key",
    "client-assertion",
    "oauth-client-attestation",
    "oauth-client-attestation-pop",
)
"""Fields, besides Authorization, that carry a key or a proof of a client's own: RFC 9110 section 11.7.2, RFC 9449, the usual names of
API keys, and the draft of OAuth client attestation. No browser sends one before somebody has signed in. What a query or a body
holds opens nothing either, and is not looked at."""


class Evidence:
    """Facts, and the session that they were read from: needed again when an open exchange is decided anew."""

    __slots__ = ("entry", "facts")

    def __init__(self, facts: Facts, entry: SessionEntry | None) -> None:
        self.facts = facts
        self.entry = entry


class Sent(NamedTuple):
    """What the fields of a request say, whatever its request line, the time and the records.

    A browser sends the same fields again and again on one connection, and the reader then hands out the same `fields`: so a
    connection keeps the last of these. `origin_fields` are the fields that an origin may see.
    """

    fields: Fields
    host: str
    port_is_ours: bool
    token_hash: bytes | None
    named: Named
    signature_agent: bool
    authorization: bool
    credential: str | None
    fetch_site: str | None
    page_origin: PageOrigin
    navigation: bool
    acting: Acting
    traits: tuple[Signal, ...]
    cookies: tuple[tuple[str, str], ...]
    origin_fields: tuple[tuple[str, str], ...]


def read_sent(head: RequestHead, public_port: int, connection: Connection) -> Sent:
    """Read the fields once. `traits` are what these fields, and the connection, show of a program."""
    fields = head.fields
    host, port = head.host
    cookies = split(fields.all("cookie"))
    token = own_cookie(cookies, SESSION_COOKIE)
    named = read_agent(fields.get("user-agent") or "")
    navigation = _is_navigation(fields, named)
    return Sent(
        fields,
        host,
        port is None or port == public_port,
        None if token is None else hashlib.sha256(token.encode("latin-1")).digest(),
        named,
        "signature-agent" in fields,
        "authorization" in fields,
        next((name for name in CREDENTIAL_FIELDS if name in fields), None),
        fields.get("sec-fetch-site"),
        page_origin(_where_made(fields), host, public_port),
        navigation,
        read_acting(fields, named, navigation=navigation),
        read_traits(fields, named, connection, websocket=head.upgrade_websocket),
        cookies,
        tuple(request_to_origin(head)),
    )


def gather(
    head: RequestHead,
    sent: Sent,
    connection: Connection,
    index: Index,
    rules: Rules,
    suspensions: Suspensions,
    now: float,
) -> Evidence:
    """The facts of one request, `now` in Unix seconds."""
    entry = session = evidence = None
    too_fast: tuple[str, ...] = ()
    if sent.token_hash is not None:
        entry = index.session(sent.token_hash, sent.host)
        if entry is not None:
            session = entry.session
            given_to = index.family(sent.token_hash)
            found = observed(entry)
            evidence = look(found, sent.traits, sent.named, connection, given_to, rules, now)
            if found.dry:
                too_fast = found.too_fast(now)
    return Evidence(
        Facts(
            now,
            connection,
            head.method,
            sent.host,
            sent.port_is_ours,
            head.target.path,
            None,
            sent.named.agent,
            sent.signature_agent,
            sent.authorization,
            sent.credential,
            head.upgrade_websocket,
            sent.fetch_site,
            sent.page_origin,
            sent.navigation,
            sent.acting.acts(head.method, head.target.path),
            session,
            0.0 if entry is None else entry.last_seen,
            None if session is None else index.user(session.user_id),
            index.current(now),
            evidence,
            too_fast,
            suspensions,
            None if session is None else index.known_age(now),
        ),
        entry,
    )


def faulty(connection: Connection, reason: str, now: float) -> Facts:
    """The facts of a message that could not be read: nothing in it is believed."""
    return Facts(now, connection, "", None, False, "", reason)


def renewed(evidence: Evidence, index: Index, suspensions: Suspensions, now: float, *, lasting: bool) -> Facts:
    """The same request as the records and the clock stand now.

    A `lasting` exchange (a websocket, a stream) keeps being measured by idle time and the age of the authentication. An
    answer that is merely long is not: it began in time, and counts as old as it was then. The session's own end ends both.
    """
    facts, entry = evidence.facts, evidence.entry
    # The entry lives on through a step-up, which gives this host's cookie up: what is open keeps its session.
    session = None if entry is None else entry.session
    last_seen = 0.0 if entry is None else entry.last_seen
    if session is not None and not lasting:
        last_seen = now
        session = replace(session, auth_time=now - max(0.0, facts.now - session.auth_time))
    user = None if session is None else index.user(session.user_id)
    # Evidence asks who is there before something begins; it ends nothing that is under way.
    return replace(
        facts,
        now=now,
        session=session,
        last_seen=last_seen,
        user=user,
        records_current=index.current(now),
        evidence=None,
        too_fast=(),
        suspensions=suspensions,
        records_age=None if session is None else index.known_age(now),
    )


def page_origin(origin: str | None, host: str, public_port: int) -> PageOrigin:
    """Where the page stands that made the request, by its Origin field (RFC 6454 section 7)."""
    if origin is None:
        return PageOrigin.NONE
    if origin == "null":
        return PageOrigin.NULL
    ours = f"https://{host}" if public_port == HTTPS_PORT else f"https://{host}:{public_port}"
    return PageOrigin.OURS if origin == ours else PageOrigin.FOREIGN


def _where_made(fields: Fields) -> str | None:
    """The Origin field; or the origin of the Referer, from browsers that know neither Origin nor fetch metadata (text browsers: a blind
    person's form is refused otherwise). A strange page can leave its own Referer out, but not send ours; without either
    nothing is known, and what is unsafe is refused. A websocket always has an Origin in every browser that knows websockets.
    """
    origin, referer = fields.get("origin"), fields.get("referer")
    if origin is not None or referer is None or "sec-fetch-site" in fields or "upgrade" in fields:
        return origin
    scheme, mark, rest = referer.partition("://")
    return f"{scheme}{mark}{rest.partition('/')[0]}"


def _is_navigation(fields: Fields, named: Named) -> bool:
    """Whether a page was asked for, by fetch metadata; without it, by what the client accepts. Text browsers accept anything, and whatever
    they ask for, a person does: what runs no scripts has nobody else to ask."""
    mode = fields.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    return named.text_browser or "text/html" in (fields.get("accept") or "")
