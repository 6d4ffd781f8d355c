"""The sign-in page: user ID, password and, for who has an app, a code. Its field names are fixed: others script against them."""

from __future__ import annotations

from math import ceil
from typing import Final

from aiohttp import web

from gateway.credentials.start import Start
from gateway.model import Session, UserRecords
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.attempts import MAX_USER_ID_CHARACTERS, Attempt, CardAsked, Refused, prove
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand, way_on
from gateway.portal.hand_over import card_page, host_name, open_start, step_up_page
from gateway.portal.hashing import Busy
from gateway.portal.sessions import carry_on
from gateway.portal.ways import ways

TRY_AGAIN_SECONDS: Final = "5"

NEED_USER_ID: Final = N_("Fill in your user ID.")
NEED_PASSWORD: Final = N_("Fill in your password.")
CODE_DIGITS: Final = N_(
    "The code of an app has six digits. If you have a code card, leave this field empty: the next page asks for one of its numbers."
)
FORM_TOO_OLD: Final = N_(
    "This form is from another sign-in or another browser. Nothing was sent on: please fill it in again."
)
NOT_RIGHT: Final = N_(
    "The user ID, the password or the code is not right. If you have a security code app, its code is needed too."
)
DISABLED: Final = N_(
    "There were too many wrong attempts. Signing in with this user ID is closed until you have a new password: ask the local administrator of your institution."
)
BUSY: Final = N_(
    "Too many people are signing in at this moment. Nothing is wrong with what you filled in: please try again in a few seconds."
)


async def form_page(ask: Ask) -> web.StreamResponse:
    """`GET /sign-in`. Who is signed in already goes straight on."""
    token = ask.request.query.get("start", "")
    if ask.session is not None and ask.user is not None:
        return await _straight_on(ask, ask.session, ask.user, token)
    return _form(ask, token, open_start(ask, token))


async def _straight_on(ask: Ask, session: Session, user: UserRecords, token: str) -> web.Response:
    """Whoever is signed in is not asked once more."""
    if ask.moved and ask.accepted(user):
        return ask.redirect(step_up_page(token))
    return await way_on(ask, session, user, token)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /sign-in`. The ledger's line is durable before the session is."""
    form = await ask.form()
    token = form.get("start", "")
    start = open_start(ask, token)
    # User IDs are lower case (records): the capital that a telephone puts in front makes no other word.
    user_id, password, code = (
        form.get("user_id", "").strip().lower(),
        form.get("password", ""),
        form.get("code", "").strip(),
    )
    if not ask.form_fits(form):
        if ask.session is not None and ask.user is not None and user_id == ask.user.user_id:
            # They have signed in in another tab meanwhile. What was typed is not looked at: it opens nothing that is not open.
            return await _straight_on(ask, ask.session, ask.user, token)
        return _form(ask, token, start, user_id=user_id, general=ask.text(FORM_TOO_OLD), status=403)
    faults = field_faults(ask, user_id, password, code)
    if faults:
        return _form(ask, token, start, user_id=user_id, faults=faults, status=422)
    errand = Errand(False, {"start": token})
    try:
        outcome = await prove(ask, Attempt(user_id, password, code, errand))
    except Busy:
        response = _form(ask, token, start, user_id=user_id, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    if isinstance(outcome, Refused):
        return _form(ask, token, start, user_id=user_id, general=refusal_text(ask, outcome), status=403)
    if isinstance(outcome, CardAsked):
        return ask.redirect(card_page(outcome.key))
    return await carry_on(ask, outcome, errand)


async def refused(ask: Ask, errand: Errand, told: str) -> web.Response:
    """The form again, after a step that went on elsewhere came to nothing."""
    return _form(ask, errand.again.get("start", ""), errand.start(ask), general=told, status=403)


def field_faults(ask: Ask, user_id: str, password: str, code: str) -> dict[str, str]:
    """What is wrong with a field by itself, by field."""
    faults = {}
    if not user_id or len(user_id) > MAX_USER_ID_CHARACTERS:
        faults["user_id"] = ask.text(NEED_USER_ID)
    if not password:
        faults["password"] = ask.text(NEED_PASSWORD)
    if code and (len("".join(code.split())) != 6 or not "".join(code.split()).isdecimal()):
        faults["code"] = ask.text(CODE_DIGITS)
    return faults


SESSION_ENDED: Final = N_(
    "That was wrong three times, in another browser or network than this session was begun in. So the session has been ended everywhere: sign in again."
)


def refusal_text(ask: Ask, refused: Refused, wrong: str = NOT_RIGHT) -> str:
    """What a person is told; the same for every user ID, known or not. `wrong` says that something was not right."""
    if refused.session_ended:
        return ask.text(SESSION_ENDED)
    if refused.disabled:
        return ask.text(DISABLED)
    wait = ceil(refused.wait_until - ask.services.clock())
    not_right = ask.text(wrong) if refused.reason != "locked_out" else ""
    if wait <= 0:
        return not_right
    at = catalogue.day_and_time(ask.language, refused.wait_until + 1).rpartition(", ")[2]
    waiting = ask.text(N_("After several wrong attempts you must wait. You can try again at %(at)s (in %(wait)s).")) % {
        "at": at,
        "wait": duration(ask, wait),
    }
    return f"{not_right} {waiting}".strip()


def duration(ask: Ask, seconds: int) -> str:
    texts = catalogue.translations(ask.language)
    if seconds < 120:
        return texts.ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = ceil(seconds / 60)
    return texts.ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def _form(
    ask: Ask,
    token: str,
    start: Start | None,
    *,
    user_id: str = "",
    general: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    context = {
        "start": token if start else "",
        "lost": bool(token) and start is None,
        "kept": start is not None and bool(start.form),
        "ended": start is not None and start.reason in ("session_expired", "session_revoked"),
        "user_id": user_id[:MAX_USER_ID_CHARACTERS],
        "general": general,
        "faults": faults or {},
        "ways": ways(ask),
        "switched": ask.request.query.get("switched") == "1",
    }
    hosts = leads_to(ask, start)
    return ask.page("sign_in.html", context, status=status, leads_to=hosts, again={"start": token} if start else None)


def leads_to(ask: Ask, start: Start | None) -> tuple[str, ...]:
    """Where the forms of sign-in and step-up may lead by redirect: the host to go back to, and what the other ways go through."""
    back = () if start is None else (ask.settings.address_of(host_name(start)),)
    return (*back, *(address for way in ways(ask) for address in way.leads_to))
