"""The administration of designations and roles: only narrower than what the KSZ granted (clauses P3, P4).

See `administration` for what the acts have in common.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.model import Authorisation, Use, Validity
from gateway.records.administration import (
    check_mandate,
    check_not_self,
    end_row,
    live_row,
    live_user_id,
    newest_user_id,
    recorded,
)
from gateway.records.loading import write_uses
from gateway.records.reviewing import LAPSED, standings
from gateway.records.schema import confirmations, designations, roles
from gateway.records.standing import CONFIRMED
from gateway.records.store import Store, Write
from gateway.records.values import BeforeCommit, By, Change, Detail


class Grants(Store):
    """Designations and roles."""

    async def add_designation(
        self,
        user_id: str,
        authorisation: Authorisation,
        uses: Iterable[Use],
        by: By,
        now: float,
        validity: Validity | None = None,
        before_commit: BeforeCommit | None = None,
        *,
        by_word: bool = False,
    ) -> int:
        """Names a person for one authorisation of their institution, for some of its uses and no longer than it lasts (P4).

        It rests on a mandate, on the head official's written act, or both; without the act it waits for their confirmation. `by_word` is
        the head official's own word, given as this is done. Without a validity it runs from now, or from when the authorisation begins, to
        the authorisation's end.
        """
        wanted, granted = frozenset(uses), {grant.use for grant in authorisation.uses}
        word = authorisation.reference
        if by.mandate is not None and by_word:
            raise Conflict("the head official's own word is never given under a mandate")
        if by.mandate is None and by.act is None and not by_word:
            raise Conflict("a designation rests on a mandate or on the head official's written act: give one of them")
        if not wanted or not wanted <= granted:
            raise Conflict(f"authorisation {word} covers {', '.join(sorted(granted))}; designate for some of that")
        if authorisation.status == "revoked":
            raise Conflict(f"authorisation {word} was revoked; nobody can be designated for it")
        limits = authorisation.validity
        if validity is None:
            validity = Validity(max(now, limits.start), limits.end)
        if validity.start < limits.start or validity.end > limits.end or validity.start >= validity.end:
            raise Conflict(f"authorisation {word} is not in force for all of that time; stay within its validity")
        async with self._write(before_commit) as write:
            user = await live_user_id(write, user_id)
            if user.institution != authorisation.institution:
                raise Conflict(
                    f"authorisation {word} was granted to institution {authorisation.institution}, "
                    f"and {user_id} acts for {user.institution}"
                )
            await check_mandate(write, by, user.institution, now, word)
            await check_not_self(write, by, user.person)
            await self._end_lapsed(write, user_id, word, by, now)
            values = {"user_id": user_id, "authorisation": word, "uses": write_uses(wanted)}
            row = await write.insert(designations, **values, **recorded(by, now, validity))
            if by_word:
                said = {"kind": CONFIRMED, "subject": row, "user_id": user_id}
                await write.insert(confirmations, **said, **recorded(by, now))
            write.users[user_id] = None
            details: dict[str, Detail] = {
                "record": row,
                "authorisation": word,
                "uses": write_uses(wanted),
                "valid_from": validity.start,
                "valid_to": validity.end,
            }
            write.change = Change("designation add", now, by, user_id, institution=user.institution, details=details)
        return row

    async def end_designation(
        self, designation: int, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """From now on the person is not designated for it; what they have open ends within a second."""
        await self._end_record(designations, designation, "designation", by, now, before_commit)

    async def add_role(
        self,
        user_id: str,
        role: str,
        by: By,
        now: float,
        validity: Validity | None = None,
        before_commit: BeforeCommit | None = None,
    ) -> int:
        """Gives a user ID a user-management role, where no outside source says so (P3)."""
        if not role.isprintable() or not role.strip():
            raise Conflict("a role has a name")
        async with self._write(before_commit) as write:
            user = await live_user_id(write, user_id)
            await check_mandate(write, by, user.institution, now)
            await check_not_self(write, by, user.person)
            mine = sa.and_(roles.c.user_id == user_id, roles.c.role == role, roles.c.ended_at.is_(None))
            same = await write.one(sa.select(roles.c.id).where(mine))
            if same is not None:
                raise Conflict(f"{user_id} has role {role} already (record {same.id}); end that one first")
            row = await write.insert(roles, user_id=user_id, role=role, **recorded(by, now, validity))
            write.users[user_id] = None
            details: dict[str, Detail] = {"record": row, "role": role}
            write.change = Change("role add", now, by, user_id, institution=user.institution, details=details)
        return row

    async def end_role(self, role: int, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """Takes a role away, by the number of its record."""
        await self._end_record(roles, role, "role", by, now, before_commit)

    async def _end_lapsed(self, write: Write, user_id: str, authorisation: str, by: By, now: float) -> None:
        """A designation that lapsed makes room for a new one, and its end is recorded; one that stands is in the way."""
        table = designations.c
        same = sa.and_(table.user_id == user_id, table.authorisation == authorisation, table.ended_at.is_(None))
        for row, stands in await standings(write, same, self.rules):
            if now < stands.over(self.rules.review):
                raise Conflict(
                    f"{user_id} is designated for {authorisation} already (designation {row.id}); end that one first"
                )
            if row.valid_to is None or now < row.valid_to:
                await write.end(designations, table.id == row.id, replace(by, reason=LAPSED), now)

    async def _end_record(
        self, table: sa.Table, row_id: int, what: str, by: By, now: float, before_commit: BeforeCommit | None
    ) -> None:
        async with self._write(before_commit) as write:
            row = await live_row(write, table, row_id, what)
            user = await newest_user_id(write, row.user_id)
            await check_mandate(write, by, user.institution, now, getattr(row, "authorisation", None))
            await end_row(write, table, row_id, by, now)
            write.users[row.user_id] = None
            write.change = Change(
                f"{what} end", now, by, row.user_id, institution=user.institution, details={"record": row_id}
            )
