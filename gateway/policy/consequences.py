"""What would be different if one release of the table took the place of another: said in authorisations, in persons and in designations.

Who has access is asked of the decision itself, so that it says the same. "At" is one moment for both: what only the passing of
time changes is no consequence of the release, and neither is that one of the two has expired by then. Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from gateway.decision import Snapshot
from gateway.decision.access import could, unexpired
from gateway.decision.ruling import activated
from gateway.model import (
    BRUSSELS,
    FOR_EVER,
    Authorisation,
    Context,
    GrantedRole,
    Means,
    Text,
    Transaction,
    Use,
    UseGrant,
    UserRecords,
    Validity,
)

Access = tuple[str, Use]
"""A transaction's id, and a use."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is no longer as it was: its name, and both in words ("": there was, or is, none)."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Altered:
    """A subject of the table: what kind it is and its id; whether it `begins`, `ends` or `changes`; for whom (an institution, or "")."""

    kind: str
    id: str
    how: str
    institution: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """What one user ID could do only before, and only after."""

    user_id: str
    institution: str
    loses: tuple[Access, ...]
    gains: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """A designation that the head official has to review: under `predecessor`, whose place `authorisation` takes, by `until` (Unix seconds;
    None: at once, since nobody goes on under the old terms)."""

    user_id: str
    designation: int
    predecessor: str
    authorisation: str
    institution: str
    until: float | None


@dataclass(slots=True)
class Consequences:
    """Everything that would be different; all empty when nothing would."""

    altered: list[Altered] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)


def consequences(old: Snapshot, new: Snapshot, users: Iterable[UserRecords], at: float) -> Consequences:
    """What `new` would change for these users at `at` (Unix seconds), against `old`."""
    found = Consequences(altered=list(_altered(old, new, at)))
    old, new = unexpired(old), unexpired(new)
    superseding = [
        grant
        for grant in new.by_reference.values()
        if grant.supersedes and old.by_reference.get(grant.reference) != grant
    ]
    for user in users:
        before, after = accesses(user, old, at), accesses(user, new, at)
        if before != after:
            found.persons.append(
                Person(user.user_id, user.institution, _in_order(before - after), _in_order(after - before))
            )
        found.reviews += _reviews(user, superseding, new, at)
    return found


def _in_order(which: set[Access]) -> tuple[Access, ...]:
    return tuple(sorted(which))


# --- persons -------------------------------------------------------------------------------------------------------------


def accesses(user: UserRecords, snapshot: Snapshot, at: float) -> set[Access]:
    """What the user could do at `at`, having just signed in by the best of the means that are agreed, from a place that is."""
    return {(one.transaction.id, one.use) for one in could(user, snapshot, at)}


def _reviews(user: UserRecords, superseding: list[Authorisation], new: Snapshot, at: float) -> Iterator[Review]:
    for grant in superseding:
        if grant.institution != user.institution or user.designations.get(grant.reference):
            continue
        for reference in grant.supersedes:
            for named in user.designations.get(reference, ()):
                if named.validity.end > at:
                    yield Review(
                        user.user_id, named.id, reference, grant.reference, grant.institution, grant.review_until
                    )


# --- what stands in the table ---------------------------------------------------------------------------------------------


def _altered(old: Snapshot, new: Snapshot, at: float) -> Iterator[Altered]:
    yield from _compared("authorisation", old.by_reference, new.by_reference, _AUTHORISATION, _whose)
    yield from _compared("transaction", old.transactions, new.transactions, _TRANSACTION, lambda _: "")
    yield from _compared("institution", old.institutions, new.institutions, _INSTITUTION, lambda one: one.kbo)
    yield from _compared("role", _roles(old), _roles(new), _ROLE, lambda one: one.institution, _role_shown)
    yield from _compared(
        "regulation",
        {one.version: one for one in old.regulations},
        {one.version: one for one in new.regulations},
        (_Part("in force from", lambda one: _moment(one.effective)), _Part("text", lambda one: one.sha256)),
        lambda _: "",
    )
    settings = tuple(_differences(old, new, _SETTINGS))
    if settings:
        yield Altered("settings", "gateway.toml", "changes", "", settings)


