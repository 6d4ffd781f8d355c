"""Sessions: one sign-in each, kept at the portal, with a cookie of its own for every host (DESIGN section 6).

What is stored of a cookie or a one-time code is its hash. An end, a step-up and a new sign-in are in the index of every process
within a second.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.model import Means, Session
from gateway.records.loading import Row, effective, session_of
from gateway.records.schema import acceptances, entry_codes, session_cookies, sessions, user_ids
from gateway.records.signin import note_used
from gateway.records.store import Store, Write
from gateway.records.values import MOVED, UNBOUND, BeforeCommit, Bound, By, Change, EntryCode, Login, SessionEntry

SESSION_ID_BYTES = 16
"""128 bits: unique; it opens nothing, so it may stand in a log."""
RENEWED = "renewed"
NEWEST_FIRST = sessions.c.created_at.desc(), sessions.c.auth_time.desc()
"""One that took the place of another begins when that one began."""
NOBODY = ""
"""The family of no client: who has such a cookie is sent to the portal, and gets another one by the portal's."""


class Sessions(Store):
    """What the portal does with sessions. Everything raises RecordsError when the database does not answer."""

    async def create_session(
        self,
        login: Login,
        means: Means,
        auth_time: float,
        host: str,
        token_hash: bytes,
        now: float,
        absolute_seconds: float,
        before_commit: BeforeCommit | None = None,
        family: str | None = None,
        bound: Bound = UNBOUND,
    ) -> Session:
        """A session for somebody who has just proved who they are, with a cookie for `host`, given to a client of `family`.

        `before_commit` is told of it (`session add`, with the new session's id in the details) before it exists. Raises Conflict
        when the user ID was blocked or ended meanwhile.
        """
        session = Session(
            secrets.token_hex(SESSION_ID_BYTES),
            login.user_id,
            means,
            auth_time,
            now,
            now + absolute_seconds,
            certificate=bound.certificate,
            certificate_good_at=bound.certificate_good_at,
            provider=bound.provider,
            client=bound.client,
        )
        async with self._write(before_commit) as write:
            await _check_allowed(write, login.user_id, now)
            await _insert(write, session, now, bound.provider_session, renews=None)
            await note_used(write, login.user_id, _used(bound), now)
            await _insert_cookie(write, session.id, host, token_hash, family)
            write.change = _begun("session add", session)
        return session

    async def attach_cookie(self, session_id: str, host: str, token_hash: bytes, family: str | None = None) -> None:
        """Gives a live session a cookie for `host`, to a client of `family`; an earlier one for that host opens nothing any more.

        Raises Conflict.
        """
        async with self._write() as write:
            await _live(write, session_id, self._clock())
            await _insert_cookie(write, session_id, host, token_hash, family)

    async def renew_session(
        self,
        session_id: str,
        means: Means,
        auth_time: float,
        host: str,
        token_hash: bytes,
        asking_host: str | None,
        now: float,
        before_commit: BeforeCommit | None = None,
        family: str | None = None,
        bound: Bound = UNBOUND,
        moved: bool = False,
    ) -> Session:
        """A step-up: a new session id, and a new cookie for `host` (the portal's), given to a client of `family`; bound to what it was
        stepped up by.

        The cookie of `asking_host` ends, and a hand-over gives it a new one; other hosts keep theirs and see the new means. The
        absolute end stays what it was. `moved` says that another client proved it than the one that the session was given to: then what
        is open hangs on the old session, and ends with it; and the cookies of other hosts go to whoever has the portal's, since it is not
        known which client has them. `before_commit` is told of it (`session renew`) before it holds. Raises Conflict when the
        session is over, or the user ID was blocked.
        """
        async with self._write(before_commit) as write:
            row = await _live(write, session_id, now)
            await _check_allowed(write, row.user_id, now)
            session = replace(
                session_of(row),
                id=secrets.token_hex(SESSION_ID_BYTES),
                means=means,
                auth_time=auth_time,
                certificate=bound.certificate,
                certificate_good_at=bound.certificate_good_at,
                provider=bound.provider,
                client=bound.client or row.client,
            )
            await _insert(write, session, max(now, row.last_seen), bound.provider_session, renews=session_id)
            await note_used(write, row.user_id, _used(bound), now)
            kept = sa.and_(
                session_cookies.c.session == session_id, session_cookies.c.host.not_in([host, asking_host or host])
            )
            theirs = {"session": session.id, **({"family": NOBODY} if moved else {})}
            await write.execute(sa.update(session_cookies).where(kept).values(**theirs))
            await write.execute(sa.delete(entry_codes).where(entry_codes.c.session == session_id))
            await _insert_cookie(write, session.id, host, token_hash, family)
            await end_sessions(write, sessions.c.id == session_id, now, row.user_id, MOVED if moved else RENEWED)
            write.change = _begun("session renew", session)
        return session

    async def end_session(
        self, session_id: str, reason: str, by: str, before_commit: BeforeCommit | None = None
    ) -> bool:
        """Ends a session everywhere. Gives whether it was alive."""
        return bool(await self._end(sessions.c.id == session_id, reason, by, before_commit))

    async def end_sessions_of(
        self, user_id: str, reason: str, by: str, before_commit: BeforeCommit | None = None
    ) -> int:
        """Ends all sessions of a user ID, and gives how many there were."""
        return len(await self._end(sessions.c.user_id == user_id, reason, by, before_commit))

    async def end_all_sessions(self, reason: str, by: str, before_commit: BeforeCommit | None = None) -> int:
        """Ends every session there is, with one line, and gives how many there were."""
        now = self._clock()
        async with self._write(before_commit) as write:
            count = len(await end_sessions(write, sa.true(), now, by, reason))
            if count:
                write.change = Change("session end", now, By(by, reason), details={"all": count})
        return count

    async def _end(
        self, chosen: sa.ColumnElement[bool], reason: str, by: str, before_commit: BeforeCommit | None
    ) -> list[Row]:
        now = self._clock()
        async with self._write(before_commit) as write:
            ended = await end_sessions(write, chosen, now, by, reason)
            if ended:
                details = {"sessions": ",".join(row.id for row in ended)}
                write.change = Change("session end", now, By(by, reason), ended[0].user_id, details=details)
        return ended

    async def sessions_of(self, user_id: str) -> list[Session]:
        """The sessions of a user ID, newest first, ended ones of the last day too."""
        newest = sa.select(sessions).where(sessions.c.user_id == user_id).order_by(*NEWEST_FIRST)
        async with self._database.reading() as connection:
            return [session_of(row) for row in await connection.execute(newest)]

    async def open_sessions_of(self, user_id: str, now: float, idle_seconds: float) -> list[SessionEntry]:
        """The sessions of a user ID that can be used at `now`, newest first, each with when its person was last seen."""
        theirs = sa.and_(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > now)
        async with self._database.reading() as connection:
            newest = sa.select(sessions).where(theirs).order_by(*NEWEST_FIRST)
            rows = list(await connection.execute(newest))
        # What other processes saw a moment ago is in the index before it is in the database.
        entries = [SessionEntry(session_of(row), max(row.last_seen, self.index.last_seen(row.id))) for row in rows]
        return [entry for entry in entries if now < entry.last_seen + idle_seconds]

    async def hosts_of(self, session_id: str) -> list[str]:
        """The hosts that a session has a cookie for: where it was used."""
        mine = sa.select(session_cookies.c.host).where(session_cookies.c.session == session_id)
        async with self._database.reading() as connection:
            return sorted((await connection.execute(mine)).scalars())

    async def live_sessions(self, now: float) -> list[Session]:
        """Every session that is alive at `now`, newest first."""
        live = sa.and_(sessions.c.ended_at.is_(None), sessions.c.expires_at > now)
        async with self._database.reading() as connection:
            newest = sa.select(sessions).where(live).order_by(*NEWEST_FIRST)
            return [session_of(row) for row in await connection.execute(newest)]

    async def last_seen(self, user_id: str | None = None) -> Mapping[str, float]:
        """When the persons of sessions last did something, by session, Unix seconds and up to a minute ago; of one user ID, or of all."""
        query = sa.select(sessions.c.id, sessions.c.last_seen)
        if user_id is not None:
            query = query.where(sessions.c.user_id == user_id)
        async with self._database.reading() as connection:
            return {row.id: row.last_seen for row in await connection.execute(query)}

    async def new_entry_code(
        self, code_hash: bytes, session_id: str, host: str, start_hash: str, target: str, expires_at: float
    ) -> None:
        """Stores a one-time code that lets a live session enter `host`. Raises Conflict when the session is over."""
        async with self._write() as write:
            await _live(write, session_id, self._clock())
            code = {"session": session_id, "host": host, "start_hash": start_hash, "target": target}
            await write.execute(sa.insert(entry_codes).values(hash=code_hash, expires_at=expires_at, **code))

    async def take_entry_code(
        self, code_hash: bytes, host: str, start_hash: str, now: float, here: str | None = None
    ) -> EntryCode | None:
        """What the code stands for, once. A code shown on another host, or without its start cookie, is used up all the same.

        `here` is the session that the browser has on this host: the start cookie is not asked for by its own code, which gives it nothing.
        """
        taking = sa.delete(entry_codes).where(entry_codes.c.hash == code_hash).returning(entry_codes)
        async with self._write() as write:
            row = (await write.execute(taking)).first()
            if (
                row is None
                or row.expires_at <= now
                or row.host != host
                or not (row.session == here or secrets.compare_digest(row.start_hash, start_hash))
            ):
                return None
            session = await _find(write, row.session)
            if session is None or session.ended_at is not None or session.expires_at <= now:
                return None
        return EntryCode(row.session, session.user_id, host, row.target)

    async def accept_regulation(self, user_id: str, version: str, sha256: str, now: float) -> None:
        """The person accepted this version of the regulation, whose text has this hash (clause I1). Twice is once."""
        accepted = {"user_id": user_id, "version": version, "sha256": sha256}
        same = sa.and_(*(acceptances.c[name] == value for name, value in accepted.items()))
        async with self._write() as write:
            await _check_allowed(write, user_id, now)
            if await write.one(sa.select(acceptances.c.id).where(same, acceptances.c.ended_at.is_(None))) is not None:
                return
            made = {
                "valid_from": now,
                "recorded_at": now,
                "actor": f"user:{user_id}",
                "reason": "accepted in the portal",
            }
            await write.insert(acceptances, **accepted, **made)
            write.users[user_id] = None


