"""The checks behind the criteria, in the same order, one function each.

Each check looks at the facts and the snapshot, may note what it found, and returns the code of the first thing that
is wrong, or None. Checks only narrow: none of them can turn an earlier refusal into a permit, and a check that lacks
what an earlier one should have found refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.decision.context import outside
from gateway.decision.facts import SAFE_METHODS, Agent, Facts, PageOrigin
from gateway.decision.ruling import (
    activated,
    find_operation,
    newest_holding,
    ruling_authorisation,
    under_review,
    why_none_holds,
)
from gateway.decision.snapshot import Located, Snapshot
from gateway.decision.suspensions import Scope, Suspended
from gateway.model import (
    Authorisation,
    Channel,
    Designation,
    Means,
    Operation,
    Regulation,
    Role,
    Transaction,
    Use,
    UseGrant,
    UserRecords,
)

PLAIN, EID = Channel.PLAIN, Channel.EID
"""Asked of every request; until Python 3.12, to look a member up in its enum is a call."""
AGENTS: Final = {
    Agent.ABSENT: "user_agent_missing",
    Agent.PROGRAM: "machine_client",
    Agent.AUTOMATION: "automated_browser",
}
"""What a client says it is, and is refused for."""

ROLES_SLACK_SECONDS: Final = 5.0
"""One machine asks the source of roles for all: their clocks may differ by so much."""

MESSAGE_FAULTS: tuple[str, ...] = (
    "malformed",
    "ambiguous_framing",
    "unsafe_target",
    "field_refused",
    "too_large",
    "too_slow",
)
"""What the reader of messages can say of one that it refused."""


class Found:
    """What the checks found on their way; the decision carries it on. One is made for each decision: nothing of it is set before it is found."""

    located: Located | None = None
    regulation: Regulation | None = None
    authorisation: Authorisation | None = None
    designation: Designation | None = None
    role: Role | None = None
    operation: Operation | None = None
    grant: UseGrant | None = None
    subject: str | None = None
    successor: Authorisation | None = None
    """What rules, where the person is still under its predecessor (`authorisation`), for want of the head official's review."""
    suspension: Suspended | None = None


Check = Callable[[Facts, Snapshot, Found], str | None]


