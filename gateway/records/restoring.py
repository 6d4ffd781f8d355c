"""A backup is put back: in one transaction, into a database that holds no record, or in the place of one that is kept.

Every session is ended by it. The schema is the backup's at first, and is raised to this version's with the records in it.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import Conflict, RecordsError
from gateway.records.append_only import asleep
from gateway.records.backup import Backup, told, verify
from gateway.records.backup_file import KINDS, BackupReader, Head, Values
from gateway.records.checking import faults
from gateway.records.database import Database
from gateway.records.directory import fill_directory
from gateway.records.schema import LEGAL
from gateway.records.server import Server
from gateway.records.settings import RecordsKey, RecordsSettings
from gateway.records.upgrade import BASE, REVISIONS, migrate
from gateway.records.values import BeforeCommit, By, Change

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Restoring:
    """What is put back, for whom, and how. `replaces`: records that are there are kept aside; else they are a reason to refuse.

    `key_lost`: the backup's records key is gone for good, so that its checksum alone is believed.
    """

    path: Path
    by: By
    now: float
    replaces: bool = False
    key_lost: bool = False


async def restore(
    settings: RecordsSettings, asked: Restoring, before_commit: BeforeCommit | None = None
) -> tuple[Backup, str | None]:
    """Puts a backup back. Gives what it holds, and where what was there is kept (None: nothing was).

    Raises Conflict: the file is no backup, was cut off, altered, made by a newer version or with another key; or there are records and they
    are not to be replaced. RecordsError: the database fails, or the gateway uses it. Then nothing was changed.
    """
    key = RecordsKey.read(settings.key_file)
    backup = verify(asked.path, key, key_lost=asked.key_lost)
    if backup.schema not in REVISIONS:
        raise Conflict(f"{asked.path}: its schema {backup.schema} is newer than this version's {REVISIONS[-1]}")
    work = _Work(asked, key, backup, before_commit)
    kept = f"before_restore_{dt.datetime.fromtimestamp(asked.now, dt.UTC):%Y%m%dt%H%M%S}"
    if isinstance(settings.database, Server):
        return backup, await _into_server(settings, work, kept)
    return backup, await _into_file(settings, work, kept)


@dataclass(frozen=True, slots=True)
class _Work:
    asked: Restoring
    key: RecordsKey
    backup: Backup
    before_commit: BeforeCommit | None

    async def fill(self, connection: AsyncConnection, *, in_place_of: str | None) -> None:
        """Everything but the commit, into a database without a schema."""
        await connection.run_sync(migrate, self.backup.schema)
        with self.asked.path.open("rb") as file:
            reader = BackupReader(file, self.asked.path, self.key, key_lost=self.asked.key_lost)
            await connection.run_sync(_put_back, reader)
        if reader.sha256 != self.backup.sha256:
            raise Conflict(f"{self.asked.path}: it was altered while it was read")
        await connection.run_sync(migrate, REVISIONS[-1])
        await connection.run_sync(fill_directory, None, self.asked.now)
        wrong = await faults(connection, None if self.asked.key_lost else self.key)
        if wrong:
            raise Conflict(f"{self.asked.path}: its records contradict each other: " + "; ".join(wrong))
        if self.before_commit is not None:
            kept: dict[str, str] = {} if in_place_of is None else {"kept_as": in_place_of}
            details = {**told(self.backup), **kept}
            written = self.before_commit(Change("records restore", self.asked.now, self.asked.by, details=details))
            if written is not None:
                await written

    def refuse_records(self, place: object) -> None:
        if not self.asked.replaces:
            raise Conflict(
                f"{place}: there are records in it; --replace keeps them aside and puts the backup in their place"
            )


def _put_back(connection: sa.Connection, reader: BackupReader) -> None:
    _compare(connection, reader.head)
    with asleep(connection):
        for name, rows in groupby(reader.rows(), key=lambda row: row[0]):
            columns = reader.head.tables[name]
            table = sa.table(name, *(sa.column(column, KINDS[kind]) for column, kind in columns.items()))
            for portion in _portions(values for _name, values in rows):
                connection.execute(sa.insert(table), [dict(zip(columns, values, strict=True)) for values in portion])
    if connection.dialect.name == "postgresql":
        _go_on_counting(connection, reader.head)


def _compare(connection: sa.Connection, head: Head) -> None:
    """That the tables are those of the schema that the backup names. Raises Conflict."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    for name, columns in head.tables.items():
        if name not in there or {column["name"] for column in inspector.get_columns(name)} != columns.keys():
            raise Conflict(f"the backup's table {name} is not that of schema {head.schema}")


