"""One attempt to prove who one is: lock-out, password, code. A known and an unknown user ID take the same way, in words and in time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from gateway.credentials import password as passwords
from gateway.credentials import totp
from gateway.credentials.argon import SALT_BYTES
from gateway.decision import ATTEMPTS
from gateway.errors import CredentialError
from gateway.ledger.line import Record
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import sign_in_record
from gateway.model import Means
from gateway.portal.ask import Ask
from gateway.portal.hashing import Busy, Place
from gateway.records import UNBOUND, BeforeCommit, Bound, Change, Login

MAX_USER_ID_CHARACTERS = 128
"""Longer than any user ID; a bound for what is looked up and counted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was filled in, and what it is tried for."""

    user_id: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    step_up: bool = False

    @property
    def means(self) -> Means:
        return Means.TOKEN if self.code else Means.PASSWORD


@dataclass(frozen=True, slots=True)
class Proved:
    """The person at the browser is who they say, by these means. `user` is how the ledger names them; `bound` what else the session
    hangs on."""

    login: Login
    means: Means
    user: Identity
    step_up: bool = False
    bound: Bound = UNBOUND


@dataclass(frozen=True, slots=True)
class Refused:
    """Not proved. `reason` is for the ledger alone; `wait_until` (Unix seconds, 0 for none) and `disabled` are shown."""

    reason: str
    wait_until: float
    disabled: bool


async def prove(ask: Ask, attempt: Attempt) -> Proved | Refused:
    """Checks password and, when given, code. A failure is counted and its line is durable when this returns.

    Raises `Busy` when too many wait for the hashing pool, `RecordsError` and `LedgerError` when either cannot be reached.
    """
    # The place comes first: an attempt that nobody has time to check must not be counted against the person.
    with ask.tools.hashing.take_place() as place:
        return await _prove(ask, attempt, place)


async def _prove(ask: Ask, attempt: Attempt, place: Place) -> Proved | Refused:
    records = ask.services.records
    now = ask.services.clock()
    login = await records.find_login(attempt.user_id)
    user = ask.services.sealer.person(attempt.user_id, None if login is None else login.insz)
    state = await records.claim_attempt(login or attempt.user_id, now)
    if state.disabled or state.waits(now):
        reason: str | None = "disabled" if state.disabled else "locked_out"
    else:
        reason = await _fault(ask, login, attempt, now, place)
        if reason is None and login is not None:
            await records.record_success(login, now)
            await _strengthen(ask, login, attempt.password, now)
            return Proved(login, attempt.means, user, attempt.step_up)
        state = await records.lockout(login or attempt.user_id)
    line = sign_in_line(ask, user, login, attempt.means, reason or "unknown_user_id", step_up=attempt.step_up)
    await ask.services.admin.write(line)
    return Refused(reason or "unknown_user_id", state.wait_until, state.disabled)


async def _strengthen(ask: Ask, login: Login, password: str, now: float) -> None:
    """Hashes the password anew when the parameters rose since; in a rush that waits for the next sign-in."""
    stored = login.password_hash
    if stored is None or not passwords.needs_rehash(stored):
        return
    salt = ask.services.random(SALT_BYTES)
    with contextlib.suppress(Busy):
        fresh = await ask.tools.hashing.run(lambda: passwords.hash_password(password, salt))
        await ask.services.records.rehash_password(login.user_id, stored, fresh, now)


def sign_in_line(
    ask: Ask,
    user: Identity,
    login: Login | None,
    means: Means,
    reason: str,
    *,
    step_up: bool,
    session: str | None = None,
    detail: str | None = None,
) -> Record:
    """The ledger's line of an attempt, with its `reason` of `ATTEMPTS`; a permit names the session that it opens."""
    row = ATTEMPTS[reason]
    return sign_in_record(
        ask.handed.reference,
        verdict=row.kind.value,
        reason=row.code,
        clause=row.clause,
        client=ask.handed.address,
        user=user,
        institution=None if login is None else login.institution,
        means=means.value,
        session=session,
        step_up=step_up,
        detail=detail,
    )


def line_of(ask: Ask, proved: Proved, reason: str) -> BeforeCommit:
    """Writes the line of a session that is about to be, with its id; when it cannot, the session does not come to be (clause T1)."""

    async def write(change: Change) -> None:
        session = str(change.details["session"])
        await ask.services.admin.write(
            sign_in_line(ask, proved.user, proved.login, proved.means, reason, step_up=proved.step_up, session=session)
        )

    return write


async def _fault(ask: Ask, login: Login | None, attempt: Attempt, now: float, place: Place) -> str | None:
    """What is wrong, as a stable word; None when all is right. The password is hashed in every case."""
    stored = None if login is None else login.password_hash
    try:
        if stored is None:
            await place.run(lambda: passwords.verify_nobody(attempt.password))
        else:
            await place.run(lambda: passwords.verify(stored, attempt.password))
    except CredentialError as error:
        return "unknown_user_id" if login is None else error.reason
    if login is None or stored is None:
        return "unknown_user_id"
    if not login.allowed(now):
        return "user_id_blocked"
    if attempt.code:
        return await _code_fault(ask, login, attempt.code, now)
    return None if login.password_alone else "code_needed"


async def _code_fault(ask: Ask, login: Login, code: str, now: float) -> str | None:
    if login.totp_secret is None:
        return "code_unknown"
    try:
        step = totp.verify(login.totp_secret, code, now, login.last_totp_step)
    except CredentialError as error:
        return error.reason
    # The records take a step once, whatever else asks for it meanwhile.
    return None if await ask.services.records.take_totp_step(login, step) else "code_used"
