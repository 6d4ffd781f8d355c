"""Local administration: who may, whom they act for, and what every act asks for first (clause P5).

Open to whoever holds a mandate in force and signed in with their eID (DESIGN section 1); to everybody else the pages do not exist, and so
it is with another institution's people. Every act rests on a mandate, has a reason, and is a line of the ledger first. A form carries the
last act that its page knew of: when somebody else did something to that person meanwhile, the form is shown again with what they did,
and nothing that was typed is lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlencode

from aiohttp import web

from gateway.errors import Conflict
from gateway.ledger.line import Record
from gateway.ledger.record import administration_record
from gateway.model import Authorisation, Means, Session, UserRecords
from gateway.portal.act_words import Said, said_acts
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.errand import Errand
from gateway.portal.information import not_found
from gateway.portal.own_pages import ADMINISTRATION_PAGE, OWN_PAGES
from gateway.portal.ways import ways
from gateway.records import BeforeCommit, By, Change, Login
from gateway.records.mandates import MandateEntry

MAX_REASON_CHARACTERS: Final = 200
MOST_MEANWHILE: Final = 5
"""Acts of others that are told before a form is sent again; more say no more."""

EID_NEEDED: Final = N_("Administration asks for your eID")
NEED_REASON: Final = N_("Say in a few words why: it stays with the record.")
OWN_MEANS: Final = N_(
    "Nobody administers their own means. Ask another local administrator of your institution, or its head official."
)
FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was changed: please try again.")
MEANWHILE: Final = N_(
    "This was changed meanwhile, by you in another tab or by somebody else. Nothing more was done, and what you filled in is still here."
)


class Administrator(NamedTuple):
    """Who administers: their session, their user ID, the person, and the mandates that they may act under, newest first."""

    session: Session
    user: UserRecords
    mandates: tuple[MandateEntry, ...]

    @property
    def mandate(self) -> int:
        return self.mandates[0].record

    def for_authorisation(self, reference: str) -> MandateEntry | None:
        """The newest of their mandates that is for an authorisation."""
        fitting = (each for each in self.mandates if each.scope is None or reference in each.scope)
        return next(fitting, None)

    def by(self, reason: str, seen: int | None = None, reference: str | None = None) -> By:
        """On whose word an act is done; `reference` is the authorisation that it is about."""
        fitting = None if reference is None else self.for_authorisation(reference)
        mandate = self.mandate if fitting is None else fitting.record
        return By(f"user:{self.user.user_id}", reason, mandate, seen=seen)

    def authorisations(self, ask: Ask) -> dict[str, Authorisation]:
        """Those of the institution that a mandate of theirs is for and that are not over, by reference."""
        now = ask.services.clock()
        return {
            reference: granted
            for reference, granted in sorted(ask.services.snapshot().by_reference.items())
            if granted.institution == self.user.institution
            and granted.status != "revoked"
            and now < granted.validity.end
            and self.for_authorisation(reference) is not None
        }


class _Blanks(dict[str, str]):
    """Empty where nothing was said: a template asks for every field of its form."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Telling:
    """What a page says besides what it shows: what went wrong (`general`, and `faults` by field), what was done, what others did
    `meanwhile`, and what was `typed` in the form that is shown again."""

    general: str = ""
    done: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    meanwhile: tuple[Said, ...] = ()
    typed: dict[str, str] = field(default_factory=dict)
    status: int = 200

    def __post_init__(self) -> None:
        object.__setattr__(self, "faults", _Blanks(self.faults))
        object.__setattr__(self, "typed", _Blanks(self.typed))


NOTHING_TO_TELL: Final = Telling()


class PersonPage(Protocol):
    """A page about one person, which a form on it comes back to."""

    async def __call__(self, ask: Ask, who: Administrator, login: Login, telling: Telling = ...) -> web.Response: ...


async def mandates_in_force(ask: Ask, user: UserRecords) -> tuple[MandateEntry, ...]:
    """The mandates of this user ID for its institution that it may act under now, newest first."""
    now = ask.services.clock()
    held = await ask.services.records.mandates_of(user.user_id)
    return tuple(each for each in reversed(held) if each.institution == user.institution and each.in_force(now))


async def administrator(ask: Ask) -> Administrator | web.Response:
    """Who asks, when they may administer; else the page that says what is missing, or that there is no such page."""
    session, user = ask.session, ask.user
    if session is None or user is None:
        return not_found(ask)
    mandates = await mandates_in_force(ask, user)
    if not mandates:
        return not_found(ask)
    if session.means is not Means.EID:
        return _eid_needed(ask, user)
    return Administrator(session, user, mandates)


