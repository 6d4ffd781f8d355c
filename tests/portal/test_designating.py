"""Designations, roles, blocking and leaving: what can be chosen and what cannot, and two administrators at one person."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from gateway.model import Means, Use
from tests.portal.conftest import BRUSSELS, KBO, NOW, OFFICIAL, PORTAL, Answer, World, authorisation, grant
from tests.portal.test_administration import OTHER_KBO, PAGE, Admin, add_person, admin, signed_in  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("newcomer")
LAST_DAY = dt.datetime(2027, 1, 1, tzinfo=BRUSSELS).timestamp()


@pytest.fixture
async def newcomer(world: World, admin: Admin) -> None:
    await add_person(world, "bo.peeters", "01490700185", "Bo Peeters")
    with_role = {
        key: replace(each, role="DossierReader")
        for key, each in world.snapshot.transactions.items()
        if key == "dossier"
    }
    theirs = authorisation("25/001", "pension", grant(Means.EID), institution=OTHER_KBO)
    over = authorisation("22/001", "board", grant(Means.EID), status="revoked")
    known = {each.reference: each for each in (*world.snapshot.by_reference.values(), theirs, over)}
    world.snapshot = replace(
        world.snapshot, by_reference=known, transactions={**world.snapshot.transactions, **with_role}
    )


async def live(world: World, kind: str, user_id: str = "bo.peeters") -> list[dict[str, object]]:
    return [dict(entry.says) for entry in await world.records.entries(kind, user_id=user_id)]


# --- designating


async def test_a_designation_lasts_as_long_as_the_authorisation(world: World, admin: Admin) -> None:
    answer = await admin.do("designate", "bo.peeters", "handles files", authorisation="24/123", use_consultation="1")
    assert answer.status == 200
    assert "once the head official has confirmed it" in answer.text
    [entry] = await world.records.entries("designation", user_id="bo.peeters")
    assert (entry.says, entry.validity.end) == ({"authorisation": "24/123", "uses": ["consultation"]}, LAST_DAY)
    assert (entry.mandate, entry.actor, entry.reason) == (admin.mandate, "user:admin01", "handles files")
    [line] = [each for each in world.lines("administration") if each["act"] == "designation add"]
    assert line["objects"]["after"][0]["uses"] == "consultation"  # type: ignore[index]
    sheet = (await admin.person("bo.peeters")).page.words
    for part in ("Dossiers (24/123)", "consultation", "31 December 2026", "waits for the head official's confirmation"):
        assert part in sheet, part


CHOSEN = {"authorisation": "24/123", "use_consultation": "1"}


@pytest.mark.parametrize(
    ("more", "field", "status"),
    [
        ({"authorisation": "24/123"}, "uses", 422),
        ({"authorisation": "24/124", "use_communication": "1"}, "uses", 422),
        ({**CHOSEN, "use_everything": "1"}, "uses", 422),
        ({**CHOSEN, "until": "2027-01-01"}, "until", 422),
        ({**CHOSEN, "until": "2026-06-14"}, "until", 422),
        ({**CHOSEN, "until": "tomorrow"}, "until", 422),
        ({**CHOSEN, "until": "31/02/2026"}, "until", 422),
        ({**CHOSEN, "from": "2026-06-14"}, "from", 422),
        ({**CHOSEN, "from": "2026-09-01", "until": "2026-08-01"}, "until", 422),
        ({**CHOSEN, "from": "2027-01-01"}, "until", 422),
        ({"authorisation": "23/077", "use_consultation": "1"}, "", 403),  # ended in May
        ({"authorisation": "22/001", "use_consultation": "1"}, "", 403),  # revoked
        ({"authorisation": "25/001", "use_consultation": "1"}, "", 403),  # another institution's
        ({"authorisation": "99/999", "use_consultation": "1"}, "", 403),
        ({}, "", 403),
    ],
)
async def test_nothing_wider_than_the_authorisation(
    world: World,
    admin: Admin,
    more: dict[str, str],
    field: str,
    status: int,
) -> None:
    answer = await admin.do("designate", "bo.peeters", "typed in full", **more)
    assert answer.status == status
    if field:
        assert f'href="#{field}"' in answer.text
        assert 'value="typed in full"' in answer.text
        assert answer.page.by_id(field)
    assert await live(world, "designation") == []
    assert [each for each in world.lines("administration") if each["act"] == "designation add"] == []


async def test_a_mandate_for_some_authorisations_opens_no_others(world: World, admin: Admin) -> None:
    await add_person(world, "admin02", "00003241778", "Some Scope")
    await world.records.add_mandate("admin02", OFFICIAL, NOW, authorisations=["24/124"])
    scoped = Admin(await signed_in(world, "admin02"), 0)
    page = (await scoped.browser.get(f"{PAGE}/designate?user_id=bo.peeters")).text
    assert "24/124" in page
    assert "24/123" not in page
    answer = await scoped.do("designate", "bo.peeters", authorisation="24/123", use_consultation="1")
    assert (answer.status, await live(world, "designation")) == (403, [])
    [theirs, *_] = await world.records.entries("designation", user_id="jansen01")
    assert theirs.says["authorisation"] == "24/123"
    assert (await scoped.do("end-designation", designation=str(theirs.record))).status == 403
    assert (await scoped.do("role", "bo.peeters", role="DossierReader")).status == 422
    assert (await scoped.do("designate", "bo.peeters", authorisation="24/124", use_consultation="1")).status == 200


async def test_a_mandate_for_some_authorisations_takes_no_other_role_away(world: World, admin: Admin) -> None:
    record = await world.records.add_role("bo.peeters", "DossierReader", OFFICIAL, NOW)
    await add_person(world, "admin02", "00003241778", "Some Scope")
    await world.records.add_mandate("admin02", OFFICIAL, NOW, authorisations=["24/124"])
    scoped = Admin(await signed_in(world, "admin02"), 0)
    assert f'"unrole-{record}"' not in (await scoped.person("bo.peeters")).text
    assert f'"unrole-{record}"' in (await admin.person("bo.peeters")).text
    refused = await scoped.do("end-role", "bo.peeters", role=str(record))
    assert (refused.status, len(await live(world, "role"))) == (403, 1)
    await world.records.add_mandate("admin02", OFFICIAL, NOW, authorisations=["24/123"])
    assert (await scoped.do("end-role", "bo.peeters", role=str(record))).status == 200
    assert await live(world, "role") == []


async def test_each_of_two_mandates_opens_its_own(world: World, admin: Admin) -> None:
    await add_person(world, "admin02", "00003241778", "Two Scopes")
    made = {
        reference: await world.records.add_mandate("admin02", OFFICIAL, NOW, authorisations=[reference])
        for reference in ("24/123", "24/124")
    }
    both = Admin(await signed_in(world, "admin02"), 0)
    for reference in made:
        assert (await both.do("designate", "bo.peeters", authorisation=reference, use_consultation="1")).status == 200
    entries = await world.records.entries("designation", user_id="bo.peeters")
    assert {each.says["authorisation"]: each.mandate for each in entries} == made


async def test_a_designation_ends_at_once(world: World, admin: Admin) -> None:
    [entry, *_] = await world.records.entries("designation", user_id="jansen01")
    answer = await admin.do("end-designation", designation=str(entry.record), reason="moved")
    assert answer.status == 200
    assert entry.record not in [e.record for e in await world.records.entries("designation", user_id="jansen01")]
    line = world.lines("administration")[-1]
    assert (line["act"], line["objects"]["before"][0]["id"]) == ("designation end", entry.record)  # type: ignore[index]
    assert (await admin.do("end-designation", designation=str(entry.record))).status == 409


@pytest.mark.parametrize("kind", ["designation", "role"])
@pytest.mark.parametrize("record", ["", "x", "0", "-1", "4711", "1.0"])
async def test_a_record_that_is_not_theirs(world: World, admin: Admin, kind: str, record: str) -> None:
    await world.records.add_role("jansen01", "DossierReader", OFFICIAL, NOW)
    [somebody_elses, *_] = await world.records.entries(kind, user_id="jansen01")
    for number in (record, str(somebody_elses.record)):
        assert (await admin.do(f"end-{kind}", "bo.peeters", **{kind: number})).status == 409
    assert len(await world.records.entries(kind, user_id="jansen01")) == (4 if kind == "designation" else 1)


# --- roles, blocking


async def test_where_an_outside_source_says_who_has_which_role_none_is_given(world: World, admin: Admin) -> None:
    await world.records.add_role("bo.peeters", "DossierReader", OFFICIAL, NOW)
    world.snapshot = replace(world.snapshot, roles_stale_seconds=3600.0)
    page = await admin.person("bo.peeters")
    assert "Roles are not given here" in page.text
    assert "Give a role" not in page.text
    assert (await admin.do("role", "bo.peeters", role="DossierReader")).status == 422
    [entry] = await world.records.entries("role", user_id="bo.peeters")
    assert (await admin.do("end-role", "bo.peeters", role=str(entry.record))).status == 200
    assert await live(world, "role") == []


async def test_roles(world: World, admin: Admin) -> None:
    assert (await admin.do("role", "bo.peeters", role="Anything")).status == 422
    assert (await admin.do("role", "bo.peeters", role="DossierReader", until="2026-01-01")).status == 422
    assert (await admin.do("role", "bo.peeters", role="DossierReader", until="2026-12-31")).status == 200
    [entry] = await world.records.entries("role", user_id="bo.peeters")
    assert (entry.says["role"], entry.validity.end) == ("DossierReader", LAST_DAY)
    assert (await admin.do("role", "bo.peeters", role="DossierReader")).status == 409
    assert (await admin.do("end-role", "bo.peeters", role=str(entry.record))).status == 200
    assert await live(world, "role") == []


async def test_a_block_ends_what_is_open_and_can_be_lifted(world: World, admin: Admin) -> None:
    there = await signed_in(world, "jansen01", Means.PASSWORD)
    answer = await admin.do("block", reason="suspected misuse")
    assert "is blocked" in answer.text
    assert (await there.get(f"https://{PORTAL}/applications")).challenge is not None
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert not login.allowed(NOW)
    assert (await admin.do("block")).status == 409
    assert (await admin.do("unblock", reason="cleared up")).status == 200
    assert (await world.records.find_login("jansen01")).allowed(NOW)  # type: ignore[union-attr]


# --- leaving


async def test_leaving_ends_everything_in_one_act(world: World, admin: Admin) -> None:
    await world.records.add_role("jansen01", "DossierReader", OFFICIAL, NOW)
    their_mandate = await world.records.add_mandate("jansen01", OFFICIAL, NOW)
    there = await signed_in(world, "jansen01", Means.PASSWORD)
    page = (await admin.browser.get(f"{PAGE}/leave?user_id=jansen01")).page.words
    for part in (
        "the user ID jansen01", "the designation for Dossiers (24/123)", "the role DossierReader", "signing in: password",
        "signing in: security code via mobile app", "1 session, with what is open", "the mandate as local administrator",
    ):  # fmt: skip
        assert part in page, part
    assert (await admin.do("leave")).status == 422  # not said that all of it is to end
    lines = len(world.lines("administration"))
    answer = await admin.do("leave", reason="retired", all="1")
    assert (answer.status, answer.location) == (303, "/administration?done=left")
    assert "has left the institution" in (await admin.browser.follow(answer)).text
    for kind in ("designation", "role", "credential", "mandate", "user-id"):
        assert await live(world, kind, "jansen01") == [], kind
    assert (await there.get(f"https://{PORTAL}/applications")).challenge is not None
    [line] = world.lines("administration")[lines:]
    tables = [each["table"] for each in line["objects"]["before"]]  # type: ignore[index]
    assert (line["act"], {table: tables.count(table) for table in set(tables)}) == (
        "user-id end",
        {"designations": 4, "roles": 1, "credentials": 2, "mandates": 1, "user_ids": 1},
    )
    assert (await admin.person("jansen01")).status == 404
    # Back again, nothing of before comes back.
    person = await world.records.person_of(insz="85073003328")
    await world.records.add_user_id("jansen01", person, KBO, "nl", OFFICIAL, NOW + 1)
    login = await world.records.find_login("jansen01")
    assert login is not None
    assert (login.password_hash, login.has_totp, await live(world, "designation", "jansen01")) == (None, False, [])
    assert their_mandate not in [each.record for each in await world.records.mandates_of("jansen01")]


# --- two administrators at one person


@pytest.fixture
async def colleague(world: World) -> Admin:
    await add_person(world, "admin02", "00003241778", "Col League")
    return Admin(await signed_in(world, "admin02"), await world.records.add_mandate("admin02", OFFICIAL, NOW))


def seen(answer: Answer) -> str:
    return str(next(e.attributes["value"] for e in answer.page.all("input") if e.attributes.get("name") == "seen"))


FORMS = [
    ("block", {}),
    ("activation", {}),
    ("code-card", {}),
    ("designate", {**CHOSEN, "until": "2026-10-10"}),
    ("role", {"role": "DossierReader"}),
    ("change", {"name": "Bo Peeters-Claes", "insz": "", "language": "fr"}),
    ("leave", {"all": "1"}),
]


@pytest.mark.parametrize(("act", "fields"), FORMS, ids=[name for name, _ in FORMS])
async def test_the_second_is_told_and_loses_nothing(
    world: World,
    admin: Admin,
    colleague: Admin,
    act: str,
    fields: dict[str, str],
) -> None:
    page = f"{PAGE}/{act if act in ('designate', 'change', 'leave') else 'person'}?user_id=bo.peeters"
    opened = await admin.browser.get(page + ("&authorisation=24/123" if act == "designate" else ""))
    await colleague.do("designate", "bo.peeters", "their reason", authorisation="24/124", use_consultation="1")
    before = world.lines("administration")
    answer = await admin.do(act, "bo.peeters", "my own words", seen=seen(opened), form="x", **fields)
    assert answer.status == 409
    told = answer.page.by_id("errors").text
    for part in ("designated for Pension rights (24/124)", "Col League", "their reason", "15 June 2026, 10:00"):
        assert part in told, part
    assert world.lines("administration") == before
    if act in ("designate", "change", "leave"):
        assert 'value="my own words"' in answer.text
    for value in (fields.get("until"), fields.get("name")):
        assert value is None or f'value="{value}"' in answer.text
    # Having seen it, they send the same again.
    answer = await admin.do(act, "bo.peeters", "my own words", seen=seen(answer), **fields)
    assert answer.status == (303 if act == "leave" else 200)


async def test_what_the_person_does_themself_is_in_nobodys_way(world: World, admin: Admin) -> None:
    opened = await admin.person("jansen01")
    login = await world.records.find_login("jansen01")
    assert login is not None
    by = OFFICIAL.__class__("user:jansen01", "new password")
    await world.records.set_password("jansen01", login.password_hash or "", by, NOW, alone=True)
    assert (await admin.do("block", "jansen01", seen=seen(opened))).status == 200


async def test_uses_are_the_tables(world: World, admin: Admin) -> None:
    """The page offers what the authorisation names, and no more."""
    page = (await admin.browser.get(f"{PAGE}/designate?user_id=bo.peeters&authorisation=24/124")).page
    offered = {e.attributes["name"] for e in page.all("input") if (e.attributes.get("name") or "").startswith("use_")}
    assert offered == {f"use_{Use.CONSULTATION}"}
