"""A worker's life: ledger first, then table, records, portal, and the doors last; stopping goes the other way round."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from gateway.app.prepared import Prepared
from gateway.app.reloading import Outcome
from gateway.app.siblings import Siblings
from gateway.app.worker import Worker
from gateway.ledger.ledger import Ledger
from gateway.records import Records

COLLECT_AT_OBJECTS = 20_000
"""So many objects more than at the last time, and Python looks for garbage that refers to itself. A request leaves none behind, but a
connection with one under way holds some seventy: at Python's 700 and with 128 of them it looked for every sixty-fifth request, in vain."""

_log = structlog.get_logger("gateway")


class Stop:
    """A stop has two steps: running requests finish; and what still runs is cut now. Made within the loop."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.now = asyncio.Event()

    def ask(self) -> None:
        """What a signal says: the first time drain, the second time now."""
        if self.asked.is_set():
            self.now.set()
        self.asked.set()


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a worker takes over from the one whose number it has: decisions counted so far, and the table that runs (its hash)."""

    decisions: Counter[str] = field(default_factory=Counter)
    table: str = ""


class Master(Protocol):
    """Whoever a worker works for: the operator's signals, or the supervisor."""

    def attach(self, stop: Stop, reload: Callable[[str], Awaitable[Outcome]]) -> None:
        """From now on orders are taken; those to reload wait for `ready`."""

    def ready(self, table: str) -> None: ...
    def changed(self, cause: str) -> None:
        """Every worker should read the table again; why."""

    def counted(self, decisions: Counter[str]) -> None:
        """These counts were told to somebody: a successor must not begin below them."""


async def live(prepared: Prepared, number: int, inheritance: Inheritance, master: Master) -> None:
    """Worker `number`, until its master stops it."""
    loop = asyncio.get_running_loop()
    settings = prepared.settings
    stop = Stop()
    begun: asyncio.Future[Worker] = loop.create_future()

    async def reload(cause: str) -> Outcome:
        return await (await asyncio.shield(begun)).reload(cause)

    master.attach(stop, reload)
    async with contextlib.AsyncExitStack() as stack:
        ledger = Ledger.open(settings.ledger_settings, number, loop)
        stack.push_async_callback(ledger.close)
        records = await Records.open(settings.records_settings)
        stack.push_async_callback(records.close)
        # The index of 100,000 sessions is some 550 MiB that lives for hours: looking through it would stop everything for seconds.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AT_OBJECTS)
        siblings = Siblings(settings, number, prepared.workers)
        worker = Worker(
            prepared, number, inheritance.decisions, ledger, records, siblings, master.counted, master.changed
        )
        await worker.load_table(inheritance.table)
        await worker.open(stack)
        begun.set_result(worker)
        master.ready(worker.gate.snapshot.hash)
        await stop.asked.wait()
        _log.info("stopping", connections=len(worker.gate.connections))
        await worker.drain(stop.now)
