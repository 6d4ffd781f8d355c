"""The list of an institution's people: searched by the beginning of any word of the name or user ID, filtered, and paged."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gateway.portal import catalogue
from gateway.portal.administration import address_of, administrator
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.records.search import ONLY, Found, Only
from gateway.records.values import USER_ID

PEOPLE_ON_A_PAGE: Final = 25
MAX_SEARCH_CHARACTERS: Final = 100
SHOWN: Final[dict[Only, str]] = {
    "all": N_("everybody"),
    "blocked": N_("who is blocked"),
    "undesignated": N_("who is not designated for anything"),
    "lapsing": N_("whose designation ends soon"),
    "review": N_("whose designation was made under a mandate that has ended"),
}
DONE: Final = {
    "left": N_("That person has left the institution: everything of theirs has ended."),
}
"""What was done on a page that is no more, by the word in the address."""


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /administration?search=…&only=…&after=…` (or `before`): the people of the institution."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    query = ask.request.query
    search = " ".join(query.get("search", "").split())[:MAX_SEARCH_CHARACTERS]
    only: Only = next((each for each in ONLY if each == query.get("only")), "all")
    edges = {name: query[name] for name in ("after", "before") if USER_ID.fullmatch(query.get(name, ""))}
    now = ask.services.clock()
    found = await ask.services.records.find_people(
        who.user.institution, search, only, now=now, most=PEOPLE_ON_A_PAGE, **edges
    )
    institution = ask.services.snapshot().institutions.get(who.user.institution)
    context = {
        "institution": who.user.institution if institution is None else institution.name.in_(ask.language),
        "search": search,
        "only": only,
        "choices": SHOWN,
        "people": [(each, address_of(each.user_id), _states(ask, each, now)) for each in found.people],
        "before": found.before and _list_address(search, only, before=found.before),
        "after": found.after and _list_address(search, only, after=found.after),
        "done": DONE.get(query.get("done", ""), ""),
        "printed": catalogue.day(ask.language, now),
    }
    return ask.page("administration.html", context)


def _states(ask: Ask, person: Found, now: float) -> list[tuple[str, str]]:
    """What there is to know at a glance, each with how it is marked."""
    if person.validity.end <= now:
        return [(ask.text(N_("has expired")), "bad")]
    found = []
    if person.blocked:
        found.append((ask.text(N_("blocked")), "bad"))
    if now < person.validity.start:
        day = catalogue.day(ask.language, person.validity.start)
        found.append((ask.text(N_("from %(day)s")) % {"day": day}, "note"))
    if person.last_end is None or person.last_end <= now:
        found.append((ask.text(N_("not designated")), "note"))
    else:
        last = catalogue.last_day(ask.language, person.last_end)
        text = N_("designated without an end") if last is None else N_("designated until %(day)s")
        found.append((ask.text(text) % {"day": last}, "good"))
    return found


def _list_address(search: str, only: Only, **edge: str) -> str:
    return f"/administration?{urlencode({'search': search, 'only': only, **edge})}"
