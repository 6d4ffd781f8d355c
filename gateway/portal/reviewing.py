"""Lists of designations under review: the head official confirms what bears no written act, and whoever manages them confirms every half a
year that they are still needed, or ends them (clauses P4, P5).

What nobody confirms ends by itself. One whose mandate has ended rests on whoever confirms it from then on. Nobody confirms their own. A form is
done whole or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gateway.errors import Conflict
from gateway.portal import catalogue
from gateway.portal.act_words import title_of
from gateway.portal.administration import (
    FORM_TOO_OLD,
    MEANWHILE,
    NEED_REASON,
    NOTHING_TO_TELL,
    Administrator,
    Telling,
    administrator,
)
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.head import LISTS, line_of, reason_of
from gateway.portal.offices import Officer
from gateway.portal.words import USES
from gateway.records import By, Records
from gateway.records.reviewing import Reviewed, Which

ON_A_PAGE: Final = 50
TICK: Final = "d"
"""A row's field is this and the number of the designation."""
CONFIRM_REASON: Final = "confirmed from the list"
CHOOSE: Final = N_("Choose at least one person.")
DONE_CONFIRMED: Final = N_("Confirmed: %(n)s.")
DONE_ENDED: Final = N_("Ended: %(n)s. What was open ends within a second.")
TITLES: Final[dict[Which, tuple[str, str]]] = {
    "waiting": (
        N_("Waiting for the head official"),
        N_("Made without your written act. They count once you have confirmed them, and end when you do not within the period."),
    ),
    "due": (
        N_("Still needed?"),
        N_("Their period is over soon. Who is confirmed stays designated for another period; who is not is designated no more on the day shown."),
    ),
    "orphaned": (
        N_("Made under a mandate that has ended"),
        N_("They lapse on the day shown. Who is confirmed rests on your word from then on."),
    ),
}  # fmt: skip
"""Messages of the catalogues: a title, and what is asked."""
FOR_ADMINISTRATORS: Final[tuple[Which, ...]] = ("due", "orphaned")


