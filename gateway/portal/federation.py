"""Signing in at a provider of the federation: there with a question, back with an answer, and what is said when it comes to nothing.

What was asked is kept on the server, for one browser, once (`records.pending`); the address that comes back holds its key, and a code for
the back channel. A failure is a page of its own, so that neither stays in an address that is looked at.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from gateway.credentials.oidc import (
    ANSWER_SECONDS,
    CANCELLED,
    Question,
    authorization_address,
    read_return,
    state_of,
)
from gateway.credentials.oidc_keys import ID_TOKEN_TYPES, read_head
from gateway.credentials.oidc_tokens import judge_id_token
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.decision import ATTEMPTS
from gateway.errors import Conflict, CredentialError
from gateway.ledger.reference import format_reference
from gateway.model import Means
from gateway.outbound.oidc import ProviderDesk
from gateway.portal import information, sign_in, step_up
from gateway.portal.ask import ONE_TIME_FIELDS, Ask
from gateway.portal.attempts import MAX_USER_ID_CHARACTERS, Proved, not_confirmed, sign_in_line
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand
from gateway.portal.sessions import carry_on
from gateway.portal.sign_in import BUSY, FORM_TOO_OLD, NEED_USER_ID
from gateway.records import Bound, Login

CALLBACK: Final = "/oidc/callback/"
FAILED: Final = "/oidc/failed"


class Told(NamedTuple):
    """What a person reads of a sign-in that came to nothing. `%(provider)s` stands for the provider's title."""

    title: str
    text: str


CANCELLED_THERE: Final = Told(
    N_("You did not sign in with %(provider)s"),
    N_(
        "The sign-in with %(provider)s was cancelled, or it was not finished. Nothing was changed. You can try again, or use another means."
    ),
)
OUT_OF_REACH: Final = Told(
    N_("%(provider)s cannot be used at the moment"),
    N_(
        "Where the problem is: at %(provider)s, or between it and this access service. Your device and your connection are not the cause. Try again in a few minutes, or use another means."
    ),
)
TOO_LATE: Final = Told(
    N_("This sign-in is over"),
    N_(
        "A sign-in with %(provider)s is good once, for ten minutes, and only in the browser in which it was begun. Nothing was changed: begin again."
    ),
)
SOMEBODY_ELSE: Final = Told(
    N_("This is another person's user ID"),
    N_(
        "Whoever signed in with %(provider)s is not the person to whom the user ID belongs. Check the user ID; and if somebody else uses this computer too, sign out at %(provider)s first."
    ),
)
OTHERWISE: Final = Told(
    N_("Sign in with %(provider)s in another way"),
    N_(
        "You are known to %(provider)s, but the way in which you signed in there does not do here, or it was too long ago. Begin again, and choose another way there, or sign in there anew."
    ),
)
BLOCKED: Final = Told(
    N_("This user ID cannot be used"),
    N_("The user ID is blocked, or it has ended. Ask the local administrator of your institution."),
)
UNPROVED: Final = Told(
    N_("The answer of %(provider)s cannot be accepted"),
    N_(
        "It does not prove who you are in the way that this access service asks for. You did nothing wrong, and nothing was changed. Try again; if it comes back, tell the help desk the reference below."
    ),
)
_TOLD: Final[dict[str, Told]] = {
    "provider_failed": OUT_OF_REACH,
    "provider_error": OUT_OF_REACH,
    "state_unknown": TOO_LATE,
    "other_person": SOMEBODY_ELSE,
    "acr_refused": OTHERWISE,
    "authentication_stale": OTHERWISE,
    "user_id_blocked": BLOCKED,
}


class Began(NamedTuple):
    """What was kept when somebody was sent to a provider: the question, whose user ID was claimed, and what for."""

    question: Question
    user_id: str
    errand: Errand