async def end_sessions(write: Write, chosen: sa.ColumnElement[bool], now: float, by: str, reason: str) -> list[Row]:
    """Ends the live sessions among the chosen, and gives their rows."""
    live = sa.and_(chosen, sessions.c.ended_at.is_(None))
    end = sa.update(sessions).where(live).values(ended_at=now, ended_by=by, ended_reason=reason)
    ended = list((await write.execute(end.returning(sessions.c.id, sessions.c.user_id))).all())
    write.sessions.update(dict.fromkeys(row.id for row in ended))
    return ended


def _used(bound: Bound) -> tuple[str, ...]:
    """The means from elsewhere that let the person in: a card, or a provider by its id. Where a password did, `record_success` notes it."""
    if bound.provider is not None:
        return (bound.provider,)
    return () if bound.certificate is None else (Means.EID.value,)


def _begun(act: str, session: Session) -> Change:
    by = By(f"user:{session.user_id}", "signed in")
    return Change(
        act, session.auth_time, by, session.user_id, details={"session": session.id, "means": session.means.value}
    )


async def _insert(
    write: Write, session: Session, last_seen: float, provider_session: str | None, *, renews: str | None
) -> None:
    await write.execute(
        sa.insert(sessions).values(
            id=session.id,
            user_id=session.user_id,
            means=session.means.value,
            auth_time=session.auth_time,
            created_at=session.created_at,
            expires_at=session.expires_at,
            renews=renews,
            last_seen=last_seen,
            certificate=session.certificate,
            certificate_good_at=session.certificate_good_at,
            provider=session.provider,
            provider_session=provider_session,
            client=session.client,
        )
    )
    write.sessions[session.id] = None


async def _insert_cookie(write: Write, session_id: str, host: str, token_hash: bytes, family: str | None) -> None:
    earlier = sa.and_(session_cookies.c.session == session_id, session_cookies.c.host == host)
    await write.execute(sa.delete(session_cookies).where(earlier))
    await write.execute(
        sa.insert(session_cookies).values(hash=token_hash, session=session_id, host=host, family=family)
    )
    write.sessions[session_id] = None


async def _find(write: Write, session_id: str) -> Row | None:
    return await write.one(sa.select(sessions).where(sessions.c.id == session_id))


async def _live(write: Write, session_id: str, now: float) -> Row:
    row = await _find(write, session_id)
    if row is None or row.ended_at is not None or row.expires_at <= now:
        raise Conflict("the session is over; sign in again")
    return row


async def _check_allowed(write: Write, user_id: str, now: float) -> None:
    newest = sa.select(user_ids).where(user_ids.c.user_id == user_id).order_by(user_ids.c.id.desc()).limit(1)
    row = await write.one(newest)
    if row is None or row.blocked or not effective(row).holds(now):
        raise Conflict(f"user ID {user_id} is blocked or has ended; its local administrator can say why")
