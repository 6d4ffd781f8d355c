"""Designating somebody for an authorisation of their institution, and ending that; and their user-management roles (clauses P3, P4, P5).

What can be chosen comes from the table: the institution's authorisations that the mandate is for, the uses that each names, and no longer than
it lasts.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gateway.errors import Conflict
from gateway.model import Authorisation
from gateway.portal import catalogue
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
from gateway.portal.person_sheet import done, may_end_role, person_page, roles_of
from gateway.portal.words import MEANS, USES
from gateway.records import By, Login
from gateway.records.narrowing import day_of, designation_terms, last_day_of, read_days

TOO_WIDE: Final = {
    "over": N_("This authorisation is over: nobody can be designated for it any more."),
    "no_use": N_("Choose at least one use."),
    "use_not_granted": N_("The authorisation does not name this use. Choose among those that are shown."),
    "no_day": N_("This is no day. Write it like 2026-12-31 or 31/12/2026."),
    "past": N_("This day has passed. Leave it empty to begin now, or give a later day."),
    "ends_before": N_("The last day lies before the first. Give a later last day, or leave it empty."),
    "before_authorisation": N_("The authorisation begins later. Give its first day, or leave this empty."),
    "beyond_authorisation": N_("The authorisation ends earlier. Give its last day at most, or leave this empty."),
}
"""By the codes of `records.narrowing`."""
DONE_DESIGNATED: Final = N_("The designation is recorded.")
DONE_WAITING: Final = N_("The designation is recorded. It counts once the head official has confirmed it.")
DONE_UNDESIGNATED: Final = N_("The designation has ended: what was open under it ends within a second.")
DONE_ROLE: Final = N_("The role is recorded.")
DONE_ROLE_ENDED: Final = N_("The role has been taken away.")
NOT_YOUR_ROLE: Final = N_("Your mandate is not for an authorisation that asks for this role.")
CHOOSE_ROLE: Final = N_("Choose one of the roles that are shown.")


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /administration/designate?user_id=…&authorisation=…`: what can be chosen; without an authorisation, which there are."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    login = await target(ask, who, ask.request.query.get("user_id", ""))
    if login is None:
        return not_found(ask)
    chosen = ask.request.query.get("authorisation", "")
    return await designate_page(ask, who, login, Telling(typed={"authorisation": chosen}))


async def designate_page(
    ask: Ask, who: Administrator, login: Login, telling: Telling = NOTHING_TO_TELL
) -> web.Response:
    """The form for the authorisation that was chosen; before that, the authorisations."""
    if login.person == who.user.person:
        return await person_page(ask, who, login, telling)
    choices = who.authorisations(ask)
    reference = telling.typed.get("authorisation", "")
    user = await ask.services.records.user(login.user_id)
    now = ask.services.clock()
    standing = {
        each: named[-1]
        for each, named in ({} if user is None else user.designations).items()
        if named and now < named[-1].validity.end
    }
    context = {
        "login": login,
        "telling": telling,
        "seen": await last_seen(ask, login.user_id),
        "chosen": _choice(ask, choices[reference], now) if reference in choices else None,
        "choices": [
            {
                "title": title_of(ask, each),
                "until": catalogue.last_day(ask.language, granted.validity.end),
                "address": address_of(login.user_id, "designate", authorisation=each),
                "standing": each in standing,
            }
            for each, granted in choices.items()
        ],
        "standing": reference in standing,
        "back": address_of(login.user_id),
    }
    again = {"user_id": login.user_id, "authorisation": reference}
    return ask.page("administration_designate.html", context, status=telling.status, again=again)


def _choice(ask: Ask, granted: Authorisation, now: float) -> dict[str, Any]:
    transaction = ask.services.snapshot().transactions.get(granted.transaction)
    last = last_day_of(granted.validity)
    first = max(now, granted.validity.start)
    return {
        "reference": granted.reference,
        "title": title_of(ask, granted.reference),
        "begins": catalogue.day(ask.language, granted.validity.start),
        "until": catalogue.last_day(ask.language, granted.validity.end),
        "suspended": granted.status == "suspended",
        "role": None if transaction is None else transaction.role,
        "least": day_of(first).isoformat(),
        "most": "" if last is None else last.isoformat(),
        "uses": [
            {
                "use": grant.use.value,
                "name": ask.text(USES[grant.use]),
                "purpose": "" if grant.purpose is None else grant.purpose.in_(ask.language),
                "means": [ask.text(MEANS[means]) for means in sorted(grant.means, key=lambda one: one.level)],
            }
            for grant in granted.uses
        ],
    }


async def designate(ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/designate`, with `authorisation`, `use_consultation`, `use_communication`, `from`, `until`."""
    reference, now = form.get("authorisation", ""), ask.services.clock()
    granted = who.authorisations(ask).get(reference)
    if granted is None:
        # Not theirs to give: another institution's, outside the mandate, or over. The page shows what is.
        return await designate_page(ask, who, login, Telling(ask.text(NOT_YOURS), status=403))
    uses = [name.removeprefix("use_") for name, value in form.items() if name.startswith("use_") and value]
    days = " ".join(form.get("from", "").split()), " ".join(form.get("until", "").split())
    terms, wrong = designation_terms(granted, uses, *days, now)
    if terms is None:
        faults = {each.field: ask.text(TOO_WIDE[each.code]) for each in wrong}
        return await designate_page(ask, who, login, Telling(faults=faults, typed=form, status=422))
    await ask.services.records.add_designation(
        login.user_id, granted, terms.uses, by, now, terms.validity, line_of(ask, who)
    )
    waits = ask.services.records.rules.confirm_designations
    return await done(ask, who, login, DONE_WAITING if waits else DONE_DESIGNATED)


