"""What several machines rely on: one writer at a time, changes in the order of their commits, and a server that restarts, hangs or is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from gateway.errors import RecordsError
from gateway.records import Records, RecordsSettings
from gateway.records.postgresql import CHANNEL, SERVER_SETTINGS, Listener
from gateway.records.server import Server
from tests.postgresql import Cluster
from tests.records.conftest import BY_ACT, INSZ, NOW, PORTAL, Clock, Opener, add_user, sign_in, sql
from tests.records.test_watch import WRITER, within

pytestmark = pytest.mark.postgresql


def server(settings: RecordsSettings) -> Server:
    assert isinstance(settings.database, Server)
    return settings.database


@contextlib.asynccontextmanager
async def raw(settings: RecordsSettings) -> AsyncIterator[asyncpg.Connection]:
    """A connection of another program."""
    place = server(settings)
    (host, port), *_ = place.hosts
    connection = await asyncpg.connect(host=host, port=port, user=place.user, database=place.name)
    yield connection
    connection.terminate()


# --- one writer, and what others learn


async def test_changes_are_seen_in_the_order_of_their_numbers(open_records: Opener, settings: RecordsSettings) -> None:
    """Whoever has read up to a number has missed none below it, however many write at once on however many machines."""
    machines = [await open_records() for _ in range(4)]
    for number, insz in enumerate(INSZ[:4]):
        await add_user(machines[0], f"user.{number}", insz=insz)
    done = asyncio.Event()

    async def write(records: Records, number: int) -> None:
        for round_ in range(8):
            role = await records.add_role(f"user.{number}", f"Role{round_}", BY_ACT, NOW)
            await records.end_role(role, BY_ACT, NOW + 1)

    async def look() -> int:
        seen: list[int] = []
        looks = 0
        async with raw(settings) as connection:
            while not done.is_set():
                rows = [row[0] for row in await connection.fetch("SELECT seq FROM changes ORDER BY seq")]
                assert rows[: len(seen)] == seen
                seen, looks = rows, looks + 1
        assert seen == list(range(1, len(seen) + 1))
        return looks

    looking = asyncio.create_task(look())
    await asyncio.gather(*(write(records, number) for number, records in enumerate(machines)))
    done.set()
    assert await looking > 3


async def test_a_check_and_what_rests_on_it_are_one(open_records: Opener) -> None:
    """Two machines that both find nobody with a number do not both record them."""
    machines = [await open_records() for _ in range(4)]
    told = await asyncio.gather(
        *(records.add_person(INSZ[0], "An", BY_ACT, NOW) for records in machines), return_exceptions=True
    )
    assert sum(type(one) is int for one in told) == 1
    assert {str(one) for one in told if type(one) is not int} == {
        "a person with this INSZ is recorded already; add a user ID to that one"
    }


async def test_a_commit_wakes_who_listens(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the next look, which is far away here; and without a word in the notice."""
    monkeypatch.setattr("gateway.records.watch.POLL_SECONDS", 3600.0)
    one, other = await open_records(), await open_records()
    await add_user(one)
    await sign_in(one, cookie=b"first")
    await within(lambda: other.index.session(b"first", PORTAL))


async def test_whoever_hears_nothing_looks(open_records: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "_heard", lambda *_: None)
    one, other = await open_records(), await open_records()
    await add_user(one)
    await sign_in(one, cookie=b"first")
    await within(lambda: other.index.session(b"first", PORTAL))


async def test_a_notice_says_nothing(open_records: Opener, settings: RecordsSettings) -> None:
    records = await open_records()
    heard: list[object] = []
    async with raw(settings) as connection:
        await connection.add_listener(CHANNEL, lambda *notice: heard.append(notice[3]))
        await add_user(records)
        await sign_in(records)
        await within(lambda: heard)
    assert set(heard) == {""}


async def test_who_writes_waits_for_another_and_not_for_ever(
    open_records: Opener, settings: RecordsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SERVER_SETTINGS, "lock_timeout", "50ms")
    records = await open_records()
    async with raw(settings) as other:
        await other.execute(f"BEGIN; SELECT pg_advisory_xact_lock({0x67617465776179})")
        with pytest.raises(RecordsError, match="lock timeout"):
            await add_user(records)
        assert not await records._database.can_write()
        await other.execute("ROLLBACK")
    await add_user(records)


