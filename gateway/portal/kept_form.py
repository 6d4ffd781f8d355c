"""A form that was kept while its person confirmed who they are: shown on the transaction's own host, then sent on or discarded.

The page holds the fields, and its button sends them to this page, where the kept form is used up: the answer is a 307 to where the form
was going, and the browser itself sends the same fields there (RFC 9110 section 15.4.8), as from any page of that host. So the origin
gets one ordinary request, decided on like every other, and sent twice it is refused here. What stands in a field is text, never
markup; it comes from the kept form and goes nowhere but into this page (docs/adr/0009).

The key in the address is the token against other sites' pages: 256 random bits that only this browser was given, and good only beside
its cookie.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from aiohttp import web

from gateway.credentials.tokens import token_hash
from gateway.decision import decide
from gateway.decision.places import FORM_DISCARDED, FORM_PAGE
from gateway.errors import CredentialError
from gateway.message.forms import Field, read_form
from gateway.portal import catalogue, cookies
from gateway.portal.ask import PAGE_FIELDS, Ask
from gateway.portal.catalogue import N_
from gateway.portal.sufficiency import from_its_page
from gateway.records import KeptForm

ORIGIN_ONLY: Final = {"Referrer-Policy": "strict-origin"}
"""The application sees that the form came from its own host, as it would have, but not the key; `Origin` stays what it was."""

_SECRET: Final = re.compile(
    r"pass|pwd|wachtwoord|kennwort|geheim|secret|token|csrf|xsrf|\bpin\b|pincode|nonce|signature|viewstate",
    re.IGNORECASE,
)
"""Names of fields whose value is nobody's to read over a shoulder, or means nothing to a person."""


class Shown(NamedTuple):
    """One field as the page lists it: `kind` is `text`, `secret`, `empty` or `file`."""

    name: str
    value: str
    kind: str


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /.gateway/form?key=…`: what will be sent. It may be looked at again: in another language, after a reload."""
    key = ask.request.query.get("key", "")
    hashes = _hashes(ask, key)
    kept = None if hashes is None else await ask.services.records.kept_form(*hashes, ask.host)
    if kept is None:
        return _gone(ask)
    if not _theirs(ask, kept):
        await _taken(ask)
        return _another_user(ask)
    form = read_form(kept.content_type, kept.body)
    context = {
        "form": form,
        "shown": [shown(field) for field in form.fields],
        "chosen": any(field.file and field.value for field in form.fields),
        "transaction": _title(ask, kept),
        "until": catalogue.clock_time(ask.language, kept.expires_at),
        "send": f"{FORM_PAGE}?key={quote(key)}",
        "discard": f"{FORM_DISCARDED}?key={quote(key)}",
    }
    response = ask.page("kept_form.html", context, leads_to=_leads_to(ask))
    response.headers.update(ORIGIN_ONLY)
    return response


def _leads_to(ask: Ask) -> tuple[str, ...]:
    """Where sending the form may lead by redirect: to the portal, when it meets a challenge once more; to another host of ours, when the
    application goes on there."""
    names = ask.services.snapshot().names - {ask.host, ask.settings.host}
    return (ask.settings.address, *(ask.settings.address_of(name) for name in sorted(names)))


async def send(ask: Ask) -> web.StreamResponse:
    """`POST /.gateway/form?key=…`, with the fields: the kept form is used up, and the browser sends the fields where they were going."""
    # To the end, unread: a browser that is answered while it still sends may take it for a broken connection.
    async for _ in ask.request.content.iter_any():
        pass
    kept = await _taken(ask)
    if kept is None:
        return _gone(ask)
    if not _theirs(ask, kept):
        return _another_user(ask)
    location = f"{ask.settings.address_of(ask.host)}{kept.target}"
    return web.Response(status=307, headers={**PAGE_FIELDS, **ORIGIN_ONLY, "Location": location})


async def discard(ask: Ask) -> web.StreamResponse:
    """`POST /.gateway/form/discard?key=…`. From a page of before a step-up nothing is discarded: it is shown anew."""
    if not ask.form_fits(await ask.form()):
        return ask.redirect(f"{FORM_PAGE}?key={quote(ask.request.query.get('key', ''))}")
    await _taken(ask)
    return ask.notice(
        N_("The form has been discarded"),
        N_("Nothing was sent, and what you had filled in is not kept any more."),
        status=200,
    )


def shown(field: Field) -> Shown:
    """How a field is listed: what looks like a secret is sent, but not shown."""
    if not field.value:
        return Shown(field.name, "", "empty")
    if field.file:
        return Shown(field.name, field.value, "file")
    return Shown(field.name, "", "secret") if _SECRET.search(field.name) else Shown(field.name, field.value, "text")


async def _taken(ask: Ask) -> KeptForm | None:
    hashes = _hashes(ask, ask.request.query.get("key", ""))
    return None if hashes is None else await ask.services.records.take_form(*hashes, ask.host)


def _hashes(ask: Ask, key: str) -> tuple[bytes, bytes] | None:
    """Of the key and of the browser's cookie; None when either cannot be one of ours."""
    try:
        return token_hash(key), token_hash(ask.cookie(cookies.KEPT) or "")
    except CredentialError:
        return None


def _theirs(ask: Ask, kept: KeptForm) -> bool:
    return ask.user is not None and ask.user.user_id == kept.user_id


def _title(ask: Ask, kept: KeptForm) -> str:
    """The transaction's title, for whom it may be told to (DESIGN section 4)."""
    path = kept.target.partition("?")[0]
    decision = decide(from_its_page(ask.facts, "POST", ask.host, path), ask.services.snapshot())
    transaction = decision.transaction if decision.disclosed else None
    return "" if transaction is None else transaction.title.in_(ask.language)


def _gone(ask: Ask) -> web.Response:
    return ask.notice(
        N_("This form is not kept any more"),
        N_(
            "It has been sent on or discarded already, or a quarter of an hour has passed, or it comes from another browser. Nothing was sent now. If you had sent it on, check in the application whether it has arrived before you fill it in again."
        ),
        status=410,
    )


def _another_user(ask: Ask) -> web.Response:
    return ask.notice(
        N_("This form was filled in with another user ID"),
        N_(
            "It was kept for the user ID that was signed in when it was sent. You have signed in with another one, so it has been discarded: nothing was sent."
        ),
        status=403,
    )
