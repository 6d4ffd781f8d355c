"""What a worker knows of signed releases beside the one that serves: that another lies there now, that one waits to begin, that the one
that serves has expired, and how many were refused.

One worker of a gateway keeps watch, and asks for a reload; every worker then reads the same release (`worker.reload`).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from gateway.decision import Snapshot
from gateway.errors import TableError
from gateway.ledger.ledger import Ledger
from gateway.policy.container import entries
from gateway.policy.refusals import REFUSALS, ReleaseRefused
from gateway.policy.release import Release, load_release
from gateway.policy.settings import Settings

WATCH_SECONDS = 1.0
"""How often it is looked whether another release lies there. One that is still being written shows by its next look."""
AGAIN_SECONDS = 10.0
AGAIN_AT_MOST_SECONDS = 300.0
"""When it is asked again for what did not come about, a disk being full or gateway.toml half edited: twice as long each time."""
ALARM_SECONDS = 86400.0
"""How often an expired release is told of (DESIGN section 5: daily)."""

BEGINS = "begins"
"""Why the table is read again, for the ledger: the release that waited shall serve."""

Stamp = tuple[tuple[str, int, int, int], ...]

_log = structlog.get_logger("gateway")


class Releases:
    """`clock` gives Unix seconds; `snapshot` what serves now."""

    def __init__(
        self, settings: Settings, ledger: Ledger, clock: Callable[[], float], snapshot: Callable[[], Snapshot]
    ) -> None:
        self.settings = settings
        self._ledger = ledger
        self._clock = clock
        self._snapshot = snapshot
        self._judged: Stamp | None = None
        self._reading: Stamp | None = None
        self._seen: Stamp | None = None
        self._asked: Stamp | None = None
        self._ask_due = 0.0
        self._begins: float | None = None
        self._again: float | None = None
        self._rest = AGAIN_SECONDS
        self._alarm_due = 0.0
        self.refused: Counter[str] = Counter()
        """Releases that were refused since the start, by code."""

    def about_to_read(self, *, kept: bool = False) -> None:
        """What lies there is read now: once it was taken or refused, only what changed after this moment is news. Reads files.

        `kept`: what is read was kept, and says nothing of what lies there.
        """
        self._reading = self._judged if kept else self.stamp()

    def took(self, release: Release) -> None:
        waiting = release.waiting
        self._judged, self._rest = self._reading, AGAIN_SECONDS
        self._begins = self._again = None
        if waiting is not None and waiting.signed is not None:
            verified = waiting.signed.verified
            self._begins = verified.starts
            _log.info("release_waits", release=verified.number, begins=verified.starts, table=waiting.hash)

    def refuse(self, code: str, again: float | None) -> None:
        """Tell that a signed release was refused; it is looked at `again` at that moment (Unix seconds)."""
        self._judged, self._again = self._reading, again
        self.refused[code] += 1
        serves = self._snapshot()
        effect = f"the gateway goes on with release {serves.release}" if serves.usable else "every request is refused"
        row = REFUSALS[code]
        _log.critical("release_refused", code=code, reason=row.meaning, effect=effect, do=row.mend)

    def look_for_waiting(self) -> None:
        """For a worker that began with the table of the others, or with none since what lies there was refused: one may wait all the
        same, whatever lies in its place. Reads files.
        """
        if self.settings.table.release is None:
            return
        serves = self._snapshot()
        try:
            release = load_release(self.settings, self._clock(), kept=True)
        except TableError:
            newer = True  # whoever is asked to load it tells why not
        else:
            self.took(release)
            newer = release.snapshot.release > serves.release  # it began while nobody kept watch
        if serves.usable and newer:
            self._begins = 0.0

    async def keep_watch(self, changed: Callable[[str], None]) -> None:
        """Until it is cancelled: `changed` is told why the table should be read again: `watch`, or `begins`."""
        while True:
            now = self._clock()
            self.tell_expired(now)
            for cause in self.due(now, await asyncio.to_thread(self.stamp)):
                changed(cause)
            rest = WATCH_SECONDS if self._begins is None else min(WATCH_SECONDS, self._begins - now)
            await asyncio.sleep(max(rest, 0.0))

    def due(self, now: float, stamp: Stamp) -> Iterator[str]:
        """Why the table should be read again now, where `stamp` lies; asked for anew until somebody took or refused it: a reload may fail
        of something else, and what takes access away must not be lost by that.
        """
        if self._begins is not None and self._begins <= now:
            self._begins = now + self._next_rest()
            yield BEGINS
        if self._again is not None and self._again <= now:
            self._again = now + self._next_rest()
            yield "watch"
        rests, self._seen = stamp == self._seen, stamp
        if rests and stamp not in ((), self._judged) and (stamp != self._asked or self._ask_due <= now):
            self._asked, self._ask_due = stamp, now + self._next_rest()
            yield "watch"

    def _next_rest(self) -> float:
        rest, self._rest = self._rest, min(2 * self._rest, AGAIN_AT_MOST_SECONDS)
        return rest

    def tell_expired(self, now: float) -> None:
        """Once a day, for as long as it lasts."""
        serves = self._snapshot()
        if now < serves.expires:
            self._alarm_due = 0.0
        elif now >= self._alarm_due:
            self._alarm_due = now + ALARM_SECONDS
            ended = now >= serves.refused_from
            effect = "every request is refused" if ended else "it serves until its grace is over"
            _log.critical(
                "release_expired",
                release=serves.release,
                expired=serves.expires,
                refused_from=serves.refused_from,
                effect=effect,
                do="have a new release signed and published",
            )
            values = {
                "release": serves.release,
                "expired": serves.expires,
                "refused_from": serves.refused_from,
            }
            self._ledger.alarm("release_expired", f"the release of the table has expired: {effect}", values)

    def stamp(self) -> Stamp:
        """Which files lie there, and since when; nothing when there are none."""
        path = self.settings.table.release
        return () if path is None else tuple(_stamps(path))


def _stamps(path: Path) -> Iterator[tuple[str, int, int, int]]:
    try:
        yield _stamp_of("", path.stat())
        if path.is_dir():
            for name, entry in entries(path):
                yield _stamp_of(name, entry.stat(follow_symlinks=False))
    except (OSError, ReleaseRefused):
        return  # it is being replaced: the next look tells; or it is no release, and what reads it tells


def _stamp_of(name: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return name, status.st_ino, status.st_mtime_ns, status.st_size
