"""Acts on a person's records in words: what changed, for whom, by whom. For administrators, and for the person it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.model import FOR_EVER
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.words import CREDENTIALS, USES
from gateway.records.recent import ActDone

ACTS: Final[Mapping[str, str]] = {
    "person change": N_("name or number in the register changed"),
    "user-id add": N_("user ID given"),
    "user-id block": N_("blocked"),
    "user-id unblock": N_("no longer blocked"),
    "user-id change": N_("language changed"),
    "user-id end": N_("left the institution: everything ended"),
    "designation add": N_("designated for %(what)s"),
    "designation end": N_("no longer designated for %(what)s"),
    "designation confirm": N_("designation for %(what)s confirmed by the head official"),
    "designation recertify": N_("designation for %(what)s confirmed again"),
    "role add": N_("role %(what)s given"),
    "role end": N_("role %(what)s taken away"),
    "credential add": N_("new means of signing in: %(what)s"),
    "credential end": N_("means of signing in made void: %(what)s"),
    "session end": N_("signed out everywhere"),
    "mandate add": N_("mandate as local administrator given"),
    "mandate accept": N_("mandate as local administrator accepted"),
    "mandate decline": N_("mandate as local administrator declined"),
    "mandate end": N_("mandate as local administrator ended"),
    "office add": N_("office at the institution given"),
    "office end": N_("office at the institution ended"),
}
"""Messages of the catalogues, by the act's name in the ledger."""
THEMSELF: Final = N_("the person themself")
SHELL: Final = N_("the operator of this service, on a written act")
SERVICE: Final = N_("this service itself")
ELSEWHERE: Final = N_("somebody outside the institution")


@dataclass(frozen=True, slots=True)
class Said:
    """One act in the page's language. `at` is Unix seconds; `whose` the user ID that it was on."""

    at: float
    whose: str
    what: str
    by: str
    reason: str


async def said_acts(ask: Ask, done: Iterable[ActDone]) -> tuple[Said, ...]:
    """Acts in words. Who did one is named where they are of the same institution, and not otherwise."""
    names: dict[str, str] = {}
    return tuple(
        [Said(each.at, each.user_id, what(ask, each), await _by(ask, each, names), each.reason) for each in done]
    )


def what(ask: Ask, done: ActDone) -> str:
    """What was done: `designated for Dossiers (24/123): consultation, until 31 December 2026`."""
    message = ACTS.get(done.act)
    if message is None:
        return done.act
    return ask.text(message) % {"what": _object(ask, done)} if "%(what)s" in message else ask.text(message)


def _object(ask: Ask, done: ActDone) -> str:
    table = {"designation": "designations", "role": "roles", "credential": "credentials"}[done.act.partition(" ")[0]]
    records = [*done.objects.get("after", ()), *done.objects.get("before", ())]
    record = next((each for each in records if each.get("table") == table), done.objects)
    match table:
        case "designations":
            return designation_words(ask, record, until=done.act.endswith("add"))
        case "roles":
            return str(record.get("role", ""))
        case _:
            return ask.text(CREDENTIALS.get(str(record.get("kind", "")), ""))


def designation_words(ask: Ask, record: Mapping[str, Any], *, until: bool) -> str:
    reference = str(record.get("authorisation", ""))
    found = title_of(ask, reference)
    uses = [ask.text(USES[use]) for use in str(record.get("uses", "")).split(",") if use in USES]
    if uses:
        found = f"{found}: {', '.join(uses)}"
    end = catalogue.last_day(ask.language, float(record.get("valid_to") or FOR_EVER)) if until else None
    return found if end is None else ask.text(N_("%(what)s, until %(day)s")) % {"what": found, "day": end}


def title_of(ask: Ask, reference: str) -> str:
    """An authorisation by its transaction's title and its own number; by that alone when it has left the table."""
    snapshot = ask.services.snapshot()
    granted = snapshot.by_reference.get(reference)
    transaction = None if granted is None else snapshot.transactions.get(granted.transaction)
    return reference if transaction is None else f"{transaction.title.in_(ask.language)} ({reference})"


async def _by(ask: Ask, done: ActDone, names: dict[str, str]) -> str:
    if done.by_user is None:
        return ask.text(SHELL if done.actor in ("shell", "demo") else SERVICE)
    if done.by_user == done.user_id:
        return ask.text(THEMSELF)
    if done.by_user not in names:
        who = await ask.services.records.user(done.by_user)
        mine = ask.user is not None and who is not None and who.institution == ask.user.institution
        names[done.by_user] = who.name if who is not None and mine else ask.text(ELSEWHERE)
    return names[done.by_user]
