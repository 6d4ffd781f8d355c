"""What one decision costs, in a table of ten designations and of a million, and how long a start with a million takes.

python -m bench.decision CONFIG HOST     (a process of its own; the parent is `decision_costs`)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import DecisionCost
from bench.ours import World, wait_until_ready
from bench.processes import SERVER_CORE, start
from gateway.decision import Agent, Connection, Facts, PageOrigin, Snapshot, decide
from gateway.model import Channel
from gateway.policy.release import load_release
from gateway.policy.settings import load_settings
from gateway.records import Records
from gateway.records.index import Index

REFERENCE = "24/100"
"""The demo's authorisation for the application that `--origin` brings."""
SESSIONS = 2_000
DECISIONS = 20_000
ROUNDS = 5
SEED = 20261124


@dataclass(frozen=True, slots=True)
class Size:
    """How many persons, and designations of each; none: as the demo has them."""

    persons: int = 0
    each: int = 0


SIZES = (Size(), Size(100_000, 10), Size(1_000_000, 1))
QUICK_SIZES = SIZES[:2]
"""A million persons take minutes to make."""


def decision_costs(world: World, directory: Path, sizes: Sequence[Size]) -> list[DecisionCost]:
    """For each of these sizes. The world's database is another one afterwards."""
    database = next((world.config.parent / "run").glob("*.sqlite"))
    empty = directory / "empty.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(empty)) as copy:
        source.backup(copy)
    found = []
    for size in sizes:
        for left in database.parent.glob(f"{database.name}*"):
            left.unlink()
        shutil.copyfile(empty, database)
        designations, persons = _fill(database, world, size)
        command = [sys.executable, "-m", "bench.decision", str(world.config), world.host]
        pinned = ["taskset", "-c", str(SERVER_CORE), *command]
        done = subprocess.run(pinned, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        said = json.loads(done.stdout)
        begun = time.perf_counter()
        serve = [sys.executable, "-m", "gateway", "serve", "--config", str(world.config)]
        process = start("gateway-started", serve, SERVER_CORE, directory)
        try:
            wait_until_ready(process, world.operator)
            seconds, cpu = time.perf_counter() - begun, process.cpu_seconds()
            memory = process.memory_bytes() / (1 << 20)
        finally:
            process.stop()
        cost = DecisionCost(designations, persons, SESSIONS, said["decide_us"], said["whole_us"], seconds, cpu, memory)
        print(f"bench: {cost}", flush=True)
        found.append(cost)
    return found


# ------------------------------------------------------------------------------------------------------------- database
def _fill(database: Path, world: World, size: Size) -> tuple[int, int]:
    """Adds persons like the demo's first, with designations, and sessions of some of them: how many there are then."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        # This copy is thrown away: whether it outlives a power cut does not matter, and its making is not what is measured.
        connection.execute("PRAGMA synchronous = OFF")
        guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        with connection:
            for name, _ in guards:  # they look at each new row, which takes a minute for millions; put back at the end
                connection.execute(f"DROP TRIGGER {name}")
            if size.persons:
                _add_persons(connection, world.user_id, size)
            _add_sessions(connection, world, size)
            for _, guard in guards:
                connection.execute(guard)
        counts = (
            connection.execute("SELECT count(*) FROM designations WHERE ended_at IS NULL"),
            connection.execute("SELECT count(*) FROM user_ids WHERE ended_at IS NULL"),
        )
        designations, persons = (int(count.fetchone()[0]) for count in counts)
    return designations, persons


def _add_persons(connection: sqlite3.Connection, like: str, size: Size) -> None:
    """Each as the demo made the one person: same institution, mandate and acceptance, numbers and words of their own."""
    numbers = {
        "first": 1_000_000,
        "last": 1_000_000 + size.persons - 1,
        "like": like,
        "each": size.each,
        "reference": REFERENCE,
    }
    counted = "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
    for table, user, changed in (
        (
            "persons",
            "id = (SELECT person FROM user_ids WHERE user_id = :like)",
            {"insz": "printf('%011d', i)", "id": "i"},
        ),
        ("user_ids", "user_id = :like", {"user_id": "'bench' || i", "person": "i"}),
        ("acceptances", "user_id = :like", {"user_id": "'bench' || i"}),
    ):
        _copy(connection, counted, "n", table, user, changed, numbers)
    several = counted + ", m(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM m WHERE j < :each - 1) "
    word = "CASE j WHEN 0 THEN :reference ELSE '99/' || (900 + j) END"
    _copy(
        connection, several, "n JOIN m", "designations", "user_id = :like AND authorisation = :reference",
        {"user_id": "'bench' || i", "authorisation": word}, numbers,
    )  # fmt: skip


def _copy(
    connection: sqlite3.Connection,
    counted: str,
    numbers: str,
    table: str,
    which: str,
    changed: dict[str, str],
    values: dict[str, object],
) -> None:
    """For each number a copy of one row; `changed` are columns and what stands in them instead."""
    known = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    columns = [name for name in known if name != "id" or "id" in changed]
    chosen = ", ".join(changed.get(name, f"t.{name}") for name in columns)
    into = f"INSERT INTO {table} ({', '.join(columns)}) "
    one = f"(SELECT * FROM {table} WHERE {which} AND ended_at IS NULL LIMIT 1) AS t"
    connection.execute(f"{counted} {into} SELECT {chosen} FROM {numbers} JOIN {one}", values)


def _add_sessions(connection: sqlite3.Connection, world: World, size: Size) -> None:
    now = time.time()
    for number in range(SESSIONS):
        user = f"bench{1_000_000 + number * size.persons // SESSIONS}" if size.persons else world.user_id
        connection.execute(
            "INSERT INTO sessions (id, user_id, means, auth_time, created_at, expires_at, last_seen) VALUES (?, ?, 'password', ?, ?, ?, ?)",
            (f"bench{number}", user, now, now, now + 36_000, now),
        )
        connection.execute(
            "INSERT INTO session_cookies (hash, session, host) VALUES (?, ?, ?)",
            (_hash(number), f"bench{number}", world.host),
        )


def _hash(number: int) -> bytes:
    return hashlib.sha256(f"bench{number}".encode()).digest()


# ------------------------------------------------------------------------------------------------------------ measuring
def _measure(index: Index, snapshot: Snapshot, host: str, now: float) -> dict[str, float]:
    """Microseconds a decision, and with the making of its facts. Each is a permit, of a person drawn at random, so that no cache of the
    processor knows them. As in a request the facts are just made when they are decided on: the decision costs what it adds to that."""
    connection = Connection(Channel.USER, "TLSv1.3", "TLS_AES_256_GCM_SHA384", host)
    drawn = random.Random(SEED)
    hashes = [_hash(drawn.randrange(SESSIONS)) for _ in range(DECISIONS)]

    def facts(token_hash: bytes) -> Facts:
        entry = index.session(token_hash, host)
        if entry is None:
            raise RuntimeError("a session of the bench is not in the index")
        return Facts(
            now, connection, "GET", host, True, "/dossiers/17", agent=Agent.BROWSER, fetch_site="same-origin",
            page_origin=PageOrigin.NONE, navigation=True, activity=True, session=entry.session, last_seen=entry.last_seen,
            user=index.user(entry.session.user_id), records_current=index.current(now),
        )  # fmt: skip

    if not (decision := decide(facts(hashes[0]), snapshot)).permitted:
        raise RuntimeError(f"not permitted: {decision.reason.code}")
    made_us = _cost(lambda: [facts(token_hash) for token_hash in hashes])
    whole_us = _cost(lambda: [decide(facts(token_hash), snapshot) for token_hash in hashes])
    return {"decide_us": whole_us - made_us, "whole_us": whole_us}


def _cost(work: Callable[[], object]) -> float:
    """Microseconds a decision, the median of the rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        found.append((time.process_time() - begun) / DECISIONS * 1e6)
    return sorted(found)[ROUNDS // 2]


async def _main(config: Path, host: str) -> None:
    settings = load_settings(config)
    now = time.time()
    snapshot = load_release(settings, now).snapshot
    records = await Records.open(settings.records_settings)
    try:
        while not records.index.current(time.time()):  # noqa: ASYNC110 - a start that took long reads once more what changed
            await asyncio.sleep(0.05)
        print(json.dumps(_measure(records.index, snapshot, host, time.time())))
    finally:
        await records.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2]))
