"""Suspensions in the records: other processes learn of them, and their history stays."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.decision.suspensions import Scope, Suspended
from gateway.errors import Conflict, LedgerError, RecordsError
from gateway.model import UserRecords
from gateway.records import BeforeCommit, By, Change, Records
from gateway.records.emergency import resume, suspend
from gateway.records.switch import Suspension, Switch
from tests.records.conftest import NOW, Opener, add_user

KEY = "20270115-0123abcd"
LATER = By("user:duty.officer", "origin rebuilt")


def suspension(scope: Scope = Scope.TRANSACTION, subject: str = "dossier") -> Suspension:
    return Suspension(Suspended(KEY, scope, subject), "origin compromised", "shell", NOW)


@pytest.fixture
def switch(tmp_path: Path) -> Switch:
    made = Switch(tmp_path / "suspensions")
    made.make()
    return made


class Away:
    """Records that cannot be reached."""

    async def user(self, user_id: str) -> UserRecords | None:
        raise RecordsError("no server answers")

    async def add_suspension(self, suspension: Suspension) -> Suspension | None:
        raise RecordsError("no server answers")

    async def end_suspension(self, key: str, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        raise RecordsError("no server answers")

    async def running_suspensions(self) -> tuple[Suspension, ...]:
        raise RecordsError("no server answers")


AWAY = Away()


async def known(records: Records) -> tuple[Suspension, ...]:
    """What this process knows of all that was committed up to now."""
    assert await records.catch_up()
    return records.index.suspensions


async def test_another_process_learns_of_it_and_of_its_end(open_records: Opener) -> None:
    here, there = await open_records(), await open_records()
    recorded = await here.add_suspension(suspension())
    assert recorded is not None
    assert recorded.recorded
    assert await known(there) == (recorded,) == here.index.suspensions
    assert (await open_records()).index.suspensions == (recorded,)
    await there.end_suspension(KEY, LATER, NOW + 5)
    assert await known(here) == ()
    [past] = await here.past_suspensions(9)
    assert (past.suspension, past.ended_at, past.ended_by, past.ended_reason) == (
        recorded, NOW + 5, "user:duty.officer", "origin rebuilt"
    )  # fmt: skip


async def test_recorded_twice_is_once_and_ended_is_ended(records: Records) -> None:
    first, second = await records.add_suspension(suspension()), await records.add_suspension(suspension())
    assert first == second
    await records.end_suspension(KEY, LATER, NOW)
    assert await records.add_suspension(suspension()) is None
    with pytest.raises(Conflict, match="is not in force"):
        await records.end_suspension(KEY, LATER, NOW)
    assert await records.running_suspensions() == ()


async def test_the_person_behind_a_user_id_is_found(records: Records) -> None:
    person = await add_user(records)
    recorded = await records.add_suspension(suspension(Scope.PERSON, "jansen01"))
    assert recorded is not None
    assert recorded.entry.person == person


async def test_line_switch_records_in_that_order(records: Records, switch: Switch) -> None:
    told: list[Change] = []

    def line(change: Change) -> None:
        assert (switch.read() == []) == (change.act == "suspension add")
        told.append(change)

    await add_user(records)
    made = await suspend(switch, records, suspension(Scope.PERSON, "jansen01"), line)
    assert switch.read() == [made] == list(records.index.suspensions)
    assert await resume(switch, records, KEY, LATER, NOW, line) == (made, ())
    assert switch.read() == list(records.index.suspensions) == []
    assert [(change.act, change.user_id, change.insz, dict(change.details)) for change in told] == [
        ("suspension add", "jansen01", "85073003328", {"key": KEY, "scope": "person"}),
        ("suspension end", "jansen01", "85073003328", {"key": KEY, "scope": "person"}),
    ]


async def test_without_its_line_nothing_is_suspended_or_resumed(records: Records, switch: Switch) -> None:
    def full(change: Change) -> None:
        raise LedgerError("the disk is full")

    with pytest.raises(LedgerError):
        await suspend(switch, records, suspension(), full)
    assert switch.read() == []
    made = await suspend(switch, records, suspension(), lambda change: None)
    with pytest.raises(LedgerError):
        await resume(switch, records, KEY, LATER, NOW, full)
    assert switch.read() == [made] == list(records.index.suspensions)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00b", "a\nb"])
async def test_a_reason_is_mandatory(records: Records, switch: Switch, reason: str) -> None:
    with pytest.raises(Conflict, match="say why"):
        await suspend(switch, records, replace(suspension(), reason=reason), lambda change: None)
    made = await suspend(switch, records, suspension(), lambda change: None)
    with pytest.raises(Conflict, match="say why"):
        await resume(switch, records, KEY, By("shell", reason), NOW, lambda change: None)
    assert switch.read() == [made]


async def test_nobody_of_that_name_is_suspended(records: Records, switch: Switch) -> None:
    with pytest.raises(Conflict, match="does not exist"):
        await suspend(switch, records, suspension(Scope.PERSON, "nobody99"), lambda change: None)
    with pytest.raises(Conflict, match="is not in force"):
        await resume(switch, records, KEY, LATER, NOW, lambda change: None)
    assert switch.read() == []


async def test_without_a_database_it_holds_and_ends_what_it_alone_has(records: Records, switch: Switch) -> None:
    made = await suspend(switch, AWAY, suspension(), lambda change: None)
    assert (switch.read(), made.recorded) == ([made], False)
    await resume(switch, AWAY, KEY, LATER, NOW, lambda change: None)
    assert switch.read() == []


async def test_what_reaches_the_records_while_it_is_ended_is_over_there_too(records: Records, switch: Switch) -> None:
    made = await suspend(switch, AWAY, suspension(), lambda change: None)

    async def meanwhile(change: Change) -> None:
        await records.add_suspension(made)  # a running gateway, between the question and the removal

    await resume(switch, records, KEY, LATER, NOW, meanwhile)
    assert switch.read() == []
    assert await records.running_suspensions() == ()


async def test_what_the_records_have_does_not_end_without_them(records: Records, switch: Switch) -> None:
    made = await suspend(switch, records, suspension(), lambda change: None)
    with pytest.raises(
        RecordsError, match=r"\(no server answers\): it stays in force; run this again when they are back"
    ):
        await resume(switch, AWAY, KEY, LATER, NOW, lambda change: None)
    assert switch.read() == [made]


async def test_a_user_id_is_written_small_with_records_and_without(records: Records, switch: Switch) -> None:
    """It is compared as it stands in the records: one in capitals would hold nobody."""
    person = await add_user(records)
    for at, expected in ((AWAY, None), (records, person)):
        made = await suspend(switch, at, suspension(Scope.PERSON, " JANSEN01 "), lambda change: None)
        assert (made.entry.subject, made.entry.person) == ("jansen01", expected)


async def test_the_loop_does_not_wait_for_the_disk(
    records: Records, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        there.append(asyncio._get_running_loop() is None)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await suspend(switch, records, suspension(), lambda change: None)
    await resume(switch, records, KEY, LATER, NOW, lambda change: None)
    assert there == [True] * 5  # written, recorded, removed; a file and its directory, or the directory
