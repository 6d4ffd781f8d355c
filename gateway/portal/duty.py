"""The duty officer's pages: what is suspended in an emergency, suspending and resuming (clause I3), and the sessions of a user ID.

Open to whoever the KSZ's table names as duty officer, with their eID; to everybody else they do not exist. Nothing else is here: no names,
no records of anybody.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from aiohttp import web

from gateway.decision.suspensions import Scope, Suspended
from gateway.errors import Conflict, RecordsError
from gateway.ledger.record import administration_record
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.information import not_found
from gateway.portal.offices import Officer, office
from gateway.portal.words import NO_NAME
from gateway.records import BeforeCommit, Change
from gateway.records.emergency import checked_reason, resume, suspend
from gateway.records.switch import MAX_REASON_CHARACTERS, Suspension, new_key

SUBJECT: Final = {
    Scope.TRANSACTION: "transaction",
    Scope.INSTITUTION: "institution",
    Scope.AUTHORISATION: "authorisation",
    Scope.PERSON: "person",
}
"""The field of the form that says what; of all there is none."""
SCOPES: Final = {
    Scope.ALL: N_("Everything"),
    Scope.TRANSACTION: N_("One transaction"),
    Scope.INSTITUTION: N_("One institution"),
    Scope.AUTHORISATION: N_("One authorisation"),
    Scope.PERSON: N_("One person"),
}
PAST_SHOWN: Final = 20

FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was changed: please try again.")
NEED_REASON: Final = N_("Say in a few words why: it stays with the suspension, and in the log.")
CHOOSE: Final = N_("Choose what is to be suspended.")
NOT_THERE: Final = N_("What you chose does not exist. Nothing was suspended: please check it.")
DONE_SUSPENDED: Final = N_("It is suspended. What was open ends within a second.")
ALONE: Final = N_(
    "It is suspended here, but the register could not be reached: if the gateway runs on several machines, the others learn of it when the register is back."
)
DONE_RESUMED: Final = N_("It is open again.")
STILL: Final = N_("This suspension has ended. What it was for is still suspended, by another one that stands below.")
MEANWHILE: Final = N_("It has ended already. Nothing was changed.")
STAYS: Final = N_("The register cannot be reached, so it stays suspended. Please try again in a few minutes.")
NOBODY: Final = N_("This user ID does not exist. Nothing was changed: please check it.")
DONE_SESSIONS: Final = N_("All sessions of this user ID have ended, and what was open ends within a second.")


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /duty`."""
    officer = await office(ask, "duty_officer")
    return officer if isinstance(officer, web.Response) else await _page(ask)


