"""Emergency suspensions in the records: how the other machines of a deployment learn of them, and their history (DESIGN section 5).

On the machine itself the switch counts (`records.switch`), with or without a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from gateway.decision.suspensions import Scope
from gateway.errors import Conflict
from gateway.records.administration import recorded
from gateway.records.loading import read_suspensions, suspension_of
from gateway.records.schema import suspensions, user_ids
from gateway.records.store import Store
from gateway.records.switch import Suspension
from gateway.records.values import BeforeCommit, By, Change, Detail


@dataclass(frozen=True, slots=True)
class PastSuspension:
    """One that has ended: when, by whom and why."""

    suspension: Suspension
    ended_at: float
    ended_by: str
    ended_reason: str


class SuspensionRecords(Store):
    """What was suspended, and what is."""

    async def add_suspension(self, suspension: Suspension) -> Suspension | None:
        """Records what the switch has, once, and gives it as it stands here; None when it ended here meanwhile, and so is over.

        Its line was written when it came into force. The person behind a user ID is looked up anew: whoever suspended may not have been able
        to, and after a restore the number may be somebody else's.
        """
        entry, by = suspension.entry, By(suspension.by, suspension.reason)
        async with self._write() as write:
            known = await write.one(sa.select(suspensions).where(suspensions.c.key == entry.key))
            if known is not None:
                return None if known.ended_at is not None else suspension_of(known)
            person = None
            if entry.scope is Scope.PERSON:
                owner = await write.one(
                    sa.select(user_ids.c.person).where(user_ids.c.user_id == entry.subject).limit(1)
                )
                person = None if owner is None else owner.person
            values = {"key": entry.key, "scope": entry.scope.value, "subject": entry.subject, "person": person}
            await write.insert(suspensions, **values, **recorded(by, suspension.since))
            write.suspensions.append(entry.key)
        return replace(suspension, entry=entry._replace(person=person), recorded=True)

    async def end_suspension(self, key: str, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        """It holds no longer on any machine. One that is not known here, or has ended, raises Conflict."""
        async with self._write(before_commit) as write:
            row = await write.one(sa.select(suspensions).where(suspensions.c.key == key))
            if row is None or row.ended_at is not None:
                raise Conflict(f"suspension {key} is not in force; see `gateway suspend --list`")
            await write.end(suspensions, suspensions.c.id == row.id, by, now)
            write.suspensions.append(key)
            write.change = suspension_change("suspension end", suspension_of(row), now, by)

    async def past_suspensions(self, most: int) -> list[PastSuspension]:
        """Those that ended, the last one first."""
        ended = sa.select(suspensions).where(suspensions.c.ended_at.is_not(None))
        async with self._database.reading() as connection:
            rows = (await connection.execute(ended.order_by(suspensions.c.ended_at.desc()).limit(most))).all()
        return [PastSuspension(suspension_of(row), row.ended_at, row.ended_by, row.ended_reason) for row in rows]

    async def running_suspensions(self) -> tuple[Suspension, ...]:
        """Those in force, by the records."""
        async with self._database.reading() as connection:
            return await read_suspensions(connection)


def suspension_change(act: str, suspension: Suspension, now: float, by: By | None = None) -> Change:
    """What the ledger is told. A suspended person's user ID stands in the line as its person, sealed, and never in the details."""
    entry = suspension.entry
    details: dict[str, Detail] = {"key": entry.key, "scope": entry.scope.value}
    if entry.scope is not Scope.PERSON and entry.subject:
        details["subject"] = entry.subject
    return Change(
        act,
        now,
        by or By(suspension.by, suspension.reason),
        entry.subject if entry.scope is Scope.PERSON else None,
        institution=entry.subject if entry.scope is Scope.INSTITUTION else None,
        details=details,
    )


def merged(switch: Sequence[Suspension], known: Sequence[Suspension]) -> list[Suspension]:
    """What is in force: by the switch of this machine, by the records, or both; oldest first."""
    by_key = {each.entry.key: each for each in (*switch, *known)}
    return sorted(by_key.values(), key=lambda each: (each.since, each.entry.key))
