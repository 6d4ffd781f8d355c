"""How long a decision stands if nothing changes but the time: what an open exchange waits for instead of asking all the time.

Conservative: each moment at which a comparison of a check with `now` can turn, of anything that the checks may look at for these facts,
whether it matters now or not. To wake too early costs one more decision; too late would be a hole (`tests/decision/test_until.py`
holds this against `decide` at every moment in between).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decision.checks import ROLES_SLACK_SECONDS, card_bound
from gateway.decision.context import turns
from gateway.decision.decide import Decision
from gateway.decision.facts import Facts
from gateway.decision.snapshot import Snapshot
from gateway.model import FOR_EVER, Session, Transaction, UserRecords, Validity


def stands_until(facts: Facts, decision: Decision, snapshot: Snapshot) -> float:
    """Unix seconds: until then, `decide` says of the same facts and snapshot what it says at `facts.now`.

    A moment that is just now counts as well: some last for it, and end behind it.
    """
    return min((moment for moment in _moments(facts, decision, snapshot) if moment >= facts.now), default=FOR_EVER)


def _moments(facts: Facts, decision: Decision, snapshot: Snapshot) -> Iterator[float]:
    yield snapshot.refused_from
    for regulation in snapshot.regulations:
        yield regulation.effective
    if facts.session is not None:
        yield from _session(facts.session, facts.last_seen, decision, snapshot)
    user, transaction = facts.user, decision.transaction
    if user is None:
        return
    yield from standing(user, transaction, snapshot)
    if transaction is not None and transaction.role is not None:
        yield from _of_the_source(user, snapshot.roles_stale_seconds)
    if decision.grant is not None and decision.grant.context is not None:
        yield from turns(decision.grant.context, facts.now)


def standing(user: UserRecords, transaction: Transaction | None, snapshot: Snapshot) -> Iterator[float]:
    """Each moment at which what stands in the records and the table for this user ID and transaction begins or ends, whoever asks and how."""
    yield from _ends(user.validity)
    if transaction is None:
        return
    for authorisation in snapshot.authorisations.get((user.institution, transaction.id), ()):
        yield from _ends(authorisation.validity)
        if authorisation.review_until is not None:
            yield authorisation.review_until
        yield from _designations(user, authorisation.reference, snapshot.mandate_review_seconds)
    if transaction.role is not None:
        held = user.roles if snapshot.roles_stale_seconds is None else user.outside_roles
        for role in held.get(transaction.role, ()):
            yield from _ends(role.validity)


def _session(session: Session, last_seen: float, decision: Decision, snapshot: Snapshot) -> Iterator[float]:
    yield session.created_at
    yield session.expires_at
    yield last_seen + snapshot.idle_seconds
    yield session.auth_time
    if decision.grant is not None:
        yield session.auth_time + decision.grant.max_authentication_age
    if session.certificate_good_at is not None and decision.transaction is not None:
        yield session.certificate_good_at
        yield session.certificate_good_at + card_bound(decision.transaction, snapshot)


def _designations(user: UserRecords, reference: str, review_seconds: float) -> Iterator[float]:
    for designation in user.designations.get(reference, ()):
        yield from _ends(designation.validity)
        if designation.mandate is not None:
            yield designation.mandate.validity.end + review_seconds


def _of_the_source(user: UserRecords, stale_seconds: float | None) -> Iterator[float]:
    if stale_seconds is not None and user.roles_known_at is not None:
        yield user.roles_known_at - ROLES_SLACK_SECONDS
        yield user.roles_known_at + stale_seconds


def _ends(validity: Validity) -> Iterator[float]:
    yield validity.start
    yield validity.end
