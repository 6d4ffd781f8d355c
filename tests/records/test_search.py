"""Finding an institution's people by what an administrator has to look after, and those who may be the one that is about to be added."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model import FOR_EVER, Use, Validity
from gateway.records import By, Records, RecordsSettings, upgrade_schema
from gateway.records.search import Only
from tests.postgresql import Cluster
from tests.records.conftest import BY_ACT, DAY, INSZ, NORTH, NOW, Clock, add_user, authorisation

HEAD = By("user:head01", "the head official's word")
READ = {Use.CONSULTATION}
ENDLESS = authorisation(validity=Validity(NOW - 100 * DAY))


async def found(records: Records, only: Only, now: float) -> list[str]:
    return [each.user_id for each in (await records.find_people(NORTH, only=only, now=now, most=9)).people]


async def test_who_is_designated_without_an_end_is_designated(records: Records) -> None:
    await add_user(records)
    await add_user(records, "peeters1", insz=INSZ[1])
    await records.add_designation("jansen01", ENDLESS, READ, BY_ACT, NOW)
    assert await found(records, "undesignated", NOW + DAY) == ["peeters1"]
    assert await found(records, "lapsing", NOW + DAY) == []
    people = (await records.find_people(NORTH, now=NOW, most=9)).people
    assert [(each.first_end, each.last_end) for each in people] == [(FOR_EVER, FOR_EVER), (None, None)]
    short = authorisation("24/124")
    await records.add_designation("jansen01", short, READ, BY_ACT, NOW, Validity(NOW, NOW + 9 * DAY))
    assert await found(records, "lapsing", NOW + DAY) == ["jansen01"]
    await records._tidy(NOW + 10 * DAY)
    assert await found(records, "undesignated", NOW + 10 * DAY) == ["peeters1"]


async def test_under_review_is_whose_mandate_has_ended_until_somebody_takes_it_over(records: Records) -> None:
    for number, user_id in enumerate(("admin01", "admin02", "head01", "jansen01", "peeters1")):
        await add_user(records, user_id, insz=INSZ[number])
    first, second = [await records.add_mandate(each, BY_ACT, NOW) for each in ("admin01", "admin02")]
    made = [
        await records.add_designation(each, ENDLESS, READ, By("user:admin01", "files", first), NOW)
        for each in ("jansen01", "peeters1")
    ]
    await records.confirm_designations(made, HEAD, NOW + DAY)
    await records.recertify(made, By("user:admin02", "still here", second), NOW + DAY)
    assert await found(records, "review", NOW + DAY) == []
    await records.end_mandate(first, BY_ACT, NOW + 2 * DAY)
    # What was said while the mandate lived takes nothing over.
    assert await found(records, "review", NOW + 2 * DAY) == ["jansen01", "peeters1"]
    await records.confirm_designations(made[:1], HEAD, NOW + 3 * DAY)
    assert await found(records, "review", NOW + 3 * DAY) == ["peeters1"]
    await records.recertify(made[1:], By("user:admin02", "still here", second), NOW + 3 * DAY)
    assert await found(records, "review", NOW + 3 * DAY) == []
    await records.end_mandate(second, BY_ACT, NOW + 4 * DAY)
    assert await found(records, "review", NOW + 4 * DAY) == ["peeters1"]


@pytest.mark.postgresql
async def test_namesakes_are_found_whatever_order_the_server_gives_to_text(
    settings: RecordsSettings, cluster: Cluster, clock: Clock
) -> None:
    """Under a numeric collation, and those of the C library, a number is behind the last character: a prefix is no range up to it."""
    name = "in_another_order"
    cluster.sql(
        "postgres",
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'nl-BE-u-kn'",
    )
    place = replace(settings, database=cluster.server(name))
    upgrade_schema(place)
    records = await Records.open(place, clock)
    try:
        await add_user(records, "jansen01", insz="85073003328")
        namesakes = await records.namesakes(NORTH, "85073000160", "Other Name")
        people = (await records.find_people(NORTH, "jans", now=NOW, most=9)).people
    finally:
        await records.close()
        cluster.drop(name)
    assert [each.user_id for each in namesakes] == ["jansen01"]
    assert [each.user_id for each in people] == ["jansen01"]