Subject = TypeVar("Subject")


class _Part(NamedTuple):
    """One thing that can differ, by its name in words; `say` puts it in words."""

    what: str
    say: Callable[[Any], str]


def _compared(
    kind: str,
    old: Mapping[str, Subject],
    new: Mapping[str, Subject],
    parts: tuple[_Part, ...],
    whose: Callable[[Any], str],
    shown: Callable[[str], str] = str,
) -> Iterator[Altered]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        how = "begins" if before is None else "ends" if after is None else "changes"
        there = before if after is None else after
        said = tuple(_differences(before, after, parts))
        if kind == "authorisation" and how == "changes":
            how = _began_or_ended(before, after)
        yield Altered(kind, shown(name), how, whose(there), said)


def _differences(before: object, after: object, parts: tuple[_Part, ...]) -> Iterator[Difference]:
    for part in parts:
        first = "" if before is None else part.say(before)
        second = "" if after is None else part.say(after)
        if first != second:
            yield Difference(part.what, first, second)


def _began_or_ended(before: Any, after: Any) -> str:
    """Its status and the KSZ's opinion are words that begin and end it too."""
    was, is_ = (one.status == "active" and activated(one) for one in (before, after))
    if was == is_:
        return "changes"
    return "begins" if is_ else "ends"


def _whose(grant: Authorisation) -> str:
    return grant.institution


def _roles(snapshot: Snapshot) -> dict[str, GrantedRole]:
    return {
        f"{one.role} of {one.institution}\n{one.insz} {number}": one
        for granted in snapshot.roles.values()
        for number, one in enumerate(granted)
    }


def _role_shown(name: str) -> str:
    """What it is and where; by whom stands on no shell."""
    return name.partition("\n")[0]


# --- words ---------------------------------------------------------------------------------------------------------------


def _moment(seconds: float) -> str:
    return "" if seconds == FOR_EVER else f"{dt.datetime.fromtimestamp(seconds, BRUSSELS):%Y-%m-%d %H:%M}"


def _first(validity: Validity) -> str:
    return f"{dt.datetime.fromtimestamp(validity.start, BRUSSELS):%Y-%m-%d}"


def _last(validity: Validity) -> str:
    return "" if validity.end == FOR_EVER else f"{dt.datetime.fromtimestamp(validity.end - 1, BRUSSELS):%Y-%m-%d}"


def _text(text: Text | None) -> str:
    return "" if text is None else f"{text.nl} / {text.fr} / {text.de} / {text.en}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} seconds"


def _opinion(grant: Authorisation) -> str:
    if grant.opinion is None:
        return "none yet"
    return f"{'favourable' if grant.opinion.favourable else 'unfavourable'}, {grant.opinion.on}"


def _context(context: Context | None) -> str:
    if context is None:
        return "anywhere, at any time"
    hours = context.hours
    parts = [
        f"from {', '.join(map(str, context.networks))}" if context.networks else "",
        f"{hours[0] // 60:02d}:{hours[0] % 60:02d}-{hours[1] // 60:02d}:{hours[1] % 60:02d}" if hours else "",
        "" if context.days is None else "on " + ", ".join(_DAYS[day] for day in sorted(context.days)),
        "not on public holidays" if context.working else "",
    ]
    return ", ".join(part for part in parts if part)


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _of_use(use: Use, say: Callable[[UseGrant], str]) -> Callable[[Authorisation], str]:
    def said(authorisation: Authorisation) -> str:
        grant = authorisation.grant_for(use)
        return "" if grant is None else say(grant)

    return said


def _means(grant: UseGrant) -> str:
    ordered: list[Means] = sorted(grant.means, key=lambda means: means.level)
    named = ", ".join(ordered)
    return f"{named}, or a stronger one" if grant.stronger_satisfies else named


