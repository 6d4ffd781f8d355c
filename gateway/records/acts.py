"""The acts on an institution's people as the ledger was told of them, for those who have no key to the ledger: what changed lately and by whom,
what a person is told at their next sign-in, and whether something changed while a form stood open.

Working state, written in the act's own transaction and kept for a year; the legal records and the ledger are the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import orjson
import sqlalchemy as sa

from gateway.errors import ChangedMeanwhile
from gateway.records.schema import acts, user_ids
from gateway.records.values import Change

if TYPE_CHECKING:
    from gateway.records.store import Write

ACTS_KEPT_SECONDS: Final = 366 * 86_400.0

UNNOTED: Final = frozenset({"credential rehash", "acceptance add", "person add", "role look-up"})
"""Nothing that anybody has to know of, or that the user ID says which follows, or that nobody here has done."""


async def note_acts(write: Write, done: Iterable[tuple[Change, tuple[str, ...]]]) -> None:
    """Notes the acts of a transaction, each for the user IDs that it was on. Raises ChangedMeanwhile when whoever acts had not seen what
    somebody did to one of them before."""
    concerned = [
        (change, user_id)
        for change, theirs in done
        if change.act not in UNNOTED
        for user_id in theirs
        if not _own_session(change, user_id)
    ]
    for change, user_id in concerned:
        if change.by.seen is not None and await last_act(write, user_id) > change.by.seen:
            raise ChangedMeanwhile(f"the records of {user_id} were changed meanwhile")
    rows = [row for change, user_id in concerned if (row := await _row(write, change, user_id)) is not None]
    if rows:
        await write.execute(sa.insert(acts), rows)


def _own_session(change: Change, user_id: str) -> bool:
    """Somebody signs in or out, or their session expires."""
    return change.act.startswith("session ") and change.by.actor in (f"user:{user_id}", "gateway")


async def _row(write: Write, change: Change, user_id: str) -> dict[str, object] | None:
    institution = change.institution if change.user_id is not None else None
    if institution is None:
        newest = sa.select(user_ids.c.institution).where(user_ids.c.user_id == user_id)
        user = await write.one(newest.order_by(user_ids.c.id.desc()).limit(1))
        if user is None:
            return None
        institution = user.institution
    by = change.by
    return {
        "at": change.at,
        "institution": institution,
        "user_id": user_id,
        "act": change.act,
        "actor": by.actor,
        "mandate": by.mandate,
        "reason": by.reason,
        "objects": orjson.dumps(change.objects).decode(),
    }


async def last_act(write: Write, user_id: str) -> int:
    """The number of the last act on a user ID by somebody else than the person; 0 without any."""
    row = await write.one(sa.select(sa.func.max(acts.c.seq).label("last")).where(by_others(user_id)))
    return 0 if row is None or row.last is None else int(row.last)


def by_others(user_id: str) -> sa.ColumnElement[bool]:
    """Acts on a user ID that neither the person nor the service itself did."""
    return sa.and_(acts.c.user_id == user_id, acts.c.actor.not_in((f"user:{user_id}", "gateway")))