def _eid_needed(ask: Ask, user: UserRecords) -> web.Response:
    with_card = [way for way in ways(ask) if Means.EID in way.means]
    context = {
        "title": EID_NEEDED,
        "user_id": user.user_id,
        "ways": with_card,
        "lead": ask.text(OWN_PAGES[ADMINISTRATION_PAGE].why),
        "fields": Errand(True, {"page": ADMINISTRATION_PAGE}).fields,
    }
    hosts = [address for way in with_card for address in way.leads_to]
    return ask.page("administration_eid.html", context, status=403, leads_to=hosts)


async def target(ask: Ask, who: Administrator, user_id: str) -> Login | None:
    """The person to act for: one with a live user ID at the administrator's institution, also one that is yet to begin."""
    login = await ask.services.records.find_login(user_id)
    here = login is not None and login.institution == who.user.institution
    return login if login is not None and here and ask.services.clock() < login.validity.end else None


def line_of(ask: Ask, who: Administrator) -> BeforeCommit:
    """Writes the act's line before it is committed (clause T1)."""

    async def write(change: Change) -> None:
        await ask.services.admin.write(record_of(ask, who, change))

    return write


def record_of(ask: Ask, who: Administrator, change: Change) -> Record:
    """The line of an administrator's act; about nobody in particular where it names no person."""
    sealer = ask.services.sealer
    about = change.user_id is not None or change.insz is not None
    return administration_record(
        ask.handed.reference,
        act=change.act,
        actor="portal",
        by=sealer.person(who.user.user_id, who.user.insz),
        person=sealer.person(change.user_id, change.insz) if about else None,
        institution=change.institution or who.user.institution,
        on_behalf_of=change.by.mandate or who.mandate,
        reason=change.by.reason,
        objects=change.objects,
    )


Act = Callable[[Ask, Administrator, Login, By, dict[str, str]], Awaitable[web.StreamResponse]]


def act(does: Act, page: PersonPage) -> Callable[[Ask], Awaitable[web.StreamResponse]]:
    """The handler of a form on a page about a person: what every act asks for first."""

    async def handle(ask: Ask) -> web.StreamResponse:
        who = await administrator(ask)
        if isinstance(who, web.Response):
            return who
        form = await ask.form()
        login = await target(ask, who, form.get("user_id", ""))
        if login is None:
            return not_found(ask)
        reason = " ".join(form.get("reason", "").split())
        refused = _refused(ask, who, login, form, reason)
        if refused is not None:
            return await page(ask, who, login, refused)
        seen = seen_of(form)
        try:
            return await does(ask, who, login, who.by(reason, seen, form.get("authorisation")), form)
        except Conflict:
            # Also who acts may have lost their mandate in this moment: then they see nothing more.
            still = await administrator(ask)
            if isinstance(still, web.Response):
                return still
            again = await target(ask, still, login.user_id)
            if again is None:
                return not_found(ask)
            return await page(ask, still, again, await told_meanwhile(ask, login.user_id, seen, form))

    return handle


def _refused(ask: Ask, who: Administrator, login: Login, form: dict[str, str], reason: str) -> Telling | None:
    if not ask.form_fits(form):
        return Telling(ask.text(FORM_TOO_OLD), typed=form, status=403)
    if login.person == who.user.person:
        return Telling(ask.text(OWN_MEANS), status=403)
    if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        return Telling(ask.text(NEED_REASON), typed=form, status=422)
    return None


async def told_meanwhile(ask: Ask, user_id: str, seen: int | None, form: dict[str, str]) -> Telling:
    """What others did since the page was shown, with what was typed: for the page that is shown again."""
    since = await ask.services.records.acts_on(user_id, MOST_MEANWHILE, seen or 0) if seen is not None else []
    return Telling(ask.text(MEANWHILE), meanwhile=await said_acts(ask, since), typed=form, status=409)


def seen_of(form: dict[str, str]) -> int | None:
    """The last act that the form's page knew of; None when it says none."""
    text = form.get("seen", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


async def last_seen(ask: Ask, user_id: str) -> int:
    """What a page about this user ID knows of, for its forms."""
    newest = await ask.services.records.acts_on(user_id, 1)
    return newest[0].seq if newest else 0


def address_of(user_id: str, page: str = "person", **more: str) -> str:
    return f"/administration/{page}?{urlencode({'user_id': user_id, **more})}"
