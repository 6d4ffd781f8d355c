"""Each authorisation against its transaction, its institution, the other authorisations and the policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.errors import Fault
from gateway.model import Means, Validity
from gateway.policy.faults import readable
from gateway.policy.ground import Ground
from gateway.policy.schema import AuthorisationFile

LEVELS: dict[str, int] = {means.value: means.level for means in Means}


def _transaction_exists(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    if ground.transaction(authorisation.transaction) is None and ground.complete("transactions"):
        what = f"there is no transaction {authorisation.transaction}"
        yield Fault(file, "transaction", what, "Correct the id, or add its file to transactions/")


def _institution_exists(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    if not ground.knows_institution(authorisation.institution):
        what = f"there is no institution {authorisation.institution}"
        yield Fault(file, "institution", what, "Correct the KBO number, or add its file to institutions/")


def _validity_in_order(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    if authorisation.valid_from > authorisation.valid_until:
        yield Fault(file, "valid_from", "it is after valid_until", "Correct one of the two dates")


def _opinion_came_first(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """I3: activated only after a favourable opinion."""
    opinion = authorisation.opinion
    if opinion is not None and opinion.on > authorisation.valid_from:
        mend = "Let valid_from be the day of the opinion at the earliest"
        yield Fault(file, "opinion.on", "the opinion is dated after the activation (valid_from)", mend)


def _written_before_used(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """E1: nothing without the written authorisation."""
    if authorisation.granted_on > authorisation.valid_from:
        mend = "Let valid_from be the day of the written authorisation at the earliest"
        yield Fault(file, "granted_on", "it was granted in writing after the activation (valid_from)", mend)


def _amendments_in_order(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    dates = [date for date in authorisation.amendments if readable(date)]
    if sorted(set(dates)) != dates:
        yield Fault(
            file, "amendments", "the dates are not in order, each once", "List them from the oldest to the newest"
        )
    if dates and min(dates) <= authorisation.deliberated_on:
        yield Fault(file, "amendments", "one is not after deliberated_on", "Correct the date")


def _uses_once(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, use in enumerate(authorisation.use, 1):
        if not readable(use.use):
            continue
        if use.use in seen:
            yield Fault(file, f"use[{number}].use", f"{use.use} stands twice", "Keep one")
        seen.add(use.use)


def _means_once(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    for number, use in enumerate(authorisation.use, 1):
        if readable(use.means) and len(set(use.means)) != len(use.means):
            yield Fault(file, f"use[{number}].means", "a means stands twice", "Keep one")


def _consultation_has_purpose(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """P2."""
    for number, use in enumerate(authorisation.use, 1):
        if readable(use.use) and readable(use.purpose) and use.use == "consultation" and use.purpose is None:
            mend = "Describe it in nl, fr, de and en"
            yield Fault(file, f"use[{number}].purpose", "a consultation without its purpose", mend)


def _means_are_strong_enough(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """I2: the process follows the confidentiality of the data; a deliberation cannot lower it."""
    transaction = ground.transaction(authorisation.transaction)
    if transaction is None:
        return
    floor = ground.settings.levels[transaction.sensitivity]
    for number, use in enumerate(authorisation.use, 1):
        if not readable(use.means):
            continue
        weak = [means for means in use.means if LEVELS[means] < floor]
        if weak:
            what = f"{', '.join(weak)} is weaker than sensitivity {transaction.sensitivity} demands (level {floor})"
            yield Fault(file, f"use[{number}].means", what, "Leave it out, or correct the transaction's sensitivity")


def _context_says_something(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """I2."""
    for number, use in enumerate(authorisation.use, 1):
        where, context = f"use[{number}].context", use.context
        if not readable(context) or context is None:
            continue
        if all(readable(part) and part is None for part in (context.networks, context.hours, context.days)):
            yield Fault(file, where, "it names nothing", "Name networks, hours or days, or remove it")
        if readable(context.networks) and context.networks and len(set(context.networks)) != len(context.networks):
            yield Fault(file, f"{where}.networks", "a network stands twice", "Keep one")


def _uses_exist(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    transaction = ground.transaction(authorisation.transaction)
    if transaction is None:
        return
    offered = {operation.use for operation in transaction.operation}
    for number, use in enumerate(authorisation.use, 1):
        if readable(use.use) and use.use not in offered:
            what = f"no operation of {transaction.id} is a {use.use}"
            yield Fault(
                file, f"use[{number}].use", what, "Leave it out, or declare the operation in the transaction's file"
            )


def _supersedes_its_like(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """Designations are carried over, so both must be of one institution and one transaction."""
    for number, reference in enumerate(authorisation.supersedes, 1):
        where = f"supersedes[{number}]"
        other = ground.authorisations.get(reference)
        if reference == authorisation.reference:
            yield Fault(file, where, "it supersedes itself", "Name the earlier deliberation")
        elif other is None:
            if ground.complete("authorisations"):
                yield Fault(
                    file, where, f"there is no authorisation {reference}", "Keep the file of what is superseded"
                )
        elif (other.institution, other.transaction) != (authorisation.institution, authorisation.transaction):
            yield Fault(
                file, where, f"{reference} is of another institution or transaction", "Name one of the same two"
            )
        elif authorisation.reference in other.supersedes:
            yield Fault(file, where, f"{reference} supersedes this one too", "Leave one of the two out")


def _review_has_its_time(file: str, authorisation: AuthorisationFile, ground: Ground) -> Iterator[Fault]:
    """Nobody is carried over without the head official's word, and the time for it is the KSZ's to set (P4)."""
    last, first, end = authorisation.review_until, authorisation.valid_from, authorisation.valid_until
    if not readable(last) or last is None:
        return
    if readable(authorisation.supersedes) and not authorisation.supersedes:
        yield Fault(file, "review_until", "it supersedes nothing, so there is nothing to review", "Remove it")
    if readable(first) and readable(end) and not first <= last <= end:
        what = "the review ends outside the time of this authorisation"
        yield Fault(file, "review_until", what, "Name a day from valid_from to valid_until")


def one_authorisation_at_a_time(ground: Ground) -> Iterator[Fault]:
    """Two in force together would leave open which one a person acts under."""
    groups: dict[tuple[str, str], list[tuple[Validity, str, AuthorisationFile]]] = {}
    for file, grant in ground.table.authorisations.items():
        needed = (
            grant.institution,
            grant.transaction,
            grant.valid_from,
            grant.valid_until,
            grant.status,
            grant.reference,
        )
        if all(map(readable, (*needed, grant.supersedes))) and grant.status == "active":
            validity = Validity.of_days(grant.valid_from, grant.valid_until)
            groups.setdefault((grant.institution, grant.transaction), []).append((validity, file, grant))
    earlier = _all_superseded(ground.table.authorisations.values())
    for (institution, transaction), grants in groups.items():
        grants.sort(key=lambda entry: (entry[0].start, entry[1]))
        for position, (validity, file, grant) in enumerate(grants):
            for other_validity, other_file, other in grants[:position]:
                linked = other.reference in earlier[grant.reference] or grant.reference in earlier[other.reference]
                together = validity.start < other_validity.end and other_validity.start < validity.end
                if together and not linked and grant.reference != other.reference:
                    what = f"{institution} and {transaction} have {other.reference} ({other_file}) in force at the same time"
                    yield Fault(
                        file, "supersedes", what, "Say that the later one supersedes the earlier, or part their dates"
                    )


def _all_superseded(grants: Iterable[AuthorisationFile]) -> dict[str, set[str]]:
    """For each reference everything it supersedes, also through others."""
    direct = {
        grant.reference: set(grant.supersedes)
        for grant in grants
        if readable(grant.reference) and readable(grant.supersedes)
    }
    closed: dict[str, set[str]] = {}
    for reference, superseded in direct.items():
        found: set[str] = set()
        left = list(superseded)
        while left:
            step = left.pop()
            if step not in found:
                found.add(step)
                left += direct.get(step, ())
        closed[reference] = found
    return closed


PER_AUTHORISATION = (
    _transaction_exists,
    _institution_exists,
    _validity_in_order,
    _opinion_came_first,
    _written_before_used,
    _amendments_in_order,
    _uses_once,
    _means_once,
    _consultation_has_purpose,
    _means_are_strong_enough,
    _context_says_something,
    _uses_exist,
    _supersedes_its_like,
    _review_has_its_time,
)
