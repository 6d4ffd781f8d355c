"""Succession: an authorisation that takes another's place carries over whom the head official has reviewed, and nobody else (clauses P1, P4).

Who is carried over gets a designation for the successor, by the head official's own word: for the uses that they had and that it names, no
longer than they were designated and no longer than it lasts. For the others the designation ends. Who is not reviewed stays under the
predecessor's terms until the date that the KSZ has set, and then is designated for nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from aiohttp import web

from gateway.errors import Conflict
from gateway.model import Authorisation, Validity
from gateway.portal import catalogue
from gateway.portal.act_words import title_of
from gateway.portal.administration import NOTHING_TO_TELL, Telling
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.head import line_of, successions
from gateway.portal.offices import Officer
from gateway.portal.reviewing import CHOOSE, TICK, number_of
from gateway.portal.words import USES
from gateway.records.narrowing import Terms
from gateway.records.reviewing import Reviewed

ON_A_PAGE: Final = 50
CARRIED: Final = "carried over from authorisation {old}"
CARRIED_ON: Final = "carried over to authorisation {new}"
NOT_CARRIED: Final = "not carried over to authorisation {new}"
DONE: Final = N_("Reviewed: %(carried)s carried over, %(ended)s ended.")


async def page(ask: Ask, officer: Officer, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    """`GET /head/succession`: for each successor, who is still designated for what it takes the place of."""
    now, reviews = ask.services.clock(), []
    for old, new in successions(ask, officer.institution):
        found = await _left(ask, officer, old, new, ON_A_PAGE + 1)
        reviews.append(
            {
                "old": old.reference,
                "new": new.reference,
                "title": title_of(ask, new.reference),
                "begins": catalogue.day(ask.language, new.validity.start),
                "review_until": None
                if new.review_until is None
                else catalogue.last_day(ask.language, new.review_until),
                "begun": new.validity.start <= now,
                "over": new.review_until is None or now >= new.review_until,
                "more": len(found) > ON_A_PAGE,
                "rows": [
                    _row(ask, each, old, new, own=each.person == officer.user.person) for each in found[:ON_A_PAGE]
                ],
            }
        )
    context = {"telling": telling, "institution": ask.institution_name(officer.institution), "reviews": reviews}
    return ask.page("succession.html", context, status=telling.status)


async def review(ask: Ask, officer: Officer, form: dict[str, str]) -> web.StreamResponse:
    """`POST /head/succession`, with `old` and `new`, `shown` (the numbers on the page, comma-separated) and a tick for each to carry over.

    Whoever was shown and not ticked ends, once the successor has begun. All of it is one transaction. Raises Conflict, and nothing was done,
    where one that was shown stands no more.
    """
    pairs = {(old.reference, new.reference): (old, new) for old, new in successions(ask, officer.institution)}
    pair = pairs.get((form.get("old", ""), form.get("new", "")))
    shown = {number for text in form.get("shown", "").split(",") if (number := number_of(text)) is not None}
    if pair is None or not shown:
        return await page(ask, officer, Telling(ask.text(CHOOSE), typed=form, status=422))
    old, new = pair
    left = {each.record: each for each in await _left(ask, officer, old, new, len(shown), only=shown)}
    if left.keys() != shown:
        raise Conflict("a designation that was shown stands no more")
    now, carried, ended = ask.services.clock(), 0, 0
    begun = new.validity.start <= now
    async with ask.services.records.together(line_of(ask, officer.user)) as joined:
        for each in left.values():
            if each.person == officer.user.person:
                continue  # nobody reviews their own: another head official does, or it ends on its day
            terms = _terms(each, old, new, now) if form.get(f"{TICK}{each.record}") else None
            if terms is not None:
                by = officer.by(CARRIED.format(old=old.reference))
                await joined.add_designation(each.user_id, new, terms.uses, by, now, terms.validity, by_word=True)
                carried += 1
            if begun:
                # Until it has begun, the predecessor is what counts.
                by = officer.by((CARRIED_ON if terms else NOT_CARRIED).format(new=new.reference))
                await joined.end_designation(each.record, by, now)
                ended += terms is None
    done = ask.text(DONE) % {"carried": carried, "ended": ended}
    return await page(ask, officer, Telling(done=done))


async def _left(
    ask: Ask, officer: Officer, old: Authorisation, new: Authorisation, most: int, only: Collection[int] = ()
) -> list[Reviewed]:
    """Who stands designated for the predecessor and was not reviewed: whoever ever was designated for the successor has been."""
    now = ask.services.clock()
    return await ask.services.records.reviewed(
        officer.institution, "all", now, most=most, only=only, authorisation=old.reference, without=new.reference
    )


def _terms(each: Reviewed, old: Authorisation, new: Authorisation, now: float) -> Terms | None:
    """What of a designation the successor has room for; None: nothing. One that was to last as long as the predecessor lasts as long as the
    successor."""
    uses = each.uses & {grant.use for grant in new.uses}
    start = max(now, new.validity.start, each.given.start)
    end = new.validity.end if each.given.end >= old.validity.end else min(each.given.end, new.validity.end)
    return Terms(uses, Validity(start, end)) if uses and start < end else None


def _row(ask: Ask, each: Reviewed, old: Authorisation, new: Authorisation, *, own: bool) -> dict[str, object]:
    terms = _terms(each, old, new, ask.services.clock())
    return {
        "record": each.record,
        "field": f"{TICK}{each.record}",
        "own": own,
        "name": each.name,
        "user_id": each.user_id,
        "had": ", ".join(ask.text(USES[use]) for use in sorted(each.uses)),
        "gets": None if terms is None else ", ".join(ask.text(USES[use]) for use in sorted(terms.uses)),
        "until": None if terms is None else catalogue.last_day(ask.language, terms.validity.end),
    }
