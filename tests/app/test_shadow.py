"""A shadow in its files: taken up, compared, written down, picked up by the next worker, merged, and stopped."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.app.shadow import (
    WRITE_SECONDS,
    Loaded,
    ShadowWatch,
    read_loaded,
    read_report,
    shadow_directory,
    stop,
    write_loaded,
)
from gateway.cli.init import make_configuration
from gateway.policy.release import Release, load_release
from gateway.policy.settings import Settings, load_settings
from gateway.proxy.shadow import Shadow
from tests.decision.world import WORLD
from tests.proxy.stage import until

SINCE = 1_780_000_000.0


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    directory = tmp_path_factory.mktemp("shadow")
    make_configuration(directory / "config", time.time())
    return load_release(load_settings(directory / "config"), time.time())


class Worker:
    def __init__(self, state: Path, number: int = 0) -> None:
        state.mkdir(exist_ok=True)
        settings = cast(Settings, SimpleNamespace(state=state))
        self.directory = shadow_directory(settings)
        self.shadow: Shadow | None = None
        self.now = 1000.0
        self.watch = ShadowWatch(settings, number, self._show, lambda: self.now)

    def _show(self, shadow: Shadow | None) -> None:
        self.shadow = shadow

    def decide(self, times: int) -> None:
        assert self.shadow is not None
        for _ in range(times):
            self.shadow.compare("ref", WORLD.facts, WORLD.decide(), lambda: None)


async def test_from_load_to_stop(tmp_path: Path, release: Release) -> None:
    one, two = Worker(tmp_path / "state"), Worker(tmp_path / "state", 1)
    await one.watch.look()
    assert one.shadow is None
    loaded = Loaded.of(release, SINCE)
    write_loaded(one.directory, loaded, release)
    assert read_loaded(one.directory) == loaded
    for worker, times in ((one, 2), (two, 3)):
        await worker.watch.look()
        assert worker.shadow is not None
        assert worker.shadow.snapshot.hash == release.hash
        worker.decide(times)
        await worker.watch.look()
    report = read_report(one.directory, loaded)
    ((_, group),) = report.different.items()
    assert (report.decisions, report.same, group.count, group.examples) == (5, 0, 5, ["ref"] * 3)
    # The next worker of that number goes on where this one was.
    again = Worker(tmp_path / "state")
    await again.watch.look()
    again.decide(1)
    await again.watch.close()
    assert read_report(one.directory, loaded).decisions == 6
    # Another one begins anew.
    later = Loaded.of(release, SINCE + 1)
    write_loaded(one.directory, later, release)
    await two.watch.look()
    assert two.shadow is not None
    assert (two.shadow.report.decisions, read_report(one.directory, later).decisions) == (0, 0)
    stop(one.directory)
    await two.watch.look()
    assert (two.shadow, read_loaded(one.directory)) == (None, None)
    assert list(one.directory.iterdir()) == []
    await two.watch.close()


async def test_a_report_of_another_shadow_does_not_count(tmp_path: Path, release: Release) -> None:
    worker = Worker(tmp_path / "state")
    loaded = Loaded.of(release, SINCE)
    write_loaded(worker.directory, loaded, release)
    await worker.watch.look()
    worker.decide(1)
    await worker.watch.close()
    assert read_report(worker.directory, Loaded("ab" * 32, "", 0, SINCE)).decisions == 0


@pytest.mark.parametrize("content", [b"{}", b"[]", b"{", orjson.dumps(Loaded("ab" * 32, "", 0, SINCE))])
async def test_what_cannot_be_loaded_is_none(tmp_path: Path, release: Release, content: bytes) -> None:
    worker = Worker(tmp_path / "state")
    worker.directory.mkdir()
    (worker.directory / "release.json").write_bytes(content)
    await worker.watch.look()
    assert worker.shadow is None
    if content[:1] == b"[" or len(content) < 3:
        with pytest.raises(ValueError, match=r"release\.json|unexpected"):
            read_loaded(worker.directory)


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"{", b"\xff", b'{"table":1}', {"failed": 5}, {"decisions": "many"}, {"different": [[]]},
     {"different": [[["a", "b", "c", "d"], 1, [], []]]}, {"different": [[["a", "b", "c", "d", "e"], "1", [], []]]},
     {"different": [[["a", "b", "c", "d", "e"], 1, None, []]]}],
)  # fmt: skip
async def test_a_report_of_another_form_ends_nothing_and_is_said(
    tmp_path: Path, release: Release, content: bytes | dict[str, object]
) -> None:
    worker, loaded = Worker(tmp_path / "state"), Loaded.of(release, SINCE)
    write_loaded(worker.directory, loaded, release)
    good = {"table": loaded.table, "since": loaded.since, "decisions": 1, "same": 1, "failed": {}, "different": []}
    own = worker.directory / "worker-0.json"
    own.write_bytes(orjson.dumps(good))
    assert read_report(worker.directory, loaded).decisions == 1
    own.write_bytes(content if isinstance(content, bytes) else orjson.dumps(good | content))
    with pytest.raises(ValueError, match=r"worker-0\.json"):
        read_report(worker.directory, loaded)
    with capture_logs() as said:
        for _ in range(2):
            await worker.watch.look()
    assert [line["event"] for line in said] == ["shadow_not_loaded"]
    assert worker.shadow is None
    write_loaded(worker.directory, later := Loaded.of(release, SINCE + 1), release)  # what the line says to do
    await worker.watch.look()
    assert worker.shadow is not None
    worker.decide(1)
    await worker.watch.close()
    assert read_report(worker.directory, later).decisions == 1


async def test_what_was_found_is_written_now_and_then(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full report is some megabytes: not each second, and put in order where no request waits for it."""
    worker, loaded = Worker(tmp_path / "state"), Loaded.of(release, SINCE)
    write_loaded(worker.directory, loaded, release)
    there = []

    def dumps(what: object) -> bytes:
        there.append(asyncio._get_running_loop() is None)
        return orjson.dumps(what)

    monkeypatch.setattr(
        "gateway.app.shadow.orjson", SimpleNamespace(dumps=dumps, loads=orjson.loads, Fragment=orjson.Fragment)
    )
    for moment, expected in ((0.0, 1), (1.0, 1), (WRITE_SECONDS - 1, 1), (WRITE_SECONDS, 3), (WRITE_SECONDS + 1, 3)):
        worker.now = 1000.0 + moment
        await worker.watch.look()
        worker.decide(1)
        await worker.watch.look()
        assert read_report(worker.directory, loaded).decisions == expected
    await worker.watch.close()
    assert read_report(worker.directory, loaded).decisions == 5
    assert set(there) == {True}


async def test_it_is_looked_for_until_the_end(tmp_path: Path, release: Release) -> None:
    worker, loaded = Worker(tmp_path / "state"), Loaded.of(release, SINCE)
    write_loaded(worker.directory, loaded, release)
    worker.watch.keep_watch()
    await until(lambda: worker.shadow is not None, 30)
    worker.decide(1)
    await worker.watch.close()
    assert read_report(worker.directory, loaded).decisions == 1


async def test_a_mistake_that_ends_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(tmp_path / "state")

    async def fails() -> None:
        raise KeyError("table")

    monkeypatch.setattr(worker.watch, "look", fails)
    with capture_logs() as said:
        worker.watch.keep_watch()
        await until(lambda: said != [])
    await worker.watch.close()
    assert [(line["log_level"], line["event"]) for line in said] == [
        ("critical", "the shadow is not looked after any more; restart the gateway")
    ]
