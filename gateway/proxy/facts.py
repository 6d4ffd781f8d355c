"""From a request's head to the facts of the decision."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

from gateway.decision import Agent, Connection, Facts, PageOrigin
from gateway.decision.facts import SAFE_METHODS
from gateway.message import Fields, RequestHead, request_to_origin
from gateway.proxy.agent import classify
from gateway.proxy.cookies import SESSION_COOKIE, own_cookie, split
from gateway.records.index import Index
from gateway.records.values import SessionEntry

HTTPS_PORT = 443


class Evidence(NamedTuple):
    """Facts, and the session that they were read from: needed again when an open exchange is decided anew."""

    facts: Facts
    entry: SessionEntry | None


class Sent(NamedTuple):
    """What the fields of a request say, whatever its request line, the time and the records.

    A browser sends the same fields again and again on one connection, and the reader then hands out the same `fields`: so a
    connection keeps the last of these. `origin_fields` are the fields that an origin may see.
    """

    fields: Fields
    host: str
    port_is_ours: bool
    token_hash: bytes | None
    agent: Agent
    signature_agent: bool
    authorization: bool
    fetch_site: str | None
    page_origin: PageOrigin
    navigation: bool
    cookies: tuple[tuple[str, str], ...]
    origin_fields: tuple[tuple[str, str], ...]


def read_sent(head: RequestHead, public_port: int) -> Sent:
    """Read the fields once."""
    fields = head.fields
    host, port = head.host
    cookies = split(fields.all("cookie"))
    token = own_cookie(cookies, SESSION_COOKIE)
    mode = fields.get("sec-fetch-mode")
    return Sent(
        fields,
        host,
        port is None or port == public_port,
        None if token is None else hashlib.sha256(token.encode("latin-1")).digest(),
        classify(fields.get("user-agent") or ""),
        "signature-agent" in fields,
        "authorization" in fields,
        fields.get("sec-fetch-site"),
        page_origin(fields.get("origin"), host, public_port),
        "text/html" in (fields.get("accept") or "") if mode is None else mode == "navigate",
        cookies,
        tuple(request_to_origin(head)),
    )


def gather(head: RequestHead, sent: Sent, connection: Connection, index: Index, now: float) -> Evidence:
    """The facts of one request, `now` in Unix seconds."""
    entry = None if sent.token_hash is None else index.session(sent.token_hash, sent.host)
    session = None if entry is None else entry.session
    return Evidence(
        Facts(
            now,
            connection,
            head.method,
            sent.host,
            sent.port_is_ours,
            head.target.path,
            None,
            sent.agent,
            sent.signature_agent,
            sent.authorization,
            head.upgrade_websocket,
            sent.fetch_site,
            sent.page_origin,
            sent.navigation,
            sent.navigation or head.method not in SAFE_METHODS,
            session,
            0.0 if entry is None else entry.last_seen,
            None if session is None else index.user(session.user_id),
            index.current(now),
        ),
        entry,
    )


def faulty(connection: Connection, reason: str, now: float) -> Facts:
    """The facts of a message that could not be read: nothing in it is believed."""
    return Facts(now, connection, "", None, False, "", reason)


def renewed(evidence: Evidence, index: Index, now: float, *, lasting: bool) -> Facts:
    """The same request as the records and the clock stand now.

    A `lasting` exchange (a websocket, a stream) keeps being measured by idle time and the age of the authentication. An
    answer that is merely long is not: it began in time.
    """
    facts, entry = evidence
    # The entry lives on through a step-up, which gives this host's cookie up: what is open keeps its session.
    session = None if entry is None else entry.session
    last_seen = 0.0 if entry is None else entry.last_seen
    if session is not None and not lasting:
        last_seen = now
        if session.ended_at is None:
            session = replace(session, expires_at=max(session.expires_at, now + 1))
    user = None if session is None else index.user(session.user_id)
    return facts._replace(now=now, session=session, last_seen=last_seen, user=user, records_current=index.current(now))


def page_origin(origin: str | None, host: str, public_port: int) -> PageOrigin:
    """Where the page stands that made the request, by its Origin field (RFC 6454 section 7)."""
    if origin is None:
        return PageOrigin.NONE
    if origin == "null":
        return PageOrigin.NULL
    ours = f"https://{host}" if public_port == HTTPS_PORT else f"https://{host}:{public_port}"
    return PageOrigin.OURS if origin == ours else PageOrigin.FOREIGN
