"""An institution's people in the columns of a list that can be brought in again (`importing`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.model import FOR_EVER, Validity
from gateway.records.among import among
from gateway.records.loading import Row, parse_uses
from gateway.records.narrowing import day_of, last_day_of
from gateway.records.reviewing import standings
from gateway.records.schema import designations, persons, roles, user_ids
from gateway.records.store import Store, Write


class Exports(Store):
    """Everything raises RecordsError."""

    async def export_rows(self, keys: Sequence[str], now: float, *, with_numbers: bool) -> list[tuple[str, ...]]:
        """Rows for these live user IDs, in their order: one for each designation that stands or is to begin and for each role, or one that says
        no more than who it is. The reason is left out: it was that act's."""
        theirs = sa.or_(persons.c.id == user_ids.c.person, persons.c.same_as == user_ids.c.person)
        people: sa.Select[Any] = sa.select(
            user_ids.c.user_id, user_ids.c.language, persons.c.insz, persons.c.name
        ).join(persons, theirs)
        people = people.where(
            among(user_ids.c.user_id, keys), user_ids.c.ended_at.is_(None), persons.c.ended_at.is_(None)
        )
        made: dict[str, list[tuple[str, ...]]] = {}
        async with self._database.reading() as connection:
            known: dict[str, Row] = {row.user_id: row for row in await connection.execute(people)}
            named = sa.and_(among(designations.c.user_id, keys), designations.c.ended_at.is_(None))
            for row, stands in await standings(Write(connection), named, self.rules):
                if now < stands.over(self.rules.review):
                    made.setdefault(row.user_id, []).append(_designation(row))
            live = sa.and_(roles.c.ended_at.is_(None), sa.or_(roles.c.valid_to.is_(None), roles.c.valid_to > now))
            query = sa.select(roles).where(among(roles.c.user_id, keys), live).order_by(roles.c.id)
            for row in await connection.execute(query):
                made.setdefault(row.user_id, []).append(_role(row))
        rows: list[tuple[str, ...]] = []
        for key in keys:
            if key in known:
                head = _head(known[key], with_number=with_numbers)
                rows += [(*head, *cells) for cells in made.get(key) or [("",) * 6]]
        return rows


def _head(row: Row, *, with_number: bool) -> tuple[str, ...]:
    digits = row.insz
    # With its points a spreadsheet leaves it as it is; as a bare number it would lose its first zeros.
    number = f"{digits[:2]}.{digits[2:4]}.{digits[4:6]}-{digits[6:9]}.{digits[9:]}" if with_number else ""
    return number, row.name, row.user_id, row.language


def _designation(row: Row) -> tuple[str, ...]:
    return row.authorisation, " ".join(sorted(parse_uses(row.uses))), *_days(row), "", ""


def _role(row: Row) -> tuple[str, ...]:
    return "", "", *_days(row), row.role, ""


def _days(row: Row) -> tuple[str, str]:
    last = last_day_of(Validity(row.valid_from, FOR_EVER if row.valid_to is None else row.valid_to))
    return day_of(row.valid_from).isoformat(), "" if last is None else last.isoformat()
