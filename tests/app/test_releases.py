"""What a worker tells of a release that has expired, and when it takes what lies there for another one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.app import releases
from gateway.app.releases import ALARM_SECONDS, Releases
from gateway.cli.init import make_configuration
from gateway.decision import Snapshot
from gateway.ledger.ledger import Ledger
from gateway.policy.container import archive, root_name
from gateway.policy.files import read_files
from gateway.policy.refusals import ReleaseRefused
from gateway.policy.release import load_release, load_running, note_release
from gateway.policy.settings import Settings, load_settings
from tests.policy.signers import DAY, first_root, release

NOW = 1_780_000_000.0
ROOTS = first_root("ab", NOW + 700 * DAY)


class Alarms:
    """The part of a ledger that is used here."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []

    def alarm(self, alarm: str, text: str, values: Mapping[str, int | float | str]) -> None:
        assert values["release"] == 7
        self.written.append((alarm, text.rpartition(": ")[2]))


def made(path: Path | None, alarms: Alarms, snapshot: Snapshot) -> Releases:
    settings = cast(Settings, SimpleNamespace(table=SimpleNamespace(release=path)))
    return Releases(settings, cast(Ledger, alarms), lambda: NOW, lambda: snapshot)


def snapshot(**term: Any) -> Snapshot:
    return Snapshot(hash="ab", portal_host="portal.localhost", names=frozenset(), release=7, **term)


TAKEN: Any = SimpleNamespace(waiting=None, snapshot=snapshot())


def test_an_expired_release_is_told_of_once_a_day() -> None:
    alarms = Alarms()
    watched = made(None, alarms, snapshot(expires=NOW, refused_from=NOW + 2 * ALARM_SECONDS))
    for moment in (NOW - 1, NOW, NOW + 1, NOW + ALARM_SECONDS - 1):
        watched.tell_expired(moment)
    assert alarms.written == [("release_expired", "it serves until its grace is over")]
    watched.tell_expired(NOW + ALARM_SECONDS)
    watched.tell_expired(NOW + 2 * ALARM_SECONDS)
    assert len(alarms.written) == 3
    assert alarms.written[-1] == ("release_expired", "every request is refused")


def test_one_that_nobody_signed_never_expires() -> None:
    alarms = Alarms()
    made(None, alarms, Snapshot(hash="ab", portal_host="portal.localhost", names=frozenset())).tell_expired(NOW)
    assert alarms.written == []


@pytest.mark.parametrize("kind", ["file", "directory"])
async def test_what_changes_is_asked_for_once_it_rests(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "WATCH_SECONDS", 0.01)
    path = tmp_path / "release"
    inner = path if kind == "file" else path / "table" / "roles.toml"
    inner.parent.mkdir(parents=True, exist_ok=True)
    inner.write_text("one")
    watched = made(path, Alarms(), snapshot())
    watched.about_to_read()
    watched.took(TAKEN)
    asked: list[str] = []
    heard = asyncio.Event()

    def changed(cause: str) -> None:
        asked.append(cause)
        heard.set()

    watching = asyncio.create_task(watched.keep_watch(changed))

    async def heard_of_it() -> None:
        async with asyncio.timeout(10):
            await heard.wait()
        heard.clear()

    await asyncio.sleep(0.1)
    assert not asked  # it is what was read
    inner.write_text("another")
    await heard_of_it()
    await asyncio.sleep(0.1)
    assert asked == ["watch"]
    os.utime(inner, (NOW, NOW))  # an editor that saves the same is news: whoever loads it finds out
    await heard_of_it()
    inner.unlink()
    await asyncio.sleep(0.1)
    assert len(asked) == (2 if kind == "file" else len(asked))  # what is away for a moment is being replaced
    watching.cancel()


async def test_what_can_be_no_release_is_looked_at_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "release"
    path.mkdir()
    watched = made(path, Alarms(), snapshot())
    empty = watched.stamp()
    for number in range(1500):
        (path / f"table/regulation/{number}").mkdir(parents=True)
    (path / "table/extra").mkdir()
    found = watched.stamp()
    assert found not in ((), empty)  # it is news: whoever reads it refuses it
    for number in range(100):
        (path / f"table/extra/{number}").mkdir()
    assert watched.stamp() == found  # it is not looked into


class Watch:
    """One that keeps watch by a clock that is set by hand."""

    def __init__(self, path: Path | None) -> None:
        self.serves = snapshot()
        settings = cast(Settings, SimpleNamespace(table=SimpleNamespace(release=path)))
        self.watched = Releases(settings, cast(Ledger, Alarms()), lambda: NOW, lambda: self.serves)

    def at(self, moment: float) -> list[str]:
        """What it asks for at this moment, in three looks."""
        return [cause for _ in range(3) for cause in self.watched.due(moment, self.watched.stamp())]


def that_waits(number: int, starts: float) -> Any:
    waiting = SimpleNamespace(signed=SimpleNamespace(verified=SimpleNamespace(number=number, starts=starts)), hash="cd")
    return SimpleNamespace(waiting=waiting, snapshot=snapshot())


def test_a_release_that_begins_is_asked_for_until_it_is_taken() -> None:
    """The reload of its moment may fail of something else: of a file that is half edited, a disk that is full."""
    watch = Watch(None)
    watch.watched.took(that_waits(8, NOW + 60))
    assert watch.at(NOW + 59.9) == []
    assert watch.at(NOW + 60) == [releases.BEGINS]
    assert watch.at(NOW + 60 + releases.AGAIN_SECONDS) == [releases.BEGINS]
    watch.watched.refuse("table_faulty", None)
    moment = NOW + 1000
    for _ in range(20):
        moment += releases.AGAIN_AT_MOST_SECONDS
        assert watch.at(moment) == [releases.BEGINS]
    assert watch.at(moment + 1) == []
    watch.watched.took(TAKEN)
    assert watch.at(moment + 1e6) == []


