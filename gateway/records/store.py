"""What all parts of the records share: one database, one index, and the way that a write goes.

A write is one transaction: its checks, its rows, what others must read again (`changes`), the ledger's line, the commit. When the
call returns, the index of this process has it; other processes have it within a second.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import RecordsError
from gateway.records.acts import note_acts
from gateway.records.database import Database
from gateway.records.directory import fill_directory, refresh_ends
from gateway.records.index import ENDED_KEPT_SECONDS, Index
from gateway.records.loading import read_sessions, read_suspensions, read_users
from gateway.records.schema import changes, designations, persons, user_ids
from gateway.records.settings import RecordsKey
from gateway.records.standing import DEFAULT_RULES
from gateway.records.values import BeforeCommit, By, Change, Detail

SAID: Mapping[str, tuple[str, ...]] = {
    "user_ids": ("institution", "language", "blocked"),
    "credentials": ("kind",),
    "mandates": ("institution", "authorisations"),
    "designations": ("authorisation", "uses", "mandate"),
    "roles": ("role",),
    "confirmations": ("kind", "subject", "mandate"),
    "offices": ("institution", "office"),
}
"""What a line says of a record before and after an act, besides its number and its time: no names, no numbers of persons, no secrets."""


class Write:
    """A transaction under way. `change` is what the ledger is told before the commit, if this write is an administrative act; `also` are
    the acts of the transaction that are complete (`told`), each with the user IDs that it was on. `listed` are user IDs of which the directory knows something else from
    now on, `designated` those whose designations began or ended."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.change: Change | None = None
        self.users: dict[str, None] = {}
        self.sessions: dict[str, None] = {}
        self.suspensions: list[str] = []
        self.before: list[Mapping[str, Detail]] = []
        self.after: list[Mapping[str, Detail]] = []
        self.also: list[tuple[Change, tuple[str, ...]]] = []
        self.listed: dict[str, None] = {}
        self.designated: dict[str, None] = {}

    async def execute(
        self, statement: sa.Executable, parameters: list[dict[str, object]] | None = None
    ) -> sa.CursorResult[Any]:
        return await self.connection.execute(statement, parameters)

    async def insert(self, table: sa.Table, **values: object) -> int:
        """Adds a row to a table with a numbered key, and gives the number."""
        made = await self.connection.execute(sa.insert(table).values(**values).returning(table.c.id))
        number = int(made.scalar_one())
        if table.name in SAID:
            self.after.append(said(table, {**values, "id": number}))
        self._mark(table, [str(values.get("user_id"))])
        return number

    async def insert_all(self, table: sa.Table, rows: list[dict[str, object]]) -> list[int]:
        """Adds many rows to a table with a numbered key, and gives their numbers in the same order. What is told of them is the caller's."""
        if not rows:
            return []
        adding = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
        made = (await self.connection.execute(adding, rows)).scalars().all()
        self._mark(table, [str(row.get("user_id")) for row in rows])
        return [int(number) for number in made]

    async def end(self, table: sa.Table, chosen: sa.ColumnElement[bool], by: By, now: float) -> None:
        """The one update that a legal record knows, of the live ones among those chosen."""
        live = sa.and_(chosen, table.c.ended_at.is_(None))
        if table.name in SAID:
            rows = (await self.connection.execute(sa.select(table).where(live))).all()
            self.before += [said(table, row._mapping) for row in rows]
            self._mark(table, [row.user_id for row in rows])
        end = {"ended_at": now, "ended_by": by.signature, "ended_reason": by.reason}
        await self.execute(sa.update(table).where(live).values(**end))

    def _mark(self, table: sa.Table, keys: Iterable[str]) -> None:
        if table is user_ids:
            self.listed.update(dict.fromkeys(keys))
        elif table is designations:
            self.designated.update(dict.fromkeys(keys))

    def told(self) -> None:
        """What was done so far is an act of its own, with a line of its own; another one may follow."""
        if self.change is not None:
            whole = replace(self.change, before=tuple(self.before), after=tuple(self.after))
            known = {user_id for _, theirs in self.also for user_id in theirs}
            mine = [user_id for user_id in self.users if user_id not in known]
            self.also.append((whole, tuple(mine) if whole.user_id is None else (whole.user_id,)))
        self.change, self.before, self.after = None, [], []

    async def words(self, statement: sa.Executable) -> list[str]:
        """The first column of all rows."""
        return list((await self.connection.execute(statement)).scalars())

    async def one(self, statement: sa.Select[Any]) -> sa.Row[Any] | None:
        row: sa.Row[Any] | None = (await self.connection.execute(statement)).first()
        return row


