"""Changing one's own password: the old one is asked for, unless a stronger means has just proved who it is; every other session ends.

Whoever forgot it, or lost a token, helps themselves only upwards: with a means that is stronger than what they lost. Else the local
administrator does, never an e-mail.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.model import Session
from gateway.portal.acts import ended_words, others, own_act, own_word
from gateway.portal.ask import Ask
from gateway.portal.attempts import confirm_password
from gateway.portal.catalogue import N_
from gateway.portal.hashing import Busy
from gateway.portal.new_password import faults as new_faults
from gateway.portal.new_password import hashed, least_characters
from gateway.portal.own_pages import OWN_PAGES, PASSWORD_PAGE, suffices
from gateway.portal.sign_in import BUSY, NEED_PASSWORD, TRY_AGAIN_SECONDS, refusal_text
from gateway.portal.ways import ways

WRONG_OLD: Final = N_("Your present password is not right.")
FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was changed: please try again.")
CHANGED: Final = N_("Your password has been changed")


def without_old(ask: Ask, session: Session) -> bool:
    """Whether the old password need not be shown: a means that does not rest on it was, just now."""
    return suffices(OWN_PAGES[PASSWORD_PAGE], session, ask.now)


async def form_page(ask: Ask) -> web.StreamResponse:
    """`GET /methods/password`."""
    return await _page(ask)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /methods/password`."""
    form = await ask.form()
    session, user = ask.session, ask.user
    login = None if user is None else await ask.services.records.find_login(user.user_id)
    if session is None or user is None or login is None or not ask.form_fits(form):
        return await _page(ask, general=ask.text(FORM_TOO_OLD), status=403)
    asked = not without_old(ask, session)
    old, new = form.get("password", "") if asked else "", form.get("new_password", "")
    faults = {"password": ask.text(NEED_PASSWORD)} if asked and not old else {}
    faults |= new_faults(ask, login, form, old)
    if faults:
        return await _page(ask, faults=faults, status=422)
    try:
        refused = await confirm_password(ask, login, old) if asked else None
        if refused is not None:
            return await _page(ask, general=refusal_text(ask, refused, WRONG_OLD), status=403)
        password_hash, alone = await hashed(ask, new)
    except Busy:
        response = await _page(ask, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    ending = len(await others(ask, user, session))
    await ask.services.records.set_password(
        login.user_id,
        password_hash,
        own_word(login.user_id, "changed by the person"),
        ask.services.clock(),
        alone=alone,
        keep_session=session.id,
        before_commit=own_act(ask, login.user_id, login.insz),
    )
    return ask.page("changed_means.html", {"title": ask.text(CHANGED), "ended": ended_words(ask, ending)})


async def forgotten(ask: Ask) -> web.StreamResponse:
    """`GET /forgotten`: what to do when something is lost. The same for everybody: nothing is looked up."""
    return ask.page("forgotten.html", {"ways": ways(ask), **ask.helpers})


async def _page(
    ask: Ask, *, general: str = "", faults: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    session, user = ask.session, ask.user
    login = None if user is None else await ask.services.records.find_login(user.user_id)
    if session is None or login is None:
        return ask.redirect("/applications")
    context = {
        "asks_old": not without_old(ask, session),
        "least": least_characters(login),
        "user_id": login.user_id,
        "general": general,
        "faults": faults or {},
    }
    return ask.page("own_password.html", context, status=status)
