"""What the KSZ's duty officer has suspended in an emergency (clause I3; DESIGN section 5): a view that a decision asks in O(1).

A suspension only narrows. It is no part of the table: it stands beside it, survives releases, and ends by an act of its own.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.model import UserRecords


class Scope(enum.StrEnum):
    """What is suspended."""

    ALL = "all"
    TRANSACTION = "transaction"
    INSTITUTION = "institution"
    AUTHORISATION = "authorisation"
    PERSON = "person"


class Suspended(NamedTuple):
    """One suspension, as far as a decision reads it.

    `key` names it everywhere. `subject` is an id, a KBO number, a deliberation's reference or a user ID; "" for all. `person` is the
    natural person behind the user ID, whose other user IDs are suspended as well; None when the records could not be asked.
    """

    key: str
    scope: Scope
    subject: str = ""
    person: int | None = None


UNREADABLE = Suspended("unreadable", Scope.ALL)
"""What stands in for suspensions that cannot be read: nobody knows what they were, so everything is suspended."""


class Suspensions:
    """All suspensions of one moment. Immutable; equal when they hold the same."""

    __slots__ = ("_by_subject", "_of_persons", "entries", "everything")

    def __init__(self, entries: Iterable[Suspended] = ()) -> None:
        self.entries: frozenset[Suspended] = frozenset(entries)
        ordered = sorted(self.entries, key=_order, reverse=True)
        self.everything: Suspended | None = next((entry for entry in ordered if entry.scope is Scope.ALL), None)
        self._by_subject: Mapping[tuple[Scope, str], Suspended] = {
            (entry.scope, entry.subject): entry for entry in ordered
        }
        self._of_persons: Mapping[int, Suspended] = {
            entry.person: entry for entry in ordered if entry.scope is Scope.PERSON and entry.person is not None
        }

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __eq__(self, other: object) -> bool:
        return self.entries == other.entries if isinstance(other, Suspensions) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.entries)

    def of(self, scope: Scope, subject: str) -> Suspended | None:
        """What suspends this very transaction, institution or authorisation."""
        return self._by_subject.get((scope, subject))

    def of_person(self, user: UserRecords) -> Suspended | None:
        """What suspends this person, by this user ID or by another of theirs."""
        return self._by_subject.get((Scope.PERSON, user.user_id)) or self._of_persons.get(user.person)

    def concerning(self, user: UserRecords | None) -> list[Suspended]:
        """All that a decision about this person can read, in a fixed order: of suspended persons themself alone."""
        mine = None if user is None else self.of_person(user)
        return sorted((entry for entry in self.entries if entry.scope is not Scope.PERSON or entry == mine), key=_order)


def _order(entry: Suspended) -> tuple[str, str, str, int]:
    return entry.key, entry.scope.value, entry.subject, -1 if entry.person is None else entry.person


NOTHING_SUSPENDED = Suspensions()
