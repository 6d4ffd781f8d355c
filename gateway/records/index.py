"""The index: everything that a request asks of the records, in memory. Look-ups are a dictionary's, O(1); no look-up waits.

A request asks by the cookie of a session. So the index holds the sessions of the last day, and the records of whoever has one:
they come with the session and go with the last one. A million persons of whom nobody signed in take no time at a start
and no memory, and what the index does hold stays close together.

It is filled at the start and kept current by `watch`; a process that could not read the database for longer than the
stale limit knows of no revocation, so `current` says no and everybody is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from gateway.model import Session, UserRecords
from gateway.records.switch import Suspension
from gateway.records.values import MOVED, SessionEntry

SAVE_SECONDS = 60.0
"""Last-seen times go to the database at most once a minute a session (DESIGN section 5)."""
ENDED_KEPT_SECONDS = 86_400.0
"""How long an ended session stays findable, so that a person is told `revoked` or `expired`."""
LEAST_STALE_SECONDS = 1.0
"""So long what is open lasts after the last look, with a stale limit of none: the database is looked at four times a second."""
LOST = "not in the database"
"""Why a session ended of which the database knows nothing any more."""
CLOCK_SLACK_SECONDS = 5.0
"""A clock set back by more than this makes the index out of date until it is read again."""


class CookieRow(NamedTuple):
    """A cookie of a session, for one host. `family` is that of the client that it was given to, None when it is not known."""

    hash: bytes
    host: str
    family: str | None = None


class SessionRow(NamedTuple):
    """A session as the database has it. `renews` is the session that it took the place of."""

    session: Session
    last_seen: float
    renews: str | None
    cookies: tuple[CookieRow, ...]


Changed = Callable[[Collection[str], Collection[SessionEntry]], None]
"""Told which user IDs' records and which sessions are not what they were, once the index has them. It must not raise."""


