"""Reads rows and makes the values of the index: of the sessions of the last day and their users, or of what changed.

What many rows share (a mandate, the word for an authorisation) is made once, and only the columns that are needed are read, unpacked
and not asked by name: a hundred thousand persons at work fit in memory, and are there in seconds. docs/databases.md has the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.decision.suspensions import Scope, Suspended
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
from gateway.records.among import among, chunks
from gateway.records.index import CookieRow, SessionRow
from gateway.records.schema import (
    acceptances,
    confirmations,
    designations,
    mandates,
    outside_roles,
    persons,
    role_lookups,
    roles,
    session_cookies,
    sessions,
    suspensions,
    user_ids,
)
from gateway.records.standing import (
    ACCEPTED,
    CARRIED,
    DEFAULT_RULES,
    OF_DESIGNATIONS,
    Rules,
    Said,
    confirmed_as_made,
    designation_standing,
    mandate_validity,
    stands_to,
)
from gateway.records.switch import Suspension

_MEANS = {means.value: means for means in Means}
_OF_A_SESSION = tuple(sessions.c[each.name] for each in fields(Session))
_NOTHING: Mapping[str, Any] = MappingProxyType({})

Row = sa.Row[Any]
T = TypeVar("T")


def effective(row: Row) -> Validity:
    """How long a legal record counts: its validity, cut off where it was ended."""
    return _validity(row.valid_from, row.valid_to, row.ended_at)


def _validity(start: float, end: float | None, ended: float | None) -> Validity:
    return Validity(start, _last(end, ended))


def _last(end: float | None, ended: float | None) -> float:
    last = FOR_EVER if end is None else end
    return last if ended is None else min(last, ended)


def _validity_of(table: sa.Table) -> tuple[sa.Column[Any], ...]:
    return table.c.valid_from, table.c.valid_to, table.c.ended_at


@lru_cache(maxsize=16)
def parse_uses(text: str) -> frozenset[Use]:
    return frozenset(Use(word) for word in text.split(","))


def write_uses(uses: Iterable[Use]) -> str:
    return ",".join(sorted(uses))


def root() -> sa.ColumnElement[int]:
    """The natural person that a row of persons stands for."""
    return sa.func.coalesce(persons.c.same_as, persons.c.id)


async def read_users(
    connection: AsyncConnection, keys: Sequence[str], rules: Rules = DEFAULT_RULES, known_at: float = FOR_EVER
) -> dict[str, UserRecords | None]:
    """The records of these user IDs; a word that nobody has becomes None.

    `known_at` (Unix seconds): only what was recorded by then, as it was good then. What ended since stands there with its end, which a
    decision at that moment does not look at.
    """
    found: dict[str, UserRecords | None] = dict.fromkeys(keys)
    for chunk in chunks(keys):
        found.update(await connection.run_sync(_read_users, chunk, rules, known_at))
    return found


def _read_users(
    connection: sa.Connection, keys: Sequence[str], rules: Rules, known_at: float
) -> dict[str, UserRecords]:
    table = user_ids.c
    columns = (table.user_id, table.person, table.institution, table.language, table.blocked, *_validity_of(user_ids))
    newest = connection.execute(_of(user_ids, columns, keys, known_at)).all()
    people = _read_people(connection, list({row[1] for row in newest}), known_at)
    designated = _read_designations(connection, keys, rules, known_at)
    holds: dict[str, dict[str, tuple[Role, ...]]] = {}
    columns = (roles.c.id, roles.c.user_id, roles.c.role, *_validity_of(roles))
    for number, user_id, name, start, end, ended in connection.execute(_of(roles, columns, keys, known_at)):
        role = Role(number, intern(name), _validity(start, end, ended))
        _add(holds, user_id, role.name, role)
    accepted: dict[str, dict[str, Acceptance]] = {}
    table = acceptances.c
    columns = (table.id, table.user_id, table.version, table.sha256, table.recorded_at)
    live = _of(acceptances, columns, keys, known_at).where(_live(acceptances, known_at))
    for number, user_id, version, sha256, at in connection.execute(live):
        acceptance = Acceptance(number, intern(version), intern(sha256), at)
        accepted.setdefault(user_id, {})[acceptance.version] = acceptance

    outside, outside_at = _read_outside_roles(connection, keys, known_at)
    users: dict[str, UserRecords] = {}
    for user_id, person, institution, language, blocked, start, end, ended in newest:
        insz, name = people[person]
        users[user_id] = UserRecords(
            user_id,
            person,
            insz,
            name,
            intern(institution),
            cast(Language, intern(language)),
            _validity(start, end, ended),
            blocked,
            designated.get(user_id, _NOTHING),
            holds.get(user_id, _NOTHING),
            accepted.get(user_id, _NOTHING),
            outside.get(user_id, _NOTHING),
            outside_at.get(user_id),
        )
    return users


def _read_outside_roles(
    connection: sa.Connection, keys: Sequence[str], known_at: float
) -> tuple[dict[str, dict[str, tuple[Role, ...]]], dict[str, float]]:
    """What the outside source of roles said last, and when. Of an earlier moment nothing is known: what it said then is not kept."""
    holds: dict[str, dict[str, tuple[Role, ...]]] = {}
    if known_at != FOR_EVER:
        return holds, {}
    table, looked = outside_roles.c, role_lookups.c
    query = sa.select(table.user_id, table.role, table.valid_from, table.valid_to).where(among(table.user_id, keys))
    for user_id, name, start, end in connection.execute(query.order_by(table.role, table.valid_from)):
        _add(holds, user_id, name, Role(0, intern(name), _validity(start, end, None)))
    when = sa.select(looked.user_id, looked.good_at).where(among(looked.user_id, keys))
    return holds, {row.user_id: row.good_at for row in connection.execute(when)}


def _read_people(connection: sa.Connection, numbers: Sequence[int], known_at: float) -> dict[int, tuple[str, str]]:
    """The INSZ and name that each natural person had. By their numbers: asked by a subselect, PostgreSQL looks at every person there is."""
    chosen = sa.or_(among(persons.c.id, numbers), among(persons.c.same_as, numbers))
    newest = sa.select(root(), persons.c.insz, persons.c.name).where(chosen).order_by(persons.c.id)
    newest = newest.where(*_recorded(persons, known_at))
    return {person: (insz, name) for person, insz, name in connection.execute(newest)}


def _read_designations(
    connection: sa.Connection, keys: Sequence[str], rules: Rules, known_at: float
) -> dict[str, dict[str, tuple[Designation, ...]]]:
    said = read_said(connection, among(confirmations.c.user_id, keys), known_at)
    designated: dict[str, dict[str, tuple[Designation, ...]]] = {}
    table = designations.c
    columns = (table.mandate, table.id, table.user_id, table.authorisation, table.uses, table.recorded_at)
    query = _of(designations, (*columns, table.act_reference.is_not(None), *_validity_of(designations)), keys, known_at)
    rows = connection.execute(query).all()
    mandate_of = read_mandates(connection, numbers_of_mandates((row[0] for row in rows), said))
    for mandate, number, user_id, word, uses, at, by_act, start, end, ended in rows:
        authorisation, last = intern(word), _last(end, ended)
        if number in said:
            given = Validity(start, last)
            validity, made_at, rests_on, confirmed, _ = designation_standing(
                given, at, mandate, by_act, said[number], mandate_of, rules
            )
        else:  # as most are: the same, without its steps
            validity, made_at, rests_on = Validity(start, stands_to(last, at, rules)), at, mandate_of.get(mandate)
            confirmed = confirmed_as_made(mandate, by_act, rules)
        named = Designation(number, authorisation, parse_uses(uses), validity, made_at, rests_on, confirmed)
        _add(designated, user_id, authorisation, named)
    return designated


def read_said(
    connection: sa.Connection, chosen: sa.ColumnElement[bool], known_at: float = FOR_EVER
) -> dict[int, list[Said]]:
    """What was said of designations since they were made, oldest first, by the designation."""
    table, said = confirmations.c, dict[int, list[Said]]()
    query = sa.select(table.subject, table.kind, table.recorded_at, table.mandate).order_by(table.id)
    # What an upgrade carried over had no period before: that is so of every earlier moment.
    recorded = [sa.or_(by_then, table.kind == CARRIED) for by_then in _recorded(confirmations, known_at)]
    query = query.where(chosen, table.kind.in_(OF_DESIGNATIONS), _live(confirmations, known_at), *recorded)
    for subject, kind, at, mandate in connection.execute(query):
        said.setdefault(subject, []).append(Said(kind, at, mandate))
    return said


def read_mandates(connection: sa.Connection, numbers: Iterable[int | None]) -> dict[int | None, Mandate]:
    """These mandates, from when their holders accepted them."""
    columns = (mandates.c.id, *_validity_of(mandates), accepted_at())
    found: dict[int | None, Mandate] = {}
    for chunk in chunks(sorted({number for number in numbers if number is not None})):
        query = sa.select(*columns).where(among(mandates.c.id, chunk))
        for number, start, end, ended, accepted in connection.execute(query):
            found[number] = Mandate(number, mandate_validity(_validity(start, end, ended), accepted))
    return found


def numbers_of_mandates(made_under: Iterable[int | None], said: Mapping[int, Sequence[Said]]) -> set[int | None]:
    """The mandates that designations rest on: those that they were made under, and those of what was said of them since."""
    return {*made_under} | {one.mandate for each in said.values() for one in each}


def accepted_at() -> sa.ScalarSelect[float]:
    """When the holder of a row of mandates accepted it; NULL: not yet."""
    table = confirmations.c
    mine = sa.and_(table.kind == ACCEPTED, table.subject == mandates.c.id, table.ended_at.is_(None))
    return sa.select(sa.func.min(table.valid_from)).where(mine).correlate(mandates).scalar_subquery()


async def read_sessions(
    connection: AsyncConnection, keys: Sequence[str] | None, ended_after: float
) -> list[SessionRow]:
    """These sessions (None: all) that were still alive at `ended_after`, with their cookies."""
    recent = sa.and_(
        sessions.c.expires_at >= ended_after,
        sa.or_(sessions.c.ended_at.is_(None), sessions.c.ended_at >= ended_after),
    )
    if keys is None:
        keys = (await connection.scalars(sa.select(sessions.c.id).where(recent))).all()
    found: list[SessionRow] = []
    for chunk in chunks(keys):
        found += await connection.run_sync(_read_sessions, sa.and_(recent, among(sessions.c.id, chunk)))
    return found


def _read_sessions(connection: sa.Connection, chosen: sa.ColumnElement[bool]) -> list[SessionRow]:
    columns = (*_OF_A_SESSION, sessions.c.last_seen, sessions.c.renews)
    rows = [
        (_session(*values), last_seen, renews)
        for *values, last_seen, renews in connection.execute(sa.select(*columns).where(chosen)).all()
    ]
    cookies: dict[str, tuple[CookieRow, ...]] = {}
    table, numbers = session_cookies.c, [session.id for session, _, _ in rows]
    query = sa.select(table.session, table.hash, table.host, table.family).where(among(table.session, numbers))
    for session, *cookie in connection.execute(query).all():
        cookies[session] = (*cookies.get(session, ()), CookieRow(*cookie))
    return [SessionRow(session, last_seen, renews, cookies.get(session.id, ())) for session, last_seen, renews in rows]


def session_of(row: Row) -> Session:
    """The session that a whole row of sessions stands for."""
    return _session(*(row._mapping[column] for column in _OF_A_SESSION))


def _session(id_: str, user_id: str, means: str, *rest: Any) -> Session:
    return Session(id_, user_id, _MEANS[means], *rest)


def _add(into: dict[str, dict[str, tuple[T, ...]]], user_id: str, key: str, value: T) -> None:
    of_user = into.get(user_id)
    if of_user is None:
        of_user = into[user_id] = {}
    earlier = of_user.get(key)
    of_user[key] = (value,) if earlier is None else (*earlier, value)


def _of(
    table: sa.Table, columns: Iterable[sa.ColumnElement[Any]], keys: Sequence[str], known_at: float
) -> sa.Select[Any]:
    """The rows of these user IDs, oldest first."""
    rows = sa.select(*columns).where(among(table.c.user_id, keys), *_recorded(table, known_at))
    return rows.order_by(table.c.id)


def _recorded(table: sa.Table, known_at: float) -> tuple[sa.ColumnElement[bool], ...]:
    return () if known_at == FOR_EVER else (table.c.recorded_at <= known_at,)


def _live(table: sa.Table, known_at: float) -> sa.ColumnElement[bool]:
    if known_at == FOR_EVER:
        return table.c.ended_at.is_(None)
    return sa.or_(table.c.ended_at.is_(None), table.c.ended_at > known_at)


async def read_suspensions(connection: AsyncConnection, known_at: float = FOR_EVER) -> tuple[Suspension, ...]:
    """Emergency suspensions in force by the records, oldest first; at a moment of the past (Unix seconds), those that were then."""
    live = sa.select(suspensions).where(_live(suspensions, known_at)).order_by(suspensions.c.id)
    if known_at != FOR_EVER:
        live = live.where(suspensions.c.valid_from <= known_at)
    return tuple([suspension_of(row) for row in await connection.execute(live)])


def suspension_of(row: Row) -> Suspension:
    entry = Suspended(row.key, Scope(row.scope), row.subject, row.person)
    return Suspension(entry, row.reason, row.actor, row.valid_from, True)
