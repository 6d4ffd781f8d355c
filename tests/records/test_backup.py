"""A backup is whole, of one moment, and good for both kinds of database; what was cut off or altered puts nothing back."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Conflict, RecordsError
from gateway.model import Use
from gateway.records import Backup, By, Change, Records, RecordsSettings, Restoring, restore, upgrade_schema
from gateway.records.backup import NOT_KEPT
from gateway.records.schema import LEGAL, metadata
from gateway.records.server import Server
from gateway.records.upgrade import REVISIONS
from tests.postgresql import Cluster
from tests.records.conftest import (
    BY_ACT,
    INSZ,
    NOW,
    PORTAL,
    SOUTH,
    Fresh,
    Opener,
    add_user,
    attempts,
    authorisation,
    everything,
    sign_in,
    sql,
)
from tests.records.test_schema import fill

SHELL = By("shell", "nightly")


async def furnish(records: Records) -> None:
    """Records with history, working state, and every kind of value."""
    await fill(records)
    person = await add_user(records, "peeters1", SOUTH, INSZ[1])
    await records.change_person(person, INSZ[2], "Bo Peeters-Łódź \U0001f600 'x'; --", BY_ACT, NOW + 1)
    role = await records.add_role("peeters1", "DossierReader", BY_ACT, NOW)
    await records.end_role(role, BY_ACT, NOW + 2)
    await records.add_role("peeters1", "DossierReader", BY_ACT, NOW + 3.123456789)
    totp = await records.set_totp("peeters1", bytes(20), BY_ACT, NOW)
    login = await records.find_login("peeters1")
    assert login is not None
    assert await records.take_totp_step(login, 56_000_000)
    await records.set_code_card("peeters1", b"\x00\xffstored", BY_ACT, NOW)
    await records.claim_attempt(login, NOW)
    await records.claim_attempt("my-own-password", NOW)
    await sign_in(records, "peeters1")
    assert totp


def contents(settings: RecordsSettings) -> dict[str, list[tuple[Any, ...]]]:
    """All that a backup keeps, by table, as values that do not depend on the database."""

    def plain(value: object) -> object:
        return int(value) if isinstance(value, bool) else str(value) if hasattr(value, "isoformat") else value

    found = {}
    for table in metadata.sorted_tables:
        if table.name not in NOT_KEPT:
            columns = ", ".join(column.name for column in table.columns)
            rows = sql(settings, f"SELECT {columns} FROM {table.name}")
            found[table.name] = sorted((tuple(map(plain, row)) for row in rows), key=repr)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.backup"


@pytest.fixture
async def backup(open_records: Opener, file: Path) -> Backup:
    records = await open_records()
    await furnish(records)
    made = await records.backup(file, SHELL, NOW + 10)
    await records.close()
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, settings: RecordsSettings, tmp_path: Path) -> Iterator[RecordsSettings]:
    """A place for a database, of either kind, whatever the first one is."""
    if request.param == "sqlite":
        yield replace(settings, database=tmp_path / "elsewhere.sqlite")
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.empty()
    yield replace(settings, database=cluster.server(name))
    cluster.drop(name)


async def test_what_was_is_there_again_in_either_kind_of_database(
    backup: Backup, settings: RecordsSettings, file: Path, elsewhere: RecordsSettings
) -> None:
    put, kept = await restore(elsewhere, Restoring(file, SHELL, NOW + 20))
    assert put == backup
    assert kept is None
    assert contents(elsewhere) == contents(settings)
    assert {name: len(rows) for name, rows in contents(settings).items()} == dict(backup.rows)
    for table in LEGAL:
        (told,) = attempts(elsewhere, [f"DELETE FROM {table.name}"])
        assert "never deleted" in told
    there = await Records.open(elsewhere)
    try:
        assert await there.faults() == []
        assert await there.live_sessions(NOW) == []
        assert there.index.session(b"portal", PORTAL) is None
        login = await there.find_login("peeters1")
        assert login is not None
        assert login.name == "Bo Peeters-Łódź \U0001f600 'x'; --"
        assert not await there.take_totp_step(login, 56_000_000)  # a code that was used stays used
        assert await there.add_role("jansen01", "PensionReader", BY_ACT, NOW) > max(
            row[0] for row in contents(settings)["roles"]
        )
        words = "SELECT institution, word, user_id FROM directory ORDER BY institution, word"
        assert sql(elsewhere, words) == sql(settings, words) != []
    finally:
        await there.close()


def test_nobody_else_may_read_it(backup: Backup, file: Path, tmp_path: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == [file.name]
    assert hashlib.sha256(b"".join(lines(file)[:-1])).hexdigest() == backup.sha256


async def test_it_is_taken_while_others_write_and_is_of_one_moment(open_records: Opener, file: Path) -> None:
    records = await open_records()
    await furnish(records)
    stop = asyncio.Event()

    person = (await records.user("peeters1")).person  # type: ignore[union-attr]

    async def write() -> int:
        number = 0
        while not stop.is_set():
            number += 1
            await records.change_person(person, INSZ[2], f"Name {number}", BY_ACT, NOW + number)
        return number

    writing = asyncio.create_task(write())
    for number in range(5):
        await records.backup(file.with_name(f"{number}"), SHELL, NOW)
        rows = [json.loads(line) for line in lines(file.with_name(f"{number}"))[1:-1]]
        live = [row for row in rows if row[0] == "persons" and row[-3] is None]
        assert len(live) == 2  # a change is an end plus a new row
    stop.set()
    assert await writing > 1


async def test_a_file_that_is_there_is_not_replaced(backup: Backup, open_records: Opener, file: Path) -> None:
    records = await open_records()
    before = file.read_bytes()
    with pytest.raises(Conflict, match="is there already"):
        await records.backup(file, SHELL, NOW)
    with pytest.raises(Conflict, match="cannot be written"):
        await records.backup(file / "below", SHELL, NOW)
    assert file.read_bytes() == before


async def test_without_its_line_there_is_no_backup(open_records: Opener, file: Path, tmp_path: Path) -> None:
    records = await open_records()
    told: list[Change] = []

    def refuse(change: Change) -> None:
        told.append(change)
        raise RecordsError("no line")

    with pytest.raises(RecordsError, match="no line"):
        await records.backup(file, SHELL, NOW, refuse)
    assert [change.act for change in told] == ["records backup"]
    assert not [path for path in tmp_path.iterdir() if "backup" in path.name]


# --- what puts nothing back


def lines(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def packed(of: list[bytes]) -> bytes:
    return gzip.compress(b"".join(of))


def resealed(of: list[bytes]) -> bytes:
    """As somebody would who has not the key: counts and checksum are right."""
    rows = [json.loads(line) for line in of[1:-1]]
    end = json.loads(of[-1])
    end["rows"] = {name: sum(row[0] == name for row in rows) for name in json.loads(of[0])["tables"]}
    end["sha256"] = hashlib.sha256(b"".join(of[:-1])).hexdigest()
    return packed([*of[:-1], json.dumps(end).encode() + b"\n"])


def head(file: Path, **other: object) -> bytes:
    first, *rest = lines(file)
    return resealed([json.dumps({**json.loads(first), **other}).encode() + b"\n", *rest])


def widened(file: Path) -> bytes:
    """A designation for one use becomes one for another."""
    return resealed([line.replace(b'"communication,consultation"', b'"communication"') for line in lines(file)])


BAD: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda file: b"", "cut off"),
    "something else": (lambda file: b"dear diary", "no backup"),
    "another gzip": (lambda file: gzip.compress(b"dear diary\n"), "altered"),
    "another json": (lambda file: gzip.compress(b"{}\n"), "no backup"),
    "cut in the middle": (lambda file: file.read_bytes()[: file.stat().st_size // 2], "cut off"),
    "cut at its end": (lambda file: file.read_bytes()[:-9], "cut off"),
    "without its last line": (lambda file: packed(lines(file)[:-1]), "cut off"),
    "a bit": (lambda file: _flipped(file.read_bytes(), file.stat().st_size // 2), "altered"),
    "a row less": (lambda file: packed([*lines(file)[:2], *lines(file)[3:]]), "altered"),
    "a row more": (lambda file: packed([*lines(file)[:2], *lines(file)[1:]]), "altered"),
    "another use, resealed": (widened, "altered"),
    "rows in another order, resealed": (
        lambda file: resealed([*lines(file)[:1], *reversed(lines(file)[1:-1]), lines(file)[-1]]),
        "altered",
    ),
    "a row of no table, resealed": (
        lambda file: resealed([lines(file)[0], b'["nothing", 1]\n', *lines(file)[1:]]),
        "altered",
    ),
    "a short row, resealed": (
        lambda file: resealed([lines(file)[0], b'["persons", 1]\n', *lines(file)[1:]]),
        "altered",
    ),
    "a newer form": (lambda file: head(file, version=2), "newer version"),
    "another key": (lambda file: head(file, key_id="0" * 16), "another records key"),
    "a newer schema": (lambda file: head(file, schema="0099"), "altered"),
    "columns of no kind": (lambda file: head(file, tables={"persons": [["id", "array"]]}), "altered"),
    "no tables": (lambda file: head(file, tables={"persons": 7}), "altered"),
    "more behind its end": (lambda file: packed([*lines(file), b"more\n"]), "after its end"),
}


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_file_puts_nothing_back(
    backup: Backup, file: Path, fresh: Fresh, settings: RecordsSettings, kind: str
) -> None:
    how, says = BAD[kind]
    file.write_bytes(how(file))
    place = fresh()
    with pytest.raises(Conflict, match=says) as caught:
        await restore(place, Restoring(file, SHELL, NOW))
    assert str(file) in str(caught.value)
    assert not place.path.exists()


async def test_a_newer_schema_is_not_put_back(
    backup: Backup, file: Path, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.restoring.REVISIONS", REVISIONS[:-1])
    with pytest.raises(Conflict, match="newer"):
        await restore(fresh(), Restoring(file, SHELL, NOW))


async def test_an_older_schema_is_raised(
    open_records: Opener, settings: RecordsSettings, file: Path, fresh: Fresh
) -> None:
    """The file of an older version's backup: here, of a database that was taken back."""
    records = await open_records()
    await add_user(records, "peeters1", SOUTH, INSZ[1])
    await records.set_password("peeters1", "$argon2id$x", BY_ACT, NOW, alone=True)
    await records.add_designation("peeters1", authorisation(institution=SOUTH), set(Use), BY_ACT, NOW)
    made = await records.backup(file, SHELL, NOW)
    before = contents(settings)
    await records.close()
    older = _of_older_schema(lines(file), records)
    file.write_bytes(older)
    place = fresh()
    put, _kept = await restore(place, Restoring(file, SHELL, NOW))
    assert put.schema == "0005"
    assert sum(put.rows.values()) == sum(made.rows.values()) - made.rows["confirmations"] - made.rows["acts"]
    restored = contents(place)
    for name in ("persons", "user_ids", "credentials", "designations"):
        assert restored[name] == before[name]
    assert await _faults(place) == []


