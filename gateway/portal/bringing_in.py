"""Bringing in a list: first what it would do and every fault of every row, with nothing done; then exactly that, whole, or nothing.

What was checked is kept, sealed, for a quarter of an hour, and looked at once more when it is applied: where the records have changed so that
it would do something else, it is shown anew instead.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.errors import Conflict, CredentialError, RequestError
from gateway.message.forms import read_upload
from gateway.portal import catalogue
from gateway.portal.act_words import title_of
from gateway.portal.administration import (
    FORM_TOO_OLD,
    MAX_REASON_CHARACTERS,
    NEED_REASON,
    Administrator,
    Telling,
    address_of,
    administrator,
    line_of,
)
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.forms import FIELD
from gateway.portal.import_words import FAULTS
from gateway.portal.lists import lists_page
from gateway.portal.person_sheet import roles_of
from gateway.portal.words import USES
from gateway.records.importing import Bounds, Plan, Step, namesakes_of
from gateway.records.table_file import COLUMNS, MOST_BYTES, Fault, Row, read_table

KEPT_SECONDS: Final = 900.0
FORM_ROOM: Final = 16_384
"""Bytes of an upload beside the file: the other fields, and what stands around them."""
MOST_DRAINED: Final = 32 * 1024 * 1024
"""So much of a file that is too large is read, so that the browser gets to see the answer."""
MOST_FAULTS: Final = 200
"""That are shown at once; who has more mends these first."""

CHANGED: Final = N_(
    "The records have changed since the list was checked. Nothing was done: this is what it would do now."
)
GONE: Final = N_(
    "This list is not kept any more: a quarter of an hour has passed, or it was applied already. Nothing was done. Send the file again."
)
NOTHING: Final = N_("All that the list says stands already: there is nothing to do.")
NO_ROOM: Final = N_("The list could not be kept at this moment. Nothing was done: please try again in a few minutes.")
NO_FILE: Final = N_("Choose the file.")


async def check(ask: Ask) -> web.StreamResponse:
    """`POST /administration/import`, a form with a file: `file`, `reason`. Nothing is done."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    fields = await _uploaded(ask)
    if fields is None:
        return lists_page(ask, who, Telling(ask.text(FAULTS["too_large"].what), status=413))
    typed = {name: _text(value) for name, value in fields.items() if name != "file"}
    if not ask.form_fits({FIELD: typed.get(FIELD, "")}):
        return lists_page(ask, who, Telling(ask.text(FORM_TOO_OLD), typed=typed, status=403))
    reason = " ".join(typed.get("reason", "").split())
    faults = {}
    if len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        faults["import-reason"] = ask.text(NEED_REASON)
    if not fields.get("file"):
        faults["file"] = ask.text(NO_FILE)
    if faults:
        return lists_page(ask, who, Telling(faults=faults, typed=typed, status=422))
    read = read_table(fields["file"])
    if read.faults:
        return _faults_page(ask, read.faults)
    return await _plan_page(ask, who, read.rows, reason)


