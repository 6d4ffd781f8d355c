"""Legal records are append-only, whoever writes; the schema is this version's, or nothing starts."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import gateway.records
from gateway.errors import ConfigurationError, RecordsError, SchemaMismatch
from gateway.model import Use
from gateway.records import Records, RecordsDesk, RecordsSettings, upgrade_schema
from gateway.records.schema import LEGAL, metadata
from gateway.records.upgrade import REVISIONS
from tests.records.conftest import BY_ACT, NOW, Opener, add_user, authorisation


@pytest.fixture(scope="session")
def full(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a row in every legal table."""
    directory = tmp_path_factory.mktemp("full")
    shutil.copy2(empty, directory / "records.sqlite")
    (directory / "records.key").write_bytes(bytes(32))
    asyncio.run(_fill(RecordsSettings(directory / "records.sqlite", directory / "records.key")))
    return directory / "records.sqlite"


async def _fill(settings: RecordsSettings) -> None:
    records = await Records.open(settings)
    await add_user(records)
    await records.set_password("jansen01", "$argon2id$x", BY_ACT, NOW, alone=True)
    await records.add_mandate("jansen01", BY_ACT, NOW)
    await records.add_designation("jansen01", authorisation(), set(Use), BY_ACT, NOW)
    await records.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    await records.accept_regulation("jansen01", "2026-01", "ab" * 32, NOW)
    await records.grant_office("jansen01", "dpo", BY_ACT, NOW)
    await records.close()


