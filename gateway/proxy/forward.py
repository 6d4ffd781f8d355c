"""What goes to an origin and what comes back: fields, addresses, cookies (DESIGN section 6). The identity fields are set last."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.decision import Decision, Facts, Located, Place
from gateway.ledger.reference import trace_id
from gateway.message import (
    FieldBlock,
    InformationalHead,
    RequestHead,
    ResponseHead,
    field_block,
    response_to_client,
    write_request_head,
)
from gateway.model import Authorisation, Match, Operation, Origin, Session, Transaction, UseGrant, UserRecords
from gateway.proxy import cookies, mapping
from gateway.proxy.answers import HSTS
from gateway.proxy.assertion import REUSE_SECONDS
from gateway.proxy.facts import Sent
from gateway.proxy.gate import Gate

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection

Pair = tuple[str, str]

PORTAL_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
"""What our own pages know. Every other method gets the same page as OPTIONS: what aiohttp itself does not know, it answers itself,
and repeats the request line with its query in the answer and in its log."""


class Route:
    """Where an exchange goes: the origin, the request's head as it is written there, and how to map what comes back."""

    __slots__ = ("head", "mount", "origin", "scope")

    def __init__(
        self, origin: Origin, head: bytes, mount: mapping.Mount | None, scope: cookies.CookieScope | None
    ) -> None:
        self.origin = origin
        self.head = head
        self.mount = mount
        self.scope = scope


def route(
    gate: Gate, client: ClientConnection, head: RequestHead, facts: Facts, decision: Decision, reference: str
) -> Route:
    """Where a permitted request goes. Raises WriteError for a head that cannot be written."""
    sent = client.sent(head)
    if decision.place is Place.TRANSACTION:
        return to_origin(gate, client, head, sent, facts, decision, reference)
    gate.hand(reference, facts, decision, client.address)
    return to_portal(gate.portal, head, sent, reference)


def to_portal(portal: Origin, head: RequestHead, sent: Sent, reference: str) -> Route:
    """Our own pages get the request nearly as it came: the facts are handed over as values, by its id."""
    fields = [*sent.origin_fields, ("Host", head.fields.get("host") or "")]
    fields += [("Cookie", value) for value in head.fields.all("cookie")]
    fields.append(("X-Request-Id", reference))
    method = head.method if head.method in PORTAL_METHODS else "OPTIONS"
    return Route(portal, write_request_head(method, head.target.encoded, fields, head.framing), None, None)


def to_origin(
    gate: Gate,
    client: ClientConnection,
    head: RequestHead,
    sent: Sent,
    facts: Facts,
    decision: Decision,
    reference: str,
) -> Route:
    """A permitted request for its transaction's origin."""
    located, authorisation, grant = decision.located, decision.authorisation, decision.grant
    session, user = facts.session, facts.user
    if located is None or authorisation is None or grant is None or session is None or user is None:
        raise TypeError("a permit of a transaction without what it rests on")
    lasting = client.lasting
    if lasting is None or not lasting.fits(sent, session, user, located, grant, facts.now):
        lasting = client.lasting = _lasting(
            gate, client, head, sent, session, user, located, authorisation, grant, facts.now
        )
    trace = trace_id(reference)
    hyphened = f"{trace[:8]}-{trace[8:12]}-{trace[12:16]}-{trace[16:20]}-{trace[20:]}"
    block = lasting.block.and_ours(
        f"X-Request-Id: {reference}\r\nBelGov-Trace-Id: {hyphened}\r\ntraceparent: 00-{trace}-{trace[:16]}-01\r\n"
    )
    mount = lasting.mount
    target = mapping.origin_target(located.rest, head.target.query, mount)
    start = write_request_head(head.method, target, (), head.framing, block)
    return Route(located.transaction.origin, start, mount, lasting.scope)


class Lasting(NamedTuple):
    """The fields of a connection's last request to an origin that the next one will have as well, and what they rest on.

    Each part is compared by identity: whatever makes a part anew makes the fields anew. `fresh_until` (Unix seconds) is the
    assertion's: it is handed out again only for a while.
    """

    sent: Sent
    session: Session
    user: UserRecords
    transaction: Transaction
    match: Match
    grant: UseGrant
    made_at: float
    fresh_until: float
    mount: mapping.Mount
    scope: cookies.CookieScope
    block: FieldBlock

    def fits(
        self, sent: Sent, session: Session, user: UserRecords, located: Located, grant: UseGrant, now: float
    ) -> bool:
        return (
            self.sent is sent
            and self.session is session
            and self.user is user
            and self.transaction is located.transaction
            and self.match is located.match
            and self.grant is grant
            and self.made_at <= now < self.fresh_until
        )


