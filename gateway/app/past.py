"""The table that was in force at a past moment, as the ledger and the releases that are kept know it."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import NamedTuple

from gateway.decision import Snapshot
from gateway.errors import TableError
from gateway.ledger.extract import Scan
from gateway.ledger.reading import never
from gateway.ledger.tables import tables_around
from gateway.policy.release import load_kept


class Doubt(enum.StrEnum):
    """Why it is not certain which table was in force."""

    NO_LINE = "no_line"
    """The ledger has no line from before that moment, or cannot be read."""
    BETWEEN = "between"
    """The table changed between two lines around it, by a restart."""
    NOT_KEPT = "not_kept"
    """It is known which, and that release is not kept any more."""
    TOO_LONG = "too_long"
    """The ledger is longer than was read in the time that there was for it."""


class TableThen(NamedTuple):
    """The best that is known. With NO_LINE, NOT_KEPT and TOO_LONG `snapshot` is the table of now; with BETWEEN it is the last one that is known to have
    run before. Of a time without a good table it is that of now, not `usable` and without a hash: nothing was permitted."""

    snapshot: Snapshot
    doubt: Doubt | None = None


def table_then(running: Snapshot, ledger: Path, releases: Path, at: float, scan: Scan | None = None) -> TableThen:
    """The table that ran at `at` (Unix seconds, past), as far as the `scan` gets. Reads files: not for the loop."""
    try:
        around = tables_around(ledger, at, never if scan is None else scan.over)
    except OSError:
        return TableThen(running, Doubt.NO_LINE)
    if scan is not None and not scan.whole:
        return TableThen(running, Doubt.TOO_LONG)
    if around.before is None:
        return TableThen(running, Doubt.NO_LINE)
    try:
        snapshot = _by_hash(around.before, running, releases)
    except TableError:
        return TableThen(running, Doubt.NOT_KEPT)
    # After the last line only the table of now can tell that nothing changed.
    after = running.hash if around.after is None else around.after
    return TableThen(snapshot, None if around.before == after else Doubt.BETWEEN)


def _by_hash(digest: str, running: Snapshot, releases: Path) -> Snapshot:
    """Raises TableError."""
    if digest == running.hash:
        return running
    if not digest:
        return dataclasses.replace(running, hash="", release=0, usable=False)
    return load_kept(releases, digest)