_AUTHORISATION: tuple[_Part, ...] = (
    _Part("institution", lambda one: one.institution),
    _Part("transaction", lambda one: one.transaction),
    _Part("from", lambda one: _first(one.validity)),
    _Part("until", lambda one: _last(one.validity)),
    _Part("status", lambda one: one.status),
    _Part("the KSZ's opinion", _opinion),
    _Part("supersedes", lambda one: ", ".join(one.supersedes)),
    _Part("review of designations until", lambda one: "" if one.review_until is None else _moment(one.review_until)),
    *(
        part
        for use in Use
        for part in (
            _Part(f"{use}", _of_use(use, lambda _: "granted")),
            _Part(f"{use}: purpose", _of_use(use, lambda grant: _text(grant.purpose))),
            _Part(f"{use}: means", _of_use(use, _means)),
            _Part(f"{use}: age of the sign-in", _of_use(use, lambda grant: _duration(grant.max_authentication_age))),
            _Part(f"{use}: where and when", _of_use(use, lambda grant: _context(grant.context))),
        )
    ),
)


def _operations(transaction: Transaction) -> str:
    return "; ".join(
        " ".join(
            (
                "websocket" if one.websocket else "/".join(sorted(one.methods)),
                one.path.text,
                f"({one.use}{', background' if one.background else ''}{', cached' if one.cache else ''})",
            )
        )
        for one in transaction.operations
    )


_TRANSACTION: tuple[_Part, ...] = (
    _Part("title", lambda one: _text(one.title)),
    _Part("channel", lambda one: one.channel),
    _Part("sensitivity", lambda one: str(one.sensitivity)),
    _Part("social personal data", lambda one: "yes" if one.social_personal_data else "no"),
    _Part("user-management role", lambda one: one.role or ""),
    _Part("addresses", lambda one: ", ".join(f"{match.host}{match.path}" for match in one.matches)),
    _Part("operations", _operations),
    _Part("origin", lambda one: str(one.origin.url)),
    _Part("origin's settings", lambda one: repr(one.origin)),
    _Part("whose data it is", lambda one: "" if one.subjects is None else _subjects(one.subjects)),
    _Part("inbound authorization", lambda one: "passed on" if one.inbound_authorization else "dropped"),
    _Part("largest body", lambda one: "" if one.max_body_bytes is None else f"{one.max_body_bytes} bytes"),
    _Part(
        "the last answer on a card does for",
        lambda one: "" if one.soft_revocation is None else _duration(one.soft_revocation),
    ),
)


def _subjects(subjects: Any) -> str:
    return ", ".join(
        part for part in (subjects.origin_field, None if subjects.path is None else subjects.path.text) if part
    )


_INSTITUTION: tuple[_Part, ...] = (
    _Part("name", lambda one: _text(one.name)),
    _Part("language", lambda one: one.language),
    _Part("contacts", lambda one: f"{one.helpdesk}, {one.ciso}, {one.dpo}"),
)
_ROLE: tuple[_Part, ...] = (
    _Part("from", lambda one: _first(one.validity)),
    _Part("until", lambda one: _last(one.validity)),
    _Part("written act", lambda one: one.act),
)
_SETTINGS: tuple[_Part, ...] = (
    _Part("host of the portal", lambda one: one.portal_host),
    _Part("hosts", lambda one: ", ".join(sorted(one.names))),
    _Part("hosts for cards", lambda one: ", ".join(sorted(one.eid_names))),
    _Part("least level of means by sensitivity", lambda one: ", ".join(map(str, one.levels))),
    _Part("idle time of a session", lambda one: _duration(one.idle_seconds)),
    _Part("review time after a mandate", lambda one: _duration(one.mandate_review_seconds)),
    _Part("age of an answer on a card", lambda one: _duration(one.card_fresh_seconds)),
    _Part("doubtful from", lambda one: f"{one.doubtful_score:g} points"),
    _Part("public holidays", lambda one: ", ".join(str(day) for day in sorted(one.holidays))),
)
