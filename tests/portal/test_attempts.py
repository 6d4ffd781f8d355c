"""Attempts under attack: what strangers do must not be counted against a person."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.credentials import password as passwords
from gateway.errors import CredentialError
from gateway.portal import hashing, turns
from gateway.records import Login, Records
from tests.portal.conftest import SETTINGS, Browser, World


@pytest.fixture
def no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for one hash a thread; to be asked for before the world is made."""
    monkeypatch.setattr(hashing, "QUEUE_PER_THREAD", 0)


def stranger(world: World, address: str) -> Browser:
    browser = world.browser()
    browser.address = address
    return browser


async def test_attempts_that_nobody_had_time_to_check_are_not_counted_against_the_person(
    no_queue: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, both = threading.Event(), threading.Barrier(3)

    def slow(password: str) -> None:
        both.wait()
        go.wait(60)
        raise CredentialError("unknown_user_id")

    monkeypatch.setattr(passwords, "verify_nobody", slow)
    strangers = [
        asyncio.create_task(stranger(world, f"198.51.{100 + n}.1").sign_in(f"nobody0{n}", "x")) for n in range(2)
    ]
    try:
        await asyncio.wait_for(asyncio.to_thread(both.wait), 10)
        for _ in range(5):
            assert (await world.browser().sign_in()).status == 503
    finally:
        go.set()
        await asyncio.gather(*strangers)
    assert (await world.browser().sign_in()).status == 303


async def test_who_floods_the_sign_in_from_one_network_keeps_nobody_else_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, busy = threading.Event(), threading.Semaphore(0)

    def slow(password: str) -> None:
        busy.release()
        go.wait(60)
        raise CredentialError("unknown_user_id")

    monkeypatch.setattr(passwords, "verify_nobody", slow)
    monkeypatch.setattr(turns, "REFUSALS_A_SECOND", 1000.0)
    room = SETTINGS.hashing_threads * (1 + hashing.QUEUE_PER_THREAD)
    flood = [
        asyncio.create_task(stranger(world, "198.51.100.7").sign_in(f"nobody{n:02}", "x")) for n in range(2 * room)
    ]
    try:
        refused, _ = await asyncio.wait(flood, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        for _thread in range(SETTINGS.hashing_threads):
            assert await asyncio.to_thread(busy.acquire, timeout=60)
        person = asyncio.create_task(world.browser().sign_in())
        await asyncio.sleep(0.5)
        assert not person.done()  # waiting for its turn: it was not sent away
    finally:
        go.set()
        answers = await asyncio.gather(*flood)
    assert {task.result().status for task in refused} == {503}
    assert (await person).status == 303
    assert sum(answer.status == 403 for answer in answers) >= room // 2


async def test_an_attempt_of_a_flood_asks_nothing_of_the_records_before_its_turn_and_is_refused_without_asking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, asked, another = threading.Event(), [], asyncio.Event()
    find_login = Records.find_login

    def slow(password: str) -> None:
        go.wait(60)
        raise CredentialError("unknown_user_id")

    async def counting(records: Records, user_id: str) -> Login | None:
        asked.append(user_id)
        another.set()
        return await find_login(records, user_id)

    monkeypatch.setattr(passwords, "verify_nobody", slow)
    monkeypatch.setattr(Records, "find_login", counting)
    monkeypatch.setattr(turns, "REFUSALS_A_SECOND", 1000.0)
    places = SETTINGS.hashing_threads * (1 + hashing.QUEUE_PER_THREAD) // 2
    flood = [asyncio.create_task(stranger(world, "198.51.100.7").sign_in(f"nobody{n:02}", "x")) for n in range(60)]
    try:
        while sum(task.done() for task in flood) < len(flood) - places:
            await asyncio.wait([task for task in flood if not task.done()], return_when=asyncio.FIRST_COMPLETED)
        assert len(asked) == SETTINGS.hashing_threads
        another.clear()
        person = asyncio.create_task(world.browser().sign_in())
        await asyncio.wait_for(another.wait(), 10)
        assert asked[-1] == "jansen01"  # ahead of all that wait
    finally:
        go.set()
        answers = await asyncio.gather(*flood)
    assert (await person).status == 303
    assert len(asked) == places + 1
    assert sorted({answer.status for answer in answers}) == [403, 503]
