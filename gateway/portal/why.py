"""Why somebody may, or may not: every check of the decision for a supposed request, with its clause, what it goes by and who can mend it.

A local administrator asks about the own institution's people, a reader for the KSZ about anybody, with a line of the ledger first.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gateway.decision import Step, decide, explain
from gateway.decision.supposing import coming_from, suppose, using
from gateway.model import FOR_EVER, Means, Transaction, Use, UserRecords
from gateway.portal import catalogue
from gateway.portal.administration import address_of, administrator
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.criterion_words import MENDERS, source_words
from gateway.portal.information import not_found
from gateway.portal.offices import office
from gateway.portal.own_pages import READ_PAGE
from gateway.portal.reading import OF_KSZ, note
from gateway.portal.then import Then, moment_asked, then
from gateway.portal.words import MEANS, USES
from gateway.records.values import USER_ID

ADMINISTRATION_WHY: Final = "/administration/why"
READ_WHY: Final = f"{READ_PAGE}/why"
STATES: Final = {True: (N_("met"), "good"), False: (N_("not met"), "bad"), None: (N_("not reached"), "note")}
UNREACHABLE: Final = N_("No operation of this transaction has that use.")


async def for_administrator(ask: Ask) -> web.StreamResponse:
    """`GET /administration/why?user_id=…&transaction=…&use=…&means=…&at=…`."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    when = await then(ask, moment_asked(ask))
    user = await _known(ask, when)
    # Somebody of theirs who was not there yet at that moment has an answer too.
    theirs = user or await _known(ask, when._replace(known_at=FOR_EVER))
    if theirs is None or theirs.institution != who.user.institution:
        return not_found(ask)
    back = (address_of(theirs.user_id), N_("Back to the person"))
    return _page(ask, when, user, ADMINISTRATION_WHY, back)


async def for_reader(ask: Ask) -> web.StreamResponse:
    """`GET /read/why`, likewise; without a user ID the form alone."""
    reader = await office(ask, OF_KSZ)
    if isinstance(reader, web.Response):
        return reader
    when = await then(ask, moment_asked(ask))
    user = await _known(ask, when)
    if user is not None:
        asked = _asked(when, user, ask.request.query.get("transaction", ""))
        objects = {"transaction": None if asked is None else asked.id}
        await note(ask, reader, "why read", objects, user.user_id)
    return _page(ask, when, user, READ_WHY, (READ_PAGE, N_("Reading")))


async def _known(ask: Ask, when: Then) -> UserRecords | None:
    user_id = ask.request.query.get("user_id", "").strip()
    if not USER_ID.fullmatch(user_id):
        return None
    found = await ask.services.records.users_known([user_id], when.known_at)
    return found[0] if found else None


def _asked(when: Then, user: UserRecords, wanted: str) -> Transaction | None:
    """What is asked about: of those that the institution has an authorisation for, the one named, else the first."""
    choices = _choices(when, user)
    return choices.get(wanted) or next(iter(choices.values()), None)


def _choices(when: Then, user: UserRecords) -> dict[str, Transaction]:
    there, granted = when.snapshot.transactions, when.snapshot.authorisations
    return {
        name: there[name] for institution, name in sorted(granted) if institution == user.institution and name in there
    }


def _page(ask: Ask, when: Then, user: UserRecords | None, here: str, back: tuple[str, str]) -> web.Response:
    query = ask.request.query
    transaction = None if user is None else _asked(when, user, query.get("transaction", ""))
    use = next((each for each in Use if each == query.get("use")), Use.CONSULTATION)
    means = next((each for each in Means if each == query.get("means")), Means.EID)
    context: dict[str, Any] = {
        "here": here,
        "back": back,
        "tabs": here == ADMINISTRATION_WHY,
        "user": user,
        "typed": query.get("user_id", "").strip()[:100],
        "transactions": []
        if user is None
        else [(name, each.title.in_(ask.language)) for name, each in _choices(when, user).items()],
        "transaction": transaction,
        "title": "" if transaction is None else transaction.title.in_(ask.language),
        "uses": [(each.value, ask.text(USES[each.value])) for each in Use],
        "use": use.value,
        "all_means": [(each.value, ask.text(MEANS[each.value])) for each in Means],
        "means": means.value,
        "at": query.get("at", "")[:16],
        "moment": catalogue.day_and_time(ask.language, when.at),
        "notes": when.notes,
        "steps": [],
        "printed": catalogue.day(ask.language, ask.services.clock()),
    }
    if user is not None and transaction is not None:
        context |= _explained(ask, when, user, transaction, use, means)
    return ask.page("why.html", context)


def _explained(
    ask: Ask, when: Then, user: UserRecords, transaction: Transaction, use: Use, means: Means
) -> dict[str, Any]:
    snapshot = when.snapshot
    supposed = suppose(transaction, user, "/", "GET", means, when.at, suspensions=when.suspensions)
    asked = using(supposed, transaction, use, snapshot)
    if asked is None:
        return {"notes": (*when.notes, UNREACHABLE)}
    asked = coming_from(asked, None, snapshot)
    decision, steps = explain(asked, snapshot)
    would = [
        (ask.text(MEANS[each.value]), decide(coming_from(facts, None, snapshot), snapshot).permitted)
        for each in Means
        if (
            facts := using(
                suppose(transaction, user, "/", "GET", each, when.at, suspensions=when.suspensions),
                transaction,
                use,
                snapshot,
            )
        )
    ]
    return {
        "permitted": decision.permitted,
        "told": decision.disclosed,
        "steps": [_row(ask, step) for step in steps],
        "would": [name for name, permitted in would if permitted],
        "table": snapshot.hash,
    }


def _row(ask: Ask, step: Step) -> dict[str, Any]:
    state, tag = STATES[step.met]
    return {
        "name": step.criterion.name,
        "clause": step.criterion.clause,
        "state": state,
        "tag": tag,
        "code": "" if step.reason is None else step.reason.code,
        "meaning": "" if step.reason is None else step.reason.meaning,
        "sources": [source_words(ask, source) for source in step.sources],
        "mender": "" if step.mender is None else MENDERS[step.mender],
    }
