"""What others changed of a person's records (what they are designated for, their roles, a block) and of their means, and which sessions were
ended for a doubt: told at the next sign-in, until they have read it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

from aiohttp import web

from gateway.portal.act_words import said_acts
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.errand import way_on
from gateway.portal.hand_over import changes_page, host_name, open_start, step_up_page
from gateway.portal.words import CREDENTIALS, NO_NAME
from gateway.records import MeansChange

WHAT: Final = {
    "added": N_("added"),
    "replaced": N_("replaced by a new one"),
    "ended": N_("taken away"),
    "used": N_("used"),
    "disabled": N_("closed after too many wrong attempts"),
}
BY_YOU: Final = N_("by yourself")
BY_SOMEBODY: Final = N_("by %(name)s, for your institution")
BY_SHELL: Final = N_("by the operator of this service, on the word of your institution")
BY_SERVICE: Final = N_("by this service itself")


@dataclass(frozen=True, slots=True)
class Told:
    """One change. `means` and `what` are messages of the catalogues, `by` is in the page's language; `at` is Unix seconds."""

    at: float
    means: str
    what: str
    by: str


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /changes?start=…`. Where there is nothing to tell the person goes on."""
    token, session, user = ask.request.query.get("start", ""), ask.session, ask.user
    if session is None or user is None:
        return ask.redirect("/applications")
    if ask.moved:
        return ask.redirect(step_up_page(token))
    records = ask.services.records
    changes, ends = await records.untold_changes(user.user_id), await records.untold_ends(user.user_id)
    acts = await records.untold_acts(user.user_id)
    moments = [each.at for each in changes] + [each.at for each in acts]
    moments += [each.ended_at for each in ends if each.ended_at is not None]
    if not moments:
        return await way_on(ask, session, user, token)
    start = open_start(ask, token)
    context = {
        "acts": await said_acts(ask, acts),
        "changes": [Told(each.at, CREDENTIALS[each.kind], WHAT[each.what], await _by(ask, each)) for each in changes],
        "ends": [(each.client or NO_NAME, each.created_at, each.ended_at) for each in ends],
        "until": repr(max(moments)),
        "start": token if start else "",
        **ask.helpers,
    }
    hosts = (ask.settings.address_of(host_name(start)),) if start else ()
    return ask.page("changes.html", context, leads_to=hosts)


async def acknowledge(ask: Ask) -> web.StreamResponse:
    """`POST /changes`: read, up to the last change that was shown."""
    form = await ask.form()
    session, user, token = ask.session, ask.user, form.get("start", "")
    if session is None or user is None or ask.moved or not ask.form_fits(form):
        # The way back, and the form that may be kept there, are not lost to a page of before a step-up.
        return ask.redirect(changes_page(token if open_start(ask, token) else ""))
    until = _moment(form.get("until", ""))
    if until is not None:
        await ask.services.records.mark_told(user.user_id, min(until, ask.services.clock()))
    return await way_on(ask, session, user, token)


def _moment(text: str) -> float | None:
    """Up to when the person has read, as the page said it."""
    try:
        moment = float(text)
    except ValueError:
        return None
    return moment if isfinite(moment) else None


async def _by(ask: Ask, change: MeansChange) -> str:
    if change.by_user is None:
        return ask.text(BY_SHELL if change.actor == "shell" else BY_SERVICE)
    if ask.user is not None and change.by_user == ask.user.user_id:
        return ask.text(BY_YOU)
    who = await ask.services.records.user(change.by_user)
    return ask.text(BY_SOMEBODY) % {"name": change.by_user if who is None else who.name}
