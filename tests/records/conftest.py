"""Real databases, on real files and on a real server: each test runs on both; time is what a test says it is.

A test of what SQLite or PostgreSQL alone does is marked `sqlite` or `postgresql`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.model import Authorisation, Means, Session, Use, UseGrant, Validity
from gateway.records import Act, By, Records, RecordsSettings, upgrade_schema
from gateway.records.append_only import POSTGRESQL_NAMES
from gateway.records.schema import LEGAL, metadata
from gateway.records.server import Server, is_url, read_url
from tests.postgresql import Cluster

DATABASES = ("sqlite", "postgresql")
NOW = 1_800_000_000.0
PORTAL = "portal.example"
NORTH, SOUTH = "0403019261", "0671516647"
INSZ = ("85073003328", "17073003384", "98472899765", "01490700185", "81050003552")
ACT = Act("HO/2026/1", dt.date(2026, 1, 5))
BY_ACT = By("shell", "the head official's letter", act=ACT)
BY = By("shell", "because")
DAY = 86_400.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def authorisation(
    reference: str = "24/123",
    institution: str = NORTH,
    uses: tuple[Use, ...] = (Use.CONSULTATION, Use.COMMUNICATION),
    validity: Validity = Validity(NOW - 100 * DAY, NOW + 100 * DAY),  # noqa: B008 - an immutable value
    status: str = "active",
) -> Authorisation:
    grants = tuple(UseGrant(use, None, frozenset({Means.PASSWORD}), True, 3600.0) for use in uses)
    return Authorisation(reference, "dossier", institution, validity, status, None, grants)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing in it, made once and copied."""
    directory = tmp_path_factory.mktemp("empty")
    upgrade_schema(RecordsSettings(directory / "records.sqlite", directory / "records.key"))
    return directory / "records.sqlite"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        alone = [name for name in DATABASES if metafunc.definition.get_closest_marker(name)]
        metafunc.parametrize("database", alone or DATABASES, indirect=True)


@pytest.fixture(scope="session")
def spare(cluster: Cluster) -> list[str]:
    """Databases of the server that a test emptied after itself."""
    return []


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | Server]:
    """A database with our schema and nothing in it."""
    if request.param == "sqlite":
        shutil.copy2(request.getfixturevalue("empty"), tmp_path / "records.sqlite")
        yield tmp_path / "records.sqlite"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    spare: list[str] = request.getfixturevalue("spare")
    name = spare.pop() if spare else cluster.made()
    yield cluster.server(name)
    # Emptying is ten times as fast as making; not after what may have left its mark on the schema.
    if request.node.get_closest_marker("postgresql"):
        cluster.drop(name)
    else:
        cluster.sql(name, emptied())
        spare.append(name)


def emptied() -> str:
    """The statements that empty a database of the server, legal records too, as its owner alone can."""
    lines = ["BEGIN", "SET LOCAL client_min_messages = error"]
    lines += [f"ALTER TABLE {table.name} DISABLE TRIGGER USER" for table in LEGAL]
    lines += [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    for table in LEGAL:
        lines += [f"ALTER TABLE {table.name} ENABLE ALWAYS TRIGGER {table.name}_{name}" for name in POSTGRESQL_NAMES]
    lines.append("SELECT setval(seqrelid::regclass, 1, false) FROM pg_sequence")
    return ";\n".join([*lines, "COMMIT;"])


@pytest.fixture
def settings(tmp_path: Path, database: Path | Server) -> RecordsSettings:
    key = tmp_path / "records.key"
    key.write_bytes(bytes(range(32)))
    return RecordsSettings(database, key)


def place(text: str) -> Path | Server:
    """A database as a command line names it."""
    return read_url(text) if is_url(text) else Path(text)


Rows = list[tuple[Any, ...]]


def sql(settings: RecordsSettings, *statements: str) -> Rows:
    """What another program gets of the database by the last of these, on a connection that has none of our settings."""
    *_, last = _asked(settings, statements)
    if isinstance(last, Exception):
        raise last
    return last


def attempts(settings: RecordsSettings, statements: Sequence[str]) -> list[str]:
    """What another program is told when it tries each of these; nothing when it is done."""
    return [str(told) if isinstance(told, Exception) else "" for told in _asked(settings, statements)]


def _asked(settings: RecordsSettings, statements: Sequence[str]) -> list[Rows | Exception]:
    place = settings.database
    if not isinstance(place, Server):
        with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as connection:
            return [_told(connection, statement) for statement in statements]

    async def asked(server: Server) -> list[Rows | Exception]:
        (host, port), *_ = server.hosts
        connection = await asyncpg.connect(host=host, port=port, user=server.user, database=server.name)
        told: list[Rows | Exception] = []
        for statement in statements:
            first, _, last = statement.rpartition("; ")
            try:
                if first:
                    await connection.execute(first)
                told.append([tuple(row) for row in await connection.fetch(last)])
            except asyncpg.PostgresError as error:
                told.append(error)
        await connection.close()
        return told

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked(place)).result()


def _told(connection: sqlite3.Connection, statement: str) -> Rows | Exception:
    try:
        return connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        return error


def everything(settings: RecordsSettings) -> bytes:
    """All that the database holds, as another program sees it."""
    if isinstance(settings.database, Server):
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    else:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
    rows = [row for (name,) in sql(settings, tables) for row in sql(settings, f"SELECT * FROM {name}")]
    return b"\n".join(value if type(value) is bytes else str(value).encode() for row in rows for value in row)


Fresh = Callable[[], RecordsSettings]


@pytest.fixture
def fresh(request: pytest.FixtureRequest, settings: RecordsSettings) -> Iterator[Fresh]:
    """Makes databases with nothing in them, of the kind of `settings`, with the same key."""
    names: list[str] = []

    def made() -> RecordsSettings:
        names.append(f"fresh{len(names)}.sqlite")
        if not isinstance(settings.database, Server):
            return replace(settings, database=settings.path.with_name(names[-1]))
        cluster: Cluster = request.getfixturevalue("cluster")
        names[-1] = cluster.empty()
        return replace(settings, database=cluster.server(names[-1]))

    yield made
    if isinstance(settings.database, Server):
        for name in names:
            request.getfixturevalue("cluster").drop(name)


Opener = Callable[[], Awaitable[Records]]


@pytest.fixture
async def open_records(settings: RecordsSettings, clock: Clock) -> AsyncIterator[Opener]:
    """Opens records on the one database, as often as a test has processes."""
    async with AsyncExitStack() as stack:

        async def opened() -> Records:
            records = await Records.open(settings, clock)
            stack.push_async_callback(records.close)
            return records

        yield opened


@pytest.fixture
async def records(open_records: Opener) -> Records:
    return await open_records()


async def add_user(records: Records, user_id: str = "jansen01", institution: str = NORTH, insz: str = INSZ[0]) -> int:
    """A person with one user ID."""
    person = await records.add_person(insz, f"Name of {user_id}", BY_ACT, NOW)
    await records.add_user_id(user_id, person, institution, "nl", BY_ACT, NOW)
    return person


async def sign_in(
    records: Records, user_id: str = "jansen01", cookie: bytes = b"portal", at: float = NOW, hours: float = 10
) -> Session:
    """A session of this user ID, with a cookie for the portal."""
    login = await records.find_login(user_id)
    assert login is not None
    return await records.create_session(login, Means.PASSWORD, at, PORTAL, cookie, at, hours * 3600)
