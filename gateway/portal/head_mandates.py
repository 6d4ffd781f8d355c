"""The head official gives and ends mandates, and grants the institution's offices (clause P5).

A mandate rests on a written document, and is in force once its holder has accepted it. To end the last one in force asks once more: then
nobody manages the institution's people until another is given.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.portal import catalogue
from gateway.portal.act_words import title_of
from gateway.portal.administration import NOTHING_TO_TELL, Telling
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.designating import TOO_WIDE
from gateway.portal.head import authorisations_of, line_of, member, reason_of
from gateway.portal.offices import BY_GRANT, NAMES, Officer
from gateway.records import Act, Login
from gateway.records.mandates import MandateEntry
from gateway.records.narrowing import day_of, read_day, read_days

MAX_REFERENCE_CHARACTERS: Final = 100
NOBODY: Final = N_("Nobody of your institution has this user ID.")
YOURSELF: Final = N_("Nobody gives themself anything. Name somebody else.")
NEED_DOCUMENT: Final = N_("Give the reference of the written document.")
NEED_DATE: Final = N_("Give the date of the written document; it is not in the future.")
CHOOSE_SCOPE: Final = N_("Choose at least one authorisation, or choose all.")
CHOOSE_OFFICE: Final = N_("Choose one of the offices.")
LAST_ONE: Final = N_(
    "This is the last mandate in force: without it nobody manages the people of your institution. Confirm that you want this."
)
DONE_GIVEN: Final = N_(
    "The mandate is recorded. It is in force once its holder has accepted it, at their next sign-in."
)
DONE_ENDED: Final = N_("The mandate has ended: its holder administers nothing any more.")
DONE_GRANTED: Final = N_("The office is recorded.")
DONE_TAKEN: Final = N_("The office has ended.")


async def page(ask: Ask, officer: Officer, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    """`GET /head/mandates`."""
    records, now = ask.services.records, ask.services.clock()
    mandates = await records.mandates_at(officer.institution)
    live = [each for each in mandates if each.ended_at is None and now < each.given.end]
    held = [
        entry for entry in await records.entries("office", institution=officer.institution) if now < entry.validity.end
    ]
    context = {
        "telling": telling,
        "institution": ask.institution_name(officer.institution),
        "live": [_row(ask, each, now) for each in live],
        "past": [_row(ask, each, now) for each in mandates if each not in live],
        "last": sum(each.in_force(now) for each in live) == 1,
        "choices": [(reference, title_of(ask, reference)) for reference in authorisations_of(ask, officer.institution)],
        "offices": [
            {"record": each.record, "user_id": each.user_id, "name": NAMES[str(each.says["office"])], "since": catalogue.day(ask.language, each.validity.start)}
            for each in held
        ],
        "grants": [(name, NAMES[name]) for name in BY_GRANT],
        "today": day_of(now).isoformat(),
    }  # fmt: skip
    return ask.page("head_mandates.html", context, status=telling.status)


def state_of(each: MandateEntry, now: float) -> str:
    """How a mandate stands: a message of the catalogues."""
    if each.ended_at is not None:
        return N_("ended")
    if now >= each.given.end:
        return N_("over")
    if each.accepted_at is None:
        return N_("waits to be accepted")
    return N_("in force") if each.in_force(now) else N_("begins later")


def _row(ask: Ask, each: MandateEntry, now: float) -> dict[str, object]:
    language = ask.language
    return {
        "record": each.record,
        "user_id": each.user_id,
        "name": each.name,
        "state": state_of(each, now),
        "in_force": each.in_force(now),
        "scope": [] if each.scope is None else [title_of(ask, reference) for reference in each.scope],
        "begins": catalogue.day(language, each.given.start),
        "until": catalogue.last_day(language, each.given.end) if each.ended_at is None else None,
        "accepted": None if each.accepted_at is None else catalogue.day(language, each.accepted_at),
        "act": each.act,
        "reason": each.reason,
        "ended": None if each.ended_at is None else catalogue.day_and_time(language, each.ended_at),
        "ended_by": each.ended_by,
        "ended_reason": each.ended_reason,
    }


async def give(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/mandates/give`, with `user_id`, `from`, `until`, `scope` (`all` or `some`), `for <reference>`, `act_reference`, `act_date`."""
    now = ask.services.clock()
    login, document, faults = await _named(ask, officer, form)
    validity, wrong = read_days(form.get("from", "").strip(), form.get("until", "").strip(), now)
    faults |= {each.field: ask.text(TOO_WIDE[each.code]) for each in wrong}
    chosen = [each for each in authorisations_of(ask, officer.institution) if form.get(f"for {each}")]
    if form.get("scope") != "all" and not chosen:
        faults["scope"] = ask.text(CHOOSE_SCOPE)
    if faults or login is None or validity is None or document is None:
        return await page(ask, officer, Telling(faults=faults, typed=form, status=422))
    await ask.services.records.add_mandate(
        login.user_id,
        officer.by(reason_of(form), document),
        now,
        validity,
        line_of(ask, officer.user),
        authorisations=None if form.get("scope") == "all" else chosen,
        accepted=False,
    )
    return await page(ask, officer, Telling(done=ask.text(DONE_GIVEN)))


