from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from gateway.portal.hashing import QUEUE_PER_THREAD, Busy, HashingPool


async def test_the_pool_gives_what_the_work_gives_or_raises() -> None:
    pool = HashingPool(1)

    def fail() -> None:
        raise KeyError("x")

    assert await pool.run("a", lambda: 7) == 7
    with pytest.raises(KeyError):
        await pool.run("a", fail)
    pool.close()


async def test_a_full_queue_says_so_at_once_and_has_room_again_when_work_is_done() -> None:
    pool = HashingPool(1)
    go = threading.Event()
    waiting = [asyncio.ensure_future(pool.run(str(n), go.wait)) for n in range(1 + QUEUE_PER_THREAD)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await pool.run("a", lambda: None)
    go.set()
    await asyncio.gather(*waiting)
    await asyncio.sleep(0.01)
    assert await pool.run("a", lambda: "room") == "room"
    pool.close()


async def test_a_network_has_as_many_places_as_are_left_free() -> None:
    pool = HashingPool(1)
    room = 1 + QUEUE_PER_THREAD
    places = dict.fromkeys(("first", "second", "third"), 0)
    for network in places:
        for _ in range(room):
            with contextlib.suppress(Busy):
                pool.take_place(network)
                places[network] += 1
    # The first two alone leave a quarter to whoever comes next.
    assert places == {"first": (room + 1) // 2, "second": room // 4, "third": 3}
    assert sum(places.values()) < room
    pool.close()


async def test_what_a_network_gave_back_it_may_have_again() -> None:
    pool = HashingPool(1)
    for _ in range(3 * QUEUE_PER_THREAD):
        with pool.take_place("a"):
            pass
    assert await pool.run("a", lambda: "room") == "room"
    pool.close()


async def test_who_has_gone_is_counted_until_the_thread_is_done() -> None:
    pool = HashingPool(1)
    go = threading.Event()
    waiting = [asyncio.ensure_future(pool.run(str(n), go.wait)) for n in range(1 + QUEUE_PER_THREAD)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await pool.run("a", lambda: None)
    go.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    pool.close()
