"""The outside source of user-management roles (clause P3), for one worker: asked at every sign-in, and again and again while people work.

What it says goes into the records, and so into the index of every process within a second; a decision never waits for it. One worker of
a machine asks again for everybody with a session. Where roles are given in the administration nobody is asked.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from gateway.app.background import keep_going, stop
from gateway.errors import LedgerError, OutboundError, RecordsError
from gateway.ledger.ledger import Ledger
from gateway.ledger.record import administration_record
from gateway.outbound.ldap import Directory
from gateway.outbound.role_question import Asked
from gateway.outbound.settings import RoleSettings
from gateway.records import Change, Records
from gateway.records.outside_roles import Said

LOOK_SECONDS = 5.0
"""Between two looks for people of whom the source spoke too long ago."""
RETRY_SECONDS = 30.0
"""Until somebody is asked about again of whom nothing was said."""
AT_ONCE = 50
"""People whose answers are written together: one transaction, and one wait for the disk."""
SIGN_IN_SECONDS = 10.0
"""The most that somebody who signs in waits, whatever servers there are; the rest comes in the background."""

log = structlog.get_logger("gateway.roles")


class Roles:
    """One a worker."""

    def __init__(
        self, settings: RoleSettings | None, records: Records, ledger: Ledger, clock: Callable[[], float]
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """Look-ups by server and outcome."""
        self._records = records
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._directory = self._made(settings)
        self._tried: dict[str, float] = {}
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    def _made(self, settings: RoleSettings | None) -> Directory | None:
        return None if settings is None else Directory(settings, self._clock, self.counts)

    async def renew(self, settings: RoleSettings | None) -> None:
        """Takes other settings, from the next question on."""
        if settings == self._settings:
            return
        old, self._settings, self._directory = self._directory, settings, self._made(settings)
        self._tried = {}
        if old is not None:
            await old.close()

    async def look_up(self, asked: Asked) -> None:
        """Asks about somebody who signs in. Never fails: what nobody can say now a decision refuses, when no earlier word is left."""
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS):
                await self._look_up([asked])
        except TimeoutError:
            log.warning("roles were not looked up", error="timeout")
        except (RecordsError, LedgerError) as error:
            log.error("what was learnt of roles was not kept", error=str(error))

    # --- in the one worker that does so -------------------------------------------------------------------------------

    def keep_watch(self) -> None:
        """Begins to look up the roles of whoever has a session."""
        self._task = keep_going(
            self._refresh_again_and_again(),
            # From the stale limit on, transactions with a role refuse everybody.
            "roles are no longer looked up; restart the gateway",
        )

    async def close(self) -> None:
        await stop(self._task)
        if self._directory is not None:
            await self._directory.close()

    async def _refresh_again_and_again(self) -> None:
        while True:
            try:
                await self.refresh_due()
            except (RecordsError, LedgerError) as error:
                log.error("what was learnt of roles was not kept", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def refresh_due(self) -> None:
        """Asks about everybody with a live session of whom the source spoke as long ago as two look-ups lie apart. Raises RecordsError, LedgerError.

        When it says nothing of anybody it is left alone until the next look.
        """
        settings, now = self._settings, self._clock()
        if settings is None:
            return
        due = await self._records.roles_due(now, now - settings.refresh)
        self._tried = {user_id: at for user_id in due if now - (at := self._tried.get(user_id, 0.0)) < RETRY_SECONDS}
        waiting = iter([user_id for user_id in due if user_id not in self._tried])
        while batch := list(itertools.islice(waiting, AT_ONCE)):
            self._tried.update(dict.fromkeys(batch, now))
            users = filter(None, map(self._records.index.user, batch))
            if not await self._look_up([Asked(user.user_id, user.insz, user.institution) for user in users]):
                return

    async def _look_up(self, people: Sequence[Asked]) -> bool:
        """Asks about each, and keeps what was said. Gives whether anything was. Raises RecordsError, LedgerError."""
        directory, asked_at = self._directory, self._clock()
        if directory is None:
            return False
        answers = await asyncio.gather(*(self._ask(directory, asked) for asked in people))
        said = {asked.user_id: roles for asked, roles in zip(people, answers, strict=True) if roles is not None}
        if said:
            await self._records.keep_roles(said, asked_at, self._write)
        return bool(said)

    async def _ask(self, directory: Directory, asked: Asked) -> Said | None:
        try:
            roles = await directory.roles_of(asked)
        except OutboundError as error:
            if not self._failing:  # of many that fail alike, one says so
                log.error("the source of roles gave no answer", place=error.place, why=error.reason)
            self._failing = True
            return None
        if self._failing:
            log.warning("the source of roles answers again")
        self._failing = False
        return roles

    async def _write(self, change: Change) -> None:
        await self._ledger.admin.write(
            administration_record(
                self._ledger.references(),
                act=change.act,
                actor=change.by.actor,
                person=self._ledger.sealer.person(change.user_id, change.insz),
                institution=change.institution,
                reason=change.by.reason,
                objects=change.objects,
            )
        )
