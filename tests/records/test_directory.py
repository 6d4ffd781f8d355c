"""The directory says what the records say, whatever was done to them; a name is found by the beginning of any word of it, however it is written."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ChangedMeanwhile
from gateway.model import Use, Validity
from gateway.records import By, Records
from gateway.records.acts import ACTS_KEPT_SECONDS
from gateway.records.directory import LAST_CHARACTER, fill_directory, folded, terms, words_of
from gateway.records.schema import acts, directory
from tests.records.conftest import BY_ACT, DAY, INSZ, NORTH, NOW, Clock, Opener, add_user, authorisation


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Łukasz  De Clercq-Müller", "lukasz de clercq-muller"),
        ("ÇELİK", "celik"),
        ("Straße", "strasse"),
        ("Œuvrard Ðorđe Þór", "oeuvrard dorde thor"),
        ("ﬁn", "fin"),
        ("Αλέξης", "αλεξησ"),
        ("", ""),
    ],
)
def test_folding(text: str, plain: str) -> None:
    assert folded(text) == plain


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@given(NAMES, st.integers(0, 29), st.integers(1, 30))
def test_whoever_types_the_beginning_of_a_word_finds_it(name: str, which: int, length: int) -> None:
    pieces = name.split()
    if not pieces:
        return
    piece = pieces[which % len(pieces)]
    # Cut where a person would: not between a letter and its accent.
    asked = terms(folded(piece)[:length])
    assert all(any(word.startswith(term) for word in words_of(name, "some.body")) for term in asked)


@given(NAMES)
def test_what_is_looked_for_holds_nothing_but_letters_and_digits(text: str) -> None:
    for term in terms(text):
        assert term == "".join(character for character in term if character.isalnum())
        assert term < term + LAST_CHARACTER
    assert terms(text.upper().lower()) == terms(text.upper().lower().upper().lower())


class Undo(Exception):
    """Takes back what was done to see what would be."""


Rows = list[tuple[Any, ...]]


async def rows(records: Records) -> Rows:
    async with records._database.reading() as connection:
        return await connection.run_sync(_rows)


def _rows(connection: sa.Connection) -> Rows:
    return sorted((tuple(row) for row in connection.execute(sa.select(directory))), key=repr)


async def made_anew(records: Records, now: float) -> Rows:
    """What it would be from the legal records alone."""
    found: Rows = []
    with suppress(Undo):
        async with records._database.writing() as connection:
            await connection.execute(sa.delete(directory))
            await connection.run_sync(fill_directory, None, now)
            found = await connection.run_sync(_rows)
            raise Undo
    return found


async def test_it_follows_every_act(open_records: Opener) -> None:
    records = await open_records()
    person = await add_user(records)
    for step in (
        lambda: records.block_user_id("jansen01", BY_ACT, NOW + 1),
        lambda: records.add_designation("jansen01", authorisation(), set(Use), BY_ACT, NOW + 2),
        lambda: records.add_designation(
            "jansen01", authorisation("24/124"), set(Use), BY_ACT, NOW + 3, Validity(NOW + 3, NOW + 9 * DAY)
        ),
        lambda: records.change_person(person, INSZ[0], "Anna Jansen", BY_ACT, NOW + 4),
        lambda: records.change_language("jansen01", "fr", BY_ACT, NOW + 5),
        lambda: records.end_designation(2, BY_ACT, NOW + 6),
        lambda: records.add_user_id("jansen.two", person, NORTH, "nl", BY_ACT, NOW + 7),
        lambda: records.end_user_id("jansen01", BY_ACT, NOW + 8),
        lambda: records.end_person(person, BY_ACT, NOW + 9),
    ):
        await step()
        assert await rows(records) == await made_anew(records, NOW)
    assert await rows(records) == []


async def test_what_has_lapsed_by_itself_is_noticed_when_the_house_is_tidied(
    open_records: Opener, clock: Clock
) -> None:
    records = await open_records()
    await add_user(records)
    for reference, days in (("24/123", 3), ("24/124", 30)):
        validity = Validity(NOW, NOW + days * DAY)
        await records.add_designation("jansen01", authorisation(reference), set(Use), BY_ACT, NOW, validity)
    clock.now = NOW + 5 * DAY
    assert [each.first_end for each in (await records.find_people(NORTH, now=clock.now, most=5)).people] == [
        NOW + 3 * DAY
    ]
    # Meanwhile an answer is right all the same.
    found = await records.find_people(NORTH, only="lapsing", now=NOW + 5 * DAY, most=5)
    assert [each.user_id for each in found.people] == ["jansen01"]
    await records._tidy(clock.now)
    assert [each.first_end for each in (await records.find_people(NORTH, now=clock.now, most=5)).people] == [
        NOW + 30 * DAY
    ]


# --- acts


async def test_an_act_on_what_changed_meanwhile_is_refused_and_nothing_is_done(open_records: Opener) -> None:
    records = await open_records()
    await add_user(records)
    [seen] = await records.acts_on("jansen01", 1)
    await records.block_user_id("jansen01", BY_ACT, NOW + 1)
    late = By("shell", "late", act=BY_ACT.act, seen=seen.seq)
    told: list[str] = []
    with pytest.raises(ChangedMeanwhile):
        await records.add_role(
            "jansen01", "Reader", late, NOW + 2, before_commit=lambda change: told.append(change.act)
        )
    assert told == []
    assert await records.entries("role", user_id="jansen01") == []
    [newest] = await records.acts_on("jansen01", 1)
    assert newest.act == "user-id block"
    aware = By("shell", "now aware", act=BY_ACT.act, seen=newest.seq)
    async with records.together() as joined:  # two acts of one transaction are not in each other's way
        await joined.add_role("jansen01", "Reader", aware, NOW + 3)
        await joined.unblock_user_id("jansen01", aware, NOW + 3)
    assert [each.act for each in await records.acts_on("jansen01", 3)] == [
        "user-id unblock",
        "role add",
        "user-id block",
    ]


async def test_acts_together_are_one_transaction(open_records: Opener) -> None:
    records = await open_records()
    await add_user(records)
    lines: list[str] = []
    with suppress(Undo):
        async with records.together(lambda change: lines.append(change.act)) as joined:
            await joined.block_user_id("jansen01", BY_ACT, NOW + 1)
            raise Undo
    assert (lines, (await records.find_people(NORTH, now=NOW, most=5)).people[0].blocked) == ([], False)
    async with records.together(lambda change: lines.append(change.act)) as joined:
        await joined.block_user_id("jansen01", BY_ACT, NOW + 2)
        await joined.add_role("jansen01", "Reader", BY_ACT, NOW + 2)
    assert lines == ["user-id block", "role add"]


async def test_acts_are_kept_for_a_year(open_records: Opener) -> None:
    records = await open_records()
    await add_user(records)
    assert await records.recent_acts(NORTH, 5) != []
    async with records._write() as write:
        await write.execute(sa.update(acts).values(at=NOW - 1))
    await records._tidy(NOW + ACTS_KEPT_SECONDS)
    assert await records.recent_acts(NORTH, 5) == []
