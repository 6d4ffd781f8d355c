"""SQLite: one file, in WAL mode with `synchronous=FULL`, so that what was committed outlives a power cut.

One writer at a time, so that a write begins with its lock and never fails half-way for want of it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.errors import Conflict, RecordsError
from gateway.records.dialect import CONNECTIONS, WAIT_SECONDS, WRITE_SECONDS, Moment
from gateway.records.failing import NO_TEXT, as_records_error
from gateway.records.sqlite_cursor import WholeConnection, connect

PRAGMAS = (
    f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
)
_WRITE = "gateway_write"


class SqliteFile:
    """A database in the file `path`."""

    reading: Mapping[str, object] = {}
    writing: Mapping[str, object] = {_WRITE: True}

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None

    def __str__(self) -> str:
        return str(self.path)

    def engine(self) -> AsyncEngine:
        engine = create_async_engine(
            sa.URL.create("sqlite+aiosqlite", database=str(self.path)),
            async_creator=partial(connect, self.path),
            hide_parameters=True,  # an error's text must hold no hash and no name
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=WRITE_SECONDS,
        )
        _prepare(engine.sync_engine)
        return engine

    def exists(self) -> bool:
        return self.path.exists()

    def make(self) -> None:
        """Makes the file, which nobody but the owner may read, unless it is there. Raises RecordsError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._use_wal()
        except (OSError, sqlite3.Error) as error:
            raise RecordsError(f"{self.path}: the database cannot be made or opened ({error})") from error

    def _use_wal(self) -> None:
        """Write-ahead log: readers and the writer do not wait for each other. A property of the file, set once."""
        connection = sqlite3.connect(self.path)
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        finally:
            connection.close()
        if mode != "wal":
            raise RecordsError(
                f"{self.path}: this file system cannot hold SQLite's write-ahead log (journal mode {mode})"
            )

    def check(self) -> None:
        """That the path still is the file that was opened: one that was moved away or replaced would be written in vain."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise RecordsError(f"{self.path}: {error.strerror}") from error
        identity = (status.st_dev, status.st_ino)
        if self._identity is None:
            self._identity = identity
        elif identity != self._identity:
            raise RecordsError(f"{self.path}: the file was replaced while it was in use; restart the gateway")

    def lookout(self, wake: Callable[[], None]) -> DataVersion:
        """Nothing wakes: SQLite calls nobody."""
        return DataVersion(self)


def _prepare(engine: sa.Engine) -> None:
    """Sets what every connection of `engine` has, and has each transaction begin as what it is."""

    @sa.event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @sa.event.listens_for(engine, "before_cursor_execute")
    def asked(
        connection: sa.Connection, cursor: object, statement: str, parameters: Any, context: object, many: bool
    ) -> None:
        """A text with a zero in it is refused, as PostgreSQL does: what is kept here could not go there."""
        # Many rows are a list of rows, or one long row where they go in by a single statement.
        for row in parameters if many and parameters and isinstance(parameters[0], tuple) else (parameters,):
            _refuse_zero(row)


def _refuse_zero(row: Sequence[object]) -> None:
    for value in row:
        if type(value) is str and "\0" in value:
            raise Conflict(NO_TEXT)


class DataVersion:
    """Tells whether any connection, of this process or another, has committed: `PRAGMA data_version` on a connection of its own."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._connection = WholeConnection(file.path)

    async def open(self) -> None:
        with as_records_error(self._file):
            await self._connection
            await self._connection.execute_fetchall(PRAGMAS[0])

    async def read(self) -> Moment:
        """Raises RecordsError."""
        self._file.check()
        with as_records_error(self._file):
            async with asyncio.timeout(WRITE_SECONDS):
                rows = await self._connection.execute_fetchall("PRAGMA data_version")
        for (version,) in rows:
            return Moment("", str(version))
        raise RecordsError(f"{self._file}: no data_version")

    async def close(self) -> None:
        await self._connection.close()