NOT_YOURS: Final = N_("Your mandate is not for this authorisation, or it is over. Choose one of those that are shown.")


async def end_designation(
    ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]
) -> web.StreamResponse:
    """`POST /administration/end-designation`, with `designation`: the number of the record."""
    held = await ask.services.records.entries("designation", user_id=login.user_id)
    entry = next((each for each in held if str(each.record) == form.get("designation", "")), None)
    if entry is None:
        raise Conflict("no such designation of this user ID")
    reference = str(entry.says["authorisation"])
    mandate = who.for_authorisation(reference)
    if mandate is None:
        return await person_page(ask, who, login, Telling(ask.text(NOT_YOURS), status=403))
    word = who.by(by.reason, by.seen, reference)
    await ask.services.records.end_designation(entry.record, word, ask.services.clock(), line_of(ask, who))
    return await done(ask, who, login, DONE_UNDESIGNATED)


async def give_role(ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/role`, with `role`, `from`, `until`."""
    role, now = form.get("role", ""), ask.services.clock()
    faults = {} if role in roles_of(ask, who) else {"role": ask.text(CHOOSE_ROLE)}
    validity, wrong = read_days(form.get("from", "").strip(), form.get("until", "").strip(), now)
    faults |= {each.field: ask.text(TOO_WIDE[each.code]) for each in wrong}
    if faults or validity is None:
        return await person_page(ask, who, login, Telling(faults=faults, typed=form, status=422))
    await ask.services.records.add_role(login.user_id, role, by, now, validity, line_of(ask, who))
    return await done(ask, who, login, DONE_ROLE)


async def end_role(ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/end-role`, with `role`: the number of the record."""
    held = await ask.services.records.entries("role", user_id=login.user_id)
    entry = next((each for each in held if str(each.record) == form.get("role", "")), None)
    if entry is None:
        raise Conflict("no such role of this user ID")
    if not may_end_role(ask, who, str(entry.says["role"])):
        return await person_page(ask, who, login, Telling(ask.text(NOT_YOUR_ROLE), status=403))
    await ask.services.records.end_role(entry.record, by, ask.services.clock(), line_of(ask, who))
    return await done(ask, who, login, DONE_ROLE_ENDED)
