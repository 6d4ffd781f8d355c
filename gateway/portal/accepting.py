"""Accepting a mandate: what it means is read, and accepted or not, by its holder, with their eID (clause P5).

Whoever has a mandate that waits comes here at their next sign-in; until they accept it, it is not in force. "Later" is an answer too: nobody
is kept from their applications by a mandate.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.errors import Conflict
from gateway.model import Means, Session, UserRecords
from gateway.portal import catalogue
from gateway.portal.act_words import title_of
from gateway.portal.ask import Ask
from gateway.portal.errand import mandate_waits
from gateway.portal.hand_over import host_name, mandate_page, onward, open_start
from gateway.portal.head import line_of
from gateway.portal.own_pages import MANDATE_PAGE
from gateway.portal.ways import ways
from gateway.records import By

ACCEPTED_REASON: Final = "accepted by its holder"


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /mandate?start=…`."""
    session, user, token = ask.session, ask.user, ask.request.query.get("start", "")
    if session is None or user is None:
        return ask.redirect("/applications")
    return await _page(ask, session, user, token)


async def answer(ask: Ask) -> web.StreamResponse:
    """`POST /mandate`, with `mandate` and `answer`: `accept`, `decline`, or anything else for later."""
    form = await ask.form()
    session, user, token = ask.session, ask.user, form.get("start", "")
    if session is None or user is None or ask.moved or not ask.form_fits(form):
        return ask.redirect(mandate_page(token if open_start(ask, token) else ""))
    chosen, now = form.get("answer", ""), ask.services.clock()
    if chosen in ("accept", "decline") and session.means is Means.EID:
        records, by = ask.services.records, By(f"user:{user.user_id}", ACCEPTED_REASON)
        waits = await mandate_waits(ask, user)
        if waits is None or str(waits.record) != form.get("mandate"):
            return await _page(ask, session, user, token, status=409)
        say = records.accept_mandate if chosen == "accept" else records.decline_mandate
        try:
            await say(waits.record, by, now, line_of(ask, user))
        except Conflict:
            return await _page(ask, session, user, token, status=409)
        if await mandate_waits(ask, user) is not None:
            return await _page(ask, session, user, token)
    return await onward(ask, session, open_start(ask, token))


async def _page(ask: Ask, session: Session, user: UserRecords, token: str, *, status: int = 200) -> web.Response:
    mandate = await mandate_waits(ask, user)
    if mandate is None:
        return await onward(ask, session, open_start(ask, token))
    language = ask.language
    with_card = [way for way in ways(ask) if Means.EID in way.means]
    context = {
        "mandate": mandate.record,
        "institution": ask.institution_name(mandate.institution),
        "scope": [title_of(ask, reference) for reference in mandate.scope or ()],
        "begins": catalogue.day(language, mandate.given.start),
        "until": catalogue.last_day(language, mandate.given.end),
        "act": mandate.act,
        "eid": session.means is Means.EID,
        "door": f"/step-up?page={MANDATE_PAGE}" if with_card else "",
        "start": token,
    }
    start = open_start(ask, token)
    hosts = () if start is None else (ask.settings.address_of(host_name(start)),)
    return ask.page("accepting.html", context, status=status, leads_to=hosts, again={"start": token} if token else {})
