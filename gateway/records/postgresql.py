"""PostgreSQL: one database for several machines.

The records' checks rely on one writer at a time, as SQLite has it. So a write takes an advisory lock first, and reads committed rows
statement by statement after that (a snapshot from before the lock would be old): it sees all that was written before it. The numbers
of `changes` come from a sequence, which other programs' numbers leave in another order than they commit; under the lock they do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.errors import RecordsError
from gateway.records.dialect import CONNECTIONS, WAIT_SECONDS, WRITE_SECONDS, Moment
from gateway.records.failing import as_records_error
from gateway.records.server import Server

CHANNEL = "gateway_changes"
"""Notified by a trigger of `changes`, without a word: what changed is in the table."""
LOOK_SECONDS = 3.0
"""The most that a look may take; a server that hangs is no server."""
_WRITER = 0x67617465776179  # "gateway": the number of the writer's lock
_ALONE = (
    f"SELECT pg_advisory_xact_lock({_WRITER}), current_setting('transaction_read_only') AS read_only, "
    "to_regclass('changes')::oid AS changes"
)
# A snapshot's text differs as soon as a transaction that wrote has ended; a restored table has another number.
_NOW = "SELECT pg_current_snapshot()::text AS state, to_regclass('changes')::oid AS changes"
# The first eight digits of the log's present file are the timeline: another one after a replica took over.
_LINE = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)"
_WRITE = "gateway_write"
SERVER_SETTINGS = {
    "application_name": "gateway",
    "lock_timeout": f"{WAIT_SECONDS:.0f}s",
    "idle_in_transaction_session_timeout": f"{2 * WRITE_SECONDS:.0f}s",  # a machine that vanished keeps nobody waiting
    "synchronous_commit": "on",
    "jit": "off",  # a hundred milliseconds before statements of one
}


class PostgresqlDatabase:
    """A database of a server; it is made by the server's administrator, with an owner. A statement may take `seconds`, None: long."""

    reading: Mapping[str, object] = {"postgresql_readonly": True}
    writing: Mapping[str, object] = {_WRITE: True, "isolation_level": "READ COMMITTED"}

    def __init__(self, server: Server, seconds: float | None) -> None:
        self._server = server
        self._seconds = seconds
        self._tls = server.tls()
        self._changes: int | None = None

    def __str__(self) -> str:
        return str(self._server)

    def engine(self) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            isolation_level="REPEATABLE READ",
            hide_parameters=True,  # an error's text must hold no hash and no name
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=WRITE_SECONDS,
            pool_pre_ping=True,  # a server that restarted is found again by the first who asks
        )

        @sa.event.listens_for(engine.sync_engine, "begin")
        def begun(connection: sa.Connection) -> None:
            if connection.get_execution_options().get(_WRITE, False):
                _lock, read_only, changes = connection.exec_driver_sql(_ALONE).one()
                if read_only == "on":
                    raise RecordsError(f"{self}: the server takes no writes")
                self.recognise(changes)

        return engine

    async def connect(self) -> asyncpg.Connection:
        """Raises RecordsError."""
        server = self._server
        with as_records_error(self):
            try:
                return await asyncpg.connect(
                    host=[host for host, port in server.hosts],
                    port=[port for host, port in server.hosts],
                    user=server.user,
                    password=server.password(),
                    database=server.name,
                    ssl=self._tls or False,
                    timeout=WAIT_SECONDS,
                    command_timeout=self._seconds,
                    target_session_attrs="read-write",
                    server_settings=SERVER_SETTINGS,
                )
            except asyncpg.InternalClientError as error:
                raise RecordsError(f"{self}: no server takes writes ({type(error).__name__})") from error

    def exists(self) -> bool:
        """A server is asked, not looked at."""
        return True

    def make(self) -> None:
        """Its administrator makes it."""

    def check(self) -> None:
        """What it is comes with each look and each write."""

    def recognise(self, changes: int | None) -> None:
        """Raises RecordsError when the change table is not the one of the first call: a backup was put in its place."""
        if self._changes is None:
            self._changes = changes
        elif changes != self._changes:
            raise RecordsError(f"{self}: the database was replaced while it was in use; restart the gateway")

    def lookout(self, wake: Callable[[], None]) -> Listener:
        return Listener(self, wake)


class Listener:
    """Hears of commits on a connection of its own, asks over it, and makes it anew when it broke."""

    def __init__(self, database: PostgresqlDatabase, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._connection: asyncpg.Connection | None = None
        self._line = ""

    async def open(self) -> None:
        """Raises RecordsError."""
        async with self._looking():
            pass

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[asyncpg.Connection]:
        """The connection, for as long as a look may take; a failure ends it, and comes out as RecordsError."""
        with as_records_error(self._database):
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    yield await self._connected()
            except BaseException:
                self._drop()
                raise

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        connection = self._connection = await self._database.connect()
        await connection.add_listener(CHANNEL, self._heard)
        self._line = await connection.fetchval(_LINE, timeout=LOOK_SECONDS)
        return connection

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._wake()

    async def read(self) -> Moment:
        """Raises RecordsError."""
        async with self._looking() as connection:
            state, changes = await connection.fetchrow(_NOW, timeout=LOOK_SECONDS)
        self._database.recognise(changes)
        return Moment(self._line, state)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.close(timeout=1.0)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
