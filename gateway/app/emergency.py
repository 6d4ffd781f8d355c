"""Emergency suspensions, for one worker: from the switch of this machine and the records to what each decision asks.

Four times a second it looks whether the switch or the records changed; so a suspension holds in every process of the machine within half
a second, and on other machines within a second, open exchanges included (`proxy.standing`). In the background, what the switch alone
has goes to the records, and what the records say has ended leaves the switch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from gateway.app.background import keep_going, stop
from gateway.decision.suspensions import UNREADABLE, Suspensions
from gateway.errors import RecordsError
from gateway.records import By, Records
from gateway.records.suspensions import merged
from gateway.records.switch import Suspension, Switch

SETTLED_SECONDS = 1.0
"""A directory's time of change does not tell two changes of one clock tick apart: it is read again until its last change is this old."""
RETRY_SECONDS = 2.0
"""Between two attempts to bring the switch and the records together."""

ENDED_ON_SWITCH = By("gateway", "ended on the switch of the machine that it was made on")

log = structlog.get_logger("gateway.emergency")


class Emergency:
    """One a worker; `tick` from its loop. `put` takes what is suspended, whenever that changes."""

    def __init__(
        self,
        switch: Switch,
        records: Records,
        put: Callable[[Suspensions], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._switch = switch
        self._records = records
        self._put = put
        self._seen: tuple[int, ...] | None = None
        self._files: list[Suspension] | None = []
        self._known: tuple[Suspension, ...] = ()
        self._current: Suspensions | None = None
        self._task: asyncio.Task[None] | None = None
        self._stuck: set[str] = set()
        """Keys of those that could not be brought to the records, and were told."""

    def begin(self) -> None:
        """Before the first request. It only looks: the directory was made before the first worker was (`app.prepared`), and one that is
        gone by now must not come back empty because a worker took a dead one's place."""
        self.tick()

    def running(self) -> list[Suspension] | None:
        """What is in force here now; None when the switch cannot be read, and so everything is suspended."""
        self.tick()
        return self._running()

    def _running(self) -> list[Suspension] | None:
        return None if self._files is None else merged(self._files, self._known)

    def tick(self) -> None:
        known = self._records.index.suspensions
        if not self._look() and known is self._known and self._current is not None:
            return
        self._known = known
        running = self._running()
        now = Suspensions([UNREADABLE] if running is None else [each.entry for each in running])
        if now != self._current:
            begins, self._current = self._current is None, now
            self._put(now)
            if begins and not now:
                return
            log.warning("suspensions", running=[f"{entry.scope}: {entry.key}" for entry in now.entries])

    def _look(self) -> bool:
        """Whether the switch may have changed, and was read again."""
        try:
            version = self._switch.version()
            if version == self._seen:
                return False
            self._files = self._switch.read()
            settled = time.time_ns() - version[-1] > SETTLED_SECONDS * 1e9
            self._seen = version if settled else None
        except RecordsError as error:
            if self._files is not None:
                log.critical("emergency_switch_unreadable", error=str(error), effect="everything is suspended")
            self._files, self._seen = None, None
        return True

    # --- the switch and the records: in one worker of the machine ------------------------------------------------------

    def keep_together(self) -> None:
        """Begins to bring what the switch alone has to the records, and the other way what has ended."""
        self._task = keep_going(
            self._again_and_again(),
            # What the switch says holds on, and other machines learn of nothing new.
            "suspensions no longer reach the records; restart the gateway",
        )

    async def close(self) -> None:
        await stop(self._task)

    async def _again_and_again(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            await self.bring_together()

    async def bring_together(self) -> None:
        """One that cannot be brought to the records holds on here, is told once, and keeps no other one back."""
        live = {each.entry.key for each in self._records.index.suspensions}
        apart = [each for each in self._files or () if not each.recorded or each.entry.key not in live]
        self._stuck &= {each.entry.key for each in apart}
        for each in apart:
            try:
                await self._bring(each)
            except RecordsError as error:
                if each.entry.key not in self._stuck:
                    log.error("suspension_on_this_machine_only", key=each.entry.key, error=str(error))
                self._stuck.add(each.entry.key)

    async def _bring(self, each: Suspension) -> None:
        key = each.entry.key
        recorded = await self._records.add_suspension(each)
        if recorded is None:
            await asyncio.to_thread(self._switch.remove, key)
            log.warning("suspension_ended_elsewhere", key=key)
        elif not self._switch.holds(key):
            # It was ended on the switch, which alone had it, while it was brought to the records: so it is over there as well.
            await self._records.end_suspension(key, ENDED_ON_SWITCH, self._clock())
        elif recorded != each:
            await asyncio.to_thread(self._switch.write, recorded)
