"""What one process commits, another knows within a second; what cannot be read, lets nobody in."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import RecordsError
from gateway.model import Means, Use, UserRecords
from gateway.records import Records, RecordsSettings
from gateway.records.index import ENDED_KEPT_SECONDS, LOST, SAVE_SECONDS
from gateway.records.loading import read_users
from gateway.records.standing import Rules
from gateway.records.values import SessionEntry
from gateway.records.watch import ASKED_SECONDS, CHANGES_KEPT_SECONDS, LOOKS_APART_SECONDS
from tests.records.conftest import BY_ACT, INSZ, NOW, PORTAL, Clock, Opener, add_user, authorisation, sign_in, sql

WITHIN_SECONDS = 1.0


async def within(condition: Callable[[], object], seconds: float = WITHIN_SECONDS) -> None:
    """Waits for `condition`; fails when it does not come in time, but for what a busy machine may add."""
    until = time.monotonic() + seconds + 4.0
    while not condition():
        assert time.monotonic() < until, "it was not noticed"
        await asyncio.sleep(0.01)


async def test_another_process_learns_of_everything(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    person = await add_user(one)
    await sign_in(one, cookie=b"first")
    await within(lambda: other.index.session(b"first", PORTAL))
    assert other.index.user("jansen01") == one.index.user("jansen01") == await one.user("jansen01")
    designation = await one.add_designation("jansen01", authorisation(), {Use.CONSULTATION}, BY_ACT, NOW)
    await within(lambda: other.index.user("jansen01").designations)  # type: ignore[union-attr]
    login = await other.find_login("jansen01")
    assert login is not None
    session = await other.create_session(login, Means.PASSWORD, NOW, "portal", b"p", NOW, 3600)
    await other.attach_cookie(session.id, "dossier", b"d")
    await within(lambda: one.index.session(b"d", "dossier"))
    held = one.index.session(b"d", "dossier")
    renewed = await other.renew_session(session.id, Means.TOKEN, NOW, "portal", b"p2", None, NOW)
    await within(lambda: held is not None and held.session == renewed)
    old = one.index.session(b"p", "portal")
    assert old is not None
    assert old.session.ended_reason == "renewed"
    await one.end_designation(designation, BY_ACT, NOW + 1)
    await other.end_session(renewed.id, "signed out", "user:jansen01")
    await one.change_person(person, INSZ[1], "An Jansens", BY_ACT, NOW + 2)
    await within(lambda: held is not None and held.session.ended_reason == "signed out")
    await within(lambda: other.index.user("jansen01").name == "An Jansens")  # type: ignore[union-attr]
    await within(lambda: one.index.user("jansen01") == other.index.user("jansen01"))
    assert one.index.user("jansen01") == await one.user("jansen01")


async def test_a_process_that_starts_later_has_the_same(open_records: Opener) -> None:
    one = await open_records()
    await add_user(one)
    await one.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    await one.accept_regulation("jansen01", "2026-01", "ab" * 32, NOW)
    login = await one.find_login("jansen01")
    assert login is not None
    session = await one.create_session(login, Means.PASSWORD, NOW, "portal", b"p", NOW, 3600)
    renewed = await one.renew_session(session.id, Means.TOKEN, NOW, "portal", b"p2", None, NOW)
    later = await open_records()
    assert later.index.user("jansen01") == one.index.user("jansen01") == await one.user("jansen01")
    for cookie, expected in ((b"p", session.id), (b"p2", renewed.id)):
        entry = later.index.session(cookie, "portal")
        assert entry is not None
        assert entry.session.id == expected
    assert later.index.held() == ["jansen01"]


async def test_many_changes_at_once(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a portion of changes, and more keys than one statement takes."""
    monkeypatch.setattr("gateway.records.watch._CHANGES_AT_ONCE", 3)
    monkeypatch.setattr("gateway.records.among.KEYS_AT_ONCE", 2)
    one, other = await open_records(), await open_records()
    for number, insz in enumerate(INSZ):
        await add_user(one, f"user.{number}", insz=insz)
        await sign_in(one, f"user.{number}", cookie=b"%d" % number)
        await one.add_role(f"user.{number}", "DossierReader", BY_ACT, NOW)
    users = {f"user.{number}": await one.user(f"user.{number}") for number in range(len(INSZ))}
    await within(lambda: {user_id: other.index.user(user_id) for user_id in users} == users)


