"""My sign-in methods: what is registered and when it was last used, where I am signed in now, and ending one session or all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.model import FOR_EVER, Means, Session
from gateway.portal.acts import ended_words, others
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.sessions import end
from gateway.portal.words import CREDENTIALS, MEANS, NO_NAME
from gateway.records.lists import Entry

OTHERS: Final = "others"
"""The value of the field `session` that stands for all sessions but this one."""

ENDED_ONE: Final = N_("That session has ended, in every application that was opened with it.")
ENDED_BEFORE: Final = N_("That session had ended already.")
FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was changed: please try again.")


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One means. `since` and `used` are Unix seconds; `since` None for a means that is never registered here."""

    kind: str
    name: str
    since: float | None
    used: float | None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session. `means` and `client` are texts of the catalogues, or a browser's name."""

    id: str
    client: str
    means: str
    since: float
    seen: float


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /methods`."""
    return await _page(ask)


async def end_sessions(ask: Ask) -> web.StreamResponse:
    """`POST /methods/sessions`: ends one other session of this user ID, or all others."""
    form = await ask.form()
    session, user = ask.session, ask.user
    if session is None or user is None or not ask.form_fits(form):
        return await _page(ask, told=ask.text(FORM_TOO_OLD), bad=True, status=403)
    chosen = form.get("session", "")
    theirs = [entry.session for entry in await others(ask, user, session)]
    if chosen != OTHERS:
        theirs = [other for other in theirs if other.id == chosen]
    count = 0
    for other in theirs:
        count += await end(ask, other, cause="ended_by_person", reason="ended from another session")
    if chosen == OTHERS:
        return await _page(ask, told=ended_words(ask, count))
    return await _page(ask, told=ask.text(ENDED_ONE if count else ENDED_BEFORE))


async def _page(ask: Ask, *, told: str = "", bad: bool = False, status: int = 200) -> web.Response:
    session, user = ask.session, ask.user
    if session is None or user is None:
        return ask.redirect("/applications")
    records = ask.services.records
    login, used = await records.find_login(user.user_id), await records.means_used(user.user_id)
    registered = await records.entries("credential", user_id=user.user_id)
    rows = [
        MethodRow(kind, CREDENTIALS[kind], entry.recorded_at, used.get(kind), _until(entry))
        for entry in registered
        if (kind := str(entry.says["kind"])) != "activation" or entry.validity.holds(ask.now)
    ]
    context = {
        "registered": rows,
        "card_used": used.get(Means.EID.value),
        "providers": [
            MethodRow(name, desk.provider.title.in_(ask.language), None, used.get(name))
            for name, desk in ask.services.providers.items()
        ],
        "app": login is not None and login.has_totp,
        "here": _row(session, ask.now),
        "others": [_row(entry.session, entry.last_seen) for entry in await others(ask, user, session)],
        "told": told,
        "bad": bad,
    }
    return ask.page("methods.html", context, status=status)


def _row(session: Session, seen: float) -> SessionRow:
    client = session.client or NO_NAME
    return SessionRow(session.id, client, MEANS[session.means.value], session.created_at, seen)


def _until(entry: Entry) -> float | None:
    """The end of an activation code that waits; other means have none."""
    return None if entry.validity.end == FOR_EVER else entry.validity.end
