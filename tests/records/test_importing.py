"""A list that is brought in: its rows know of each other, and of what stands, not of what stood."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.errors import Conflict
from gateway.model import Use, Validity
from gateway.records import By, Change, Records
from gateway.records.importing import Bounds, Plan
from gateway.records.narrowing import day_of
from gateway.records.standing import HALF_A_YEAR
from gateway.records.table_file import COLUMNS, Row
from tests.records.conftest import BY, BY_ACT, DAY, INSZ, NORTH, NOW, add_user, authorisation

LONG = Validity(NOW - 100 * DAY, NOW + 3000 * DAY)
ENDLESS = Validity(NOW - 100 * DAY)
HEAD = By("user:head01", "the head official's word")
READ = {Use.CONSULTATION}


def bounds(validity: Validity = LONG) -> Bounds:
    known = {reference: authorisation(reference, validity=validity) for reference in ("24/123", "24/124")}
    return Bounds(NORTH, "nl", known, frozenset({"DossierReader", "FileReader"}), None)


def rows(*lines: str) -> list[Row]:
    """User ID, authorisation, uses, until, role: with spaces between them, uses with a plus."""
    found = []
    for number, line in enumerate(lines, 2):
        words = dict(zip(("user_id", "authorisation", "uses", "until", "role"), line.split(" "), strict=False))
        found.append(Row(number, dict.fromkeys(COLUMNS, "") | {key: word.strip("-") for key, word in words.items()}))
    return found


async def plan(records: Records, lines: Sequence[str], now: float = NOW, validity: Validity = LONG) -> Plan:
    return await records.plan_import(rows(*lines), bounds(validity), "because", now)


async def apply(records: Records, lines: Sequence[str], now: float = NOW, validity: Validity = LONG) -> list[Change]:
    told: list[Change] = []
    made = await plan(records, lines, now, validity)
    assert made.faults == ()
    await records.apply_import(rows(*lines), made.digest, bounds(validity), BY, now, told.append)
    return told


def faults(made: Plan) -> list[tuple[int, str, str]]:
    return [(each.line, each.column, each.code) for each in made.faults]


async def live(records: Records, what: str) -> list[str]:
    entries = await records.entries(what, user_id="jansen01")  # type: ignore[arg-type]
    return [str(each.says.get("authorisation") or each.says.get("role")) for each in entries]


async def test_two_rows_for_one_designation_make_one(records: Records) -> None:
    """As a list has it in which each role of a designation is a row."""
    await add_user(records)
    lines = ("jansen01 24/123 consultation - DossierReader", "jansen01 24/123 consultation - FileReader")
    told = await apply(records, lines)
    assert sorted(each.act for each in told) == ["designation add", "role add", "role add"]
    assert (await live(records, "designation"), await live(records, "role")) == (
        ["24/123"],
        ["DossierReader", "FileReader"],
    )
    assert (await plan(records, lines)).count("nothing") == 2


async def test_nor_do_two_rows_say_different_things_of_one(records: Records) -> None:
    await add_user(records)
    first = "jansen01 24/123 consultation - DossierReader"
    for other in ("jansen01 24/123 communication", "jansen01 24/123 consultation 2027-06-30"):
        assert faults(await plan(records, (first, other))) == [(3, "authorisation", "designated_otherwise")]
    role = "jansen01 - - 2027-06-30 DossierReader"
    assert faults(await plan(records, (first, role))) == [(3, "role", "row_twice")]


async def test_a_role_with_two_designations_is_given_once(records: Records) -> None:
    await add_user(records)
    await apply(records, [f"jansen01 {reference} consultation - DossierReader" for reference in ("24/123", "24/124")])
    assert (await live(records, "designation"), await live(records, "role")) == (
        ["24/123", "24/124"],
        ["DossierReader"],
    )


async def test_what_lapsed_does_not_stand_and_its_end_is_recorded(records: Records) -> None:
    await add_user(records)
    old = await records.add_designation("jansen01", bounds().authorisations["24/123"], READ, BY_ACT, NOW)
    line = ["jansen01 24/123 consultation"]
    assert (await plan(records, line, NOW + HALF_A_YEAR - 1)).count("nothing") == 1
    later = NOW + HALF_A_YEAR
    [told] = await apply(records, line, later)
    assert (told.act, [each["id"] for each in told.before], len(told.after)) == ("designation add", [old], 1)
    ended, made = await records.entries("designation", user_id="jansen01", ended=True)
    assert (ended.record, ended.ended_at, ended.ended_reason) == (old, later, "not confirmed in time")
    assert made.ended_at is None
    assert (await plan(records, line, later)).count("nothing") == 1


async def test_nor_does_what_is_left_of_a_mandate_that_has_ended(records: Records) -> None:
    await add_user(records)
    await add_user(records, "admin01", insz=INSZ[1])
    mandate = await records.add_mandate("admin01", BY_ACT, NOW)
    by = By("user:admin01", "files", mandate)
    await records.add_designation("jansen01", bounds().authorisations["24/123"], READ, by, NOW)
    await records.end_mandate(mandate, BY_ACT, NOW)
    line = ["jansen01 24/123 consultation"]
    assert (await plan(records, line, NOW + 30 * DAY - 1)).count("designations") == 0
    assert (await plan(records, line, NOW + 30 * DAY)).count("designations") == 1


async def test_nor_does_what_is_past_its_last_day(records: Records) -> None:
    await add_user(records)
    short = Validity(NOW, NOW + 9 * DAY)
    await records.add_designation("jansen01", bounds().authorisations["24/123"], READ, BY_ACT, NOW, short)
    [told] = await apply(records, ["jansen01 24/123 consultation"], NOW + 9 * DAY)
    assert (told.act, told.before) == ("designation add", ())


@pytest.mark.parametrize("until", ["", "2027-06-30"])
async def test_what_has_no_end_stands(records: Records, until: str) -> None:
    await add_user(records)
    granted = bounds(ENDLESS).authorisations["24/123"]
    await records.add_designation("jansen01", granted, READ, BY_ACT, NOW)
    made = await plan(records, [f"jansen01 24/123 consultation {until}"], validity=ENDLESS)
    assert made.steps[0].terms is None
    assert faults(made) == ([(2, "authorisation", "designated_otherwise")] if until else [])


async def test_what_is_exported_is_what_stands(records: Records) -> None:
    """And brought in again it does nothing: nobody whose designation lapsed comes back by it."""
    await add_user(records)
    for reference, at in (("24/123", NOW), ("24/124", NOW + 10 * DAY)):
        await records.add_designation("jansen01", bounds().authorisations[reference], READ, BY_ACT, at)
    later = NOW + HALF_A_YEAR + DAY
    exported = await records.export_rows(["jansen01"], later, with_numbers=False)
    assert [row[COLUMNS.index("authorisation")] for row in exported] == ["24/124"]
    again = [Row(number, dict(zip(COLUMNS, row, strict=True))) for number, row in enumerate(exported, 2)]
    made = await records.plan_import(again, bounds(), "because", later)
    assert (made.faults, made.count("nothing")) == ((), 1)


async def test_other_days_than_those_that_stand_are_told(records: Records) -> None:
    """A day that a list gives and that would not come to be is no row that changes nothing."""
    await add_user(records)
    until = Validity(NOW, NOW + 30 * DAY)
    await records.add_designation("jansen01", bounds().authorisations["24/123"], READ, BY_ACT, NOW)
    await records.add_role("jansen01", "FileReader", BY_ACT, NOW, until)
    first, later, last = (day_of(at).isoformat() for at in (NOW, NOW + 3 * DAY, until.end - 1))
    for begin, end, role, code in (
        (first, "", "", ""),
        (later, "", "", "designated_otherwise"),
        (first, last, "FileReader", ""),
        (later, last, "FileReader", "role_otherwise"),
        (first, later, "FileReader", "role_otherwise"),
        ("", "soon", "FileReader", "role_otherwise"),
    ):
        cells = {"user_id": "jansen01", "from": begin, "until": end, "role": role}
        cells |= {} if role else {"authorisation": "24/123", "uses": "consultation"}
        row = Row(2, dict.fromkeys(COLUMNS, "") | cells)
        made = await records.plan_import([row], bounds(), "because", NOW)
        assert [each.code for each in made.faults] == ([code] if code else [])
        assert made.count("nothing") == 1
    over = await records.plan_import(rows("jansen01 - - - FileReader"), bounds(), "because", until.end)
    assert [each.code for each in over.faults] == ["role_otherwise"]


async def test_an_end_that_moved_since_it_was_shown_is_shown_again(records: Records) -> None:
    """Without a last day of its own a designation ends with the authorisation, of which a release may have come meanwhile."""
    await add_user(records)
    line = ["jansen01 24/123 consultation"]
    shown = await plan(records, line)
    with pytest.raises(Conflict, match="nothing was done"):
        await records.apply_import(
            rows(*line), shown.digest, bounds(Validity(LONG.start, LONG.end - DAY)), BY, NOW + 60, None
        )
    await records.apply_import(rows(*line), shown.digest, bounds(), BY, NOW + 60, None)
