"""What a person should know of their means of authentication: when each was last used, and what was changed, when and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from gateway.records.credentials import REHASHED, USED
from gateway.records.schema import credentials, means_used, told
from gateway.records.signin import TOO_MANY_FAILURES
from gateway.records.store import Store

What = Literal["added", "replaced", "ended", "used", "disabled"]


@dataclass(frozen=True, slots=True)
class MeansChange:
    """A change to somebody's means, for them to be told. `kind` is a credential's (`password`, `totp`, `code_card`, `activation`).

    `what`: `replaced` is an end and a beginning in one; `used` is an activation code's end; `disabled` a password's after too many
    failures. `actor` did it (`user:<user ID>`, `shell`, `gateway` …), under `mandate` if under any.
    """

    at: float
    kind: str
    what: What
    actor: str
    mandate: int | None

    @property
    def by_user(self) -> str | None:
        """The user ID of who did it, where it was a person in the portal."""
        return self.actor.removeprefix("user:") if self.actor.startswith("user:") else None


class MeansKnown(Store):
    """Reading and noting. Everything raises RecordsError when the database does not answer."""

    async def means_used(self, user_id: str) -> Mapping[str, float]:
        """When each means of this user ID last let them in, Unix seconds: `password`, `totp`, `code_card`, `activation`, `eid`, or the
        id of a provider of the federation."""
        query = sa.select(means_used.c.means, means_used.c.at).where(means_used.c.user_id == user_id)
        async with self._database.reading() as connection:
            return {row.means: row.at for row in await connection.execute(query)}

    async def changes_to_means(self, user_id: str, since: float) -> list[MeansChange]:
        """What was changed after `since` (Unix seconds), oldest first. A password that was only hashed anew is no change."""
        mine = sa.select(credentials).where(credentials.c.user_id == user_id).order_by(credentials.c.id)
        recent = mine.where(sa.or_(credentials.c.recorded_at > since, credentials.c.ended_at > since))
        async with self._database.reading() as connection:
            rows = list(await connection.execute(recent))
        ended = {(row.kind, row.ended_at) for row in rows if row.ended_at is not None}
        begun = {(row.kind, row.recorded_at) for row in rows}
        found: list[MeansChange] = []
        for row in rows:
            if row.recorded_at > since and row.reason != REHASHED:
                what: What = "replaced" if (row.kind, row.recorded_at) in ended else "added"
                found.append(MeansChange(row.recorded_at, row.kind, what, row.actor, row.mandate))
            if row.ended_at is not None and row.ended_at > since and (row.kind, row.ended_at) not in begun:
                actor, _, mandate = row.ended_by.partition(", mandate ")
                found.append(MeansChange(row.ended_at, row.kind, _end(row), actor, int(mandate) if mandate else None))
        return sorted(found, key=lambda change: change.at)

    async def untold_changes(self, user_id: str) -> list[MeansChange]:
        """What was changed since the person was last told (`mark_told`); to who never was, all but the means that they began with."""
        first = sa.select(sa.func.min(credentials.c.recorded_at)).where(credentials.c.user_id == user_id)
        async with self._database.reading() as connection:
            until = await connection.scalar(sa.select(told.c.until).where(told.c.user_id == user_id))
            since = await connection.scalar(first) if until is None else until
        return [] if since is None else await self.changes_to_means(user_id, since)

    async def mark_told(self, user_id: str, until: float) -> None:
        """The person has been shown every change up to then."""
        mine = told.c.user_id == user_id
        async with self._write() as write:
            if await write.one(sa.select(told.c.until).where(mine)) is None:
                await write.execute(sa.insert(told).values(user_id=user_id, until=until))
            await write.execute(sa.update(told).where(mine, told.c.until < until).values(until=until))


def _end(row: sa.Row[Any]) -> What:
    if row.ended_reason == TOO_MANY_FAILURES:
        return "disabled"
    return "used" if row.kind == "activation" and row.ended_reason == USED else "ended"
