"""Reads rows and makes the values of the index: all of them at the start, or those that changed.

Everything that many rows share (a validity, a mandate, the word for an authorisation) is made once, so that a hundred thousand
persons fit in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model import (
    FOR_EVER,
    Acceptance,
    Designation,
    Language,
    Mandate,
    Means,
    Role,
    Session,
    Use,
    UserRecords,
    Validity,
)
from gateway.records.index import SessionRow
from gateway.records.schema import (
    acceptances,
    designations,
    mandates,
    persons,
    roles,
    session_cookies,
    sessions,
    user_ids,
)

KEYS_AT_ONCE = 500
"""Below the 999 parameters that the oldest SQLite takes in one statement."""
_ROWS_AT_ONCE = 2_000
_MEANS = {means.value: means for means in Means}
_NOTHING: Mapping[str, Any] = MappingProxyType({})

Row = sa.Row[Any]
T = TypeVar("T")


def effective(row: Row) -> Validity:
    """How long a legal record counts: its validity, cut off where it was ended."""
    end = FOR_EVER if row.valid_to is None else row.valid_to
    return Validity(row.valid_from, end if row.ended_at is None else min(end, row.ended_at))


@lru_cache(maxsize=16)
def parse_uses(text: str) -> frozenset[Use]:
    return frozenset(Use(word) for word in text.split(","))


def write_uses(uses: Iterable[Use]) -> str:
    return ",".join(sorted(uses))


def root() -> sa.ColumnElement[int]:
    """The natural person that a row of persons stands for."""
    return sa.func.coalesce(persons.c.same_as, persons.c.id)


async def read_users(connection: AsyncConnection, keys: Sequence[str] | None) -> dict[str, UserRecords | None]:
    """The records of these user IDs (None: of all); a word that nobody has becomes None."""
    if keys is None:
        return await _read_users(connection, None)
    found: dict[str, UserRecords | None] = dict.fromkeys(keys)
    for chunk in _chunks(keys):
        found.update(await _read_users(connection, chunk))
    return found


async def _read_users(connection: AsyncConnection, keys: Sequence[str] | None) -> dict[str, UserRecords | None]:
    shared = _Shared()
    people: dict[int, tuple[str, str]] = {}
    natural = sa.select(user_ids.c.person).where(_among(user_ids, keys))
    chosen = sa.true() if keys is None else sa.or_(persons.c.id.in_(natural), persons.c.same_as.in_(natural))
    async for row in _rows(
        connection, sa.select(root().label("root"), persons.c.insz, persons.c.name).where(chosen).order_by(persons.c.id)
    ):
        people[row.root] = (row.insz, row.name)
    mandated = sa.select(designations.c.mandate).where(_among(designations, keys))
    chosen = sa.true() if keys is None else mandates.c.id.in_(mandated)
    mandate_of: dict[int | None, Mandate] = {}
    async for row in _rows(connection, sa.select(mandates).where(chosen)):
        mandate_of[row.id] = Mandate(row.id, shared(effective(row)))

    designated: dict[str, dict[str, tuple[Designation, ...]]] = {}
    async for row in _rows(connection, _of(designations, keys)):
        named = Designation(
            row.id,
            shared(row.authorisation),
            parse_uses(row.uses),
            shared(effective(row)),
            row.recorded_at,
            mandate_of.get(row.mandate),
            row.act_reference is not None,
        )
        _add(designated, row.user_id, named.authorisation, named)
    holds: dict[str, dict[str, tuple[Role, ...]]] = {}
    async for row in _rows(connection, _of(roles, keys)):
        role = Role(row.id, shared(row.role), shared(effective(row)))
        _add(holds, row.user_id, role.name, role)
    accepted: dict[str, dict[str, Acceptance]] = {}
    async for row in _rows(connection, _of(acceptances, keys).where(acceptances.c.ended_at.is_(None))):
        acceptance = Acceptance(row.id, shared(row.version), shared(row.sha256), row.recorded_at)
        accepted.setdefault(row.user_id, {})[acceptance.version] = acceptance

    users: dict[str, UserRecords | None] = {}
    async for row in _rows(connection, _of(user_ids, keys)):
        insz, name = people[row.person]
        users[row.user_id] = UserRecords(
            row.user_id,
            row.person,
            insz,
            name,
            shared(row.institution),
            cast(Language, shared(row.language)),
            shared(effective(row)),
            row.blocked,
            designated.get(row.user_id, _NOTHING),
            holds.get(row.user_id, _NOTHING),
            accepted.get(row.user_id, _NOTHING),
        )
    return users


async def read_sessions(
    connection: AsyncConnection, keys: Sequence[str] | None, ended_after: float
) -> list[SessionRow]:
    """These sessions (None: all) that were still alive at `ended_after`, with their cookies."""
    if keys is None:
        return await _read_sessions(connection, None, ended_after)
    return [row for chunk in _chunks(keys) for row in await _read_sessions(connection, chunk, ended_after)]


async def _read_sessions(
    connection: AsyncConnection, keys: Sequence[str] | None, ended_after: float
) -> list[SessionRow]:
    recent = sa.and_(
        sessions.c.expires_at >= ended_after,
        sa.or_(sessions.c.ended_at.is_(None), sessions.c.ended_at >= ended_after),
    )
    chosen = recent if keys is None else sa.and_(recent, sessions.c.id.in_(keys))
    cookies: dict[str, tuple[tuple[bytes, str], ...]] = {}
    owned = sa.select(session_cookies).where(session_cookies.c.session.in_(sa.select(sessions.c.id).where(chosen)))
    async for row in _rows(connection, owned):
        cookies[row.session] = (*cookies.get(row.session, ()), (row.hash, row.host))
    return [
        SessionRow(session_of(row), row.last_seen, row.renews, cookies.get(row.id, ()))
        async for row in _rows(connection, sa.select(sessions).where(chosen))
    ]


def session_of(row: Row) -> Session:
    return Session(
        row.id,
        row.user_id,
        _MEANS[row.means],
        row.auth_time,
        row.created_at,
        row.expires_at,
        row.ended_at,
        row.ended_reason,
    )


class _Shared:
    """Gives the first of equal values, so that they are kept once."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def __call__(self, value: T) -> T:
        return cast(T, self._known.setdefault(value, value))


def _add(into: dict[str, dict[str, tuple[T, ...]]], user_id: str, key: str, value: T) -> None:
    of_user = into.setdefault(user_id, {})
    of_user[key] = (*of_user.get(key, ()), value)


def _of(table: sa.Table, keys: Sequence[str] | None) -> sa.Select[Any]:
    """The rows of these user IDs, oldest first."""
    return sa.select(table).where(_among(table, keys)).order_by(table.c.id)


def _among(table: sa.Table, keys: Sequence[str] | None) -> sa.ColumnElement[bool]:
    return sa.true() if keys is None else table.c.user_id.in_(keys)


def _chunks(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + KEYS_AT_ONCE] for start in range(0, len(keys), KEYS_AT_ONCE))


async def _rows(connection: AsyncConnection, statement: sa.Select[Any]) -> AsyncIterator[Row]:
    """The rows, read in portions, so that the loop turns while many are read."""
    async with connection.stream(statement.execution_options(yield_per=_ROWS_AT_ONCE)) as result:
        async for portion in result.partitions():
            for row in portion:
                yield row
