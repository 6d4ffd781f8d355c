"""The eID door, a host of its own whose listener asks for a client certificate: here the card is judged, and whoever is not let in reads why.

The certificates are those of the connection (`Facts.connection.certificate`). Nothing here begins a session, and there is no cookie but
the language's. A refusal has a page of its own with a new code, so that it can be read in every language and as often as one likes; a
browser remembers its choice of certificate by host, and "another card" is the same page on another host (DESIGN section 10).
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from gateway.credentials.certificate import PersonCertificate, belongs_to, verify
from gateway.credentials.certificate_chain import Step
from gateway.credentials.revocation import Status
from gateway.decision import ATTEMPTS
from gateway.decision.places import EID_ENTER, EID_REFUSED
from gateway.errors import CertificateRefused, RecordsError
from gateway.ledger.record import ShownCertificate
from gateway.ledger.reference import format_reference
from gateway.model import Means
from gateway.portal import cookies, language
from gateway.portal.ask import ONE_TIME_FIELDS, Ask
from gateway.portal.attempts import count_wrong_proof, sign_in_line
from gateway.portal.catalogue import N_
from gateway.portal.claim import MOST_TRIES, Claim, Vouched
from gateway.portal.eid_words import WORDS
from gateway.records import Login

NOBODY: Final = 0
"""Whose numbers are looked up for an unknown user ID, so that it takes as long as for a known one."""
_UNVOUCHED: Final = frozenset({Step.READ, Step.CHAIN, Step.PATH})
"""Steps after which nothing in a certificate is anybody's word but its own maker's."""


async def enter(ask: Ask) -> web.StreamResponse:
    """`GET /.gateway/eid?code=…`: judges the card of this connection."""
    claim = await Claim.take(ask)
    if claim is None or claim.tries >= MOST_TRIES:
        return _with_one_time_fields(_over(ask))
    login = await ask.services.records.find_login(claim.user_id)
    try:
        vouched = await _judge(ask, claim, login)
    except CertificateRefused as refused:
        await _write_line(ask, claim, login, refused)
        return await _refuse(ask, claim, refused.reason)
    code = await vouched.keep(ask, claim.browser)
    if code is None:
        raise RecordsError("there is no room for more sign-ins")
    return _with_one_time_fields(ask.redirect(f"{ask.settings.address}/eid?code={code}"))


async def show_refusal(ask: Ask) -> web.StreamResponse:
    """`GET /.gateway/eid/refused?code=…`: what happened, and what to do."""
    claim = await Claim.look(ask)
    if claim is None or not claim.why:
        return _over(ask)
    told = WORDS[claim.why]
    query = urlencode({"code": ask.request.query["code"], "language": ask.language})
    goes_on = claim.tries < MOST_TRIES
    doors = ask.settings.eid_doors
    here = next((number for number, door in enumerate(doors) if urlsplit(door).hostname == ask.host), 0)
    other = doors[(here + 1) % len(doors)]
    page = "step-up" if claim.errand.step_up else "sign-in"
    context = {
        "told": told,
        "again": f"{EID_ENTER}?{query}" if goes_on else "",
        "another": f"{other}{EID_ENTER}?{query}" if goes_on and len(doors) > 1 else "",
        "elsewhere": f"{ask.settings.address}/{page}?{urlencode(claim.errand.again)}",
        "step_up": claim.errand.step_up,
        "service": ask.settings.help_desk,
        "reference": format_reference(claim.reference),
    }
    return _with_one_time_fields(ask.page("eid_refused.html", context, status=ATTEMPTS[claim.why].status))


def elsewhere(ask: Ask) -> web.Response:
    """Whoever comes here without a code: the way in is at the portal."""
    return ask.notice(
        N_("This address is only for showing an eID card"),
        N_("Signing in begins on the sign-in page, with your user ID. It brings you here when you choose your card."),
        status=404,
        link=f"{ask.settings.address}/sign-in",
        link_text=N_("Sign in"),
    )


async def _judge(ask: Ask, claim: Claim, login: Login | None) -> Vouched:
    """Steps 1 to 13 of `certificate.verify`. Raises CertificateRefused."""
    profile, revocation = ask.services.card_profile(), ask.services.revocation
    if profile is None or revocation is None:
        raise RecordsError("an eID listener without a profile of cards")
    now = ask.services.clock()
    # Some milliseconds of computing, which the others on this worker do not wait for.
    certificate = await asyncio.to_thread(verify, ask.facts.connection.certificate, profile, now)
    numbers = await ask.services.records.numbers_of(NOBODY if login is None else login.person)
    if not belongs_to(certificate, numbers) or login is None:
        reason = "unknown_user_id" if login is None else "certificate_not_yours"
        raise certificate.refused(reason, Step.OWNER, "another person's card")
    if not login.allowed(now):
        raise certificate.refused("user_id_blocked", Step.OWNER, "the user ID is blocked or has ended")
    status = await revocation.status(certificate, now)
    if status.state is Status.REVOKED:
        raise certificate.refused("certificate_revoked", Step.REVOCATION, f"by the word of: {status.source}")
    return _vouched(claim, certificate, now, status.at, unknown=status.state is Status.UNKNOWN)


def _vouched(
    claim: Claim, certificate: PersonCertificate, now: float, good_at: float | None, *, unknown: bool
) -> Vouched:
    return Vouched(
        claim.user_id,
        claim.errand,
        now,
        certificate.thumbprint,
        good_at,
        unknown,
        certificate.issuer,
        certificate.serial,
        certificate.policy,
    )


async def _write_line(ask: Ask, claim: Claim, login: Login | None, refused: CertificateRefused) -> None:
    shown = None
    if refused.serial:
        shown = ShownCertificate(
            ask.services.sealer.certificate(refused.issuer, refused.serial),
            None if refused.step in _UNVOUCHED else refused.issuer,
            refused.policy,
            refused.step,
            "yes" if refused.reason == "certificate_revoked" else None,
        )
    user = ask.services.sealer.person(claim.user_id, None if login is None else login.insz)
    line = sign_in_line(
        ask,
        user,
        login,
        Means.EID,
        refused.reason,
        step_up=claim.errand.step_up,
        detail=refused.detail,
        certificate=shown,
    )
    await ask.services.admin.write(line)
    if claim.moved and refused.reason != "certificate_missing":
        # To show none proves nothing either way: a card that sticks, a window that was closed.
        await count_wrong_proof(ask, user, claim.moved)


async def _refuse(ask: Ask, claim: Claim, reason: str) -> web.Response:
    """To the page of the refusal, with a code for another try."""
    shown = "certificate_not_yours" if reason == "unknown_user_id" else reason
    again = claim._replace(tries=claim.tries + 1, why=shown, reference=ask.handed.reference)
    code = await again.keep(ask)
    if code is None:
        raise RecordsError("there is no room for more sign-ins")
    response = _with_one_time_fields(ask.redirect(f"{EID_REFUSED}?code={code}"))
    spoken = language.known(ask.request.query.get("language"))
    if spoken is not None:
        cookies.set_cookie(response, cookies.LANGUAGE, spoken, cookies.YEAR_SECONDS)
    return response


def _over(ask: Ask) -> web.Response:
    return ask.notice(
        N_("This way to show a card has been used, or is too old"),
        N_("It is good once, for ten minutes. Nothing was changed: begin again on the sign-in page."),
        status=403,
        link=f"{ask.settings.address}/sign-in",
        link_text=N_("Begin again"),
    )


def _with_one_time_fields(response: web.Response) -> web.Response:
    response.headers.update(ONE_TIME_FIELDS)
    return response
