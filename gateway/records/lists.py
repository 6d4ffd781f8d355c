"""What the records hold, for whoever administers them: legal records as they stand, and as they once stood. No secrets, and an INSZ only
where one user ID is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import sqlalchemy as sa

from gateway.model import UserRecords, Validity
from gateway.records.loading import Row, effective, parse_uses, read_users, root
from gateway.records.schema import (
    acceptances,
    credentials,
    designations,
    mandates,
    offices,
    persons,
    roles,
    user_ids,
)
from gateway.records.store import Store
from gateway.records.values import USER_ID

KINDS: Mapping[str, tuple[sa.Table, tuple[str, ...]]] = MappingProxyType(
    {
        "user-id": (user_ids, ("language", "blocked")),
        "credential": (credentials, ("kind",)),
        "mandate": (mandates, ("authorisations",)),
        "designation": (designations, ("authorisation", "uses")),
        "role": (roles, ("role",)),
        "acceptance": (acceptances, ("version", "sha256")),
        "office": (offices, ("office",)),
    }
)
"""Each kind of record that hangs on a user ID, with what it says besides."""


@dataclass(frozen=True, slots=True)
class Person:
    """A natural person: their number, the name that is shown, and their user IDs with the institution of each."""

    person: int
    name: str
    user_ids: Mapping[str, str]
    ended: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One legal record. `says` is what its kind adds; `act` the head official's written act, as `reference (date)`."""

    record: int
    user_id: str
    institution: str
    says: Mapping[str, str | bool | list[str] | None]
    validity: Validity
    recorded_at: float
    actor: str
    reason: str
    mandate: int | None
    act: str | None
    ended_at: float | None
    ended_by: str | None
    ended_reason: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A live user ID of an institution, with the name of whose it is."""

    user_id: str
    name: str
    blocked: bool


class Lists(Store):
    """Reads the database, not the index, so that history is there too. Everything raises RecordsError."""

    async def user(self, user_id: str) -> UserRecords | None:
        """Everything that the records say of a user ID, ended and blocked ones too."""
        if not USER_ID.fullmatch(user_id):
            return None
        async with self._database.reading() as connection:
            return (await read_users(connection, [user_id], self.rules))[user_id]

    async def persons(self, institution: str | None = None, *, ended: bool = False) -> list[Person]:
        """Persons by number; of one institution (by a user ID that they have, or had, there), or all."""
        people = sa.select(root().label("person"), persons.c.name, persons.c.ended_at).order_by(persons.c.id)
        theirs = sa.select(user_ids.c.person, user_ids.c.user_id, user_ids.c.institution).order_by(user_ids.c.id)
        async with self._database.reading() as connection:
            newest = {row.person: row for row in await connection.execute(people)}
            found: dict[int, dict[str, str]] = {}
            for row in await connection.execute(theirs):
                found.setdefault(row.person, {})[row.user_id] = row.institution
        return [
            Person(number, row.name, found.get(number, {}), row.ended_at is not None)
            for number, row in sorted(newest.items())
            if (ended or row.ended_at is None)
            and (institution is None or institution in found.get(number, {}).values())
        ]

    async def listed(self, institution: str, search: str, first: int, most: int) -> list[Listed]:
        """The live user IDs of an institution by name, those alone whose name or user ID holds `search`; `most` of them from `first` on."""
        known, owner = persons.c, user_ids.c
        theirs = sa.or_(known.id == owner.person, known.same_as == owner.person)
        query = sa.select(owner.user_id, known.name, owner.blocked).join(persons, theirs)
        query = query.where(owner.institution == institution, owner.ended_at.is_(None), known.ended_at.is_(None))
        holds = (column.icontains(search, autoescape=True) for column in (known.name, owner.user_id))
        query = query.where(sa.or_(*holds)).order_by(known.name, owner.user_id).offset(first).limit(most)
        async with self._database.reading() as connection:
            return [Listed(row.user_id, row.name, row.blocked) for row in await connection.execute(query)]

    async def entries(
        self, kind: str, *, user_id: str | None = None, institution: str | None = None, ended: bool = False
    ) -> list[Entry]:
        """Records of a kind of `KINDS`, oldest first; of one user ID, of one institution, or all. `ended`: those that ended too."""
        table, says = KINDS[kind]
        where = sa.select(user_ids.c.user_id, user_ids.c.institution).distinct().subquery()
        query = sa.select(table, where.c.institution.label("at")).join(where, where.c.user_id == table.c.user_id)
        if user_id is not None:
            query = query.where(table.c.user_id == user_id)
        if institution is not None:
            query = query.where(where.c.institution == institution)
        if not ended:
            query = query.where(table.c.ended_at.is_(None))
        async with self._database.reading() as connection:
            return [_entry(row, says) for row in await connection.execute(query.order_by(table.c.id))]


def _entry(row: Row, says: tuple[str, ...]) -> Entry:
    act = None if row.act_reference is None else f"{row.act_reference} ({row.act_date})"
    told = {word: getattr(row, word) for word in says}
    if "uses" in told:
        told["uses"] = sorted(parse_uses(told["uses"]))
    return Entry(
        row.id,
        row.user_id,
        row.at,
        told,
        effective(row),
        row.recorded_at,
        row.actor,
        row.reason,
        row.mandate,
        act,
        row.ended_at,
        row.ended_by,
        row.ended_reason,
    )
