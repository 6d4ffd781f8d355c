"""Mandates: the head official of an institution makes somebody its local administrator, who accepts it (clause P5).

Nobody acts under a mandate before its holder has accepted it. One that is given by command line rests on a written act that its holder
knows: it is accepted with it, unless the act says that it is still to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.model import Validity
from gateway.records.administration import end_row, live_row, live_user_id, mark_under, recorded
from gateway.records.loading import Row, accepted_at, effective
from gateway.records.schema import confirmations, mandates, persons, user_ids
from gateway.records.standing import ACCEPTED, mandate_validity
from gateway.records.store import Store, Write
from gateway.records.values import BeforeCommit, By, Change

DECLINED: Final = "declined by its holder"


@dataclass(frozen=True, slots=True)
class MandateEntry:
    """A mandate as its head official sees it. `given` is its validity, cut off where it was ended; `accepted_at` when its holder accepted
    it, None until they do; `scope` the references of the authorisations that it is for, None for all of the institution."""

    record: int
    user_id: str
    name: str
    institution: str
    scope: tuple[str, ...] | None
    given: Validity
    accepted_at: float | None
    recorded_at: float
    actor: str
    reason: str
    act: str | None
    ended_at: float | None
    ended_by: str | None
    ended_reason: str | None

    def in_force(self, now: float) -> bool:
        return mandate_validity(self.given, self.accepted_at).holds(now)

    def waits(self, now: float) -> bool:
        """It could still be accepted, and was not."""
        return self.accepted_at is None and self.ended_at is None and now < self.given.end


class Mandates(Store):
    """Giving, accepting and ending."""

    async def add_mandate(
        self,
        user_id: str,
        by: By,
        now: float,
        validity: Validity | None = None,
        before_commit: BeforeCommit | None = None,
        *,
        authorisations: Iterable[str] | None = None,
        accepted: bool = True,
    ) -> int:
        """The head official mandates the holder of a user ID as local administrator of its institution, by a written act (P5).

        `authorisations` are the references of those that it is for (None: all of the institution). `accepted` says that its holder
        accepted it in that act; otherwise it waits for `accept_mandate`.
        """
        if by.act is None:
            raise Conflict("a mandate is the head official's own act: give its reference and date")
        if by.mandate is not None:
            raise Conflict("a mandate is given by the head official, never under another mandate")
        scope = None if authorisations is None else ",".join(sorted(set(authorisations)))
        if scope == "":
            raise Conflict("a mandate for no authorisation opens nothing: name some, or none for all")
        if validity is not None and validity.end <= now:
            raise Conflict("a mandate that is over already opens nothing: give a later end")
        async with self._write(before_commit) as write:
            user = await live_user_id(write, user_id)
            if by.actor == f"user:{user_id}" or await _same_person(write, by, user.person):
                raise Conflict("a head official mandates somebody else: nobody can give themself anything")
            values = {"user_id": user_id, "institution": user.institution, "authorisations": scope}
            row = await write.insert(mandates, **values, **recorded(by, now, validity))
            if accepted:
                await _accept(write, row, user_id, by, now, validity)
            details = {"record": row, "authorisations": scope}
            write.change = Change("mandate add", now, by, user_id, institution=user.institution, details=details)
        return row

    async def accept_mandate(self, mandate: int, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """Its holder accepts it: by themself (`user:<user ID>`), or by a written act that `by` names."""
        async with self._write(before_commit) as write:
            row = await live_row(write, mandates, mandate, "mandate")
            _only_its_holder(by, row)
            if await write.one(sa.select(accepted_at().label("at")).where(mandates.c.id == mandate)) != (None,):
                raise Conflict(f"mandate {mandate} was accepted already")
            if effective(row).end <= now:
                raise Conflict(f"mandate {mandate} is over; the head official can give a new one")
            await _accept(write, mandate, row.user_id, by, now, None)
            details = {"record": mandate}
            write.change = Change("mandate accept", now, by, row.user_id, institution=row.institution, details=details)

    async def decline_mandate(
        self, mandate: int, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """Its holder does not accept it: it ends, and was never in force."""
        async with self._write(before_commit) as write:
            row = await live_row(write, mandates, mandate, "mandate")
            _only_its_holder(by, row)
            said = By(by.actor, DECLINED, None, by.act)
            await end_row(write, mandates, mandate, said, now)
            details = {"record": mandate}
            write.change = Change(
                "mandate decline", now, said, row.user_id, institution=row.institution, details=details
            )

    async def end_mandate(self, mandate: int, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """Its holder administers nothing from now on; designations made under it go on until the review time is over."""
        if by.mandate is not None:
            raise Conflict("a mandate is ended by the head official, never under another mandate")
        async with self._write(before_commit) as write:
            row = await live_row(write, mandates, mandate, "mandate")
            await end_row(write, mandates, mandate, by, now)
            await mark_under(write, mandates.c.id == mandate)
            write.change = Change(
                "mandate end", now, by, row.user_id, institution=row.institution, details={"record": mandate}
            )

    async def mandates_of(self, user_id: str) -> list[MandateEntry]:
        """The live mandates of a user ID, oldest first: in force, waiting, or yet to begin."""
        return await self._mandates(mandates.c.user_id == user_id, mandates.c.ended_at.is_(None))

    async def mandates_at(self, institution: str) -> list[MandateEntry]:
        """Every mandate that there is, or was, at an institution, newest first."""
        return (await self._mandates(mandates.c.institution == institution))[::-1]

    async def accepted_mandates(self) -> dict[int, float]:
        """When each mandate that was accepted counts from, Unix seconds; by its number."""
        table = confirmations.c
        query = sa.select(table.subject, sa.func.min(table.valid_from).label("at")).group_by(table.subject)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.where(table.kind == ACCEPTED, table.ended_at.is_(None)))
            return {row.subject: row.at for row in rows}

    async def mandate_in_force(self, user_id: str, institution: str, now: float) -> MandateEntry | None:
        """The mandate that the holder of a user ID acts under; the newest of several. None: they administer nothing."""
        held = await self.mandates_of(user_id)
        live = [each for each in held if each.institution == institution and each.in_force(now)]
        return live[-1] if live else None

    async def _mandates(self, *chosen: sa.ColumnElement[bool]) -> list[MandateEntry]:
        theirs = sa.select(user_ids.c.person).where(user_ids.c.user_id == mandates.c.user_id)
        person = theirs.order_by(user_ids.c.id.desc()).limit(1).correlate(mandates).scalar_subquery()
        of_person = sa.or_(persons.c.id == person, persons.c.same_as == person)
        name = sa.select(persons.c.name).where(of_person).order_by(persons.c.id.desc()).limit(1)
        columns = (mandates, accepted_at().label("accepted"), name.correlate(mandates).scalar_subquery().label("name"))
        async with self._database.reading() as connection:
            rows = await connection.execute(sa.select(*columns).where(*chosen).order_by(mandates.c.id))
            return [_entry(row) for row in rows]


async def _same_person(write: Write, by: By, person: int) -> bool:
    """Whether who acts is this person, by another user ID."""
    if not by.actor.startswith("user:"):
        return False
    return bool((await live_user_id(write, by.actor.removeprefix("user:"))).person == person)


async def _accept(write: Write, mandate: int, user_id: str, by: By, now: float, validity: Validity | None) -> None:
    """An acceptance counts from when it was said; one in the act itself from when the mandate begins."""
    since = None if validity is None else Validity(validity.start)
    values = {"kind": ACCEPTED, "subject": mandate, "user_id": user_id}
    await write.insert(confirmations, **values, **recorded(by, now, since))


def _only_its_holder(by: By, row: Row) -> None:
    if by.actor.startswith("user:") and by.actor != f"user:{row.user_id}":
        raise Conflict(f"mandate {row.id} is {row.user_id}'s to accept, or not")
    if not by.actor.startswith("user:") and by.act is None:
        raise Conflict("a mandate is accepted by its holder: give the reference and date of what they signed")


def _entry(row: Row) -> MandateEntry:
    return MandateEntry(
        row.id,
        row.user_id,
        row.name,
        row.institution,
        None if row.authorisations is None else tuple(row.authorisations.split(",")),
        effective(row),
        row.accepted,
        row.recorded_at,
        row.actor,
        row.reason,
        None if row.act_reference is None else f"{row.act_reference} ({row.act_date})",
        row.ended_at,
        row.ended_by,
        row.ended_reason,
    )
