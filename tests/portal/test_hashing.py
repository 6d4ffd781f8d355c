from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest

from gateway.portal import hashing
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


async def test_somebody_from_elsewhere_begins_at_once_and_a_flood_asks_nothing_before_its_turn() -> None:
    pool = HashingPool(2)
    begun: list[str] = []
    go = asyncio.Event()

    async def attempt(network: str) -> None:
        async with pool.attempt(network):
            begun.append(network)
            await go.wait()

    flood = [asyncio.create_task(attempt("flood")) for _ in range(20)]
    await asyncio.sleep(0)
    assert begun == ["flood"] * 2
    person = asyncio.create_task(attempt("person"))
    await asyncio.sleep(0)
    assert begun == ["flood"] * 2 + ["person"]
    go.set()
    await asyncio.gather(*flood, person)
    assert begun.count("flood") == 20
    pool.close()


async def test_networks_take_turns() -> None:
    pool = HashingPool(1)
    begun: list[str] = []

    async def attempt(network: str) -> None:
        async with pool.attempt(network):
            begun.append(network)
            await asyncio.sleep(0)

    await asyncio.gather(*(attempt(network) for network in "aaaaaabbbccd"))
    assert sorted(begun) == sorted("aaaaaabbbccd")
    # Two are under way, of two networks: the first two; then whose turn it is.
    assert "".join(begun[:6]) == "ababcd"
    pool.close()


@pytest.mark.parametrize("at_its_turn", [False, True])
async def test_whoever_goes_while_waiting_leaves_the_turn_to_the_next(at_its_turn: bool) -> None:
    pool = HashingPool(1)
    go = asyncio.Event()

    async def attempt(also: Callable[[], object]) -> str:
        async with pool.attempt("a"):
            await go.wait()
        also()
        return "done"

    def leave() -> None:
        gone.cancel()  # the turn is theirs by then, though they do not know it yet

    first = asyncio.create_task(attempt(leave))
    gone, last = (asyncio.create_task(attempt(lambda: None)) for _ in range(2))
    await asyncio.sleep(0)
    if not at_its_turn:
        gone.cancel()
        await asyncio.sleep(0)
    go.set()
    assert list(await asyncio.wait_for(asyncio.gather(first, last), 10)) == ["done", "done"]
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await asyncio.wait_for(attempt(lambda: None), 10) == "done"
    pool.close()


async def test_a_refusal_is_answered_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = HashingPool(1)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for n in range(1 + QUEUE_PER_THREAD):
        pool.take_place(str(n))
    for _ in range(5):
        with pytest.raises(Busy):
            async with pool.attempt("flood"):
                raise AssertionError
    assert waits[0] == 0.0
    assert waits[4] > waits[3] > waits[2] > waits[1] > 0.0
    pool.close()


async def test_refusals_that_wait_are_bounded_and_whoever_waited_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that goes away leaves its refusal waiting, with its form: beyond the bound nobody is kept."""
    monkeypatch.setattr(hashing, "MOST_KEPT_WAITING", 3)
    pool = HashingPool(1)
    go = threading.Event()
    room = 1 + QUEUE_PER_THREAD
    full = [asyncio.ensure_future(pool.run(str(n), go.wait)) for n in range(room)]
    await asyncio.sleep(0)

    async def attempt() -> str:
        async with pool.attempt("office") as place:
            return await place.run(lambda: "let in")

    with pytest.raises(Busy):  # the first of a network hears it at once
        await attempt()
    kept = [asyncio.ensure_future(attempt()) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(5):
        with pytest.raises(Busy):
            await asyncio.wait_for(attempt(), 0.05)
    go.set()
    await asyncio.gather(*full)
    assert await asyncio.wait_for(asyncio.gather(*kept), 10) == ["let in"] * 3
    pool.close()
