"""Legal records are append-only, whoever writes; the schema is this version's, or nothing starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import gateway.records
from gateway.errors import ConfigurationError, Conflict, RecordsError, SchemaMismatch
from gateway.model import Use
from gateway.records import Records, RecordsDesk, RecordsSettings, upgrade_schema
from gateway.records.append_only import ENDING, POSTGRESQL_NAMES, SQLITE_NAMES
from gateway.records.database import Database
from gateway.records.schema import LEGAL, confirmations, mandates, metadata
from gateway.records.server import Server
from gateway.records.upgrade import BASE, REVISIONS, downgrade_schema
from tests.records.conftest import (
    BY_ACT,
    INSZ,
    NORTH,
    NOW,
    Fresh,
    Opener,
    add_user,
    attempts,
    authorisation,
    everything,
    sign_in,
    sql,
)


@pytest.fixture
async def filled(open_records: Opener, settings: RecordsSettings) -> RecordsSettings:
    """A database with a row in every legal table, which nobody of ours has open."""
    records = await open_records()
    await fill(records)
    await records.close()
    return settings


async def fill(records: Records) -> None:
    """At least a row in every table of legal records."""
    await add_user(records)
    await records.set_password("jansen01", "$argon2id$x", BY_ACT, NOW, alone=True)
    await records.add_mandate("jansen01", BY_ACT, NOW)
    await records.add_designation("jansen01", authorisation(), set(Use), BY_ACT, NOW)
    await records.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    await records.accept_regulation("jansen01", "2026-01", "ab" * 32, NOW)
    async with records._write() as write:
        for table in LEGAL:
            if await write.one(sa.select(table.c.id).limit(1)) is None:
                kinds = {sa.Text: "word", sa.Integer: 1, sa.Float: NOW}
                said = {"user_id": "jansen01", "institution": NORTH, "kind": "accepted", "scope": "all"}
                needed = {
                    column.name: said.get(column.name, kinds[type(column.type)])
                    for column in table.columns
                    if not (column.nullable or column.primary_key)
                }
                await write.insert(table, **needed)


ENDED = "ended_at = 1, ended_by = 'x', ended_reason = 'y'"


def test_a_legal_record_is_never_deleted(filled: RecordsSettings) -> None:
    for table in LEGAL:
        told = attempts(filled, [f"DELETE FROM {table.name}", f"DELETE FROM {table.name} WHERE id = 1"])
        assert all(f"{table.name}: legal records are never deleted" in words for words in told), told


@pytest.mark.postgresql
@pytest.mark.parametrize("replica", ["", "SET session_replication_role = replica; "])
def test_nor_is_a_table_emptied(filled: RecordsSettings, replica: str) -> None:
    """Not by TRUNCATE either, nor by a session that calls itself a replica: there ordinary triggers sleep."""
    for table in LEGAL:
        told = attempts(filled, [f"{replica}TRUNCATE {table.name} CASCADE", f"{replica}DELETE FROM {table.name}"])
        assert all("legal records are never deleted" in words for words in told), told


def test_no_column_but_the_end_is_ever_changed(filled: RecordsSettings) -> None:
    other = {sa.Boolean: "NOT {}", sa.Text: "'other'", sa.LargeBinary: "'other'", sa.Date: "'2001-01-01'"}
    for table in LEGAL:
        names = {c.name: other.get(type(c.type), "4711").format(c.name) for c in table.columns if c.name not in ENDING}
        changes = [f"UPDATE {table.name} SET {name} = {value}" for name, value in names.items()]
        for told in attempts(filled, [*changes, *(f"{change}, {ENDED}" for change in changes)]):
            assert f"{table.name}: a legal record only ends, once" in told


def test_an_end_is_whole(filled: RecordsSettings) -> None:
    for table in LEGAL:
        parts = ("ended_at = 1", "ended_by = 'x'", "ended_at = 1, ended_by = 'x'", "ended_at = NULL")
        for told in attempts(filled, [f"UPDATE {table.name} SET {part}" for part in parts]):
            assert "a legal record only ends, once" in told


def test_an_end_is_set_once(filled: RecordsSettings) -> None:
    for table in LEGAL:
        end = f"UPDATE {table.name} SET {ENDED}"
        live = f"UPDATE {table.name} SET ended_at = NULL, ended_by = NULL, ended_reason = NULL"
        first, *then = attempts(filled, [end, end, live, f"DELETE FROM {table.name}"])
        assert first == ""
        for told, word in zip(then, ("only ends, once", "only ends, once", "never deleted"), strict=True):
            assert word in told


@pytest.mark.sqlite
def test_no_insert_takes_the_place_of_a_record(filled: RecordsSettings) -> None:
    """REPLACE deletes without a DELETE that a trigger sees: by the key, and by what is unique among live records."""
    for table in LEGAL:
        before = sql(filled, f"SELECT * FROM {table.name}")
        others = ", ".join(column.name for column in table.columns if column.name != "id")
        replacing = [f"INSERT OR REPLACE INTO {table.name} SELECT * FROM {table.name}"]
        if any(index.unique for index in table.indexes):
            replacing.append(f"INSERT OR REPLACE INTO {table.name} ({others}) SELECT {others} FROM {table.name}")
        for told in attempts(filled, replacing):
            assert "takes the place of none" in told
        assert sql(filled, f"SELECT * FROM {table.name}") == before


@pytest.mark.postgresql
def test_nor_does_one_that_meets_a_conflict(filled: RecordsSettings) -> None:
    for table in LEGAL:
        again = f"INSERT INTO {table.name} SELECT * FROM {table.name} ON CONFLICT (id) DO UPDATE SET actor = 'x'"
        (told,) = attempts(filled, [again])
        assert "a legal record only ends, once" in told


def test_a_record_is_live_when_it_is_made(filled: RecordsSettings) -> None:
    columns = "user_id, role, valid_from, recorded_at, actor, reason, ended_at, ended_by, ended_reason"
    ended = f"INSERT INTO roles ({columns}) VALUES ('x', 'y', 1, 1, 'a', 'b', 2, 'c', 'd')"
    (told,) = attempts(filled, [ended])
    assert "is live" in told


# --- versions


async def test_the_migrations_make_what_the_code_speaks(settings: RecordsSettings) -> None:
    database = Database(settings)
    async with database.reading() as connection:
        assert await connection.run_sync(_differences) == []
    await database.close()
    if isinstance(settings.database, Server):
        query = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        assert sql(settings, query) == [(len(POSTGRESQL_NAMES) * len(LEGAL),)]
    else:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        assert sql(settings, query) == [(len(SQLITE_NAMES) * len(LEGAL),)]


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found = compare_metadata(context, metadata)
    # A comment is for who reads the database; what it says may be said better later.
    return [one for one in found if not (isinstance(one, list) and one[0][0] == "modify_comment")]


def test_every_revision_is_known_by_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(gateway.records.__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert tuple(revision.revision for revision in script.walk_revisions())[::-1] == REVISIONS


def test_upgrading_twice_changes_nothing(settings: RecordsSettings) -> None:
    before = everything(settings)
    assert upgrade_schema(settings) == (REVISIONS[-1], REVISIONS[-1])
    assert everything(settings) == before


@pytest.mark.sqlite
def test_nobody_else_may_read_the_file(settings: RecordsSettings) -> None:
    assert settings.path.stat().st_mode & 0o777 == 0o600


def _set_version(settings: RecordsSettings, version: str | None) -> None:
    sql(settings, "DELETE FROM alembic_version")
    if version is not None:
        sql(settings, f"INSERT INTO alembic_version VALUES ('{version}')")


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
    _set_version(settings, REVISIONS[-1])
    for word in (str(settings.database), says, mend):
        assert word in str(caught.value)


def test_a_newer_schema_is_never_taken_back(settings: RecordsSettings) -> None:
    _set_version(settings, "9999")
    with pytest.raises(SchemaMismatch, match="newer"):
        upgrade_schema(settings)
    with pytest.raises(SchemaMismatch, match="newer"):
        downgrade_schema(settings, REVISIONS[0], NOW)
    _set_version(settings, REVISIONS[-1])


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


def test_an_upgrade_that_fails_changes_nothing(settings: RecordsSettings, fresh: Fresh) -> None:
    """As after a crash in the middle: the schema is made in one transaction."""
    half = fresh()
    upgrade_schema(half, REVISIONS[2])
    sql(half, "CREATE TABLE told (something TEXT)")
    before = everything(half)
    with pytest.raises(RecordsError, match="already exists"):
        upgrade_schema(half)
    assert everything(half) == before
    assert sql(half, "SELECT version_num FROM alembic_version") == [(REVISIONS[2],)]


# --- back and forth


LEGAL_OF_FIRST = [table.name for table in LEGAL[:7]]
"""Those of the first revision."""


def rows_of(settings: RecordsSettings) -> dict[str, list[tuple[object, ...]]]:
    """Every legal record, by what it says."""
    return {name: sorted(sql(settings, f"SELECT * FROM {name}")) for name in LEGAL_OF_FIRST}


async def test_up_down_and_up_again_keep_every_record(open_records: Opener, settings: RecordsSettings) -> None:
    """With data: every legal record is what it was, and as well protected; nobody is signed in any more."""
    records = await open_records()
    person = await add_user(records)
    await records.set_password("jansen01", "$argon2id$x", BY_ACT, NOW, alone=True)
    await records.set_totp("jansen01", bytes(20), BY_ACT, NOW)
    async with records._write() as write:
        values = {"user_id": "jansen01", "valid_from": NOW, "recorded_at": NOW, "reason": "because"}
        mandate = await write.insert(mandates, **values, institution=NORTH, actor="shell")
        await write.insert(confirmations, **values, kind="accepted", subject=mandate, actor="gateway upgrade")
    ended = await records.add_designation("jansen01", authorisation(), set(Use), BY_ACT, NOW)
    await records.end_designation(ended, BY_ACT, NOW + 1)
    await records.change_person(person, INSZ[1], "An Jansens", BY_ACT, NOW + 2)
    session = await sign_in(records)
    await records.close()
    before = rows_of(settings)
    assert sum(map(len, before.values())) == 7
    for revision in REVISIONS[-2::-1]:
        assert downgrade_schema(settings, revision, NOW + 3) == (REVISIONS[REVISIONS.index(revision) + 1], revision)
        (told,) = attempts(settings, ["DELETE FROM mandates"])
        assert "never deleted" in told
        assert {name: [row[:4] for row in rows] for name, rows in rows_of(settings).items()} == {
            name: [row[:4] for row in rows] for name, rows in before.items()
        }
    for revision in REVISIONS[1:]:
        upgrade_schema(settings, revision)
    assert rows_of(settings) == before
    again = await open_records()
    user = await again.user("jansen01")
    assert user is not None
    assert user.name == "An Jansens"
    assert (await again.sessions_of("jansen01"))[0].ended_reason == "schema taken back"
    assert session.id == (await again.sessions_of("jansen01"))[0].id


def test_all_the_way_down_leaves_nothing(fresh: Fresh) -> None:
    settings = fresh()
    assert upgrade_schema(settings) == (None, REVISIONS[-1])
    assert downgrade_schema(settings, BASE, NOW) == (REVISIONS[-1], None)
    assert upgrade_schema(settings) == (None, REVISIONS[-1])


def test_no_record_is_lost_by_going_back(filled: RecordsSettings) -> None:
    before = everything(filled)
    for revision in (BASE, *REVISIONS[:-1]):
        with pytest.raises(RecordsError, match="never deleted: restore a backup"):
            downgrade_schema(filled, revision, NOW)
    assert everything(filled) == before


async def test_nor_does_a_mandate_become_wider(open_records: Opener, settings: RecordsSettings) -> None:
    records = await open_records()
    await add_user(records)
    async with records._write() as write:
        values = {"user_id": "jansen01", "institution": NORTH, "authorisations": "24/123", "valid_from": NOW}
        await write.insert(mandates, **values, recorded_at=NOW, actor="shell", reason="because")
    await records.close()
    with pytest.raises(RecordsError, match="1 scopes of mandates"):
        downgrade_schema(settings, "0005", NOW)


async def test_nor_are_the_numbers_of_a_card_good_again(open_records: Opener, settings: RecordsSettings) -> None:
    records = await open_records()
    await add_user(records)
    card = await records.set_code_card("jansen01", b"stored", BY_ACT, NOW)
    await records.close()
    downgrade_schema(settings, "0004", NOW)
    with pytest.raises(RecordsError, match="1 live code cards"):
        downgrade_schema(settings, "0003", NOW)
    upgrade_schema(settings)
    records = await open_records()
    await records.end_credential(card, BY_ACT, NOW + 1)
    await records.close()
    downgrade_schema(settings, "0003", NOW)
    upgrade_schema(settings)


@pytest.mark.parametrize("to", ["0006", "0007", "", "head", "base;", "-1"])
def test_a_revision_that_is_none_or_not_below(settings: RecordsSettings, to: str) -> None:
    with pytest.raises(Conflict, match="no revision below"):
        downgrade_schema(settings, to, NOW)


@pytest.mark.parametrize("to", ["0005", "0007", "base", "", "head"])
def test_a_revision_that_is_none_or_not_above(settings: RecordsSettings, to: str) -> None:
    with pytest.raises(Conflict, match="no revision above"):
        upgrade_schema(settings, to)


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


@pytest.mark.parametrize("limit", [-0.1, 300.1, float("inf"), float("nan")])
def test_the_stale_limit_is_bounded(tmp_path: Path, limit: float) -> None:
    with pytest.raises(ConfigurationError, match="stale_limit"):
        RecordsSettings(tmp_path / "db", tmp_path / "key", limit)


@pytest.mark.sqlite
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
