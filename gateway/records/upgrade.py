"""The schema's version: made and raised by `gateway records upgrade`, checked at every start."""

from __future__ import annotations

import os
import sqlite3
from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import RecordsError, SchemaMismatch
from gateway.records.database import Database, prepare_engine
from gateway.records.settings import RecordsSettings

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision, oldest first. This version of the gateway speaks the last one and no other."""
MEND = "gateway records upgrade"


async def check_schema(database: Database) -> None:
    """Raises SchemaMismatch, naming the command that mends it, unless the schema is the one that this version speaks."""
    if not database.path.exists():
        raise SchemaMismatch(f"{database.path}: there is no database yet; make it with `{MEND}`")
    async with database.reading() as connection:
        known = await connection.scalar(sa.text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"))
        version = await connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if known else None
    _compare(version, database.path)


def _compare(version: str | None, path: object) -> None:
    if version == REVISIONS[-1]:
        return
    if version is None:
        raise SchemaMismatch(f"{path}: the database has no schema yet; make it with `{MEND}`")
    if version in REVISIONS:
        raise SchemaMismatch(
            f"{path}: schema {version} is older than this version's {REVISIONS[-1]}; raise it with `{MEND}`"
        )
    raise SchemaMismatch(
        f"{path}: schema {version} is newer than this version's {REVISIONS[-1]}, and does not go back; install the version "
        "of the gateway that made it (`pip install --upgrade ksz-gateway`)"
    )


def upgrade_schema(settings: RecordsSettings) -> tuple[str | None, str]:
    """Makes the database, or raises its schema to this version's, in one transaction. Gives the versions before and after.

    Nobody but the owner may read the file. Raises RecordsError; then nothing was changed.
    """
    path = settings.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _use_wal(settings)
    except (OSError, sqlite3.Error) as error:
        raise RecordsError(f"{path}: the database cannot be made or opened ({error})") from error
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), hide_parameters=True)
    prepare_engine(engine)
    try:
        with engine.connect().execution_options(gateway_write=True) as connection, connection.begin():
            before = _version(connection)
            if before is not None and before not in REVISIONS:
                _compare(before, path)
            config = Config()
            config.set_main_option("script_location", str(resources.files("gateway.records") / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, REVISIONS[-1])
    except SQLAlchemyError as error:
        raise RecordsError(
            f"{path}: the schema could not be raised ({getattr(error, 'orig', None) or error})"
        ) from error
    finally:
        engine.dispose()
    return before, REVISIONS[-1]


def _use_wal(settings: RecordsSettings) -> None:
    """Write-ahead log: readers and the writer do not wait for each other. A property of the file, set once."""
    connection = sqlite3.connect(settings.path)
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    finally:
        connection.close()
    if mode != "wal":
        raise RecordsError(
            f"{settings.path}: this file system cannot hold SQLite's write-ahead log (journal mode {mode})"
        )


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return version
