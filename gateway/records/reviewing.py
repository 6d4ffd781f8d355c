"""Designations under review: the head official's confirmation, and that they are still needed, said again every period (clauses P4, P5).

Nothing runs to end what nobody confirmed: it names nobody from its moment on (see `standing`), and its end is recorded when a new
designation takes its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.model import Use, Validity
from gateway.records.administration import check_mandate, check_not_self, live_user_id, recorded
from gateway.records.among import among, chunks
from gateway.records.loading import (
    Row,
    effective,
    numbers_of_mandates,
    parse_uses,
    read_mandates,
    read_said,
)
from gateway.records.schema import confirmations, designations, mandates, persons, user_ids
from gateway.records.standing import (
    CONFIRMED,
    OF_DESIGNATIONS,
    RECERTIFIED,
    Rules,
    Said,
    Standing,
    designation_standing,
)
from gateway.records.store import Store, Write
from gateway.records.values import BeforeCommit, By, Change

LAPSED: Final = "not confirmed in time"
Which = Literal["waiting", "due", "orphaned", "all"]
"""Designations that wait for the head official; whose period is over soon; whose mandate has ended; or all that stand."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A live designation as whoever reviews it sees it. `given` is the validity that it was made with; `over` when it names nobody any more."""

    record: int
    user_id: str
    name: str
    person: int
    authorisation: str
    uses: frozenset[Use]
    given: Validity
    stands: Standing
    over: float
    recorded_at: float
    actor: str
    reason: str
    mandate: int | None
    act: str | None

    def needs_review(self, now: float) -> bool:
        """Its mandate has ended, and it stands for the time of review alone."""
        mandate = self.stands.mandate
        return mandate is not None and mandate.validity.end <= now < self.over


