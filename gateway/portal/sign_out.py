"""Signing out: asks first, then ends the session on the server, for every host at once."""

from __future__ import annotations

from aiohttp import web

from gateway.portal import cookies
from gateway.portal.ask import HOST_PREFIX, Ask
from gateway.portal.hand_over import CLEAR_SITE_DATA
from gateway.portal.sessions import end


async def form_page(ask: Ask) -> web.StreamResponse:
    """`GET /sign-out` (`/.gateway/sign-out` on a transaction host)."""
    if ask.session is None:
        return _done(ask)
    return ask.page("sign_out.html", {"action": ask.request.path, "again": False})


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /sign-out`. The line is durable before the session ends."""
    session = ask.session
    if session is None or ask.user is None:
        return _done(ask)
    if not ask.form_fits(await ask.form()):
        return ask.page("sign_out.html", {"action": ask.request.path, "again": True}, status=403)

    await end(ask, session, cause="signed_out", reason="signed out")
    response = ask.redirect(f"{'' if ask.on_portal else HOST_PREFIX}/sign-out")
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    cookies.expire_cookie(response, cookies.SESSION)
    return response


def _done(ask: Ask) -> web.Response:
    return ask.page("signed_out.html")
