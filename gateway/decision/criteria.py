"""The criteria, in the order of DESIGN section 4: one table that reads like the policy.

Each check looks at the facts and the snapshot, may note what it found, and returns the code of the first thing that is wrong,
or None. Checks only narrow: none of them can turn an earlier refusal into a permit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.decision.facts import Agent, Facts, PageOrigin
from gateway.decision.places import OWN_PAGES, Place
from gateway.decision.snapshot import Located, Snapshot
from gateway.model import (
    Authorisation,
    Channel,
    Designation,
    Means,
    Operation,
    Regulation,
    Role,
    Use,
    UseGrant,
)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 section 9.2.1, without TRACE, which is refused."""


class Found:
    """What the checks found on their way; the decision carries it on."""

    __slots__ = (
        "authorisation",
        "designation",
        "grant",
        "known",
        "located",
        "operation",
        "regulation",
        "role",
        "subject",
    )

    def __init__(self) -> None:
        self.located: Located | None = None
        self.regulation: Regulation | None = None
        self.authorisation: Authorisation | None = None
        self.designation: Designation | None = None
        self.role: Role | None = None
        self.operation: Operation | None = None
        self.grant: UseGrant | None = None
        self.subject: str | None = None
        self.known = False
        """That the person is, or was, designated for the transaction: then they may be told why not."""


Check = Callable[[Facts, Snapshot, Found], str | None]


