"""The supervisor's line to a worker: orders go down, what became of them comes up; a line of JSON each, over a pair of sockets.

Its end is an order too: when the supervisor dies, however it dies, each worker reads the end of its line and drains. So no worker lives
on that nobody can stop or reload.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
import uvloop

from gateway.app.life import Inheritance, Stop, live
from gateway.app.prepared import Prepared
from gateway.app.reloading import Outcome
from gateway.errors import GatewayError

BEAT_SECONDS = 1.0
"""How often a worker's loop says that it turns."""
FAILED = 2
"""Exit status of a worker that told why it could not start or go on."""
FAULT = 70
"""Exit status of a worker that a fault of ours ended (EX_SOFTWARE)."""

_log = structlog.get_logger("gateway")


def employed(prepared: Prepared, number: int, inheritance: Inheritance, line: socket.socket) -> int:
    """Worker `number`, from the fork to its exit status.

    A terminal's Ctrl-C and hang-up reach every process of its group: they are the supervisor's to act on. SIGTERM drains this worker
    alone, and another takes its place.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    structlog.contextvars.bind_contextvars(worker=number)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(prepared, number, inheritance, line))
    except GatewayError as error:
        line.setblocking(True)
        line.sendall(orjson.dumps({"failed": str(error)}) + b"\n")
        return FAILED
    except Exception:  # noqa: BLE001 - the last frame of this process: whatever it was is told, and its end is seen by the supervisor
        _log.critical("worker_fault", exc_info=True)
        return FAULT
    return 0


async def _live(prepared: Prepared, number: int, inheritance: Inheritance, line: socket.socket) -> None:
    line.setblocking(False)
    # A copy: what could not start is told after the loop has closed its own.
    reader, writer = await asyncio.open_unix_connection(sock=line.dup())
    master = Line(reader, writer)
    try:
        await live(prepared, number, inheritance, master)
    finally:
        await master.leave()


class Line:
    """The supervisor, as its worker sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._told: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, stop: Stop, reload: Callable[[str], Awaitable[Outcome]]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.asked.set)
        self._keep(loop.create_task(self._take_orders(stop, reload)))

    def ready(self, table: str) -> None:
        self._tell({"ready": table})
        self._keep(asyncio.get_running_loop().create_task(self._beat()))

    def changed(self, cause: str) -> None:
        self._tell({"changed": cause})

    def counted(self, decisions: Counter[str]) -> None:
        if decisions != self._told:
            self._told = decisions.copy()
            self._tell({"decisions": decisions})

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            _log.warning("supervisor_not_told")  # it is gone: nobody is left to be told

    async def _take_orders(self, stop: Stop, reload: Callable[[str], Awaitable[Outcome]]) -> None:
        while order := await self._next():
            if "reload" in order:
                self._keep(asyncio.get_running_loop().create_task(self._reload(order, reload)))
            elif order.get("stop") == "now":
                stop.asked.set()
                stop.now.set()
            else:
                stop.asked.set()
        if not stop.asked.is_set():
            _log.critical("supervisor_gone", effect="this worker drains and ends")
            stop.asked.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._tell({"beat": True})

    async def _next(self) -> dict[str, Any] | None:
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return orjson.loads(line) if line else None

    async def _reload(self, order: dict[str, Any], reload: Callable[[str], Awaitable[Outcome]]) -> None:
        self._tell({"reload": order["reload"], "outcome": await reload(order["cause"])})

    def _tell(self, what: dict[str, object]) -> None:
        self._writer.write(orjson.dumps(what) + b"\n")

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def leave_process(status: int) -> None:
    """End a forked process without the rest of the stack that it was forked in, which is its parent's to unwind."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