async def begin(ask: Ask) -> web.StreamResponse:
    """`POST /duty/suspend`: the reason is mandatory, and what is named has to be there."""
    officer = await office(ask, "duty_officer")
    if isinstance(officer, web.Response):
        return officer
    form = await ask.form()
    if not ask.form_fits(form):
        return await _page(ask, general=FORM_TOO_OLD, form=form, status=403)
    switch, reason, now = ask.services.switch, _reason(form), ask.services.clock()
    if switch is None:
        return not_found(ask)
    try:
        scope = Scope(form.get("scope", ""))
    except ValueError:
        return await _page(ask, general=CHOOSE, form=form, status=422)
    if not reason:
        return await _page(ask, general=NEED_REASON, form=form, status=422)
    subject = form.get(SUBJECT[scope], "").strip() if scope in SUBJECT else ""
    if not _is_there(ask, scope, subject):
        return await _page(ask, general=NOT_THERE, form=form, status=422)
    entry = Suspended(new_key(f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%d}"), scope, subject)
    wanted = Suspension(entry, reason, officer.by(reason).actor, now)
    try:
        made = await suspend(switch, ask.services.records, wanted, _line_of(ask, officer))
    except Conflict:
        return await _page(ask, general=NOT_THERE, form=form, status=422)
    return await _page(ask, done=DONE_SUSPENDED if made.recorded else ALONE)


async def end(ask: Ask) -> web.StreamResponse:
    """`POST /duty/resume`."""
    officer = await office(ask, "duty_officer")
    if isinstance(officer, web.Response):
        return officer
    form = await ask.form()
    if not ask.form_fits(form):
        return await _page(ask, general=FORM_TOO_OLD, status=403)
    switch, reason, now = ask.services.switch, _reason(form), ask.services.clock()
    if switch is None:
        return not_found(ask)
    if not reason:
        return await _page(ask, general=NEED_REASON, status=422)
    try:
        by = officer.by(reason)
        ended = await resume(switch, ask.services.records, form.get("key", ""), by, now, _line_of(ask, officer))
    except Conflict:
        return await _page(ask, general=MEANWHILE, status=409)
    except RecordsError:
        return await _page(ask, general=STAYS, status=503)
    return await _page(ask, done=STILL if ended.others else DONE_RESUMED)


async def sessions(ask: Ask) -> web.StreamResponse:
    """`GET /duty/sessions?user_id=…`: where a user ID is signed in now; and `POST`, which ends all of them."""
    officer = await office(ask, "duty_officer")
    if isinstance(officer, web.Response):
        return officer
    if ask.request.method != "POST":
        return await _sessions_page(ask, _word(ask.request.query.get("user_id", "")))
    form = await ask.form()
    user_id, reason = _word(form.get("user_id", "")), _reason(form)
    if not ask.form_fits(form):
        return await _sessions_page(ask, user_id, general=FORM_TOO_OLD, status=403)
    if not reason:
        return await _sessions_page(ask, user_id, general=NEED_REASON, status=422)
    login = await ask.services.records.find_login(user_id)
    if login is None:
        return await _sessions_page(ask, user_id, general=NOBODY, status=422)
    await ask.services.records.end_sessions_of(
        user_id, reason, officer.by(reason).signature, before_commit=_line_of(ask, officer, login.institution)
    )
    return await _sessions_page(ask, user_id, done=DONE_SESSIONS)


async def _page(
    ask: Ask, *, general: str = "", done: str = "", form: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    table, running = ask.services.snapshot(), ask.services.suspensions()
    transactions = [(each.id, each.title.in_(ask.language)) for each in table.transactions.values()]
    institutions = [(each.kbo, each.name.in_(ask.language)) for each in table.institutions.values()]
    authorisations = [
        (each.reference, f"{each.institution} · {each.transaction}") for each in table.by_reference.values()
    ]
    try:
        past = await ask.services.records.past_suspensions(PAST_SHOWN)
    except RecordsError:
        # What was just done stands, and has to be said; what has ended can be looked up later.
        past = []
    context = {
        "running": None if running is None else [_row(ask, each) for each in running],
        "past": [
            _row(ask, each.suspension)
            | {
                "ended": catalogue.day_and_time(ask.language, each.ended_at),
                "ended_by": each.ended_by,
                "ended_reason": each.ended_reason,
            }
            for each in past
        ],
        "scopes": [(scope.value, ask.text(SCOPES[scope])) for scope in SCOPES],
        "transactions": sorted(transactions),
        "institutions": sorted(institutions),
        "authorisations": sorted(authorisations),
        "typed": form or {},
        "most": MAX_REASON_CHARACTERS,
        "general": ask.text(general) if general else "",
        "done": ask.text(done) if done else "",
    }
    return ask.page("duty.html", context, status=status)


async def _sessions_page(
    ask: Ask, user_id: str, *, general: str = "", done: str = "", status: int = 200
) -> web.Response:
    now, idle = ask.services.clock(), ask.services.snapshot().idle_seconds
    found = await ask.services.records.open_sessions_of(user_id, now, idle) if user_id else []
    context = {
        "user_id": user_id,
        "rows": [
            {
                "client": entry.session.client or NO_NAME,
                "since": catalogue.day_and_time(ask.language, entry.session.created_at),
                "seen": catalogue.day_and_time(ask.language, entry.last_seen),
            }
            for entry in found
        ],
        "most": MAX_REASON_CHARACTERS,
        "general": ask.text(general) if general else "",
        "done": ask.text(done) if done else "",
    }
    return ask.page("duty_sessions.html", context, status=status, again={"user_id": user_id})


def _row(ask: Ask, suspension: Suspension) -> dict[str, str]:
    entry = suspension.entry
    return {
        "key": entry.key,
        "what": ask.text(SCOPES[entry.scope]),
        "subject": entry.subject,
        "since": catalogue.day_and_time(ask.language, suspension.since),
        "by": suspension.by.removeprefix("user:"),
        "reason": suspension.reason,
        "ended": "",
    }


def _is_there(ask: Ask, scope: Scope, subject: str) -> bool:
    """In the running table; of a person the records say so."""
    table = ask.services.snapshot()
    if scope is Scope.ALL:
        return True
    if scope is Scope.TRANSACTION:
        return subject in table.transactions
    if scope is Scope.INSTITUTION:
        return subject in table.institutions
    return subject in table.by_reference if scope is Scope.AUTHORISATION else bool(subject)


def _word(user_id: str) -> str:
    """A user ID as the records have it, however it was typed."""
    return user_id.strip().lower()


def _reason(form: dict[str, str]) -> str:
    """ "" unless it says why."""
    reason = " ".join(form.get("reason", "").split())
    try:
        checked_reason(reason)
    except Conflict:
        return ""
    return reason


def _line_of(ask: Ask, officer: Officer, institution: str | None = None) -> BeforeCommit:
    """Writes the act's line before it comes into force (clause T1). `institution` is whose person it is about, where the act does not say."""
    sealer = ask.services.sealer

    async def write(change: Change) -> None:
        await ask.services.admin.write(
            administration_record(
                ask.handed.reference,
                act=change.act,
                actor="portal",
                by=sealer.person(officer.user.user_id, officer.user.insz),
                person=None if change.user_id is None else sealer.person(change.user_id, change.insz),
                institution=change.institution or institution,
                reason=change.by.reason,
                objects=change.objects,
            )
        )

    return write
