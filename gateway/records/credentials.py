"""The administration of credentials: passwords, codes by app, code cards, activation codes. Nothing is deleted; one that is replaced ends.

Each act takes on whose word it is done (`By`), the moment, and what is called before the commit; it raises Conflict, which says what is
in the way and what to do, or RecordsError. Nobody administers their own means under a mandate, whichever user ID of theirs it is.
"""

from __future__ import annotations

import sqlalchemy as sa

# What a code on paper is, and how long it lasts, is pure and the portal's and the commands' as well: a room of the same floor.
from gateway.credentials.activation import LIFETIME_SECONDS
from gateway.credentials.peppered import Pepper
from gateway.errors import Conflict
from gateway.model import Validity
from gateway.records.administration import (
    check_mandate,
    end_row,
    live_row,
    live_user_id,
    newest_user_id,
    recorded,
)
from gateway.records.loading import Row
from gateway.records.schema import code_cards, credentials, mandates, totp_steps
from gateway.records.schema import sessions as session_table
from gateway.records.sessions import end_sessions
from gateway.records.signin import recover, totp_owner
from gateway.records.store import Store, Write
from gateway.records.values import BeforeCommit, By, Change, Detail

REHASHED = "hashed anew with higher parameters"
"""Why a password's row ends and begins with the password unchanged: nothing that anybody need be told."""
USED = "used"
"""How an activation code ends that did its work."""


