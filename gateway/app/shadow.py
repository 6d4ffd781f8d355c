"""A release in shadow mode, as it lies in `state/shadow`: which one, told to all workers, and what each of them found.

    release.json     which
    <hash>.json      its document, and <signed>.tar as it was signed
    worker-0.json …  what a worker found so far, written whole

Files, because the command line and every worker of the gateway have them in common, and a restart forgets nothing. They lie apart from
`table.releases`, by which a lost memory is put together again (`policy.memory`): nobody published a shadow.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.app.background import keep_going
from gateway.errors import TableError
from gateway.ledger.replaying import EXAMPLES, Group, Key, Report
from gateway.policy.container import SUFFIX
from gateway.policy.making import write_over
from gateway.policy.release import Release, keep_release, load_kept
from gateway.policy.settings import Settings
from gateway.proxy.shadow import Shadow

LOOK_SECONDS = 1.0
"""How late a worker learns that a shadow was loaded or stopped, at the most."""
WRITE_SECONDS = 10.0
"""How old a worker's report is, at the most: a full one is some megabytes."""

_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Which release is the shadow: by its own hash, and that of what was signed ("": nobody signed it); since when (Unix seconds)."""

    table: str
    signed: str
    number: int
    since: float

    @staticmethod
    def of(release: Release, since: float) -> Loaded:
        signed = "" if release.signed is None else release.signed.verified.signed
        return Loaded(release.hash, signed, release.snapshot.release, since)


class _Own(BaseModel):
    """A worker's report in its file. `different` are a group's key, how many, of whom, and examples."""

    model_config = ConfigDict(extra="forbid", strict=True)

    table: str
    since: float
    decisions: int
    same: int
    failed: dict[str, int]
    different: list[tuple[Key, int, list[str], list[str]]]


def shadow_directory(settings: Settings) -> Path:
    return settings.state / "shadow"


def write_loaded(directory: Path, loaded: Loaded, release: Release) -> None:
    """From now on it is compared; what was found of an earlier one is gone. Raises OSError."""
    directory.mkdir(mode=0o700, exist_ok=True)
    stop(directory)
    keep_release(release, directory)
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
    """Nothing is compared any more, and nothing is kept of it. Raises OSError."""
    for file in (directory / "release.json", *directory.glob("*.json"), *directory.glob(f"*{SUFFIX}")):
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
        own = _Own.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Report()
    except ValidationError:
        raise ValueError(f"{file.name}: this is no report that a worker wrote") from None
    if (own.table, own.since) != (loaded.table, loaded.since):
        return Report()
    groups = {key: Group(count, set(persons), examples) for key, count, persons, examples in own.different}
    return Report(own.decisions, own.same, groups, Counter(own.failed))


def _copied(report: Report) -> Report:
    """As it is at this moment, for another thread; but its persons are those of the group itself, which may gain some meanwhile: there can
    be 100,000, and to copy them takes as long as to order them."""
    groups = {key: Group(one.count, one.persons, one.examples.copy()) for key, one in report.different.items()}
    return Report(report.decisions, report.same, groups, report.not_replayable.copy())


def _write_own(file: Path, report: Report, loaded: Loaded) -> None:
    """From a thread of its own. Raises OSError."""
    # Persons in one call, which no other thread comes between; and group by group, so that the loop has its turn between them.
    different = [
        orjson.Fragment(orjson.dumps([key, group.count, sorted(group.persons), group.examples]))
        for key, group in report.different.items()
    ]
    told = {
        "table": loaded.table,
        "since": loaded.since,
        "decisions": report.decisions,
        "same": report.same,
        "failed": dict(report.not_replayable),
        "different": different,
    }
    write_over(file, orjson.dumps(told))


class ShadowWatch:
    """Keeps a worker's shadow as the files say. `show` is told what it is from now on; `clock` gives monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        number: int,
        show: Callable[[Shadow | None], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = shadow_directory(settings)
        self._own = self._directory / f"worker-{number}.json"
        self._show = show
        self._clock = clock
        self._loaded: Loaded | None = None
        self._shadow: Shadow | None = None
        self._written = 0
        self._due = 0.0
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def keep_watch(self) -> None:
        """Begins to look for what was loaded or stopped, and to write down what was found."""
        self._task = keep_going(
            self._again_and_again(),
            # What is loaded or stopped is not learnt of, and no report is written.
            "the shadow is not looked after any more; restart the gateway",
        )

    async def close(self) -> None:
        """With what was found up to now."""
        self._ending.set()
        if self._task is not None:  # not cancelled: a thread may be at its file
            await asyncio.wait([self._task])
        with contextlib.suppress(OSError):
            await self._write()

    async def _again_and_again(self) -> None:
        while not self._ending.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """Take up what was loaded or stopped since the last look; write down what was found, now and then. Never raises."""
        try:
            loaded = await asyncio.to_thread(read_loaded, self._directory)
            if loaded != self._loaded:
                await self._take(loaded)
            if self._clock() >= self._due:
                await self._write()
        except (OSError, ValueError) as error:
            _log.warning("shadow_unavailable", reason=str(error), effect="nothing else depends on it")

    async def _take(self, loaded: Loaded | None) -> None:
        self._loaded, self._shadow, self._written, self._due = loaded, None, 0, 0.0
        try:
            if loaded is not None:
                snapshot = await asyncio.to_thread(load_kept, self._directory, loaded.table)
                report = await asyncio.to_thread(_read_own, self._own, loaded)
                self._shadow, self._written = Shadow(snapshot, report), report.decisions
        except (TableError, OSError, ValueError) as error:
            _log.error("shadow_not_loaded", reason=str(error), do="gateway shadow load RELEASE")
        finally:
            self._show(self._shadow)

    async def _write(self) -> None:
        """What was found since the last time. The loop only copies it: to order and to serialise a full one takes far longer. Raises OSError."""
        if self._shadow is None or self._loaded is None or self._shadow.report.decisions == self._written:
            return
        self._written, self._due = self._shadow.report.decisions, self._clock() + WRITE_SECONDS
        await asyncio.to_thread(_write_own, self._own, _copied(self._shadow.report), self._loaded)
