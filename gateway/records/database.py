"""The database: transactions that read and write, and one kind of error. What SQLite and PostgreSQL are for themselves stands beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.errors import RecordsError
from gateway.records.dialect import WRITE_SECONDS, Dialect, Lookout
from gateway.records.failing import as_records_error
from gateway.records.postgresql import PostgresqlDatabase
from gateway.records.server import Server
from gateway.records.settings import RecordsSettings
from gateway.records.sqlite import SqliteFile


def _dialect_of(settings: RecordsSettings, seconds: float | None) -> Dialect:
    place = settings.database
    return PostgresqlDatabase(place, seconds) if isinstance(place, Server) else SqliteFile(settings.path)


class Database:
    """The connections of one process to one database. Every error of theirs comes out as RecordsError.

    `patient`: of a command that may take long, for which nobody waits. Raises ConfigurationError: the authorities that may vouch for
    the server cannot be read.
    """

    def __init__(self, settings: RecordsSettings, *, patient: bool = False) -> None:
        self._patient = patient
        self._dialect = _dialect_of(settings, None if patient else WRITE_SECONDS)
        self._engine: AsyncEngine = self._dialect.engine()
        self._writer = asyncio.Lock()

    def __str__(self) -> str:
        """What the database is called in messages: nothing secret."""
        return str(self._dialect)

    async def close(self) -> None:
        await self._engine.dispose()

    def exists(self) -> bool:
        """False: it is certain that there is no database yet."""
        return self._dialect.exists()

    def make(self) -> None:
        """Makes an empty database, where that is for the gateway to do. Raises RecordsError."""
        self._dialect.make()

    def check(self) -> None:
        """That this still is the database that was opened. Raises RecordsError."""
        self._dialect.check()

    def lookout(self, wake: Callable[[], None]) -> Lookout:
        """Tells whether any process has committed; `wake` is called when the database tells by itself."""
        return self._dialect.lookout(wake)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one moment."""
        with as_records_error(self):
            async with self._engine.connect() as connection:
                await connection.execution_options(**self._dialect.reading)
                try:
                    yield connection
                except (TimeoutError, asyncio.CancelledError):
                    await connection.invalidate()  # whatever hangs on it would hang again where it is given back
                    raise

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes, alone: committed when the block ends well, undone when it raises or is cancelled."""
        with as_records_error(self):
            self.check()
            seconds = None if self._patient else WRITE_SECONDS
            async with asyncio.timeout(seconds), self._writer, self._engine.connect() as connection:
                await connection.execution_options(**self._dialect.writing)
                try:
                    async with connection.begin():
                        yield connection
                except (TimeoutError, asyncio.CancelledError):
                    await connection.invalidate()
                    raise

    async def can_write(self) -> bool:
        """Whether a write could begin: false while another program keeps the database locked, or it cannot be written at all."""
        try:
            async with self.writing():
                return True
        except RecordsError:
            return False
