"""Gateways on one PostgreSQL server: what one machine commits the others know; and a server that is gone under those who are at work."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.demo.toml import dump
from gateway.policy.settings import load_settings
from gateway.records import By, RecordsDesk, Restoring, restore
from tests.end_to_end.client import Person, person
from tests.end_to_end.house import House
from tests.end_to_end.origin import Origin
from tests.postgresql import Cluster

AN = "an.peeters"
BY = By("shell", "to a server")
KNOWN_SECONDS = 1.0
SLACK_SECONDS = 10.0
"""What a loaded machine may add."""


def set_records(here: House, **values: Any) -> None:
    """Writes these keys of [records]."""
    file = here.config / "gateway.toml"
    content = tomllib.loads(file.read_text())
    content.setdefault("records", {}).update(values)
    tables = {key: value for key, value in content.items() if isinstance(value, dict | list)}
    file.write_text(dump("Adjusted.", {key: content[key] for key in content.keys() - tables.keys()}, tables))


async def move(here: House, url: str) -> None:
    """Its records go to a server, by a backup of the file (the commands do no more: tests/cli/test_database.py)."""
    backup = here.state / "records.backup"
    desk = await RecordsDesk.open(load_settings(here.config).records_settings)
    await desk.backup(backup, BY, time.time())
    await desk.close()
    set_records(here, database=url)
    await restore(load_settings(here.config).records_settings, Restoring(backup, BY, time.time()))


@pytest.mark.slow
async def test_what_one_machine_commits_another_knows(
    house: Callable[..., House], template: Path, origin: Origin, cluster: Cluster, tmp_path: Path
) -> None:
    """A session of one machine is good on the other, and ends there within a second of its end."""
    url = cluster.url(cluster.empty())
    one = house(origin=origin.url)
    await move(one, url)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(one.serve())
        two = House.copied(template, tmp_path / "two", origin.url, {"records": {"database": url}})
        stack.enter_context(two.serve())
        async with person(one.ca) as an:
            # Both have the template's keys and certificates, and browsers send cookies to whatever port.
            assert (await an.sign_in(one.url("app"), AN, one.person(AN)["password"])).status == 200
            async with await an.fetch(two.url("app") + "x") as answer:
                assert answer.status == 200
            events = await an.fetch(two.url("app") + "events")
            assert events.status == 200
            ended = asyncio.create_task(broken(events))
            await asyncio.sleep(1.0)
            assert not ended.done()
            done = await asyncio.to_thread(one.run, "session", "end", "--person", AN, "--reason", "a test")
            assert done.returncode == 0, done.stderr
            at = await asyncio.wait_for(ended, KNOWN_SECONDS + SLACK_SECONDS)
            async with await an.fetch(two.url("app") + "x") as answer:
                assert answer.status == 401
    (line,) = [line for line in one.lines.all() if line.get("act") == "session end"]
    took = at - dt.datetime.fromisoformat(line["time"]).timestamp()
    print(f"known on the other machine after {took:.3f} s")
    assert took <= KNOWN_SECONDS + SLACK_SECONDS
    assert [line["detail"] for line in two.lines.all() if line.get("outcome") == "access_ended"] == ["session_revoked"]
    assert one.verified()
    assert two.verified()


async def broken(answer: aiohttp.ClientResponse) -> float:
    """When it broke off."""
    with contextlib.suppress(aiohttp.ClientError):
        await answer.read()
    return time.time()


# --- a database that fails


@pytest.fixture(scope="module")
def fragile() -> Iterator[Cluster]:
    """A server of these tests' own."""
    made = Cluster()
    yield made
    made.remove()


@contextlib.contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.stop()
    yield
    cluster.start()


LIMIT = 3


