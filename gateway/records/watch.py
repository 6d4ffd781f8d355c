"""Keeps the index current: what other processes committed is seen within half a second, by the change table.

Whether something was committed, the database tells when it is asked (a `Lookout`); PostgreSQL also tells by itself that it is time to ask.
Also here, in the background: last-seen times are saved, and working state that has served is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc

import sqlalchemy as sa
import structlog

from gateway.errors import RecordsError
from gateway.records.acts import ACTS_KEPT_SECONDS
from gateway.records.dialect import Lookout, Moment
from gateway.records.directory import refresh_lapsed
from gateway.records.eid_cards import forget_eid_cards
from gateway.records.index import ENDED_KEPT_SECONDS
from gateway.records.loading import read_suspensions
from gateway.records.outside_roles import forget_outside_roles
from gateway.records.schema import acts, changes, entry_codes, kept_forms, sessions
from gateway.records.signin import forget_unknown
from gateway.records.store import Store

POLL_SECONDS = 0.25
"""A change must be known within 1 s (revocation), the reading included."""
ASKED_SECONDS = 1.0
"""The most that a request waits for what was committed before it; then it is refused."""
LOOKS_APART_SECONDS = 0.02
"""Between two looks at the database, however many requests ask: fifty a second cost one hundredth of a core."""
SAVE_EVERY_SECONDS = 5.0
TIDY_EVERY_SECONDS = 600.0
"""A kept form that nobody came back for is gone so soon after it lapsed."""
CHANGES_KEPT_SECONDS = 86_400.0
"""A process that read nothing for half of this reads everything anew, since rows it never saw may be gone."""
_CHANGES_AT_ONCE = 5_000
MANY_PERSONS = 10_000
"""Looking for garbage among the records of so many stops everything for a third of a second."""

log = structlog.get_logger("gateway.records")


class Watch(Store):
    """The background work of the records."""

    _lookout: Lookout | None = None
    _seen = Moment("", "")
    _seen_change = 0
    _seen_last_seen = 0.0
    _tasks: tuple[asyncio.Task[None], ...] = ()
    writable = True
    """Whether a sign-in could be written when it was last tried, a few seconds ago at the most."""
    _asked: asyncio.Future[bool] | None = None
    _wake: asyncio.Event

    def catch_up(self) -> asyncio.Future[bool]:
        """Becomes True when the index has all that any process committed before this call; False when that cannot be had in time.

        Everybody who asks before the next look at the database shares it, so that strangers who ask for what is not there are no load,
        and keep nobody waiting for longer than one look.
        """
        asked = self._asked
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked = loop.create_future()
            loop.call_later(ASKED_SECONDS, _answer, asked, False)
            self._wake.set()
        return asked

    async def _begin(self) -> None:
        """Fills the index, and begins to watch. Raises RecordsError."""
        self._wake = asyncio.Event()
        lookout = self._database.lookout(self._wake.set)
        await lookout.open()
        self._lookout = lookout
        await self._read_everything()
        self._tasks = (asyncio.create_task(self._watch()), asyncio.create_task(self._keep_house()))
        for task in self._tasks:
            task.add_done_callback(_must_not_end)

    async def _end_work(self) -> None:
        """Ends the background work, and saves what is due."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._lookout is not None:
            await self._lookout.close()
        try:
            await self._save_last_seen(self.index.take_unsaved(all_of_them=True))
        except RecordsError as error:
            log.warning("last-seen times were not saved", error=str(error))

    async def _read_everything(self) -> None:
        began = self._clock()
        moment = await self._look()
        # Nothing of the index is garbage: collections while it grows would take three quarters of the time.
        gc.disable()
        try:
            await self._read_whole_index(began)
        finally:
            if len(self.index.held()) >= MANY_PERSONS:
                gc.freeze()  # before it is enabled: the next collection would look through all of it
            gc.enable()
        self._seen = moment

    async def _read_whole_index(self, began: float) -> None:
        async with self._reading_back, self._database.reading() as connection:
            last = await connection.scalar(sa.select(sa.func.max(changes.c.seq)))
            await self._take(connection, self.index.held(), None)
            self.index.suspensions = await read_suspensions(connection)
        self._seen_change, self._seen_last_seen = last or 0, began
        self.index.read_at(began)

    async def _look(self) -> Moment:
        if self._lookout is None:
            raise RecordsError(f"{self._database}: not open")
        return await self._lookout.read()

    async def _watch(self) -> None:
        failing = False
        while True:
            await self._rest()
            asked, self._asked = self._asked, None
            try:
                await self._poll()
            except RecordsError as error:
                if not failing:
                    log.error("the records cannot be read", error=str(error))
                failing = True
            else:
                if failing:
                    log.warning("the records can be read again")
                failing = False
            if asked is not None:
                _answer(asked, not failing)

    async def _rest(self) -> None:
        """Until it is time to look again, or somebody asks."""
        await asyncio.sleep(LOOKS_APART_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS - LOOKS_APART_SECONDS):
                await self._wake.wait()
        self._wake.clear()

    async def _poll(self) -> None:
        began = self._clock()
        moment = await self._look()
        if moment.line != self._seen.line or self.index.age(began) > CHANGES_KEPT_SECONDS / 2:
            await self._read_everything()
            return
        if moment != self._seen:
            while await self._read_changes():
                pass
            await self._read_last_seen(began)
            self._seen = moment
        self.index.read_at(began)

    async def _read_changes(self) -> bool:
        """Reads a portion of what changed; gives whether there may be more."""
        query = sa.select(changes.c.seq, changes.c.kind, changes.c.key).where(changes.c.seq > self._seen_change)
        async with self._reading_back, self._database.reading() as connection:
            rows = (await connection.execute(query.order_by(changes.c.seq).limit(_CHANGES_AT_ONCE))).all()
            users = {row.key for row in rows if row.kind == "user"}
            session_ids = dict.fromkeys(row.key for row in rows if row.kind == "session")
            await self._take(connection, users, list(session_ids))
            if any(row.kind == "suspension" for row in rows):
                self.index.suspensions = await read_suspensions(connection)
        if rows:
            self._seen_change = rows[-1].seq
        return len(rows) == _CHANGES_AT_ONCE

    async def _read_last_seen(self, now: float) -> None:
        """Learns what other processes saw of the persons; that is no change, and late by a minute at most."""
        if now - self._seen_last_seen < SAVE_EVERY_SECONDS:
            return
        # Another process saves a time some seconds after it was: look back further than that.
        since = self._seen_last_seen - 12 * SAVE_EVERY_SECONDS
        async with self._database.reading() as connection:
            rows = await connection.execute(
                sa.select(sessions.c.id, sessions.c.last_seen).where(sessions.c.last_seen >= since)
            )
            for row in rows:
                self.index.put_last_seen(row.id, row.last_seen)
        self._seen_last_seen = now

    async def _keep_house(self) -> None:
        tidied = self._clock()
        while True:
            await asyncio.sleep(SAVE_EVERY_SECONDS)
            self.writable = await self._database.can_write()
            try:
                await self._save_last_seen(self.index.take_unsaved())
                if self._clock() - tidied >= TIDY_EVERY_SECONDS:
                    tidied = self._clock()
                    await self._tidy(tidied)
            except RecordsError as error:
                log.warning("last-seen times were not saved", error=str(error))

    async def _save_last_seen(self, seen: dict[str, float]) -> None:
        if not seen:
            return
        later = sa.update(sessions).where(
            sessions.c.id == sa.bindparam("session"), sessions.c.last_seen < sa.bindparam("seen")
        )
        rows: list[dict[str, object]] = [{"session": session_id, "seen": at} for session_id, at in seen.items()]
        async with self._write() as write:
            await write.execute(later.values(last_seen=sa.bindparam("seen")), rows)

    async def _tidy(self, now: float) -> None:
        """Throws away working state that has served: old changes, codes and forms that lapsed, sessions that ended a day ago."""
        long_gone = now - ENDED_KEPT_SECONDS
        async with self._write() as write:
            await write.execute(sa.delete(changes).where(changes.c.at < now - CHANGES_KEPT_SECONDS))
            await write.execute(sa.delete(entry_codes).where(entry_codes.c.expires_at < now))
            await forget_unknown(write)
            await forget_eid_cards(write, now)
            await forget_outside_roles(write, now)
            await write.execute(sa.delete(kept_forms).where(kept_forms.c.expires_at < now))
            await write.execute(sa.delete(acts).where(acts.c.at < now - ACTS_KEPT_SECONDS))
            await write.connection.run_sync(refresh_lapsed, now)
            await write.execute(
                sa.delete(sessions).where(sa.or_(sessions.c.expires_at < long_gone, sessions.c.ended_at < long_gone))
            )
        async with self._reading_back:  # else the records of a user could go while a session that they belong to comes
            self.index.forget_ended(now)


def _answer(asked: asyncio.Future[bool], known: bool) -> None:
    if not asked.done():
        asked.set_result(known)


def _must_not_end(task: asyncio.Task[None]) -> None:
    """Says so when a mistake of ours ended the background work: from the stale limit on, nobody is let in."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("the records are no longer kept current; restart the gateway", exc_info=task.exception())
