"""A person's numbers, and the sessions that a provider of the federation may end."""

from __future__ import annotations

import pytest

from gateway.model import Means
from gateway.records import Bound, Records
from tests.records.conftest import BY_ACT, INSZ, NOW, PORTAL, Clock, Opener, add_user

BIS = "92521506931"


async def vouched(records: Records, provider: str, name: str, at: float = NOW) -> str:
    login = await records.find_login("jansen01")
    assert login is not None
    bound = Bound(provider=provider, provider_session=name)
    cookie = f"{provider} {name} {at}".encode()
    return (await records.create_session(login, Means.EID, at, PORTAL, cookie, at, 36_000.0, bound=bound)).id


async def test_a_person_keeps_every_number(records: Records) -> None:
    person = await add_user(records)
    other = await add_user(records, "dupont01", insz=INSZ[1])
    await records.change_person(person, BIS, "An Jansen", BY_ACT, NOW)
    assert await records.numbers_of(person) == {INSZ[0], BIS}
    assert await records.numbers_of(other) == {INSZ[1]}
    assert await records.numbers_of(-1) == frozenset()


@pytest.mark.parametrize(
    ("begins_with", "ends_with", "found"),
    [
        ("s1.", "", ["s1.p1"]),
        ("", ".p1", ["s1.p1", "s2.p1"]),
        ("s1.", ".p1", ["s1.p1"]),
        ("s1.", ".p2", []),
        # What SQL takes for a wildcard is a character like another.
        ("%", "", []),
        ("s_.", "", []),
    ],
)
async def test_sessions_are_found_by_the_name_that_the_provider_has_for_them(
    records: Records, begins_with: str, ends_with: str, found: list[str]
) -> None:
    await add_user(records)
    ids = {name: await vouched(records, "csam", name) for name in ("s1.p1", "s2.p1", "s3.p3")}
    await vouched(records, "other", "s1.p1")
    got = await records.provider_sessions("csam", begins_with, ends_with, NOW)
    assert sorted(got) == sorted(ids[name] for name in found)


async def test_neither_an_ended_session_nor_one_that_began_later_is_found(records: Records) -> None:
    await add_user(records)
    ended, later = await vouched(records, "csam", "s1.p1"), await vouched(records, "csam", "s1.p1", NOW + 10)
    await records.end_session(ended, "signed out", "user:jansen01")
    assert await records.provider_sessions("csam", "s1.", "", NOW) == []
    assert await records.provider_sessions("csam", "s1.", "", NOW + 10) == [later]


async def test_a_word_is_heard_once_by_every_process(records: Records, open_records: Opener, clock: Clock) -> None:
    other = await open_records()
    assert not await records.logout_heard(b"k" * 32)
    await records.hear_logout(b"k" * 32, NOW + 150)
    await other.hear_logout(b"k" * 32, NOW + 150)  # two at the same moment
    assert await other.logout_heard(b"k" * 32)
    clock.now += 150
    await records.hear_logout(b"l" * 32, NOW + 300)
    assert not await records.logout_heard(b"k" * 32)  # it would not be believed any more, and is forgotten
