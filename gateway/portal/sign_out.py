"""Signing out: asks first, ends the session on the server, for every host at once, and then says what was ended.

What the applications left in the browser is cleared by each host for itself (`Clear-Site-Data` never reaches another one), so the browser is
led once through every host that the session was used on, and comes back to the portal. Where it goes is in a note that the gateway signed.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.decision.places import CLEARED_PAGE
from gateway.decision.supposing import ruling
from gateway.model import Means, Session, UserRecords
from gateway.portal import cookies
from gateway.portal.ask import Ask
from gateway.portal.hand_over import CLEAR_SITE_DATA
from gateway.portal.sessions import end
from gateway.portal.sufficiency import MENDED

MOST_HOSTS: Final = 12
"""Browsers follow twenty redirects at most. What lies on further hosts is dead with the session, and cleared before another user ID."""
CLEARING_SECONDS: Final = 60.0
TOLD_SECONDS: Final = 600.0
OTHER: Final = "sign-in"
"""The value of the field `next` when the person wants to sign in with another user ID."""


async def form_page(ask: Ask) -> web.StreamResponse:
    """`GET /sign-out` (`/.gateway/sign-out` on a transaction host); `?other=1` to go on with another user ID."""
    if ask.session is None:
        return _done(ask)
    return await _form(ask)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /sign-out`. The line is durable before the session ends."""
    session, user = ask.session, ask.user
    if session is None or user is None:
        return _done(ask)
    form = await ask.form()
    if not ask.form_fits(form):
        return await _form(ask, again=True)
    hosts = await _hosts(ask, session)
    opened = _opened(ask, user, hosts)
    await end(ask, session, cause="signed_out", reason="signed out")
    then = OTHER if form.get("next") == OTHER else "sign-out"
    words = [then, session.means.value, " ".join(hosts), session.provider or "", *opened]
    return _onward(ask, ask.tools.notes.seal(words, ask.services.clock()), words)


async def cleared(ask: Ask) -> web.StreamResponse:
    """`GET /.gateway/signed-out?note=…` on a transaction host: what this host left in the browser goes, and the browser goes on."""
    note = ask.request.query.get("note", "")
    words = ask.tools.notes.open(note, ask.now, CLEARING_SECONDS)
    return ask.redirect(f"{ask.settings.address}/sign-out") if words is None else _onward(ask, note, words)


def _onward(ask: Ask, note: str, words: list[str]) -> web.Response:
    """From this host to the next one of the note, or at its end back to the portal; this host's part of the browser is cleared."""
    then, _, listed = words[:3]
    hosts = [host for host in listed.split(" ") if host in ask.services.snapshot().names]
    left = hosts[hosts.index(ask.host) + 1 :] if ask.host in hosts else hosts
    if left:
        location = f"{ask.settings.address_of(left[0])}{CLEARED_PAGE}?note={quote(note)}"
    elif then == OTHER:
        location = f"{ask.settings.address}/sign-in?switched=1"
    else:
        location = f"{ask.settings.address}/sign-out?note={quote(note)}"
    response = ask.redirect(location)
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    for name in (cookies.SESSION, cookies.START, cookies.KEPT, cookies.FORM):
        cookies.expire_cookie(response, name)
    ask.forget_strange_cookies(response)
    return response


async def leads_to(ask: Ask) -> tuple[str, ...]:
    """Where a form that signs out leads by redirect: through the hosts that the session was used on, to the portal."""
    hosts = [] if ask.session is None else await _hosts(ask, ask.session)
    return (ask.settings.address, *(ask.settings.address_of(host) for host in hosts))


async def _hosts(ask: Ask, session: Session) -> list[str]:
    """The transaction hosts that the session was used on, this one first left out: it clears itself."""
    names = ask.services.snapshot().names
    used = await ask.services.records.hosts_of(session.id)
    return [host for host in used if host in names and host not in (ask.settings.host, ask.host)][:MOST_HOSTS]


def _opened(ask: Ask, user: UserRecords, hosts: list[str]) -> list[str]:
    """The ids of the transactions on these hosts, and on this one, that the person can have had open. Which of several on one host they
    opened is not known: a session has one cookie a host."""
    snapshot, found = ask.services.snapshot(), set()
    for reference in user.designations:
        authorisation = snapshot.by_reference.get(reference)
        transaction = None if authorisation is None else snapshot.transactions.get(authorisation.transaction)
        if transaction is not None and any(match.host in (*hosts, ask.host) for match in transaction.matches):
            uses = {operation.use for operation in transaction.operations}
            decisions = [ruling(ask.facts, transaction, use, snapshot) for use in uses]
            if any(decision.permitted or decision.reason.code in MENDED for decision in decisions):
                found.add(transaction.id)
    return sorted(found)


def _titles(ask: Ask, keys: list[str]) -> list[str]:
    transactions = ask.services.snapshot().transactions
    return [transactions[key].title.in_(ask.language) for key in keys if key in transactions]


async def _form(ask: Ask, *, again: bool = False) -> web.Response:
    session, user = ask.session, ask.user
    hosts = [] if session is None else await _hosts(ask, session)
    context = {
        "action": ask.request.path,
        "again": again,
        "other": ask.request.query.get("other") == "1",
        "titles": [] if user is None else _titles(ask, _opened(ask, user, hosts)),
    }
    return ask.page("sign_out.html", context, status=403 if again else 200, leads_to=await leads_to(ask))


def _done(ask: Ask) -> web.Response:
    """There is no session in this browser. Just after it was ended the note says what ended."""
    words = ask.tools.notes.open(ask.request.query.get("note", ""), ask.now, TOLD_SECONDS)
    _, means, _, provider, *keys = words or ["", "", "", ""]
    desk = ask.services.providers.get(provider)
    context = {
        "ended": words is not None,
        "titles": _titles(ask, keys),
        "eid": means == Means.EID.value and not provider,
        "provider": "" if desk is None else desk.provider.title.in_(ask.language),
    }
    response = ask.page("signed_out.html", context)
    cookies.expire_cookie(response, cookies.SESSION)
    return response
