"""One statement, one hand-over: the same rows as SQLite's own driver gives, however many they are."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.records.sqlite_cursor import FIRST_ROWS, WholeConnection, connect


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[WholeConnection]:
    made = await connect(tmp_path / "rows.db")
    yield made
    await made.close()


COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"


@pytest.mark.parametrize("count", [1, FIRST_ROWS - 1, FIRST_ROWS, FIRST_ROWS + 1, 3 * FIRST_ROWS])
async def test_all_rows_come(connection: WholeConnection, count: int) -> None:
    cursor = connection.cursor()
    await cursor.execute(COUNTING, (count,))
    assert cursor.description is not None
    assert cursor.description[0][0] == "i"
    assert await cursor.fetchall() == [(i,) for i in range(1, count + 1)]
    assert await cursor.fetchall() == []
    await cursor.close()


@pytest.mark.parametrize("size", [1, 7, FIRST_ROWS, FIRST_ROWS + 1, 4 * FIRST_ROWS])
async def test_all_rows_come_in_parts(connection: WholeConnection, size: int) -> None:
    cursor = connection.cursor()
    await cursor.execute(COUNTING, (3 * FIRST_ROWS,))
    parts = []
    while part := await cursor.fetchmany(size):
        assert len(part) <= size
        parts += part
    assert parts == [(i,) for i in range(1, 3 * FIRST_ROWS + 1)]
    assert await cursor.fetchone() is None


async def test_what_was_changed(connection: WholeConnection) -> None:
    cursor = connection.cursor()
    await cursor.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    assert cursor.description is None
    assert await cursor.fetchall() == []
    await cursor.executemany("INSERT INTO t (b) VALUES (?)", [("x",), ("y",)])
    assert cursor.rowcount == 2
    await cursor.execute("INSERT INTO t (b) VALUES (?) RETURNING a", ("z",))
    assert await cursor.fetchall() == [(3,)]
    assert cursor.lastrowid == 3
    await cursor.execute("UPDATE t SET b = 'w' WHERE a < 3 RETURNING a")
    assert sorted(await cursor.fetchall()) == [(1,), (2,)]
    assert cursor.rowcount == 2


async def test_a_statement_that_fails_leaves_nothing_open(connection: WholeConnection) -> None:
    cursor = connection.cursor()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await cursor.execute("SELECT * FROM absent")
    # What was read in part and left holds no lock on the file.
    await cursor.execute(COUNTING, (2 * FIRST_ROWS,))
    await cursor.close()
    await cursor.execute("BEGIN EXCLUSIVE")
    await cursor.execute("ROLLBACK")
