"""Who could use what at a moment: the decision itself, asked for each use, as somebody would ask who had just signed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from gateway.decision.decide import Decision, decide, explain
from gateway.decision.facts import Facts
from gateway.decision.reasons import REASONS, Reason
from gateway.decision.snapshot import Snapshot
from gateway.decision.supposing import SESSION_SECONDS, coming_from, suppose, using
from gateway.decision.suspensions import NOTHING_SUSPENDED, Suspensions
from gateway.decision.until import standing
from gateway.model import FOR_EVER, Acceptance, Designation, Means, Session, Transaction, Use, UserRecords

NOT_ACCEPTED: Final = REASONS["regulation_not_accepted"]
OUTSIDE: Final = REASONS["outside_context"]
"""What stands in the way and goes by the person's own act, or with the hour: who only has to accept the regulation has access all the same."""
_STRONGEST: Final = Means.EID
_MEANS: Final = (Means.PASSWORD, Means.TOKEN, Means.ITSME, Means.EID)
_OF_MEANS: Final = frozenset({"means_too_weak", "means_not_agreed"})


class Could(NamedTuple):
    """That a user ID could use a transaction so: by the authorisation, designation and role in `decision`, with one of these `means`.

    `first` is what has to be done or waited for before: NOT_ACCEPTED, OUTSIDE, and nothing when the decision permits it as it is;
    `decision` is the one after that acceptance.
    """

    user: UserRecords
    transaction: Transaction
    use: Use
    decision: Decision
    means: tuple[Means, ...]
    first: tuple[Reason, ...] = ()

    @property
    def authorisation(self) -> str:
        """Its reference."""
        return "" if self.decision.authorisation is None else self.decision.authorisation.reference

    @property
    def designation(self) -> Designation | None:
        return self.decision.designation


def could(
    user: UserRecords,
    snapshot: Snapshot,
    at: float,
    suspensions: Suspensions = NOTHING_SUSPENDED,
    transactions: Iterable[str] | None = None,
) -> list[Could]:
    """All that the user ID could use at `at` (Unix seconds), by these records and this table, from a place that is agreed; only of these
    `transactions` where some are named."""
    granted = {name for institution, name in snapshot.authorisations if institution == user.institution}
    chosen = granted & snapshot.transactions.keys()
    if transactions is not None:
        chosen &= set(transactions)
    found = [
        _could(user, snapshot.transactions[name], use, snapshot, at, suspensions)
        for name in sorted(chosen)
        for use in Use
    ]
    return [one for one in found if one is not None]


def _could(
    user: UserRecords, transaction: Transaction, use: Use, snapshot: Snapshot, at: float, suspensions: Suspensions
) -> Could | None:
    supposed = suppose(transaction, user, "/", "GET", _STRONGEST, at, suspensions=suspensions)
    asked = using(supposed, transaction, use, snapshot)
    if asked is None:
        return None
    first: list[Reason] = []
    decision = decide(asked, snapshot)
    if decision.reason is NOT_ACCEPTED and decision.regulation is not None:
        first.append(NOT_ACCEPTED)
        regulation = decision.regulation
        acceptance = Acceptance(0, regulation.version, regulation.sha256, at)
        asked = replace(asked, user=replace(user, acceptances={regulation.version: acceptance}))
        decision = decide(asked, snapshot)
    if not (decision.permitted or decision.reason is OUTSIDE or decision.reason.code in _OF_MEANS):
        return None
    asked = coming_from(asked, None, snapshot)
    if decide(asked, snapshot).reason is OUTSIDE:
        first.append(OUTSIDE)
    good = tuple([means for means in _MEANS if _but_for_the_hour(_with(asked, means), snapshot)])
    best = decide(_with(asked, max(good, key=_level, default=_STRONGEST)), snapshot)
    return Could(user, transaction, use, best, good, tuple(first)) if good else None


def unexpired(snapshot: Snapshot) -> Snapshot:
    """The same table, of a release that does not expire: that one is published anew in time is no matter of who has access."""
    return snapshot if snapshot.refused_from == FOR_EVER else replace(snapshot, refused_from=FOR_EVER)


def until(one: Could, snapshot: Snapshot, at: float, suspensions: Suspensions = NOTHING_SUSPENDED) -> float:
    """When `one`, which `could` found at `at`, is no more if nothing changes but the time (Unix seconds; FOR_EVER: never).

    The decision is asked again at each moment at which it can turn: so it ends with the designation, the mandate's time for review, the
    role …, unless another one goes on. That the release expires by then does not count (`unexpired`), nor how fresh an outside source's word is.
    """
    table, user = unexpired(snapshot), one.user
    for moment in sorted(set(standing(user, one.transaction, table))):
        if at < moment < FOR_EVER:
            then = user if user.roles_known_at is None else replace(user, roles_known_at=moment)
            if _could(then, one.transaction, one.use, table, moment, suspensions) is None:
                return moment
    return FOR_EVER


def _but_for_the_hour(facts: Facts, snapshot: Snapshot) -> bool:
    """Whether it is permitted, or would be at another hour or on another day."""
    decision = decide(facts, snapshot)
    if decision.reason is not OUTSIDE:
        return decision.permitted
    return all(step.met or step.reason is OUTSIDE for step in explain(facts, snapshot)[1])


def _with(facts: Facts, means: Means) -> Facts:
    at = facts.now
    user_id = "" if facts.user is None else facts.user.user_id
    return replace(facts, session=Session("supposed", user_id, means, at, at, at + SESSION_SECONDS))


def _level(means: Means) -> int:
    return means.level
