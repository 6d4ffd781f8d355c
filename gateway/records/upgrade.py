"""The schema's version: raised by `gateway records upgrade`, taken back by `downgrade`, checked at every start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import Conflict, SchemaMismatch
from gateway.records.database import Database
from gateway.records.settings import RecordsSettings

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision, oldest first. This version of the gateway speaks the last one and no other."""
BASE = "base"
"""No schema at all."""
MEND = "gateway records upgrade"

Versions = tuple[str | None, str | None]
"""Before and after; None: no schema."""


async def check_schema(database: Database) -> None:
    """Raises SchemaMismatch, naming the command that mends it, unless the schema is the one that this version speaks."""
    if not database.exists():
        raise SchemaMismatch(f"{database}: there is no database yet; make it with `{MEND}`")
    async with database.reading() as connection:
        compare(await version_of(connection), database)


async def version_of(connection: AsyncConnection) -> str | None:
    """The revision of the schema, None when there is none."""
    return await connection.run_sync(_version)


def compare(version: str | None, place: object) -> None:
    """Raises SchemaMismatch unless `version` is the last one."""
    if version == REVISIONS[-1]:
        return
    if version is None:
        raise SchemaMismatch(f"{place}: the database has no schema yet; make it with `{MEND}`")
    if version in REVISIONS:
        raise SchemaMismatch(
            f"{place}: schema {version} is older than this version's {REVISIONS[-1]}; raise it with `{MEND}`"
        )
    raise SchemaMismatch(
        f"{place}: schema {version} is newer than this version's {REVISIONS[-1]}; install the version of the gateway that made it "
        f"(`pip install --upgrade ksz-gateway`), or let that one take it back (`gateway records downgrade --to {REVISIONS[-1]}`)"
    )


def upgrade_schema(settings: RecordsSettings, to: str = REVISIONS[-1]) -> Versions:
    """Makes the database, or raises its schema to this version's or to `to`, in one transaction.

    An SQLite file is made, and nobody but the owner may read it. Raises Conflict for a revision that is none, or older than the schema;
    RecordsError; then nothing was changed.
    """

    async def work(database: Database) -> Versions:
        database.make()
        async with database.writing() as connection:
            before = await version_of(connection)
            if before is not None and before not in REVISIONS:
                compare(before, database)
            if to not in REVISIONS or (before is not None and before > to):
                raise Conflict(f"{to!r} is no revision above {before}; there are {', '.join(REVISIONS)}")
            await connection.run_sync(migrate, to)
        return before, to

    return _apart(settings, work)


def downgrade_schema(settings: RecordsSettings, to: str, now: float) -> Versions:
    """Takes the schema back to `to`, in one transaction; `base` takes all of it away. Every session is ended at `now`.

    What the sessions of a later schema hang on (a card, the client that a cookie was given to) an earlier one does not know: they
    would be bound to less. Raises Conflict for a revision that is none or not older; RecordsError when a legal record would be lost;
    then nothing was changed.
    """

    async def work(database: Database) -> Versions:
        async with database.writing() as connection:
            before = await version_of(connection)
            if before is None or before not in REVISIONS:
                compare(before, database)
            if to not in (BASE, *REVISIONS) or (to != BASE and to >= str(before)):
                raise Conflict(f"{to!r} is no revision below {before}; there are {', '.join((BASE, *REVISIONS))}")
            end = "UPDATE sessions SET ended_at = :now, ended_by = 'shell', ended_reason = 'schema taken back'"
            await connection.execute(sa.text(f"{end} WHERE ended_at IS NULL"), {"now": now})
            await connection.run_sync(migrate, to)
        return before, None if to == BASE else to

    return _apart(settings, work)


def migrate(connection: sa.Connection, to: str) -> None:
    """Brings the schema to `to`, upwards or downwards, in the transaction of `connection`."""
    # Alembic is loaded by who needs it: a tenth of a start, and a gateway that serves never migrates.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files("gateway.records") / "migrations"))
    config.attributes["connection"] = connection
    at = _version(connection)
    if to != BASE and (at is None or at <= to):
        command.upgrade(config, to)
    else:
        command.downgrade(config, to)


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return version


def _apart(settings: RecordsSettings, work: Callable[[Database], Coroutine[Any, Any, Versions]]) -> Versions:
    """Does `work` in an event loop of its own: whoever asks may have none, or one that runs."""

    async def done() -> Versions:
        database = Database(settings, patient=True)
        try:
            return await work(database)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, done()).result()
