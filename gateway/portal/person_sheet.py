"""One person as their local administrator sees them: who they are, what they are designated for, their roles and means, and what can be done."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gateway.errors import Conflict
from gateway.model import Designation, UserRecords
from gateway.portal import catalogue
from gateway.portal.act_words import said_acts, title_of
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
from gateway.portal.language import NAMES
from gateway.portal.offices import HEAD_STAYS, leads
from gateway.portal.words import CREDENTIALS, MEANS, NO_NAME, USES
from gateway.records import By, Login
from gateway.records.lists import Entry

MOST_RECENT: Final = 5
"""Acts on the person that are shown on their page; the page of recent changes has them all."""
DONE_ENDED: Final = N_("That means is void now, and the sessions of this user ID have ended.")
DONE_SESSIONS: Final = N_("The sessions of this user ID have ended.")
DONE_BLOCKED: Final = N_("This person is blocked: what they had open ends within a second, and they cannot sign in.")
DONE_UNBLOCKED: Final = N_("This person is no longer blocked and can sign in again.")
WAITS: Final = N_("waits for the head official's confirmation")
REVIEW: Final = N_("made under a mandate that has ended: it lapses unless it is confirmed again")


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /administration/person?user_id=…`."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    login = await target(ask, who, ask.request.query.get("user_id", ""))
    return not_found(ask) if login is None else await person_page(ask, who, login)


async def person_page(ask: Ask, who: Administrator, login: Login, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    records, now = ask.services.records, ask.services.clock()
    user = await records.user(login.user_id)
    used = await records.means_used(login.user_id)
    means = [
        {
            "credential": entry.record,
            "kind": ask.text(CREDENTIALS[str(entry.says["kind"])]),
            "since": catalogue.day(ask.language, entry.recorded_at),
            "until": catalogue.last_day(ask.language, entry.validity.end),
            "used": catalogue.day(ask.language, at) if (at := used.get(str(entry.says["kind"]))) else "",
        }
        for entry in await records.entries("credential", user_id=login.user_id)
        if entry.validity.holds(now)
    ]
    context = {
        "login": login,
        "language": NAMES[login.language],
        "own": login.person == who.user.person,
        "designations": await _designations(ask, who, user, now),
        "open_choices": bool(who.authorisations(ask)),
        "roles": [
            {
                "record": entry.record,
                "role": str(entry.says["role"]),
                "since": catalogue.day(ask.language, entry.validity.start),
                "until": catalogue.last_day(ask.language, entry.validity.end),
                "may_end": may_end_role(ask, who, str(entry.says["role"])),
            }
            for entry in await records.entries("role", user_id=login.user_id)
            if now < entry.validity.end
        ],
        "role_choices": sorted(roles_of(ask, who)),
        "roles_from_outside": ask.services.snapshot().roles_stale_seconds is not None,
        "means": means,
        "sessions": [
            {
                "client": entry.session.client or NO_NAME,
                "means": MEANS[entry.session.means.value],
                "since": catalogue.day_and_time(ask.language, entry.session.created_at),
                "seen": catalogue.day_and_time(ask.language, entry.last_seen),
            }
            for entry in await records.open_sessions_of(login.user_id, now, ask.services.snapshot().idle_seconds)
        ],
        "recent": await said_acts(ask, await records.acts_on(login.user_id, MOST_RECENT)),
        "seen": await last_seen(ask, login.user_id),
        "telling": telling,
        "designate": address_of(login.user_id, "designate"),
        "change": address_of(login.user_id, "change"),
        "leave": address_of(login.user_id, "leave"),
        "why": address_of(login.user_id, "why"),
        "printed": catalogue.day(ask.language, now),
    }
    again = {"user_id": login.user_id}
    return ask.page("administration_person.html", context, status=telling.status, again=again)


def roles_of(ask: Ask, who: Administrator) -> frozenset[str]:
    """The user-management roles that a transaction of the administrator's authorisations asks for; none where an outside source says who
    has them, since what is given here would open nothing."""
    snapshot = ask.services.snapshot()
    if snapshot.roles_stale_seconds is not None:
        return frozenset()
    transactions = snapshot.transactions
    asked = (transactions.get(each.transaction) for each in who.authorisations(ask).values())
    return frozenset(each.role for each in asked if each is not None and each.role is not None)


def may_end_role(ask: Ask, who: Administrator, role: str) -> bool:
    """Whether a role is the administrator's to take away: any under a mandate for all, else one of those that they may give."""
    return any(each.scope is None for each in who.mandates) or role in roles_of(ask, who)