def _of_older_schema(of: list[bytes], records: Records) -> bytes:
    """What version 0005 would have written."""
    first, rows, end = json.loads(of[0]), [json.loads(line) for line in of[1:-1]], json.loads(of[-1])
    newer = {"confirmations", "offices", "suspensions", "outside_roles", "role_lookups", "acts"}
    first["schema"] = "0005"
    first["tables"] = {name: columns for name, columns in first["tables"].items() if name not in newer}
    first["tables"]["mandates"] = [pair for pair in first["tables"]["mandates"] if pair[0] != "authorisations"]
    kept = [first, *(row for row in rows if row[0] not in newer)]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in kept)
    mac = records._key.backup_hmac()
    mac.update(body)
    end["rows"] = {name: sum(row[0] == name for row in kept[1:]) for name in first["tables"]}
    end |= {"sha256": hashlib.sha256(body).hexdigest(), "hmac": mac.hexdigest()}
    return gzip.compress(body + json.dumps(end).encode() + b"\n")


async def _faults(settings: RecordsSettings) -> list[str]:
    records = await Records.open(settings)
    try:
        return await records.faults()
    finally:
        await records.close()


# --- where it is put


async def test_records_that_are_there_are_not_replaced(backup: Backup, file: Path, settings: RecordsSettings) -> None:
    before = everything(settings)
    with pytest.raises(Conflict, match="--replace"):
        await restore(settings, Restoring(file, SHELL, NOW))
    assert everything(settings) == before


