"""Forms that were not sent on, kept for the person who filled them in until they have confirmed who they are (docs/adr/0009).

Working state, sealed with the records key: bounded in size and number, good once, for a quarter of an hour, and for one user ID, host
and browser. A form found by somebody else is thrown away.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import orjson
import sqlalchemy as sa

from gateway.records.loading import Row
from gateway.records.schema import kept_forms
from gateway.records.store import Store

FORM_SECONDS = 900.0
"""A quarter of an hour: to sign in, to fetch one's telephone for a code, to read what will be sent."""
MOST_FORMS_OF_A_PERSON = 8
"""Waiting at once for one user ID: more tabs than people post from in a quarter of an hour. A thief's fill nobody else's room."""
MOST_BYTES = 256 * 1024 * 1024
"""Of all forms together, in bytes: an office of a thousand people at one moment, each with the largest form."""
ROW_BYTES = 1024
"""What a row costs beside its content, rounded up, in bytes: so that small forms are bounded in number as well."""


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form as its browser sent it: `target` is path and query, `body` the bytes of `content_type`, unchanged.

    `user_id` is whom the browser's session was, or had been. `expires_at` is Unix seconds.
    """

    user_id: str
    host: str
    target: str
    content_type: str
    body: bytes = field(repr=False)
    expires_at: float


class KeptForms(Store):
    """Keeping, showing and taking. Everything raises RecordsError when the database does not answer."""

    async def keep_form(self, key_hash: bytes, browser_hash: bytes, form: KeptForm) -> bool:
        """Keeps a form under the hash of its key and of its browser's cookie; False when there is no room: then nothing is kept."""
        content = orjson.dumps([form.target, form.content_type, form.body.decode("latin-1")])
        sealed = self._key.seal(content, _owner(key_hash, form.user_id, form.host))
        size = len(sealed) + ROW_BYTES
        waiting = sa.select(
            sa.func.coalesce(sa.func.sum(kept_forms.c.bytes), 0).label("bytes"),
            sa.func.count().filter(kept_forms.c.user_id == form.user_id).label("theirs"),
        )
        async with self._write() as write:
            await write.execute(sa.delete(kept_forms).where(kept_forms.c.expires_at <= self._clock()))
            room = await write.one(waiting)
            if room is None or room.bytes + size > MOST_BYTES or room.theirs >= MOST_FORMS_OF_A_PERSON:
                return False
            values = {"user_id": form.user_id, "host": form.host, "browser": browser_hash, "sealed": sealed}
            row = sa.insert(kept_forms).values(key=key_hash, bytes=size, expires_at=form.expires_at, **values)
            await write.execute(row)
        return True

    async def kept_form(self, key_hash: bytes, browser_hash: bytes, host: str) -> KeptForm | None:
        """The form of this browser and host; it stays. Whether it is this person's is for the caller to compare."""
        async with self._database.reading() as connection:
            row = (await connection.execute(sa.select(kept_forms).where(kept_forms.c.key == key_hash))).first()
        return self._opened(row, browser_hash, host)

    async def take_form(self, key_hash: bytes, browser_hash: bytes, host: str) -> KeptForm | None:
        """The form, once. It is deleted, also when it was not of this browser and host: then the answer is None."""
        taking = sa.delete(kept_forms).where(kept_forms.c.key == key_hash).returning(kept_forms)
        async with self._write() as write:
            row = (await write.execute(taking)).first()
        return self._opened(row, browser_hash, host)

    def _opened(self, row: Row | None, browser_hash: bytes, host: str) -> KeptForm | None:
        if (
            row is None
            or self._clock() >= row.expires_at
            or row.host != host
            or not secrets.compare_digest(row.browser, browser_hash)
        ):
            return None
        target, content_type, body = orjson.loads(self._key.open(row.sealed, _owner(row.key, row.user_id, row.host)))
        return KeptForm(row.user_id, row.host, target, content_type, body.encode("latin-1"), row.expires_at)


def _owner(key_hash: bytes, user_id: str, host: str) -> str:
    """What the seal is bound to: a row that was moved to another person, host or key does not open."""
    return f"kept form {key_hash.hex()} {user_id} {host}"
