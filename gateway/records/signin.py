"""The sign-in side of the records: who a user ID is, the lock-out counters, and the single use of codes.

The order of an attempt, which leaves no room for many at once: `claim_attempt` counts it before anything is checked and says whether it may be
checked at all; then the password (and code) are verified; then `record_success` takes the count back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import sqlalchemy as sa

# The rule is pure and the portal's words; who counts by it is here: a room of the same floor.
from gateway.credentials.lockout import UNLOCKED, LockState, last_failure, lock_state
from gateway.model import Language
from gateway.records.loading import Row, effective, root
from gateway.records.schema import credentials, failures, means_used, persons, totp_steps, user_ids
from gateway.records.store import Store, Write
from gateway.records.values import USER_ID, Login

UNKNOWN_KEPT = 50_000
"""Counters of unknown user IDs, some 2 MB; the one that was tried longest ago goes first."""
NOBODY = 0
"""The person that is looked for when a user ID is unknown, so that it takes as long as for a known one."""
GATEWAY = "gateway"
TOO_MANY_FAILURES = "disabled after too many failed attempts"


class SignIn(Store):
    """What the portal asks of the records while somebody signs in."""

    async def find_login(self, user_id: str) -> Login | None:
        """The user ID as it stands now, or None; ended and blocked ones too (ask `Login.allowed`). Raises RecordsError."""
        # What can be no user ID is looked up as none, so that it takes as long; the database never sees it.
        word = user_id if USER_ID.fullmatch(user_id) else ""
        async with self._database.reading() as connection:
            newest = sa.select(user_ids).where(user_ids.c.user_id == word).order_by(user_ids.c.id.desc()).limit(1)
            user = (await connection.execute(newest)).first()
            owned = sa.select(credentials, totp_steps.c.last_step).join(totp_steps, isouter=True)
            owned = owned.where(credentials.c.user_id == word).order_by(credentials.c.id)
            kinds: dict[str, Row] = {row.kind: row for row in await connection.execute(owned)}
            person = NOBODY if user is None else user.person
            newest = (
                sa.select(persons.c.insz, persons.c.name).where(root() == person).order_by(persons.c.id.desc()).limit(1)
            )
            known = (await connection.execute(newest)).first()
        if user is None or known is None:
            return None
        password, totp = kinds.get("password"), kinds.get("totp")
        card, activation = _live(kinds.get("code_card")), _live(kinds.get("activation"))
        live_password = password is not None and password.ended_at is None
        live_totp = _live(totp)
        return Login(
            user_id,
            user.person,
            known.insz,
            known.name,
            user.institution,
            cast(Language, user.language),
            effective(user),
            user.blocked,
            password.secret.decode("ascii") if password is not None and live_password else None,
            password is not None and password.ended_reason == TOO_MANY_FAILURES,
            password is not None and live_password and bool(password.alone),
            None if live_totp is None else live_totp.id,
            None if live_totp is None else self._key.open(live_totp.secret, totp_owner(user_id)),
            0 if live_totp is None else live_totp.last_step,
            None if card is None else card.id,
            None if activation is None else activation.id,
            None if activation is None else activation.secret.decode("ascii"),
            0.0 if activation is None else activation.valid_to,
        )

    async def lockout(self, login: Login | str) -> LockState:
        """Where the counter of this natural person stands; a word that is no user ID has one of its own, with the same times."""
        async with self._database.reading() as connection:
            counted = (await connection.execute(_counter(self._counted_as(login)))).first()
        return _state(login, counted)

    async def claim_attempt(self, login: Login | str, now: float) -> LockState:
        """Counts an attempt before it is checked, and gives the state it met.

        When that state waits, or is disabled, the attempt was not counted and must be refused unchecked. Else it stands as a failure
        until `record_success`. Raises RecordsError: then the attempt is refused.
        """
        person = self._counted_as(login)
        async with self._write() as write:
            counted = await write.one(_counter(person))
            state = _state(login, counted)
            if isinstance(login, Login) and state.disabled:
                await disable_passwords(write, login.person, now)
            if not state.disabled and not state.waits(now):
                await _count(write, person, state.failures + 1, now, known=counted is not None)
        return state

    async def record_success(self, login: Login, now: float, used: Iterable[str] = ()) -> None:
        """The password, and the code where there is one, were right: the failures in a row are over.

        `used` are the means that were shown (`MeansKnown.means_used`).
        """
        async with self._write() as write:
            await _count(write, login.person, 0, now, known=await write.one(_counter(login.person)) is not None)
            await note_used(write, login.user_id, used, now)

    async def give_back_attempt(self, login: Login, met: LockState, now: float) -> None:
        """The claim of `now`, which met that state, was no failure, and no success yet: a code is still to come. The failures before it stay.

        Were they forgotten, who knows the password could guess codes without end. When others came between, only the number goes
        back: their wait stays.
        """
        mine = failures.c.person == login.person
        unmoved = sa.and_(mine, failures.c.failed == met.failures + 1, failures.c.last_at == now)
        async with self._write() as write:
            before = {"failed": met.failures, "last_at": last_failure(met, now)}
            if (await write.execute(sa.update(failures).where(unmoved).values(**before))).rowcount == 0:
                fewer = sa.update(failures).where(mine, failures.c.failed > 0)
                await write.execute(fewer.values(failed=failures.c.failed - 1))

    async def take_totp_step(self, login: Login, step: int) -> bool:
        """Uses up a step, and all before it. False: it was used already, by this process or another; refuse."""
        if login.totp_credential is None:
            return False
        mine = sa.and_(totp_steps.c.credential == login.totp_credential, totp_steps.c.last_step < step)
        async with self._write() as write:
            taken = await write.execute(sa.update(totp_steps).where(mine).values(last_step=step))
            return taken.rowcount == 1

    def _counted_as(self, login: Login | str) -> int:
        """The natural person whose counter it is; for a word that is no user ID a number below zero, which only the key can tell.

        The word may be a password that somebody typed into the wrong field: it is not kept, and cannot be guessed from the number.
        """
        return login.person if isinstance(login, Login) else -1 - self._key.number_of(login)


def _state(login: Login | str, counted: Row | None) -> LockState:
    state = UNLOCKED if counted is None else lock_state(counted.failed, counted.last_at)
    return state._replace(disabled=state.disabled or (isinstance(login, Login) and login.password_disabled))


def _live(row: Row | None) -> Row | None:
    return row if row is not None and row.ended_at is None else None


async def note_used(write: Write, user_id: str, means: Iterable[str], now: float) -> None:
    """Notes when each of these means last let the person in."""
    for word in means:
        mine = sa.and_(means_used.c.user_id == user_id, means_used.c.means == word)
        if await write.one(sa.select(means_used.c.at).where(mine)) is None:
            await write.execute(sa.insert(means_used).values(user_id=user_id, means=word, at=now))
        await write.execute(sa.update(means_used).where(mine, means_used.c.at < now).values(at=now))


def totp_owner(user_id: str) -> str:
    """To whom a sealed secret is bound."""
    return f"totp of {user_id}"


def _counter(person: int) -> sa.Select[tuple[int, float]]:
    return sa.select(failures.c.failed, failures.c.last_at).where(failures.c.person == person)


async def _count(write: Write, person: int, failed: int, now: float, *, known: bool) -> None:
    if known:
        await write.execute(sa.update(failures).where(failures.c.person == person).values(failed=failed, last_at=now))
    else:
        await write.execute(sa.insert(failures).values(person=person, failed=failed, last_at=now))


async def disable_passwords(write: Write, person: int, now: float) -> None:
    """Ends every live password of a natural person, for all their institutions: each of them sets a new one for its own."""
    theirs = sa.select(user_ids.c.user_id).where(user_ids.c.person == person)
    live = sa.and_(
        credentials.c.user_id.in_(theirs), credentials.c.kind == "password", credentials.c.ended_at.is_(None)
    )
    end = {"ended_at": now, "ended_by": GATEWAY, "ended_reason": TOO_MANY_FAILURES}
    await write.execute(sa.update(credentials).where(live).values(**end))


async def recover(write: Write, person: int, now: float) -> None:
    """Somebody set a new password. A counter that ran full starts anew; one that did not stays, for the other institutions' sake."""
    counted = (await write.execute(sa.select(failures).where(failures.c.person == person))).first()
    if counted is not None and lock_state(counted.failed, counted.last_at).disabled:
        await disable_passwords(write, person, now)
        await _count(write, person, 0, now, known=True)


async def forget_unknown(write: Write) -> None:
    """Lets go of the counters of unknown user IDs that were tried longest ago, beyond `UNKNOWN_KEPT`."""
    unknown = sa.select(failures.c.person).where(failures.c.person < NOBODY).order_by(failures.c.last_at.desc())
    await write.execute(sa.delete(failures).where(failures.c.person.in_(unknown.offset(UNKNOWN_KEPT))))