async def _designations(ask: Ask, who: Administrator, user: UserRecords | None, now: float) -> list[dict[str, Any]]:
    """Those that stand or are to begin, in the order of their authorisations, each with who made it and why."""
    if user is None:
        return []
    made = {entry.record: entry for entry in await ask.services.records.entries("designation", user_id=user.user_id)}
    rows = []
    for reference, named in sorted(user.designations.items()):
        rows += [
            _designation(ask, who, reference, each, made[each.id], now)
            for each in named
            if each.id in made and now < each.validity.end
        ]
    return rows


def _designation(
    ask: Ask, who: Administrator, reference: str, named: Designation, entry: Entry, now: float
) -> dict[str, Any]:
    over = named.mandate is not None and named.mandate.validity.end <= now
    return {
        "record": named.id,
        "reference": reference,
        "title": title_of(ask, reference),
        "uses": [ask.text(USES[use]) for use in sorted(named.uses)],
        "begins": catalogue.day(ask.language, named.validity.start) if now < named.validity.start else "",
        "until": catalogue.last_day(ask.language, entry.validity.end),
        "again": catalogue.last_day(ask.language, named.validity.end)
        if named.validity.end < entry.validity.end
        else "",
        "reason": entry.reason,
        "notes": [ask.text(text) for text, holds in ((WAITS, not named.confirmed), (REVIEW, over)) if holds],
        "may_end": who.for_authorisation(reference) is not None,
    }


# --- small acts -----------------------------------------------------------------------------------------------------------


async def end_credential(
    ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]
) -> web.StreamResponse:
    """`POST /administration/end`: a lost card or telephone, a password that somebody saw, a letter that went astray."""
    records, chosen = ask.services.records, form.get("credential", "")
    held = await records.entries("credential", user_id=login.user_id)
    credential = next((entry.record for entry in held if str(entry.record) == chosen), None)
    if credential is None:
        raise Conflict("no such means of this user ID")
    await records.end_credential(credential, by, ask.services.clock(), line_of(ask, who))
    return await done(ask, who, login, DONE_ENDED)


async def end_sessions(ask: Ask, who: Administrator, login: Login, by: By, _: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/sessions`: ends all sessions of the user ID, everywhere."""
    await ask.services.records.end_sessions_of(login.user_id, by.reason, by.signature, before_commit=line_of(ask, who))
    return await done(ask, who, login, DONE_SESSIONS)


async def block(ask: Ask, who: Administrator, login: Login, by: By, _: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/block`: nobody signs in with this user ID, and what is open ends."""
    if await leads(ask, login.user_id):
        return await person_page(ask, who, login, Telling(ask.text(HEAD_STAYS), status=403))
    await ask.services.records.block_user_id(login.user_id, by, ask.services.clock(), line_of(ask, who))
    return await done(ask, who, login, DONE_BLOCKED)


async def unblock(ask: Ask, who: Administrator, login: Login, by: By, _: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/unblock`."""
    await ask.services.records.unblock_user_id(login.user_id, by, ask.services.clock(), line_of(ask, who))
    return await done(ask, who, login, DONE_UNBLOCKED)


async def done(ask: Ask, who: Administrator, login: Login, text: str) -> web.Response:
    """The person's page with what was done."""
    again = await target(ask, who, login.user_id)
    return not_found(ask) if again is None else await person_page(ask, who, again, Telling(done=ask.text(text)))
