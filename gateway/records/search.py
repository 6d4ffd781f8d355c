"""Finding an institution's people: by name or user ID, a page at a time, and by what an administrator has to look after.

Pages go by what stands at their edge (the user ID), so that none is skipped or shown twice when somebody comes or leaves in between, and the
thousandth page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model import FOR_EVER, Validity
from gateway.records.among import among, chunks
from gateway.records.directory import begins_with, folded, lasts_beyond, terms
from gateway.records.loading import Row, effective
from gateway.records.schema import confirmations, designations, directory, mandates, persons, user_ids
from gateway.records.standing import CONFIRMED, RECERTIFIED
from gateway.records.store import Store

Only = Literal["all", "blocked", "undesignated", "lapsing", "review"]
"""Of whom: `undesignated` have no designation; of `lapsing` one ends soon; of `review` one was made under a mandate that has ended."""
ONLY: Final[tuple[Only, ...]] = ("all", "blocked", "undesignated", "lapsing", "review")
FEW: Final = 20_000
"""So many designations are looked at by themselves; of more, people are met soon enough in the order of the list."""
FEW_MATCHES: Final = 2_000
"""People with a word like the longest that is looked for; of more, enough are met soon in the order of the list."""
MOST_TERMS: Final = 8

_list = directory.alias("list")


@dataclass(frozen=True, slots=True)
class Found:
    """A live user ID of an institution, with the name of whose it is. `first_end` and `last_end` are when the first and the last of their
    designations end, Unix seconds (FOR_EVER: it has no end); None without any."""

    user_id: str
    name: str
    blocked: bool
    validity: Validity
    first_end: float | None
    last_end: float | None


@dataclass(frozen=True, slots=True)
class Portion:
    """A page of people in order; `before` and `after` are the edges to go on from, None where nothing follows."""

    people: tuple[Found, ...]
    before: str | None
    after: str | None


class Search(Store):
    """Reads the directory. Everything raises RecordsError."""

    async def find_people(
        self,
        institution: str,
        search: str = "",
        only: Only = "all",
        *,
        now: float,
        most: int,
        after: str | None = None,
        before: str | None = None,
    ) -> Portion:
        """At most `most` people whose name or user ID has words that begin like those of `search`, behind `after` or ahead of `before`."""
        wanted = terms(search)[:MOST_TERMS]
        if search.strip() and not wanted:
            return Portion((), None, None)
        async with self._database.reading() as connection:
            by_words = wanted and (only == "all" or await _few(connection, institution, wanted[0]))
            driver = directory if by_words else _list
            query = _by_words(institution, wanted, only) if by_words else _in_order(institution, wanted)
            query = query.where(*await self._filter(connection, institution, only, now))
            edge = before if before is not None else after
            place = None if edge is None else await _place(connection, institution, edge)
            backwards = before is not None and place is not None
            order: list[Any] = [driver.c.sort, driver.c.user_id]
            if place is not None:
                here = sa.tuple_(*order)
                query = query.where(here < place if backwards else here > place)
            if backwards:
                order = [column.desc() for column in order]
            rows = (await connection.execute(query.order_by(*order).limit(most + 1))).all()
            more = len(rows) > most
            keys = [row.user_id for row in rows[:most]][:: -1 if backwards else 1]
            people = await _found(connection, keys)
        ahead, behind = (more, True) if backwards else (place is not None, more)
        return Portion(tuple(people), keys[0] if keys and ahead else None, keys[-1] if keys and behind else None)

    async def everybody(self, institution: str, now: float, most: int, after: str | None) -> Portion:
        """A portion of all, for an export."""
        return await self.find_people(institution, now=now, most=most, after=after)

    async def namesakes(self, institution: str, insz: str, name: str, most: int = 5) -> list[Found]:
        """People of the institution who may be the one that somebody is about to add: of the same date of birth, as their number has it, with
        a word of the name in common; or of the same name. `insz` has been checked."""
        mine = set(folded(name).split(" "))
        theirs = sa.or_(persons.c.id == user_ids.c.person, persons.c.same_as == user_ids.c.person)
        live = sa.and_(
            user_ids.c.institution == institution, user_ids.c.ended_at.is_(None), persons.c.ended_at.is_(None)
        )
        born = sa.select(user_ids.c.user_id, persons.c.name).join(user_ids, theirs)
        # From the first to the last number of a day: the order of the column is the server's, in which a prefix need be no range.
        days = [persons.c.insz.between(f"{day}{'0' * 5}", f"{day}{'9' * 5}") for day in _born(insz)]
        born = born.where(live, persons.c.insz != insz, sa.or_(*days))
        alike = sa.select(directory.c.user_id).where(
            directory.c.institution == institution, directory.c.word == "", directory.c.sort == folded(name)
        )
        other = sa.select(user_ids.c.user_id, persons.c.name).join(persons, theirs)
        other = other.where(live, persons.c.insz != insz, user_ids.c.user_id.in_(alike))
        async with self._database.reading() as connection:
            found = [row.user_id for row in await connection.execute(born) if mine & set(folded(row.name).split(" "))]
            found += [row.user_id for row in await connection.execute(other)]
            return await _found(connection, list(dict.fromkeys(found))[:most])

    async def _filter(
        self, connection: AsyncConnection, institution: str, only: Only, now: float
    ) -> list[sa.ColumnElement[bool]]:
        ends, theirs = _list.c, designations.c
        live = sa.and_(theirs.ended_at.is_(None), lasts_beyond(now))
        match only:
            case "blocked":
                return [ends.blocked]
            case "undesignated":
                return [sa.or_(ends.last_end.is_(None), ends.last_end <= now)]
            case "lapsing":
                soon = now + self.rules.warn
                one = sa.exists().where(live, theirs.user_id == ends.user_id, theirs.valid_to <= soon)
                # What the list knows of may have ended by itself since; then the designations are asked.
                return [ends.first_end <= soon, ends.last_end > now, sa.or_(ends.first_end > now, one)]
            case "review":
                over = sa.select(mandates.c.id).where(
                    mandates.c.institution == institution,
                    sa.or_(mandates.c.ended_at <= now, mandates.c.valid_to <= now),
                )
                ended = (await connection.scalars(over)).all()
                said, owner = confirmations.c, mandates.alias().c
                first = owner.ended_at < sa.func.coalesce(owner.valid_to, FOR_EVER)
                taken_over = sa.exists().where(
                    said.subject == theirs.id,
                    said.kind.in_((CONFIRMED, RECERTIFIED)),
                    owner.id == theirs.mandate,
                    said.recorded_at >= sa.case((first, owner.ended_at), else_=owner.valid_to),
                    sa.or_(said.mandate.is_(None), said.mandate.not_in(ended)),
                )
                waiting = sa.and_(theirs.mandate.in_(ended), live, ~taken_over)
                some = sa.select(theirs.user_id).where(waiting).limit(FEW + 1)
                keys = (await connection.scalars(some)).all()
                if len(keys) > FEW:
                    return [sa.exists().where(waiting, theirs.user_id == ends.user_id)]
                return [ends.user_id.in_(sa.select(theirs.user_id).where(waiting))]
            case _:
                return []


async def _few(connection: AsyncConnection, institution: str, term: str) -> bool:
    """Whether so few people have such a word that it is best to begin with them, whatever else is asked for."""
    mine = sa.and_(directory.c.institution == institution, begins_with(directory.c.word, term))
    some = sa.select(directory.c.user_id).where(mine).limit(FEW_MATCHES + 1).subquery()
    return (await connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= FEW_MATCHES


def _in_order(institution: str, wanted: Sequence[str]) -> sa.Select[Any]:
    """The list in its order, of those with all these words."""
    query = sa.select(_list.c.sort, _list.c.user_id).where(_list.c.institution == institution, _list.c.word == "")
    for term in wanted:
        other = directory.alias()
        query = query.where(sa.exists().where(other.c.user_id == _list.c.user_id, begins_with(other.c.word, term)))
    return query


def _by_words(institution: str, wanted: Sequence[str], only: Only) -> sa.Select[Any]:
    """The user IDs with all these words, each once, beginning with those that have the first."""
    query = sa.select(directory.c.sort, directory.c.user_id).distinct()
    query = query.where(directory.c.institution == institution, begins_with(directory.c.word, wanted[0]))
    for term in wanted[1:]:
        other = directory.alias()
        query = query.where(sa.exists().where(other.c.user_id == directory.c.user_id, begins_with(other.c.word, term)))
    if only != "all":
        query = query.join(_list, sa.and_(_list.c.user_id == directory.c.user_id, _list.c.word == ""))
    return query


async def _place(connection: AsyncConnection, institution: str, user_id: str) -> tuple[str, str] | None:
    """Where a user ID stands in the order, or stood: who is at the edge of a page may have left."""
    theirs = sa.or_(persons.c.id == user_ids.c.person, persons.c.same_as == user_ids.c.person)
    query = sa.select(persons.c.name).join(user_ids, theirs).order_by(persons.c.id.desc()).limit(1)
    mine = query.where(user_ids.c.user_id == user_id, user_ids.c.institution == institution)
    name = await connection.scalar(mine)
    return None if name is None else (folded(name), user_id)


async def _found(connection: AsyncConnection, keys: Sequence[str]) -> list[Found]:
    owner = user_ids.c
    theirs = sa.or_(persons.c.id == owner.person, persons.c.same_as == owner.person)
    columns = (owner.user_id, owner.blocked, owner.valid_from, owner.valid_to, owner.ended_at, persons.c.name)
    query = sa.select(*columns, _list.c.first_end, _list.c.last_end).select_from(user_ids).join(persons, theirs)
    query = query.join(_list, sa.and_(_list.c.user_id == owner.user_id, _list.c.word == ""))
    known: dict[str, Row] = {}
    for chunk in chunks(keys):
        live = query.where(among(owner.user_id, chunk), owner.ended_at.is_(None), persons.c.ended_at.is_(None))
        known.update({row.user_id: row for row in await connection.execute(live)})
    return [
        Found(row.user_id, row.name, row.blocked, effective(row), row.first_end, row.last_end)
        for row in (known[key] for key in keys if key in known)
    ]


def _born(insz: str) -> tuple[str, ...]:
    """How numbers of that date of birth begin: a national one's, and the two kinds of bis numbers'."""
    month = int(insz[2:4]) % 20
    return tuple(f"{insz[:2]}{each:02}{insz[4:6]}" for each in (month, month + 20, month + 40))
