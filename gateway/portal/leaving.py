"""Somebody leaves the institution: one page that lists everything that ends, one act that ends it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.portal.act_words import title_of
from gateway.portal.administration import (
    NOTHING_TO_TELL,
    Administrator,
    Telling,
    address_of,
    administrator,
    last_seen,
    line_of,
    target,
)
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.information import not_found
from gateway.portal.offices import HEAD_STAYS, NAMES, leads, offices_held
from gateway.portal.person_sheet import person_page
from gateway.portal.words import CREDENTIALS
from gateway.records import By, Login

NOT_SURE: Final = N_("Tick the box to say that everything in the list is to end.")


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /administration/leave?user_id=…`: what would end."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    login = await target(ask, who, ask.request.query.get("user_id", ""))
    return not_found(ask) if login is None else await leave_page(ask, who, login)


async def leave_page(ask: Ask, who: Administrator, login: Login, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    if login.person == who.user.person:
        return await person_page(ask, who, login, telling)
    records, now = ask.services.records, ask.services.clock()
    user = await records.user(login.user_id)
    mandates = [each for each in await records.mandates_of(login.user_id) if now < each.given.end]
    context = {
        "login": login,
        "telling": telling,
        "seen": await last_seen(ask, login.user_id),
        "designations": [
            title_of(ask, str(entry.says["authorisation"]))
            for entry in await records.entries("designation", user_id=login.user_id)
            if now < entry.validity.end
        ],
        "roles": [str(entry.says["role"]) for entry in await records.entries("role", user_id=login.user_id)],
        "means": [
            ask.text(CREDENTIALS[str(entry.says["kind"])])
            for entry in await records.entries("credential", user_id=login.user_id)
            if now < entry.validity.end
        ],
        "sessions": sum(
            each.ended_at is None and now < each.expires_at for each in await records.sessions_of(login.user_id)
        ),
        "mandates": len(mandates),
        "offices": [NAMES[name] for name in ({} if user is None else await offices_held(ask, user))],
        "back": address_of(login.user_id),
    }
    return ask.page("administration_leave.html", context, status=telling.status, again={"user_id": login.user_id})


async def leave(ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/leave`, with `all`: everything that hangs on the user ID ends, in one act."""
    if not form.get("all"):
        faults = {"all": ask.text(NOT_SURE)}
        return await leave_page(ask, who, login, Telling(faults=faults, typed=form, status=422))
    if await leads(ask, login.user_id):
        return await leave_page(ask, who, login, Telling(ask.text(HEAD_STAYS), status=403))
    await ask.services.records.end_user_id(login.user_id, by, ask.services.clock(), line_of(ask, who))
    return ask.redirect("/administration?done=left")