async def test_or_are_kept_aside(backup: Backup, file: Path, settings: RecordsSettings, open_records: Opener) -> None:
    records = await open_records()
    await records.add_role("peeters1", "Later", BY_ACT, NOW + 30)
    await records.close()
    before = contents(settings)
    told: list[Change] = []
    _put, kept = await restore(settings, Restoring(file, SHELL, NOW + 40, replaces=True), told.append)
    assert kept is not None
    assert [change.act for change in told] == ["records restore"]
    assert told[0].details["sha256"] == backup.sha256
    after = contents(settings)
    assert after != before
    assert [row for row in after["roles"] if "Later" in row] == []
    if not isinstance(settings.database, Server):
        for path in (settings.path, Path(kept)):
            assert sql(replace(settings, database=path), "PRAGMA journal_mode") == [("wal",)]
    old = _kept(settings, kept)
    assert [row for row in old if "Later" in row]
    assert await _faults(settings) == []


def _kept(settings: RecordsSettings, kept: str) -> list[tuple[Any, ...]]:
    if isinstance(settings.database, Server):
        schema = kept.removeprefix("schema ")
        (told,) = attempts(settings, [f"DELETE FROM {schema}.roles"])
        assert "never deleted" in told
        return sql(settings, f"SELECT * FROM {schema}.roles")
    (told,) = attempts(replace(settings, database=kept), ["DELETE FROM roles"])
    assert "never deleted" in told
    return sql(replace(settings, database=kept), "SELECT * FROM roles")


