from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.portal.hashing import QUEUE_PER_THREAD, Busy, HashingPool


async def test_the_pool_gives_what_the_work_gives_or_raises() -> None:
    pool = HashingPool(1)

    def fail() -> None:
        raise KeyError("x")

    assert await pool.run(lambda: 7) == 7
    with pytest.raises(KeyError):
        await pool.run(fail)
    pool.close()


async def test_a_full_queue_says_so_at_once_and_has_room_again_when_work_is_done() -> None:
    pool = HashingPool(1)
    go = threading.Event()
    waiting = [asyncio.ensure_future(pool.run(go.wait)) for _ in range(1 + QUEUE_PER_THREAD)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await pool.run(lambda: None)
    go.set()
    await asyncio.gather(*waiting)
    await asyncio.sleep(0.01)
    assert await pool.run(lambda: "room") == "room"
    pool.close()


async def test_who_has_gone_is_counted_until_the_thread_is_done() -> None:
    pool = HashingPool(1)
    go = threading.Event()
    waiting = [asyncio.ensure_future(pool.run(go.wait)) for _ in range(1 + QUEUE_PER_THREAD)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await pool.run(lambda: None)
    go.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    pool.close()
