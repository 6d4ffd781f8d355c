"""When the session is good but not good enough for a transaction: which means it asks for, which the person has, and the way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from aiohttp import web

from gateway.credentials.start import Start
from gateway.decision import ClientEvidence, Decision, Facts, Snapshot, decide
from gateway.decision.supposing import ruling
from gateway.ledger.reference import format_reference
from gateway.model import Means, Session, Use
from gateway.portal.ask import Ask
from gateway.portal.attempts import Attempt, CardAsked, Refused, prove
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand
from gateway.portal.hand_over import card_page, host_name, onward, open_start
from gateway.portal.hashing import Busy
from gateway.portal.own_pages import OWN_PAGES, OwnPage, page_verdict
from gateway.portal.refusal_words import CONFIRM, words_of
from gateway.portal.sessions import carry_on
from gateway.portal.sign_in import BUSY, FORM_TOO_OLD, TRY_AGAIN_SECONDS, field_faults, leads_to, refusal_text
from gateway.portal.sufficiency import DOUBTS, MENDED, Verdict, enough, fitting, from_its_page, least, owned
from gateway.portal.ways import Way, having, ways
from gateway.portal.words import MEANS

WRONG_PASSWORD: Final = N_("The password is not right.")
WRONG_CODE: Final = N_("The password or the code is not right.")


class Goal(NamedTuple):
    """What the person steps up for: a page or a kept form to go back to (`start`), a use of a transaction (then there is no page: a
    form was not sent, and not kept), a page of ours that asks for more than a session (`page`), or else the portal itself. `errand` is what
    a form hands on."""

    verdict: Verdict
    start: Start | None
    errand: Errand
    page: OwnPage | None = None


class Need(NamedTuple):
    """What the transaction asks for. `enough` are the means that would do, `has` those of the person; `by` the one that the form of
    password and code is to ask for, `app` and `card` where that code can come from, `ways` the other ways that would do."""

    decision: Decision
    enough: frozenset[Means]
    has: frozenset[Means]
    by: Means | None
    app: bool
    card: bool
    ways: tuple[Way, ...]


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /step-up?start=…`, `?transaction=…&use=…` from the page of a form that was not sent, or neither, from the portal's own pages."""
    goal, session = _goal(ask, dict(ask.request.query)), ask.session
    if session is None:
        return ask.redirect("/applications")
    return await _asked(ask, session, goal)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /step-up`: a new session id with the new means; what hangs on the old session goes on (DESIGN section 6)."""
    form = await ask.form()
    goal, session, user = _goal(ask, form), ask.session, ask.user
    if session is None or user is None:
        return ask.redirect("/applications")
    if not ask.form_fits(form):
        return await _asked(ask, session, goal, told=ask.text(FORM_TOO_OLD))
    need = await _need(ask, session, goal)
    attempt = Attempt(user.user_id, form.get("password", ""), form.get("code", "").strip(), goal.errand)
    faults = field_faults(ask, attempt.user_id, attempt.password, attempt.code)
    if need.by is Means.TOKEN and not attempt.code and not need.card:
        faults["code"] = ask.text(N_("Fill in the code that your app shows."))
    if faults:
        return _page(ask, goal, need, faults=faults, status=422)
    try:
        outcome = await prove(ask, attempt)
    except Busy:
        response = _page(ask, goal, need, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    if isinstance(outcome, Refused):
        wrong = WRONG_CODE if need.by is Means.TOKEN else WRONG_PASSWORD
        return _page(ask, goal, need, general=refusal_text(ask, outcome, wrong), status=403)
    if isinstance(outcome, CardAsked):
        return ask.redirect(card_page(outcome.key))
    return await carry_on(ask, outcome, goal.errand)


async def refused(ask: Ask, errand: Errand, told: str) -> web.StreamResponse:
    """The page again, after a step that went on elsewhere came to nothing."""
    goal, session = _goal(ask, errand.again), ask.session
    if session is None:
        return ask.redirect("/applications")
    return await _asked(ask, session, goal, told=told)


async def _asked(ask: Ask, session: Session, goal: Goal, *, told: str = "") -> web.StreamResponse:
    """The page that asks, with what went wrong with its form; or the way on, where it has nothing to ask for: it was answered in another
    tab, say, or there is another reason now, which the transaction's host tells better."""
    need = await _need(ask, session, goal)
    if need.decision.reason.code in MENDED:
        return _page(ask, goal, need, general=told, status=403 if told else 200)
    if goal.page is not None:
        return ask.redirect(goal.errand.again["page"])
    return await onward(ask, session, goal.start)


def would_do(ask: Ask, errand: Errand, session: Session) -> frozenset[Means]:
    """The means by which the errand would be done, none of them weaker than the session's."""
    return fitting(enough(_goal(ask, errand.again).verdict, session, ask.now), frozenset(Means), session)


def _goal(ask: Ask, named: Mapping[str, str]) -> Goal:
    snapshot = ask.services.snapshot()
    token = named.get("start", "")
    start = open_start(ask, token)
    if start is not None:
        method = "POST" if start.form else "GET"
        asked = from_its_page(ask.facts, method, host_name(start), start.target.partition("?")[0])
        facts = _doubted(asked, start, snapshot)
        return Goal(
            lambda session: decide(replace(facts, session=session), snapshot), start, Errand(True, {"start": token})
        )
    transaction = snapshot.transactions.get(named.get("transaction", ""))
    use = next((use for use in Use if use.value == named.get("use")), None)
    path = named.get("page", "")
    if (page := OWN_PAGES.get(path)) is not None:
        ours = from_its_page(ask.facts, "GET", ask.settings.host, path)
        verdict = page_verdict(lambda session: decide(replace(ours, session=session), snapshot), page, ask.now)
        return Goal(verdict, None, Errand(True, {"page": path}), page)
    if transaction is None or use is None:
        ours = from_its_page(ask.facts, "GET", ask.settings.host, "/applications")
        return Goal(lambda session: decide(replace(ours, session=session), snapshot), None, Errand(True, {}))
    errand = Errand(True, {"transaction": transaction.id, "use": use.value})
    return Goal(lambda session: ruling(replace(ask.facts, session=session), transaction, use, snapshot), None, errand)


def _doubted(facts: Facts, start: Start, snapshot: Snapshot) -> Facts:
    """Evidence is gathered by each worker for itself: what the one that asked had seen, this one may not know."""
    if start.reason != "doubtful_client":
        return facts
    found = facts.evidence or ClientEvidence()
    return replace(
        facts,
        evidence=found._replace(score=max(found.score, snapshot.doubtful_score), answered=False, since=start.asked_at),
    )


async def _need(ask: Ask, session: Session, goal: Goal) -> Need:
    login = await ask.services.records.find_login(session.user_id)
    would_do = enough(goal.verdict, session, ask.now)
    others = tuple(way for way in ways(ask) if fitting(would_do, way.means, session))
    by = least(would_do, owned(login), session)
    app, card = (login is not None and login.has_totp), (login is not None and login.has_code_card)
    return Need(goal.verdict(session), would_do, having(ask, login), by, app, card, others)


def _page(
    ask: Ask,
    goal: Goal,
    need: Need,
    *,
    general: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    transaction, words = need.decision.transaction, words_of(need.decision.shown)
    context = {
        "again": goal.errand.fields,
        "asks_again": need.decision.reason.code in DOUBTS,
        "moved": need.decision.reason.code == "session_moved",
        "kept": goal.start is not None and bool(goal.start.form),
        "title": ask.text(words.title if goal.page is None else CONFIRM),
        "lead": ask.text(words.happened if goal.page is None else goal.page.why),
        "own_page": goal.page is not None,
        "transaction": "" if transaction is None else transaction.title.in_(ask.language),
        "enough": [MEANS[means.value] for means in Means if means in need.enough],
        "has": [MEANS[means.value] for means in Means if means in need.has],
        "by": need.by,
        "ways": need.ways,
        "app": need.by is Means.TOKEN and need.app,
        "card": need.by is not None and need.card,
        "token": Means.TOKEN in need.enough,
        **ask.helpers,
        "reference": "" if goal.start is None else format_reference(goal.start.reference),
        "general": general,
        "faults": faults or {},
    }
    return ask.page(
        "step_up.html",
        context,
        status=status,
        leads_to=leads_to(ask, goal.start),
        again=goal.errand.again,
    )
