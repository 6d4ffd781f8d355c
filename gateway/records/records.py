"""The records of one process: opened once, with everything that is done to them."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from gateway.errors import RecordsError
from gateway.records.administration import Administration
from gateway.records.database import Database
from gateway.records.grants import Grants
from gateway.records.index import Index
from gateway.records.schema import credentials
from gateway.records.sessions import Sessions
from gateway.records.settings import RecordsKey, RecordsSettings
from gateway.records.signin import SignIn, UnknownCounters
from gateway.records.upgrade import check_schema
from gateway.records.watch import Watch


class Records(SignIn, Sessions, Administration, Grants, Watch):
    """Persons, credentials, mandates, designations and sessions. `index` is what the hot path reads."""

    @classmethod
    async def open(cls, settings: RecordsSettings, clock: Callable[[], float] = time.time) -> Records:
        """Checks the schema and the key, fills the index, and begins to watch for changes of other processes.

        Raises SchemaMismatch (naming the command that mends it), ConfigurationError, RecordsError.
        """
        key = RecordsKey.read(settings.key_file)
        database = Database(settings.path)
        records = cls(database, key, Index(settings.stale_limit), clock)
        records._unknown = UnknownCounters()
        try:
            await check_schema(database)
            database.check_file()
            await records._check_key()
            await records._start()
        except BaseException:
            await records.close()
            raise
        return records

    async def close(self) -> None:
        """Saves what is due, ends the background work and closes the connections. Raises RecordsError when that cannot be saved."""
        await self._stop()
        try:
            await self._save_last_seen(self.index.take_unsaved(all_of_them=True))
        finally:
            await self._database.close()

    async def _check_key(self) -> None:
        """That the secrets in the database were sealed with the key at hand: better said at the start than at a sign-in."""
        sealed = (
            sa.select(credentials.c.key_id)
            .where(credentials.c.kind == "totp", credentials.c.ended_at.is_(None))
            .distinct()
        )
        async with self._database.reading() as connection:
            used = set((await connection.execute(sealed)).scalars())
        if not used <= {self._key.id}:
            raise RecordsError(
                f"{self._database.path}: secrets in it were sealed with another records key; put that key file back"
            )
