"""Mandates that their holders accept, their scope; designations that are confirmed, and lapse unless it is said that they are still needed; offices."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.decision.ruling import designation_fault
from gateway.errors import Conflict
from gateway.model import Designation, Use, Validity
from gateway.records import By, Change, Records, RecordsSettings
from gateway.records.standing import HALF_A_YEAR, Rules
from tests.records.conftest import (
    ACT,
    BY,
    BY_ACT,
    DAY,
    INSZ,
    NORTH,
    NOW,
    SOUTH,
    Clock,
    Opener,
    add_user,
    authorisation,
    sign_in,
)

HEAD = By("user:head01", "the head official's word")
LONG = authorisation(validity=Validity(NOW - 100 * DAY, NOW + 3000 * DAY))
OTHER = authorisation("24/124", validity=LONG.validity)
READ = {Use.CONSULTATION}
REVIEW = 30 * DAY


@pytest.fixture
async def house(records: Records) -> Records:
    """A head official, two administrators and two persons of one institution, and somebody of another."""
    for number, user_id in enumerate(("head01", "admin01", "admin02", "jansen01")):
        await add_user(records, user_id, insz=INSZ[number])
    await add_user(records, "south01", SOUTH, INSZ[4])
    return records


def under(mandate: int, user_id: str = "admin01") -> By:
    return By(f"user:{user_id}", "handles files", mandate)


async def designation(records: Records, reference: str = "24/123", user_id: str = "jansen01") -> Designation:
    user = await records.user(user_id)
    assert user is not None
    return user.designations[reference][-1]


async def run(records: Records, statement: str) -> None:
    """Past every check of ours."""
    async with records._database.writing() as connection:
        await connection.execute(sa.text(statement))


async def fault(records: Records, now: float) -> str | None:
    return designation_fault(await designation(records), now, REVIEW)


# --- accepted


async def test_nobody_acts_under_a_mandate_that_its_holder_has_not_accepted(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW, accepted=False)
    assert await house.mandate_in_force("admin01", NORTH, NOW) is None
    with pytest.raises(Conflict, match="accept"):
        await house.add_designation("jansen01", LONG, READ, under(mandate), NOW)
    for stranger in (By("user:admin02", "x"), HEAD, BY):
        with pytest.raises(Conflict):
            await house.accept_mandate(mandate, stranger, NOW)
    await house.accept_mandate(mandate, By("user:admin01", "accepted"), NOW + DAY)
    held = await house.mandate_in_force("admin01", NORTH, NOW + DAY)
    assert held is not None
    assert (held.record, held.accepted_at, held.in_force(NOW)) == (mandate, NOW + DAY, False)
    await house.add_designation("jansen01", LONG, READ, under(mandate), NOW + DAY)
    with pytest.raises(Conflict, match="already"):
        await house.accept_mandate(mandate, By("user:admin01", "accepted"), NOW + DAY)


async def test_one_that_was_never_accepted_names_nobody_whatever_a_row_says(house: Records) -> None:
    """The check of the act is one thing; what is read is another: a row that got past it opens nothing."""
    accepted = await house.add_mandate("admin01", BY_ACT, NOW)
    await house.add_designation("jansen01", LONG, READ, By("shell", "x", accepted, ACT), NOW)
    await run(
        house, f"UPDATE confirmations SET ended_at = {NOW}, ended_by = 'x', ended_reason = 'y' WHERE kind = 'accepted'"
    )
    assert await fault(house, NOW + 1) == "mandate_ended"


async def test_one_that_is_given_by_a_written_act_is_accepted_with_it(house: Records) -> None:
    begins = NOW - 10 * DAY
    mandate = await house.add_mandate("admin01", BY_ACT, NOW, Validity(begins))
    [held] = await house.mandates_of("admin01")
    assert (held.record, held.accepted_at) == (mandate, begins)
    later = await house.add_mandate("admin02", BY_ACT, NOW, accepted=False)
    await house.accept_mandate(later, BY_ACT, NOW)
    assert await house.mandate_in_force("admin02", NORTH, NOW) is not None


async def test_a_mandate_that_is_declined_was_never_in_force(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW, accepted=False)
    with pytest.raises(Conflict):
        await house.decline_mandate(mandate, By("user:admin02", "no"), NOW)
    await house.decline_mandate(mandate, By("user:admin01", "no"), NOW)
    with pytest.raises(Conflict, match="ended"):
        await house.accept_mandate(mandate, By("user:admin01", "yes"), NOW)
    assert (await house.mandates_at(NORTH))[0].ended_reason == "declined by its holder"


async def test_one_that_is_over_is_not_accepted(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW, Validity(NOW, NOW + DAY), accepted=False)
    with pytest.raises(Conflict, match="over"):
        await house.accept_mandate(mandate, By("user:admin01", "yes"), NOW + DAY)
    with pytest.raises(Conflict, match="over"):
        await house.add_mandate("admin01", BY_ACT, NOW, Validity(NOW - DAY, NOW))


async def test_nobody_gives_themself_a_mandate(house: Records) -> None:
    person = await house.person_of(user_id="head01")
    await house.add_user_id("head.two", person, NORTH, "nl", BY_ACT, NOW)
    for user_id in ("head01", "head.two"):
        with pytest.raises(Conflict, match="themself"):
            await house.add_mandate(user_id, replace(HEAD, act=ACT), NOW)


# --- scope


async def test_an_administrator_designates_within_the_mandate_alone(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW, authorisations=["24/123"])
    made = await house.add_designation("jansen01", LONG, READ, under(mandate), NOW)
    other = await house.add_designation("jansen01", OTHER, READ, BY_ACT, NOW)
    with pytest.raises(Conflict, match="24/124"):
        await house.add_designation("jansen01", OTHER, READ, under(mandate), NOW)
    for refused in (house.recertify([other], under(mandate), NOW), house.end_designation(other, under(mandate), NOW)):
        with pytest.raises(Conflict, match="24/124"):
            await refused
    await house.recertify([made], under(mandate), NOW)
    with pytest.raises(Conflict, match="no authorisation"):
        await house.add_mandate("admin02", BY_ACT, NOW, authorisations=[])


async def test_nobody_acts_under_anothers_mandate(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    with pytest.raises(Conflict, match="another's"):
        await house.add_designation("jansen01", LONG, READ, under(mandate, "admin02"), NOW)


async def test_nobody_designates_themself_for_anything(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    person = await house.person_of(user_id="admin01")
    await house.add_user_id("admin.two", person, NORTH, "nl", BY_ACT, NOW)
    for user_id in ("admin01", "admin.two"):
        for by in (under(mandate), By("shell", "on the administrator's behalf", mandate, ACT)):
            with pytest.raises(Conflict, match="themself"):
                await house.add_designation(user_id, LONG, READ, by, NOW)
            with pytest.raises(Conflict, match="themself"):
                await house.add_role(user_id, "DossierReader", by, NOW)
    made = await house.add_designation("admin01", LONG, READ, By("user:admin02", "x", None, ACT), NOW)
    with pytest.raises(Conflict, match="themself"):
        await house.recertify([made], under(mandate), NOW)
    own = await house.add_designation("head01", LONG, READ, By("user:admin02", "x", None, ACT), NOW)
    with pytest.raises(Conflict):
        await house.confirm_designations([own], HEAD, NOW)


# --- the head official's word


async def test_a_designation_waits_for_the_head_officials_word(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    made = await house.add_designation("jansen01", LONG, READ, under(mandate), NOW)
    assert await fault(house, NOW) == "not_designated"
    with pytest.raises(Conflict, match="never under a mandate"):
        await house.confirm_designations([made], under(mandate), NOW)
    await house.recertify([made], under(mandate), NOW)
    assert await fault(house, NOW) == "not_designated"
    told: list[Change] = []
    await house.confirm_designations([made], HEAD, NOW, told.append)
    assert await fault(house, NOW) is None
    assert [(each.act, each.user_id, each.institution) for each in told] == [("designation confirm", "jansen01", NORTH)]
    assert told[0].after[0]["subject"] == made
    for again in (made, 99):
        with pytest.raises(Conflict):
            await house.confirm_designations([again], HEAD, NOW)


async def test_the_head_officials_own_word_needs_no_document(house: Records) -> None:
    await house.add_designation("jansen01", LONG, READ, HEAD, NOW, by_word=True)
    assert await fault(house, NOW) is None
    assert (await designation(house)).mandate is None
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    with pytest.raises(Conflict, match="never given under a mandate"):
        await house.add_designation("jansen01", OTHER, READ, under(mandate), NOW, by_word=True)


async def test_where_the_mandate_is_enough_nothing_waits(settings: RecordsSettings, clock: Clock) -> None:
    records = await Records.open(replace(settings, rules=Rules(confirm_designations=False)), clock)
    await add_user(records, "admin01", insz=INSZ[1])
    await add_user(records)
    mandate = await records.add_mandate("admin01", BY_ACT, NOW)
    await records.add_designation("jansen01", LONG, READ, under(mandate), NOW)
    assert await fault(records, NOW) is None
    assert await records.reviewed(NORTH, "waiting", NOW) == []
    await records.close()


# --- still needed


async def test_what_nobody_confirms_lapses(house: Records) -> None:
    made = await house.add_designation("jansen01", LONG, READ, BY_ACT, NOW)
    assert await fault(house, NOW + HALF_A_YEAR - 1) is None
    assert await fault(house, NOW + HALF_A_YEAR) == "designation_ended"
    with pytest.raises(Conflict, match="anew"):
        await house.recertify([made], HEAD, NOW + HALF_A_YEAR)
    await house.recertify([made], HEAD, NOW + HALF_A_YEAR - DAY)
    assert await fault(house, NOW + 2 * HALF_A_YEAR - DAY - 1) is None
    assert await fault(house, NOW + 2 * HALF_A_YEAR - DAY) == "designation_ended"
    assert (await designation(house)).validity.end == NOW + 2 * HALF_A_YEAR - DAY


async def test_who_is_designated_anew_after_it_lapsed_ends_the_old_record(house: Records) -> None:
    made = await house.add_designation("jansen01", LONG, READ, BY_ACT, NOW)
    with pytest.raises(Conflict, match="already"):
        await house.add_designation("jansen01", LONG, READ, BY_ACT, NOW + HALF_A_YEAR - 1)
    later = NOW + HALF_A_YEAR + DAY
    await house.add_designation("jansen01", LONG, READ, BY_ACT, later)
    old = next(each for each in await house.entries("designation", ended=True) if each.record == made)
    assert (old.ended_at, old.ended_reason) == (later, "not confirmed in time")


async def test_a_confirmation_after_the_end_brings_nothing_back(house: Records) -> None:
    """Whatever a row says: the period that was over stays over, also when another setting makes it longer later."""
    made = await house.add_designation("jansen01", LONG, READ, BY_ACT, NOW)
    late = NOW + HALF_A_YEAR + 1
    await run(
        house,
        "INSERT INTO confirmations (kind, subject, user_id, valid_from, recorded_at, actor, reason)"
        f" VALUES ('recertified', {made}, 'jansen01', {late}, {late}, 'x', 'y')",
    )
    assert await fault(house, NOW + HALF_A_YEAR + 2) == "designation_ended"


async def test_the_lists_hold_what_asks_for_review(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    made = await house.add_designation("jansen01", LONG, READ, under(mandate), NOW)
    short = await house.add_designation("admin02", LONG, READ, BY_ACT, NOW, Validity(NOW, NOW + 160 * DAY))
    theirs = authorisation("24/900", SOUTH, validity=LONG.validity)
    await house.add_designation("south01", theirs, READ, BY_ACT, NOW)

    async def listed(which: str, now: float) -> list[int]:
        return [each.record for each in await house.reviewed(NORTH, which, now, most=1)]  # type: ignore[arg-type]

    assert await listed("waiting", NOW) == [made]
    assert [each.record for each in await house.reviewed(NORTH, "all", NOW)] == [made, short]
    assert [each.record for each in await house.reviewed(NORTH, "all", NOW, after=made)] == [short]
    assert [each.record for each in await house.reviewed(NORTH, "all", NOW, only=[short])] == [short]
    due = NOW + HALF_A_YEAR - 30 * DAY
    assert (await listed("due", due - 1), await listed("due", due)) == ([], [made])
    assert await listed("due", NOW + HALF_A_YEAR) == []
    assert await listed("orphaned", NOW) == []
    await house.end_mandate(mandate, BY_ACT, NOW + DAY)
    assert (await listed("orphaned", NOW + DAY), await listed("orphaned", NOW + 31 * DAY)) == ([made], [])
    await house.confirm_designations([made], HEAD, NOW + 2 * DAY)
    assert await listed("orphaned", NOW + 2 * DAY) == []


# --- a mandate that ended


async def test_what_an_ended_mandate_left_lapses_unless_it_is_taken_over(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    made = await house.add_designation("jansen01", LONG, READ, By("shell", "x", mandate, ACT), NOW)
    await house.end_mandate(mandate, BY_ACT, NOW + DAY)
    assert await fault(house, NOW + DAY + REVIEW - 1) is None
    assert await fault(house, NOW + DAY + REVIEW) == "mandate_ended"
    second = await house.add_mandate("admin02", BY_ACT, NOW + DAY)
    with pytest.raises(Conflict, match="anew"):
        await house.recertify([made], under(second, "admin02"), NOW + DAY + REVIEW)
    await house.recertify([made], under(second, "admin02"), NOW + 2 * DAY)
    assert await fault(house, NOW + DAY + REVIEW) is None
    taken = await designation(house)
    assert taken.mandate is not None
    assert (taken.mandate.id, taken.made_at) == (second, NOW + 2 * DAY)
    await house.end_mandate(second, BY_ACT, NOW + 3 * DAY)
    await house.confirm_designations([made], HEAD, NOW + 4 * DAY)
    assert (await designation(house)).mandate is None
    assert await fault(house, NOW + 100 * DAY) is None


async def test_confirming_under_a_living_mandate_changes_nothing_of_what_it_rests_on(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    made = await house.add_designation("jansen01", LONG, READ, under(mandate), NOW)
    await house.confirm_designations([made], HEAD, NOW + DAY)
    await house.end_mandate(mandate, BY_ACT, NOW + 2 * DAY)
    assert await fault(house, NOW + 2 * DAY + REVIEW) == "mandate_ended"


@pytest.mark.parametrize("how", ["the mandate ends", "its holder leaves", "its holder dies"])
async def test_another_process_learns_that_the_mandate_of_whoever_confirmed_has_ended(
    house: Records, open_records: Opener, how: str
) -> None:
    first = await house.add_mandate("admin01", BY_ACT, NOW)
    made = await house.add_designation("jansen01", LONG, READ, By("shell", "x", first, ACT), NOW)
    await house.end_mandate(first, BY_ACT, NOW + DAY)
    second = await house.add_mandate("admin02", BY_ACT, NOW)
    await house.recertify([made], under(second, "admin02"), NOW + 2 * DAY)

    await sign_in(house)
    other = await open_records()
    if how == "the mandate ends":
        await house.end_mandate(second, BY_ACT, NOW + 3 * DAY)
    elif how == "its holder leaves":
        await house.end_user_id("admin02", BY_ACT, NOW + 3 * DAY)
    else:
        await house.end_person(await house.person_of(user_id="admin02"), BY_ACT, NOW + 3 * DAY)
    assert await other.catch_up()
    user = other.index.user("jansen01")
    assert user is not None
    mandate = user.designations["24/123"][0].mandate
    assert mandate is not None
    assert mandate.validity.end == NOW + 3 * DAY


# --- offices


async def test_an_office_is_the_head_officials_to_give(house: Records) -> None:
    mandate = await house.add_mandate("admin01", BY_ACT, NOW)
    with pytest.raises(Conflict, match="never under a mandate"):
        await house.grant_office("jansen01", "dpo", under(mandate), NOW)
    with pytest.raises(Conflict, match="no office"):
        await house.grant_office("jansen01", "auditor", BY_ACT, NOW)
    record = await house.grant_office("jansen01", "dpo", BY_ACT, NOW, Validity(NOW, NOW + DAY))
    with pytest.raises(Conflict, match="already"):
        await house.grant_office("jansen01", "dpo", BY_ACT, NOW)
    assert await house.offices_of("jansen01", NOW) == {"dpo": record}
    assert await house.offices_of("jansen01", NOW + DAY) == {}
    with pytest.raises(Conflict, match="never under a mandate"):
        await house.end_office(record, under(mandate), NOW)
    await house.end_office(record, BY_ACT, NOW)
    assert await house.offices_of("jansen01", NOW) == {}
    assert await house.numbers_of(await house.person_of(user_id="jansen01")) == {INSZ[3]}
