"""Administration of means: what a local administrator sees of the people of their own institution, and does for them (clause P5).

Open to whoever holds a live mandate and signed in with their eID (DESIGN section 1); to everybody else the pages do not exist, and so
it is with another institution's people. Every act rests on the mandate, has a reason, and is a line of the ledger first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from gateway.errors import Conflict
from gateway.ledger.record import administration_record
from gateway.model import Means, Session, UserRecords
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand
from gateway.portal.information import not_found
from gateway.portal.ways import ways
from gateway.portal.words import CREDENTIALS
from gateway.records import BeforeCommit, By, Change, Login

PEOPLE_ON_A_PAGE: Final = 25
MAX_SEARCH_CHARACTERS: Final = 100
MAX_REASON_CHARACTERS: Final = 200

EID_NEEDED: Final = N_("Administration asks for your eID")
NEED_REASON: Final = N_("Say in a few words why: it stays with the record.")
OWN_MEANS: Final = N_(
    "Nobody administers their own means. Ask another local administrator of your institution, or its head official."
)
FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was changed: please try again.")
MEANWHILE: Final = N_("This was changed meanwhile, by you in another tab or by somebody else. Nothing more was done.")
DONE_ENDED: Final = N_("That means is void now, and the sessions of this user ID have ended.")
DONE_SESSIONS: Final = N_("The sessions of this user ID have ended.")


class Administrator(NamedTuple):
    """Who administers: their session, their user ID, the person, and the mandate that they act under."""

    session: Session
    user: UserRecords
    mandate: int

    def by(self, reason: str) -> By:
        return By(f"user:{self.user.user_id}", reason, self.mandate)


async def mandate_of(ask: Ask, user: UserRecords) -> int | None:
    """The live mandate of this user ID for its institution, None without one; the newest of several."""
    held = await ask.services.records.entries("mandate", user_id=user.user_id)
    now = ask.services.clock()
    live = [each.record for each in held if each.institution == user.institution and each.validity.holds(now)]
    return max(live, default=None)


async def administrator(ask: Ask) -> Administrator | web.Response:
    """Who asks, when they may administer; else the page that says what is missing, or that there is no such page."""
    session, user = ask.session, ask.user
    mandate = None if session is None or user is None else await mandate_of(ask, user)
    if session is None or user is None or mandate is None:
        return not_found(ask)
    if session.means is not Means.EID:
        return _eid_needed(ask, user)
    return Administrator(session, user, mandate)


def _eid_needed(ask: Ask, user: UserRecords) -> web.Response:
    with_card = [way for way in ways(ask) if Means.EID in way.means]
    context = {
        "title": EID_NEEDED,
        "user_id": user.user_id,
        "ways": with_card,
        "fields": Errand(True, {}).fields,
    }
    hosts = [address for way in with_card for address in way.leads_to]
    return ask.page("administration_eid.html", context, status=403, leads_to=hosts)


async def target(ask: Ask, who: Administrator, user_id: str) -> Login | None:
    """The person to act for: one with a live user ID at the administrator's institution."""
    login = await ask.services.records.find_login(user_id)
    here = login is not None and login.institution == who.user.institution
    return login if login is not None and here and login.validity.holds(ask.services.clock()) else None


def line_of(ask: Ask, who: Administrator, login: Login, by: By) -> BeforeCommit:
    """Writes the act's line before it is committed (clause T1)."""
    sealer = ask.services.sealer

    async def write(change: Change) -> None:
        await ask.services.admin.write(
            administration_record(
                ask.handed.reference,
                act=change.act,
                actor="portal",
                by=sealer.person(who.user.user_id, who.user.insz),
                person=sealer.person(login.user_id, login.insz),
                institution=login.institution,
                on_behalf_of=by.mandate,
                reason=by.reason,
                objects=change.objects,
            )
        )

    return write


Act = Callable[[Ask, Administrator, Login, By, dict[str, str]], Awaitable[web.StreamResponse]]


