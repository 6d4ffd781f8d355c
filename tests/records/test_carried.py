"""What the upgrade to schema 0006 says of the records of before, so that nobody loses anything by it and nobody gains."""

from __future__ import annotations

import time

import pytest

from gateway.decision.ruling import designation_fault
from gateway.errors import RecordsError
from gateway.model import FOR_EVER, Designation, Mandate, Validity
from gateway.records import Records, RecordsSettings, upgrade_schema
from gateway.records.standing import (
    CARRIED,
    CONFIRMED,
    DEFAULT_RULES,
    HALF_A_YEAR,
    RECERTIFIED,
    Said,
    designation_standing,
)
from gateway.records.upgrade import downgrade_schema
from tests.records.conftest import BY_ACT, DAY, INSZ, NORTH, NOW, Fresh, Opener, add_user, sql

BEFORE, LATEST = "0005", "0006"
LONG_AGO = NOW - 3_000 * DAY
REVIEW = DEFAULT_RULES.review


def _insert(table: str, values: dict[str, object]) -> str:
    recorded = {"valid_from": LONG_AGO, "recorded_at": LONG_AGO, "actor": "shell", "reason": "because"}
    row = {**recorded, **values}
    words = ", ".join(str(value) if isinstance(value, int | float) else f"'{value}'" for value in row.values())
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({words})"


def _end(table: str, number: int, at: float) -> str:
    return f"UPDATE {table} SET ended_at = {at}, ended_by = 'shell', ended_reason = 'over' WHERE id = {number}"


@pytest.fixture
def old(fresh: Fresh) -> tuple[RecordsSettings, float]:
    """A database of the version before, raised to this one, and when: an administrator whose first mandate ended ten days before that, whose second
    goes on, and whose third ended a year before; a person whom they designated long ago, under the first (24/1), the second (24/2) and
    the third (24/3), and once until two years before (24/4)."""
    settings = fresh()
    upgrade_schema(settings, BEFORE)
    now = time.time()
    rows = []
    for number, user_id in enumerate(("admin01", "jansen01"), 1):
        rows.append(_insert("persons", {"insz": INSZ[number], "name": user_id}))
        theirs = {"user_id": user_id, "person": number, "institution": NORTH, "language": "nl"}
        off = "FALSE" if "postgresql" in str(settings.database) else "0"
        rows.append(_insert("user_ids", theirs | {"blocked": 7}).replace(", 7)", f", {off})"))
    letter = {"act_reference": "HO/1", "act_date": "2020-01-05"}
    rows += [_insert("mandates", {"user_id": "admin01", "institution": NORTH, **letter})] * 3
    for number, mandate in enumerate((1, 2, 3, 2), 1):
        named = {"user_id": "jansen01", "authorisation": f"24/{number}", "uses": "consultation", "mandate": mandate}
        rows.append(_insert("designations", named | letter))
    rows += [_end("mandates", 1, now - 10 * DAY), _end("mandates", 3, now - 365 * DAY)]
    sql(settings, *rows, _end("designations", 4, now - 730 * DAY) + " RETURNING id")
    upgrade_schema(settings)
    return settings, now


async def _designations(settings: RecordsSettings, known_at: float = FOR_EVER) -> dict[str, Designation]:
    records = await Records.open(settings, time.time)
    try:
        [user] = await records.users_known(["jansen01"], known_at)
        return {reference: one for reference, (one,) in user.designations.items()}
    finally:
        await records.close()


async def test_who_was_designated_long_ago_has_a_period_from_the_upgrade_on(
    old: tuple[RecordsSettings, float],
) -> None:
    settings, began = old
    held = await _designations(settings)
    assert began + HALF_A_YEAR <= held["24/2"].validity.end <= time.time() + HALF_A_YEAR
    assert designation_fault(held["24/2"], began + DAY, REVIEW) is None
    assert held["24/4"].validity.end == pytest.approx(began - 730 * DAY)


async def test_what_rests_on_an_ended_mandate_goes_on_for_the_time_of_review_and_no_longer(
    old: tuple[RecordsSettings, float],
) -> None:
    """Nobody takes anything over by an upgrade."""
    settings, began = old
    held = await _designations(settings)
    assert designation_fault(held["24/1"], began + DAY, REVIEW) is None
    assert designation_fault(held["24/1"], began + REVIEW, REVIEW) == "mandate_ended"
    assert designation_fault(held["24/3"], began + DAY, REVIEW) == "mandate_ended"


async def test_at_a_moment_before_there_was_no_period(old: tuple[RecordsSettings, float]) -> None:
    settings, began = old
    then = began - 800 * DAY
    held = await _designations(settings, then)
    assert {designation_fault(one, then, REVIEW) for one in held.values()} == {None}
    assert len(held) == 4


async def test_the_lists_know_it(old: tuple[RecordsSettings, float]) -> None:
    settings, began = old
    days = (("all", DAY), ("due", DAY), ("due", HALF_A_YEAR - DAY), ("orphaned", DAY))
    records = await Records.open(settings, time.time)
    try:
        listed = [await records.reviewed(NORTH, which, began + after) for which, after in days]  # type: ignore[arg-type]
        faults = await records.faults()
    finally:
        await records.close()
    assert [[each.authorisation for each in found] for found in listed] == [["24/1", "24/2"], [], ["24/2"], ["24/1"]]
    assert faults == []


def test_what_an_upgrade_says_confirms_nothing_and_takes_nothing_over() -> None:
    given, mandates = Validity(NOW), {1: Mandate(1, Validity(NOW, NOW + DAY)), 2: Mandate(2, Validity(NOW))}
    carried = Said(CARRIED, NOW + 2 * DAY, None)
    stands = designation_standing(given, NOW, 1, False, [carried], mandates, DEFAULT_RULES)
    assert (stands.confirmed, stands.mandate, stands.made_at) == (False, mandates[1], NOW)
    assert stands.lapses == NOW + 2 * DAY + HALF_A_YEAR
    late = Said(RECERTIFIED, NOW + DAY + REVIEW, 2)
    assert designation_standing(given, NOW, 1, False, [carried, late], mandates, DEFAULT_RULES) == stands
    after = [carried, Said(CONFIRMED, NOW + 2 * DAY + HALF_A_YEAR, None)]
    assert designation_standing(given, NOW, 2, False, after, mandates, DEFAULT_RULES).confirmed is False


# --- there and back


async def test_a_mandate_that_waits_for_its_holder_never_comes_in_force_by_going_back(
    open_records: Opener, settings: RecordsSettings
) -> None:
    records = await open_records()
    await add_user(records)
    mandate = await records.add_mandate("jansen01", BY_ACT, NOW, accepted=False)
    with pytest.raises(RecordsError, match="1 mandates that nobody accepted"):
        downgrade_schema(settings, BEFORE, NOW)
    assert [each.accepted_at for each in await records.mandates_of("jansen01")] == [None]
    await records.end_mandate(mandate, BY_ACT, NOW)
    await records.close()
    assert downgrade_schema(settings, BEFORE, NOW) == (LATEST, BEFORE)
    upgrade_schema(settings)
    records = await open_records()
    assert [each.accepted_at for each in await records.mandates_at(NORTH)] == [None]
    await records.close()


async def test_what_an_upgrade_accepted_goes_back_and_comes_again(old: tuple[RecordsSettings, float]) -> None:
    settings, began = old
    downgrade_schema(settings, BEFORE, began)
    upgrade_schema(settings)
    held = await _designations(settings)
    assert designation_fault(held["24/2"], began + DAY, REVIEW) is None
    assert designation_fault(held["24/1"], began + REVIEW, REVIEW) == "mandate_ended"
