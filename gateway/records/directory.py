"""The list of an institution's people that is searched and paged: by name, folded, so that capitals and accents do not matter.

Working state, made anew from the legal records whenever one of them changes, in the same transaction. Each live user ID has a row for
every word that it is found by, and one with an empty word: the list itself. A prefix of a word is a range of the primary key, and a page
is a few rows of it, with a hundred thousand people as with a hundred.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.model import FOR_EVER
from gateway.records.among import among, chunks
from gateway.records.schema import designations, directory, persons, user_ids

LAST_CHARACTER = "\U0010ffff"
"""Behind every other one, in the order of the columns."""
MOST_LAPSED = 5_000
"""Looked at in one go: whoever writes meanwhile waits for some tenths of a second."""
_PARTS = re.compile(r"[^\W_]+")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})
"""Those that Unicode does not take apart."""


def folded(text: str) -> str:
    """Lower case, without accents, single spaces: Łukasz De Clercq-Müller becomes `lukasz de clercq-muller`."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in apart if not unicodedata.combining(character))
    return " ".join(plain.translate(_LETTERS).split())


def terms(search: str) -> list[str]:
    """What is looked for, each as it stands in the directory: `D'Hondt an` becomes `dhondt`, `an`; longest first, none twice."""
    found = {"".join(_PARTS.findall(piece)) for piece in folded(search).split(" ")} - {""}
    return sorted(found, key=lambda term: (-len(term), term))


def words_of(name: str, user_id: str) -> set[str]:
    """Every word that somebody is found by: of D'Hondt, `d`, `hondt` and `dhondt`."""
    found: set[str] = set()
    for piece in folded(f"{name} {user_id}").split(" "):
        parts = _PARTS.findall(piece)
        found.update(parts, {"".join(parts)})
    return found - {""}


def begins_with(column: sa.ColumnElement[str], term: str) -> sa.ColumnElement[bool]:
    """Of a column that is ordered by its characters' numbers (`schema.EXACT`): in another order a prefix need be no range."""
    return sa.and_(column >= term, column < term + LAST_CHARACTER)


def lasts_beyond(now: float) -> sa.ColumnElement[bool]:
    """Of a designation: it does not end by `now` by itself."""
    return sa.or_(designations.c.valid_to.is_(None), designations.c.valid_to > now)


def fill_directory(connection: sa.Connection, keys: Iterable[str] | None = None, now: float = 0.0) -> None:
    """Makes the rows of these user IDs anew; without `keys`, of all that there are.

    `now` is Unix seconds; a designation that has ended by then counts for nothing.
    """
    if keys is None:
        keys = connection.execute(sa.select(user_ids.c.user_id).where(user_ids.c.ended_at.is_(None))).scalars().all()
    for chunk in chunks(list(keys)):
        connection.execute(sa.delete(directory).where(among(directory.c.user_id, chunk)))
        rows = [row for user in connection.execute(_listed(chunk)) for row in _rows(*user)]
        if rows:
            connection.execute(sa.insert(directory), rows)
    refresh_ends(connection, keys, now)


def refresh_ends(connection: sa.Connection, keys: Iterable[str], now: float) -> None:
    """Notes anew when the designations of these user IDs end: of those that are live and last beyond `now`."""
    theirs = sa.and_(
        designations.c.user_id == directory.c.user_id, designations.c.ended_at.is_(None), lasts_beyond(now)
    )
    end = sa.func.coalesce(designations.c.valid_to, FOR_EVER)
    first = sa.select(sa.func.min(end)).where(theirs).scalar_subquery()
    last = sa.select(sa.func.max(end)).where(theirs).scalar_subquery()
    for chunk in chunks(list(keys)):
        mine = sa.and_(among(directory.c.user_id, chunk), directory.c.word == "")
        connection.execute(sa.update(directory).where(mine).values(first_end=first, last_end=last))


def refresh_lapsed(connection: sa.Connection, now: float) -> None:
    """The same for those of whom the first designation has ended by itself since."""
    passed = sa.select(directory.c.user_id).where(directory.c.first_end <= now).limit(MOST_LAPSED)
    refresh_ends(connection, connection.execute(passed).scalars().all(), now)


def _listed(keys: Sequence[str]) -> sa.Select[Any]:
    owner = user_ids.c
    theirs = sa.or_(persons.c.id == owner.person, persons.c.same_as == owner.person)
    query = sa.select(owner.institution, owner.user_id, owner.blocked, persons.c.name).join(persons, theirs)
    return query.where(among(owner.user_id, keys), owner.ended_at.is_(None), persons.c.ended_at.is_(None))


def _rows(institution: str, user_id: str, blocked: bool, name: str) -> list[dict[str, object]]:
    values = {"institution": institution, "sort": folded(name), "user_id": user_id, "blocked": blocked}
    return [{"word": word, **values} for word in ("", *sorted(words_of(name, user_id)))]
