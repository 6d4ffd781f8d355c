"""The head official's pages: what every act on them asks for first, and the overview of the institution (clauses P4, P5).

Open to whoever the signed table names as head official of the institution that their user ID is of, with their eID. The acts themselves are
in `head_mandates`, `head_review` and `succession`. Who was head official yesterday finds no page today, and what they did stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gateway.errors import Conflict
from gateway.ledger.record import administration_record
from gateway.model import Authorisation, UserRecords
from gateway.portal import catalogue
from gateway.portal.act_words import said_acts
from gateway.portal.administration import (
    FORM_TOO_OLD,
    MAX_REASON_CHARACTERS,
    MEANWHILE,
    NEED_REASON,
    NOTHING_TO_TELL,
    Telling,
)
from gateway.portal.ask import Ask
from gateway.portal.offices import Officer, office
from gateway.records import BeforeCommit, Change, Login
from gateway.records.reviewing import Which

HEAD: Final = "head_official"
MOST_COUNTED: Final = 100
"""Beyond this the overview says "100+": whoever has so many begins at the first."""
LISTS: Final[tuple[Which, ...]] = ("waiting", "due", "orphaned")
MOST_RECENT: Final = 200
SHELL_SHOWN: Final = 10

Page = Callable[[Ask, Officer, Telling], Awaitable[web.Response]]
Act = Callable[[Ask, Officer, dict[str, str]], Awaitable[web.StreamResponse]]


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /head`: who administers, what waits, and what was done by command line in the institution's name."""
    officer = await office(ask, HEAD)
    if isinstance(officer, web.Response):
        return officer
    records, now = ask.services.records, ask.services.clock()
    mandates = await records.mandates_at(officer.institution)
    lists = {which: len(await records.reviewed(officer.institution, which, now, most=MOST_COUNTED)) for which in LISTS}
    done = await records.recent_acts(officer.institution, MOST_RECENT)
    by_shell = [each for each in done if each.by_user is None and each.actor not in ("gateway", "demo")][:SHELL_SHOWN]
    context = {
        "institution": ask.institution_name(officer.institution),
        "until": appointed_until(ask, officer.user),
        "act": officer.act,
        "in_force": sum(each.in_force(now) for each in mandates),
        "waiting": sum(each.waits(now) for each in mandates),
        "lists": {which: f"{MOST_COUNTED}+" if count >= MOST_COUNTED else str(count) for which, count in lists.items()},
        "successions": len(successions(ask, officer.institution)),
        "by_shell": [(each, catalogue.day_and_time(ask.language, each.at)) for each in await said_acts(ask, by_shell)],
    }
    return ask.page("head.html", context)


def act(does: Act, page: Page, *, reason: bool = True) -> Callable[[Ask], Awaitable[web.StreamResponse]]:
    """The handler of a form of a head official: what every act asks for first. `reason`: that it asks why."""

    async def handle(ask: Ask) -> web.StreamResponse:
        officer = await office(ask, HEAD)
        if isinstance(officer, web.Response):
            return officer
        form = await ask.form()
        if not ask.form_fits(form):
            return await page(ask, officer, Telling(ask.text(FORM_TOO_OLD), typed=form, status=403))
        if reason and not reason_of(form):
            return await page(ask, officer, Telling(ask.text(NEED_REASON), typed=form, status=422))
        try:
            return await does(ask, officer, form)
        except Conflict:
            return await page(ask, officer, Telling(ask.text(MEANWHILE), typed=form, status=409))

    return handle


def shown(page: Page) -> Callable[[Ask], Awaitable[web.StreamResponse]]:
    """The handler of the page itself."""

    async def handle(ask: Ask) -> web.StreamResponse:
        officer = await office(ask, HEAD)
        return officer if isinstance(officer, web.Response) else await page(ask, officer, NOTHING_TO_TELL)

    return handle


def reason_of(form: dict[str, str]) -> str:
    """Why; "" where the form does not say it in a line that can be kept."""
    reason = " ".join(form.get("reason", "").split())
    return reason if reason.isprintable() and len(reason) <= MAX_REASON_CHARACTERS else ""


def line_of(ask: Ask, user: UserRecords) -> BeforeCommit:
    """Writes the act's line before it is committed (clause T1); `user` is who acts, in their own name."""
    sealer = ask.services.sealer

    async def write(change: Change) -> None:
        document = change.by.act
        written = {} if document is None else {"act_reference": document.reference, "act_date": document.on.isoformat()}
        await ask.services.admin.write(
            administration_record(
                ask.handed.reference,
                act=change.act,
                actor="portal",
                by=sealer.person(user.user_id, user.insz),
                person=sealer.person(change.user_id, change.insz),
                institution=change.institution or user.institution,
                on_behalf_of=change.by.mandate,
                reason=change.by.reason,
                objects={**change.objects, **written},
            )
        )

    return write


async def member(ask: Ask, officer: Officer, user_id: str) -> Login | None:
    """Somebody with a live user ID at the head official's institution; nobody else exists here."""
    login = await ask.services.records.find_login(user_id.strip().lower())
    here = login is not None and login.institution == officer.institution
    return login if login is not None and here and login.validity.holds(ask.services.clock()) else None


def authorisations_of(ask: Ask, institution: str) -> dict[str, Authorisation]:
    """Those of an institution that are not over, by reference."""
    now = ask.services.clock()
    return {
        reference: granted
        for reference, granted in sorted(ask.services.snapshot().by_reference.items())
        if granted.institution == institution and granted.status != "revoked" and now < granted.validity.end
    }


def successions(ask: Ask, institution: str) -> list[tuple[Authorisation, Authorisation]]:
    """Authorisations that another one supersedes, each with its successor, while the successor lasts."""
    known = ask.services.snapshot().by_reference
    return [
        (known[old], new)
        for new in authorisations_of(ask, institution).values()
        for old in new.supersedes
        if old in known and known[old].institution == institution
    ]


def appointed_until(ask: Ask, user: UserRecords) -> str | None:
    """The last day of a head official's appointment, by the table; None without an end, or under another of their numbers."""
    now = ask.services.clock()
    ends = [
        role.validity.end
        for role in ask.services.snapshot().roles.get(user.insz, ())
        if role.role == HEAD and role.institution == user.institution and role.validity.holds(now)
    ]
    return catalogue.last_day(ask.language, max(ends)) if ends else None
