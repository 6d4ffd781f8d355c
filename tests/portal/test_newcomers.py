"""Adding a person and changing what the register says: namesakes, people of other institutions, bis numbers."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import pytest

from gateway.model import GrantedRole
from gateway.records import Records
from tests.portal.conftest import KBO, NOW, OFFICIAL, YEAR, Answer, World
from tests.portal.test_administration import OTHER_KBO, PAGE, Admin, add_person, admin  # noqa: F401 - a fixture

FIELDS = {"insz": "01.49.07-001.85", "name": "Bo  Peeters", "new_user_id": "bo.peeters", "language": "fr"}


async def add(admin: Admin, **fields: str) -> Answer:
    return await admin.do("new", "", **{"reason": "new colleague", **FIELDS, **fields})


async def test_a_person_is_added_with_a_user_id(world: World, admin: Admin) -> None:
    answer = await add(admin)
    assert answer.status == 200
    assert answer.page.one("h1").text == "Bo Peeters"
    login = await world.records.find_login("bo.peeters")
    assert login is not None
    assert (login.insz, login.name, login.institution, login.language) == ("01490700185", "Bo Peeters", KBO, "fr")
    assert [line["act"] for line in world.lines("administration")] == ["person add", "user-id add"]
    assert "01490700185" not in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("insz", ""), ("insz", "81050103521"), ("insz", "8507300332"), ("insz", "abc"), ("name", ""), ("name", " "),
        ("name", "x" * 201), ("name", "Bo\u202ePeeters"), ("new_user_id", ""), ("new_user_id", "Bo Peeters"),
        ("new_user_id", "bo"), ("new_user_id", "jansen01"), ("language", "es"), ("language", ""), ("reason", ""),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_the_field(world: World, admin: Admin, field: str, value: str) -> None:
    answer = await add(admin, **{field: value})
    assert answer.status in (409, 422)
    assert f'href="#{field}"' in answer.text
    assert answer.page.by_id(field)
    if field != "new_user_id":
        assert 'value="bo.peeters"' in answer.text
    assert world.lines("administration") == []
    assert await world.records.find_login("bo.peeters") is None


async def test_somebody_of_another_institution_gets_a_user_id_and_shows_nothing_of_it(
    world: World,
    admin: Admin,
) -> None:
    await add_person(world, "their.word", FIELDS["insz"].replace(".", "").replace("-", ""), "Bo Peeters", OTHER_KBO)
    answer = await add(admin)
    assert answer.status == 200
    assert "their.word" not in answer.text
    assert OTHER_KBO not in answer.text
    theirs = await world.records.find_login("their.word")
    ours = await world.records.find_login("bo.peeters")
    assert theirs is not None
    assert ours is not None
    assert theirs.person == ours.person
    assert [line["act"] for line in world.lines("administration")] == ["user-id add"]
    # What the two institutions share is not one's alone to change, and the page does not say whose else it is.
    change = {"name": "Bo Peeters-Claes", "insz": "", "language": "fr"}
    refused = await admin.do("change", "bo.peeters", "married", **change)
    assert refused.status == 409
    assert OTHER_KBO not in refused.text
    assert "their.word" not in refused.text
    assert (await admin.do("change", "bo.peeters", "moved", name="Bo Peeters", insz="", language="nl")).status == 200
    assert (await admin.do("change", "their.word", "x", **change)).status == 404


async def test_who_is_here_already_is_shown(world: World, admin: Admin) -> None:
    answer = await add(admin, insz="85073003328", name="An Jansen")
    assert answer.status == 409
    assert "jansen01" in answer.text
    assert (await add(admin, insz="85073003328", name="An Jansen", other="1")).status == 200
    assert (await add(admin, insz="98472899765", name="Ad Min", new_user_id="ad.min")).status == 403  # themself


@pytest.mark.parametrize(
    ("insz", "name", "alike"),
    [
        ("85073000259", "Annie Jansen", True),  # the same day of birth and a word of the name
        ("85073000259", "Bo Peeters", False),
        ("01490700185", "AN JÁNSEN", True),  # the same name
        ("01490700185", "An Jansens", False),
    ],
)
async def test_namesakes_are_shown_first(world: World, admin: Admin, insz: str, name: str, alike: bool) -> None:
    await add_person(world, "elsewhere", "81050003552", "An Jansen", OTHER_KBO)
    answer = await add(admin, insz=insz, name=name)
    assert answer.status == (409 if alike else 200)
    assert "elsewhere" not in answer.text
    if alike:
        assert "person?user_id=jansen01" in answer.text
        assert (await add(admin, insz=insz, name=name, other="1")).status == 200


async def test_a_bis_number_becomes_a_national_number(world: World, admin: Admin) -> None:
    await add_person(world, "bis.person", "01490700185", "Bis Person")
    fields = {"name": "Bis Person", "insz": "81.05.00-035.52", "language": "en"}
    answer = await admin.do("change", "bis.person", "national number", **fields)
    assert answer.status == 200
    login = await world.records.find_login("bis.person")
    assert login is not None
    assert login.insz == "81050003552"
    # Both numbers are this person's, and nobody else's.
    for insz in ("01490700185", "81050003552"):
        assert await world.records.person_of(insz=insz) == login.person
        assert (await add(admin, insz=insz, name="Bis Person")).status == 409
    assert (await admin.do("change", "bis.person", "x", **{**fields, "insz": "85073003328"})).status == 422
    assert (await admin.do("change", "bis.person", "x", name="Bis Person", insz="", language="en")).status == 422
    assert (await admin.do("change", "bis.person", "x", name="", insz="", language="en")).status == 422


async def test_a_user_id_that_was_somebody_elses_is_never_given_again(world: World, admin: Admin) -> None:
    await world.records.end_user_id("dupont01", OFFICIAL, NOW)
    answer = await add(admin, new_user_id="dupont01")
    assert (answer.status, "was somebody else" in answer.text) == (409, True)
    assert await world.records.known_person("01490700185", KBO) is None  # nothing of it was recorded


async def test_what_came_between_is_told_apart(world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    known_person = Records.known_person
    meanwhile: list[Awaitable[object]] = []

    async def looked_up(records: Records, insz: str, institution: str) -> object:
        found = await known_person(records, insz, institution)
        for each in meanwhile:
            await each
        return found

    monkeypatch.setattr(Records, "known_person", looked_up)
    meanwhile[:] = [world.records.add_person("01490700185", "Bo Peeters", OFFICIAL, NOW)]
    answer = await add(admin)
    assert (answer.status, "changed meanwhile" in answer.page.words, "is in use" in answer.text) == (409, True, False)
    assert 'value="bo.peeters"' in answer.text
    meanwhile[:] = [world.records.end_mandate(admin.mandate, OFFICIAL, NOW)]
    assert (await add(admin)).status == 404
    assert await world.records.find_login("bo.peeters") is None


async def test_nobody_is_given_the_number_of_somebody_else(world: World, admin: Admin) -> None:
    """What the KSZ's table grants hangs on a number: an administrator cannot make a colleague whoever it names."""
    answer = await admin.do("change", "jansen01", "a slip", name="An Jansen", language="en", insz="81050003552")
    assert (answer.status, "Only a bis number" in answer.page.words) == (422, True)
    await add(admin)
    again = await admin.do("change", "bo.peeters", "a slip", name="Bo Peeters", language="fr", insz="10.20.01-001.28")
    assert again.status == 422  # from one bis number to another
    role = GrantedRole("head_official", "81050003552", KBO, YEAR, "KSZ/2026/7")
    world.snapshot = replace(world.snapshot, roles={"81050003552": (role,)})
    answer = await admin.do("change", "bo.peeters", "moved", name="Bo Peeters", language="fr", insz="81050003552")
    assert answer.status == 409
    for user_id, insz in (("jansen01", "85073003328"), ("bo.peeters", "01490700185")):
        login = await world.records.find_login(user_id)
        assert login is not None
        assert login.insz == insz
