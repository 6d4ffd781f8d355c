"""What each check of an explanation goes by: the file of the table, the record, the setting or the part of the request that it looks at, and who
can mend what is wrong there. Never asked on the way of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from gateway.decision import checks
from gateway.decision.checks import Check, Found
from gateway.decision.facts import Facts
from gateway.decision.reasons import REASONS, Mender, Reason
from gateway.decision.snapshot import Snapshot
from gateway.model import Designation

SourceKind = Literal[
    "connection",
    "request",
    "file",
    "setting",
    "release",
    "suspension",
    "session",
    "user ID",
    "acceptance",
    "designation",
    "mandate",
    "role",
    "records",
]
MOST_DESIGNATIONS: Final = 3
"""Of those that do not hold, the newest are named."""


class Source(NamedTuple):
    """One thing that a check goes by: what sort it is, and its name there: a file's, a record's number, a setting's key; "" where there is
    only one."""

    kind: SourceKind
    name: str = ""

    def __str__(self) -> str:
        return self.name if self.kind in ("file", "setting") else f"{self.kind} {self.name}".rstrip()


Look = Callable[[Facts, Snapshot, Found], Iterator[Source]]


def sources_of(check: Check, facts: Facts, snapshot: Snapshot, found: Found) -> tuple[Source, ...]:
    """What `check` went by; `found` is what stands there after it."""
    return tuple(dict.fromkeys(_LOOKS[check](facts, snapshot, found)))


def mender_of(check: Check, reason: Reason, facts: Facts, found: Found) -> Mender:
    """Who can mend it: by the reason, and where that leaves it open, by which check gave it and what it found."""
    if check is checks.designated_for_use and reason is REASONS["use_not_covered"]:
        return Mender.ADMINISTRATOR  # the authorisation has the use; the designation does not
    if reason is REASONS["not_designated"] and any(not one.confirmed for one in _named(facts, found)):
        return Mender.HEAD_OFFICIAL
    return reason.mender


def _file(snapshot: Snapshot, kind: str, name: str) -> Source:
    return Source("file", snapshot.files.get((kind, name), f"{kind}s/ ({name})"))


def _of_connection(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("connection")


def _of_message(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("request")


def _of_host(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("request", facts.host or "")
    yield Source("setting", "gateway.toml [[listener]] names")


def _of_suspension(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    if found.suspension is not None:
        yield Source("suspension", found.suspension.key)


def _of_table(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("release", f"{snapshot.release} ({snapshot.hash[:12]})" if snapshot.release else snapshot.hash[:12])


def _of_records(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("records")


def _of_session(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("session", "" if facts.session is None else facts.session.id)


def _of_doubt(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_session(facts, snapshot, found)
    yield Source("setting", "gateway.toml [evidence]")


def _of_regulation(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    version = "" if found.regulation is None else found.regulation.version
    yield _file(snapshot, "regulation", version)
    accepted = None if facts.user is None else facts.user.acceptances.get(version)
    if accepted is not None:
        yield Source("acceptance", str(accepted.id))


def _of_target(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    if found.located is None:
        yield Source("request", f"{facts.host or ''}{facts.path}")
    else:
        yield _file(snapshot, "transaction", found.located.transaction.id)


def _of_authorisation(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    if found.authorisation is not None:
        yield _file(snapshot, "authorisation", found.authorisation.reference)
    else:
        yield _file(snapshot, "institution", "" if facts.user is None else facts.user.institution)


def _named(facts: Facts, found: Found) -> tuple[Designation, ...]:
    reference = "" if found.authorisation is None else found.authorisation.reference
    return () if facts.user is None else facts.user.designations.get(reference, ())


def _of_designation(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield Source("user ID", "" if facts.user is None else facts.user.user_id)
    named = (
        (found.designation,) if found.designation is not None else _named(facts, found)[: -MOST_DESIGNATIONS - 1 : -1]
    )
    for one in named:
        yield Source("designation", str(one.id))
        if one.mandate is not None:
            yield Source("mandate", str(one.mandate.id))


def _of_role(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_target(facts, snapshot, found)
    if snapshot.roles_stale_seconds is not None:
        yield Source("setting", "gateway.toml [roles]")
    if found.role is not None:
        yield Source("role", found.role.name if found.role.id == 0 else str(found.role.id))


def _of_operation(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_target(facts, snapshot, found)
    yield from _of_authorisation(facts, snapshot, found)


def _of_context(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_authorisation(facts, snapshot, found)
    if found.grant is not None and found.grant.context is not None:
        yield Source("connection", facts.connection.address)


def _of_means(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_session(facts, snapshot, found)
    yield from _of_operation(facts, snapshot, found)
    yield Source("setting", "gateway.toml [levels]")


def _of_age(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_session(facts, snapshot, found)
    yield from _of_authorisation(facts, snapshot, found)


def _of_card(facts: Facts, snapshot: Snapshot, found: Found) -> Iterator[Source]:
    yield from _of_session(facts, snapshot, found)
    yield from _of_target(facts, snapshot, found)


_LOOKS: Final[dict[Check, Look]] = {
    checks.https_only: _of_connection,
    checks.one_reading: _of_message,
    checks.right_host: _of_host,
    checks.channel_serves: _of_connection,
    checks.not_a_program: _of_message,
    checks.nothing_suspends_all: _of_suspension,
    checks.table_loaded: _of_table,
    checks.records_readable: _of_records,
    checks.signed_in: _of_session,
    checks.same_client: _of_session,
    checks.without_doubt: _of_doubt,
    checks.regulation_accepted: _of_regulation,
    checks.belongs_to_transaction: _of_target,
    checks.unhurried: _of_session,
    checks.authorised: _of_authorisation,
    checks.designated: _of_designation,
    checks.not_suspended: _of_suspension,
    checks.has_role: _of_role,
    checks.use_covered: _of_operation,
    checks.designated_for_use: _of_designation,
    checks.purpose_stated: _of_authorisation,
    checks.within_context: _of_context,
    checks.means_strong_enough: _of_means,
    checks.authenticated_recently: _of_age,
    checks.card_not_revoked: _of_card,
}
