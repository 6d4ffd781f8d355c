"""SQLite's driver with one hand-over to its thread for a statement.

aiosqlite takes four: for the cursor, the statement, its rows, and the cursor's end. Each waits for a thread and for the loop, which
costs more than SQLite's own work on the few rows that a sign-in asks for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

FIRST_ROWS = 500
"""Rows that come with the statement; of more the rest is fetched as they are asked for."""

Row = tuple[Any, ...]
_Result = TypeVar("_Result")


class WholeConnection(aiosqlite.Connection):
    """A connection whose cursors are `WholeCursor`s. To be awaited before it is used."""

    def __init__(self, path: Path) -> None:
        # No isolation level: a transaction begins where SQLAlchemy says, not where the driver guesses.
        super().__init__(partial(sqlite3.connect, path, isolation_level=None), FIRST_ROWS)
        self._thread.daemon = True  # one that hangs on a lock must not keep the process

    def cursor(self) -> WholeCursor:  # type: ignore[override]  # theirs makes one in the thread
        return WholeCursor(self)

    async def hand_over(self, job: Callable[[], _Result]) -> _Result:
        """What `job` gives, done in the connection's thread."""
        result: _Result = await self._execute(job)  # type: ignore[no-untyped-call]
        return result


async def connect(path: Path) -> WholeConnection:
    """Raises sqlite3.Error."""
    connection = WholeConnection(path)
    await connection
    return connection


class WholeCursor:
    """What SQLAlchemy asks of a driver's cursor: one statement and its rows (PEP 249). Each method raises sqlite3.Error."""

    arraysize = 1

    def __init__(self, connection: WholeConnection) -> None:
        self._connection = connection
        self._rows: list[Row] = []
        self._rest: sqlite3.Cursor | None = None
        self.description: tuple[Row, ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        await self._connection.hand_over(partial(self._run, sqlite3.Cursor.execute, statement, parameters))

    async def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        await self._connection.hand_over(partial(self._run, sqlite3.Cursor.executemany, statement, rows))

    def _run(self, how: Any, statement: str, parameters: Any) -> None:
        """In the thread."""
        if self._rest is not None:
            self._rest.close()
        self._rows, self._rest = [], None
        cursor = self._connection._conn.cursor()
        try:
            how(cursor, statement, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchmany(FIRST_ROWS) if cursor.description else []
            if len(self._rows) == FIRST_ROWS:
                self._rest = cursor
            # After the rows: the number of those that a statement changed and returned is known at its end only.
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            if self._rest is None:
                cursor.close()

    async def fetchone(self) -> Row | None:
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int = 1) -> list[Row]:
        """At most `size` rows; none when there are no more."""
        if not self._rows and self._rest is not None:
            self._rows = await self._connection.hand_over(partial(self._rest.fetchmany, max(size, FIRST_ROWS)))
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchall(self) -> list[Row]:
        rows, self._rows = self._rows, []
        if self._rest is not None:
            rows += await self._connection.hand_over(self._rest.fetchall)
            await self.close()
        return rows

    async def close(self) -> None:
        self._rows = []
        rest, self._rest = self._rest, None
        if rest is not None:
            await self._connection.hand_over(rest.close)
