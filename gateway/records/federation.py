"""What the records know for the federation's sake: a person's numbers, and the sessions that a provider may end."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.records.loading import root
from gateway.records.schema import pending, persons, sessions
from gateway.records.store import Store

HEARD = "oidc_logout"
"""The kind of a working row that says: this word of a provider was heard."""


class Federation(Store):
    """Everything raises RecordsError when the database does not answer."""

    async def numbers_of(self, person: int) -> frozenset[str]:
        """Every INSZ that the natural person has or had: a bis number that became a national number names them still."""
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(sa.select(persons.c.insz).where(root() == person))).scalars())

    async def provider_sessions(self, provider: str, begins_with: str, ends_with: str, begun_by: float) -> list[str]:
        """The live sessions, by id, that a provider vouched for under a name that begins and ends so, and that began by that moment."""
        name = sessions.c.provider_session
        query = sa.select(sessions.c.id).where(sessions.c.provider == provider, sessions.c.ended_at.is_(None))
        query = query.where(
            name.startswith(begins_with, autoescape=True),
            name.endswith(ends_with, autoescape=True),
            sessions.c.auth_time <= begun_by,
        )
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def logout_heard(self, key_hash: bytes) -> bool:
        """Whether this word of a provider was heard before."""
        async with self._database.reading() as connection:
            return (
                await connection.execute(sa.select(pending.c.key).where(pending.c.key == key_hash))
            ).first() is not None

    async def hear_logout(self, key_hash: bytes, until: float) -> None:
        """Remembers it, for as long as it could be said again."""
        async with self._write() as write:
            await write.execute(
                sa.delete(pending).where(sa.or_(pending.c.key == key_hash, pending.c.expires_at <= self._clock()))
            )
            row = {"kind": HEARD, "browser": b"", "sealed": b"", "network": 0, "bytes": 0}
            await write.execute(sa.insert(pending).values(key=key_hash, expires_at=until, **row))
