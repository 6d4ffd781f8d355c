"""The institution's people as a file: the page that explains the columns, and the file with everybody that can be had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from gateway.portal import catalogue
from gateway.portal.act_words import title_of
from gateway.portal.administration import (
    FORM_TOO_OLD,
    MAX_REASON_CHARACTERS,
    NEED_REASON,
    NOTHING_TO_TELL,
    Administrator,
    Telling,
    administrator,
    record_of,
)
from gateway.portal.ask import PAGE_FIELDS, Ask
from gateway.portal.catalogue import N_
from gateway.portal.person_sheet import roles_of
from gateway.records import Change
from gateway.records.narrowing import day_of
from gateway.records.table_file import COLUMNS, MOST_BYTES, MOST_ROWS, write_head, write_rows
from gateway.records.values import Detail

PEOPLE_AT_ONCE: Final = 400
EXPLAINED: Final[dict[str, str]] = {
    "insz": N_("National or bis number. Needed for a new person; then it may stay empty."),
    "name": N_("As it is on the card. Needed for a new person."),
    "user_id": N_("Needed in each row. A person with several designations has several rows."),
    "language": N_("nl, fr, de or en; empty: the institution's own."),
    "authorisation": N_("The reference of the deliberation; empty: no designation."),
    "uses": N_("consultation, communication, or both with a space between them."),
    "from": N_("First day, like 2026-12-31 or 31/12/2026; empty: from now on."),
    "until": N_("Last day; empty: as long as the authorisation lasts."),
    "role": N_("A user-management role that the transaction asks for; empty: none."),
    "reason": N_("Why; empty: the reason that you give for all rows."),
}


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /administration/lists`."""
    who = await administrator(ask)
    return who if isinstance(who, web.Response) else lists_page(ask, who)


def lists_page(ask: Ask, who: Administrator, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    context = {
        "telling": telling,
        "columns": [(name, EXPLAINED[name]) for name in COLUMNS],
        "authorisations": [
            (
                reference,
                title_of(ask, reference).removesuffix(f" ({reference})"),
                catalogue.last_day(ask.language, granted.validity.end),
            )
            for reference, granted in who.authorisations(ask).items()
        ],
        "roles": sorted(roles_of(ask, who)),
        "most_rows": MOST_ROWS,
        "most_kib": MOST_BYTES // 1024,
    }
    return ask.page("administration_lists.html", context, status=telling.status)


async def export(ask: Ask) -> web.StreamResponse:
    """`POST /administration/export`, with `reason` and `with_insz`: everybody, in the columns that can be brought in. A line of the ledger first."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    form = await ask.form()
    reason = " ".join(form.get("reason", "").split())
    if not ask.form_fits(form):
        return lists_page(ask, who, Telling(ask.text(FORM_TOO_OLD), typed=form, status=403))
    if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        faults = {"export-reason": ask.text(NEED_REASON)}
        return lists_page(ask, who, Telling(faults=faults, typed=form, status=422))
    now, numbers = ask.services.clock(), bool(form.get("with_insz"))
    details: dict[str, Detail] = {"with_insz": numbers}
    change = Change("people export", now, who.by(reason), institution=who.user.institution, details=details)
    await ask.services.admin.write(record_of(ask, who, change))
    name = f"people-{who.user.institution}-{day_of(now).isoformat()}.csv"
    response = web.StreamResponse(
        headers={
            **PAGE_FIELDS,
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
    )
    await response.prepare(ask.request)
    await response.write(write_head())
    async for rows in _portions(ask, who, now, with_numbers=numbers):
        await response.write(write_rows(rows))
    await response.write_eof()
    return response


async def _portions(
    ask: Ask, who: Administrator, now: float, *, with_numbers: bool
) -> AsyncIterator[list[tuple[str, ...]]]:
    """The rows, some hundred people at a time: a file of any size takes no more memory than that."""
    records, after, more = ask.services.records, None, True
    while more:
        portion = await records.everybody(who.user.institution, now, PEOPLE_AT_ONCE, after)
        yield await records.export_rows([each.user_id for each in portion.people], now, with_numbers=with_numbers)
        after, more = portion.after, portion.after is not None