async def begin(ask: Ask) -> web.StreamResponse:
    """`POST /oidc/start/<provider>`: the form of a sign-in or a step-up, with the button of this provider."""
    desk = _desk(ask)
    if desk is None:
        return information.not_found(ask)
    form = await ask.form()
    errand = Errand.of(form)
    if not ask.form_fits(form):
        return await _form_again(ask, errand, FORM_TOO_OLD)
    user_id, means = await _claimed(ask, desk, errand, form.get("user_id", "").strip().lower())
    if not 0 < len(user_id) <= MAX_USER_ID_CHARACTERS:
        return await _form_again(ask, errand, NEED_USER_ID)
    now = ask.services.clock()
    nonce, verifier, state = (make_token(ask.services.random(TOKEN_BYTES)) for _ in range(3))
    # A step-up asks who is there now; a sign-in may rest on a moment ago.
    max_age = 0.0 if errand.step_up else desk.provider.max_age
    question = Question(desk.provider.id, nonce, verifier, now, max_age, means)
    try:
        metadata = await desk.metadata()
    except CredentialError as error:
        return await _failed(ask, desk, Began(question, user_id, errand), error)
    kept = {"question": question.as_values(), "user_id": user_id, "errand": errand.fields}
    if not await ask.services.records.new_pending(
        token_hash(state), "oidc", ask.holder_hash, kept, ANSWER_SECONDS, network=ask.network
    ):
        return await _form_again(ask, errand, BUSY)
    redirect = _redirect_address(ask, desk)
    response = ask.redirect(authorization_address(desk.provider, metadata, question, state, redirect, ask.language))
    response.headers.update(ONE_TIME_FIELDS)
    return response


async def come_back(ask: Ask) -> web.StreamResponse:
    """`GET /oidc/callback/<provider>`: what the provider sent the browser back with."""
    desk = _desk(ask)
    if desk is None:
        return information.not_found(ask)
    began: Began | None = None
    login: Login | None = None
    try:
        began = await _began(ask, desk)
        login = await ask.services.records.find_login(began.user_id)
        proved = await _prove(ask, desk, began, login)
    except CredentialError as error:
        return await _failed(ask, desk, began, error, login)
    response = await carry_on(ask, proved, began.errand)
    response.headers.update(ONE_TIME_FIELDS)
    return response


async def show_failure(ask: Ask) -> web.StreamResponse:
    """`GET /oidc/failed?key=…`: what came to nothing, as often as it is looked at, and in whichever language."""
    try:
        key = token_hash(ask.request.query.get("key", ""))
        kept = await ask.services.records.peek_pending(key, "oidc", ask.holder_hash)
    except CredentialError:
        kept = None
    desk = None if kept is None or "why" not in kept else ask.services.providers.get(kept["provider"])
    if kept is None or desk is None:
        return ask.redirect("/sign-in")
    told = _told(kept["why"], kept["detail"])
    names = {"provider": desk.provider.title.in_(ask.language)}
    errand = Errand.of(kept["errand"])
    context = {
        "title": ask.text(told.title) % names,
        "text": ask.text(told.text) % names,
        "back": f"{'/step-up' if errand.step_up else '/sign-in'}?{urlencode(errand.again)}",
        "reference": format_reference(kept["reference"]),
        "helpdesk": ask.settings.help_desk,
    }
    return ask.page("federation.html", context, status=ATTEMPTS[kept["why"]].status)


def _desk(ask: Ask) -> ProviderDesk | None:
    return ask.services.providers.get(ask.request.match_info["provider"])


def _redirect_address(ask: Ask, desk: ProviderDesk) -> str:
    """Exactly as it is registered; one for each provider, so that none can send what another one gave (RFC 9700 section 4.4.2.2)."""
    return f"{ask.settings.address}{CALLBACK}{desk.provider.id}"


async def _form_again(ask: Ask, errand: Errand, told: str) -> web.StreamResponse:
    page = step_up.refused if errand.step_up else sign_in.refused
    return await page(ask, errand, ask.text(told))