def _portions(rows: Iterator[Values]) -> Iterator[Sequence[Values]]:
    while portion := list(islice(rows, _ROWS_AT_ONCE)):
        yield portion


def _go_on_counting(connection: sa.Connection, head: Head) -> None:
    """Each number that the server gives out next is above those that were put back, and statistics know the tables."""
    for name in head.tables:
        for column in ("id", "seq"):
            if column in head.tables[name]:
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), max({column})) FROM {name}"  # noqa: S608 - names of tables that are there
                )
        connection.exec_driver_sql(f"ANALYZE {name}")


# --- a server


async def _into_server(settings: RecordsSettings, work: _Work, kept: str) -> str | None:
    database = Database(settings, patient=True)
    try:
        async with database.writing() as connection:
            tables = await connection.run_sync(lambda inside: set(sa.inspect(inside).get_table_names()))
            old = await _has_records(connection, tables)
            if old:
                work.refuse_records(database)
                await connection.run_sync(_set_aside, tables, kept)
            elif "alembic_version" in tables:
                await connection.run_sync(migrate, BASE)
            await work.fill(connection, in_place_of=kept if old else None)
    finally:
        await database.close()
    return f"schema {kept}" if old else None


def _set_aside(connection: sa.Connection, tables: set[str], kept: str) -> None:
    """Into a schema of their own, with the functions of their triggers."""
    connection.exec_driver_sql(f"CREATE SCHEMA {kept}")
    for name in sorted(tables):
        connection.exec_driver_sql(f"ALTER TABLE {name} SET SCHEMA {kept}")
    ours = (
        r"SELECT proname FROM pg_proc WHERE proname LIKE 'gateway\_%' AND pronamespace = current_schema()::regnamespace"
    )
    for function in connection.exec_driver_sql(ours).scalars().all():
        connection.exec_driver_sql(f"ALTER FUNCTION {function}() SET SCHEMA {kept}")


async def _has_records(connection: AsyncConnection, tables: set[str]) -> bool:
    legal = [sa.table(table.name) for table in LEGAL if table.name in tables]
    return any([await connection.scalar(sa.select(sa.literal(1)).select_from(table).limit(1)) for table in legal])


# --- a file


async def _into_file(settings: RecordsSettings, work: _Work, kept: str) -> str | None:
    path = settings.path
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    old = await _file_has_records(settings)
    aside = path.with_name(f"{path.name}.{kept}") if old else None
    if old:
        work.refuse_records(path)
    _alone(path)
    database = Database(replace(settings, database=draft), patient=True)
    try:
        database.make()
        async with database.writing() as connection:
            await work.fill(connection, in_place_of=None if aside is None else aside.name)
        await database.close()
        if aside is not None:
            os.link(path, aside)
        draft.replace(path)
    except OSError as error:
        raise RecordsError(f"{path}: the backup cannot be put in its place ({error.strerror})") from error
    finally:
        await database.close()
        for name in (draft.name, f"{draft.name}-wal", f"{draft.name}-shm"):
            draft.with_name(name).unlink(missing_ok=True)
    return None if aside is None else str(aside)


async def _file_has_records(settings: RecordsSettings) -> bool:
    if not settings.path.exists():
        return False
    database = Database(settings)
    try:
        async with database.reading() as connection:
            tables = await connection.run_sync(lambda inside: set(sa.inspect(inside).get_table_names()))
            return await _has_records(connection, tables)
    finally:
        await database.close()


def _alone(path: Path) -> None:
    """Makes the database one file, which SQLite only does when nobody else has it open: by leaving the mode with a log, and coming back.

    Raises RecordsError.
    """
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise RecordsError(f"{path}: the gateway uses it; stop it first ({error})") from error
