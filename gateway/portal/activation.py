"""Activation: the code of the letter from the local administrator, then a password of one's own, and the first session.

The code is used up when the password is set, not before: a password that is refused costs nothing.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from gateway.credentials import activation
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.errors import Conflict, CredentialError
from gateway.model import Means
from gateway.portal.acts import own_act, own_word
from gateway.portal.ask import Ask
from gateway.portal.attempts import MAX_USER_ID_CHARACTERS, Proved, Refused, prove_activation
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand
from gateway.portal.hashing import Busy
from gateway.portal.new_password import faults as new_faults
from gateway.portal.new_password import hashed, least_characters
from gateway.portal.papers import ACTIVATION_PAGE
from gateway.portal.sessions import carry_on
from gateway.portal.sign_in import BUSY, FORM_TOO_OLD, NEED_USER_ID, TRY_AGAIN_SECONDS, refusal_text
from gateway.records import Login

PASSWORD_PAGE: Final = f"{ACTIVATION_PAGE}/password"
SECONDS: Final = 900.0
"""A quarter of an hour to think of a password."""

SLIP: Final = N_(
    "There is a slip in this code: look again, character by character. It has sixteen letters and digits, in four groups."
)
NOT_RIGHT: Final = N_(
    "The user ID or the activation code is not right, or the code was used already, or a newer letter has replaced it."
)
EXPIRED: Final = N_(
    "This activation code is right, but too old: it was good for 14 days. Ask the local administrator of your institution for a new one."
)


async def form_page(ask: Ask) -> web.StreamResponse:
    """`GET /activation`."""
    return _form(ask)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /activation`: user ID and code."""
    form = await ask.form()
    user_id, code = form.get("user_id", "").strip().lower(), form.get("activation_code", "").strip()
    if not ask.form_fits(form):
        return _form(ask, user_id, general=ask.text(FORM_TOO_OLD), status=403)
    faults = {}
    if not user_id or len(user_id) > MAX_USER_ID_CHARACTERS:
        faults["user_id"] = ask.text(NEED_USER_ID)
    try:
        activation.normalise(code)
    except CredentialError:
        faults["activation_code"] = ask.text(SLIP)
    if faults:
        return _form(ask, user_id, faults=faults, status=422)
    try:
        outcome = await prove_activation(ask, user_id, code)
        if isinstance(outcome, Refused):
            wrong = EXPIRED if outcome.reason == "activation_expired" else NOT_RIGHT
            return _form(ask, user_id, general=refusal_text(ask, outcome, wrong), status=403)
        login, credential = outcome
        key = make_token(ask.services.random(TOKEN_BYTES))
        kept = {"user_id": login.user_id, "activation": credential}
        if not await ask.services.records.new_pending(
            token_hash(key), "activation", ask.holder_hash, kept, SECONDS, network=ask.network
        ):
            raise Busy("there is no room for more activations")
    except Busy:
        response = _form(ask, user_id, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    return ask.redirect(f"{PASSWORD_PAGE}?key={quote(key)}")


async def password_page(ask: Ask) -> web.StreamResponse:
    """`GET /activation/password?key=…`."""
    key = ask.request.query.get("key", "")
    found = await _pending(ask, key)
    return _over(ask) if found is None else _password_form(ask, key, found[0])


async def set_password(ask: Ask) -> web.StreamResponse:
    """`POST /activation/password`: the password, and with it the first session."""
    form = await ask.form()
    key, new = form.get("key", ""), form.get("new_password", "")
    found = await _pending(ask, key)
    if found is None:
        return _over(ask)
    login, kept = found
    if not ask.form_fits(form):
        return _password_form(ask, key, login, general=ask.text(FORM_TOO_OLD), status=403)
    faults = new_faults(ask, login, form)
    if faults:
        return _password_form(ask, key, login, faults=faults, status=422)
    try:
        password_hash, alone = await hashed(ask, new)
    except Busy:
        response = _password_form(ask, key, login, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    records, now = ask.services.records, ask.services.clock()
    await records.take_pending(token_hash(key), "activation", ask.holder_hash)
    try:
        await records.set_password(
            login.user_id,
            password_hash,
            own_word(login.user_id, "set with an activation code"),
            now,
            alone=alone,
            activation=kept["activation"],
            before_commit=own_act(ask, login.user_id, login.insz),
        )
    except Conflict:
        return _over(ask)
    await records.record_success(login, now, ("activation",))
    user = ask.services.sealer.person(login.user_id, login.insz)
    return await carry_on(ask, Proved(login, Means.PASSWORD, user), Errand(False, {}))


async def _pending(ask: Ask, key: str) -> tuple[Login, dict[str, Any]] | None:
    records = ask.services.records
    try:
        kept = await records.peek_pending(token_hash(key), "activation", ask.holder_hash)
    except CredentialError:
        return None
    login = None if kept is None else await records.find_login(kept["user_id"])
    return None if kept is None or login is None or login.activation != kept["activation"] else (login, kept)


def _form(
    ask: Ask,
    user_id: str = "",
    *,
    general: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    context = {"user_id": user_id[:MAX_USER_ID_CHARACTERS], "general": general, "faults": faults or {}}
    return ask.page("activation.html", context, status=status)


def _password_form(
    ask: Ask,
    key: str,
    login: Login,
    *,
    general: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    context = {
        "key": key,
        "user_id": login.user_id,
        "least": least_characters(login),
        "general": general,
        "faults": faults or {},
    }
    return ask.page("activation_password.html", context, status=status, again={"key": key})


def _over(ask: Ask) -> web.Response:
    return ask.notice(
        N_("This activation is over"),
        N_(
            "A quarter of an hour has passed, or the code was used or replaced meanwhile. If you have not set a password yet, begin again with your letter."
        ),
        status=410,
        link=ACTIVATION_PAGE,
        link_text=N_("Begin again"),
    )
