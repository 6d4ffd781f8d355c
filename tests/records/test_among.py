"""Many keys as one parameter: the same rows on both databases, found by an index and not by looking at every row."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.records import RecordsSettings
from gateway.records.among import among, chunks
from gateway.records.database import Database
from gateway.records.schema import persons, user_ids
from tests.records.conftest import INSZ, Opener, add_user

QUOTED = 'o\'neil\\ "x" €,{}'


@pytest.fixture
async def connection(open_records: Opener, settings: RecordsSettings) -> AsyncIterator[AsyncConnection]:
    records = await open_records()
    for user_id, insz in zip(("jansen01", "peeters1", "dubois01"), INSZ, strict=False):
        await add_user(records, user_id, insz=insz)
    await records.close()
    database = Database(settings)
    async with database.reading() as connection:
        yield connection
    await database.close()


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([], []),
        (["jansen01"], ["jansen01"]),
        (["dubois01", "nobody", "jansen01", "jansen01", QUOTED], ["dubois01", "jansen01"]),
        (["jansen01\0x", "\0jansen01", "jansen01\0"], []),
    ],
)
async def test_the_rows_of_these_keys(connection: AsyncConnection, keys: list[str], found: list[str]) -> None:
    query = sa.select(user_ids.c.user_id).where(among(user_ids.c.user_id, keys)).order_by(user_ids.c.user_id)
    assert list(await connection.scalars(query)) == found


async def test_more_keys_than_a_statement_takes_parameters(connection: AsyncConnection) -> None:
    keys = [*map(str, range(100_000)), "jansen01"]
    assert list(await connection.scalars(sa.select(user_ids.c.user_id).where(among(user_ids.c.user_id, keys)))) == [
        "jansen01"
    ]
    assert [key for chunk in chunks(keys) for key in chunk] == keys


async def test_numbers_and_other_conditions(connection: AsyncConnection) -> None:
    numbers = list(await connection.scalars(sa.select(persons.c.id).order_by(persons.c.id)))
    either = sa.or_(among(persons.c.id, numbers[:1]), among(persons.c.same_as, numbers))
    for chosen, found in (
        (either, numbers[:1]),
        (~among(persons.c.id, numbers[:1]), numbers[1:]),
        (sa.and_(either, persons.c.id > numbers[0]), []),
    ):
        assert list(await connection.scalars(sa.select(persons.c.id).where(chosen).order_by(persons.c.id))) == found


async def test_the_same_statement_takes_other_keys(connection: AsyncConnection) -> None:
    """SQLAlchemy keeps what it made of a statement, and none of its values."""
    for key in ("jansen01", "peeters1"):
        assert list(
            await connection.scalars(sa.select(user_ids.c.user_id).where(among(user_ids.c.user_id, [key])))
        ) == [key]


async def test_an_index_finds_them(connection: AsyncConnection) -> None:
    query = sa.select(user_ids.c.person).where(among(user_ids.c.user_id, ["jansen01"])).order_by(user_ids.c.id)
    written = query.compile(connection.engine)
    if connection.dialect.name == "sqlite":
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {written}", ('["jansen01"]',))
        told = " ".join(str(row) for row in plan)
        assert "USING INDEX ix_user_ids_user_id" in told
        assert "SCAN user_ids" not in told
    else:
        await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # as for a table that is worth an index
        plan = await connection.exec_driver_sql(f"EXPLAIN {written}", (["jansen01"],))
        assert "ix_user_ids_user_id" in " ".join(str(row) for row in plan)