async def test_who_vanished_in_the_middle_keeps_nobody_waiting(
    open_records: Opener, settings: RecordsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As little as a busy machine never takes between two statements.
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", "2s")
    gone, other = await open_records(), await open_records()
    reached = asyncio.Event()

    async def hang(change: object) -> None:
        reached.set()
        await asyncio.sleep(3600)

    writing = asyncio.create_task(gone.add_person(INSZ[0], "An", BY_ACT, NOW, hang))
    await asyncio.wait_for(reached.wait(), 20)
    await add_user(other)
    writing.cancel()
    with pytest.raises((asyncio.CancelledError, RecordsError)):
        await writing
    assert len(await other.persons()) == 1


async def test_kill_in_the_middle_of_writing(open_records: Opener, settings: RecordsSettings, soak: bool) -> None:
    """As on SQLite: what was acknowledged is there, what was not is whole or absent; and the lock went with its holder."""
    records = await open_records()
    await add_user(records)
    acknowledged: list[str] = []
    for number in range(20 if soak else 2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(settings.database), str(settings.key_file)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        assert writer.stdout is not None
        acknowledged.append((await asyncio.to_thread(writer.stdout.readline)).strip())
        await asyncio.sleep(0.02 * (number + 1))
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]
        writer.wait()
        writer.stdout.close()
        began = time.monotonic()
        await records.add_role("jansen01", f"Role{number}", BY_ACT, NOW)
        assert time.monotonic() - began < 5.0
    portal = {row[0] for row in sql(settings, "SELECT session FROM session_cookies WHERE host = 'portal'")}
    dossier = {row[0] for row in sql(settings, "SELECT session FROM session_cookies WHERE host = 'dossier'")}
    assert {row[0] for row in sql(settings, "SELECT id FROM sessions")} == portal
    assert set(acknowledged) - {""} <= dossier


# --- a server that fails


@pytest.fixture(scope="module")
def fragile() -> Iterator[Cluster]:
    """A server of these tests' own, that they stop, kill and lock up; it writes as surely as in earnest."""
    cluster = Cluster(quick=False)
    yield cluster
    cluster.remove()


@pytest.fixture
def own(fragile: Cluster, tmp_path: Path) -> RecordsSettings:
    key = tmp_path / "own.key"
    key.write_bytes(bytes(range(32)))
    return RecordsSettings(fragile.server(fragile.made()), key, stale_limit=5.0)


Machine = Callable[[], Awaitable[Records]]


@pytest.fixture
async def machine(own: RecordsSettings, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    """Opens records there, that lose patience quickly."""
    monkeypatch.setattr("gateway.records.database.WRITE_SECONDS", 1.0)
    monkeypatch.setattr("gateway.records.postgresql.LOOK_SECONDS", 0.3)
    monkeypatch.setattr("gateway.records.postgresql.WAIT_SECONDS", 1.0)
    async with contextlib.AsyncExitStack() as stack:

        async def opened() -> Records:
            records = await Records.open(own, clock)
            stack.push_async_callback(records.close)
            return records

        yield opened


@pytest.mark.parametrize("how", ["stopped", "crashed", "killed"])
async def test_a_server_that_restarts_is_found_again(
    machine: Machine, fragile: Cluster, clock: Clock, how: str
) -> None:
    """Nothing that was acknowledged is lost; who listened listens again; nobody restarts a gateway."""
    one, other = await machine(), await machine()
    await add_user(one)
    await sign_in(one, cookie=b"before")
    await within(lambda: other.index.session(b"before", PORTAL))
    if how == "killed":
        fragile.kill()
    else:
        fragile.stop(signal.SIGINT if how == "stopped" else signal.SIGQUIT)
    with pytest.raises(RecordsError):
        await one.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    assert not await other.catch_up()
    clock.now = NOW + 4
    assert other.index.current(clock.now)  # sessions go on …
    clock.now = NOW + 6
    assert not other.index.current(clock.now)  # … until the limit
    fragile.start()
    await within(lambda: other.index.current(clock.now), 10.0)
    await within(lambda: one.index.current(clock.now), 10.0)
    await sign_in(one, cookie=b"after", at=clock.now)
    await within(lambda: other.index.session(b"after", PORTAL))
    assert other.index.session(b"before", PORTAL) is not None


async def test_a_server_that_hangs_is_no_server(machine: Machine, fragile: Cluster, clock: Clock) -> None:
    records = await machine()
    await add_user(records)
    await sign_in(records, cookie=b"before")
    clock.now = NOW + 3
    await within(lambda: records.index.age(clock.now) == 0)
    with fragile.hanging():
        began = time.monotonic()
        with pytest.raises(RecordsError, match="in time"):
            await records.find_login("jansen01")
        with pytest.raises(RecordsError, match="in time"):
            await records.add_role("jansen01", "DossierReader", BY_ACT, NOW)
        assert not await records.catch_up()
        assert time.monotonic() - began < 30.0
        clock.now = NOW + 7
        assert records.index.current(clock.now)
        clock.now = NOW + 9
        assert not records.index.current(clock.now)
    await within(lambda: records.index.current(clock.now), 10.0)
    await records.add_role("jansen01", "DossierReader", BY_ACT, clock.now)
    assert await _roles(records) == ["DossierReader"]


async def test_a_listener_that_cannot_begin_is_an_error_of_the_records(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server that became a replica between the connection and the first question."""
    monkeypatch.setattr("gateway.records.postgresql._LINE", "SELECT 1 / 0")
    with pytest.raises(RecordsError, match="DivisionByZeroError"):
        await machine()


async def _roles(records: Records) -> list[str]:
    user = await records.user("jansen01")
    assert user is not None
    return list(user.roles)


async def test_another_line_of_history_is_read_anew(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """A replica that lacks the last commits took over: numbers of changes may come again, so everything is read."""
    one, other = await machine(), await machine()
    await add_user(one)
    await sign_in(one, cookie=b"before")
    await within(lambda: other.index.session(b"before", PORTAL))
    assert await other.catch_up()
    other._seen_change += 1_000
    await one.end_all_sessions("because", "shell")
    await asyncio.sleep(0.6)
    held = other.index.session(b"before", PORTAL)
    assert held is not None
    assert held.session.ended_at is None
    monkeypatch.setattr("gateway.records.postgresql._LINE", "SELECT '00000002'")
    assert isinstance(other._lookout, Listener)
    other._lookout._drop()
    await within(lambda: held.session.ended_at is not None)