@pytest.mark.slow
@pytest.mark.parametrize("how", [stopped, Cluster.hanging])
async def test_a_server_that_is_gone_under_those_at_work(
    house: Callable[..., House], origin: Origin, fragile: Cluster, how: Callable[[Cluster], Any]
) -> None:
    """Sign-in gets a page; sessions go on until the limit, their lines say how old the records are; then nobody; then it is over."""
    here = house(origin=origin.url)
    await move(here, fragile.url(fragile.empty()))
    set_records(here, stale_limit=f"{LIMIT}s")
    with here.serve():
        async with person(here.ca) as an, person(here.ca) as bo:
            password = here.person(AN)["password"]
            assert (await an.sign_in(here.url("app"), AN, password)).status == 200
            form = await bo.get(here.url("app"))
            with how(fragile):
                began = time.monotonic()
                async with await an.fetch(here.url("app") + "x") as answer:
                    assert answer.status == 200
                statuses = [await status(an, here)]
                while statuses[-1] != 503:
                    assert time.monotonic() - began < LIMIT + SLACK_SECONDS
                    await asyncio.sleep(0.1)
                    statuses.append(await status(an, here))
                assert set(statuses) == {200, 503}
                refused = await bo.fill_in(form, {"user_id": AN, "password": password, "code": ""})
                assert refused.status == 503
                assert "text/html" in refused.headers["Content-Type"]
            until = time.monotonic() + LIMIT + SLACK_SECONDS
            while await status(an, here) != 200:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            async with await an.fetch(here.url("app") + "x") as answer:
                assert answer.status == 200
    lines = [line for line in here.lines.all() if line["kind"] == "decision" and "records_age" in line]
    ages = [line["records_age"] for line in lines if line["reason"] == "permitted"]
    assert min(ages) < 1.0
    assert 1.0 < max(ages) <= LIMIT
    assert {line["records_age"] > LIMIT for line in lines if line["reason"] == "records_unavailable"} == {True}
    assert here.verified()


async def status(somebody: Person, here: House) -> int:
    async with await somebody.fetch(here.url("app") + "x") as answer:
        return answer.status


@pytest.mark.slow
async def test_nothing_stale_is_tolerated_where_the_settings_say_so(
    house: Callable[..., House], origin: Origin, fragile: Cluster
) -> None:
    """`records.stale_limit = "0s"`: each request rests on a look that began after it came, and is refused without one."""
    here = house(origin=origin.url)
    await move(here, fragile.url(fragile.empty()))
    set_records(here, stale_limit="0s")
    with here.serve():
        async with person(here.ca) as an:
            assert (await an.sign_in(here.url("app"), AN, here.person(AN)["password"])).status == 200
            assert await status(an, here) == 200
            with stopped(fragile):
                assert await status(an, here) == 503
            until = time.monotonic() + SLACK_SECONDS
            while await status(an, here) != 200:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
    ages = [
        line["records_age"] for line in here.lines.all() if line.get("reason") == "permitted" and "records_age" in line
    ]
    assert ages
    assert max(ages) < 0.5


@pytest.mark.slow
async def test_a_file_that_is_locked_or_replaced(house: Callable[..., House], origin: Origin) -> None:
    """Locked: nobody signs in, whoever is at work notices nothing. Replaced: nobody is let in, until a restart."""
    here = house(origin=origin.url, settings={"records": {"stale_limit": f"{LIMIT}s"}})
    database = load_settings(here.config).records_settings.path
    with here.serve():
        async with person(here.ca) as an, person(here.ca) as bo:
            password = here.person(AN)["password"]
            assert (await an.sign_in(here.url("app"), AN, password)).status == 200
            form = await bo.get(here.url("app"))
            with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                refused = await bo.fill_in(form, {"user_id": AN, "password": password, "code": ""})
                assert refused.status == 503
                assert await status(an, here) == 200
                other.execute("ROLLBACK")
            copy = database.with_name("copy.sqlite")
            with contextlib.closing(sqlite3.connect(database)) as whole:
                whole.execute("VACUUM INTO ?", (str(copy),))
            copy.replace(database)
            until = time.monotonic() + LIMIT + SLACK_SECONDS
            while await status(an, here) != 503:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
    assert here.verified()
