"""A release in shadow mode, as it lies in `state/shadow`: which one, told to all workers, and what each of them found.

    release.json     which: the hash under which it is kept in `table.releases`
    worker-0.json …  what a worker found so far, written whole

Files, because the command line and every worker of the gateway have them in common, and a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

from gateway.errors import TableError
from gateway.ledger.replaying import EXAMPLES, Group, Report
from gateway.policy.making import write_over
from gateway.policy.release import load_kept
from gateway.policy.settings import Settings
from gateway.proxy.shadow import Shadow

LOOK_SECONDS = 1.0
"""How late a worker learns that a shadow was loaded or stopped, at the most, and how old its report is."""

_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Which release is the shadow: by its own hash, and that of what was signed ("": nobody signed it); since when (Unix seconds)."""

    table: str
    signed: str
    number: int
    since: float


def shadow_directory(settings: Settings) -> Path:
    return settings.state / "shadow"


def write_loaded(directory: Path, loaded: Loaded) -> None:
    """From now on it is compared; what was found of an earlier one is gone. Raises OSError."""
    directory.mkdir(mode=0o700, exist_ok=True)
    stop(directory)
    write_over(directory / "release.json", orjson.dumps(loaded))


def read_loaded(directory: Path) -> Loaded | None:
    """None when there is no shadow. Raises OSError when it cannot be told, and ValueError of a file that somebody wrote over."""
    try:
        told = orjson.loads((directory / "release.json").read_bytes())
        return Loaded(str(told["table"]), str(told["signed"]), int(told["number"]), float(told["since"]))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError) as error:
        raise ValueError(f"release.json: {error}") from None


def stop(directory: Path) -> None:
    """Nothing is compared any more. Raises OSError."""
    (directory / "release.json").unlink(missing_ok=True)
    for file in directory.glob("worker-*.json"):
        file.unlink(missing_ok=True)


def read_report(directory: Path, loaded: Loaded) -> Report:
    """What all workers found of this shadow. Raises OSError; ValueError of a file that somebody wrote over."""
    whole = Report()
    for file in sorted(directory.glob("worker-*.json")):
        report = _read_own(file, loaded)
        whole.decisions += report.decisions
        whole.same += report.same
        whole.not_replayable += report.not_replayable
        for key, group in report.different.items():
            to = whole.different.setdefault(key, Group())
            to.count += group.count
            to.persons |= group.persons
            to.examples = (to.examples + group.examples)[:EXAMPLES]
    return whole


def _read_own(file: Path, loaded: Loaded) -> Report:
    try:
        told: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return Report()
    if (told["table"], told["since"]) != (loaded.table, loaded.since):
        return Report()
    groups = {
        (one[0], one[1], one[2], one[3], one[4]): Group(count, set(persons), examples)
        for one, count, persons, examples in told["different"]
    }
    return Report(told["decisions"], told["same"], groups, Counter(told["failed"]))


def _written(report: Report, loaded: Loaded) -> bytes:
    return orjson.dumps(
        {
            "table": loaded.table,
            "since": loaded.since,
            "decisions": report.decisions,
            "same": report.same,
            "failed": dict(report.not_replayable),
            "different": [
                [key, group.count, sorted(group.persons), group.examples] for key, group in report.different.items()
            ],
        }
    )


class ShadowWatch:
    """Keeps a worker's shadow as the files say. `show` is told what it is from now on."""

    def __init__(self, settings: Settings, number: int, show: Callable[[Shadow | None], None]) -> None:
        self._releases = settings.table.releases
        self._directory = shadow_directory(settings)
        self._own = self._directory / f"worker-{number}.json"
        self._show = show
        self._loaded: Loaded | None = None
        self._shadow: Shadow | None = None
        self._written = 0

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Take up what was loaded or stopped since the last look; write down what was found. Never raises."""
        try:
            loaded = await asyncio.to_thread(read_loaded, self._directory)
            if loaded != self._loaded:
                await self._take(loaded)
            await self.write()
        except (OSError, ValueError) as error:
            _log.warning("shadow_unavailable", reason=str(error), effect="nothing else depends on it")

    async def _take(self, loaded: Loaded | None) -> None:
        self._loaded, self._shadow, self._written = loaded, None, 0
        try:
            if loaded is not None:
                snapshot = await asyncio.to_thread(load_kept, self._releases, loaded.table)
                report = await asyncio.to_thread(_read_own, self._own, loaded)
                self._shadow, self._written = Shadow(snapshot, report), report.decisions
        except TableError as error:
            _log.error("shadow_not_loaded", reason=str(error), do="gateway shadow load RELEASE")
        finally:
            self._show(self._shadow)

    async def write(self) -> None:
        """What was found since the last time. Raises OSError."""
        if self._shadow is None or self._loaded is None or self._shadow.report.decisions == self._written:
            return
        self._written = self._shadow.report.decisions
        await asyncio.to_thread(write_over, self._own, _written(self._shadow.report, self._loaded))

    async def close(self) -> None:
        with contextlib.suppress(OSError):
            await self.write()
