"""The administration of persons and user IDs. Nothing is deleted: a change is an end plus a new row (DESIGN section 5).

Each act takes on whose word it is done (`By`), the moment, and what is called before the commit; it raises Conflict, which says what is in
the way and what to do, or RecordsError.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.identifiers import IdentifierError, check_insz, is_bis
from gateway.model import FOR_EVER, LANGUAGES, Language, Validity
from gateway.records.loading import Row, accepted_at, effective, root
from gateway.records.schema import (
    confirmations,
    credentials,
    designations,
    mandates,
    offices,
    persons,
    roles,
    user_ids,
)
from gateway.records.schema import sessions as session_table
from gateway.records.sessions import end_sessions
from gateway.records.standing import mandate_validity
from gateway.records.store import Store, Write
from gateway.records.values import USER_ID, BeforeCommit, By, Change

MAX_NAME_CHARACTERS = 200


class KnownPerson(NamedTuple):
    """A recorded natural person: their number here, and their live user ID at the institution that asks, if any."""

    person: int
    user_id_here: str | None


class Administration(Store):
    """Persons and user IDs."""

    async def add_person(
        self, insz: str, name: str, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> int:
        """Records a natural person, and gives their number. `name` is shown, never compared."""
        insz, name = _checked_insz(insz), _checked_name(name)
        async with self._write(before_commit) as write:
            await check_mandate(write, by, None, now)
            if await _person_by_insz(write, insz) is not None:
                raise Conflict("a person with this INSZ is recorded already; add a user ID to that one")
            person = await write.insert(persons, insz=insz, name=name, **recorded(by, now))
            write.change = Change("person add", now, by, insz=insz, details={"person": person})
        return person

    async def change_person(
        self, person: int, insz: str, name: str, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """Another name, or the national number that a bis number became: both numbers stay this person's for the history.

        Under a mandate only where the person acts for no other institution; so does `end_person`. And under a mandate no number is changed
        but a bis number that became a national one: whoever gets another's number gets what the KSZ's table grants by it. One that was
        recorded wrongly takes the head official's written act.
        """
        insz, name = _checked_insz(insz), _checked_name(name)
        async with self._write(before_commit) as write:
            current = await _live_person(write, person)
            becomes_national = is_bis(current.insz) and not is_bis(insz)
            if by.mandate is not None and insz != current.insz and not becomes_national:
                raise Conflict(
                    "under a mandate a number is changed only when a bis number became a national number; for a number that was "
                    "recorded wrongly give the head official's written act by --act and --act-date"
                )
            await _check_mandate_for_all_of(write, by, person, now)
            taken = await _person_by_insz(write, insz)
            if taken is not None and taken != person:
                raise Conflict("this INSZ belongs to another recorded person; the two cannot be joined by a change")
            await end_row(write, persons, current.id, by, now)
            row = await write.insert(persons, same_as=person, insz=insz, name=name, **recorded(by, now))
            theirs = dict.fromkeys(await _user_ids_of(write, person))
            write.users.update(theirs)
            write.listed.update(theirs)
            write.change = Change("person change", now, by, insz=insz, details={"person": person, "record": row})

    async def end_person(self, person: int, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """Ends a person with all their user IDs and sessions (they died, or were recorded by mistake)."""
        async with self._write(before_commit) as write:
            current = await _live_person(write, person)
            await _check_mandate_for_all_of(write, by, person, now)
            for user_id in await _user_ids_of(write, person):
                await end_user_id(write, user_id, by, now)
            await end_row(write, persons, current.id, by, now)
            write.change = Change("person end", now, by, insz=current.insz, details={"person": person})

    async def person_of(self, user_id: str | None = None, insz: str | None = None) -> int:
        """The number of the person who has this user ID, or this INSZ (also an earlier one of theirs). Raises Conflict."""
        async with self._database.reading() as connection:
            write = Write(connection)
            if user_id is not None:
                return int((await newest_user_id(write, user_id)).person)
            person = await _person_by_insz(write, _checked_insz(insz or ""))
        if person is None:
            raise Conflict("no person with this INSZ is recorded; add the person first")
        return person

    async def known_person(self, insz: str, institution: str) -> KnownPerson | None:
        """Who has, or had, this number, with their user ID at an institution; None for a number that is not recorded."""
        async with self._database.reading() as connection:
            write = Write(connection)
            person = await _person_by_insz(write, _checked_insz(insz))
            if person is None:
                return None
            mine = sa.and_(user_ids.c.person == person, user_ids.c.institution == institution)
            here = await write.words(sa.select(user_ids.c.user_id).where(mine, user_ids.c.ended_at.is_(None)))
        return KnownPerson(person, here[-1] if here else None)

    async def only_of(self, person: int, insz: str, institution: str) -> bool:
        """Whether an institution's mandate is enough to give this person that number: they act for no other, and it is nobody else's."""
        async with self._database.reading() as connection:
            write = Write(connection)
            live = sa.and_(user_ids.c.person == person, user_ids.c.ended_at.is_(None))
            at_work = await write.words(sa.select(user_ids.c.institution).where(live).distinct())
            return at_work == [institution] and await _person_by_insz(write, insz) in (None, person)

    async def add_user_id(
        self,
        user_id: str,
        person: int,
        institution: str,
        language: Language,
        by: By,
        now: float,
        validity: Validity | None = None,
        before_commit: BeforeCommit | None = None,
    ) -> None:
        """Gives a person a user ID at an institution (its KBO number). A word that once was somebody else's is never given again."""
        if not USER_ID.fullmatch(user_id):
            raise Conflict(
                "a user ID has 4 to 64 characters a-z 0-9 . _ -, and begins and ends with a letter or a digit"
            )
        if language not in LANGUAGES:
            raise Conflict(f"language must be one of {', '.join(LANGUAGES)}")
        async with self._write(before_commit) as write:
            await check_mandate(write, by, institution, now)
            await _live_person(write, person)
            earlier = await write.one(_newest(user_id))
            if earlier is not None and earlier.ended_at is None:
                raise Conflict(f"user ID {user_id} exists already; choose another word")
            if earlier is not None and (earlier.person, earlier.institution) != (person, institution):
                raise Conflict(
                    f"user ID {user_id} was somebody else's, or for another institution; choose another word"
                )
            values = {"person": person, "institution": institution, "language": language, "blocked": False}
            row = await write.insert(user_ids, user_id=user_id, **values, **recorded(by, now, validity))
            write.users[user_id] = None
            details = {"record": row, "language": language}
            write.change = Change("user-id add", now, by, user_id, institution=institution, details=details)

    async def block_user_id(self, user_id: str, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """Nobody signs in with it any more, until it is unblocked; its sessions end."""
        await self._set_blocked(user_id, True, by, now, before_commit)

    async def unblock_user_id(
        self, user_id: str, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        await self._set_blocked(user_id, False, by, now, before_commit)

    async def change_language(
        self, user_id: str, language: Language, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """The language that the person is written to in, and that pages begin in."""
        if language not in LANGUAGES:
            raise Conflict(f"language must be one of {', '.join(LANGUAGES)}")
        async with self._write(before_commit) as write:
            current = await live_user_id(write, user_id)
            await self._renew(write, current, "change", by, now, language=language)

    async def _set_blocked(
        self, user_id: str, blocked: bool, by: By, now: float, before_commit: BeforeCommit | None
    ) -> None:
        async with self._write(before_commit) as write:
            current = await live_user_id(write, user_id)
            if current.blocked == blocked:
                raise Conflict(f"user ID {user_id} is {'blocked already' if blocked else 'not blocked'}")
            await self._renew(write, current, "block" if blocked else "unblock", by, now, blocked=blocked)
            if blocked:
                await end_sessions(write, session_table.c.user_id == user_id, now, by.signature, "blocked")

    async def _renew(self, write: Write, current: Row, verb: str, by: By, now: float, **changed: object) -> None:
        """The same user ID with something changed: an end and a new row. One that is yet to begin still begins then."""
        user_id = current.user_id
        await check_mandate(write, by, current.institution, now)
        validity = Validity(max(now, current.valid_from), FOR_EVER if current.valid_to is None else current.valid_to)
        if validity.end <= now:
            raise Conflict(f"user ID {user_id} has expired; there is nothing to {verb}")
        await end_row(write, user_ids, current.id, by, now)
        kept = {name: getattr(current, name) for name in ("person", "institution", "language", "blocked")}
        row = await write.insert(user_ids, user_id=user_id, **{**kept, **changed}, **recorded(by, now, validity))
        write.users[user_id] = None
        write.change = Change(
            f"user-id {verb}", now, by, user_id, institution=current.institution, details={"record": row}
        )

    async def end_user_id(self, user_id: str, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """The person no longer acts for this institution: the user ID ends with its designations, roles, means, offices, mandates and sessions."""
        async with self._write(before_commit) as write:
            current = await live_user_id(write, user_id)
            await check_mandate(write, by, current.institution, now)
            await end_user_id(write, user_id, by, now)
            write.change = Change(
                "user-id end", now, by, user_id, institution=current.institution, details={"record": current.id}
            )


def recorded(by: By, now: float, validity: Validity | None = None) -> dict[str, object]:
    """The columns that every legal record has; without a validity it is good from now on."""
    start, end = (now, FOR_EVER) if validity is None else (validity.start, validity.end)
    act = by.act
    return {
        "valid_from": start,
        "valid_to": None if end == FOR_EVER else end,
        "recorded_at": now,
        "actor": by.actor,
        "reason": by.reason,
        "mandate": by.mandate,
        "act_reference": None if act is None else act.reference,
        "act_date": None if act is None else act.on,
    }


async def check_mandate(
    write: Write, by: By, institution: str | None, now: float, authorisation: str | None = None
) -> None:
    """When something is done under a mandate, it is one of this institution (None: of any), in force now, and its holder may act.

    In force is one that its holder has accepted. With an `authorisation`, that is one that the mandate is for.
    """
    if by.mandate is None:
        return
    row = await write.one(sa.select(mandates, accepted_at().label("accepted")).where(mandates.c.id == by.mandate))
    if row is None:
        raise Conflict(f"mandate {by.mandate} does not exist; see `gateway mandate list`")
    if row.accepted is None and row.ended_at is None:
        raise Conflict(f"mandate {by.mandate} waits for {row.user_id} to accept it; see `gateway mandate accept`")
    if not mandate_validity(effective(row), row.accepted).holds(now):
        raise Conflict(f"mandate {by.mandate} is not in force; the head official can give a new one")
    if by.actor.startswith("user:") and by.actor != f"user:{row.user_id}":
        raise Conflict(f"mandate {by.mandate} is {row.user_id}'s, and nobody acts under another's")
    if institution is not None and row.institution != institution:
        raise Conflict(f"mandate {by.mandate} is for institution {row.institution}, not for {institution}")
    holder = await newest_user_id(write, row.user_id)
    if holder.blocked or not effective(holder).holds(now):
        raise Conflict(f"mandate {by.mandate}: its holder {row.user_id} is blocked or has ended")
    if authorisation is not None and not within(row.authorisations, authorisation):
        raise Conflict(f"mandate {by.mandate} is for {row.authorisations}, not for authorisation {authorisation}")


def within(scope: str | None, authorisation: str) -> bool:
    """Whether a mandate with this scope, as it is recorded, is for an authorisation."""
    return scope is None or authorisation in scope.split(",")


async def check_not_self(write: Write, by: By, person: int) -> None:
    """Nobody names, or gives anything to, themself: neither who acts nor the holder of the mandate, by whatever user ID."""
    acting = {by.actor.removeprefix("user:")} if by.actor.startswith("user:") else set()
    if by.mandate is not None:
        acting.update(await write.words(sa.select(mandates.c.user_id).where(mandates.c.id == by.mandate)))
    for user_id in acting:
        if (await newest_user_id(write, user_id)).person == person:
            raise Conflict("nobody can designate themself, or give themself anything; somebody else has to")


async def _check_mandate_for_all_of(write: Write, by: By, person: int, now: float) -> None:
    """No administrator touches what is another institution's: a person who acts for two needs a written act."""
    live = sa.and_(user_ids.c.person == person, user_ids.c.ended_at.is_(None))
    institutions = await write.words(sa.select(user_ids.c.institution).where(live).distinct())
    for institution in institutions or (None,):
        await check_mandate(write, by, institution, now)


async def end_row(write: Write, table: sa.Table, row_id: int, by: By, now: float) -> None:
    await write.end(table, table.c.id == row_id, by, now)


async def live_row(write: Write, table: sa.Table, row_id: int, what: str) -> Row:
    row = await write.one(sa.select(table).where(table.c.id == row_id))
    if row is None:
        raise Conflict(f"{what} {row_id} does not exist; see `gateway {what} list`")
    if row.ended_at is not None:
        raise Conflict(f"{what} {row_id} has ended already ({row.ended_reason})")
    return row


async def newest_user_id(write: Write, user_id: str) -> Row:
    row = await write.one(_newest(user_id))
    if row is None:
        raise Conflict(f"user ID {user_id} does not exist; see `gateway user-id list`")
    return row


async def live_user_id(write: Write, user_id: str) -> Row:
    row = await newest_user_id(write, user_id)
    if row.ended_at is not None:
        raise Conflict(f"user ID {user_id} has ended ({row.ended_reason}); add it again or choose another")
    return row


async def end_user_id(write: Write, user_id: str, by: By, now: float) -> None:
    """Ends a live user ID with all that hangs on it: were the word given again, nothing of before would come back.

    A mandate of theirs ends too, so that what they set under it is reviewed.
    """
    live = sa.select(mandates.c.id).where(mandates.c.user_id == user_id, mandates.c.ended_at.is_(None))
    theirs = await write.words(live)
    for table in (designations, roles, credentials, offices, mandates, user_ids):
        await write.end(table, table.c.user_id == user_id, by, now)
    await mark_under(write, mandates.c.id.in_(theirs))
    await end_sessions(write, session_table.c.user_id == user_id, now, by.signature, "user ID ended")
    write.users[user_id] = None


async def mark_under(write: Write, chosen: sa.ColumnElement[bool]) -> None:
    """Says that others must read again whose designations rest on one of the mandates chosen: that were made under it, or taken over."""
    under = sa.select(mandates.c.id).where(chosen)
    made = sa.select(designations.c.user_id).where(designations.c.mandate.in_(under))
    said_so = sa.select(confirmations.c.user_id).where(confirmations.c.mandate.in_(under))
    write.users.update(dict.fromkeys(await write.words(made.union(said_so))))


def _newest(user_id: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(user_ids).where(user_ids.c.user_id == user_id).order_by(user_ids.c.id.desc()).limit(1)


async def _person_by_insz(write: Write, insz: str) -> int | None:
    """Whoever has, or had, this number."""
    row = await write.one(sa.select(root().label("person")).where(persons.c.insz == insz).limit(1))
    return None if row is None else row.person


async def _live_person(write: Write, person: int) -> Row:
    row = await write.one(sa.select(persons).where(root() == person, persons.c.ended_at.is_(None)))
    if row is None:
        raise Conflict(f"person {person} does not exist or has ended; see `gateway person list`")
    return row


async def _user_ids_of(write: Write, person: int) -> list[str]:
    theirs = sa.select(user_ids.c.user_id).where(user_ids.c.person == person).distinct()
    return await write.words(theirs)


def _checked_insz(insz: str) -> str:
    try:
        return check_insz(insz.strip())
    except IdentifierError as error:
        raise Conflict(str(error)) from None


def _checked_name(name: str) -> str:
    plain = " ".join(name.split())
    if not plain or len(plain) > MAX_NAME_CHARACTERS or not plain.isprintable():
        raise Conflict(f"a name has 1 to {MAX_NAME_CHARACTERS} printable characters")
    return plain