async def test_an_index_of_many_is_not_looked_through_for_garbage(
    open_records: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await open_records()
    await add_user(one)
    await sign_in(one, cookie=b"first")
    before = gc.get_freeze_count()
    await open_records()
    assert gc.get_freeze_count() == before
    monkeypatch.setattr("gateway.records.watch.MANY_PERSONS", 1)
    try:
        await open_records()
        assert gc.get_freeze_count() > before
        assert gc.isenabled()
    finally:
        gc.unfreeze()


async def test_last_seen_is_saved_once_a_minute_and_seen_elsewhere(
    open_records: Opener, clock: Clock, settings: RecordsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.watch.SAVE_EVERY_SECONDS", 0.05)
    one, other = await open_records(), await open_records()
    await add_user(one)
    login = await one.find_login("jansen01")
    assert login is not None
    await one.create_session(login, Means.PASSWORD, NOW, "portal", b"p", NOW, 36000)
    await within(lambda: other.index.session(b"p", "portal"))
    mine, theirs = one.index.session(b"p", "portal"), other.index.session(b"p", "portal")
    assert mine is not None
    assert theirs is not None
    one.index.touch(mine, NOW + SAVE_SECONDS - 1)
    one.index.touch(mine, NOW)
    assert mine.last_seen == NOW + SAVE_SECONDS - 1
    assert one.index.take_unsaved() == {}
    clock.now = NOW + SAVE_SECONDS
    one.index.touch(mine, NOW + SAVE_SECONDS)
    await within(lambda: theirs.last_seen == NOW + SAVE_SECONDS)
    one.index.touch(mine, NOW + SAVE_SECONDS + 7)
    await one.close()
    assert sql(settings, "SELECT last_seen FROM sessions") == [(NOW + SAVE_SECONDS + 7,)]


async def test_what_has_served_is_thrown_away(open_records: Opener, clock: Clock, settings: RecordsSettings) -> None:
    records = await open_records()
    await add_user(records)
    login = await records.find_login("jansen01")
    assert login is not None
    short = await records.create_session(login, Means.PASSWORD, NOW, "portal", b"a", NOW, 3600)
    ended = await records.create_session(login, Means.PASSWORD, NOW, "portal", b"b", NOW, 7 * 86400)
    await records.create_session(login, Means.PASSWORD, NOW, "portal", b"c", NOW, 7 * 86400)
    await records.new_entry_code(b"code", short.id, "dossier", "start", "/", NOW + 60)
    await records.end_session(ended.id, "signed out", "user:jansen01")
    clock.now = NOW + 3600 + ENDED_KEPT_SECONDS
    await records._tidy(clock.now)
    assert [records.index.session(cookie, "portal") is None for cookie in (b"a", b"b", b"c")] == [False, True, False]
    clock.now += CHANGES_KEPT_SECONDS
    await records._tidy(clock.now)
    assert [records.index.session(cookie, "portal") is None for cookie in (b"a", b"b", b"c")] == [True, True, False]
    tables = ("sessions", "session_cookies", "entry_codes", "changes")
    counts = [sql(settings, f"SELECT count(*) FROM {table}")[0][0] for table in tables]
    assert counts == [1, 1, 0, 0]
    assert records.index.user("jansen01") is not None


async def test_a_process_that_read_nothing_for_long_reads_everything(open_records: Opener, clock: Clock) -> None:
    """Rows of the change table that it never saw may be gone."""
    one, other = await open_records(), await open_records()
    await add_user(one)
    await sign_in(one, cookie=b"before", hours=24)
    await within(lambda: other.index.user("jansen01"))
    other._seen_change += 1_000
    clock.now = NOW + CHANGES_KEPT_SECONDS
    await one.add_role("jansen01", "DossierReader", BY_ACT, clock.now)
    await add_user(one, "peeters1", insz=INSZ[1])
    await sign_in(one, "peeters1", cookie=b"meanwhile", at=clock.now)
    await within(lambda: other.index.user("jansen01").roles)  # type: ignore[union-attr]
    await within(lambda: other.index.session(b"meanwhile", PORTAL))
    assert other.index.user("peeters1") == await one.user("peeters1")


async def test_what_the_database_no_longer_has_goes_when_everything_is_read(
    open_records: Opener, clock: Clock, settings: RecordsSettings
) -> None:
    """A replica without the last commits took over, or a copy was put back: nobody stays signed in by what is nowhere any more."""
    one, other = await open_records(), await open_records()
    await add_user(one)
    await add_user(one, "peeters1", insz=INSZ[1])
    lost = await sign_in(one, cookie=b"lost", hours=48)
    await sign_in(one, "peeters1", cookie=b"kept", hours=48)
    assert await other.catch_up()
    entry, kept = other.index.session(b"lost", PORTAL), other.index.session(b"kept", PORTAL)
    assert entry is not None
    other.index.touch(entry, NOW + SAVE_SECONDS)
    heard: list[SessionEntry] = []
    other.index.listen(lambda users, entries: heard.extend(entries))
    for table, column in (("session_cookies", "session"), ("sessions", "id")):
        sql(settings, f"DELETE FROM {table} WHERE {column} = '{lost.id}' RETURNING {column}")
    clock.now = NOW + CHANGES_KEPT_SECONDS
    assert await other.catch_up()
    assert (other.index.session(b"lost", PORTAL), other.index.session(b"kept", PORTAL)) == (None, kept)
    assert heard == [entry]
    assert (entry.session.ended_at, entry.session.ended_reason) == (clock.now, LOST)
    assert other.index.take_unsaved(all_of_them=True) == {}


# --- whose records are held


async def test_who_has_no_session_is_not_held(open_records: Opener) -> None:
    """A million persons of whom nobody is signed in cost nothing: their changes are not even read."""
    one, other = await open_records(), await open_records()
    await add_user(one)
    await add_user(one, "peeters1", insz=INSZ[1])
    await sign_in(one)
    await one.block_user_id("peeters1", BY_ACT, NOW)
    later = await open_records()
    assert await other.catch_up()
    for records in (one, other, later):
        assert records.index.held() == ["jansen01"]


async def test_records_come_with_the_first_session_as_they_are_then(open_records: Opener) -> None:
    """What changed before is in them, whether this process heard of the change before the session or with it."""
    one, other = await open_records(), await open_records()
    await add_user(one)
    await one.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    assert await other.catch_up()
    assert other.index.user("jansen01") is None
    role = await one.add_role("jansen01", "PensionReader", BY_ACT, NOW)
    await sign_in(one)
    await one.end_role(role, BY_ACT, NOW + 1)
    assert await other.catch_up()
    user = other.index.user("jansen01")
    assert user is not None
    assert user == one.index.user("jansen01") == await one.user("jansen01")
    assert user.roles["PensionReader"][0].validity.end == NOW + 1


async def test_records_go_with_the_last_session(open_records: Opener, clock: Clock) -> None:
    records = await open_records()
    await add_user(records)
    await sign_in(records, cookie=b"short", hours=1)
    await sign_in(records, cookie=b"long", hours=2)
    for hours, held in ((1, ["jansen01"]), (2, [])):
        clock.now = NOW + hours * 3600 + ENDED_KEPT_SECONDS + 1
        await records._tidy(clock.now)
        assert records.index.held() == held
    await records.add_role("jansen01", "DossierReader", BY_ACT, clock.now)
    assert records.index.held() == []
    await sign_in(records, cookie=b"again", at=clock.now)
    user = records.index.user("jansen01")
    assert user is not None
    assert list(user.roles) == ["DossierReader"]


async def test_records_are_not_let_go_while_a_session_of_theirs_is_read(
    open_records: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = await open_records()
    await add_user(records)
    await sign_in(records, cookie=b"old", hours=1)
    clock.now = NOW + 3600 + ENDED_KEPT_SECONDS + 1
    tidying = []

    async def slowly(connection: AsyncConnection, keys: Sequence[str], rules: Rules) -> dict[str, UserRecords | None]:
        tidying.append(asyncio.create_task(records._tidy(clock.now)))
        await asyncio.sleep(0.3)
        return await read_users(connection, keys, rules)

    monkeypatch.setattr("gateway.records.store.read_users", slowly)
    await sign_in(records, cookie=b"new", at=clock.now)
    await asyncio.gather(*tidying)
    assert records.index.session(b"old", PORTAL) is None
    assert records.index.session(b"new", PORTAL) is not None
    assert records.index.user("jansen01") == await records.user("jansen01")


# --- when the database fails


@pytest.mark.sqlite
async def test_stale_records_let_nobody_in(settings: RecordsSettings, clock: Clock) -> None:
    records = await Records.open(RecordsSettings(settings.database, settings.key_file, stale_limit=5.0), clock)
    try:
        assert records.index.current(clock.now)
        away = Path(f"{settings.path}.away")
        settings.path.rename(away)
        await asyncio.sleep(0.6)
        clock.now = NOW + 5
        assert records.index.current(clock.now)
        clock.now = NOW + 5.1
        assert not records.index.current(clock.now)
        away.rename(settings.path)
        await within(lambda: records.index.current(clock.now))
        assert not records.index.current(clock.now - 60)
    finally:
        await records.close()


@pytest.mark.sqlite
async def test_a_file_that_was_replaced_is_not_the_database(
    open_records: Opener, settings: RecordsSettings, empty: Path, clock: Clock
) -> None:
    records = await open_records()
    await add_user(records)
    copy = settings.path.with_name("restored.sqlite")
    copy.write_bytes(empty.read_bytes())
    copy.replace(settings.path)
    with pytest.raises(RecordsError, match="was replaced while it was in use; restart"):
        await records.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    await asyncio.sleep(0.6)
    clock.now = NOW + 31
    assert not records.index.current(clock.now)


@pytest.mark.sqlite
async def test_a_locked_database_refuses_and_changes_nothing(
    open_records: Opener, settings: RecordsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.sqlite.PRAGMAS", ("PRAGMA busy_timeout = 50",))
    records = await open_records()
    blocker = sqlite3.connect(settings.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsError, match="locked"):
        await add_user(records)
    with pytest.raises(RecordsError, match="locked"):
        await records.claim_attempt("nobody99", NOW)
    blocker.execute("ROLLBACK")
    blocker.close()
    await add_user(records)


async def test_a_write_that_hangs_is_given_up(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    records = await open_records()
    monkeypatch.setattr("gateway.records.database.WRITE_SECONDS", 0.05)

    async def hang(change: object) -> None:
        await asyncio.sleep(30)

    with pytest.raises(RecordsError, match="in time"):
        await records.add_person(INSZ[0], "An", BY_ACT, NOW, hang)
    monkeypatch.undo()
    await add_user(records)


async def test_a_cancelled_write_changes_nothing(open_records: Opener) -> None:
    records = await open_records()
    reached = asyncio.Event()

    async def hang(change: object) -> None:
        reached.set()
        await asyncio.sleep(30)

    writing = asyncio.create_task(records.add_person(INSZ[0], "An", BY_ACT, NOW, hang))
    await asyncio.wait_for(reached.wait(), 20)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await records.persons(ended=True) == []
    await add_user(records)


@pytest.mark.sqlite
async def test_a_full_disk_refuses_and_loses_nothing(open_records: Opener, settings: RecordsSettings) -> None:
    """SQLite's own limit of pages stands for the disk's."""
    records = await open_records()
    await add_user(records)
    async with records._database.writing() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar()
    full = f"PRAGMA max_page_count = {pages}"
    for _ in range(4):
        async with records._database.reading() as connection:
            await connection.exec_driver_sql(full)
    login = await records.find_login("jansen01")
    assert login is not None
    made = 0

    async def fill() -> None:
        nonlocal made
        for made in range(2_000):
            await records.create_session(login, Means.PASSWORD, NOW, "portal", made.to_bytes(8, "big"), NOW, 3600)

    with pytest.raises(RecordsError, match="full"):
        await fill()
    assert len(await records.live_sessions(NOW)) == made
    assert records.index.session(made.to_bytes(8, "big"), "portal") is None
    assert records.index.current(NOW)


# --- kill -9

WRITER = """
import asyncio, os, sys
from pathlib import Path
from gateway.model import Means
from gateway.records import Records, RecordsSettings
from tests.records.conftest import NOW, place

async def main():
    records = await Records.open(RecordsSettings(place(sys.argv[1]), Path(sys.argv[2])))
    login = await records.find_login("jansen01")
    while True:
        session = await records.create_session(login, Means.PASSWORD, NOW, "portal", os.urandom(32), NOW, 9e9)
        await records.attach_cookie(session.id, "dossier", os.urandom(32))
        print(session.id, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.sqlite
async def test_kill_in_the_middle_of_writing(open_records: Opener, settings: RecordsSettings, soak: bool) -> None:
    """What was acknowledged is there; what was not is whole or absent: a session has its portal cookie, always."""
    records = await open_records()
    await add_user(records)
    acknowledged: list[str] = []
    for number in range(30 if soak else 3):
        command = [sys.executable, "-c", WRITER, str(settings.path), str(settings.key_file)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True)
        assert writer.stdout is not None
        acknowledged.append((await asyncio.to_thread(writer.stdout.readline)).strip())
        await asyncio.sleep(0.02 * (number + 1))
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]
        writer.wait()
        writer.stdout.close()
        database = sqlite3.connect(settings.path)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        bare = database.execute(
            "SELECT count(*) FROM sessions WHERE id NOT IN (SELECT session FROM session_cookies WHERE host = 'portal')"
        )
        assert bare.fetchone() == (0,)
        there = {row[0] for row in database.execute("SELECT session FROM session_cookies WHERE host = 'dossier'")}
        told = {row[0] for row in database.execute("SELECT key FROM changes WHERE kind = 'session'")}
        sessions = {row[0] for row in database.execute("SELECT id FROM sessions")}
        database.close()
        assert set(acknowledged) <= there
        assert sessions == told


# --- asked before a request is refused


async def test_who_asks_has_all_that_was_committed_before(open_records: Opener) -> None:
    """Each time at once, not when the next look at the database happens to come."""
    one, other = await open_records(), await open_records()
    await add_user(one)
    login = await one.find_login("jansen01")
    assert login is not None
    for number in range(20):
        cookie = f"cookie {number}".encode()
        await one.create_session(login, Means.PASSWORD, NOW, "portal", cookie, NOW, 3600)
        assert await other.catch_up()
        assert other.index.session(cookie, "portal") is not None


async def test_however_many_ask_there_are_few_looks(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    records = await open_records()
    looks = 0
    look = records._poll

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await look()

    monkeypatch.setattr(records, "_poll", counted)
    began = time.monotonic()
    for _ in range(50):
        assert all(await asyncio.gather(*(records.catch_up() for _ in range(100))))
        if time.monotonic() - began > 5:
            break
    assert looks <= (time.monotonic() - began) / LOOKS_APART_SECONDS + 2


async def test_who_asks_in_vain_is_told_no_in_time(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that cannot be read, and one that hangs."""
    records = await open_records()

    async def broken() -> None:
        raise RecordsError("gone")

    monkeypatch.setattr(records, "_poll", broken)
    assert not await records.catch_up()

    async def hung() -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(records, "_poll", hung)
    began = time.monotonic()
    assert not await records.catch_up()
    assert time.monotonic() - began >= ASKED_SECONDS * 0.9


@pytest.mark.sqlite
async def test_a_locked_database_is_known(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.records.watch.SAVE_EVERY_SECONDS", 0.05)
    records = await open_records()
    with sqlite3.connect(str(records._database), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        await within(lambda: not records.writable, 6.0)
        other.execute("ROLLBACK")
        await within(lambda: records.writable)
    other.close()


async def test_what_other_workers_saw_of_a_person_counts_and_is_saved_once(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    await add_user(one)
    login = await one.find_login("jansen01")
    assert login is not None
    session = await one.create_session(login, Means.PASSWORD, NOW, "portal", b"p", NOW, 3600)
    assert await other.catch_up()
    mine, theirs = one.index.session(b"p", "portal"), other.index.session(b"p", "portal")
    assert mine is not None
    assert theirs is not None
    one.index.touch(mine, NOW + 30)  # too soon to be saved
    assert one.index.unsaved() == {session.id: NOW + 30}
    told = one.index.take_touched()
    assert one.index.take_touched() == {}
    other.index.take_seen(told | {"unknown": NOW})
    other.index.take_seen({session.id: NOW + 10})  # late, and older
    assert theirs.last_seen == NOW + 30
    assert other.index.take_touched() == {}  # it is not told on
    assert other.index.unsaved() == {session.id: NOW + 30}
