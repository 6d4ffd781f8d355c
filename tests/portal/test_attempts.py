"""Attempts under attack: what strangers do must not be counted against a person."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.credentials import password as passwords
from gateway.errors import CredentialError
from gateway.portal import hashing
from tests.portal.conftest import World


@pytest.fixture
def no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for one hash a thread; to be asked for before the world is made."""
    monkeypatch.setattr(hashing, "QUEUE_PER_THREAD", 0)


async def test_attempts_that_nobody_had_time_to_check_are_not_counted_against_the_person(
    no_queue: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, both = threading.Event(), threading.Barrier(3)

    def slow(password: str) -> None:
        both.wait()
        go.wait(10)
        raise CredentialError("unknown_user_id")

    monkeypatch.setattr(passwords, "verify_nobody", slow)
    strangers = [asyncio.create_task(world.browser().sign_in(f"nobody0{n}", "x")) for n in range(2)]
    try:
        await asyncio.wait_for(asyncio.to_thread(both.wait), 10)
        for _ in range(5):
            assert (await world.browser().sign_in()).status == 503
    finally:
        go.set()
        await asyncio.gather(*strangers)
    assert (await world.browser().sign_in()).status == 303