class Reviews(Store):
    """Confirming, recertifying, and the lists of what asks for it."""

    async def confirm_designations(
        self, records: Iterable[int], by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """The head official's word for designations that were made without their written act, or whose mandate has ended.

        Each is an act of its own; the first that is refused (Conflict) ends the row.
        """
        if by.mandate is not None:
            raise Conflict("a designation is confirmed by the head official, never under a mandate")
        for record in _each_once(records):
            await self._say(CONFIRMED, "designation confirm", record, by, now, before_commit)

    async def recertify(
        self, records: Iterable[int], by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """That these are still needed: they stand for another period; one whose mandate has ended rests on whoever says so.

        Each is an act of its own; the first that is refused (Conflict) ends the row.
        """
        for record in _each_once(records):
            await self._say(RECERTIFIED, "designation recertify", record, by, now, before_commit)

    async def _say(
        self, kind: str, act: str, record: int, by: By, now: float, before_commit: BeforeCommit | None
    ) -> None:
        """One designation: each is an act with a line of its own, about one person."""
        async with self._write(before_commit) as write:
            found = await standings(write, designations.c.id == record, self.rules)
            if not found:
                raise Conflict(f"designation {record} does not exist; see `gateway designation list`")
            row, stands = found[0]
            if row.ended_at is not None or now >= stands.over(self.rules.review):
                raise Conflict(f"designation {record} has ended; designate the person anew")
            if kind == CONFIRMED and stands.confirmed and not _orphaned(stands, now):
                raise Conflict(f"designation {record} needs no confirmation any more")
            user = await live_user_id(write, row.user_id)
            await check_mandate(write, by, user.institution, now, row.authorisation)
            await check_not_self(write, by, user.person)
            values = {"kind": kind, "subject": record, "user_id": row.user_id}
            await write.insert(confirmations, **values, **recorded(by, now))
            write.users[row.user_id] = None
            details = {"record": record, "authorisation": row.authorisation}
            write.change = Change(act, now, by, row.user_id, institution=user.institution, details=details)

    async def reviewed(
        self,
        institution: str,
        which: Which,
        now: float,
        *,
        after: int = 0,
        most: int = 50,
        only: Collection[int] = (),
        authorisation: str = "",
        without: str = "",
    ) -> list[Reviewed]:
        """Designations of an institution's user IDs that stand, by number, `most` of them after the one with the number `after`.

        `only` those with these numbers, where any is given; of one `authorisation`, where one is named, and of who was never designated
        for the one `without` which is asked.
        """
        found: list[Reviewed] = []
        async with self._database.reading() as connection:
            while len(found) < most:
                query = self._listed(institution, which, now, authorisation).where(designations.c.id > after)
                if only:
                    query = query.where(designations.c.id.in_(only))
                if without:
                    other = designations.alias()
                    named = sa.and_(other.c.user_id == designations.c.user_id, other.c.authorisation == without)
                    query = query.where(~sa.exists().where(named))
                rows = list(await connection.execute(query.limit(most)))
                for row, stands in await connection.run_sync(_standings_of, rows, self.rules):
                    one = _reviewed(row, stands, self.rules)
                    if self._fits(which, one, now):
                        found.append(one)
                if len(rows) < most:
                    break
                after = rows[-1].id
        return found[:most]

    def _listed(self, institution: str, which: Which, now: float, authorisation: str) -> sa.Select[tuple[Any, ...]]:
        """What the database can tell of it; `_fits` has the last word."""
        table, known = designations.c, persons.c
        theirs = sa.or_(known.id == user_ids.c.person, known.same_as == user_ids.c.person)
        query = sa.select(designations, known.name, user_ids.c.person.label("who"))
        query = query.join(user_ids, user_ids.c.user_id == table.user_id).join(persons, theirs)
        query = query.where(user_ids.c.institution == institution, user_ids.c.ended_at.is_(None))
        query = query.where(known.ended_at.is_(None), table.ended_at.is_(None))
        query = query.where(sa.or_(table.valid_to.is_(None), table.valid_to > now))
        if authorisation:
            query = query.where(table.authorisation == authorisation)
        return query.where(*self._chosen(which, now)).order_by(table.id)

    def _chosen(self, which: Which, now: float) -> tuple[sa.ColumnElement[bool], ...]:
        table, said = designations.c, confirmations.c
        of_it = sa.and_(said.subject == table.id, said.ended_at.is_(None))
        if which == "waiting":
            return (table.act_reference.is_(None), ~sa.exists().where(of_it, said.kind == CONFIRMED))
        if which == "due":
            last = sa.select(sa.func.max(said.recorded_at)).where(of_it, said.kind.in_(OF_DESIGNATIONS))
            certified = sa.func.coalesce(last.scalar_subquery(), table.recorded_at)
            return (certified <= now + self.rules.warn - self.rules.recertify,)
        if which == "orphaned":
            gone = sa.or_(mandates.c.ended_at <= now, mandates.c.valid_to <= now)
            gone_since = sa.select(mandates.c.id).where(gone)
            said_under = sa.select(said.subject).where(said.mandate.in_(gone_since))
            return (sa.or_(table.mandate.in_(gone_since), table.id.in_(said_under)),)
        return ()

    def _fits(self, which: Which, one: Reviewed, now: float) -> bool:
        if now >= one.over:
            return False
        if which == "waiting":
            return not one.stands.confirmed
        if which == "due":
            return one.stands.lapses < one.given.end and one.stands.lapses <= now + self.rules.warn
        return which == "all" or one.needs_review(now)


async def standings(write: Write, chosen: sa.ColumnElement[bool], rules: Rules) -> list[tuple[Row, Standing]]:
    """The designations chosen, each with how it stands."""
    rows = list(await write.execute(sa.select(designations).where(chosen).order_by(designations.c.id)))
    return await write.connection.run_sync(_standings_of, rows, rules)


def _standings_of(connection: sa.Connection, rows: list[Row], rules: Rules) -> list[tuple[Row, Standing]]:
    said: dict[int, list[Said]] = {}
    for chunk in chunks([row.id for row in rows]):
        said.update(read_said(connection, among(confirmations.c.subject, chunk)))
    mandate_of = read_mandates(connection, numbers_of_mandates([row.mandate for row in rows], said))
    return [
        (
            row,
            designation_standing(
                effective(row),
                row.recorded_at,
                row.mandate,
                row.act_reference is not None,
                said.get(row.id, ()),
                mandate_of,
                rules,
            ),
        )
        for row in rows
    ]


def _orphaned(stands: Standing, now: float) -> bool:
    return stands.mandate is not None and not stands.mandate.validity.holds(now)


def _reviewed(row: sa.Row[Any], stands: Standing, rules: Rules) -> Reviewed:
    act = None if row.act_reference is None else f"{row.act_reference} ({row.act_date})"
    return Reviewed(
        row.id,
        row.user_id,
        row.name,
        row.who,
        row.authorisation,
        parse_uses(row.uses),
        effective(row),
        stands,
        stands.over(rules.review),
        row.recorded_at,
        row.actor,
        row.reason,
        row.mandate,
        act,
    )


def _each_once(records: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(records))