async def test_an_empty_database_takes_it(backup: Backup, file: Path, fresh: Fresh) -> None:
    place = fresh()
    upgrade_schema(place, REVISIONS[3])
    _put, kept = await restore(place, Restoring(file, SHELL, NOW))
    assert kept is None
    assert await _faults(place) == []


async def test_without_its_line_nothing_is_put_back(backup: Backup, file: Path, settings: RecordsSettings) -> None:
    before = everything(settings)

    def refuse(change: Change) -> None:
        raise RecordsError("no line")

    with pytest.raises(RecordsError, match="no line"):
        await restore(settings, Restoring(file, SHELL, NOW, replaces=True), refuse)
    assert everything(settings) == before
    if not isinstance(settings.database, Server):
        assert sorted(path.name for path in settings.path.parent.iterdir() if ".sqlite" in path.name) == [
            settings.path.name
        ]
        assert sql(settings, "PRAGMA journal_mode") == [("wal",)]


async def test_a_gateway_that_uses_it_is_noticed(
    backup: Backup, file: Path, settings: RecordsSettings, open_records: Opener
) -> None:
    """SQLite: nothing is done. PostgreSQL: the gateway finds other tables in their place, and refuses everybody."""
    records = await open_records()
    asked = Restoring(file, SHELL, NOW, replaces=True)
    if isinstance(settings.database, Server):
        await restore(settings, asked)
        with pytest.raises(RecordsError, match="was replaced while it was in use; restart"):
            await records.add_role("peeters1", "Later", BY_ACT, NOW)
        assert not await records.catch_up()
    else:
        with pytest.raises(RecordsError, match="the gateway uses it; stop it first"):
            await restore(settings, asked)
        assert sql(settings, "PRAGMA journal_mode") == [("wal",)]
        await records.add_role("peeters1", "Later", BY_ACT, NOW)


def of_nobody(file: Path) -> bytes:
    """The first role is somebody's whom nobody knows."""
    rows = [json.loads(line) for line in lines(file)]
    changed = [["roles", 1, "nobody01", *row[3:]] if row[:2] == ["roles", 1] else row for row in rows[1:-1]]
    return resealed([json.dumps(row).encode() + b"\n" for row in (rows[0], *changed, rows[-1])])


async def test_a_lost_key_is_no_reason_to_believe_everything(backup: Backup, file: Path, fresh: Fresh) -> None:
    """What needs no key is checked all the same: references, triggers, what the law of the records demands."""
    place = fresh()
    place.key_file.write_bytes(bytes(32))
    good = file.read_bytes()
    file.write_bytes(of_nobody(file))
    with pytest.raises(Conflict, match="contradict each other: roles: nobody has, or had, this user ID") as caught:
        await restore(place, Restoring(file, SHELL, NOW, key_lost=True))
    assert "another records key" not in str(caught.value)
    file.write_bytes(good)
    await restore(place, Restoring(file, SHELL, NOW, key_lost=True))


async def test_a_key_that_is_lost(backup: Backup, file: Path, fresh: Fresh) -> None:
    """The records come back; what was sealed does not open, and is told."""
    place = fresh()
    place.key_file.write_bytes(bytes(32))
    with pytest.raises(Conflict, match="another records key"):
        await restore(place, Restoring(file, SHELL, NOW))
    put, _kept = await restore(place, Restoring(file, SHELL, NOW, key_lost=True))
    assert put == backup
    with pytest.raises(RecordsError, match="another records key"):
        await Records.open(place)
    file.write_bytes(_flipped(file.read_bytes(), file.stat().st_size // 2))
    with pytest.raises(Conflict, match="altered"):
        await restore(fresh(), Restoring(file, SHELL, NOW, key_lost=True))
