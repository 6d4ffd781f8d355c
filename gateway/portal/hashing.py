"""Passwords are hashed in threads of their own, few of them and with a bounded queue: a sign-in never stalls traffic.

Whoever sends wrong passwords without end fills no more of the queue than is left free for others: a client network may have as many
places as are empty. So one that floods has half of them, two have two thirds between them, and who comes from elsewhere finds room.
(Dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.)

Nor do they wait behind it: networks take turns, and an attempt asks nothing of the records before its turn has come. Else those of a
flood would wait there, one after the other, for the one who may write. And a network's refusals are answered at a pace (`turns.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Final, TypeVar

from gateway.errors import GatewayError
from gateway.portal.turns import Pace, Turns

QUEUE_PER_THREAD: Final = 20
"""At some 0.1 s a hash the last in the queue waits about 2 s; who would come after it is asked to try again."""
ATTEMPTS_PER_THREAD: Final = 2
"""Attempts under way: while some are hashed, others ask the records. Of one client network there is one a thread at most, so that who
comes from elsewhere finds nothing ahead but what is being hashed."""

T = TypeVar("T")


class Busy(GatewayError):
    """Too many sign-ins wait already."""


MOST_KEPT_WAITING = 500
"""Refusals of one worker that wait for their moment. A client that went away does not end its own: the proxy's bounds do not hold here."""


class HashingPool:
    """`run` does one piece of work in the pool; `attempt` waits for the turn of an attempt. To be used on one event loop."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._room = threads * (1 + QUEUE_PER_THREAD)
        self._inside: Counter[str] = Counter()
        """Places that are taken, by client network."""
        self._threads = threads
        self._under_way: Counter[str] = Counter()
        """Attempts whose turn has come and is not over, by client network."""
        self._turns: Turns[asyncio.Future[None]] = Turns()
        self._pace = Pace()
        self._kept_waiting = 0

    @asynccontextmanager
    async def attempt(self, network: str) -> AsyncIterator[Place]:
        """An attempt of somebody of this network, begun when their turn has come; the place is for what is to be hashed for it.

        Raises `Busy` as `take_place` does, though not before an answer to that network is due; whoever waited for that is tried once more.
        No more than `MOST_KEPT_WAITING` are, with their forms in memory: the others hear it at once.
        """
        try:
            place = self.take_place(network)
        except Busy:
            if self._kept_waiting >= MOST_KEPT_WAITING:
                raise
            self._kept_waiting += 1
            try:
                await asyncio.sleep(self._pace.wait(network, asyncio.get_running_loop().time()))
            finally:
                self._kept_waiting -= 1
            place = self.take_place(network)
        with place:
            await self._turn(network)
            try:
                yield place
            finally:
                self._end_turn(network)

    def take_place(self, network: str) -> Place:
        """A place in the queue, for one piece of work that a client of this network (any word for it) asks for. Raises `Busy` at once when
        the queue is full, or as much of it theirs as is free.

        To be taken before anything is done that must not be done in vain: an attempt that is counted, say.
        """
        if self._inside[network] >= self._room - self._inside.total():
            raise Busy("the queue of sign-ins is full")
        self._inside[network] += 1
        return Place(self._executor, partial(self._leave, network))

    async def run(self, network: str, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises `Busy` as `take_place` does."""
        with self.take_place(network) as place:
            return await place.run(work)

    async def _turn(self, network: str) -> None:
        if self._may_begin(network):
            self._under_way[network] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.put(network, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._end_turn(network)  # it came as whoever asked went away
            raise

    def _may_begin(self, network: str) -> bool:
        room = self._threads * ATTEMPTS_PER_THREAD
        return self._under_way.total() < room and self._under_way[network] < self._threads

    def _end_turn(self, network: str) -> None:
        _one_less(self._under_way, network)
        while (following := self._turns.take(self._may_begin)) is not None:
            network, turn = following
            if not turn.cancelled():
                self._under_way[network] += 1
                turn.set_result(None)

    def _leave(self, network: str) -> None:
        _one_less(self._inside, network)

    def close(self) -> None:
        """Drops what waits; what runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Place:
    """One place in the queue, given back at the end of a `with` block that did not use it."""

    def __init__(self, executor: ThreadPoolExecutor, leave: Callable[[], None]) -> None:
        self._executor = executor
        self._leave = leave
        self._used = False

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._used:
            self._leave()

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises."""
        if self._used:
            raise GatewayError("a place is for one piece of work")
        loop = asyncio.get_running_loop()
        job: Future[T] = self._executor.submit(work)
        self._used = True
        # Counted until the thread is done with it, also when whoever asked has gone.
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(job)


def _one_less(counts: Counter[str], network: str) -> None:
    counts[network] -= 1
    if not counts[network]:
        del counts[network]
