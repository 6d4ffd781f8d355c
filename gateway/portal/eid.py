"""Signing in with a card, on the portal: to the eID door with a code, and back with another one (DESIGN section 6).

A card authenticates a claimed user ID (I4), and has nothing to do with a password: the wait after wrong passwords is not its owner's, who
may have typed none of them. How often a card can be tried is bounded by `claim.MOST_TRIES`.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.decision.places import EID_ENTER
from gateway.errors import Conflict
from gateway.ledger.record import ShownCertificate
from gateway.model import Means
from gateway.portal import information, sign_in, step_up
from gateway.portal.ask import ONE_TIME_FIELDS, Ask
from gateway.portal.attempts import MAX_USER_ID_CHARACTERS, Proved
from gateway.portal.catalogue import N_
from gateway.portal.claim import Claim, Vouched
from gateway.portal.errand import Errand
from gateway.portal.sessions import carry_on
from gateway.portal.sign_in import BUSY, FORM_TOO_OLD, NEED_USER_ID, TRY_AGAIN_SECONDS
from gateway.records import Bound

OVER: Final = N_("This sign-in with your card is over")
OVER_TEXT: Final = N_(
    "What a card proves is good once, for one minute, and only in the browser in which the sign-in was begun. Nothing was changed: begin again."
)


async def begin(ask: Ask) -> web.StreamResponse:
    """`POST /eid`: the form of a sign-in or a step-up, by the button of the card. The password is not looked at."""
    if not ask.settings.eid_doors:
        return information.not_found(ask)
    form = await ask.form()
    errand = Errand.of(form)
    if not ask.form_fits(form):
        return await _form_again(ask, errand, FORM_TOO_OLD)
    user_id = _claimed(ask, errand, form.get("user_id", "").strip().lower())
    if not 0 < len(user_id) <= MAX_USER_ID_CHARACTERS:
        return await _form_again(ask, errand, NEED_USER_ID)
    moved = ask.session.id if errand.step_up and ask.moved and ask.session is not None else ""
    code = await Claim(user_id, errand, ask.holder_hash, moved).keep(ask)
    if code is None:
        busy = await _form_again(ask, errand, BUSY)
        busy.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return busy
    response = ask.redirect(f"{ask.settings.eid_doors[0]}{EID_ENTER}?code={code}&language={ask.language}")
    response.headers.update(ONE_TIME_FIELDS)
    return response


async def finish(ask: Ask) -> web.StreamResponse:
    """`GET /eid?code=…`: what the door found. The ledger's line is durable before the session is."""
    vouched = await Vouched.take(ask)
    login = None if vouched is None else await ask.services.records.find_login(vouched.user_id)
    if vouched is None or login is None:
        response = ask.notice(OVER, OVER_TEXT, status=403, link_text=N_("Begin again"))
        response.headers.update(ONE_TIME_FIELDS)
        return response
    proved = Proved(
        login,
        Means.EID,
        ask.services.sealer.person(login.user_id, login.insz),
        Bound(certificate=vouched.thumbprint, certificate_good_at=vouched.good_at),
        vouched.at,
        ShownCertificate(
            ask.services.sealer.certificate(vouched.issuer, vouched.serial),
            vouched.issuer,
            vouched.policy,
            revoked="unknown" if vouched.unknown else "no",
            good_at=vouched.good_at,
        ),
    )
    signed_in = await carry_on(ask, proved, vouched.errand)
    signed_in.headers.update(ONE_TIME_FIELDS)
    return signed_in


def _claimed(ask: Ask, errand: Errand, user_id: str) -> str:
    """Whose user ID is claimed: at a step-up the session's. Raises Conflict when there is no session to raise, or a card would not do."""
    if not errand.step_up:
        return user_id
    session = ask.session
    if session is None or Means.EID not in step_up.would_do(ask, errand, session):
        raise Conflict("there is no session that a card would raise")
    return session.user_id


async def _form_again(ask: Ask, errand: Errand, told: str) -> web.StreamResponse:
    page = step_up.refused if errand.step_up else sign_in.refused
    return await page(ask, errand, ask.text(told))