def said(table: sa.Table, values: Mapping[Any, Any]) -> dict[str, Detail]:
    """What a line says of a record: `SAID`, and when it is good."""
    columns = (*SAID[table.name], "valid_from", "valid_to", "act_reference")
    known = {column: values[column] for column in columns if values.get(column) is not None}
    return {"table": table.name, "id": values["id"], **known}


class Store:
    """Base of the records' parts (sign-in, sessions, administration …); see `Records`."""

    rules = DEFAULT_RULES

    def __init__(self, database: Database, key: RecordsKey, index: Index, clock: Callable[[], float]) -> None:
        self.index = index
        self._database = database
        self._key = key
        self._clock = clock
        self._reading_back = asyncio.Lock()
        self._joined: Write | None = None

    @asynccontextmanager
    async def _write(self, before_commit: BeforeCommit | None = None) -> AsyncIterator[Write]:
        if self._joined is not None:
            yield self._joined
            self._joined.told()
            return
        async with self._database.writing() as connection:
            write = Write(connection)
            yield write
            touched = [("user", key) for key in write.users] + [("session", key) for key in write.sessions]
            touched += [("suspension", key) for key in write.suspensions]
            if touched:
                at = self._clock()
                await write.execute(sa.insert(changes), [{"at": at, "kind": kind, "key": key} for kind, key in touched])
            await write.connection.run_sync(fill_directory, write.listed, self._clock())
            await write.connection.run_sync(refresh_ends, write.designated, self._clock())
            write.told()
            await note_acts(write, write.also)
            if before_commit is not None:
                # Together, so that a list of a thousand people waits for the disk a few times, not a thousand times.
                written = [before_commit(await _with_insz(write, change)) for change, _ in write.also]
                await asyncio.gather(*(each for each in written if inspect.isawaitable(each)))
        try:
            await self._read_back(list(write.users), list(write.sessions), suspensions=bool(write.suspensions))
        except RecordsError:
            self.index.out_of_date()
            raise

    @asynccontextmanager
    async def together(self, before_commit: BeforeCommit | None = None) -> AsyncIterator[Self]:
        """Records whose acts are one transaction: all of them, each with its line, or none."""
        async with self._write(before_commit) as write:
            joined = copy(self)
            joined._joined = write
            yield joined

    async def _read_back(self, users: list[str], session_ids: list[str], *, suspensions: bool = False) -> None:
        """Brings what changed into the index. One at a time, so that what was read earlier never overwrites what was read later."""
        if not users and not session_ids and not suspensions:
            return
        async with self._reading_back, self._database.reading() as connection:
            await self._take(connection, users, session_ids)
            if suspensions:
                self.index.suspensions = await read_suspensions(connection)

    async def _take(self, connection: AsyncConnection, users: Iterable[str], session_ids: Sequence[str] | None) -> None:
        """Brings into the index what the database has of these sessions (None: of all, and lets go of others), and of those of these users
        that it holds.

        A session brings its user's records with it. Called under `_reading_back`, with a transaction that began under it.
        """
        index = self.index
        rows = await read_sessions(connection, session_ids, self._clock() - ENDED_KEPT_SECONDS)
        wanted = {user_id for user_id in users if index.holds(user_id)}
        wanted |= {row.session.user_id for row in rows if not index.holds(row.session.user_id)}
        # Sorted as the tables' indexes are: neighbours share pages of the file.
        found = await read_users(connection, sorted(wanted), self.rules)
        index.put_users(found)
        index.put_sessions(rows)
        if session_ids is None:
            index.keep_only({row.session.id for row in rows}, self._clock())


async def _with_insz(write: Write, change: Change) -> Change:
    """The change, with the number of the person who has the user ID: the ledger seals both."""
    if change.insz is not None or change.user_id is None:
        return change
    person = sa.select(user_ids.c.person).where(user_ids.c.user_id == change.user_id).limit(1).scalar_subquery()
    theirs = sa.or_(persons.c.id == person, persons.c.same_as == person)
    row = await write.one(sa.select(persons.c.insz).where(theirs).order_by(persons.c.id.desc()).limit(1))
    return change if row is None else replace(change, insz=row.insz)