class Credentials(Store):
    """Setting, replacing and ending what a person proves with."""

    @property
    def pepper(self) -> Pepper:
        """What is mixed into short codes before they are hashed, on the way in and when they are verified."""
        return self._key.pepper

    async def set_password(
        self,
        user_id: str,
        password_hash: str,
        by: By,
        now: float,
        *,
        alone: bool,
        keep_session: str | None = None,
        activation: int | None = None,
        before_commit: BeforeCommit | None = None,
    ) -> int:
        """A new password, by its hash (`credentials.password`); the old one and all sessions end. `alone`: it met the length for an only factor.

        `keep_session` is the session that the person does it in: it goes on, the others end. `activation` is the activation code that
        they showed (its credential): it is used up in the same transaction, and Conflict is raised when it was used or voided
        meanwhile; any other that waits is voided. A password that was disabled after too many failures is recovered by this.
        """
        async with self._write(before_commit) as write:
            user = await self._new_credential(write, user_id, "password", by, now, keep_session)
            await _use_activation(write, user_id, activation, by, now)
            await _void_activation(write, user_id, by, now)
            await recover(write, user.person, now)
            secret = password_hash.encode("ascii")
            row = await write.insert(
                credentials, user_id=user_id, kind="password", secret=secret, alone=alone, **recorded(by, now)
            )
            write.change = _added(user, row, "password", by, now, activation)
        return row

    async def rehash_password(
        self, user_id: str, old_hash: str, password_hash: str, now: float, before_commit: BeforeCommit | None = None
    ) -> None:
        """The same password, hashed with today's parameters, at a sign-in that proved it. Sessions stay."""
        by = By("gateway", REHASHED)
        async with self._write(before_commit) as write:
            old = await write.one(_live_credential(user_id, "password"))
            if old is None or old.secret != old_hash.encode("ascii"):
                return  # another password was set meanwhile
            user = await newest_user_id(write, user_id)
            await end_row(write, credentials, old.id, by, now)
            values = {"user_id": user_id, "kind": "password", "secret": password_hash.encode("ascii")}
            row = await write.insert(credentials, alone=old.alone, **values, **recorded(by, now))
            details: dict[str, Detail] = {"record": row, "kind": "password"}
            write.change = Change("credential rehash", now, by, user_id, institution=user.institution, details=details)

    async def set_totp(
        self,
        user_id: str,
        secret: bytes,
        by: By,
        now: float,
        before_commit: BeforeCommit | None = None,
        *,
        keep_session: str | None = None,
    ) -> int:
        """A new secret for codes by app; the old one and all sessions but `keep_session` end. It is stored sealed."""
        async with self._write(before_commit) as write:
            user = await self._new_credential(write, user_id, "totp", by, now, keep_session)
            sealed = self._key.seal(secret, totp_owner(user_id))
            row = await write.insert(
                credentials, user_id=user_id, kind="totp", secret=sealed, key_id=self._key.id, **recorded(by, now)
            )
            await write.execute(sa.insert(totp_steps).values(credential=row, last_step=0))
            write.change = _added(user, row, "totp", by, now)
        return row

    async def set_code_card(
        self, user_id: str, stored: bytes, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> int:
        """A new code card, by what is stored of it (`credentials.code_card`); the old one is void, and all sessions end."""
        async with self._write(before_commit) as write:
            user = await self._new_credential(write, user_id, "code_card", by, now)
            row = await write.insert(
                credentials, user_id=user_id, kind="code_card", secret=stored, key_id=self._key.id, **recorded(by, now)
            )
            await write.execute(sa.insert(code_cards).values(credential=row, used=0, asked=None))
            write.change = _added(user, row, "code_card", by, now)
        return row

    async def set_activation(
        self, user_id: str, code_hash: str, by: By, now: float, before_commit: BeforeCommit | None = None
    ) -> int:
        """A new activation code, by its hash (`credentials.activation`), good for 14 days; an earlier one is void.

        Nothing else changes before it is used: password, card, app and sessions stay.
        """
        async with self._write(before_commit) as write:
            user = await _administered(write, user_id, by, now)
            await _void_activation(write, user_id, by, now)
            validity = Validity(now, now + LIFETIME_SECONDS)
            row = await write.insert(
                credentials,
                user_id=user_id,
                kind="activation",
                secret=code_hash.encode("ascii"),
                key_id=self._key.id,
                **recorded(by, now, validity),
            )
            write.change = _added(user, row, "activation", by, now)
        return row

    async def end_credential(
        self,
        credential: int,
        by: By,
        now: float,
        before_commit: BeforeCommit | None = None,
        *,
        keep_session: str | None = None,
    ) -> None:
        """Takes a credential away; the sessions of its user ID end, but for `keep_session`."""
        async with self._write(before_commit) as write:
            row = await live_row(write, credentials, credential, "credential")
            user = await newest_user_id(write, row.user_id)
            await check_mandate(write, by, user.institution, now)
            await _refuse_own(write, by, user)
            await end_row(write, credentials, row.id, by, now)
            await _end_sessions_but(write, row.user_id, keep_session, by, now, "credential ended")
            details = {"record": row.id, "kind": row.kind}
            write.change = Change("credential end", now, by, row.user_id, institution=user.institution, details=details)

    async def _new_credential(
        self, write: Write, user_id: str, kind: str, by: By, now: float, keep_session: str | None = None
    ) -> Row:
        """Makes room for a new credential of this kind."""
        user = await _administered(write, user_id, by, now)
        old = await write.one(_live_credential(user_id, kind))
        if old is not None:
            await end_row(write, credentials, old.id, by, now)
        await _end_sessions_but(write, user_id, keep_session, by, now, "credential replaced")
        return user


async def _administered(write: Write, user_id: str, by: By, now: float) -> Row:
    """The live user ID, which this word may touch."""
    user = await live_user_id(write, user_id)
    await check_mandate(write, by, user.institution, now)
    await _refuse_own(write, by, user)
    return user


async def _refuse_own(write: Write, by: By, user: Row) -> None:
    """Somebody else's word is needed for one's own means, or an administrator could give themselves a stronger one."""
    if by.mandate is None:
        return
    row = await write.one(sa.select(mandates.c.user_id).where(mandates.c.id == by.mandate))
    if row is not None and (await newest_user_id(write, row.user_id)).person == user.person:
        raise Conflict(
            "nobody administers their own means: another administrator can, or the head official's written act"
        )


async def _use_activation(write: Write, user_id: str, activation: int | None, by: By, now: float) -> None:
    if activation is None:
        return
    row = await write.one(_live_credential(user_id, "activation"))
    if row is None or row.id != activation or row.valid_to <= now:
        raise Conflict("the activation code was used, voided or too old; the local administrator can give a new one")
    await end_row(write, credentials, row.id, By(by.actor, USED, by.mandate), now)


async def _void_activation(write: Write, user_id: str, by: By, now: float) -> None:
    waiting = await write.one(_live_credential(user_id, "activation"))
    if waiting is not None:
        await end_row(write, credentials, waiting.id, by, now)


async def _end_sessions_but(write: Write, user_id: str, keep: str | None, by: By, now: float, reason: str) -> None:
    theirs = session_table.c.user_id == user_id
    others = theirs if keep is None else sa.and_(theirs, session_table.c.id != keep)
    await end_sessions(write, others, now, by.signature, reason)


def _added(user: Row, row: int, kind: str, by: By, now: float, activation: int | None = None) -> Change:
    shown: dict[str, Detail] = {} if activation is None else {"activation": activation}
    details: dict[str, Detail] = {"record": row, "kind": kind, **shown}
    return Change("credential add", now, by, user.user_id, institution=user.institution, details=details)


def _live_credential(user_id: str, kind: str) -> sa.Select[tuple[object, ...]]:
    mine = sa.and_(credentials.c.user_id == user_id, credentials.c.kind == kind, credentials.c.ended_at.is_(None))
    return sa.select(credentials).where(mine)
