"""Who holds which office now (DESIGN section 1): by the KSZ's signed table, by the number of the person who is signed in and the institution
that their user ID is of; or by their head official's grant, in the records. Local administrators are in `administration`.

To whoever holds none of the offices that a page is for, the page does not exist; whoever holds one and proved who they are by too
weak a means is led to one that will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from gateway.model import Means, Session, UserRecords
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.information import not_found
from gateway.portal.own_pages import DUTY_PAGE, HEAD_PAGE, READ_PAGE, TABLE_PAGE
from gateway.portal.refusal_words import CONFIRM
from gateway.records import Act, By

BY_TABLE: Final = ("head_official", "ksz_reader", "duty_officer", "auditor")
BY_GRANT: Final = ("ciso", "dpo")
OFFICES: Final = BY_TABLE + BY_GRANT
_EID: Final = frozenset({Means.EID})
LEAST_MEANS: Final[Mapping[str, frozenset[Means]]] = {
    **dict.fromkeys(BY_TABLE, _EID),
    **dict.fromkeys(BY_GRANT, frozenset({Means.TOKEN, Means.EID})),
}
"""What each office proves who it is by. An auditor's key is asked for where something is revealed, not at the door."""
NAMES: Final[Mapping[str, str]] = {
    "head_official": N_("head official"),
    "ksz_reader": N_("reader for the KSZ"),
    "duty_officer": N_("duty officer of the KSZ"),
    "auditor": N_("auditor"),
    "ciso": N_("information security officer (CISO)"),
    "dpo": N_("data protection officer (DPO)"),
}
"""Messages of the catalogues."""
LINKS: Final[Mapping[str, tuple[str, str]]] = {
    "head_official": (N_("mandates, designations and offices of your institution"), HEAD_PAGE),
    "duty_officer": (N_("emergency suspension"), DUTY_PAGE),
    **dict.fromkeys(("ksz_reader", "auditor"), (N_("tables, records and reports"), TABLE_PAGE)),
    **dict.fromkeys(BY_GRANT, (N_("tables, records and reports"), READ_PAGE)),
}
"""Where each office's work is: what the link says, a message of the catalogues, and its address."""
HEAD_STAYS: Final = N_("Your head official cannot be shut out from here: your mandate is theirs. Tell the KSZ.")
STRONGER: Final = N_("This page asks for a stronger means")
CONFIRM_FIRST: Final = N_("Nothing was done. Confirm who you are first, and then do it again.")


class Officer(NamedTuple):
    """Somebody in office: `institution` is whose (`KSZ` for the KSZ's people), `act` on whose word: the written act in the table, or the
    record of the grant as `office 3`."""

    role: str
    session: Session
    user: UserRecords
    institution: str
    act: str

    def by(self, reason: str, act: Act | None = None) -> By:
        """How their acts are signed; `act` is the written document that one rests on."""
        return By(f"user:{self.user.user_id}", reason, None, act)


async def offices_held(ask: Ask, user: UserRecords) -> dict[str, str]:
    """The offices that this user ID holds now, each with the word that it rests on. Raises RecordsError."""
    now, records, roles = ask.services.clock(), ask.services.records, ask.services.snapshot().roles
    if user.blocked or not user.validity.holds(now):
        return {}
    held: dict[str, str] = {}
    for insz in sorted(await records.numbers_of(user.person)):
        for role in roles.get(insz, ()):
            if role.institution == user.institution and role.validity.holds(now):
                held[role.role] = role.act
    for name, record in (await records.offices_of(user.user_id, now)).items():
        held[name] = f"office {record}"
    return held


async def leads(ask: Ask, user_id: str) -> bool:
    """Whether this user ID is its institution's head official's: whoever acts under their mandate does not shut them out. Raises RecordsError."""
    user = await ask.services.records.user(user_id)
    return user is not None and "head_official" in await offices_held(ask, user)


def offices_to_open(held: Iterable[str]) -> list[tuple[str, str, str]]:
    """For the page of one's applications: each office's name, and its link; names and links are messages of the catalogues."""
    return [(NAMES[name], *LINKS[name]) for name in OFFICES if name in held]


async def office(ask: Ask, *wanted: str) -> Officer | web.Response:
    """Who asks, when they hold one of these offices of `OFFICES`; else the page that says what is missing, or that there is no such page."""
    session, user = ask.session, ask.user
    if session is None or user is None:
        return not_found(ask)
    held = await offices_held(ask, user)
    mine = [name for name in wanted if name in held]
    if not mine:
        return not_found(ask)
    for name in mine:
        if session.means in LEAST_MEANS[name]:
            return Officer(name, session, user, user.institution, held[name])
    door = f"/step-up?{urlencode({'page': LINKS[mine[0]][1]})}"
    if ask.request.method in ("GET", "HEAD"):
        return ask.redirect(door)
    return ask.notice(STRONGER, CONFIRM_FIRST, status=403, link=door, link_text=CONFIRM)
