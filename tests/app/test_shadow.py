"""A shadow in its files: taken up, compared, written down, picked up by the next worker, merged, and stopped."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import orjson
import pytest

from gateway.app.shadow import Loaded, ShadowWatch, read_loaded, read_report, shadow_directory, stop, write_loaded
from gateway.cli.init import make_configuration
from gateway.policy.release import keep_release, load_release
from gateway.policy.settings import Settings, load_settings
from gateway.proxy.shadow import Shadow
from tests.decision.world import WORLD
from tests.proxy.stage import until

SINCE = 1_780_000_000.0


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory with one kept release, and its hash."""
    directory = tmp_path_factory.mktemp("shadow")
    make_configuration(directory / "config", time.time())
    settings = load_settings(directory / "config")
    release = load_release(settings, time.time())
    keep_release(release, directory / "releases")
    return directory / "releases", release.hash


class Worker:
    def __init__(self, state: Path, releases: Path, number: int = 0) -> None:
        state.mkdir(exist_ok=True)
        settings = cast(Settings, SimpleNamespace(state=state, table=SimpleNamespace(releases=releases)))
        self.directory = shadow_directory(settings)
        self.shadow: Shadow | None = None
        self.watch = ShadowWatch(settings, number, self._show)

    def _show(self, shadow: Shadow | None) -> None:
        self.shadow = shadow

    def decide(self, times: int) -> None:
        assert self.shadow is not None
        for _ in range(times):
            self.shadow.compare("ref", WORLD.facts, WORLD.decide(), lambda: None)


async def test_from_load_to_stop(tmp_path: Path, releases: tuple[Path, str]) -> None:
    one, two = Worker(tmp_path / "state", releases[0]), Worker(tmp_path / "state", releases[0], 1)
    await one.watch.look()
    assert one.shadow is None
    loaded = Loaded(releases[1], "", 0, SINCE)
    write_loaded(one.directory, loaded)
    assert read_loaded(one.directory) == loaded
    for worker, times in ((one, 2), (two, 3)):
        await worker.watch.look()
        assert worker.shadow is not None
        assert worker.shadow.snapshot.hash == releases[1]
        worker.decide(times)
        await worker.watch.look()
    report = read_report(one.directory, loaded)
    ((_, group),) = report.different.items()
    assert (report.decisions, report.same, group.count, group.examples) == (5, 0, 5, ["ref"] * 3)
    # The next worker of that number goes on where this one was.
    again = Worker(tmp_path / "state", releases[0])
    await again.watch.look()
    again.decide(1)
    await again.watch.close()
    assert read_report(one.directory, loaded).decisions == 6
    # Another one begins anew.
    later = Loaded(releases[1], "", 0, SINCE + 1)
    write_loaded(one.directory, later)
    await two.watch.look()
    assert two.shadow is not None
    assert (two.shadow.report.decisions, read_report(one.directory, later).decisions) == (0, 0)
    stop(one.directory)
    await two.watch.look()
    assert (two.shadow, read_loaded(one.directory)) == (None, None)
    await two.watch.close()


async def test_a_report_of_another_shadow_does_not_count(tmp_path: Path, releases: tuple[Path, str]) -> None:
    worker = Worker(tmp_path / "state", releases[0])
    loaded = Loaded(releases[1], "", 0, SINCE)
    write_loaded(worker.directory, loaded)
    await worker.watch.look()
    worker.decide(1)
    await worker.watch.close()
    assert read_report(worker.directory, Loaded("ab" * 32, "", 0, SINCE)).decisions == 0


@pytest.mark.parametrize("content", [b"{}", b"[]", b"{", orjson.dumps(Loaded("ab" * 32, "", 0, SINCE))])
async def test_what_cannot_be_loaded_is_none(tmp_path: Path, releases: tuple[Path, str], content: bytes) -> None:
    worker = Worker(tmp_path / "state", releases[0])
    worker.directory.mkdir()
    (worker.directory / "release.json").write_bytes(content)
    await worker.watch.look()
    assert worker.shadow is None
    if content[:1] == b"[" or len(content) < 3:
        with pytest.raises(ValueError, match=r"release\.json|unexpected"):
            read_loaded(worker.directory)


async def test_it_is_looked_for_until_the_end(tmp_path: Path, releases: tuple[Path, str]) -> None:
    worker = Worker(tmp_path / "state", releases[0])
    write_loaded(worker.directory, Loaded(releases[1], "", 0, SINCE))
    watching = asyncio.create_task(worker.watch.keep())
    await until(lambda: worker.shadow is not None, 30)
    watching.cancel()
