"""My applications: what the person may open, and what not (any more) and who can help. The decision itself is asked about each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from aiohttp import web

from gateway.decision import Decision, Snapshot
from gateway.decision.supposing import ruling
from gateway.model import Means, Transaction, Use, UserRecords
from gateway.portal import catalogue
from gateway.portal.administration import mandates_in_force
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.offices import offices_held, offices_to_open
from gateway.portal.refusal_words import words_of
from gateway.portal.sufficiency import MENDED, enough, fitting
from gateway.portal.ways import having as means_of
from gateway.portal.words import MEANS, USES

ASKED_AGAIN: Final = N_("You are asked to confirm who you are when you open it.")
NO_MEANS: Final = N_("You have none of the means that it asks for, or they cannot be used in this service yet.")
ASK_FOR_MEANS: Final = (N_("Ask the local administrator of your institution for one of these means."),)


class State(StrEnum):
    """How far a use is open to the person."""

    OPEN = "open"
    STEP_UP = "step-up"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class UseRow:
    """One use of one transaction. Texts are in the page's language but `use` and `means`, which are messages of the catalogues."""

    use: str
    state: State
    purpose: str | None
    means: tuple[str, ...]
    until: str | None
    title: str
    happened: str
    do: tuple[str, ...]
    begins: str | None = None
    lapses: bool = False
    """That the designation ends soon, unless the institution says that it is still needed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction. `address` is None where nothing of it is open."""

    title: str
    reference: str | None
    address: str | None
    uses: tuple[UseRow, ...]


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /applications`, and `/`."""
    user = ask.user
    snapshot = ask.services.snapshot()
    rows: list[Row] = []
    if user is not None:
        having = means_of(ask, await ask.services.records.find_login(user.user_id))
        rows = [_row(ask, user, transaction, having) for transaction in _named(user, snapshot)]
    context = {
        "open": [row for row in rows if row.address is not None],
        "closed": [row for row in rows if row.address is None],
        **ask.helpers,
        "administers": user is not None and bool(await mandates_in_force(ask, user)),
        "offices": [] if user is None else offices_to_open(await offices_held(ask, user)),
        "means": MEANS[ask.session.means.value] if ask.session else "",
    }
    return ask.page("applications.html", context)


def _named(user: UserRecords, snapshot: Snapshot) -> list[Transaction]:
    """The transactions that the person is, or was, designated for at their own institution."""
    found = {}
    for reference in user.designations:
        authorisation = snapshot.by_reference.get(reference)
        if authorisation is not None and authorisation.institution == user.institution:
            transaction = snapshot.transactions.get(authorisation.transaction)
            if transaction is not None:
                found[transaction.id] = transaction
    return [found[key] for key in sorted(found)]


def _row(ask: Ask, user: UserRecords, transaction: Transaction, having: frozenset[Means]) -> Row:
    snapshot = ask.services.snapshot()
    granted = snapshot.authorisations.get((user.institution, transaction.id), ())
    uses = [use for use in Use if any(grant.grant_for(use) is not None for grant in granted)]
    decisions = {use: ruling(ask.facts, transaction, use, snapshot) for use in uses}
    rows = tuple(_use_row(ask, transaction, use, decision, having) for use, decision in decisions.items())
    reachable = any(row.state is not State.CLOSED for row in rows)
    match = transaction.matches[0]
    authorisation = next((d.authorisation for d in decisions.values() if d.authorisation is not None), None)
    return Row(
        transaction.title.in_(ask.language),
        None if authorisation is None else authorisation.reference,
        f"{ask.settings.address_of(match.host)}{match.path}" if reachable else None,
        rows,
    )


def _use_row(ask: Ask, transaction: Transaction, use: Use, decision: Decision, having: frozenset[Means]) -> UseRow:
    words, code = words_of(decision.shown), decision.reason.code
    state, happened, do = State.CLOSED, words.happened, words.do
    if decision.permitted:
        state = State.OPEN
    elif code in MENDED and ask.session is not None:
        session, snapshot = ask.session, ask.services.snapshot()
        would_do = enough(
            lambda candidate: ruling(replace(ask.facts, session=candidate), transaction, use, snapshot),
            session,
            ask.now,
        )
        if fitting(would_do, having, session):
            state, happened = State.STEP_UP, ASKED_AGAIN
        else:
            happened, do = NO_MEANS, ASK_FOR_MEANS
    grant, ends = (
        decision.grant,
        [v.validity.end for v in (decision.authorisation, decision.designation) if v is not None],
    )
    begins = decision.authorisation.validity.start if decision.authorisation and code == "not_yet_valid" else None
    return UseRow(
        USES[use.value],
        state,
        None if grant is None or grant.purpose is None else grant.purpose.in_(ask.language),
        () if grant is None else tuple(MEANS[means.value] for means in Means if means in grant.means),
        catalogue.last_day(ask.language, min(ends)) if ends else None,
        words.title,
        happened,
        do,
        None if begins is None else catalogue.day(ask.language, begins),
        decision.designation is not None
        and decision.designation.validity.end - ask.now <= ask.services.records.rules.warn,
    )
