"""Pages and files that need no session: language, help, privacy, accessibility, and what programs look for at fixed places."""

from __future__ import annotations

import datetime as dt
from typing import Final

from aiohttp import web

from gateway.portal import catalogue, cookies, language
from gateway.portal.addresses import own_path
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.render import contact_address

SECURITY_TXT_SECONDS: Final = 90 * 86400
"""RFC 9116 section 2.5.5: less than a year ahead; whoever reads an old copy should look again each quarter."""
STATIC_FIELDS: Final[dict[str, str]] = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DAY_FIELDS: Final[dict[str, str]] = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
_KEYS_FIELDS: Final[dict[str, str]] = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}


async def switch_language(ask: Ask) -> web.StreamResponse:
    """`GET /language?to=fr&back=/…`: remembers the choice for this host and goes back."""
    response = ask.redirect(own_path(ask.request.query.get("back")))
    chosen = language.known(ask.request.query.get("to"))
    if chosen is not None:
        cookies.set_cookie(response, cookies.LANGUAGE, chosen, cookies.YEAR_SECONDS)
    return response


async def help_page(ask: Ask) -> web.StreamResponse:
    context = {
        **ask.helpers,
        "fault_report": ask.settings.fault_report,
        "idle_minutes": catalogue.number(ask.language, ask.services.snapshot().idle_seconds / 60),
        "longest_hours": catalogue.number(ask.language, ask.settings.absolute_seconds / 3600),
        "warn_minutes": catalogue.number(ask.language, ask.settings.warn_before_seconds / 60),
    }
    return ask.page("help.html", context)


async def privacy_page(ask: Ask) -> web.StreamResponse:
    return ask.page("privacy.html", {"address": ask.settings.privacy_url, "service": ask.settings.help_desk})


async def accessibility_page(ask: Ask) -> web.StreamResponse:
    context = {"address": ask.settings.accessibility_url, "fault_report": ask.settings.fault_report}
    return ask.page("accessibility.html", context)


async def static_file(ask: Ask) -> web.StreamResponse:
    asset = ask.tools.assets.served(ask.request.match_info["name"])
    if asset is None:
        return not_found(ask)
    return web.Response(body=asset.content, headers={**STATIC_FIELDS, "Content-Type": asset.content_type})


async def favicon(ask: Ask) -> web.StreamResponse:
    asset = ask.tools.assets.named("favicon.ico")
    return web.Response(body=asset.content, headers={**_DAY_FIELDS, "Content-Type": asset.content_type})


async def robots(ask: Ask) -> web.StreamResponse:
    return web.Response(text="User-agent: *\nDisallow: /\n", headers=_DAY_FIELDS)


async def security_txt(ask: Ask) -> web.StreamResponse:
    """RFC 9116."""
    day = dt.datetime.fromtimestamp((ask.now + SECURITY_TXT_SECONDS) // 86400 * 86400, dt.UTC)
    lines = [
        f"Contact: {contact_address(ask.settings.fault_report) or f'{ask.settings.address}/help'}",
        f"Expires: {day:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: nl, fr, de, en",
        f"Canonical: {ask.settings.address}/.well-known/security.txt",
    ]
    return web.Response(text="\n".join(lines) + "\n", headers=_DAY_FIELDS)


async def key_set(ask: Ask) -> web.StreamResponse:
    """The public keys of the assertion (RFC 7517)."""
    return web.Response(body=ask.services.jwks(), headers={**_KEYS_FIELDS, "Content-Type": "application/jwk-set+json"})


def not_found(ask: Ask) -> web.Response:
    return ask.notice(
        N_("This page does not exist"),
        N_("Check the address for typing errors."),
        status=404,
    )