async def end(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/mandates/end`, with `mandate`, and `last` where it is the last one in force."""
    records, now = ask.services.records, ask.services.clock()
    mandates = await records.mandates_at(officer.institution)
    chosen = next((each for each in mandates if str(each.record) == form.get("mandate", "")), None)
    if chosen is None:
        return await page(ask, officer, Telling(ask.text(NOBODY), status=422))
    others = any(each.in_force(now) for each in mandates if each is not chosen)
    if chosen.in_force(now) and not others and not form.get("last"):
        return await page(ask, officer, Telling(ask.text(LAST_ONE), typed=form, status=422))
    await records.end_mandate(chosen.record, officer.by(reason_of(form)), now, line_of(ask, officer.user))
    return await page(ask, officer, Telling(done=ask.text(DONE_ENDED)))


async def grant(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/offices/grant`, with `user_id`, `office`, `act_reference`, `act_date`."""
    login, document, faults = await _named(ask, officer, form)
    if form.get("office") not in BY_GRANT:
        faults["office"] = ask.text(CHOOSE_OFFICE)
    if faults or login is None:
        faults = {f"office_{name}" if name != "office" else name: fault for name, fault in faults.items()}
        return await page(ask, officer, Telling(faults=faults, typed=form, status=422))
    await ask.services.records.grant_office(
        login.user_id,
        form["office"],
        officer.by(reason_of(form), document),
        ask.services.clock(),
        None,
        line_of(ask, officer.user),
    )
    return await page(ask, officer, Telling(done=ask.text(DONE_GRANTED)))


async def take(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/offices/end`, with `record`."""
    records = ask.services.records
    held = await records.entries("office", institution=officer.institution)
    record = next((each.record for each in held if str(each.record) == form.get("record", "")), None)
    if record is None:
        return await page(ask, officer, Telling(ask.text(NOBODY), status=422))
    await records.end_office(record, officer.by(reason_of(form)), ask.services.clock(), line_of(ask, officer.user))
    return await page(ask, officer, Telling(done=ask.text(DONE_TAKEN)))


async def _named(ask: Ask, officer: Officer, form: dict[str, str]) -> tuple[Login | None, Act | None, dict[str, str]]:
    """Who is named, and by which written document; else what is wrong with it, by field."""
    faults: dict[str, str] = {}
    login = await member(ask, officer, form.get("user_id", ""))
    if login is None:
        faults["user_id"] = ask.text(NOBODY)
    elif login.person == officer.user.person:
        faults["user_id"] = ask.text(YOURSELF)
    reference = " ".join(form.get("act_reference", "").split())
    if not reference or len(reference) > MAX_REFERENCE_CHARACTERS or not reference.isprintable():
        faults["act_reference"] = ask.text(NEED_DOCUMENT)
    try:
        day = read_day(form.get("act_date", "").strip())
    except ValueError:
        day = None
    if day is None or day > day_of(ask.services.clock()):
        faults["act_date"] = ask.text(NEED_DATE)
    return login, None if day is None else Act(reference, day), faults
