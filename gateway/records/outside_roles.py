"""What an outside source said of a person's user-management roles, and when it said so (clause P3).

Working state: the source is the truth, and is asked again and again while the person is at work. That a role came or went is a line of
the ledger all the same, before it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from gateway.model import FOR_EVER, Role
from gateway.records.schema import outside_roles, role_lookups, sessions
from gateway.records.signin import GATEWAY
from gateway.records.store import Store, Write
from gateway.records.values import BeforeCommit, By, Change, Detail

LOOK_UP: Final = "role look-up"
WHY: Final = "as the outside source of roles says"
KEPT_SECONDS: Final = 8 * 86_400.0
"""A session lasts a day at the most, and no word of the source counts for longer than a week."""

Said = Mapping[str, Sequence[Role]]
"""The roles of one user ID, by name."""


class OutsideRoles(Store):
    """Keeping and looking. Everything raises RecordsError when the database does not answer."""

    async def keep_roles(
        self, said: Mapping[str, Said], asked_at: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """What the source says now of these user IDs, instead of what it said before; they were asked about at `asked_at` (Unix seconds).

        An answer to an earlier question than the one that is kept changes nothing. `before_commit` is told of each user ID whose roles
        are not what they were.
        """
        async with self._write(before_commit) as write:
            for user_id, roles in sorted(said.items()):
                if await _bring_forward(write, user_id, asked_at):
                    await _keep(write, user_id, roles, asked_at)
                    write.users[user_id] = None

    async def roles_due(self, now: float, good_before: float) -> list[str]:
        """The user IDs with a session that is alive at `now` of whom the source last spoke at `good_before` or earlier, or never; those of
        whom it spoke the longest ago come first."""
        table = role_lookups.c
        live = sa.select(sessions.c.user_id).where(sessions.c.ended_at.is_(None), sessions.c.expires_at > now)
        query = sa.select(live.distinct().subquery("live").c.user_id)
        mine = query.selected_columns[0]
        query = query.outerjoin(role_lookups, table.user_id == mine)
        query = query.where(sa.or_(table.good_at.is_(None), table.good_at <= good_before))
        query = query.order_by(sa.func.coalesce(table.good_at, 0.0), mine)
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())


async def forget_outside_roles(write: Write, now: float) -> None:
    """Throws away what can count no more."""
    old = sa.select(role_lookups.c.user_id).where(role_lookups.c.good_at < now - KEPT_SECONDS)
    await write.execute(sa.delete(outside_roles).where(outside_roles.c.user_id.in_(old)))
    await write.execute(sa.delete(role_lookups).where(role_lookups.c.good_at < now - KEPT_SECONDS))


async def _bring_forward(write: Write, user_id: str, asked_at: float) -> bool:
    """Whether this is the newest answer on the user ID."""
    known = sa.select(role_lookups.c.good_at).where(role_lookups.c.user_id == user_id)
    row = await write.one(known)
    if row is None:
        await write.execute(sa.insert(role_lookups).values(user_id=user_id, good_at=asked_at))
    elif row.good_at >= asked_at:
        return False
    else:
        mine = sa.update(role_lookups).where(role_lookups.c.user_id == user_id)
        await write.execute(mine.values(good_at=asked_at))
    return True


async def _keep(write: Write, user_id: str, roles: Said, asked_at: float) -> None:
    table = outside_roles.c
    before = set(map(tuple, await write.connection.execute(
        sa.select(table.role, table.valid_from, table.valid_to).where(table.user_id == user_id)
    )))  # fmt: skip
    after = {
        (name, role.validity.start, None if role.validity.end == FOR_EVER else role.validity.end)
        for name, named in roles.items()
        for role in named
    }
    if before == after:
        return
    await write.execute(sa.delete(outside_roles).where(table.user_id == user_id))
    if after:
        rows: list[dict[str, object]] = [
            {"user_id": user_id, "role": name, "valid_from": start, "valid_to": end} for name, start, end in after
        ]
        await write.execute(sa.insert(outside_roles), rows)
    write.before, write.after = _told(before - after), _told(after - before)
    write.change = Change(LOOK_UP, asked_at, By(GATEWAY, WHY), user_id)
    write.told()


def _told(rows: Iterable[tuple[Any, ...]]) -> list[Mapping[str, Detail]]:
    """As a line says them."""
    ordered = sorted(rows, key=lambda row: row[:2])
    told: list[Mapping[str, Detail]] = []
    for name, start, end in ordered:
        last: dict[str, Detail] = {} if end is None else {"valid_to": end}
        told.append({"table": "outside_roles", "role": name, "valid_from": start, **last})
    return told
