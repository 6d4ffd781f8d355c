"""Whom the index does not know is looked for in the database before they are refused: another worker may just have signed them in."""

from __future__ import annotations

import asyncio
import dataclasses as dc
from pathlib import Path

from gateway.model import Means
from tests.decision import world
from tests.proxy.stage import Stage, stage, until

COOKIE = "Cookie: __Host-gw-session=made-by-another-worker"


class Database:
    """What the other workers have committed, and how it is asked for."""

    def __init__(self, it: Stage) -> None:
        self.asked: list[asyncio.Future[bool]] = []
        it.gate.catch_up = self.catch_up

    def catch_up(self) -> asyncio.Future[bool]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]


def request(it: Stage) -> bytes:
    return it.request("GET /dossier/x HTTP/1.1", COOKIE, signed_in=False)


async def test_who_signed_in_with_another_worker_is_let_in(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        database = Database(it)
        answer = asyncio.create_task(it.ask(request(it)))
        await until(lambda: bool(database.asked))
        assert not it.seen
        it.records.signed_in(dc.replace(world.SESSION, id="other", means=Means.EID), "made-by-another-worker")
        database.asked[0].set_result(True)
        assert (await answer).startswith(b"HTTP/1.1 200 ")
        assert (it.gate.decisions["permitted"], it.gate.decisions["sign_in_required"]) == (1, 0)


async def test_who_is_not_there_is_asked_for_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        database = Database(it)
        answer = asyncio.create_task(it.ask(request(it)))
        await until(lambda: bool(database.asked))
        database.asked[0].set_result(True)
        assert (await answer).startswith(b"HTTP/1.1 401 ")
        assert len(database.asked) == 1
        assert not it.seen


async def test_records_that_do_not_answer_let_nobody_in(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        database = Database(it)
        answer = asyncio.create_task(it.ask(request(it)))
        await until(lambda: bool(database.asked))
        database.asked[0].set_result(False)
        assert (await answer).startswith(b"HTTP/1.1 503 ")
        assert it.gate.decisions["records_unavailable"] == 1
        assert not it.seen


async def test_who_has_a_permit_or_no_cookie_asks_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        database = Database(it)
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 200 ")
        assert (await it.ask(it.request(signed_in=False))).startswith(b"HTTP/1.1 401 ")
        assert not database.asked


async def test_who_leaves_while_they_are_looked_for_still_leaves_a_line(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        database = Database(it)
        _, writer = await it.connect()
        writer.write(request(it))
        await until(lambda: bool(database.asked))
        writer.transport.abort()
        await until(lambda: not it.gate.connections)
        it.records.signed_in(dc.replace(world.SESSION, id="other", means=Means.EID), "made-by-another-worker")
        database.asked[0].set_result(True)
        await until(lambda: it.gate.decisions["permitted"] == 1)
        assert (await it.completion())["outcome"] == "client_closed"
        assert not it.seen
