"""Sign-ins that go on elsewhere: at the eID host, at a provider of the federation, or on a page that asks for one more code.

What the gateway must know again when the browser comes back, and the browser must not choose: whose user ID was claimed, what was
asked for, where the person wanted to go. Working state, sealed with the records key: bounded in size and number, good once, for a
short time, in the browser that began. One that is shown elsewhere is thrown away. And which session a form began, since two of them can be under way
at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from gateway.model import Session
from gateway.records.loading import Row
from gateway.records.schema import pending
from gateway.records.store import Store

PendingKind = Literal["code_card", "eid", "eid_result", "oidc", "activation", "app", "import"]
MOST_BYTES = 64 * 1024 * 1024
"""Of all together, in bytes: some 20,000 people who sign in at one moment, each with a way back of 2 KiB."""
MOST_OF_A_NETWORK = 2000
"""Waiting at once for one client network: an office of 500 behind one address, four tries each. A flood fills nobody else's room."""
MOST_BYTES_OF_A_NETWORK = MOST_BYTES // 8
"""In bytes, the same of the long ones: what a person sends along is theirs to make long."""
BEGUN_SECONDS = 300.0
"""How long it is known which session a form began: longer than a sign-in waits for its turn, and for a slow browser to hear of it."""
MOST_BEGUN = 8
"""Sessions that are remembered so beside the newest; nobody clicks more often."""
ROW_BYTES = 512
"""What a row costs beside its content, rounded up, in bytes."""


class PendingSignIns(Store):
    """Keeping, looking and taking. Everything raises RecordsError when the database does not answer."""

    async def new_pending(
        self,
        key_hash: bytes,
        kind: PendingKind,
        browser_hash: bytes,
        payload: Mapping[str, object],
        seconds: float,
        *,
        network: str,
    ) -> bool:
        """Keeps `payload` (what JSON can hold) under the hashes of its key and of its browser's cookie, for so long. False when there is
        no room, in all or for clients of this `network` (any word for it): then nothing is kept."""
        sealed = self._key.seal(orjson.dumps(dict(payload)), _owner(key_hash, kind))
        size, now, theirs = len(sealed) + ROW_BYTES, self._clock(), self._key.number_of(network)
        waiting = sa.select(
            sa.func.coalesce(sa.func.sum(pending.c.bytes), 0).label("bytes"),
            sa.func.count().filter(pending.c.network == theirs).label("theirs"),
            sa.func.coalesce(sa.func.sum(pending.c.bytes).filter(pending.c.network == theirs), 0).label("their_bytes"),
        )
        async with self._write() as write:
            await write.execute(sa.delete(pending).where(pending.c.expires_at <= now))
            room = await write.one(waiting)
            if room is None or room.bytes + size > MOST_BYTES or room.theirs >= MOST_OF_A_NETWORK:
                return False
            if room.their_bytes + size > MOST_BYTES_OF_A_NETWORK:
                return False
            values = {"kind": kind, "browser": browser_hash, "network": theirs, "sealed": sealed, "bytes": size}
            await write.execute(sa.insert(pending).values(key=key_hash, expires_at=now + seconds, **values))
        return True

    async def peek_pending(self, key_hash: bytes, kind: PendingKind, browser_hash: bytes) -> dict[str, Any] | None:
        """What was kept, for a page that shows it; it stays."""
        async with self._database.reading() as connection:
            row = (await connection.execute(sa.select(pending).where(pending.c.key == key_hash))).first()
        return self._unsealed(row, kind, browser_hash)

    async def take_pending(self, key_hash: bytes, kind: PendingKind, browser_hash: bytes) -> dict[str, Any] | None:
        """What was kept, once. It is deleted, also when it is of another kind or browser, or too old: then the answer is None."""
        taking = sa.delete(pending).where(pending.c.key == key_hash).returning(pending)
        async with self._write() as write:
            row = (await write.execute(taking)).first()
        return self._unsealed(row, kind, browser_hash)

    async def begun(self, holder_hash: bytes, session: Session) -> tuple[str, ...]:
        """Notes that a form of this browser or session began a session; gives those, by their ids, that forms of the same began a moment before
        for another user ID. (For the same one all live: of a form that was sent by two clicks, nobody knows whose answer is shown.)"""
        now = self._clock()
        key = hashlib.sha256(b"begun " + holder_hash).digest()
        async with self._write() as write:
            noted = sa.delete(pending).where(pending.c.key == key).returning(pending.c.sealed, pending.c.expires_at)
            row = (await write.execute(noted)).first()
            user_id, *earlier = (
                [session.user_id] if row is None or now >= row.expires_at else row.sealed.decode().split()
            )
            others, mine = ((), earlier) if user_id == session.user_id else (earlier, ())
            values = {
                "kind": "begun",
                "browser": holder_hash,
                "network": 0,
                "sealed": " ".join((session.user_id, session.id, *mine[:MOST_BEGUN])).encode(),
                "bytes": ROW_BYTES,
            }
            await write.execute(sa.insert(pending).values(key=key, expires_at=now + BEGUN_SECONDS, **values))
        return tuple(others)

    def _unsealed(self, row: Row | None, kind: PendingKind, browser_hash: bytes) -> dict[str, Any] | None:
        if (
            row is None
            or self._clock() >= row.expires_at
            or row.kind != kind
            or not secrets.compare_digest(row.browser, browser_hash)
        ):
            return None
        found: dict[str, Any] = orjson.loads(self._key.open(row.sealed, _owner(row.key, row.kind)))
        return found


def _owner(key_hash: bytes, kind: str) -> str:
    """What the seal is bound to: a row that was moved to another key or kind does not open."""
    return f"pending {kind} {key_hash.hex()}"