def _lasting(
    gate: Gate,
    client: ClientConnection,
    head: RequestHead,
    sent: Sent,
    session: Session,
    user: UserRecords,
    located: Located,
    authorisation: Authorisation,
    grant: UseGrant,
    now: float,
) -> Lasting:
    """Raises WriteError for what cannot be written."""
    transaction = located.transaction
    # As it was decided on, not as it was spelt: an origin may route by it (THREATS row 7).
    public = head.host.name if head.host.port is None else f"{head.host.name}:{head.host.port}"
    mount = mapping.mount(transaction.origin, located.match, public)
    # By the sign-in and not by the session's id, which a step-up replaces: the origin's cookies live as long as the sign-in does.
    scope = cookies.scope_of(
        transaction.origin.cookies, session.user_id, session.created_at, transaction.id, mount.prefix, mount.base
    )
    issued, assertion = gate.signer.assertion(
        session, user.institution, transaction, authorisation, grant, mount.audience, now
    )
    fields = [*sent.origin_fields, ("Host", mount.host_field)]
    if sent.cookies:
        cookie = cookies.to_origin(sent.cookies, scope)
        if cookie is not None:
            fields.append(("Cookie", cookie))
    if transaction.inbound_authorization and "authorization" in head.fields:
        fields.append(("Authorization", head.fields.get("authorization") or ""))
    fields += (*_forwarded(client.remote, mount.public, mount.prefix), ("X-Gateway-Assertion", assertion))
    block = field_block(fields)
    fresh_until = issued + REUSE_SECONDS
    return Lasting(sent, session, user, transaction, located.match, grant, issued, fresh_until, mount, scope, block)


@lru_cache(maxsize=4096)
def _forwarded(address: str, public: str, prefix: str) -> tuple[Pair, ...]:
    """RFC 7239, and the older fields for frameworks that know nothing newer."""
    node = f'"[{address}]"' if ":" in address else address
    host = f'"{public}"' if ":" in public else public
    return (
        ("Forwarded", f"for={node};host={host};proto=https"),
        ("X-Forwarded-For", address),
        ("X-Forwarded-Host", public),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", prefix[:-1]),
    )


def from_portal(head: ResponseHead) -> list[Pair]:
    """Our own pages say what they like, but for what belongs to one connection."""
    own = {"clear-site-data", "service-worker-allowed"}
    return [*response_to_client(head), *(pair for pair in head.fields if pair[0].lower() in own)]


class Answered(NamedTuple):
    """The fields of a connection's last answer as the client saw them, and what they rest on, each compared by identity."""

    head: ResponseHead
    scope: cookies.CookieScope | None
    mount: mapping.Mount | None
    transaction: Transaction | None
    operation: Operation | None
    block: FieldBlock


def fields_of(head: ResponseHead, route: Route, decision: Decision) -> list[Pair]:
    """The answer's fields as the client may see them."""
    return from_origin(head, route, decision) if decision.place is Place.TRANSACTION else from_portal(head)


def answer_fields(client: ClientConnection, head: ResponseHead, route: Route, decision: Decision) -> FieldBlock:
    """The origin's fields as the client may see them, and the gateway's own that are always the same."""
    last = client.answered
    if (
        last is not None
        and last.head is head
        and last.scope is route.scope
        and last.mount is route.mount
        and last.transaction is decision.transaction
        and last.operation is decision.operation
    ):
        return last.block
    block = field_block([*fields_of(head, route, decision), HSTS])
    client.answered = Answered(head, route.scope, route.mount, decision.transaction, decision.operation, block)
    return block


def from_origin(head: ResponseHead | InformationalHead, route: Route, decision: Decision) -> list[Pair]:
    """The origin's fields as the client may see them: addresses and cookies mapped back, nothing cached that must not be."""
    mount, scope, transaction = route.mount, route.scope, decision.transaction
    if mount is None or scope is None or transaction is None:
        raise TypeError("an answer without its route")
    cacheable = not transaction.social_personal_data or (decision.operation is not None and decision.operation.cache)
    hidden = "" if transaction.subjects is None else (transaction.subjects.origin_field or "").lower()
    pairs: list[Pair] = []
    for name, value in response_to_client(head):
        lower = name.lower()
        if lower == "set-cookie":
            mapped = cookies.from_origin(value, scope)
            if mapped is not None:
                pairs.append((name, mapped))
                note = cookies.note_of(mapped, scope)
                if note is not None:
                    pairs.append((name, note))
        elif lower in ("location", "content-location"):
            pairs.append((name, mapping.public_location(value, mount)))
        elif lower == hidden or (not cacheable and lower in ("cache-control", "expires", "pragma")):
            continue
        else:
            pairs.append((name, value))
    if not cacheable:
        pairs.append(("Cache-Control", "no-store"))
    return pairs


def subject_of(head: ResponseHead, decision: Decision) -> str | None:
    """Whose data it was (the data subject): by the origin's word, else by the path."""
    transaction = decision.transaction
    if transaction is not None and transaction.subjects is not None and transaction.subjects.origin_field is not None:
        named = head.fields.get(transaction.subjects.origin_field.lower())
        if named:
            return named
    return decision.subject
