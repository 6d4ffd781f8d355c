"""A thread that does one job after another for an event loop, and some house-keeping about once a second."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

HOUSEKEEPING_SECONDS = 1.0
"""How often free space is measured, and a stream's file looked at."""

_Result = TypeVar("_Result")
_Value = TypeVar("_Value")


class Hand(Generic[_Result]):
    """Jobs go in on the loop; each result comes back to the loop by one `call_soon_threadsafe`. Jobs must not raise."""

    def __init__(
        self, name: str, loop: asyncio.AbstractEventLoop, keep_house: Callable[[], None], finish: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._keep_house = keep_house
        self._finish = finish
        self._jobs: SimpleQueue[tuple[Callable[[], _Result], Callable[[_Result], None]] | None] = SimpleQueue()
        # A daemon: a thread that hangs in a system call must not keep the process.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Callable[[], _Result], landed: Callable[[_Result], None]) -> None:
        """Has `job` done in the thread, and `landed` called on the loop with its result."""
        self._jobs.put((job, landed))

    def post(self, function: Callable[[_Value], None], value: _Value) -> None:
        """From the thread: has a function called on the loop."""
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, value)

    async def end(self, seconds: float) -> bool:
        """Lets the thread finish, and waits for it so long; whether it did."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        kept = time.monotonic() - HOUSEKEEPING_SECONDS
        while True:
            wait = kept + HOUSEKEEPING_SECONDS - time.monotonic()
            if wait <= 0:
                kept = time.monotonic()
                self._keep_house()
                continue
            try:
                job = self._jobs.get(timeout=wait)
            except Empty:
                continue
            if job is None:
                self._finish()
                return
            run, landed = job
            self.post(landed, run())
