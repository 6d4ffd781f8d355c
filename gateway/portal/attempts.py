"""One attempt to prove who one is: lock-out, password, code. A known and an unknown user ID take the same way, in words and in time.

Who has a code card, and typed no code of an app, proves it in two steps: the password, which `prove` gives back as `CardAsked`, and then
the code of the number that was asked for (`prove_card`). Both are attempts of one person, counted in one counter.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

from gateway.credentials import activation, code_card, totp
from gateway.credentials import password as passwords
from gateway.credentials.argon import SALT_BYTES
from gateway.credentials.lockout import LockState
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.decision import ATTEMPTS
from gateway.errors import CredentialError
from gateway.ledger.line import Record
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import ShownCertificate, sign_in_record, sign_out_record
from gateway.model import Means
from gateway.portal.ask import Ask
from gateway.portal.errand import Errand
from gateway.portal.hashing import Busy, Place
from gateway.records import UNBOUND, BeforeCommit, Bound, CardChallenge, Change, Login

BARRED = frozenset({"disabled", "locked_out"})
"""Attempts that were not even checked."""
MAX_USER_ID_CHARACTERS = 128
"""Longer than any user ID; a bound for what is looked up and counted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was filled in, and what it is tried for."""

    user_id: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    errand: Errand

    @property
    def means(self) -> Means:
        return Means.TOKEN if self.code else Means.PASSWORD


@dataclass(frozen=True, slots=True)
class Proved:
    """The person at the browser is who they say, by these means. `user` is how the ledger names them; `bound` what else the session
    hangs on; `auth_time` when they proved it (Unix seconds), where that was not here and now; `certificate` that of the card."""

    login: Login
    means: Means
    user: Identity
    bound: Bound = UNBOUND
    auth_time: float | None = None
    certificate: ShownCertificate | None = None


@dataclass(frozen=True, slots=True)
class CardAsked:
    """The password is right, and the person has a code card: the code of a number is to come. `key` is the challenge's, for the page that
    asks."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Not proved. `reason` is for the ledger alone; `wait_until` (Unix seconds, 0 for none) and `disabled` are shown, and that the session
    which was to be confirmed has ended (`session_ended`)."""

    reason: str
    wait_until: float
    disabled: bool
    session_ended: bool = False


async def prove(ask: Ask, attempt: Attempt) -> Proved | CardAsked | Refused:
    """Checks password and, when given, code. A failure is counted and its line is durable when this returns.

    Raises `Busy` when too many wait for the hashing pool, `RecordsError` and `LedgerError` when either cannot be reached.
    """
    # The place comes first: an attempt that nobody has time to check must not be counted against the person.
    async with ask.tools.hashing.attempt(ask.network) as place:
        return await _prove(ask, attempt, place)


async def _prove(ask: Ask, attempt: Attempt, place: Place) -> Proved | CardAsked | Refused:
    records = ask.services.records
    now = ask.services.clock()
    login = await records.find_login(attempt.user_id)
    user = ask.services.sealer.person(attempt.user_id, None if login is None else login.insz)
    state = await records.claim_attempt(login or attempt.user_id, now)
    reason = _barred(state, now) or await _fault(ask, login, attempt, now, place)
    if reason is not None or login is None:
        return await refuse(
            ask, user, login, attempt.user_id, attempt.means, reason or "unknown_user_id", attempt.errand
        )
    await _strengthen(ask, login, attempt.password, now)
    by_app = attempt.code != "" and login.has_totp
    if login.has_code_card and not by_app:
        await records.give_back_attempt(login, state, now)
        return await _ask_card(ask, login, user, attempt.errand, now)
    await records.record_success(login, now, ("password", "totp") if by_app else ("password",))
    return Proved(login, attempt.means, user)


async def prove_card(ask: Ask, key_hash: bytes, code: str) -> tuple[Proved | Refused, Errand] | None:
    """Checks the code of the number that was asked for in this browser, once, for the errand that the password was typed for.

    None when nothing is asked for any more. Raises as `prove` does; what was asked for then still is, and so it is during a wait.
    """
    async with ask.tools.hashing.attempt(ask.network) as place:
        records = ask.services.records
        now = ask.services.clock()
        asked = await records.card_challenge(key_hash, ask.holder_hash)
        login = None if asked is None else await records.find_login(asked.user_id)
        if asked is None or login is None:
            return None
        errand = Errand.of(asked.payload["errand"])
        user = ask.services.sealer.person(login.user_id, login.insz)
        state = await records.claim_attempt(login, now)
        reason = _barred(state, now)
        if reason is None:
            challenge = await records.take_card_challenge(key_hash, ask.holder_hash)
            reason = await _card_fault(ask, login, challenge, code, now, place)
        if reason is not None:
            return await refuse(ask, user, login, login.user_id, Means.TOKEN, reason, errand), errand
        await records.record_success(login, now, ("password", "code_card"))
        return Proved(login, Means.TOKEN, user), errand


async def confirm_password(ask: Ask, login: Login, password: str) -> Refused | None:
    """Checks the password of somebody who is signed in; None when it is right. Counted, told and raised as in `prove`."""
    async with ask.tools.hashing.attempt(ask.network) as place:
        now = ask.services.clock()
        state = await ask.services.records.claim_attempt(login, now)
        reason = _barred(state, now) or await _password_fault(login, password, place)
        if reason is None:
            await ask.services.records.give_back_attempt(login, state, now)
            return None
        user = ask.services.sealer.person(login.user_id, login.insz)
        return await refuse(ask, user, login, login.user_id, Means.PASSWORD, reason, Errand(True, {}))


async def prove_activation(ask: Ask, user_id: str, code: str) -> tuple[Login, int] | Refused:
    """Checks an activation code, without using it up: whose it is, and its credential. Counted, told and raised as in `prove`."""
    async with ask.tools.hashing.attempt(ask.network) as place:
        records, errand = ask.services.records, Errand(False, {})
        now = ask.services.clock()
        login = await records.find_login(user_id)
        user = ask.services.sealer.person(user_id, None if login is None else login.insz)
        state = await records.claim_attempt(login or user_id, now)
        # Too many wrong passwords close a password, not the way to a new one.
        reason = "locked_out" if state.waits(now) else await _activation_fault(ask, login, user_id, code, now, place)
        if reason is not None or login is None or login.activation is None:
            refused = await refuse(ask, user, login, user_id, Means.PASSWORD, reason or "activation_unknown", errand)
            return replace(refused, disabled=False)
        if not state.disabled:  # else it was not counted
            await records.give_back_attempt(login, state, now)
        line = sign_in_line(ask, user, login, Means.PASSWORD, "activation_shown", step_up=False)
        await ask.services.admin.write(line)
        return login, login.activation


def _barred(state: LockState, now: float) -> str | None:
    """Why an attempt that met this state is not even checked."""
    if state.disabled:
        return "disabled"
    return "locked_out" if state.waits(now) else None


async def refuse(
    ask: Ask, user: Identity, login: Login | None, user_id: str, means: Means, reason: str, errand: Errand
) -> Refused:
    """Writes the line of an attempt that failed, and gives what the person may know of it."""
    state = await ask.services.records.lockout(login or user_id)
    await ask.services.admin.write(sign_in_line(ask, user, login, means, reason, step_up=errand.step_up))
    tried = errand.step_up and reason not in BARRED
    return Refused(reason, state.wait_until, state.disabled, tried and await not_confirmed(ask, user))


async def not_confirmed(ask: Ask, user: Identity) -> bool:
    """Where another client asks than the session was given to, a wrong proof counts against the session. Gives whether it has ended."""
    session = ask.session
    return session is not None and ask.moved and await count_wrong_proof(ask, user, session.id)


async def count_wrong_proof(ask: Ask, user: Identity, session: str) -> bool:
    """The client that this session moved to gave a wrong proof. Gives whether that has ended the session."""

    async def write(change: Change) -> None:
        line = sign_out_record(
            ask.handed.reference, cause="not_confirmed", client=ask.handed.address, user=user, session=session
        )
        await ask.services.admin.write(line)

    return await ask.services.records.not_confirmed(session, ask.services.clock(), before_commit=write)


async def _ask_card(ask: Ask, login: Login, user: Identity, errand: Errand, now: float) -> CardAsked:
    """Chooses a number of the card. Raises `Busy` when there is no room for more sign-ins."""
    await ask.services.admin.write(sign_in_line(ask, user, login, Means.PASSWORD, "card_asked", step_up=errand.step_up))
    key, random = make_token(ask.services.random(TOKEN_BYTES)), ask.services.random(code_card.CHOICE_BYTES)
    payload = {"errand": errand.fields, "at": now}
    hashes = token_hash(key), ask.holder_hash
    if await ask.services.records.new_card_challenge(login, *hashes, payload, random, network=ask.network) is None:
        raise Busy("there is no room for more sign-ins")
    return CardAsked(key)


async def _strengthen(ask: Ask, login: Login, password: str, now: float) -> None:
    """Hashes the password anew when the parameters rose since; in a rush that waits for the next sign-in."""
    stored = login.password_hash
    if stored is None or not passwords.needs_rehash(stored):
        return
    salt = ask.services.random(SALT_BYTES)
    with contextlib.suppress(Busy):
        fresh = await ask.tools.hashing.run(ask.network, lambda: passwords.hash_password(password, salt))
        await ask.services.records.rehash_password(login.user_id, stored, fresh, now)


def sign_in_line(
    ask: Ask,
    user: Identity | None,
    login: Login | None,
    means: Means,
    reason: str,
    *,
    step_up: bool,
    session: str | None = None,
    detail: str | None = None,
    certificate: ShownCertificate | None = None,
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
        certificate=certificate,
    )


def line_of(ask: Ask, proved: Proved, reason: str, errand: Errand) -> BeforeCommit:
    """Writes the line of a session that is about to be, with its id; when it cannot, the session does not come to be (clause T1)."""

    async def write(change: Change) -> None:
        line = sign_in_line(
            ask,
            proved.user,
            proved.login,
            proved.means,
            reason,
            step_up=errand.step_up,
            session=str(change.details["session"]),
            certificate=proved.certificate,
        )
        await ask.services.admin.write(line)

    return write


async def _fault(ask: Ask, login: Login | None, attempt: Attempt, now: float, place: Place) -> str | None:
    """What is wrong, as a stable word; None when all is right. The password is hashed in every case."""
    reason = await _password_fault(login, attempt.password, place)
    if reason is not None or login is None:
        return reason
    if not login.allowed(now):
        return "user_id_blocked"
    if attempt.code and (login.has_totp or not login.has_code_card):
        return await _code_fault(ask, login, attempt.code, now)
    # Who has a card is asked for its code next, whatever stood in the field of the app that they do not have.
    return None if login.password_alone or login.has_code_card else "code_needed"


async def _password_fault(login: Login | None, password: str, place: Place) -> str | None:
    stored = None if login is None else login.password_hash
    try:
        if stored is None:
            await place.run(lambda: passwords.verify_nobody(password))
        else:
            await place.run(lambda: passwords.verify(stored, password))
    except CredentialError as error:
        return "unknown_user_id" if login is None else error.reason
    return None


async def _code_fault(ask: Ask, login: Login, code: str, now: float) -> str | None:
    if login.totp_secret is None:
        return "code_unknown"
    try:
        step = totp.verify(login.totp_secret, code, now, login.last_totp_step)
    except CredentialError as error:
        return error.reason
    # The records take a step once, whatever else asks for it meanwhile.
    return None if await ask.services.records.take_totp_step(login, step) else "code_used"


async def _activation_fault(
    ask: Ask, login: Login | None, user_id: str, code: str, now: float, place: Place
) -> str | None:
    stored, until = (None, 0.0) if login is None else (login.activation_hash, login.activation_until)
    pepper = ask.services.records.pepper
    try:
        await place.run(lambda: activation.verify(stored, pepper, user_id, code, until, now))
    except CredentialError as error:
        return "unknown_user_id" if login is None else error.reason
    return "user_id_blocked" if login is None or not login.allowed(now) else None


async def _card_fault(
    ask: Ask, login: Login, challenge: CardChallenge | None, code: str, now: float, place: Place
) -> str | None:
    if challenge is None or await ask.services.records.changes_to_means(login.user_id, challenge.payload["at"]):
        # Another page tried that number first; or the password that was shown, or the card, is not the person's any more.
        return "card_over"
    if not login.allowed(now):
        return "user_id_blocked"
    pepper = ask.services.records.pepper
    try:
        await place.run(lambda: code_card.verify(challenge.stored, pepper, challenge.user_id, challenge.number, code))
    except CredentialError as error:
        return error.reason
    return None
