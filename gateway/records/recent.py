"""Reading the acts of an institution: see `acts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import sqlalchemy as sa

from gateway.records.acts import by_others
from gateway.records.loading import Row
from gateway.records.schema import acts, credentials, told
from gateway.records.store import Store

TOLD_OTHERWISE: Final = frozenset({"credential add", "credential end", "user-id add", "user-id end"})
"""Acts that a person is told of as a change of their means (`means`), or knows from being able to sign in, or not."""
MOST_TOLD: Final = 50


@dataclass(frozen=True, slots=True)
class ActDone:
    """One act: `act` is a noun and a verb, `objects` those of the ledger's line, `actor` who did it (`user:<user ID>`, `shell` …)."""

    seq: int
    at: float
    user_id: str
    act: str
    actor: str
    mandate: int | None
    reason: str
    objects: Mapping[str, Any] = field(repr=False)

    @property
    def by_user(self) -> str | None:
        """The user ID of who did it, where it was a person in the portal."""
        word = self.actor.partition(", mandate ")[0]
        return word.removeprefix("user:") if word.startswith("user:") else None


class Recent(Store):
    """Everything raises RecordsError."""

    async def recent_acts(self, institution: str, most: int, before: int | None = None) -> list[ActDone]:
        """The newest acts on people of an institution, newest first; of those, the ones ahead of number `before`."""
        query = sa.select(acts).where(acts.c.institution == institution)
        if before is not None:
            query = query.where(acts.c.seq < before)
        async with self._database.reading() as connection:
            return [_done(row) for row in await connection.execute(query.order_by(acts.c.seq.desc()).limit(most))]

    async def acts_on(self, user_id: str, most: int, after: int = 0) -> list[ActDone]:
        """The newest acts of others on a user ID, newest first: those behind number `after`."""
        query = sa.select(acts).where(by_others(user_id), acts.c.seq > after).order_by(acts.c.seq.desc()).limit(most)
        async with self._database.reading() as connection:
            return [_done(row) for row in await connection.execute(query)]

    async def untold_acts(self, user_id: str) -> list[ActDone]:
        """What others did to a user ID since the person was last told (`mark_told`), oldest first: all but those of `TOLD_OTHERWISE`."""
        first = sa.select(sa.func.min(credentials.c.recorded_at)).where(credentials.c.user_id == user_id)
        async with self._database.reading() as connection:
            until = await connection.scalar(sa.select(told.c.until).where(told.c.user_id == user_id))
            since = await connection.scalar(first) if until is None else until
            if since is None:
                return []
            query = sa.select(acts).where(by_others(user_id), acts.c.at > since, acts.c.act.not_in(TOLD_OTHERWISE))
            rows = (await connection.execute(query.order_by(acts.c.seq.desc()).limit(MOST_TOLD))).all()
        return [_done(row) for row in reversed(rows)]


def _done(row: Row) -> ActDone:
    return ActDone(row.seq, row.at, row.user_id, row.act, row.actor, row.mandate, row.reason, orjson.loads(row.objects))