async def head_page(ask: Ask, officer: Officer, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    """`GET /head/review?list=waiting|due|orphaned&after=…`."""
    return await _page(ask, "/head", officer.institution, officer.user.person, LISTS, lambda _: True, telling)


async def head_confirm(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/review/confirm`: the head official's word, or that they are still needed."""
    ticked = await _ticked(ask, officer.institution, form)
    if not ticked:
        return await head_page(ask, officer, Telling(ask.text(CHOOSE), typed=form, status=422))
    by = officer.by(CONFIRM_REASON)
    async with ask.services.records.together(line_of(ask, officer.user)) as joined:
        say = joined.recertify if _list(form) == "due" else joined.confirm_designations
        await say([each.record for each in ticked], by, ask.services.clock())
    return await head_page(ask, officer, _done(ask, form, DONE_CONFIRMED, len(ticked)))


async def head_end(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/review/end`."""
    ticked = await _ticked(ask, officer.institution, form)
    if not ticked or not reason_of(form):
        missing = NEED_REASON if ticked else CHOOSE
        return await head_page(ask, officer, Telling(ask.text(missing), typed=form, status=422))
    by, now = officer.by(reason_of(form)), ask.services.clock()
    async with ask.services.records.together(line_of(ask, officer.user)) as joined:
        for each in ticked:
            await joined.end_designation(each.record, by, now)
    return await head_page(ask, officer, _done(ask, form, DONE_ENDED, len(ticked)))


async def administrator_page(ask: Ask, who: Administrator, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    """`GET /administration/review?list=due|orphaned&after=…`: those alone that a mandate of theirs is for."""

    def mine(each: Reviewed) -> bool:
        return who.for_authorisation(each.authorisation) is not None

    return await _page(ask, "/administration", who.user.institution, who.user.person, FOR_ADMINISTRATORS, mine, telling)


async def show(ask: Ask) -> web.StreamResponse:
    who = await administrator(ask)
    return who if isinstance(who, web.Response) else await administrator_page(ask, who)


async def confirm(ask: Ask) -> web.StreamResponse:
    """`POST /administration/review/confirm`."""

    async def each(joined: Records, who: Administrator, one: Reviewed, _: str) -> None:
        await joined.recertify([one.record], _under_mandate(who, one, CONFIRM_REASON), ask.services.clock())

    return await _act(ask, each, DONE_CONFIRMED, needs_reason=False)


async def end(ask: Ask) -> web.StreamResponse:
    """`POST /administration/review/end`."""

    async def each(joined: Records, who: Administrator, one: Reviewed, reason: str) -> None:
        await joined.end_designation(one.record, _under_mandate(who, one, reason), ask.services.clock())

    return await _act(ask, each, DONE_ENDED, needs_reason=True)


Each = Callable[[Records, Administrator, Reviewed, str], Awaitable[None]]


async def _act(ask: Ask, each: Each, done: str, *, needs_reason: bool) -> web.StreamResponse:
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    form = await ask.form()
    if not ask.form_fits(form):
        return await administrator_page(ask, who, Telling(ask.text(FORM_TOO_OLD), typed=form, status=403))
    try:
        ticked = await _ticked(ask, who.user.institution, form)
        if not ticked or (needs_reason and not reason_of(form)):
            missing = NEED_REASON if ticked else CHOOSE
            return await administrator_page(ask, who, Telling(ask.text(missing), typed=form, status=422))
        async with ask.services.records.together(line_of(ask, who.user)) as joined:
            for one in ticked:
                await each(joined, who, one, reason_of(form))
    except Conflict:
        # Also who acts may have lost their mandate in this moment: then they see nothing more.
        still = await administrator(ask)
        if isinstance(still, web.Response):
            return still
        return await administrator_page(ask, still, Telling(ask.text(MEANWHILE), typed=form, status=409))
    return await administrator_page(ask, who, _done(ask, form, done, len(ticked)))


def _under_mandate(who: Administrator, one: Reviewed, reason: str) -> By:
    """Under the mandate that is for it. Raises Conflict where none is: the list does not show such a row."""
    if who.for_authorisation(one.authorisation) is None:
        raise Conflict(f"no mandate for authorisation {one.authorisation}")
    return who.by(reason, reference=one.authorisation)


async def _ticked(ask: Ask, institution: str, form: dict[str, str]) -> list[Reviewed]:
    """The designations that were ticked, of this institution's people; a number that stands for nothing else is a Conflict."""
    numbers = {
        number
        for name, value in form.items()
        if value and name.startswith(TICK) and (number := number_of(name.removeprefix(TICK))) is not None
    }
    if not numbers:
        return []
    found = await ask.services.records.reviewed(
        institution, "all", ask.services.clock(), most=len(numbers), only=numbers
    )
    if len(found) != len(numbers):
        raise Conflict("a designation that was ticked stands no more")
    return found


def number_of(text: str) -> int | None:
    """The number of a record as a form has it; None for what can be none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _list(named: dict[str, str]) -> Which:
    return next((each for each in LISTS if each == named.get("list")), "due")


def _done(ask: Ask, form: dict[str, str], message: str, count: int) -> Telling:
    return Telling(done=ask.text(message) % {"n": count}, typed={"list": _list(form)})


async def _page(
    ask: Ask,
    root: str,
    institution: str,
    person: int,
    lists: Iterable[Which],
    theirs: Callable[[Reviewed], bool],
    telling: Telling,
) -> web.Response:
    named = telling.typed or dict(ask.request.query)
    which, after = _list(named), named.get("after", "")
    if which not in lists:
        which = "due"
    first = number_of(after) or 0
    now = ask.services.clock()
    found = await ask.services.records.reviewed(institution, which, now, after=first, most=ON_A_PAGE + 1)
    rows = [each for each in found[:ON_A_PAGE] if theirs(each)]
    context = {
        "telling": telling,
        "root": root,
        "institution": ask.institution_name(institution),
        "which": which,
        "lists": [(each, TITLES[each][0], _address(root, each)) for each in lists],
        "title": TITLES[which][0],
        "lead": TITLES[which][1],
        "rows": [_row(ask, each, own=each.person == person) for each in rows],
        "ticked": {name for name, value in telling.typed.items() if value} if telling.status != 200 else set(),
        "after": first,
        "next": _address(root, which, found[ON_A_PAGE - 1].record) if len(found) > ON_A_PAGE else "",
    }
    again = {"list": which, **({"after": str(first)} if first else {})}
    return ask.page("reviewing.html", context, status=telling.status, again=again)


def _row(ask: Ask, each: Reviewed, *, own: bool) -> dict[str, object]:
    return {
        "field": f"{TICK}{each.record}",
        "own": own,
        "name": each.name,
        "user_id": each.user_id,
        "title": title_of(ask, each.authorisation),
        "uses": ", ".join(ask.text(USES[use]) for use in sorted(each.uses)),
        "since": catalogue.day(ask.language, each.recorded_at),
        "over": catalogue.last_day(ask.language, each.over),
        "reason": each.reason,
    }


def _address(root: str, which: Which, after: int = 0) -> str:
    return f"{root}/review?{urlencode({'list': which, **({'after': after} if after else {})})}"
