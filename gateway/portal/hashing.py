"""Passwords are hashed in threads of their own, few of them and with a bounded queue: a sign-in never stalls traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from gateway.errors import GatewayError

QUEUE_PER_THREAD: Final = 20
"""At some 0.1 s a hash the last in the queue waits about 2 s; who would come after it is asked to try again."""

T = TypeVar("T")


class Busy(GatewayError):
    """Too many sign-ins wait already."""


class HashingPool:
    """`run` does one piece of work in the pool. To be used on one event loop."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._room = threads * (1 + QUEUE_PER_THREAD)
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises `Busy` at once when the queue is full."""
        if self._inside >= self._room:
            raise Busy("the queue of sign-ins is full")
        loop = asyncio.get_running_loop()
        self._inside += 1
        job: Future[T] = self._executor.submit(work)
        # Counted until the thread is done with it, also when whoever asked has gone.
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(job)

    def _leave(self) -> None:
        self._inside -= 1

    def close(self) -> None:
        """Drops what waits; what runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)
