"""The records at 100,000 persons and 1,000,000 designations, on SQLite and on PostgreSQL: how long a start takes, a change, a backup.

    .venv/bin/python -m bench.records [--persons N] [--designations-each N]

The worst case: everybody signed in within the last day, so that all of it is in the index. A start is `Records.open`, in wall time and in time of
the processor; a change is what one process commits and another then knows. Nothing else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from bench.people import DAY, NOW, fill
from gateway.records import By, Records, RecordsDesk, RecordsSettings, Restoring, restore, upgrade_schema
from gateway.records.database import Database
from gateway.records.schema import session_cookies, sessions, user_ids
from tests.postgresql import Cluster

BY = By("shell", "bench")
PORTAL = "portal.example"
CHANGES = 40
AT_ONCE = 5_000


def clock() -> float:
    return NOW


async def sign_everybody_in(settings: RecordsSettings) -> None:
    """A session and its cookie for each user ID."""
    database = Database(settings, patient=True)
    async with database.writing() as connection:
        names = (await connection.execute(sa.select(user_ids.c.user_id))).scalars().all()
        for start in range(0, len(names), AT_ONCE):
            chosen = names[start : start + AT_ONCE]
            rows = [
                {
                    "id": f"session of {name}",
                    "user_id": name,
                    "means": "password",
                    "auth_time": NOW,
                    "created_at": NOW,
                    "expires_at": NOW + DAY,
                    "last_seen": NOW - 3600.0,
                }
                for name in chosen
            ]
            await connection.execute(sa.insert(sessions), rows)
            cookies = [{"hash": row["id"].encode(), "session": row["id"], "host": PORTAL} for row in rows]
            await connection.execute(sa.insert(session_cookies), cookies)
    await database.close()


async def timed(what: str, work: Awaitable[object]) -> object:
    wall, processor = time.perf_counter(), time.process_time()
    result = await work
    print(
        f"{what:44} {time.perf_counter() - wall:8.2f} s, of them this process {time.process_time() - processor:7.2f} s",
        flush=True,
    )
    return result


async def measure(name: str, settings: RecordsSettings) -> None:
    await sign_everybody_in(settings)
    one = await timed(f"{name}: start", Records.open(settings, clock))
    assert isinstance(one, Records)
    other = await Records.open(settings, clock)
    gc.collect()
    gc.freeze()  # as a process that serves does (app/life.py)
    try:
        held = one.index.held()
        print(
            f"{name}: {len(held)} persons in the index, {sum(len(one.index.user(key).designations) for key in held)} designations"
        )
        took = [await change(one, other, held[number * 97 % len(held)], number) for number in range(CHANGES)]
        print(
            f"{name}: a change is known to another process after {statistics.median(took) * 1000:.0f} ms, at most {max(took) * 1000:.0f} ms"
        )
    finally:
        await other.close()
        await one.close()


async def change(one: Records, other: Records, user_id: str, number: int) -> float:
    """From before the write to when the other process has it."""

    def known() -> bool:
        user = other.index.user(user_id)
        return user is not None and f"Role{number}" in user.roles

    began = time.perf_counter()
    await one.add_role(user_id, f"Role{number}", BY, NOW)
    while not known():  # noqa: ASYNC110 - another process's index, as it were
        await asyncio.sleep(0.002)
    return time.perf_counter() - began


async def run(directory: Path, people: int, each: int) -> None:
    (directory / "records.key").write_bytes(bytes(range(32)))
    file = RecordsSettings(directory / "records.sqlite", directory / "records.key")
    upgrade_schema(file)
    fill(file.path, people, each)
    print(f"made: {file.path.stat().st_size / 1e6:.0f} MB", flush=True)
    backup = directory / "records.backup"
    desk = await RecordsDesk.open(file)
    await timed("backup of SQLite, read back", desk.backup(backup, BY, NOW))
    await desk.close()
    print(f"backup: {backup.stat().st_size / 1e6:.0f} MB")
    await measure("SQLite", file)
    cluster = Cluster(quick=False)
    try:
        server = replace(file, database=cluster.server(cluster.empty()))
        await timed("restore to PostgreSQL, checked", restore(server, Restoring(backup, BY, NOW)))
        await measure("PostgreSQL", server)
    finally:
        cluster.remove()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.records", description=__doc__)
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--designations-each", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), asked.persons, asked.designations_each))


if __name__ == "__main__":
    main()
