"""Run a gateway until it is stopped: one worker in this process, or several under the supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from gateway.app.life import Inheritance, Stop, live
from gateway.app.prepared import Prepared
from gateway.app.reloading import Outcome, write_outcome
from gateway.app.supervisor import HANG_UP, Supervisor


def serve(prepared: Prepared, ready: Callable[[], None]) -> None:
    """Until SIGTERM or SIGINT, which drain; a second one cuts what still runs. SIGHUP loads table and certificates anew.

    `ready` is called once, when permitted requests can be forwarded. Raises GatewayError when the start fails.
    """
    if prepared.workers > 1:
        Supervisor(prepared, ready).run()
        return
    master = Signals(prepared, ready)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_alone(prepared, master))
    finally:
        master.leave()


async def _alone(prepared: Prepared, master: Signals) -> None:
    try:
        await live(prepared, 0, Inheritance(), master)
    finally:
        # It ends in order: one signal more must not kill it on its last steps, when the loop hears none any more.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


class Signals:
    """The master of a worker that is the whole gateway: the operator's signals, the pid file, and the file that tells of a reload."""

    def __init__(self, prepared: Prepared, ready: Callable[[], None]) -> None:
        self._pid_file: Path = prepared.settings.pid_file
        self._reload_file: Path = prepared.settings.reload_file
        self._ready = ready
        self._reloads: set[asyncio.Task[None]] = set()
        self._reload: Callable[[str], Awaitable[Outcome]] | None = None
        self._known = False

    def attach(self, stop: Stop, reload: Callable[[str], Awaitable[Outcome]]) -> None:
        loop = asyncio.get_running_loop()
        self._reload = reload
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.ask)
        loop.add_signal_handler(signal.SIGHUP, self.changed, HANG_UP)

    def changed(self, cause: str) -> None:
        reload = self._reload

        async def told() -> None:
            if reload is None:
                return
            outcome = await reload(cause)
            if cause == HANG_UP:  # whoever asked waits for the answer to that, and to nothing else
                write_outcome(self._reload_file, outcome)

        task = asyncio.get_running_loop().create_task(told())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def ready(self, table: str) -> None:
        self._pid_file.write_text(f"{os.getpid()}\n")
        self._known = True
        self._ready()

    def counted(self, decisions: Counter[str]) -> None:
        """Nobody comes after it."""

    def leave(self) -> None:
        if self._known:  # else the file is of the gateway that was in our way
            self._pid_file.unlink(missing_ok=True)