async def apply(ask: Ask) -> web.StreamResponse:
    """`POST /administration/import/apply`, with `key`: what was checked is done, whole or not at all."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    form = await ask.form()
    if not ask.form_fits(form):
        return lists_page(ask, who, Telling(ask.text(FORM_TOO_OLD), status=403))
    kept = await _taken(ask, form.get("key", ""))
    if kept is None or kept["user_id"] != who.user.user_id:
        return lists_page(ask, who, Telling(ask.text(GONE), status=410))
    rows = tuple(Row(line, dict(zip(COLUMNS, cells, strict=True))) for line, *cells in kept["rows"])
    bounds, now, records = bounds_of(ask, who), ask.services.clock(), ask.services.records
    try:
        plan = await records.apply_import(rows, kept["digest"], bounds, who.by(kept["reason"]), now, line_of(ask, who))
    except Conflict:
        # Also who acts may have lost their mandate in this moment: then they see nothing more.
        still = await administrator(ask)
        if isinstance(still, web.Response):
            return still
        return await _plan_page(ask, still, rows, kept["reason"], ask.text(CHANGED))
    return ask.page("administration_imported.html", _counts(plan))


def bounds_of(ask: Ask, who: Administrator) -> Bounds:
    """What this administrator may give."""
    granted = who.authorisations(ask)
    institution = ask.services.snapshot().institutions.get(who.user.institution)
    return Bounds(
        who.user.institution,
        "nl" if institution is None else institution.language,
        granted,
        roles_of(ask, who),
        who.user.person,
        {reference: held.record for reference in granted if (held := who.for_authorisation(reference)) is not None},
    )


async def _plan_page(
    ask: Ask, who: Administrator, rows: tuple[Row, ...], reason: str, changed: str = ""
) -> web.Response:
    """What the list would do, with the button that does it; or its faults."""
    plan = await ask.services.records.plan_import(rows, bounds_of(ask, who), reason, ask.services.clock())
    if plan.faults:
        return _faults_page(ask, plan.faults, changed)
    if plan.count("nothing") == len(plan.steps):
        return lists_page(ask, who, Telling(done=ask.text(NOTHING)))
    key = make_token(ask.services.random(TOKEN_BYTES))
    payload = {
        "user_id": who.user.user_id,
        "reason": reason,
        "digest": plan.digest,
        "rows": [[row.line, *(row.cells[column] for column in COLUMNS)] for row in rows],
    }
    kept = await ask.services.records.new_pending(
        token_hash(key), "import", ask.holder_hash, payload, KEPT_SECONDS, network=ask.network
    )
    if not kept:
        return lists_page(ask, who, Telling(ask.text(NO_ROOM), status=503))
    alike = await namesakes_of(plan, who.user.institution, ask.services.records)
    steps = [_step(ask, step, alike.get(step.line, [])) for step in plan.steps]
    context = {"key": key, "changed": changed, "steps": steps, **_counts(plan)}
    return ask.page("administration_plan.html", context, status=409 if changed else 200)


def _counts(plan: Plan) -> dict[str, int]:
    return {what: plan.count(what) for what in ("user_ids", "designations", "roles", "nothing")}


def _step(ask: Ask, step: Step, alike: list[str]) -> dict[str, Any]:
    terms = step.terms
    return {
        "line": step.line,
        "user_id": step.user_id,
        "name": step.name,
        "adds": step.adds,
        "alike": [(each, address_of(each)) for each in alike],
        "designation": "" if terms is None else title_of(ask, step.authorisation),
        "uses": [] if terms is None else [ask.text(USES[use]) for use in sorted(terms.uses)],
        "until": None if terms is None else catalogue.last_day(ask.language, terms.validity.end),
        "role": step.role or "",
        "reason": step.reason if step.does else "",
    }


def _faults_page(ask: Ask, faults: tuple[Fault, ...], changed: str = "") -> web.Response:
    shown = sorted(faults)[:MOST_FAULTS]
    context = {
        "changed": changed,
        "faults": [
            {
                "line": fault.line,
                "column": fault.column,
                "what": ask.text(FAULTS[fault.code].what) % {"value": fault.value},
                "do": ask.text(FAULTS[fault.code].do),
            }
            for fault in shown
        ],
        "count": len(faults),
        "more": len(faults) - len(shown),
    }
    return ask.page("administration_faults.html", context, status=409 if changed else 422)


async def _uploaded(ask: Ask) -> dict[str, bytes] | None:
    """The fields of the form; None when it is too large. Raises `HTTPBadRequest` when it cannot be read."""
    body, size = bytearray(), 0
    async for piece in ask.request.content.iter_any():
        size += len(piece)
        if size > MOST_DRAINED:
            break
        if size <= MOST_BYTES + FORM_ROOM:
            body += piece
    if size > MOST_BYTES + FORM_ROOM:
        return None
    try:
        return read_upload(ask.request.headers.get("Content-Type", ""), bytes(body))
    except RequestError as error:
        raise web.HTTPBadRequest from error


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


async def _taken(ask: Ask, key: str) -> dict[str, Any] | None:
    try:
        return await ask.services.records.take_pending(token_hash(key), "import", ask.holder_hash)
    except CredentialError:
        return None