@pytest.fixture
def filled(full: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that is not ours to a copy of it: default settings, no foreign keys."""
    shutil.copy2(full, tmp_path / "full.sqlite")
    with contextlib.closing(sqlite3.connect(tmp_path / "full.sqlite", isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("table", [table.name for table in LEGAL])
def test_a_legal_record_is_never_deleted(filled: sqlite3.Connection, table: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        filled.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    ("table", "column"),
    [(table.name, column.name) for table in LEGAL for column in table.columns if not column.name.startswith("ended_")],
)
def test_no_column_but_the_end_is_ever_changed(filled: sqlite3.Connection, table: str, column: str) -> None:
    end = "ended_at = 1, ended_by = 'x', ended_reason = 'y'"
    for also in ("", f", {end}"):
        with pytest.raises(sqlite3.IntegrityError, match="only ends, once"):
            filled.execute(f"UPDATE {table} SET {column} = 4711{also}")


@pytest.mark.parametrize("table", [table.name for table in LEGAL])
@pytest.mark.parametrize("part", ["ended_at = 1", "ended_by = 'x'", "ended_at = 1, ended_by = 'x'"])
def test_an_end_is_whole(filled: sqlite3.Connection, table: str, part: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="only ends, once"):
        filled.execute(f"UPDATE {table} SET {part}")


@pytest.mark.parametrize("table", [table.name for table in LEGAL])
def test_an_end_is_set_once(filled: sqlite3.Connection, table: str) -> None:
    end = f"UPDATE {table} SET ended_at = 1, ended_by = 'x', ended_reason = 'y'"
    filled.execute(end)
    for again in (end, f"UPDATE {table} SET ended_at = NULL, ended_by = NULL, ended_reason = NULL"):
        with pytest.raises(sqlite3.IntegrityError, match="only ends, once"):
            filled.execute(again)
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        filled.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", [table.name for table in LEGAL])
def test_no_insert_takes_the_place_of_a_record(filled: sqlite3.Connection, table: str) -> None:
    """REPLACE deletes without a DELETE that a trigger sees: by the key, and by what is unique among live records."""
    columns = [row[1] for row in filled.execute(f"PRAGMA table_info({table})")]
    before = filled.execute(f"SELECT * FROM {table}").fetchall()
    others = ", ".join(column for column in columns if column != "id")
    attempts = [f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"]
    if table not in ("mandates", "designations", "confirmations"):
        attempts.append(f"INSERT OR REPLACE INTO {table} ({others}) SELECT {others} FROM {table}")
    for attempt in attempts:
        with pytest.raises(sqlite3.IntegrityError, match="takes the place of none"):
            filled.execute(attempt)
    assert filled.execute(f"SELECT * FROM {table}").fetchall() == before


def test_a_record_is_live_when_it_is_made(filled: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="is live"):
        filled.execute(
            "INSERT INTO roles (user_id, role, valid_from, recorded_at, actor, reason, ended_at, ended_by, ended_reason)"
            " VALUES ('x', 'y', 1, 1, 'a', 'b', 2, 'c', 'd')"
        )


# --- versions


def test_the_migrations_make_what_the_code_speaks(settings: RecordsSettings) -> None:
    engine = sa.create_engine(f"sqlite:///{settings.path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        triggers = connection.execute(sa.text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")).scalar()
    engine.dispose()
    assert triggers == 3 * len(LEGAL)


def test_every_revision_is_known_by_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(gateway.records.__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert tuple(revision.revision for revision in script.walk_revisions())[::-1] == REVISIONS


def test_upgrading_twice_changes_nothing(settings: RecordsSettings) -> None:
    before = settings.path.read_bytes()
    assert upgrade_schema(settings) == (REVISIONS[-1], REVISIONS[-1])
    assert settings.path.read_bytes() == before


def test_nobody_else_may_read_the_file(settings: RecordsSettings) -> None:
    assert settings.path.stat().st_mode & 0o777 == 0o600


def _set_version(settings: RecordsSettings, version: str | None) -> None:
    connection = sqlite3.connect(settings.path)
    with connection:
        connection.execute("DELETE FROM alembic_version")
        if version is not None:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (version,))
    connection.close()


@pytest.mark.parametrize(
    ("version", "says", "mend"),
    [
        (None, "no schema yet", "`gateway records upgrade`"),
        ("0000", "older", "`gateway records upgrade`"),
        ("9999", "newer", "pip install --upgrade"),
    ],
)
async def test_another_schema_stops_the_start(
    settings: RecordsSettings, monkeypatch: pytest.MonkeyPatch, version: str | None, says: str, mend: str
) -> None:
    monkeypatch.setattr("gateway.records.upgrade.REVISIONS", ("0000", *REVISIONS))
    _set_version(settings, version)
    with pytest.raises(SchemaMismatch) as caught:
        await Records.open(settings)
    for word in (str(settings.path), says, mend):
        assert word in str(caught.value)


def test_a_newer_schema_is_never_taken_back(settings: RecordsSettings) -> None:
    _set_version(settings, "9999")
    with pytest.raises(SchemaMismatch, match="newer"):
        upgrade_schema(settings)


async def test_no_database_yet(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(32))
    settings = RecordsSettings(tmp_path / "none.sqlite", tmp_path / "key")
    with pytest.raises(SchemaMismatch, match="gateway records upgrade"):
        await Records.open(settings)
    assert not settings.path.exists()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(32))
    settings = RecordsSettings(tmp_path / "notes.txt", tmp_path / "key")
    settings.path.write_text("dear diary, " * 100)
    with pytest.raises(RecordsError, match="not a database"):
        await Records.open(settings)
    with pytest.raises(RecordsError, match="not a database"):
        upgrade_schema(settings)
    assert settings.path.read_text() == "dear diary, " * 100


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match="cannot be made"):
        upgrade_schema(RecordsSettings(tmp_path / "file" / "records.sqlite", tmp_path / "key"))


def test_an_upgrade_that_fails_changes_nothing(settings: RecordsSettings) -> None:
    """As after a crash in the middle: the schema is made in one transaction."""
    half = settings.path.with_name("half.sqlite")
    connection = sqlite3.connect(half)
    connection.execute("CREATE TABLE roles (something TEXT)")
    connection.close()
    with pytest.raises(RecordsError, match="already exists"):
        upgrade_schema(RecordsSettings(half, settings.key_file))
    connection = sqlite3.connect(half)
    assert [row[0] for row in connection.execute("SELECT name FROM sqlite_master")] == ["roles"]
    connection.close()


# --- key and settings


@pytest.mark.parametrize("kind", ["app", "card", "activation code"])
async def test_another_key_is_noticed_at_the_start(settings: RecordsSettings, open_records: Opener, kind: str) -> None:
    records = await open_records()
    await add_user(records)
    if kind == "app":
        await records.set_totp("jansen01", bytes(20), BY_ACT, NOW)
    elif kind == "card":
        await records.set_code_card("jansen01", b"stored", BY_ACT, NOW)
    else:
        await records.set_activation("jansen01", "$letter", BY_ACT, NOW)
    settings.key_file.write_bytes(bytes(32))
    with pytest.raises(RecordsError, match="another records key"):
        await Records.open(settings)


async def test_a_code_whose_key_is_lost_can_be_ended_by_command(
    settings: RecordsSettings, open_records: Opener
) -> None:
    records = await open_records()
    await add_user(records)
    credential = await records.set_totp("jansen01", bytes(20), BY_ACT, NOW)
    await records.close()
    settings.key_file.write_bytes(bytes(32))
    desk = await RecordsDesk.open(settings)
    await desk.end_credential(credential, BY_ACT, NOW)
    await desk.close()
    await (await open_records()).close()


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(33), b"x" * 64])
async def test_a_key_of_another_length(settings: RecordsSettings, content: bytes) -> None:
    settings.key_file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="32 random bytes"):
        await Records.open(settings)


async def test_no_key(settings: RecordsSettings) -> None:
    settings.key_file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await Records.open(settings)


@pytest.mark.parametrize("limit", [0.0, 0.5, 301.0, float("inf"), float("nan")])
def test_the_stale_limit_is_bounded(tmp_path: Path, limit: float) -> None:
    with pytest.raises(ConfigurationError, match="stale_limit"):
        RecordsSettings(tmp_path / "db", tmp_path / "key", limit)


async def test_a_copy_of_the_whole_is_a_database(
    settings: RecordsSettings, open_records: Opener, tmp_path: Path
) -> None:
    """What was committed is on the disk, in the file or its log, before anything is closed."""
    records = await open_records()
    await add_user(records)
    (tmp_path / "copy").mkdir()
    for name in ("records.sqlite", "records.sqlite-wal", "records.key"):
        shutil.copy(settings.path.parent / name, tmp_path / "copy")
    copy = await Records.open(RecordsSettings(tmp_path / "copy" / "records.sqlite", tmp_path / "copy" / "records.key"))
    user = await copy.user("jansen01")
    assert user is not None
    assert user == await records.user("jansen01")
    await copy.close()
