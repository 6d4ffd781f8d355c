"""From the portal to a transaction host and back to where the person wanted to go (DESIGN section 6).

The portal makes a one-time code and sends the browser to `/.gateway/enter` on that host; there the code is good once, for 60 s, and
only in the browser that was challenged there (the start cookie). The target never comes from a request.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.credentials.start import Start, cookie_hash
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.decision.places import FORM_PAGE
from gateway.errors import CredentialError
from gateway.model import Session
from gateway.portal import cookies, language
from gateway.portal.addresses import own_path
from gateway.portal.ask import ONE_TIME_FIELDS, Ask
from gateway.portal.catalogue import N_

CODE_SECONDS: Final = 60.0
"""DESIGN section 6."""
MAX_START_CHARACTERS: Final = 4096
CLEAR_SITE_DATA: Final = '"cache", "storage"'
"""Never "cookies": that reaches all sibling hosts (DESIGN section 6)."""


def open_start(ask: Ask, token: str) -> Start | None:
    """Where the person wanted to go; None when there is no way back, it took too long, or its host is not ours any more."""
    if not token or len(token) > MAX_START_CHARACTERS:
        return None
    try:
        start = ask.services.start_tokens.open(token, ask.now)
    except CredentialError:
        return None
    name = host_name(start)
    return start if name in ask.services.snapshot().names and name != ask.settings.host else None


def host_name(start: Start) -> str:
    """The host of a start, without its port, in lower case."""
    return start.host.partition(":")[0].lower()


def way_back(start: Start) -> str:
    """Where the person comes back to on that host: the page they asked for, or the one of the form that was kept."""
    return f"{FORM_PAGE}?key={quote(start.form)}" if start.form else own_path(start.target)


def regulation_page(token: str) -> str:
    return f"/regulation?start={quote(token)}" if token else "/regulation"


def changes_page(token: str) -> str:
    return f"/changes?start={quote(token)}" if token else "/changes"


def mandate_page(token: str) -> str:
    return f"/mandate?start={quote(token)}" if token else "/mandate"


def step_up_page(token: str) -> str:
    return f"/step-up?start={quote(token)}" if token else "/step-up"


def card_page(key: str) -> str:
    """Where a code of the card is asked for."""
    return f"/code-card?key={quote(key)}"


async def onward(ask: Ask, session: Session, start: Start | None) -> web.Response:
    """To the transaction host with a one-time code, or to my applications. Raises `RecordsError`.

    Never for a session that has moved (`Ask.moved`): the host's cookie is given to whatever client comes with the code.
    """
    if start is None:
        return ask.redirect("/applications")
    host = host_name(start)
    code = make_token(ask.services.random(TOKEN_BYTES))
    await ask.services.records.new_entry_code(
        token_hash(code),
        session.id,
        host,
        start.cookie_hash,
        way_back(start),
        ask.services.clock() + CODE_SECONDS,
    )
    response = ask.redirect(f"{ask.settings.address_of(host)}/.gateway/enter?code={code}&language={ask.language}")
    response.headers.update(ONE_TIME_FIELDS)
    return response


async def enter(ask: Ask) -> web.StreamResponse:
    """`GET /.gateway/enter?code=…` on a transaction host: gives this browser a session cookie for this host.

    Of several tabs that were challenged the first one brings the cookie and uses up the start cookie; the others only go on.
    """
    here = None if ask.session is None or ask.moved else ask.session.id
    spoken = language.known(ask.request.query.get("language"))
    entry = None
    try:
        hashed = token_hash(ask.request.query.get("code", ""))
    except CredentialError:
        hashed = None
    if hashed is not None:
        # Without the cookie as well: a code that was shown in the wrong browser is used up, and good for nobody any more.
        start_cookie = ask.cookie(cookies.START) or ""
        entry = await ask.services.records.take_entry_code(
            hashed, ask.host, cookie_hash(start_cookie), ask.services.clock(), here
        )
    if entry is None:
        return _with_one_time_fields(
            ask.notice(
                N_("This way in has been used, or is too old"),
                N_(
                    "A link from sign-in to a transaction is good once, for one minute, and only in the browser that asked for it. If you are signed in, “My applications” brings you there."
                ),
                status=403,
            )
        )
    response = _with_one_time_fields(ask.redirect(own_path(entry.target)))
    if entry.session_id != here:
        tag = ask.tools.tags.make(ask.host, entry.user_id)
        before = ask.cookie(cookies.LAST)
        if before is not None and before != tag:
            return _with_one_time_fields(_somebody_else(ask, own_path(entry.target), tag))
        token = make_token(ask.services.random(TOKEN_BYTES))
        await ask.services.records.attach_cookie(entry.session_id, ask.host, token_hash(token), ask.family)
        cookies.set_cookie(response, cookies.SESSION, token)
        cookies.set_cookie(response, cookies.LAST, tag, cookies.YEAR_SECONDS)
    cookies.expire_cookie(response, cookies.START)
    if spoken is not None:
        cookies.set_cookie(response, cookies.LANGUAGE, spoken, cookies.YEAR_SECONDS)
    return response


def _somebody_else(ask: Ask, target: str, tag: str) -> web.Response:
    """This host last served another user ID in this browser: what that one left behind goes first, and no session begins yet.

    The way on is the target itself: the host asks for a session, and the portal, which has one, hands over anew.
    """
    response = ask.page("changed.html", {"target": target})
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    cookies.set_cookie(response, cookies.LAST, tag, cookies.YEAR_SECONDS)
    cookies.expire_cookie(response, cookies.START)
    cookies.expire_cookie(response, cookies.SESSION)
    ask.forget_strange_cookies(response)
    return response


def _with_one_time_fields(response: web.Response) -> web.Response:
    response.headers.update(ONE_TIME_FIELDS)
    return response