def act(does: Act) -> Callable[[Ask], Awaitable[web.StreamResponse]]:
    """The handler of a form on a person's page: what every act asks for first."""

    async def handle(ask: Ask) -> web.StreamResponse:
        who = await administrator(ask)
        if isinstance(who, web.Response):
            return who
        form = await ask.form()
        login = await target(ask, who, form.get("user_id", ""))
        if login is None:
            return not_found(ask)
        reason = " ".join(form.get("reason", "").split())
        if not ask.form_fits(form):
            return await person_page(ask, who, login, general=ask.text(FORM_TOO_OLD), status=403)
        if login.person == who.user.person:
            return await person_page(ask, who, login, general=ask.text(OWN_MEANS), status=403)
        if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
            return await person_page(ask, who, login, general=ask.text(NEED_REASON), status=422)
        try:
            return await does(ask, who, login, who.by(reason), form)
        except Conflict:
            again = await target(ask, who, login.user_id)
            if again is None:
                return not_found(ask)
            return await person_page(ask, who, again, general=ask.text(MEANWHILE), status=409)

    return handle


async def people(ask: Ask) -> web.StreamResponse:
    """`GET /administration?search=…&page=…`: the people of the institution."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    search = " ".join(ask.request.query.get("search", "").split())[:MAX_SEARCH_CHARACTERS]
    asked = ask.request.query.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 5 and int(asked) > 0 else 1
    first = (page - 1) * PEOPLE_ON_A_PAGE
    found = await ask.services.records.listed(who.user.institution, search, first, PEOPLE_ON_A_PAGE + 1)
    institution = ask.services.snapshot().institutions.get(who.user.institution)
    context = {
        "institution": who.user.institution if institution is None else institution.name.in_(ask.language),
        "search": search,
        "people": [(each, address_of(each.user_id)) for each in found[:PEOPLE_ON_A_PAGE]],
        "before": _list_address(search, page - 1) if page > 1 else "",
        "after": _list_address(search, page + 1) if len(found) > PEOPLE_ON_A_PAGE else "",
    }
    return ask.page("administration.html", context)


async def person(ask: Ask) -> web.StreamResponse:
    """`GET /administration/person?user_id=…`: somebody's means, and what can be done."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    login = await target(ask, who, ask.request.query.get("user_id", ""))
    return not_found(ask) if login is None else await person_page(ask, who, login)


async def person_page(
    ask: Ask, who: Administrator, login: Login, *, general: str = "", done: str = "", status: int = 200
) -> web.Response:
    records, now = ask.services.records, ask.services.clock()
    used = await records.means_used(login.user_id)
    live = [
        each for each in await records.sessions_of(login.user_id) if each.ended_at is None and now < each.expires_at
    ]
    rows = [
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
        "own": login.person == who.user.person,
        "rows": rows,
        "sessions": len(live),
        "general": general,
        "done": done,
    }
    return ask.page("administration_person.html", context, status=status, again={"user_id": login.user_id})


async def end_credential(
    ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]
) -> web.StreamResponse:
    """`POST /administration/end`: a lost card or telephone, a password that somebody saw, a letter that went astray."""
    records, chosen = ask.services.records, form.get("credential", "")
    held = await records.entries("credential", user_id=login.user_id)
    credential = next((entry.record for entry in held if str(entry.record) == chosen), None)
    if credential is None:
        raise Conflict("no such means of this user ID")
    await records.end_credential(credential, by, ask.services.clock(), line_of(ask, who, login, by))
    return await _done(ask, who, login, DONE_ENDED)


async def end_sessions(ask: Ask, who: Administrator, login: Login, by: By, _: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/sessions`: ends all sessions of the user ID, everywhere."""
    await ask.services.records.end_sessions_of(
        login.user_id, by.reason, by.signature, before_commit=line_of(ask, who, login, by)
    )
    return await _done(ask, who, login, DONE_SESSIONS)


async def _done(ask: Ask, who: Administrator, login: Login, text: str) -> web.Response:
    again = await target(ask, who, login.user_id)
    return not_found(ask) if again is None else await person_page(ask, who, again, done=ask.text(text))


def address_of(user_id: str) -> str:
    return f"/administration/person?{urlencode({'user_id': user_id})}"


def _list_address(search: str, page: int) -> str:
    return f"/administration?{urlencode({'search': search, 'page': page})}"
