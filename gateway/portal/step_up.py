"""When the session is good but not good enough for a transaction: which means it asks for, which the person has, and the way there."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from gateway.credentials.start import Start
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.decision import Decision, decide
from gateway.model import Means, Session
from gateway.portal import cookies
from gateway.portal.ask import Ask
from gateway.portal.attempts import Attempt, Refused, line_of, prove
from gateway.portal.catalogue import N_
from gateway.portal.hand_over import host_name, onward, open_start
from gateway.portal.hashing import Busy
from gateway.portal.sign_in import BUSY, FORM_TOO_OLD, TRY_AGAIN_SECONDS, field_faults, refusal_text
from gateway.portal.sufficiency import MENDED, enough, least, owned
from gateway.portal.words import MEANS, words_of


class Need(NamedTuple):
    """What the transaction asks for. `enough` are the means that would do, `has` those of the person, `by` the one to ask for."""

    decision: Decision
    enough: frozenset[Means]
    has: frozenset[Means]
    by: Means | None


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /step-up?start=…`"""
    token = ask.request.query.get("start", "")
    start = open_start(ask, token)
    session = ask.session
    if start is None or session is None:
        return ask.redirect("/applications")
    need = await _need(ask, session, start)
    if need.decision.reason.code not in MENDED:
        # Permitted by now, or refused for another reason, which the transaction's host tells better.
        return await onward(ask, session, start)
    return _page(ask, token, start, need)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /step-up`: a new session id with the new means; what hangs on the old session goes on (DESIGN section 6)."""
    form = await ask.form()
    token = form.get("start", "")
    start = open_start(ask, token)
    session, user = ask.session, ask.user
    if start is None or session is None or user is None:
        return ask.redirect("/applications")
    need = await _need(ask, session, start)
    if not ask.form_fits(form):
        return _page(ask, token, start, need, general=ask.text(FORM_TOO_OLD), status=403)
    attempt = Attempt(user.user_id, form.get("password", ""), form.get("code", "").strip(), step_up=True)
    faults = field_faults(ask, attempt.user_id, attempt.password, attempt.code)
    if need.by is Means.TOKEN and not attempt.code:
        faults["code"] = ask.text(N_("Fill in the code that your app shows."))
    if faults:
        return _page(ask, token, start, need, faults=faults, status=422)
    try:
        outcome = await prove(ask, attempt)
    except Busy:
        response = _page(ask, token, start, need, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    if isinstance(outcome, Refused):
        return _page(ask, token, start, need, general=refusal_text(ask, outcome), status=403)
    services = ask.services
    now = services.clock()
    cookie = make_token(services.random(TOKEN_BYTES))
    renewed = await services.records.renew_session(
        session.id,
        outcome.means,
        now,
        ask.host,
        token_hash(cookie),
        host_name(start),
        now,
        before_commit=line_of(ask, attempt, outcome, "stepped_up"),
    )
    response = await onward(ask, renewed, start)
    cookies.set_cookie(response, cookies.SESSION, cookie)
    return response


async def _need(ask: Ask, session: Session, start: Start) -> Need:
    host, path = host_name(start), start.target.partition("?")[0]
    connection = ask.facts.connection._replace(sni=host)
    facts = ask.facts._replace(connection=connection, method="GET", host=host, path=path)

    def verdict(candidate: Session) -> Decision:
        return decide(facts._replace(session=candidate), ask.services.snapshot())

    has = owned(await ask.services.records.find_login(session.user_id))
    would_do = enough(verdict, session, ask.now)
    return Need(verdict(session), would_do, has, least(would_do, has, session))


def _page(
    ask: Ask,
    token: str,
    start: Start,
    need: Need,
    *,
    general: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    transaction = need.decision.transaction
    user = ask.user
    institution = None if user is None else ask.services.snapshot().institutions.get(user.institution)
    context = {
        "start": token,
        "reason": need.decision.reason.code,
        "title": ask.text(words_of(need.decision.shown).title),
        "transaction": "" if transaction is None else transaction.title.in_(ask.language),
        "enough": [MEANS[means.value] for means in Means if means in need.enough],
        "has": [MEANS[means.value] for means in Means if means in need.has],
        "by": need.by,
        "code_needed": need.by is Means.TOKEN,
        "helpdesk": "" if institution is None else institution.helpdesk,
        "institution": "" if institution is None else institution.name.in_(ask.language),
        "service": ask.settings.help_desk,
        "general": general,
        "faults": faults or {},
    }
    return ask.page("step_up.html", context, status=status, form_host=host_name(start))