class Index:
    """The hot path's view of the records. Used from the event loop's thread alone."""

    def __init__(self, stale_limit: float) -> None:
        self.asked_each_time = stale_limit == 0.0
        """Whether each request of a session waits for a look at the database that began after it came."""
        self._stale_limit = max(stale_limit, LEAST_STALE_SECONDS)
        self._read_at = float("-inf")
        self._users: dict[str, UserRecords | None] = {}
        self._entries: dict[str, SessionEntry] = {}
        self._cookies: dict[bytes, tuple[str, SessionEntry, str, str | None]] = {}
        self._hashes: dict[str, tuple[bytes, ...]] = {}
        self._unsaved: dict[str, SessionEntry] = {}
        self._touched: dict[str, SessionEntry] = {}
        self._changed: Changed = _unheard
        self.suspensions: tuple[Suspension, ...] = ()
        """Those in force by the records; what is in force on this machine, the switch says as well."""

    # --- asked by the hot path

    def session(self, token_hash: bytes, host: str) -> SessionEntry | None:
        """The session whose cookie for `host` has this hash; ended ones too, for a day."""
        found = self._cookies.get(token_hash)
        return found[1] if found is not None and found[0] == host else None

    def family(self, token_hash: bytes) -> str | None:
        """The family of the client that this cookie was given to; None when it is not known."""
        found = self._cookies.get(token_hash)
        return None if found is None else found[3]

    def user(self, user_id: str) -> UserRecords | None:
        """Everything that the records say of a user ID with a session, ended and blocked ones too."""
        return self._users.get(user_id)

    def current(self, now: float) -> bool:
        """Whether the database was read within the stale limit before `now` (Unix seconds)."""
        return -CLOCK_SLACK_SECONDS <= now - self._read_at <= self._stale_limit

    def known_age(self, now: float) -> float | None:
        """How old what stands here is at `now`, in seconds; None: something is missing in it."""
        return None if self._read_at == float("-inf") else max(0.0, now - self._read_at)

    def touch(self, entry: SessionEntry, now: float) -> None:
        """The person did something at `now`; it is saved in the background, at most once a minute."""
        if now > entry.last_seen:
            entry.last_seen = now
            self._touched[entry.session.id] = entry
            if now - entry.saved_at >= SAVE_SECONDS:
                self._unsaved[entry.session.id] = entry

    def last_seen(self, session_id: str) -> float:
        """When the person of this session last did something, as far as it is known here; 0.0 when nothing is."""
        entry = self._entries.get(session_id)
        return 0.0 if entry is None else entry.last_seen

    def listen(self, changed: Changed) -> None:
        """Whoever holds exchanges open is told of each change."""
        self._changed = changed

    # --- kept current by the records

    def read_at(self, moment: float) -> None:
        """All that was committed before `moment` is in the index."""
        self._read_at = moment

    def age(self, now: float) -> float:
        """Seconds since the database was last read."""
        return now - self._read_at

    def out_of_date(self) -> None:
        """Something was committed that could not be read back: nobody is let in until it is."""
        self._read_at = float("-inf")

    def holds(self, user_id: str) -> bool:
        """Whether a change of this user ID's records matters here."""
        return user_id in self._users

    def held(self) -> list[str]:
        """The user IDs whose records are in the index."""
        return list(self._users)

    def put_users(self, users: Mapping[str, UserRecords | None]) -> None:
        """Takes over records as the database has them (None: it has none); the users of sessions before those sessions."""
        changed = {user_id for user_id, user in users.items() if self._users.get(user_id) != user}
        self._users.update(users)
        if changed:
            self._changed(changed, ())

    def put_sessions(self, rows: Iterable[SessionRow]) -> None:
        """Takes over sessions as the database has them.

        Where one renews another, the entry goes over to the new session, so that what hangs on it (an open websocket) lives on
        with the new means; cookies of the old one find an entry that says how it ended. Not where another client took the old one's
        place: what the old client has open ends.
        """
        fresh = list(rows)
        unknown = {row.session.id: row for row in fresh if row.session.id not in self._entries}
        parted = {row.session.id for row in fresh if row.session.ended_reason == MOVED}
        while unknown:
            line = [unknown.popitem()[1]]
            while (earlier := line[-1].renews) is not None and earlier in unknown:
                line.append(unknown.pop(earlier))
            for row in reversed(line):
                entry = None if row.renews is None or row.renews in parted else self._entries.pop(row.renews, None)
                if entry is not None:
                    self._entries[row.session.id] = entry
        changed: set[SessionEntry] = set()
        for row in fresh:
            known = self._entries.get(row.session.id)
            if known is None:
                known = self._entries[row.session.id] = SessionEntry(row.session, row.last_seen)
            elif known.session != row.session:
                changed.add(known)
            known.session = row.session
            known.last_seen = max(known.last_seen, row.last_seen)
            known.saved_at = max(known.saved_at, row.last_seen)
        for row in fresh:
            session_id, entry = row.session.id, self._entries[row.session.id]
            self._forget_cookies(session_id)
            self._hashes[session_id] = tuple(cookie.hash for cookie in row.cookies)
            for token_hash, host, family in row.cookies:
                self._cookies[token_hash] = (host, entry, session_id, family)
        if changed:
            self._changed((), changed)

    def put_last_seen(self, session_id: str, last_seen: float) -> None:
        """Another process saw the person."""
        entry = self._entries.get(session_id)
        if entry is not None:
            entry.last_seen = max(entry.last_seen, last_seen)
            entry.saved_at = max(entry.saved_at, last_seen)

    def take_touched(self) -> dict[str, float]:
        """Last-seen times that changed since the last call, by session: for the other processes, which serve the same person."""
        touched, self._touched = self._touched, {}
        return {entry.session.id: entry.last_seen for entry in touched.values()}

    def take_seen(self, seen: Mapping[str, float]) -> None:
        """What another process told: the database may not have it yet, so it is not counted as saved."""
        for session_id, last_seen in seen.items():
            entry = self._entries.get(session_id)
            if entry is not None and last_seen > entry.last_seen:
                entry.last_seen = last_seen

    def unsaved(self) -> dict[str, float]:
        """Last-seen times that the database does not have, by session; they stay due."""
        return {name: entry.last_seen for name, entry in self._entries.items() if entry.last_seen > entry.saved_at}

    def take_unsaved(self, *, all_of_them: bool = False) -> dict[str, float]:
        """Last-seen times that are due to be saved, by session."""
        due = self._unsaved
        if all_of_them:
            due = {name: self._entries[name] for name in self.unsaved()}
        self._unsaved = {}
        for entry in due.values():
            entry.saved_at = entry.last_seen
        return {entry.session.id: entry.last_seen for entry in due.values()}

    def forget_ended(self, now: float) -> None:
        """Lets go of sessions that ended, or expired, more than a day ago, and of whoever has no other."""
        long_gone = now - ENDED_KEPT_SECONDS
        for session_id, entry in list(self._entries.items()):
            session = entry.session
            if min(session.expires_at, session.ended_at or session.expires_at) < long_gone:
                self._forget(session_id)
        for user_id in self._users.keys() - {entry.session.user_id for entry in self._entries.values()}:
            del self._users[user_id]

    def keep_only(self, known: Collection[str], now: float) -> None:
        """Lets go of every session but those that the database has: where it lost some, they are over, and what is open by them ends."""
        lost = [(session_id, entry) for session_id, entry in self._entries.items() if session_id not in known]
        for session_id, entry in lost:
            self._forget(session_id)
            if entry.session.ended_at is None:
                entry.session = replace(entry.session, ended_at=now, ended_reason=LOST)
        if lost:
            self._changed((), [entry for _, entry in lost])

    def _forget(self, session_id: str) -> None:
        del self._entries[session_id]
        self._unsaved.pop(session_id, None)
        self._touched.pop(session_id, None)
        self._forget_cookies(session_id)

    def _forget_cookies(self, session_id: str) -> None:
        """But those that another session has by now."""
        for token_hash in self._hashes.pop(session_id, ()):
            found = self._cookies.get(token_hash)
            if found is not None and found[2] == session_id:
                del self._cookies[token_hash]


def _unheard(users: Collection[str], entries: Collection[SessionEntry]) -> None:
    """Nobody holds anything open."""
