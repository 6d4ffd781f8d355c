"""Which one counts, where there can be several: authorisations, designations, operations.

Never by the order of files or rows; only a transaction's operations have an order, its own (DESIGN section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.model import Authorisation, Designation, Operation, Use


def ruling_authorisation(grants: tuple[Authorisation, ...], now: float) -> Authorisation | None:
    """The one that counts among all that an institution has for one transaction.

    One that another supersedes, activated and begun, never counts again: suspending the successor must not bring the
    predecessor back to life. Of the rest, the one in force; when none is, the nearest in time, which is the one that
    a person means. (`gateway check` refuses a table with two of the rest in force together.)
    """
    if len(grants) == 1:
        return grants[0]
    standing = (grant for grant in grants if not any(_supersedes(other, grant, now) for other in grants))
    return min(standing, key=lambda grant: _distance(grant, now), default=None)


def under_review(
    ruling: Authorisation,
    grants: tuple[Authorisation, ...],
    designations: Mapping[str, tuple[Designation, ...]],
    now: float,
    review_seconds: float,
) -> Authorisation | None:
    """What a person stays under whom the head official has not reviewed since `ruling`, which is in force, came into it (clauses P4, I3).

    Nobody is carried over into new terms without that word; until the date that the KSZ set for it, whoever was designated under the
    predecessor goes on under the predecessor's own terms, as long as both are in force. A designation under `ruling`, whatever
    became of it, is the head official's word. None: `ruling` is what counts.
    """
    if ruling.review_until is None or now >= ruling.review_until or designations.get(ruling.reference):
        return None
    before = [
        grant
        for grant in grants
        if grant.reference in ruling.supersedes
        and _in_force(grant, now)
        and newest_holding(designations.get(grant.reference, ()), now, review_seconds) is not None
    ]
    return max(before, key=lambda grant: (grant.validity.start, grant.reference), default=None)


def _in_force(grant: Authorisation, now: float) -> bool:
    return grant.status == "active" and activated(grant) and grant.validity.holds(now)


def activated(grant: Authorisation) -> bool:
    """The KSZ's opinion is favourable (I3). No table holds one dated after the first valid day."""
    return grant.opinion is not None and grant.opinion.favourable


def _supersedes(newer: Authorisation, older: Authorisation, now: float) -> bool:
    return older.reference in newer.supersedes and activated(newer) and newer.validity.start <= now


def _distance(grant: Authorisation, now: float) -> tuple[int, float, str]:
    if grant.validity.holds(now):
        return (0 if _in_force(grant, now) else 1, -grant.validity.start, grant.reference)
    away = grant.validity.start - now if now < grant.validity.start else now - grant.validity.end
    return (2, away, grant.reference)


def newest_holding(
    designations: tuple[Designation, ...], now: float, review_seconds: float, use: Use | None = None
) -> Designation | None:
    """The newest designation that names the person now, for `use` when one is asked."""
    newest: Designation | None = None
    for designation in designations:
        if (
            designation_fault(designation, now, review_seconds) is None
            and (use is None or use in designation.uses)
            and (newest is None or _recorded(designation) > _recorded(newest))
        ):
            newest = designation
    return newest


def why_none_holds(designations: tuple[Designation, ...], now: float, review_seconds: float) -> str:
    """Why the newest designation that ever named the person does so no more; `not_designated` when none ever did."""
    for designation in sorted(designations, key=_recorded, reverse=True):
        fault = designation_fault(designation, now, review_seconds)
        if fault is not None and fault != "not_designated":
            return fault
    return "not_designated"


def _recorded(designation: Designation) -> tuple[float, int]:
    return designation.made_at, designation.id


def designation_fault(designation: Designation, now: float, review_seconds: float) -> str | None:
    """What keeps one designation from naming the person now.

    A mandate must have lived when the designation was made; once gone, its designations stay for the review time,
    within which the head official confirms them or a new administrator makes them anew (DESIGN section 4).
    """
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


def find_operation(operations: Iterable[Operation], method: str, rest: str, *, websocket: bool) -> Operation | None:
    """The first operation of the transaction that matches; a websocket matches only what is declared as one."""
    for operation in operations:
        if operation.websocket is websocket and method in operation.methods and operation.path.match(rest) is not None:
            return operation
    return None
