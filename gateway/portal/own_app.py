"""The app for security codes: added, replaced and removed by its person, who has just proved who they are by a token or better, or by an
activation code. Never by e-mail, and never by the password alone: that would make two means out of one.
"""

from __future__ import annotations

from typing import Final

import segno
from aiohttp import web
from markupsafe import Markup

from gateway.credentials import totp
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.errors import CredentialError
from gateway.model import Means, Session
from gateway.portal.acts import ended_words, others, own_act, own_word
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.own_pages import APP_PAGE, FRESH_SECONDS, OWN_PAGES, suffices
from gateway.records import Login

SECONDS: Final = 900.0
"""A quarter of an hour to install an app and scan the code."""
ACTIVATED_SECONDS: Final = 60.0
"""A session that began so soon after an activation code was used is the one that it began."""

NEED_CODE: Final = N_("Fill in the code that your app shows.")
NO_CODE: Final = N_("The code of an app has six digits.")
NOT_ITS_CODE: Final = N_(
    "That is not the code that this app shows now. Wait for the next one, and check that the clock of your telephone is right."
)
FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was changed: please try again.")
NO_ROOM: Final = N_("Too many people are doing this at the moment. Please try again in a few minutes.")
ADDED: Final = N_("Your app has been added")
REMOVED: Final = N_("Your app has been removed")
NEEDED: Final = N_(
    "Without the app you could not sign in any more: your password is too short to be used alone. Choose a longer one first."
)


async def allowed(ask: Ask, session: Session) -> bool:
    """Whether this session may change the app now."""
    if suffices(OWN_PAGES[APP_PAGE], session, ask.now):
        return True
    if session.means.level >= Means.TOKEN.level or ask.now - session.created_at > FRESH_SECONDS:
        return False
    began = await ask.services.records.changes_to_means(session.user_id, session.created_at - ACTIVATED_SECONDS)
    return any(change.what == "used" and change.at <= session.created_at for change in began)


async def form_page(ask: Ask) -> web.StreamResponse:
    """`GET /methods/app`: a new secret, as a QR code and as text; it counts when a code of it was shown."""
    session = ask.session
    login = None if session is None else await ask.services.records.find_login(session.user_id)
    if session is None or login is None:
        return ask.redirect("/applications")
    if not await allowed(ask, session):
        return ask.redirect(f"/step-up?page={APP_PAGE}")
    key, secret = make_token(ask.services.random(TOKEN_BYTES)), ask.services.random(totp.SECRET_BYTES)
    kept = {"secret": totp.write_secret(secret)}
    if not await ask.services.records.new_pending(
        token_hash(key), "app", ask.holder_hash, kept, SECONDS, network=ask.network
    ):
        return ask.notice(N_("This service is not available at the moment"), NO_ROOM, status=503)
    return _page(ask, login, key, secret)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /methods/app`: a code of the new secret; then it counts, and every other session ends."""
    form = await ask.form()
    session, user = ask.session, ask.user
    login = None if user is None else await ask.services.records.find_login(user.user_id)
    if session is None or user is None or login is None:
        return ask.redirect("/applications")
    key, code, records = form.get("key", ""), form.get("code", "").strip(), ask.services.records
    if not ask.form_fits(form) or not await allowed(ask, session):
        return ask.notice(_AGAIN, FORM_TOO_OLD, status=403, link="/methods", link_text=N_("My sign-in methods"))
    secret = await _secret(ask, key)
    if secret is None:
        return _over(ask)
    now = ask.services.clock()
    try:
        step = totp.verify(secret, code, now, 0)
    except CredentialError as error:
        told = NOT_ITS_CODE if error.reason == "code_wrong" else NO_CODE if code else NEED_CODE
        return _page(ask, login, key, secret, faults={"code": ask.text(told)}, status=422)
    if await records.take_pending(token_hash(key), "app", ask.holder_hash) is None:
        return _over(ask)
    ending = len(await others(ask, user, session))
    await records.set_totp(
        login.user_id,
        secret,
        own_word(login.user_id, "added by the person"),
        now,
        own_act(ask, login.user_id, login.insz),
        keep_session=session.id,
    )
    added = await records.find_login(login.user_id)
    if added is not None:
        await records.take_totp_step(added, step)
    return ask.page("changed_means.html", {"title": ask.text(ADDED), "ended": ended_words(ask, ending)})


async def remove(ask: Ask) -> web.StreamResponse:
    """`POST /methods/app/remove`."""
    form = await ask.form()
    session, user = ask.session, ask.user
    login = None if user is None else await ask.services.records.find_login(user.user_id)
    if session is None or user is None or login is None or login.totp_credential is None:
        return ask.redirect("/methods")
    if not ask.form_fits(form):
        return ask.notice(_AGAIN, FORM_TOO_OLD, status=403, link="/methods", link_text=N_("My sign-in methods"))
    if not await allowed(ask, session):
        return ask.redirect(f"/step-up?page={APP_PAGE}")
    if not login.password_alone and not login.has_code_card:
        return ask.notice(_AGAIN, NEEDED, status=409, link="/methods/password", link_text=N_("Change my password"))
    ending = len(await others(ask, user, session))
    await ask.services.records.end_credential(
        login.totp_credential,
        own_word(login.user_id, "removed by the person"),
        ask.services.clock(),
        own_act(ask, login.user_id, login.insz),
        keep_session=session.id,
    )
    return ask.page("changed_means.html", {"title": ask.text(REMOVED), "ended": ended_words(ask, ending)})


_AGAIN: Final = N_("Nothing was changed")
OVER: Final = N_("This page has been used already, or is too old")
OVER_TEXT: Final = N_(
    "Your app may have been added already: look at your sign-in methods. If it is not there, begin again."
)


def _over(ask: Ask) -> web.Response:
    """The secret is not waited for any more: whoever clicked twice is not told that nothing was done."""
    return ask.notice(OVER, OVER_TEXT, status=410, link="/methods", link_text=N_("My sign-in methods"))


async def _secret(ask: Ask, key: str) -> bytes | None:
    try:
        kept = await ask.services.records.peek_pending(token_hash(key), "app", ask.holder_hash)
        return None if kept is None else totp.parse_secret(kept["secret"])
    except CredentialError:
        return None


def _page(
    ask: Ask, login: Login, key: str, secret: bytes, *, faults: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    text = totp.write_secret(secret)
    uri = totp.enrolment_uri(secret, login.user_id, ask.settings.host)
    drawn = segno.make(uri, error="m").svg_inline(omitsize=True, svgclass="qr", lineclass=None)
    context = {
        # The secret stands beside it as text, for whoever cannot scan it.
        "qr": Markup(drawn.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)),  # noqa: S704 - drawn here
        "secret": " ".join(text[start : start + 4] for start in range(0, len(text), 4)),
        "key": key,
        "replaces": login.has_totp,
        "general": "",
        "faults": faults or {},
    }
    return ask.page("own_app.html", context, status=status)
