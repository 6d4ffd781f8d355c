"""The database: connections with the settings that make it safe, transactions, and one kind of error.

SQLite in WAL mode with `synchronous=FULL`: what was committed outlives a power cut. One writer at a time, so that a write begins with its
lock and never fails half-way for want of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.errors import Conflict, RecordsError

BUSY_MILLISECONDS = 5_000
"""How long a statement waits for another process's write."""
WRITE_SECONDS = 10.0
"""The most that a write may take, waiting included; then it is undone and the caller refuses."""
CONNECTIONS = 4
"""Each is a thread: sign-ins read and write, the hot path does neither."""

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
)
_WRITE = {"gateway_write": True}


def prepare_engine(engine: sa.Engine) -> None:
    """Sets what every connection of `engine` has, and lets a transaction begin where SQLAlchemy says, not where the driver guesses."""

    @sa.event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, record: object) -> None:
        connection.isolation_level = None  # the driver's: no implicit BEGIN
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("gateway_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """The connections of one process to one database file. Every error of theirs comes out as RecordsError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: AsyncEngine = create_async_engine(
            sa.URL.create("sqlite+aiosqlite", database=str(path)),
            hide_parameters=True,  # an error's text must hold no hash and no name
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=WRITE_SECONDS,
        )
        prepare_engine(self._engine.sync_engine)
        self._writer = asyncio.Lock()
        self._identity: tuple[int, int] | None = None

    async def close(self) -> None:
        await self._engine.dispose()

    def check_file(self) -> None:
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

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one moment."""
        with as_records_error(self.path):
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed when the block ends well, undone when it raises or is cancelled."""
        with as_records_error(self.path):
            self.check_file()
            async with asyncio.timeout(WRITE_SECONDS), self._writer, self._engine.connect() as connection:
                await connection.execution_options(**_WRITE)
                async with connection.begin():
                    yield connection

    async def can_write(self) -> bool:
        """Whether a write could begin: false while another program keeps the file locked, or it cannot be written at all."""
        try:
            async with self.writing():
                return True
        except RecordsError:
            return False


class DataVersion:
    """Tells whether any connection, of this process or another, has committed: `PRAGMA data_version` on a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = aiosqlite.connect(path, isolation_level=None)

    async def open(self) -> None:
        with as_records_error(self._path):
            await self._connection
            await self._connection.execute(PRAGMAS[0])

    async def read(self) -> int:
        """A number that differs when something was committed since the last call."""
        with as_records_error(self._path):
            async with asyncio.timeout(WRITE_SECONDS), self._connection.execute("PRAGMA data_version") as cursor:
                row = await cursor.fetchone()
        if row is None:
            raise RecordsError(f"{self._path}: no data_version")
        return int(row[0])

    async def close(self) -> None:
        await self._connection.close()


class as_records_error:  # noqa: N801 - reads as a phrase in a with statement
    """Turns the errors of the database, and running out of time, into RecordsError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (SQLAlchemyError, sqlite3.Error)):
            cause = getattr(error, "orig", None) or error
            raise RecordsError(f"{self._path}: {cause}") from error
        if isinstance(error, UnicodeEncodeError):
            raise Conflict("a value holds characters that are no text") from error
        if isinstance(error, TimeoutError):
            raise RecordsError(f"{self._path}: the records did not answer in time") from error