def https_only(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    if facts.connection.channel is Channel.PLAIN or facts.connection.tls_version is None:
        return "plain_http"
    return None


def one_reading(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    return facts.fault


def right_host(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """SNI and Host are one name, and it is one of ours (DESIGN section 6). Without SNI only the Host is left to check."""
    host, sni = facts.host, facts.connection.sni
    if sni is not None and sni != host:
        return "misdirected"
    if host not in snapshot.names or not facts.port_is_ours:
        return "unknown_host"
    return None


def not_a_program(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """No network signal proves a person; a client that says it is a program is believed (CLIENTS)."""
    if facts.agent is Agent.PROGRAM or facts.agent is Agent.ABSENT or facts.signature_agent:
        return "machine_client"
    if facts.authorization and facts.session is None:
        return "inbound_credential"
    if facts.websocket:
        # A script of a strange page could otherwise use the person's cookies (RFC 6455 section 10.2).
        return None if facts.page_origin is PageOrigin.OURS else "foreign_websocket"
    if facts.method not in SAFE_METHODS and not _own_page_made_it(facts):
        return "cross_site"
    return None


def _own_page_made_it(facts: Facts) -> bool:
    site = facts.fetch_site
    if site is not None:
        if site == "same-origin":
            # A page's own form under `no-referrer` sends `Origin: null` (DESIGN section 6).
            return facts.page_origin is not PageOrigin.FOREIGN
        return (
            site == "none"
            and facts.navigation
            and facts.page_origin in (PageOrigin.NONE, PageOrigin.NULL, PageOrigin.OURS)
        )
    return facts.page_origin is PageOrigin.OURS


def table_loaded(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    return None if snapshot.usable else "table_unavailable"


def records_readable(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    return None if facts.records_current else "records_unavailable"


def signed_in(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    session = facts.session
    if session is None:
        return "sign_in_required"
    if session.ended_at is not None:
        return "session_expired" if session.ended_reason == "expired" else "session_revoked"
    if not session.created_at <= facts.now < session.expires_at or facts.now - facts.last_seen >= snapshot.idle_seconds:
        return "session_expired"
    if facts.user is None or facts.user.user_id != session.user_id:
        return "session_revoked"
    return None


def regulation_accepted(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    found.regulation = regulation = snapshot.regulation(facts.now)
    if regulation is None or facts.user is None:
        return "regulation_not_accepted"
    acceptance = facts.user.acceptances.get(regulation.version)
    if acceptance is None or acceptance.sha256 != regulation.sha256:
        return "regulation_not_accepted"
    return None


def belongs_to_transaction(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    located = snapshot.locate(facts.host or "", facts.path)
    if located is None or located.transaction.channel is not facts.connection.channel:
        return "no_transaction"
    found.located = located
    return None


def authorised(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """An authorisation of the user's institution, for this very transaction, in force now (P1, I3, E1)."""
    if found.located is None or facts.user is None:
        return "not_authorised"
    grants = snapshot.authorisations.get((facts.user.institution, found.located.transaction.id), ())
    found.known = any(grant.reference in facts.user.designations for grant in grants)
    if facts.user.institution not in snapshot.institutions or not grants:
        return "not_authorised"
    best = min(grants, key=lambda grant: _distance(grant, facts.now))
    found.authorisation = best
    if best.status != "active":
        return best.status
    if best.opinion is None or not best.opinion.favourable:
        return "not_activated"
    if facts.now < best.validity.start:
        return "not_yet_valid"
    return None if facts.now < best.validity.end else "expired"


def _distance(grant: Authorisation, now: float) -> tuple[int, float, str]:
    """In force first, then the one that lies nearest in time: that is the one a person means. Never by order of files."""
    active = grant.status == "active" and grant.opinion is not None and grant.opinion.favourable
    if grant.validity.holds(now):
        return (0 if active else 1, -grant.validity.start, grant.reference)
    away = grant.validity.start - now if now < grant.validity.start else now - grant.validity.end
    return (2, away, grant.reference)


def designated(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Named in person by the head official, or under a mandate that lived when it was made and is not long gone (P4, P5)."""
    user, authorisation = facts.user, found.authorisation
    if user is None or authorisation is None:
        return "not_designated"
    if user.blocked or not user.validity.holds(facts.now):
        return "person_blocked"
    best: str = "not_designated"
    for designation in reversed(user.designations.get(authorisation.reference, ())):
        reason = _designation_fault(designation, facts.now, snapshot.mandate_review_seconds)
        if reason is None:
            found.designation = designation
            return None
        if best == "not_designated":
            best = reason
    return best


def _designation_fault(designation: Designation, now: float, review_seconds: float) -> str | None:
    if not designation.confirmed or now < designation.validity.start:
        return "not_designated"
    if now >= designation.validity.end:
        return "designation_ended"
    mandate = designation.mandate
    if mandate is not None and (
        not mandate.validity.holds(designation.made_at) or now >= mandate.validity.end + review_seconds
    ):
        return "mandate_ended"
    return None


def has_role(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The user-management role, where the transaction has one (P3); social personal data always has one, or nobody may."""
    if found.located is None or facts.user is None:
        return "role_missing"
    transaction = found.located.transaction
    if transaction.role is None:
        return "role_missing" if transaction.social_personal_data else None
    for role in facts.user.roles.get(transaction.role, ()):
        if role.validity.holds(facts.now):
            found.role = role
            return None
    return "role_missing"


def use_covered(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The operation is declared, and its use is in the authorisation and in the designation (P2)."""
    if found.located is None:
        return "use_not_covered"
    transaction, rest = found.located.transaction, found.located.rest
    operation = find_operation(transaction.operations, facts.method, rest, websocket=facts.websocket)
    if operation is None:
        return "use_not_covered"
    found.operation = operation
    if transaction.subjects is not None and transaction.subjects.path is not None:
        captured = transaction.subjects.path.match(rest)
        found.subject = None if captured is None else captured.get("insz")
    if found.authorisation is None or found.designation is None or operation.use not in found.designation.uses:
        return "use_not_covered"
    found.grant = found.authorisation.grant_for(operation.use)
    return None if found.grant is not None else "use_not_covered"


def find_operation(operations: Iterable[Operation], method: str, rest: str, *, websocket: bool) -> Operation | None:
    """The first operation of the transaction that matches; a websocket matches only what is declared as one."""
    for operation in operations:
        if operation.websocket is websocket and method in operation.methods and operation.path.match(rest) is not None:
            return operation
    return None


def purpose_stated(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """A consultation of social personal data has its purpose in writing (P2)."""
    grant = found.grant
    if grant is None or found.located is None:
        return "purpose_missing"
    needed = grant.use is Use.CONSULTATION and found.located.transaction.social_personal_data
    return "purpose_missing" if needed and grant.purpose is None else None


def means_strong_enough(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """One of the means the deliberation names, no weaker than the data's confidentiality demands (I2, I5)."""
    session, grant = facts.session, found.grant
    if session is None or grant is None or found.located is None:
        return "means_too_weak"
    floor = snapshot.levels[found.located.transaction.sensitivity]
    weakest = min((means.level for means in grant.means), default=Means.EID.level + 1)
    if session.means.level < max(floor, weakest):
        return "means_too_weak"
    if session.means in grant.means:
        return None
    # itsme is good only where the deliberation names it, however strong (DESIGN section 5).
    return None if grant.stronger_satisfies and session.means is not Means.ITSME else "means_not_agreed"


def authenticated_recently(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    if facts.session is None or found.grant is None:
        return "authentication_too_old"
    age = facts.now - facts.session.auth_time
    return None if age <= found.grant.max_authentication_age else "authentication_too_old"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One row: what is asked, by which clause, for which targets and channels, and how it is checked."""

    name: str
    clause: str
    check: Check
    reasons: tuple[str, ...]
    places: frozenset[Place]
    channels: frozenset[Channel]


EVERYWHERE = frozenset(Place)
NOT_MACHINE = EVERYWHERE - {Place.MACHINE}
SESSION_NEEDED = frozenset({Place.SIGNED_IN, Place.ACCEPTED, Place.TRANSACTION})
ACCEPTANCE_NEEDED = frozenset({Place.ACCEPTED, Place.TRANSACTION})
TRANSACTIONS = frozenset({Place.TRANSACTION})
STORES_NEEDED = EVERYWHERE - {Place.OPEN, Place.MACHINE}
ANY = frozenset(Channel)
USER = frozenset({Channel.USER})

CRITERIA: tuple[Criterion, ...] = (
    Criterion("the connection is HTTPS", "B3", https_only, ("plain_http",), EVERYWHERE, ANY),
    Criterion(
        "the message has one reading",
        "B3",
        one_reading,
        ("malformed", "ambiguous_framing", "unsafe_target", "field_refused", "too_large", "too_slow"),
        EVERYWHERE,
        ANY,
    ),
    Criterion(
        "the host is ours, and the one asked for", "B3", right_host, ("misdirected", "unknown_host"), EVERYWHERE, ANY
    ),
    Criterion(
        "the client is not a program",
        "B1",
        not_a_program,
        ("machine_client", "inbound_credential", "foreign_websocket", "cross_site"),
        NOT_MACHINE,
        USER,
    ),
    Criterion("a checked table is in force", "E1", table_loaded, ("table_unavailable",), STORES_NEEDED, USER),
    Criterion("the records can be read", "P4", records_readable, ("records_unavailable",), STORES_NEEDED, USER),
    Criterion(
        "a person is signed in, and the session lives",
        "I4",
        signed_in,
        ("sign_in_required", "session_expired", "session_revoked"),
        SESSION_NEEDED,
        USER,
    ),
    Criterion(
        "the user regulation in force is accepted",
        "I1",
        regulation_accepted,
        ("regulation_not_accepted",),
        ACCEPTANCE_NEEDED,
        USER,
    ),
    Criterion(
        "the target belongs to a transaction", "P1", belongs_to_transaction, ("no_transaction",), TRANSACTIONS, USER
    ),
    Criterion(
        "the institution is authorised for this transaction, now",
        "P1",
        authorised,
        ("not_authorised", "not_activated", "not_yet_valid", "expired", "suspended", "revoked"),
        TRANSACTIONS,
        USER,
    ),
    Criterion(
        "the person is designated by name, under a mandate",
        "P4",
        designated,
        ("not_designated", "designation_ended", "mandate_ended", "person_blocked"),
        TRANSACTIONS,
        USER,
    ),
    Criterion("the person has the user-management role", "P3", has_role, ("role_missing",), TRANSACTIONS, USER),
    Criterion("the use of this operation is granted", "P2", use_covered, ("use_not_covered",), TRANSACTIONS, USER),
    Criterion("a consultation has its purpose", "P2", purpose_stated, ("purpose_missing",), TRANSACTIONS, USER),
    Criterion(
        "the means of authentication is agreed and strong enough",
        "I2",
        means_strong_enough,
        ("means_too_weak", "means_not_agreed"),
        TRANSACTIONS,
        USER,
    ),
    Criterion(
        "the authentication is recent enough",
        "I2",
        authenticated_recently,
        ("authentication_too_old",),
        TRANSACTIONS,
        USER,
    ),
)


def criteria_for(place: Place, channel: Channel) -> tuple[Criterion, ...]:
    """The rows that hold for a target of this kind on this channel, in order."""
    return tuple(row for row in CRITERIA if place in row.places and channel in row.channels)


BY_PLACE: dict[tuple[Place, Channel], tuple[Criterion, ...]] = {
    (place, channel): criteria_for(place, channel) for place in Place for channel in Channel
}

PERMITTING: frozenset[tuple[Place, Channel]] = frozenset({(place, Channel.USER) for place in OWN_PAGES | TRANSACTIONS})
"""Where a request whose every criterion is met is permitted. A channel that is not here permits nothing (default deny)."""