def https_only(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    if facts.connection.tls_version is None or facts.connection.channel is PLAIN:
        return "plain_http"
    return None


def one_reading(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Before the host, unlike in DESIGN: a message with two readings has no Host to compare (docs/adr/0005)."""
    if facts.fault is None:
        return None
    return facts.fault if facts.fault in MESSAGE_FAULTS else "malformed"


def right_host(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """SNI and Host are one name, and it is one of ours (DESIGN section 6).

    A handshake without SNI gets the default certificate, and then the Host alone is left to check: 421 `unknown_host` when it is
    not ours. Nothing is won by leaving the name out: every name of a listener has the same TLS profile, and the Host is what
    is decided on and forwarded.
    """
    host, sni = facts.host, facts.connection.sni
    if sni is not None and sni != host:
        return "misdirected"
    names = snapshot.eid_names if facts.connection.channel is EID else snapshot.names
    if host not in names or not facts.port_is_ours:
        return "unknown_host"
    return None


def not_a_program(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """No network signal proves a person; a client that says it is a program is believed (CLIENTS).

    A credential beside a session that has ended is no reason here: the person's page is told of the session's end.
    """
    if facts.agent in AGENTS:
        return AGENTS[facts.agent]
    if facts.signature_agent:
        return "signed_agent"
    if facts.session is None:
        if facts.authorization or facts.credential is not None:
            return "inbound_credential"
        if facts.agent is Agent.OFFICE:
            # The same for every path of ours, before anything else is looked at: the answer tells nothing.
            return "office_link" if facts.method in SAFE_METHODS and not facts.websocket else "machine_client"
    if facts.websocket:
        # A script of a strange page could otherwise use the person's cookies (RFC 6455 section 10.2).
        return None if facts.page_origin is PageOrigin.OURS else "foreign_websocket"
    if facts.method not in SAFE_METHODS and not _own_page_made_it(facts):
        return "cross_site"
    return None


def _own_page_made_it(facts: Facts) -> bool:
    """Sec-Fetch-Site decides when it is there, Origin when it is not (DESIGN section 6).

    A page's own form under `no-referrer` sends `Origin: null` beside `same-origin`. A foreign Origin beside
    `same-origin` or `none` is a contradiction that no browser sends: refused.
    """
    if facts.fetch_site is None:
        return facts.page_origin is PageOrigin.OURS
    if facts.page_origin is PageOrigin.FOREIGN:
        return False
    return facts.fetch_site == "same-origin" or (facts.fetch_site == "none" and facts.navigation)


def channel_serves(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The one check of a channel that serves nothing by a decision (yet), and of all that is not the eID door's own: default deny."""
    return "no_transaction"


def table_loaded(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Without a good table only refusals are served, our own pages included (DESIGN section 5, THREATS row 10); so it is with a signed
    release that has expired, once its grace is over.
    """
    if not snapshot.usable:
        return "table_unavailable"
    return None if facts.now < snapshot.refused_from else "table_expired"


def records_readable(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    return None if facts.records_current else "records_unavailable"


def nothing_suspends_all(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Asked before who it is: everybody gets the same answer, and learns nothing else from it (I3)."""
    found.suspension = facts.suspensions.everything
    return None if found.suspension is None else "suspended_by_ksz"


def not_suspended(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Nothing that this request rests on is suspended by a duty officer: person, institution, authorisation, transaction (I3).

    On our own pages a suspended person, or a person of a suspended institution, does nothing either.
    """
    user, suspensions = facts.user, facts.suspensions
    if user is None:
        return "suspended_by_ksz"
    if not suspensions.entries:
        return None
    found.suspension = suspensions.of_person(user) or suspensions.of(Scope.INSTITUTION, user.institution)
    # To stop the successor stops whoever waits for it under the predecessor's terms: as where the table itself suspends it.
    for grant in (found.authorisation, found.successor):
        if found.suspension is None and grant is not None:
            found.suspension = suspensions.of(Scope.AUTHORISATION, grant.reference)
    if found.suspension is None and found.located is not None:
        found.suspension = suspensions.of(Scope.TRANSACTION, found.located.transaction.id)
    return None if found.suspension is None else "suspended_by_ksz"


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


def same_client(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The session's cookie comes from the client that it was given to, by its TLS (I4, DESIGN section 4).

    A challenge for whoever asks now, and for nobody else: the session lives on, and who has the right client goes on undisturbed.
    """
    evidence = facts.evidence
    return "session_moved" if evidence is not None and evidence.moved and _unanswered(facts) else None


def without_doubt(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Evidence never refuses anybody: enough of it asks who is there, and an authentication answers it (B1, CLIENTS)."""
    evidence = facts.evidence
    if evidence is None or evidence.answered or evidence.score < snapshot.doubtful_score:
        return None
    return "doubtful_client" if _unanswered(facts) else None


def _unanswered(facts: Facts) -> bool:
    """Whether the evidence is of this authentication: a later one has answered it."""
    return facts.evidence is None or facts.session is None or facts.session.auth_time <= facts.evidence.since


def unhurried(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """No more requests of one session to one transaction than a person and their browser make (B1)."""
    if found.located is None:
        return "too_fast"
    return "too_fast" if found.located.transaction.id in facts.too_fast else None


def regulation_accepted(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The text in force, by its hash: who accepted other words under the same version has not accepted these (I1)."""
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
    institution = facts.user.institution
    grants = snapshot.authorisations.get((institution, found.located.transaction.id), ())
    found.authorisation = grant = ruling_authorisation(grants, facts.now)
    if grant is None or institution not in snapshot.institutions:
        return "not_authorised"
    if grant.status != "active":
        return "suspended" if grant.status == "suspended" else "revoked"
    if not activated(grant):
        return "not_activated"
    if facts.now < grant.validity.start:
        return "not_yet_valid"
    if facts.now >= grant.validity.end:
        return "expired"
    if grant.review_until is not None:
        review_seconds = snapshot.mandate_review_seconds
        before = under_review(grant, grants, facts.user.designations, facts.now, review_seconds)
        if before is not None:
            found.authorisation, found.successor = before, grant
    return None


def designated(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """Named by the head official in person, or under a mandate that lived then and is not long gone (P4, P5)."""
    user, authorisation = facts.user, found.authorisation
    if user is None or authorisation is None:
        return "not_designated"
    if user.blocked or not user.validity.holds(facts.now):
        return "person_blocked"
    named = user.designations.get(authorisation.reference, ())
    found.designation = newest_holding(named, facts.now, snapshot.mandate_review_seconds)
    if found.designation is not None:
        return None
    return why_none_holds(named, facts.now, snapshot.mandate_review_seconds)


def has_role(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The user-management role, where the transaction has one (P3); social personal data without one: nobody.

    Roles are given in the administration, or an outside source says who has them, and then only its word counts.
    """
    if found.located is None or facts.user is None:
        return "role_missing"
    transaction, user, bound = found.located.transaction, facts.user, snapshot.roles_stale_seconds
    if transaction.role is None:
        return "role_missing" if transaction.social_personal_data else None
    held = (user.roles if bound is None else user.outside_roles).get(transaction.role, ())
    if bound is not None and not _roles_known(user, bound, facts.now):
        return "role_source_unavailable"
    for role in held:
        if role.validity.holds(facts.now):
            found.role = role
            return None
    return "role_missing"


def _roles_known(user: UserRecords, bound: float, now: float) -> bool:
    """Whether the outside source said lately enough what roles there are; that it was asked by another machine's clock is borne."""
    known_at = user.roles_known_at
    return known_at is not None and -ROLES_SLACK_SECONDS <= now - known_at <= bound


def use_covered(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The operation is declared, and the authorisation grants its use (P2)."""
    if found.located is None:
        return "use_not_covered"
    transaction, rest = found.located.transaction, found.located.rest
    if transaction.subjects is not None and transaction.subjects.path is not None:
        captured = transaction.subjects.path.match(rest)
        found.subject = None if captured is None else captured.get("insz")
    found.operation = operation = find_operation(transaction.operations, facts.method, rest, websocket=facts.websocket)
    if operation is None or found.authorisation is None:
        return "use_not_covered"
    found.grant = found.authorisation.grant_for(operation.use)
    return None if found.grant is not None else "use_not_covered"


def designated_for_use(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """A person may be named for consultation alone, or for each use apart (P2, P4)."""
    if found.operation is None or found.designation is None or found.authorisation is None or facts.user is None:
        return "use_not_covered"
    use = found.operation.use
    if use in found.designation.uses:
        return None
    named = facts.user.designations.get(found.authorisation.reference, ())
    other = newest_holding(named, facts.now, snapshot.mandate_review_seconds, use)
    if other is None:
        return "use_not_covered"
    found.designation = other
    return None


def purpose_stated(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """A consultation of social personal data has its purpose in writing (P2)."""
    grant = found.grant
    if grant is None or found.located is None:
        return "purpose_missing"
    if grant.purpose is None and grant.use is Use.CONSULTATION and found.located.transaction.social_personal_data:
        return "purpose_missing"
    return None


def within_context(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """From the networks, in the hours and on the days that the authorisation names for this use (I2)."""
    if found.grant is None:
        return "outside_context"
    context = found.grant.context
    if context is None or not outside(context, facts.connection.address, facts.now, snapshot.holidays):
        return None
    return "outside_context"


def means_strong_enough(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """One of the means the deliberation names, no weaker than the data's confidentiality demands (I2, I5)."""
    session, grant = facts.session, found.grant
    if session is None or grant is None or found.located is None:
        return "means_too_weak"
    means = session.means
    if means.level < snapshot.levels[found.located.transaction.sensitivity]:
        return "means_too_weak"
    if means in grant.means:
        return None
    if means.level < min((named.level for named in grant.means), default=Means.EID.level + 1):
        return "means_too_weak"
    # itsme is good only where the deliberation names it, however strong (DESIGN section 5).
    return None if grant.stronger_satisfies and means is not Means.ITSME else "means_not_agreed"


def authenticated_recently(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """An authentication in the future proves nothing: a clock was moved."""
    if facts.session is None or found.grant is None:
        return "authentication_too_old"
    age = facts.now - facts.session.auth_time
    return None if 0 <= age <= found.grant.max_authentication_age else "authentication_too_old"


def card_not_revoked(facts: Facts, snapshot: Snapshot, found: Found) -> str | None:
    """The session's card was known not to be revoked, recently enough for this transaction (I5).

    That it is revoked ends the session. Here is what cannot be known: no answer for longer than the transaction bears. An answer of
    the future proves nothing: a clock was moved.
    """
    session = facts.session
    if session is None or found.located is None:
        return "revocation_unknown"
    if session.certificate is None:
        return None
    good_at = session.certificate_good_at
    bound = card_bound(found.located.transaction, snapshot)
    return None if good_at is not None and 0 <= facts.now - good_at <= bound else "revocation_unknown"


def card_bound(transaction: Transaction, snapshot: Snapshot) -> float:
    """How old the last good answer on a card's revocation may be for this transaction, in seconds."""
    return max(snapshot.card_fresh_seconds, transaction.soft_revocation or 0.0)


def may_be_told(facts: Facts, snapshot: Snapshot, found: Found) -> bool:
    """That the person is, or was, designated for the transaction (DESIGN section 4).

    A designation that the head official has not confirmed, or that begins later, has not named anybody yet.
    """
    if found.located is None or facts.user is None:
        return False
    grants = snapshot.authorisations.get((facts.user.institution, found.located.transaction.id), ())
    return any(
        designation.confirmed and designation.validity.start <= facts.now
        for grant in grants
        for reference in (grant.reference, *grant.supersedes)
        for designation in facts.user.designations.get(reference, ())
    )
