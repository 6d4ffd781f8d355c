"""Who could use a transaction at a moment, and who did: a report to read, to print and to have as a file. For the KSZ's readers of all, for an
institution's information security officer and data protection officer of its own people. Each reading is a line of the ledger first.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from gateway.decision import Snapshot
from gateway.decision.access import NOT_ACCEPTED, Could, could, unexpired, until
from gateway.ledger.extract import Scan
from gateway.ledger.using import Key, Usage, usage
from gateway.model import UserRecords
from gateway.portal import catalogue
from gateway.portal.ask import PAGE_FIELDS, Ask
from gateway.portal.catalogue import N_
from gateway.portal.offices import Officer, office
from gateway.portal.reading import (
    ACCESS,
    ADDRESSES,
    NOT_WHOLE,
    OF_INSTITUTION,
    OF_KSZ,
    WORD,
    Filter,
    Rows,
    note,
    page,
    scanned,
)
from gateway.portal.then import Then, moment_asked, then
from gateway.portal.words import MEANS, USES
from gateway.records.table_file import UTF8_MARK, write_rows
from gateway.records.values import USER_ID

DAYS: Final = 30
DAY_SECONDS: Final = 86_400.0
MOST_PEOPLE: Final = 20_000
"""People that one report asks the decision about; of more it says that it is not whole."""
MOST_ROWS: Final = 500
"""Of each table on a page; the file has all."""
_AT_ONCE: Final = 100
"""People between whom others are served."""
COULD: Final = N_("Who could")
DID: Final = N_("Who did, in the %(days)d days before")
COULD_HEADS: Final = (
    N_("User ID"), N_("Name"), N_("National number"), N_("Institution"), N_("Transaction"), N_("Use"), N_("Authorisation"),
    N_("Designation"), N_("Mandate"), N_("Means"), N_("Until"), N_("To be done first"),
)  # fmt: skip
DID_HEADS: Final = (
    N_("User ID"), N_("Name"), N_("National number"), N_("Institution"), N_("Transaction"), N_("Use"), N_("Authorisation"),
    N_("Means"), N_("Requests"), N_("First time"), N_("Last time"),
)  # fmt: skip
ACCEPT_FIRST: Final = N_("accept the user regulation")
OTHER_HOUR: Final = N_("not at this hour")
TOO_MANY: Final = N_("There are more than this page shows. The file for a spreadsheet has them all.")
NOBODY_KNOWN: Final = N_("not known: %(pseudonym)s")


class _Asked(NamedTuple):
    """`institution` is whose people; None: everybody's. One of the others is empty."""

    institution: str | None
    transaction: str
    user_id: str


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /read/access?transaction=…&user_id=…&at=…`, with `as=csv` as a file."""
    reader = await office(ask, OF_KSZ, *OF_INSTITUTION)
    if isinstance(reader, web.Response):
        return reader
    query, at = ask.request.query, moment_asked(ask)
    user_id = query.get("user_id", "").strip()
    user_id = user_id if USER_ID.fullmatch(user_id) else ""
    named = query.get("transaction", "")
    named = named if WORD.fullmatch(named) else min(ask.services.snapshot().transactions, default="")
    transaction = "" if user_id else named
    asked = _Asked(None if reader.role == OF_KSZ else reader.institution, transaction, user_id)
    as_file = query.get("as") == "csv"
    objects = {
        "transaction": transaction or None,
        "at": dt.datetime.fromtimestamp(ask.services.clock() if at is None else at, dt.UTC).isoformat(),
        "file": as_file,
    }
    await note(ask, reader, "access read", objects, user_id or None)
    when = await then(ask, at)
    users, whole = await _candidates(ask, when, asked)
    able = await _could(users, when, asked)
    scan = Scan.begun()
    used = await scanned(
        usage,
        ask.services.ledger,
        when.at - DAYS * DAY_SECONDS,
        when.at,
        transaction=transaction or None,
        user=ask.services.sealer.user_pseudonym(user_id) if user_id else None,
        institution=asked.institution,
        stop=scan.over,
    )
    owners = await _owners(ask, asked, users, used)
    notes = [*when.notes]
    if not (whole and scan.whole):
        notes.append(NOT_WHOLE)
    if as_file:
        return await asyncio.to_thread(_file, ask, when, _Rows(able, used, owners), notes)
    if max(len(able), len(used)) > MOST_ROWS:
        notes.append(TOO_MANY)
    return _page(ask, reader, when, asked, _Rows(able, used, owners, MOST_ROWS), notes)


class _Rows(NamedTuple):
    """What was found, and how many rows of each table are made of it; None: all."""

    able: Sequence[Could]
    used: Mapping[Key, Usage]
    owners: Mapping[str, UserRecords]
    most: int | None = None

    def could(self, ask: Ask, when: Then) -> list[tuple[str, ...]]:
        table = unexpired(when.snapshot)
        return [_could_row(ask, one, until(one, table, when.at, when.suspensions)) for one in self.able[: self.most]]

    def did(self, ask: Ask) -> list[tuple[str, ...]]:
        shown = sorted(self.used.items())[: self.most]
        return [_did_row(ask, key, each, self.owners.get(key.user)) for key, each in shown]


async def _candidates(ask: Ask, when: Then, asked: _Asked) -> tuple[list[UserRecords], bool]:
    """The people to ask the decision about, and whether they are all."""
    records = ask.services.records
    if asked.user_id:
        keys, whole = [asked.user_id], True
    else:
        keys = await records.ever_designated(_references(when.snapshot, asked))
        keys, whole = keys[:MOST_PEOPLE], len(keys) <= MOST_PEOPLE
    users = await records.users_known(keys, when.known_at)
    return [user for user in users if asked.institution in (None, user.institution)], whole


def _references(snapshot: Snapshot, asked: _Asked) -> set[str]:
    granted = (
        each
        for each in snapshot.by_reference.values()
        if each.transaction == asked.transaction and asked.institution in (None, each.institution)
    )
    return {reference for each in granted for reference in (each.reference, *each.supersedes)}


async def _could(users: Sequence[UserRecords], when: Then, asked: _Asked) -> list[Could]:
    only = [asked.transaction] if asked.transaction else None
    found: list[Could] = []
    for start in range(0, len(users), _AT_ONCE):
        for user in users[start : start + _AT_ONCE]:
            found += could(user, when.snapshot, when.at, when.suspensions, only)
        await asyncio.sleep(0)
    return found


async def _owners(ask: Ask, asked: _Asked, users: Sequence[UserRecords], used: Iterable[Key]) -> dict[str, UserRecords]:
    """Whose pseudonyms those are, as the records know the people now."""
    records, pseudonym = ask.services.records, ask.services.sealer.user_pseudonym
    wanted = {key.user for key in used}

    def behind(user_ids: Iterable[str]) -> dict[str, str]:
        """The pseudonyms of those that are wanted. A hash for each user ID there is: not for the loop."""
        return {key: name for key in user_ids if (name := pseudonym(key)) in wanted}

    names = await asyncio.to_thread(behind, [user.user_id for user in users])
    owners = {names[user.user_id]: user for user in users if user.user_id in names}
    if asked.user_id or wanted <= owners.keys():
        return owners
    others = await asyncio.to_thread(behind, await records.all_user_ids(asked.institution))
    known = await records.users_known(list(others))
    return {others[user.user_id]: user for user in known if asked.institution in (None, user.institution)} | owners


def _could_row(ask: Ask, one: Could, ends: float) -> tuple[str, ...]:
    named = one.designation
    first = [ask.text(ACCEPT_FIRST if reason is NOT_ACCEPTED else OTHER_HOUR) for reason in one.first]
    return (
        one.user.user_id,
        one.user.name,
        _number(one.user.insz),
        ask.institution_name(one.user.institution),
        one.transaction.id,
        ask.text(USES[one.use.value]),
        one.authorisation,
        "" if named is None else str(named.id),
        "" if named is None or named.mandate is None else str(named.mandate.id),
        ", ".join(ask.text(MEANS[means.value]) for means in one.means),
        catalogue.last_day(ask.language, ends) or "",
        ", ".join(first),
    )


def _did_row(ask: Ask, key: Key, used: Usage, owner: UserRecords | None) -> tuple[str, ...]:
    return (
        ask.text(NOBODY_KNOWN) % {"pseudonym": key.user} if owner is None else owner.user_id,
        "" if owner is None else owner.name,
        "" if owner is None else _number(owner.insz),
        ask.institution_name(key.institution),
        key.transaction,
        ask.text(USES.get(key.use, "")),
        key.authorisation,
        ask.text(MEANS.get(key.means, "")),
        str(used.count),
        *(
            catalogue.day_and_time(ask.language, dt.datetime.fromisoformat(at).timestamp())
            for at in (used.first, used.last)
        ),
    )


def _number(insz: str) -> str:
    """With its points, as people write it and a spreadsheet leaves it."""
    return f"{insz[:2]}.{insz[2:4]}.{insz[4:6]}-{insz[6:9]}.{insz[9:]}"


def _page(
    ask: Ask,
    reader: Officer,
    when: Then,
    asked: _Asked,
    rows: _Rows,
    notes: Sequence[str],
) -> web.Response:
    at = ask.request.query.get("at", "")[:16]
    known = {each.id: each.title.in_(ask.language) for each in when.snapshot.transactions.values()}
    transactions = [*({asked.transaction: asked.transaction} | {"": "–"} | known).items()]
    filters = [
        Filter("transaction", N_("Transaction"), asked.transaction, choices=transactions),
        Filter("user_id", N_("User ID"), asked.user_id),
        Filter("at", N_("At (empty: now)"), at, "datetime-local"),
    ]
    moment = catalogue.day_and_time(ask.language, when.at)
    tables = [
        Rows(f"{ask.text(COULD)} ({moment})", COULD_HEADS, rows.could(ask, when)),
        Rows(ask.text(DID) % {"days": DAYS}, DID_HEADS, rows.did(ask)),
    ]
    export = f"{ADDRESSES[ACCESS]}?{urlencode({'transaction': asked.transaction, 'user_id': asked.user_id, 'at': at, 'as': 'csv'})}"
    return page(ask, reader, ACCESS, tables, filters, notes=notes, export=export)


def _file(ask: Ask, when: Then, rows: _Rows, notes: Sequence[str]) -> web.Response:
    """First what whoever reads it must know of it. For a thread: it has all rows."""
    parts = [
        *([ask.text(message)] for message in notes),
        [ask.text(COULD), catalogue.day_and_time(ask.language, when.at)],
        [ask.text(head) for head in COULD_HEADS],
        *rows.could(ask, when),
        [],
        [ask.text(DID) % {"days": DAYS}],
        [ask.text(head) for head in DID_HEADS],
        *rows.did(ask),
    ]
    day = f"{dt.datetime.fromtimestamp(when.at, dt.UTC):%Y-%m-%d}"
    return web.Response(
        body=UTF8_MARK + write_rows(parts),
        headers={
            **PAGE_FIELDS,
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="access-{day}.csv"',
        },
    )
