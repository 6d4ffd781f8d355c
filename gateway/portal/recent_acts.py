"""What changed lately at the institution, and by whom: the acts on its people, newest first."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.portal import catalogue
from gateway.portal.act_words import said_acts
from gateway.portal.administration import address_of, administrator
from gateway.portal.ask import Ask

ACTS_ON_A_PAGE: Final = 50


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /administration/recent?before=…`."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    text = ask.request.query.get("before", "")
    before = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
    found = await ask.services.records.recent_acts(who.user.institution, ACTS_ON_A_PAGE + 1, before)
    shown = found[:ACTS_ON_A_PAGE]
    context = {
        "acts": [(said, address_of(said.whose)) for said in await said_acts(ask, shown)],
        "first": before is None,
        "older": f"/administration/recent?before={shown[-1].seq}" if len(found) > len(shown) else "",
        "printed": catalogue.day(ask.language, ask.services.clock()),
    }
    return ask.page("administration_recent.html", context)
