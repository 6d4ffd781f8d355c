"""What a worker makes of the switch and the records: one view, kept current, and no file forgotten on either side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.app.emergency import Emergency
from gateway.decision.suspensions import UNREADABLE, Scope, Suspended, Suspensions
from gateway.errors import RecordsError
from gateway.records import By, Records, RecordsSettings, upgrade_schema
from gateway.records.switch import Suspension, Switch

KEY, OTHER = "20261128-0123abcd", "20261128-fedc0987"
LATER = By("shell", "over")


def suspension(key: str = KEY, subject: str = "dossier") -> Suspension:
    return Suspension(Suspended(key, Scope.TRANSACTION, subject), "origin compromised", "shell", 1.0)


@dataclass
class Machine:
    switch: Switch
    records: Records
    database: Path
    given: list[Suspensions] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.switch.make()
        self.emergency = Emergency(self.switch, self.records, self.given.append)
        self.emergency.begin()

    @property
    def keys(self) -> list[str]:
        self.emergency.tick()
        return sorted(entry.key for entry in self.given[-1].entries)


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    (tmp_path / "records.key").write_bytes(bytes(32))
    settings = RecordsSettings(tmp_path / "records.sqlite", tmp_path / "records.key")
    upgrade_schema(settings)
    opened = await Records.open(settings)
    yield opened
    await opened.close()


@pytest.fixture
def machine(tmp_path: Path, records: Records) -> Machine:
    return Machine(Switch(tmp_path / "suspensions"), records, tmp_path / "records.sqlite")


async def test_by_the_switch_by_the_records_or_both(machine: Machine) -> None:
    assert machine.keys == []
    machine.switch.write(suspension())
    assert machine.keys == [KEY]
    await machine.records.add_suspension(suspension())
    await machine.records.add_suspension(suspension(OTHER, "pension"))
    assert machine.keys == [KEY, OTHER]
    machine.switch.remove(KEY)
    assert machine.keys == [KEY, OTHER]
    await machine.records.end_suspension(KEY, LATER, 2.0)
    assert machine.keys == [OTHER]
    assert [each.entry.key for each in machine.emergency.running() or []] == [OTHER]


async def test_nothing_is_given_when_nothing_changed(machine: Machine) -> None:
    machine.switch.write(suspension())
    for _ in range(5):
        machine.emergency.tick()
    assert len(machine.given) == 2


async def test_two_changes_in_one_tick_of_the_file_systems_clock(machine: Machine) -> None:
    """The second does not change the directory's time: it is read again until that time is long past."""
    machine.switch.write(suspension())
    at = machine.switch.version()[-1]
    assert machine.keys == [KEY]
    machine.switch.write(suspension(OTHER))
    os.utime(machine.switch.directory, ns=(at, at))
    assert machine.keys == [KEY, OTHER]


async def test_what_cannot_be_read_suspends_everything_until_it_can(machine: Machine) -> None:
    directory = machine.switch.directory
    machine.switch.write(suspension())
    stray, away = directory / "x", directory.with_name("away")
    stray.write_text("")
    assert (machine.keys, machine.emergency.running()) == ([UNREADABLE.key], None)
    stray.unlink()
    assert machine.keys == [KEY]
    directory.rename(away)
    assert (machine.keys, machine.emergency.running()) == ([UNREADABLE.key], None)
    away.rename(directory)
    assert machine.keys == [KEY]


async def test_who_takes_a_dead_workers_place_opens_nothing(machine: Machine) -> None:
    """A directory that is gone suspends everything in every worker, until a start of the whole gateway makes it again."""
    machine.switch.directory.rmdir()
    assert machine.keys == [UNREADABLE.key]
    given: list[Suspensions] = []
    Emergency(machine.switch, machine.records, given.append).begin()
    assert not machine.switch.directory.exists()
    assert [entry.key for entry in given[-1].entries] == machine.keys == [UNREADABLE.key]


async def test_what_the_switch_alone_has_goes_to_the_records(machine: Machine) -> None:
    machine.switch.write(suspension())
    machine.emergency.tick()
    await machine.emergency.bring_together()
    [recorded] = machine.records.index.suspensions
    assert recorded.entry.key == KEY
    assert machine.switch.read() == [recorded]
    assert machine.keys == [KEY]


async def test_what_ended_elsewhere_leaves_the_switch(machine: Machine) -> None:
    machine.switch.write(suspension())
    machine.emergency.tick()
    await machine.emergency.bring_together()
    machine.emergency.tick()
    await machine.records.end_suspension(KEY, LATER, 2.0)
    assert machine.keys == [KEY]
    await machine.emergency.bring_together()
    assert machine.keys == []
    assert machine.switch.read() == []


async def test_what_is_resumed_while_it_is_brought_to_the_records_is_over_there_too(machine: Machine) -> None:
    """By whoever comes last: the command ends what the worker has just added, or the worker what the command has just removed."""
    machine.switch.write(suspension())
    machine.emergency.tick()
    machine.switch.remove(KEY)  # the command, which found nothing in the records
    await machine.emergency.bring_together()  # the worker, by what it saw before
    assert machine.records.index.suspensions == ()
    assert machine.keys == []
    [past] = await machine.records.past_suspensions(9)
    assert (past.ended_by, past.suspension.entry.key) == ("gateway", KEY)


async def test_a_directory_that_goes_meanwhile_ends_nothing(machine: Machine) -> None:
    machine.switch.write(suspension())
    machine.emergency.tick()
    machine.switch.directory.rename(machine.switch.directory.with_name("away"))
    await machine.emergency.bring_together()
    assert [each.entry.key for each in machine.records.index.suspensions] == [KEY]


async def test_the_loop_does_not_wait_for_the_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    there = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        there.append(asyncio._get_running_loop() is None)
        sync(descriptor)

    machine.switch.write(suspension())
    machine.emergency.tick()
    monkeypatch.setattr(os, "fsync", watched)
    await machine.emergency.bring_together()
    machine.emergency.tick()
    await machine.records.end_suspension(KEY, LATER, 2.0)
    await machine.emergency.bring_together()
    assert (machine.switch.read(), there) == ([], [True] * 3)


async def test_without_records_the_switch_goes_on(machine: Machine) -> None:
    machine.switch.write(suspension())
    machine.emergency.tick()
    machine.database.rename(machine.database.with_name("away"))
    await machine.emergency.bring_together()
    assert machine.keys == [KEY]
    machine.database.with_name("away").rename(machine.database)
    await machine.emergency.bring_together()
    assert [each.entry.key for each in machine.records.index.suspensions] == [KEY]


async def test_one_that_the_records_do_not_take_keeps_no_other_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = machine.records.add_suspension

    async def but_one(each: Suspension) -> Suspension | None:
        if each.entry.key == KEY:
            raise RecordsError("it is not taken")
        return await add(each)

    monkeypatch.setattr(machine.records, "add_suspension", but_one)
    machine.switch.write(suspension())
    machine.switch.write(suspension(OTHER, "pension"))
    machine.emergency.tick()
    await machine.emergency.bring_together()
    assert [each.entry.key for each in machine.records.index.suspensions] == [OTHER]
    assert machine.keys == [KEY, OTHER]
