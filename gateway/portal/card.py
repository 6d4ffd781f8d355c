"""The second page of who has a code card: "code number 13, please". The number was chosen when the password was right, and is tried once."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gateway.credentials import code_card
from gateway.credentials.tokens import token_hash
from gateway.errors import CredentialError
from gateway.portal import sign_in, step_up
from gateway.portal.ask import Ask
from gateway.portal.attempts import Refused, prove_card
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand
from gateway.portal.hashing import Busy
from gateway.portal.sessions import carry_on
from gateway.portal.sign_in import BUSY, FORM_TOO_OLD, TRY_AGAIN_SECONDS, leads_to, refusal_text
from gateway.records import CardChallenge

NEED_CODE: Final = N_("Fill in the code that stands beside this number on your card.")
NO_CARD_CODE: Final = N_(
    "A code of the card has six letters and digits. It never has a vowel, nor the digits 0, 1, 5 and 8."
)
APP_CODE: Final = N_(
    "This looks like a code of the app. Here the code of your card is asked for, the one beside the number above."
)
WRONG_NUMBER: Final = N_(
    "That was not the code beside number %(number)s of your card. Each number can be tried once, so you are asked for another one now: fill in your password again, and look for the new number."
)


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /code-card?key=…`."""
    key = ask.request.query.get("key", "")
    challenge = await _challenge(ask, key)
    return _over(ask) if challenge is None else _page(ask, key, challenge)


async def submit(ask: Ask) -> web.StreamResponse:
    """`POST /code-card`: the one try. What can be no code of a card is told, and costs none."""
    form = await ask.form()
    key, code = form.get("key", ""), form.get("card_code", "").strip()
    challenge = await _challenge(ask, key)
    if challenge is None:
        return _over(ask)
    if not ask.form_fits(form):
        return _page(ask, key, challenge, general=ask.text(FORM_TOO_OLD), status=403)
    fault = _slip(code)
    if fault:
        return _page(ask, key, challenge, faults={"card_code": ask.text(fault)}, status=422)
    try:
        found = await prove_card(ask, token_hash(key), code)
    except Busy:
        response = _page(ask, key, challenge, general=ask.text(BUSY), status=503)
        response.headers["Retry-After"] = TRY_AGAIN_SECONDS
        return response
    if found is None:
        return _over(ask)
    outcome, errand = found
    if not isinstance(outcome, Refused):
        return await carry_on(ask, outcome, errand)
    wrong = ask.text(WRONG_NUMBER) % {"number": challenge.number} if outcome.reason == "card_code_wrong" else None
    told = refusal_text(ask, outcome, wrong or ask.text(OVER))
    if outcome.reason == "locked_out":
        return _page(ask, key, challenge, general=told, status=403)
    page = step_up.refused if errand.step_up else sign_in.refused
    return await page(ask, errand, told)


OVER: Final = N_(
    "This number is not asked for any more: it was tried already, or five minutes have passed. Sign in again, then you are asked for a number anew."
)


def _slip(code: str) -> str:
    """What is wrong with what was typed, where it can be no code of a card; "" when it can."""
    if not code:
        return NEED_CODE
    try:
        code_card.normalise(code)
    except CredentialError:
        digits = "".join(code.split())
        return APP_CODE if len(digits) == 6 and digits.isdecimal() else NO_CARD_CODE
    return ""


async def _challenge(ask: Ask, key: str) -> CardChallenge | None:
    try:
        return await ask.services.records.card_challenge(token_hash(key), ask.holder_hash)
    except CredentialError:
        return None


def _page(
    ask: Ask,
    key: str,
    challenge: CardChallenge,
    *,
    general: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    errand = Errand.of(challenge.payload["errand"])
    context = {
        "key": key,
        "number": challenge.number,
        "step_up": errand.step_up,
        "back": f"{'/step-up' if errand.step_up else '/sign-in'}?{urlencode(errand.again)}",
        "general": general,
        "faults": faults or {},
    }
    hosts = leads_to(ask, errand.start(ask))
    return ask.page("card.html", context, status=status, leads_to=hosts, again={"key": key})


def _over(ask: Ask) -> web.Response:
    return ask.notice(
        N_("This number is not asked for any more"),
        OVER,
        status=410,
        link="/sign-in",
        link_text=N_("Sign in"),
    )
