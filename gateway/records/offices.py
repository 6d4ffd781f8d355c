"""The offices of an institution that its head official grants: the CISO and the data protection officer, who read and change nothing.

Not user-management roles (P3), which open transactions: these open the institution's own lines and reports, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.model import Validity
from gateway.records.administration import end_row, live_row, live_user_id, recorded
from gateway.records.loading import effective, root
from gateway.records.schema import offices, persons
from gateway.records.store import Store
from gateway.records.values import BeforeCommit, By, Change

InstitutionOffice = Literal["ciso", "dpo"]
INSTITUTION_OFFICES: Final[tuple[InstitutionOffice, ...]] = ("ciso", "dpo")


class Offices(Store):
    """Granting, ending, and who holds what."""

    async def grant_office(
        self,
        user_id: str,
        office: str,
        by: By,
        now: float,
        validity: Validity | None = None,
        before_commit: BeforeCommit | None = None,
    ) -> int:
        """The head official grants an office of `INSTITUTION_OFFICES` to the holder of a user ID, for its institution."""
        if office not in INSTITUTION_OFFICES:
            raise Conflict(f"there is no office {office}; an institution has {' and '.join(INSTITUTION_OFFICES)}")
        _only_the_head_official(by)
        async with self._write(before_commit) as write:
            user = await live_user_id(write, user_id)
            mine = sa.and_(offices.c.user_id == user_id, offices.c.office == office, offices.c.ended_at.is_(None))
            same = await write.one(sa.select(offices.c.id).where(mine))
            if same is not None:
                raise Conflict(f"{user_id} holds this office already (record {same.id}); end that one first")
            values = {"institution": user.institution, "office": office}
            row = await write.insert(offices, user_id=user_id, **values, **recorded(by, now, validity))
            details = {"record": row, "office": office}
            write.change = Change("office add", now, by, user_id, institution=user.institution, details=details)
        return row

    async def end_office(self, record: int, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """Whoever held it reads nothing more."""
        _only_the_head_official(by)
        async with self._write(before_commit) as write:
            row = await live_row(write, offices, record, "office")
            await end_row(write, offices, record, by, now)
            details = {"record": record, "office": row.office}
            write.change = Change("office end", now, by, row.user_id, institution=row.institution, details=details)

    async def offices_of(self, user_id: str, now: float) -> Mapping[str, int]:
        """The offices that the holder of this user ID has now for its institution, each with its record."""
        query = sa.select(offices).where(offices.c.user_id == user_id, offices.c.ended_at.is_(None))
        async with self._database.reading() as connection:
            rows = list(await connection.execute(query))
        return MappingProxyType({row.office: row.id for row in rows if effective(row).holds(now)})

    async def numbers_of(self, person: int) -> frozenset[str]:
        """Every INSZ that a natural person has, or had: a bis number that became a national number is the same person's."""
        query = sa.select(persons.c.insz).where(root() == person).distinct()
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(query)).scalars())


def _only_the_head_official(by: By) -> None:
    if by.mandate is not None:
        raise Conflict("an office is granted and ended by the head official, never under a mandate")
