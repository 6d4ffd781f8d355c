"""Sessions whose cookie came from another client than it was given to (clause I4, docs/adr/0015).

Such a client is asked who is there. Who does not prove it, three times, ends the session; and so does the old client when it comes
again after the new one proved it, since then two have the person's session.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from gateway.model import Session
from gateway.records.loading import Row, session_of
from gateway.records.schema import session_cookies, sessions, told
from gateway.records.sessions import end_sessions
from gateway.records.signin import GATEWAY
from gateway.records.store import Store, Write
from gateway.records.values import BeforeCommit, By, Change

PROOFS: Final = 3
"""As many wrong ones end a session: a slip of the finger, and another, are a person's."""
NOT_CONFIRMED: Final = "not confirmed by another client"
IN_TWO_PLACES: Final = "used by two clients"
ENDED_BY_MOVE: Final = frozenset({NOT_CONFIRMED, IN_TWO_PLACES})
"""Why such a session ended: reasons that its person is to be told of."""


class MovedSessions(Store):
    """What ends them. Everything raises RecordsError."""

    async def not_confirmed(self, session_id: str, now: float, before_commit: BeforeCommit | None = None) -> bool:
        """Another client than the one of the session's cookie failed to prove who is there. Gives whether that has ended the session."""
        counting = sa.update(sessions).where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
        counting = counting.values(not_confirmed=sessions.c.not_confirmed + 1).returning(sessions.c.not_confirmed)
        async with self._write(before_commit) as write:
            failed = (await write.execute(counting)).scalar()
            if failed is None or failed < PROOFS:
                return False
            await _end(write, session_id, now, NOT_CONFIRMED)
        return True

    async def in_two_places(
        self, session_id: str, host: str, now: float, before_commit: BeforeCommit | None = None
    ) -> str | None:
        """The client that lost the session to another one, by a proof of that one, came again to `host` with the cookie it had.

        Ends the session that the other one has, if it has a cookie of that host too: what was under way when the cookie changed hands
        is no second client. Gives the id of the session that ended, None when none did.
        """
        async with self._write(before_commit) as write:
            if not await _known(write, session_id, host):
                return None
            taken = False
            heir: Row | None = await _heir(write, session_id)
            while heir is not None:
                taken = taken or await _known(write, heir.id, host)
                if heir.ended_at is None:
                    break
                heir = await _heir(write, heir.id)
            if heir is None or not taken:
                return None
            await _end(write, heir.id, now, IN_TWO_PLACES)
            return str(heir.id)

    async def untold_ends(self, user_id: str) -> list[Session]:
        """The sessions that ended so in the last day and of which the person was not told (`mark_told`), oldest first."""
        mine = sa.and_(sessions.c.user_id == user_id, sessions.c.ended_reason.in_(ENDED_BY_MOVE))
        known = sa.select(told.c.until).where(told.c.user_id == user_id).scalar_subquery()
        since = sa.func.coalesce(known, 0.0)
        found = sa.select(sessions).where(mine, sessions.c.ended_at > since).order_by(sessions.c.ended_at)
        async with self._database.reading() as connection:
            return [session_of(row) for row in await connection.execute(found)]


async def _end(write: Write, session_id: str, now: float, reason: str) -> None:
    for row in await end_sessions(write, sessions.c.id == session_id, now, GATEWAY, reason):
        details = {"session": row.id}
        write.change = Change("session end", now, By(GATEWAY, reason), row.user_id, details=details)


async def _heir(write: Write, session_id: str) -> Row | None:
    """The session that took the place of another one."""
    return await write.one(sa.select(sessions.c.id, sessions.c.ended_at).where(sessions.c.renews == session_id))


async def _known(write: Write, session_id: str, host: str) -> bool:
    """Whether the session has a cookie for the host that was given to a client whose family is known."""
    cookie = sa.select(session_cookies.c.hash).where(
        session_cookies.c.session == session_id, session_cookies.c.host == host, session_cookies.c.family.is_not(None)
    )
    return await write.one(cookie) is not None
