"""The records: as a command sees them, and as a process that serves holds them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import sqlalchemy as sa

from gateway.errors import RecordsError
from gateway.records.administration import Administration
from gateway.records.backup import Backups
from gateway.records.checking import Checks
from gateway.records.code_cards import CodeCards
from gateway.records.credentials import Credentials
from gateway.records.database import Database
from gateway.records.eid_cards import EidCards
from gateway.records.exporting import Exports
from gateway.records.federation import Federation
from gateway.records.forms import KeptForms
from gateway.records.grants import Grants
from gateway.records.importing import Imports
from gateway.records.index import Index
from gateway.records.lists import Lists
from gateway.records.mandates import Mandates
from gateway.records.means import MeansKnown
from gateway.records.moved import MovedSessions
from gateway.records.offices import Offices
from gateway.records.outside_roles import OutsideRoles
from gateway.records.past import Past
from gateway.records.pending import PendingSignIns
from gateway.records.recent import Recent
from gateway.records.reviewing import Reviews
from gateway.records.schema import credentials
from gateway.records.search import Search
from gateway.records.sessions import Sessions
from gateway.records.settings import RecordsKey, RecordsSettings
from gateway.records.signin import SignIn
from gateway.records.suspensions import SuspensionRecords
from gateway.records.upgrade import check_schema
from gateway.records.watch import Watch


class RecordsDesk(
    Imports,
    Exports,
    Search,
    Recent,
    SignIn,
    Sessions,
    MovedSessions,
    EidCards,
    OutsideRoles,
    CodeCards,
    PendingSignIns,
    KeptForms,
    Administration,
    Credentials,
    MeansKnown,
    Federation,
    Mandates,
    Grants,
    Reviews,
    Offices,
    Lists,
    SuspensionRecords,
    Past,
    Backups,
    Checks,
):
    """Everything that is done to the records, without the index of all and its upkeep: for a command that does one thing."""

    @classmethod
    async def open(cls, settings: RecordsSettings, clock: Callable[[], float] = time.time) -> Self:
        """Checks the schema and the key. Raises SchemaMismatch (naming the command that mends it), ConfigurationError, RecordsError."""
        key = RecordsKey.read(settings.key_file)
        database = Database(settings)
        records = cls(database, key, Index(settings.stale_limit), clock)
        records.rules = settings.rules
        try:
            await check_schema(database)
            database.check()
            await records._begin()
        except BaseException:
            await records._end_work()
            await database.close()
            raise
        return records

    async def close(self) -> None:
        """Ends the background work and closes the connections."""
        try:
            await self._end_work()
        finally:
            await self._database.close()

    async def _begin(self) -> None:
        """Begins what goes on in the background: nothing here. Commands work without the key that sealed what is stored, so
        that codes whose key is lost can be ended and given out anew."""

    async def _end_work(self) -> None:
        """Ends what goes on in the background."""


class Records(Watch, RecordsDesk):
    """The records of a process that serves, one a process. `index` is what the hot path reads, kept current within a second."""

    async def _begin(self) -> None:
        await self._check_key()
        await super()._begin()

    async def _check_key(self) -> None:
        """That the secrets in the database were sealed with the key at hand: better said at the start than at a sign-in.

        Raises RecordsError.
        """
        sealed = sa.select(credentials.c.key_id).where(
            credentials.c.key_id.is_not(None), credentials.c.ended_at.is_(None)
        )
        async with self._database.reading() as connection:
            used = set((await connection.execute(sealed.distinct())).scalars())
        if not used <= {self._key.id}:
            raise RecordsError(
                f"{self._database}: secrets in it were sealed with another records key. Put that key file back; or, "
                "when it is lost, end each app, card and activation code that was made with it: gateway credential list, gateway credential end"
            )
