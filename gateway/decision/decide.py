"""decide(facts, snapshot) -> Decision: pure, O(1) in the size of the table; the first unmet check gives the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.decision.checks import EID, Found, may_be_told
from gateway.decision.criteria import BY_PLACE, CHECKS, Criterion, Need
from gateway.decision.facts import Facts
from gateway.decision.grounds import Source, mender_of, sources_of
from gateway.decision.places import Place, eid_place, host_place, portal_place
from gateway.decision.reasons import NOT_FOR_YOU, REASONS, Kind, Mender, Reason
from gateway.decision.snapshot import Located, Snapshot
from gateway.decision.suspensions import Suspended
from gateway.model import Authorisation, Designation, Operation, Regulation, Role, Transaction, UseGrant


@dataclass(init=False, slots=True)
class Decision:
    """The answer, with everything it rests on.

    `located`, `authorisation` … are what was found before the reason was; all but `role`, `regulation` and `subject`
    are there on a permit of a transaction. `disclosed` says that the person may be told the reason itself. `subject`
    is the INSZ in the path, `suspension` what a duty officer suspended that stands in the way.
    """

    reason: Final[Reason]
    place: Final[Place]
    disclosed: Final[bool]
    located: Final[Located | None]
    authorisation: Final[Authorisation | None]
    grant: Final[UseGrant | None]
    operation: Final[Operation | None]
    designation: Final[Designation | None]
    role: Final[Role | None]
    regulation: Final[Regulation | None]
    subject: Final[str | None]
    suspension: Final[Suspended | None]

    def __init__(
        self,
        reason: Reason,
        place: Place,
        disclosed: bool,
        located: Located | None = None,
        authorisation: Authorisation | None = None,
        grant: UseGrant | None = None,
        operation: Operation | None = None,
        designation: Designation | None = None,
        role: Role | None = None,
        regulation: Regulation | None = None,
        subject: str | None = None,
        suspension: Suspended | None = None,
    ) -> None:
        self.reason = reason
        self.place = place
        self.disclosed = disclosed
        self.located = located
        self.authorisation = authorisation
        self.grant = grant
        self.operation = operation
        self.designation = designation
        self.role = role
        self.regulation = regulation
        self.subject = subject
        self.suspension = suspension

    def __bool__(self) -> bool:
        """A denial is never truthy by accident: ask `permitted`."""
        raise TypeError("a decision has no truth value: ask .permitted")

    @property
    def permitted(self) -> bool:
        return self.reason is PERMITTED

    @property
    def kind(self) -> Kind:
        return self.reason.kind

    @property
    def transaction(self) -> Transaction | None:
        return None if self.located is None else self.located.transaction

    @property
    def shown(self) -> str:
        """The key of the text that the person may see: the reason's, or that for strangers (DESIGN section 4)."""
        return self.reason.text if self.disclosed else NOT_FOR_YOU


PERMITTED: Final = REASONS["permitted"]


class Step(NamedTuple):
    """One check of an explanation. `met` is None when an earlier failure left nothing to look at.

    `sources` are what it went by, `mender` who can mend it when it is not met.
    """

    criterion: Criterion
    met: bool | None
    reason: Reason | None
    sources: tuple[Source, ...] = ()
    mender: Mender | None = None


def place_of(facts: Facts, snapshot: Snapshot) -> Place:
    if facts.connection.channel is EID:
        return eid_place(facts.path)
    return portal_place(facts.path) if facts.host == snapshot.portal_host else host_place(facts.path)


def decide(facts: Facts, snapshot: Snapshot) -> Decision:
    """The decision on one request. Raises nothing that the facts' types allow."""
    place = place_of(facts, snapshot)
    found = Found()
    for check in CHECKS[place, facts.connection.channel]:
        code = check(facts, snapshot, found)
        if code is not None:
            reason = REASONS[code]
            return _decision(reason, place, not reason.personal or may_be_told(facts, snapshot, found), found)
    return _decision(PERMITTED, place, True, found)


def explain(facts: Facts, snapshot: Snapshot) -> tuple[Decision, tuple[Step, ...]]:
    """The same decision, with every check of its list: met, not met, or not reached, for want of what it looks at."""
    decision = decide(facts, snapshot)
    found = Found()
    steps: list[Step] = []
    for criterion in BY_PLACE[decision.place, facts.connection.channel]:
        if any(_unknown(need, facts, found) for need in criterion.needs):
            steps.append(Step(criterion, None, None))
            continue
        code = criterion.check(facts, snapshot, found)
        reason = None if code is None else REASONS[code]
        mender = None if reason is None else mender_of(criterion.check, reason, facts, found)
        sources = sources_of(criterion.check, facts, snapshot, found)
        steps.append(Step(criterion, code is None, reason, sources, mender))
    return decision, tuple(steps)


def _unknown(need: Need, facts: Facts, found: Found) -> bool:
    holder = facts if need in ("user", "session") else found
    return getattr(holder, need) is None


def _decision(reason: Reason, place: Place, disclosed: bool, found: Found) -> Decision:
    return Decision(
        reason,
        place,
        disclosed,
        found.located,
        found.authorisation,
        found.grant,
        found.operation,
        found.designation,
        found.role,
        found.regulation,
        found.subject,
        found.suspension,
    )
