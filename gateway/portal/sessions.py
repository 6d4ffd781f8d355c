"""A session for somebody who has proved who they are, by whatever means: begun at a sign-in, renewed at a step-up; and its end."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.errors import Conflict
from gateway.ledger.record import sign_out_record
from gateway.model import Session
from gateway.outbound.role_question import Asked
from gateway.portal import cookies
from gateway.portal.ask import Ask
from gateway.portal.attempts import Proved, line_of
from gateway.portal.browser_name import browser_name
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand, way_on
from gateway.portal.hand_over import host_name, onward
from gateway.portal.own_pages import OWN_PAGES
from gateway.records import Bound, Change

AGAIN, AGAIN_WORDS = "signed_in_again", "signed in again"
"""Why a session ends that another sign-in in the same browser takes the place of."""
DONE: Final = N_("You have confirmed who you are")
DONE_NEXT: Final = N_(
    "Go back to the tab in which you were working, go back with your browser's Back button there, and send it again."
)


async def carry_on(ask: Ask, proved: Proved, errand: Errand) -> web.StreamResponse:
    """What follows when somebody has proved who they are: the session, and the way to where they were going.

    The ledger's line is durable before the session is. Raises Conflict when the session to raise is over, or another user ID's, or when
    the user ID was blocked meanwhile.
    """
    await _look_up_roles(ask, proved)
    return await _renew(ask, proved, errand) if errand.step_up else await _begin(ask, proved, errand)


async def _look_up_roles(ask: Ask, proved: Proved) -> None:
    """Whatever the means: the roles are known before the first request that needs one (P3)."""
    login, look_up = proved.login, ask.services.look_up_roles
    if look_up is not None:
        await look_up(Asked(login.user_id, login.insz, login.institution))


def _bound(ask: Ask, proved: Proved) -> Bound:
    return proved.bound._replace(client=browser_name(ask.request.headers.get("User-Agent")))


async def _begin(ask: Ask, proved: Proved, errand: Errand) -> web.StreamResponse:
    """A new session, with a new id (session fixation, THREATS row 20); the one that this browser had ends."""
    services = ask.services
    now = services.clock()
    cookie = make_token(services.random(TOKEN_BYTES))
    session = await services.records.create_session(
        proved.login,
        proved.means,
        now if proved.auth_time is None else proved.auth_time,
        ask.host,
        token_hash(cookie),
        now,
        ask.settings.absolute_seconds,
        before_commit=line_of(ask, proved, "signed_in", errand),
        family=ask.family,
        bound=_bound(ask, proved),
    )
    if ask.session is not None and ask.user is not None:
        # A browser has one session: the one it had ends, everywhere.
        await end(ask, ask.session, cause=AGAIN, reason=AGAIN_WORDS)
    await _end_twins(ask, session)
    user = services.records.index.user(session.user_id)
    response = await way_on(ask, session, user, errand.again.get("start", ""))
    cookies.set_cookie(response, cookies.SESSION, cookie)
    cookies.expire_cookie(response, cookies.FORM)
    return response


async def _end_twins(ask: Ask, session: Session) -> None:
    """Two tabs sent their forms at once, with two user IDs: neither knew of the other's session, and the browser's cookies would be of both."""
    services = ask.services
    for twin in await services.records.begun(ask.holder_hash, session):

        async def write(change: Change, twin: str = twin) -> None:
            user = None if change.user_id is None else services.sealer.person(change.user_id, change.insz)
            line = sign_out_record(
                ask.handed.reference, cause=AGAIN, client=ask.handed.address, user=user, session=twin
            )
            await services.admin.write(line)

        await services.records.end_session(twin, AGAIN_WORDS, f"user:{session.user_id}", before_commit=write)


async def _renew(ask: Ask, proved: Proved, errand: Errand) -> web.StreamResponse:
    """A new session id with the new means; what hangs on the old session goes on (DESIGN section 6)."""
    session = ask.session
    if session is None or session.user_id != proved.login.user_id:
        raise Conflict("there is no session of this user ID to raise")
    start = errand.start(ask)
    now = ask.services.clock()
    cookie = make_token(ask.services.random(TOKEN_BYTES))
    renewed = await ask.services.records.renew_session(
        session.id,
        proved.means,
        now if proved.auth_time is None else proved.auth_time,
        ask.host,
        token_hash(cookie),
        None if start is None else host_name(start),
        now,
        before_commit=line_of(ask, proved, "stepped_up", errand),
        family=ask.family,
        bound=_bound(ask, proved),
        moved=ask.moved,
    )
    if errand.again.get("page") in OWN_PAGES:
        response = ask.redirect(errand.again["page"])
    elif start is None:
        response = ask.notice(DONE, DONE_NEXT, status=200)
    else:
        response = await onward(ask, renewed, start)
    cookies.set_cookie(response, cookies.SESSION, cookie)
    return response


async def end(ask: Ask, session: Session, *, cause: str, reason: str) -> bool:
    """Ends a session of the person who is signed in, everywhere; its line, with `cause`, comes first. Gives whether it was alive."""
    user = ask.user
    if user is None:
        raise Conflict("the session is over")

    async def write(change: Change) -> None:
        identity = ask.services.sealer.person(user.user_id, user.insz)
        await ask.services.admin.write(
            sign_out_record(
                ask.handed.reference, cause=cause, client=ask.handed.address, user=identity, session=session.id
            )
        )

    return await ask.services.records.end_session(session.id, reason, f"user:{user.user_id}", before_commit=write)