def test_what_lies_there_is_asked_for_until_somebody_judged_it(tmp_path: Path) -> None:
    path = tmp_path / "release.tar"
    path.write_text("one")
    watch = Watch(path)
    watch.watched.about_to_read()
    watch.watched.took(TAKEN)
    assert watch.at(NOW) == []
    path.write_text("another")
    assert watch.at(NOW) == ["watch"]
    watch.watched.about_to_read()  # and then the settings are half edited
    assert watch.at(NOW + 1) == []
    assert watch.at(NOW + releases.AGAIN_SECONDS) == ["watch"]
    path.write_text("a third one")
    assert watch.at(NOW + releases.AGAIN_SECONDS) == ["watch"]
    watch.watched.about_to_read(kept=True)  # one that waited begins: that says nothing of what lies there
    watch.watched.took(TAKEN)
    assert watch.at(NOW + 1e6) == ["watch"]
    watch.watched.about_to_read()
    watch.watched.refuse("malformed", None)
    assert watch.at(NOW + 2e6) == []


def test_a_first_release_that_begins_later_is_looked_at_until_somebody_judged_it() -> None:
    watch = Watch(None)
    watch.serves = snapshot(usable=False)
    watch.watched.refuse("not_begun", NOW + 60)
    assert watch.at(NOW + 59) == []
    assert watch.at(NOW + 60) == ["watch"]
    assert watch.at(NOW + 60 + releases.AGAIN_SECONDS) == ["watch"]
    watch.watched.refuse("unsigned", None)
    assert watch.at(NOW + 1e6) == []
    assert watch.watched.refused == {"not_begun": 1, "unsigned": 1}


class Machine:
    """What is published to a gateway, and what it took; release 7 serves."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.files = read_files(config).files
        self.published = config / "release.tar"
        (config / "root.json").write_bytes(ROOTS[root_name(1)])
        file = config / "gateway.toml"
        file.write_text(file.read_text().replace("unsafe_unsigned = true", 'release = "release.tar"'))
        self.publish(7)
        self.take(NOW)

    def publish(self, number: int, starts: float = NOW) -> None:
        self.published.write_bytes(archive(release(ROOTS, "ab", NOW, number=number, starts=starts, files=self.files)))

    def take(self, now: float) -> None:
        settings = load_settings(self.config)
        note_release(load_release(settings, now), settings)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    make_configuration(tmp_path / "config", NOW)
    (tmp_path / "config" / "state").mkdir(exist_ok=True)
    return Machine(tmp_path / "config")


def successor(machine: Machine, watch: Watch) -> Watch:
    watch.watched.settings = load_settings(machine.config)
    watch.watched.look_for_waiting()
    return watch


@pytest.mark.parametrize("usable", [True, False])
def test_a_worker_that_takes_another_ones_place_misses_no_beginning(machine: Machine, usable: bool) -> None:
    """Whatever lies in the place of one that waits, and also where what lies there was refused at a start."""
    machine.publish(8, NOW + 60)
    machine.take(NOW)
    machine.published.write_bytes(b"something else")
    watch = Watch(None)
    watch.serves = snapshot(usable=usable)
    successor(machine, watch)
    assert releases.BEGINS not in watch.at(NOW + 59)
    assert releases.BEGINS in watch.at(NOW + 60)


@pytest.mark.parametrize(("served", "usable", "begins"), [(6, True, True), (7, True, False), (0, False, False)])
def test_one_that_began_while_nobody_kept_watch(machine: Machine, served: int, usable: bool, begins: bool) -> None:
    watch = Watch(None)
    watch.serves = replace(snapshot(usable=usable), release=served)
    assert (releases.BEGINS in successor(machine, watch).at(NOW + 1)) is begins


def test_what_was_published_while_nobody_kept_watch_is_news(machine: Machine) -> None:
    machine.publish(8)
    assert successor(machine, Watch(None)).at(NOW + 1) == ["watch"]


def test_a_memory_that_cannot_be_read_is_told_of_by_whoever_loads(machine: Machine) -> None:
    load_settings(machine.config).table_memory.write_text("damaged")
    assert releases.BEGINS in successor(machine, Watch(None)).at(NOW + 1)


def test_a_workers_death_leads_nobody_back(machine: Machine) -> None:
    """What the others are said to run was overtaken: not all of them have answered yet that they took the next one."""
    settings = load_settings(machine.config)
    seven = load_release(settings, NOW)
    machine.publish(8, NOW + 60)
    machine.take(NOW)
    runs = load_running(settings, seven.hash)
    assert runs is not None
    assert runs.release == 7
    machine.take(NOW + 60)
    assert load_running(settings, seven.hash) is None
    eight = load_running(settings, load_release(settings, NOW + 60).hash)
    assert eight is not None
    assert eight.release == 8
    settings.table_memory.write_text("damaged")
    with pytest.raises(ReleaseRefused):
        load_running(settings, seven.hash)


def test_where_nobody_signs_no_release_waits(tmp_path: Path) -> None:
    make_configuration(tmp_path / "config", NOW)
    (tmp_path / "config" / "roles.toml").write_text("half edited")
    watch = Watch(None)
    watch.watched.settings = load_settings(tmp_path / "config")
    watch.watched.look_for_waiting()
    assert watch.at(NOW + 1) == []
