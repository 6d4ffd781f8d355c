"""What the records knew at a moment, past or present: people, and what was suspended. Legal records are never deleted, so it is all there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from gateway.model import FOR_EVER, UserRecords
from gateway.records.among import among, chunks
from gateway.records.loading import read_suspensions, read_users
from gateway.records.schema import designations, user_ids
from gateway.records.store import Store
from gateway.records.switch import Suspension


class Past(Store):
    """Everything raises RecordsError. `known_at` is Unix seconds; FOR_EVER is now."""

    async def users_known(self, keys: Sequence[str], known_at: float = FOR_EVER) -> list[UserRecords]:
        """What was known of these user IDs; those that nobody had are left out."""
        async with self._database.reading() as connection:
            found = await read_users(connection, keys, self.rules, known_at)
        return [user for user in found.values() if user is not None]

    async def suspensions_known(self, known_at: float = FOR_EVER) -> tuple[Suspension, ...]:
        """What was suspended, by the records."""
        async with self._database.reading() as connection:
            return await read_suspensions(connection, known_at)

    async def ever_designated(self, references: Collection[str]) -> list[str]:
        """The user IDs that were ever designated for one of these authorisations."""
        found: set[str] = set()
        named = sorted(references)
        async with self._database.reading() as connection:
            for chunk in chunks(named):
                query = sa.select(designations.c.user_id).where(among(designations.c.authorisation, chunk)).distinct()
                found.update((await connection.scalars(query)).all())
        return sorted(found)

    async def all_user_ids(self, institution: str | None = None) -> list[str]:
        """Every user ID that there ever was, at one institution or at all."""
        query = sa.select(user_ids.c.user_id).distinct().order_by(user_ids.c.user_id)
        if institution is not None:
            query = query.where(user_ids.c.institution == institution)
        async with self._database.reading() as connection:
            return list((await connection.scalars(query)).all())
