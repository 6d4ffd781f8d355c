"""What pages answer from about a moment, now or past: the table in force, what was suspended, and what cannot be known about both."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.decision import Snapshot
from gateway.decision.suspensions import UNREADABLE, Suspensions
from gateway.model import BRUSSELS, FOR_EVER, YEARS
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.records.suspensions import merged

DOUBTS: Final[Mapping[str, str]] = {
    "no_line": N_(
        "Which table was in force then cannot be known: no line of the security log is that old. This is by the table of now."
    ),
    "between": N_(
        "Which table was in force then is not certain: it changed between two lines of the security log. This is by the earlier one."
    ),
    "too_long": N_(
        "Which table was in force then was not found in the time that one page may take: the security log is long. This is by the table of now."
    ),
    "not_kept": N_("The release that was in force then is not kept any more. This is by the table of now."),
}
"""By the words of `app.past`."""
ROLES_THEN: Final = N_(
    "What the outside source of roles said then is not kept: a role that it gave counts as not known."
)

NO_TABLE_THEN: Final = N_("The gateway had no good table then, and refused everything.")


class Then(NamedTuple):
    """`known_at` is for the records: FOR_EVER for now and for what is to come. `notes` are messages of the catalogues."""

    at: float
    known_at: float
    snapshot: Snapshot
    suspensions: Suspensions
    notes: tuple[str, ...]


def moment_asked(ask: Ask) -> float | None:
    """The moment in the address (`at`, Europe/Brussels, as a browser's field writes it); None: now, also where it says no moment that can be."""
    try:
        at = dt.datetime.fromisoformat(ask.request.query.get("at", "")).replace(tzinfo=BRUSSELS)
    except ValueError:
        return None
    return at.timestamp() if YEARS[0] <= at.year <= YEARS[1] else None


async def then(ask: Ask, at: float | None) -> Then:
    """What was, or is, in force at `at` (Unix seconds). Raises RecordsError."""
    services = ask.services
    now = services.clock()
    running = services.suspensions()
    if at is None or at >= now:
        entries = [UNREADABLE] if running is None else [each.entry for each in running]
        return Then(now if at is None else at, FOR_EVER, services.snapshot(), Suspensions(entries), ())
    snapshot, doubt = await asyncio.to_thread(services.table_then, at)
    notes = [] if snapshot.usable else [NO_TABLE_THEN]
    if doubt is not None:
        notes.append(DOUBTS[doubt])
    if snapshot.roles_stale_seconds is not None:
        notes.append(ROLES_THEN)
    since = [each for each in running or () if each.since <= at]
    known = merged(since, await services.records.suspensions_known(at))
    return Then(at, at, snapshot, Suspensions(each.entry for each in known), tuple(notes))