async def _claimed(ask: Ask, desk: ProviderDesk, errand: Errand, user_id: str) -> tuple[str, frozenset[Means]]:
    """Whose user ID is claimed, and by which means at this provider it may be proved. Raises Conflict when there is nothing to raise."""
    if not errand.step_up:
        return user_id, desk.provider.means
    session = ask.session
    if session is None:
        raise Conflict("there is no session to raise")
    would_do = step_up.would_do(ask, errand, session) & frozenset(desk.provider.acr.values())
    if not would_do:
        raise Conflict("no means of this provider would do")
    return session.user_id, would_do


async def _began(ask: Ask, desk: ProviderDesk) -> Began:
    """What was asked in this browser, once. Raises CredentialError: `state_unknown`, or `mixed_up` when another provider was asked."""
    key = token_hash(state_of(ask.request.query.items()))
    kept = await ask.services.records.take_pending(key, "oidc", ask.holder_hash)
    if kept is None or "question" not in kept:
        raise CredentialError("state_unknown")
    question = Question.of(kept["question"])
    if question.provider != desk.provider.id:
        raise CredentialError("mixed_up")
    return Began(question, kept["user_id"], Errand.of(kept["errand"]))


async def _prove(ask: Ask, desk: ProviderDesk, began: Began, login: Login | None) -> Proved:
    """Asks for the token, and judges it. Raises CredentialError."""
    returned = read_return(ask.request.query.items(), desk.provider, await desk.metadata())
    if returned.error:
        raise CredentialError("provider_error", returned.error)
    token = await desk.id_token(began.question, returned.code, _redirect_address(ask, desk))
    head = read_head(token, desk.provider, ID_TOKEN_TYPES)
    key = await desk.key(head)
    numbers = frozenset() if login is None else await ask.services.records.numbers_of(login.person)
    now = ask.services.clock()
    vouched = judge_id_token(token, head, key, desk.provider, began.question, numbers, now)
    if login is None or not login.allowed(now):
        raise CredentialError("user_id_blocked")
    user = ask.services.sealer.person(login.user_id, login.insz)
    bound = Bound(provider=desk.provider.id, provider_session=vouched.session)
    return Proved(login, vouched.means, user, bound, vouched.auth_time)


def _told(why: str, detail: str) -> Told:
    if why == "provider_error" and detail in CANCELLED:
        return CANCELLED_THERE
    return _TOLD.get(why, UNPROVED)


async def _failed(
    ask: Ask, desk: ProviderDesk, began: Began | None, error: CredentialError, login: Login | None = None
) -> web.StreamResponse:
    """The line, and then the page: at an address of its own, which neither a reload nor a change of language can make worse."""
    services, errand = ask.services, Errand(False, {}) if began is None else began.errand
    asked = desk.provider.means if began is None else began.question.means
    user = None
    if began is not None:
        user = services.sealer.person(began.user_id, None if login is None else login.insz)
    detail = ", ".join(filter(None, (f"provider {desk.provider.id}", error.detail)))
    means = min(asked, key=lambda each: each.level)
    line = sign_in_line(ask, user, login, means, error.reason, step_up=errand.step_up, detail=detail)
    await services.admin.write(line)
    if user is not None and errand.step_up and error.reason == "other_person":
        await not_confirmed(ask, user)
    kept = {
        "provider": desk.provider.id,
        "why": error.reason,
        "detail": error.detail,
        "errand": errand.fields,
        "reference": ask.handed.reference,
    }
    key = make_token(services.random(TOKEN_BYTES))
    # Without room for it the person is back at the form, unharmed and uninformed.
    if not await services.records.new_pending(
        token_hash(key), "oidc", ask.holder_hash, kept, ANSWER_SECONDS, network=ask.network
    ):
        return await _form_again(ask, errand, BUSY)
    response = ask.redirect(f"{FAILED}?key={key}")
    ask.tie(response)  # who comes back in another browser than they began in may have no cookie there
    return response
