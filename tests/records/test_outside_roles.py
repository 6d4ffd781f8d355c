"""What an outside source said of roles: kept with when it said so, known to every process, and only ever newer."""

from __future__ import annotations

import dataclasses as dc

import pytest

from gateway.errors import LedgerError
from gateway.model import FOR_EVER, Means, Role, UserRecords, Validity
from gateway.records import Change, Records
from gateway.records.outside_roles import KEPT_SECONDS
from tests.records.conftest import INSZ, NOW, PORTAL, Clock, Opener, add_user

USER, OTHER = "jansen01", "peeters01"
READER = Role(0, "DossierReader", Validity(0.0))
WRITER = Role(0, "DossierWriter", Validity(NOW, NOW + 60))
LATER = Role(0, "DossierWriter", Validity(NOW + 120))


async def begin(records: Records, user_id: str = USER, number: int = 1) -> str:
    login = await records.find_login(user_id)
    assert login is not None
    session = await records.create_session(login, Means.EID, NOW, PORTAL, bytes([number]) * 32, NOW, 3600)
    return session.id


def known(records: Records, user_id: str = USER) -> UserRecords:
    user = records.index.user(user_id)
    assert user is not None
    return user


async def test_every_process_learns_it_and_a_line_says_what_changed(open_records: Opener) -> None:
    one, two = await open_records(), await open_records()
    await add_user(one)
    await begin(one)
    assert known(one).roles_known_at is None
    told: list[Change] = []
    before = known(one)
    await one.keep_roles({USER: {"DossierReader": (READER,), "DossierWriter": (WRITER, LATER)}}, NOW, told.append)
    assert await two.catch_up()
    for records in (one, two):
        assert known(records) == dc.replace(
            before,
            outside_roles={"DossierReader": (READER,), "DossierWriter": (WRITER, LATER)},
            roles_known_at=NOW,
        )
    (change,) = told
    assert (change.act, change.user_id, change.by.actor, change.before) == ("role look-up", USER, "gateway", ())
    assert [dict(each) for each in change.after] == [
        {"table": "outside_roles", "role": "DossierReader", "valid_from": 0.0},
        {"table": "outside_roles", "role": "DossierWriter", "valid_from": NOW, "valid_to": NOW + 60},
        {"table": "outside_roles", "role": "DossierWriter", "valid_from": NOW + 120},
    ]
    await one.keep_roles({USER: {"DossierWriter": (WRITER, LATER), "DossierReader": (READER,)}}, NOW + 1, told.append)
    assert len(told) == 1
    assert known(one).roles_known_at == NOW + 1
    await one.keep_roles({USER: {"DossierReader": (READER,)}}, NOW + 2, told.append)
    assert await two.catch_up()
    assert known(two).outside_roles == {"DossierReader": (READER,)}
    assert [len(told[1].before), len(told[1].after)] == [2, 0]
    await one.keep_roles({USER: {}}, NOW + 3, told.append)
    assert (known(one).outside_roles, known(one).roles_known_at) == ({}, NOW + 3)


async def test_an_answer_to_an_earlier_question_changes_nothing(records: Records) -> None:
    await add_user(records)
    await begin(records)
    await records.keep_roles({USER: {}}, NOW)
    for asked_at in (NOW - 1, NOW):
        await records.keep_roles({USER: {"DossierReader": (READER,)}}, asked_at)
        assert (known(records).outside_roles, known(records).roles_known_at) == ({}, NOW)


async def test_what_cannot_be_a_line_is_not_kept(records: Records) -> None:
    await add_user(records)
    await begin(records)

    def full(change: Change) -> None:
        raise LedgerError("the disk is full")

    with pytest.raises(LedgerError, match="full"):
        await records.keep_roles({USER: {"DossierReader": (READER,)}}, NOW, full)
    assert known(records).roles_known_at is None


async def test_who_is_due(records: Records, clock: Clock) -> None:
    await add_user(records)
    await add_user(records, OTHER, insz=INSZ[1])
    assert await records.roles_due(NOW, NOW) == []
    first = await begin(records)
    await begin(records, OTHER, 2)
    await begin(records, OTHER, 3)
    assert await records.roles_due(NOW, NOW - 900) == [USER, OTHER]
    await records.keep_roles({USER: {}}, NOW - 900)
    assert await records.roles_due(NOW, NOW - 900) == [OTHER, USER]
    await records.keep_roles({OTHER: {}}, NOW - 899)
    assert await records.roles_due(NOW, NOW - 900) == [USER]
    await records.end_session(first, "signed out", "gateway")
    assert await records.roles_due(NOW, NOW) == [OTHER]
    assert await records.roles_due(NOW + 3600, NOW + 3600) == []


async def test_it_is_forgotten_when_it_can_count_no_more(records: Records, clock: Clock) -> None:
    await add_user(records)
    await add_user(records, OTHER, insz=INSZ[1])
    await records.keep_roles({USER: {"DossierReader": (READER,)}}, NOW)
    await records.keep_roles({OTHER: {"DossierReader": (READER,)}}, NOW + 1)
    await records._tidy(NOW + KEPT_SECONDS + 0.5)
    await begin(records)
    await begin(records, OTHER, 2)
    assert (known(records).outside_roles, known(records).roles_known_at) == ({}, None)
    assert (known(records, OTHER).outside_roles, known(records, OTHER).roles_known_at) == (
        {"DossierReader": (dc.replace(READER, validity=Validity(0.0, FOR_EVER)),)},
        NOW + 1,
    )
