"""What `gateway explain` and `gateway access` answer from: the table, the records and the suspensions of a moment, now, past or to come."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from gateway.app.past import Doubt, table_then
from gateway.cli.output import Moment
from gateway.decision import Snapshot
from gateway.decision.suspensions import UNREADABLE, Suspensions
from gateway.errors import RecordsError, TableError
from gateway.model import BRUSSELS, FOR_EVER
from gateway.policy.release import refusing_snapshot
from gateway.policy.serving import load_serving
from gateway.policy.settings import Settings
from gateway.records import RecordsDesk
from gateway.records.suspensions import merged
from gateway.records.switch import Suspension, Switch

DOUBTS: Final = {
    Doubt.NO_LINE: "which table was in force then cannot be known: no line of the ledger is that old. This is by the table of now",
    Doubt.BETWEEN: "which table was in force then is not certain: it changed between two lines of the ledger. This is by the earlier one",
    Doubt.NOT_KEPT: "the release that was in force then is not kept any more (table.releases). This is by the table of now",
}
ROLES_THEN: Final = "what the outside source of roles said then is not kept: a role that it gave counts as not known"
NO_TABLE_THEN: Final = "the gateway had no good table then, and refused everything"
T = TypeVar("T")


class Known(NamedTuple):
    """Of the moment `at` (Unix seconds): the table in force, what was suspended, and what has to be said about both. `known_at` is for the
    records: as they were known then, FOR_EVER for now and for what is to come."""

    at: float
    known_at: float
    snapshot: Snapshot
    suspensions: Suspensions
    notes: tuple[str, ...]


def answered(work: Callable[[Known, RecordsDesk], Awaitable[T]], settings: Settings, at: float | None) -> T:
    """What `work` makes of what was known at `at` (None: now). Raises TableError, RecordsError, ConfigurationError."""
    return asyncio.run(_answered(work, settings, at))


async def _answered(work: Callable[[Known, RecordsDesk], Awaitable[T]], settings: Settings, at: float | None) -> T:
    now = time.time()
    moment = now if at is None else at
    known_at = moment if moment < now else FOR_EVER
    notes: list[str] = []
    snapshot = _table(settings, moment, now, notes)
    if known_at != FOR_EVER and snapshot.roles_stale_seconds is not None:
        notes.append(ROLES_THEN)
    records = await RecordsDesk.open(settings.records_settings)
    try:
        suspensions = await _suspensions(settings, records, known_at, notes)
        return await work(Known(moment, known_at, snapshot, suspensions, tuple(notes)), records)
    finally:
        await records.close()


def _table(settings: Settings, moment: float, now: float, notes: list[str]) -> Snapshot:
    if moment < now:
        return _table_then(settings, moment, now, notes)
    release, note = load_serving(settings, now)
    if note:
        notes.append(note)
    waits = release.waiting
    if waits is not None and waits.signed is not None and waits.signed.verified.starts <= moment:
        begins = dt.datetime.fromtimestamp(waits.signed.verified.starts, BRUSSELS)
        notes.append(f"by release {waits.snapshot.release}, which begins on {begins:%Y-%m-%d %H:%M}")
        return waits.snapshot
    return release.snapshot


def _table_then(settings: Settings, moment: float, now: float, notes: list[str]) -> Snapshot:
    """Of a past moment; only where it cannot be known does it matter whether there is a good table now."""
    refused: TableError | None = None
    try:
        release, note = load_serving(settings, now)
        running = release.snapshot
    except TableError as error:
        running, note, refused = refusing_snapshot(settings), "", error
    then = table_then(running, settings.ledger.directory, settings.table.releases, moment)
    if refused is not None and not then.snapshot.transactions:
        raise refused
    if not then.snapshot.usable:
        notes.append(NO_TABLE_THEN)
    if then.doubt is not None:
        notes.append(DOUBTS[then.doubt])
        if note and then.snapshot is running:
            notes.append(note)
    return then.snapshot


async def unknown(user_id: str, known: Known, records: RecordsDesk) -> str:
    """What to say of a user ID of which nothing was known at that moment."""
    if known.known_at != FOR_EVER and await records.users_known([user_id]):
        return f"user ID {user_id} was not in the records yet at {Moment(known.at).written(brief=True)}: there is nothing to decide"
    return f"the records know no user ID {user_id!r}. Check the spelling; it is a user ID, not a name or an INSZ"


async def _suspensions(settings: Settings, records: RecordsDesk, known_at: float, notes: list[str]) -> Suspensions:
    """By the switch of this machine and the records; of the past, by the records and what has held on the switch since then."""
    known = await records.suspensions_known(known_at)
    try:
        files = _switch(settings, notes)
    except RecordsError as error:
        notes.append(str(error))
        return Suspensions([UNREADABLE])
    return Suspensions(each.entry for each in merged([each for each in files if each.since <= known_at], known))


def _switch(settings: Settings, notes: list[str]) -> list[Suspension]:
    """Nothing is made here: for a gateway that runs, a directory that is gone suspends everything, and one that comes back ends that."""
    directory = settings.switch_directory
    if directory.exists():
        return Switch(directory).read()
    notes.append(
        f"{directory} is not there: a start of the gateway makes it, and one that runs suspends everything until it is back"
    )
    return []
