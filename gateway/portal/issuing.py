"""Making a code card or a letter with an activation code on the administrator's page: hashed, recorded, and shown once, to be printed."""

from __future__ import annotations

import base64
from functools import partial
from typing import Final

from aiohttp import web

from gateway.credentials import activation, code_card
from gateway.credentials.argon import SALT_BYTES
from gateway.portal.administration import Administrator, Telling, address_of, line_of
from gateway.portal.ask import ONE_TIME_FIELDS, Ask
from gateway.portal.catalogue import N_
from gateway.portal.hashing import Busy
from gateway.portal.papers import Addressee, Paper, card_paper, letter_paper
from gateway.portal.person_sheet import person_page
from gateway.portal.printing import as_pdf
from gateway.portal.sign_in import TRY_AGAIN_SECONDS
from gateway.records import By, Login

NO_ROOM: Final = N_(
    "Too many people are signing in at this moment, so nothing was made. Please try again in a few seconds."
)


async def issue_card(ask: Ask, who: Administrator, login: Login, by: By, _: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/code-card`: a new card; the old one is void."""
    services, pepper = ask.services, ask.services.records.pepper
    codes = code_card.make_codes(services.random(code_card.CARD_BYTES))
    made_at = services.clock()
    paper = card_paper(_addressee(ask, login), codes, made_at)
    hashes = []
    try:
        for number, code in enumerate(codes, start=1):
            # One piece of work each, so that people who sign in meanwhile wait for one of them at most.
            salt = services.random(SALT_BYTES)
            work = partial(code_card.hash_code, pepper, login.user_id, number, code, salt)
            hashes.append(await ask.tools.hashing.run(ask.network, work))
        pdf = await ask.tools.hashing.run(ask.network, partial(as_pdf, paper, made_at))
    except Busy:
        return await _no_room(ask, who, login)
    stored = code_card.write_stored(hashes)
    await services.records.set_code_card(login.user_id, stored, by, services.clock(), line_of(ask, who))
    return _paper_page(ask, login, paper, pdf, "code-card")


async def issue_activation(ask: Ask, who: Administrator, login: Login, by: By, _: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/activation`: a letter; an earlier one is void, and nothing else changes until the code is used."""
    services = ask.services
    code = activation.make_code(services.random(activation.CODE_BYTES))
    now, salt = services.clock(), services.random(SALT_BYTES)
    paper = letter_paper(_addressee(ask, login), code, now + activation.LIFETIME_SECONDS, ask.settings.address)
    work = partial(activation.hash_code, services.records.pepper, login.user_id, code, salt)
    try:
        hashed = await ask.tools.hashing.run(ask.network, work)
        pdf = await ask.tools.hashing.run(ask.network, partial(as_pdf, paper, now))
    except Busy:
        return await _no_room(ask, who, login)
    await services.records.set_activation(login.user_id, hashed, by, services.clock(), line_of(ask, who))
    return _paper_page(ask, login, paper, pdf, "letter")


def _addressee(ask: Ask, login: Login) -> Addressee:
    institution = ask.services.snapshot().institutions.get(login.institution)
    name = login.institution if institution is None else institution.name.in_(login.language)
    return Addressee(login.language, login.user_id, login.name, name)


def _paper_page(ask: Ask, login: Login, paper: Paper, pdf: bytes, name: str) -> web.Response:
    """The paper, with its PDF inside the page: there is no second address under which it could be had again."""
    context = {
        "paper": paper,
        "pdf": f"data:application/pdf;base64,{base64.b64encode(pdf).decode('ascii')}",
        "file": f"{name}-{login.user_id}.pdf",
        "back": address_of(login.user_id),
    }
    response = ask.page("paper.html", context, again={"user_id": login.user_id})
    response.headers.update(ONE_TIME_FIELDS)
    return response


async def _no_room(ask: Ask, who: Administrator, login: Login) -> web.Response:
    response = await person_page(ask, who, login, Telling(ask.text(NO_ROOM), status=503))
    response.headers["Retry-After"] = TRY_AGAIN_SECONDS
    return response
