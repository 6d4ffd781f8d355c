"""What a worker tells of a release that has expired, and when it takes what lies there for another one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.app import releases
from gateway.app.releases import ALARM_SECONDS, Releases
from gateway.decision import Snapshot
from gateway.ledger.ledger import Ledger
from gateway.policy.settings import Settings

NOW = 1_780_000_000.0


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
    empty = watched._stamp()
    for number in range(1500):
        (path / f"table/regulation/{number}").mkdir(parents=True)
    (path / "table/extra").mkdir()
    watched.about_to_read()
    assert watched._read not in ((), empty)  # it is news: whoever reads it refuses it
    for number in range(100):
        (path / f"table/extra/{number}").mkdir()
    assert watched._stamp() == watched._read  # it is not looked into


async def _first_asked(watched: Releases) -> str:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()
    watching = asyncio.create_task(watched.keep_watch(lambda cause: asked.done() or asked.set_result(cause)))
    try:
        async with asyncio.timeout(10):
            return await asked
    finally:
        watching.cancel()


async def test_a_first_release_that_begins_later_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "WATCH_SECONDS", 0.01)
    watched = made(None, Alarms(), snapshot(usable=False))
    watched.refuse("not_begun", NOW)
    assert watched.refused == {"not_begun": 1}
    assert await _first_asked(watched) == "watch"
    watched.refuse("unsigned", None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await _first_asked(watched)


@pytest.mark.parametrize(
    ("served", "waits", "asked"), [(7, None, False), (7, NOW - 1, True), (7, NOW + 60, False), (8, None, True)]
)
async def test_a_worker_that_takes_another_ones_place_misses_no_beginning(
    served: int, waits: float | None, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = SimpleNamespace(number=8, starts=waits)
    waiting = None if waits is None else SimpleNamespace(signed=SimpleNamespace(verified=verified), hash="cd")
    found = SimpleNamespace(waiting=waiting, snapshot=SimpleNamespace(release=served))
    monkeypatch.setattr(releases, "load_release", lambda settings, now: found)
    monkeypatch.setattr(releases, "WATCH_SECONDS", 0.01)
    watched = made(None, Alarms(), snapshot())
    watched.look_for_waiting()
    if asked:
        assert await _first_asked(watched) == releases.BEGINS
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await _first_asked(watched)
