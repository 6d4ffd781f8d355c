"""Whether the records are what they must be: the schema and what guards it, the database's own integrity, and the legal invariants.

What is found is named by table and number: no name, no INSZ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.records.append_only import POSTGRESQL_NAMES, SQLITE_NAMES
from gateway.records.schema import (
    LEGAL,
    acceptances,
    confirmations,
    credentials,
    designations,
    mandates,
    metadata,
    offices,
    persons,
    roles,
    user_ids,
)
from gateway.records.settings import RecordsKey
from gateway.records.store import Store

_SCHEMA_HAS = {"add": "lacks", "remove": "has besides", "modify": "has another"}
"""By what would have to be done."""
MOST_NAMED = 5
"""So many rows of one fault are named by number; the others are counted."""
OF_A_USER_ID = (credentials, mandates, designations, roles, acceptances, confirmations, offices)


class Checks(Store):
    """Checks the records."""

    async def faults(self) -> list[str]:
        """Everything that is not as it must be, in words. Raises RecordsError when the database cannot be read."""
        async with self._database.reading() as connection:
            return await faults(connection, self._key)


async def faults(connection: AsyncConnection, key: RecordsKey | None) -> list[str]:
    """As `Checks.faults`, of the schema of this version, in the transaction of `connection`. Without a `key`, all but what takes one."""
    return await connection.run_sync(lambda inside: [*_database(inside), *_schema(inside), *_records(inside, key)])


# --- the database


def _database(connection: sa.Connection) -> Iterator[str]:
    expected: tuple[str, ...]
    if connection.dialect.name == "sqlite":
        for (words,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if words != "ok":
                yield f"the file is damaged: {words}"
        expected, query = SQLITE_NAMES, "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)"
        for (name,) in connection.exec_driver_sql(invalid):
            yield f"index {name} is not valid"
        loose = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE NOT convalidated"
        for table, name in connection.exec_driver_sql(loose):
            yield f"{table}: {name} was never checked"
        expected = POSTGRESQL_NAMES
        query = (
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A' AND pg_table_is_visible(tgrelid)"
        )
    there = set(connection.exec_driver_sql(query).scalars())
    for legal in LEGAL:
        for word in expected:
            if f"{legal.name}_{word}" not in there:
                yield f"{legal.name}: the trigger {legal.name}_{word}, which keeps it append-only, is missing or asleep"


def _schema(connection: sa.Connection) -> Iterator[str]:
    # Loaded here alone, for the reason in `upgrade.migrate`.
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    for difference in compare_metadata(context, metadata):
        what = difference[0] if isinstance(difference, list) else difference
        if what[0] != "modify_comment":
            verb, _, noun = str(what[0]).partition("_")
            yield f"the schema {_SCHEMA_HAS[verb]} {noun} {_name(what)}"


def _name(difference: Sequence[object]) -> str:
    words = [str(getattr(part, "name", part)) for part in difference[1:4] if part is not None]
    return ".".join(words)


# --- the records


def _records(connection: sa.Connection, key: RecordsKey | None) -> Iterator[str]:
    for what, table, query in _queries(key):
        numbers = connection.execute(query.order_by(sa.literal_column("1"))).scalars().all()
        if numbers:
            named = ", ".join(map(str, numbers[:MOST_NAMED])) + (", …" if len(numbers) > MOST_NAMED else "")
            yield f"{table.name}: {what}: {len(numbers)} rows ({named})"


Query = tuple[str, sa.Table, sa.Select[tuple[object]]]


def _queries(key: RecordsKey | None) -> Iterator[Query]:
    """What is wrong with a row, its table, and the query that finds it by what it is known by."""
    for table in metadata.sorted_tables:
        yield from _references(table)
    for legal in LEGAL:
        yield from _of_every_record(legal)
    root = persons.alias()
    yield (
        "it stands for a person who stands for another, or came later",
        persons,
        _joined(
            persons,
            root,
            persons.c.same_as == root.c.id,
            sa.or_(root.c.same_as.is_not(None), root.c.id >= persons.c.id),
        ),
    )
    yield (
        "it belongs to a person who stands for another",
        user_ids,
        _joined(user_ids, root, user_ids.c.person == root.c.id, root.c.same_as.is_not(None)),
    )
    for table in OF_A_USER_ID:
        known = sa.exists().where(user_ids.c.user_id == table.c.user_id)
        yield "nobody has, or had, this user ID", table, sa.select(table.c.id).where(~known)
    for table in (mandates, offices):
        there = sa.select(user_ids.c.id).where(
            user_ids.c.user_id == table.c.user_id, user_ids.c.institution == table.c.institution
        )
        yield "the user ID never was of this institution", table, sa.select(table.c.id).where(~there.exists())
    said = confirmations.c
    for subject, of in ((mandates, said.kind == "accepted"), (designations, said.kind != "accepted")):
        known = sa.exists().where(subject.c.id == said.subject)
        yield f"what it confirms is not in {subject.name}", confirmations, sa.select(said.id).where(of, ~known)
    if key is not None:
        live = sa.and_(credentials.c.ended_at.is_(None), credentials.c.key_id != key.id)
        yield "it was sealed with another records key", credentials, sa.select(credentials.c.id).where(live)


def _references(table: sa.Table) -> Iterator[Query]:
    for key in table.foreign_keys:
        there = key.column.table.alias()
        column, target = key.parent, there.c[key.column.name]
        missing = sa.and_(column.is_not(None), ~sa.select(target).where(target == column).correlate(table).exists())
        known_by = next(iter(table.primary_key.columns))
        yield f"{column.name} refers to nothing", table, sa.select(sa.cast(known_by, known_by.type)).where(missing)


def _of_every_record(table: sa.Table) -> Iterator[Query]:
    row = table.c
    ended = (row.ended_at, row.ended_by, row.ended_reason)
    half = sa.or_(*(one.is_(None) for one in ended)) & sa.or_(*(one.is_not(None) for one in ended))
    yield "its end is half", table, sa.select(row.id).where(half)
    yield "it ends before it begins", table, sa.select(row.id).where(row.valid_to <= row.valid_from)
    act = row.act_reference.is_(None) != row.act_date.is_(None)
    yield "its written act is half", table, sa.select(row.id).where(act)
    for index in table.indexes:
        if index.unique:
            alike = [row[column.name] for column in index.columns]
            first = sa.func.min(row.id)
            live = sa.select(first).where(row.ended_at.is_(None)).group_by(*alike).having(sa.func.count() > 1)
            yield "more than one is live", table, live


def _joined(
    table: sa.Table, other: sa.FromClause, on: sa.ColumnElement[bool], where: sa.ColumnElement[bool]
) -> sa.Select[tuple[object]]:
    return sa.select(table.c.id).select_from(table.join(other, on)).where(where)
