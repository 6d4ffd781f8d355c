"""What an institution's information security officer and data protection officer read of their own institution, and the KSZ's readers of
all (DESIGN section 1). Nothing can be changed here. Each reading is a line of the ledger first: who read what.

Lines show persons by pseudonyms. To their own institution's officers its user IDs are shown: the pseudonym of each is computed, and
compared. No name and no number of a person (but in the report of who could and who did, `access_report`), nothing of another institution's
people, and of the ledger only lines that are marked as the own institution's.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, ParamSpec, TypeVar
from urllib.parse import urlencode

from aiohttp import web

from gateway.decision.reasons import ATTEMPTS, REASONS
from gateway.errors import LedgerError
from gateway.ledger.extract import AFTER_ALL, Counts, Line, Scan, count_lines, newest_lines
from gateway.ledger.record import administration_record
from gateway.ledger.reference import format_reference
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.head_mandates import state_of
from gateway.portal.information import not_found
from gateway.portal.offices import NAMES, Officer, office
from gateway.portal.own_pages import READ_PAGE, TABLE_PAGE
from gateway.records.values import USER_ID

P = ParamSpec("P")
T = TypeVar("T")
LINES_ON_A_PAGE: Final = 50
PEOPLE_ON_A_PAGE: Final = 50
MOST_USER_IDS: Final = 20_000
"""User IDs whose pseudonyms are computed for one page; in a larger institution a line of somebody else shows the pseudonym."""
DAYS: Final = (7, 30, 90, 365)
MAX_SEARCH_CHARACTERS: Final = 100
WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
OF_INSTITUTION: Final = ("ciso", "dpo")
OF_KSZ: Final = "ksz_reader"

LEDGER, REPORT, PEOPLE, TABLE, ACCESS, WHY = "ledger", "report", "people", "table", "access", "why"
TITLES: Final = {
    LEDGER: N_("Security log"),
    REPORT: N_("Report"),
    PEOPLE: N_("People and mandates"),
    TABLE: N_("Authorisations"),
    ACCESS: N_("Who could, and who did"),
    WHY: N_("Why, or why not?"),
}
LEADS: Final = {
    LEDGER: N_(
        "Every request, sign-in and act of administration of your institution, newest first. That you read this is recorded."
    ),
    REPORT: N_("How many requests were permitted and refused, and why. That you read this is recorded."),
    PEOPLE: N_("Who has a user ID, and who may manage them. That you read this is recorded."),
    TABLE: N_("What the running table authorises, from when until when. That you read this is recorded."),
    ACCESS: N_(
        "Who could use a transaction at a moment, by which authorisation, designation and means, and who did. That you read this is recorded."
    ),
    WHY: N_(
        "Every check for one person and one transaction, what it goes by, and who can mend it. That you read this is recorded."
    ),
}
ADDRESSES: Final = {
    **{name: f"{READ_PAGE}/{name}" for name in (LEDGER, REPORT, PEOPLE, ACCESS, WHY)},
    TABLE: TABLE_PAGE,
}
NOT_WHOLE: Final = N_("The log is long: this is what was found in the time that one page may take. Ask for fewer days.")


class Rows(NamedTuple):
    """A table of a page: its name, the names of its columns, and texts."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


class Filter(NamedTuple):
    """A field of the page's form; with `choices` one of them, by value and text."""

    name: str
    label: str
    value: str
    type: str = "text"
    choices: Sequence[tuple[str, str]] = ()


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /read`: what may be read."""
    reader = await office(ask, OF_KSZ, *OF_INSTITUTION)
    if isinstance(reader, web.Response):
        return reader
    context = {
        "role": NAMES[reader.role],
        "institution": ask.institution_name(reader.institution),
        "links": [(ADDRESSES[name], TITLES[name], LEADS[name]) for name in _parts(reader)],
    }
    return ask.page("read.html", context)


async def lines(ask: Ask) -> web.StreamResponse:
    """`GET /read/ledger?day=…&reason=…&transaction=…&user_id=…&before=…`: lines of the reader's own institution."""
    reader = await office(ask, *OF_INSTITUTION)
    if isinstance(reader, web.Response):
        return reader
    asked = {
        name: value
        for name, form in (("day", _DAY), ("reason", WORD), ("transaction", WORD), ("user_id", USER_ID))
        if form.fullmatch(value := ask.request.query.get(name, "").strip())
    }
    before = ask.request.query.get("before", "")
    before = before if _MOMENT.fullmatch(before) else ""
    user_id = asked.get("user_id")
    await note(ask, reader, "ledger read", {**asked, "before": before or None}, user_id)
    pseudonym = None if user_id is None else ask.services.sealer.user_pseudonym(user_id)

    def wanted(line: Line) -> bool:
        return (
            asked.get("reason") in (None, line.get("reason"))
            and asked.get("transaction") in (None, line.get("transaction"))
            and pseudonym in (None, *_persons(line))
        )

    scan, directory, day = Scan.begun(), ask.services.ledger, asked.get("day", "")
    until = min(before or AFTER_ALL, day + AFTER_ALL)
    found = await scanned(newest_lines, directory, reader.institution, LINES_ON_A_PAGE, wanted, day, until, scan)
    known = await _user_ids(ask, reader, {person for line in found.lines for person in _persons(line)})
    heads = (N_("When"), N_("User ID"), N_("What"), N_("Outcome"), N_("Transaction"), N_("Reference"))
    rows = [_row(ask, line, known) for line in found.lines]
    reasons = sorted({*REASONS, *ATTEMPTS})
    transactions = sorted(each.id for each in ask.services.snapshot().transactions.values())
    filters = [
        Filter("day", N_("Day"), asked.get("day", ""), "date"),
        Filter("reason", N_("Reason"), asked.get("reason", ""), choices=_any(ask, reasons)),
        Filter("transaction", N_("Transaction"), asked.get("transaction", ""), choices=_any(ask, transactions)),
        Filter("user_id", N_("User ID"), user_id or ""),
    ]
    older = f"{ADDRESSES[LEDGER]}?{urlencode({**asked, 'before': found.lines[-1]['time']})}" if found.more else ""
    newest = f"{ADDRESSES[LEDGER]}?{urlencode(asked)}" if before else ""
    return page(
        ask, reader, LEDGER, [Rows(TITLES[LEDGER], heads, rows)], filters, older=older, newest=newest, whole=scan.whole
    )


async def report(ask: Ask) -> web.StreamResponse:
    """`GET /read/report?days=30`: counts of the reader's own institution; to the KSZ's readers, of each."""
    reader = await office(ask, OF_KSZ, *OF_INSTITUTION)
    if isinstance(reader, web.Response):
        return reader
    days = next((each for each in DAYS if str(each) == ask.request.query.get("days")), DAYS[1])
    own = None if reader.role == OF_KSZ else reader.institution
    await note(ask, reader, "report read", {"days": days})
    since = dt.datetime.fromtimestamp(ask.services.clock() - days * 86_400.0, dt.UTC)
    scan = Scan.begun()
    counts = await scanned(count_lines, ask.services.ledger, own, f"{since:%Y-%m-%dT%H:%M:%S}", scan)
    filters = [
        Filter("days", N_("Days"), str(days), choices=[(str(each), str(each)) for each in DAYS]),
    ]
    return page(ask, reader, REPORT, _tables(ask, counts), filters, whole=scan.whole)


async def people(ask: Ask) -> web.StreamResponse:
    """`GET /read/people?search=…&institution=…`: the people of the reader's own institution; of any, to the KSZ's readers."""
    reader = await office(ask, OF_KSZ, *OF_INSTITUTION)
    if isinstance(reader, web.Response):
        return reader
    query, now, table = ask.request.query, ask.services.clock(), ask.services.snapshot()
    institution = reader.institution
    if reader.role == OF_KSZ:
        institution = query.get("institution", "") or next(iter(sorted(table.institutions)), "")
        if institution not in table.institutions:
            return not_found(ask)
    search = " ".join(query.get("search", "").split())[:MAX_SEARCH_CHARACTERS]
    edges = {name: query[name] for name in ("after", "before") if USER_ID.fullmatch(query.get(name, ""))}
    await note(ask, reader, "people read", {"of": institution, "searched": bool(search)})
    records = ask.services.records
    found = await records.find_people(institution, search, "all", now=now, most=PEOPLE_ON_A_PAGE, **edges)
    persons = [
        (
            each.user_id,
            each.name,
            ask.text(N_("blocked")) if each.blocked else "",
            "" if each.last_end is None else _last(ask, each.last_end),
        )
        for each in found.people
    ]
    mandates = [
        (
            each.user_id,
            ask.text(state_of(each, now)),
            catalogue.day(ask.language, each.given.start),
            _last(ask, each.given.end)
            if each.ended_at is None
            else catalogue.day_and_time(ask.language, each.ended_at),
        )
        for each in await records.mandates_at(institution)
    ]
    filters = [Filter("search", N_("Name or user ID"), search)]
    if reader.role == OF_KSZ:
        choices = [(kbo, f"{ask.institution_name(kbo)} ({kbo})") for kbo in sorted(table.institutions)]
        filters.append(Filter("institution", N_("Institution"), institution, choices=choices))
    tables = [
        Rows(N_("People"), (N_("User ID"), N_("Name"), N_("State"), N_("Designated until")), persons),
        Rows(N_("Mandates of local administrators"), (N_("User ID"), N_("State"), N_("From"), N_("Until")), mandates),
    ]
    here = {"search": search, "institution": institution}
    older = f"{ADDRESSES[PEOPLE]}?{urlencode({**here, 'after': found.after})}" if found.after else ""
    newest = f"{ADDRESSES[PEOPLE]}?{urlencode(here)}" if edges else ""
    return page(ask, reader, PEOPLE, tables, filters, older=older, newest=newest)


async def table(ask: Ask) -> web.StreamResponse:
    """`GET /read/table`: the running table's authorisations; of the own institution, and to the KSZ's readers of all."""
    reader = await office(ask, OF_KSZ, *OF_INSTITUTION)
    if isinstance(reader, web.Response):
        return reader
    await note(ask, reader, "table read", {})
    snapshot = ask.services.snapshot()
    rows = [
        (
            reference,
            ask.institution_name(each.institution),
            each.transaction,
            each.status,
            catalogue.day(ask.language, each.validity.start),
            _last(ask, each.validity.end),
        )
        for reference, each in sorted(snapshot.by_reference.items())
        if reader.role == OF_KSZ or each.institution == reader.institution
    ]
    heads = (N_("Authorisation"), N_("Institution"), N_("Transaction"), N_("State"), N_("From"), N_("Until"))
    number = str(snapshot.release) if snapshot.release else ask.text(N_("nobody signed it"))
    until = _last(ask, snapshot.expires) if snapshot.release else ""
    release = Rows(N_("Release"), (N_("Number"), N_("Until"), N_("Hash")), [(number, until, snapshot.hash)])
    return page(ask, reader, TABLE, [Rows(TITLES[TABLE], heads, rows), release], [])


# --- what the pages share ---------------------------------------------------------------------------------------------


def _last(ask: Ask, end: float) -> str:
    """The last day; "" of what has none."""
    return catalogue.last_day(ask.language, end) or ""


def _parts(reader: Officer) -> tuple[str, ...]:
    return (TABLE, REPORT, PEOPLE, ACCESS, WHY) if reader.role == OF_KSZ else (LEDGER, REPORT, PEOPLE, ACCESS, TABLE)


def page(
    ask: Ask,
    reader: Officer,
    part: str,
    tables: Sequence[Rows],
    filters: Sequence[Filter],
    *,
    older: str = "",
    newest: str = "",
    whole: bool = True,
    notes: Sequence[str] = (),
    export: str = "",
) -> web.Response:
    context = {
        "title": TITLES[part],
        "lead": LEADS[part],
        "here": ADDRESSES[part],
        "tabs": [(ADDRESSES[name], TITLES[name]) for name in _parts(reader)],
        "tables": tables,
        "filters": filters,
        "older": older,
        "newest": newest,
        "notes": notes if whole else (*notes, NOT_WHOLE),
        "export": export,
        "printed": catalogue.day(ask.language, ask.services.clock()),
    }
    return ask.page("read_part.html", context)


async def note(ask: Ask, reader: Officer, act: str, objects: Mapping[str, object], user_id: str | None = None) -> None:
    """The line of a reading, before anything is shown; a person that was asked for stands in it as in every line. Raises LedgerError."""
    sealer = ask.services.sealer
    await ask.services.admin.write(
        administration_record(
            ask.handed.reference,
            act=act,
            actor="portal",
            by=sealer.person(reader.user.user_id, reader.user.insz),
            person=None if user_id is None else sealer.person(user_id, None),
            institution=reader.institution,
            reason=f"office: {reader.role}",
            objects={name: value for name, value in objects.items() if name != "user_id"},
        )
    )


async def scanned(scan: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """In a thread. Raises LedgerError."""
    try:
        return await asyncio.to_thread(scan, *arguments, **named)
    except OSError as error:
        raise LedgerError(f"the ledger cannot be read: {error.strerror}") from error


def _persons(line: Line) -> list[str]:
    """Whom a line is about: the pseudonyms of user IDs in it."""
    told = [line.get(name) for name in ("user", "person", "by")]
    return [str(each["user_id"]) for each in told if isinstance(each, dict) and "user_id" in each]


async def _user_ids(ask: Ask, reader: Officer, wanted: set[str]) -> dict[str, str]:
    """The own institution's user IDs behind some pseudonyms, as far as they are there."""
    known: dict[str, str] = {}
    records, now, after, seen = ask.services.records, ask.services.clock(), None, 0
    while len(known) < len(wanted) and seen < MOST_USER_IDS:
        portion = await records.everybody(reader.institution, now, PEOPLE_ON_A_PAGE * 8, after)
        for each in portion.people:
            pseudonym = ask.services.sealer.user_pseudonym(each.user_id)
            if pseudonym in wanted:
                known[pseudonym] = each.user_id
        seen, after = seen + len(portion.people), portion.after
        if after is None:
            break
    return known


def _row(ask: Ask, line: Line, known: Mapping[str, str]) -> tuple[str, ...]:
    at = dt.datetime.fromisoformat(line["time"]).timestamp()
    persons = dict.fromkeys(known.get(each, each) for each in _persons(line))
    outcome = " · ".join(str(line[name]) for name in ("verdict", "reason") if isinstance(line.get(name), str))
    what = line.get("act") or line.get("use") or line["kind"]
    return (
        catalogue.day_and_time(ask.language, at),
        ", ".join(persons),
        str(what),
        outcome,
        str(line.get("transaction") or ""),
        format_reference(str(line["id"])),
    )


def _tables(ask: Ask, counts: Counts) -> list[Rows]:
    days = sorted({day for day, _ in counts.days}, reverse=True)
    verdicts = sorted({verdict for _, verdict in counts.days})
    by_day = [(day, *(str(counts.days[day, verdict]) for verdict in verdicts)) for day in days]
    by_transaction: Counter[tuple[str, str]] = Counter()
    by_reason: Counter[tuple[str, str]] = Counter()
    for (institution, transaction, reason), count in counts.reasons.items():
        by_transaction[institution, transaction] += count
        by_reason[institution, reason] += count
    return [
        Rows(N_("By day"), (N_("Day"), *verdicts), by_day),
        Rows(
            N_("By transaction"), (N_("Institution"), N_("Transaction"), N_("Requests")), _counted(ask, by_transaction)
        ),
        Rows(N_("By reason"), (N_("Institution"), N_("Reason"), N_("Requests")), _counted(ask, by_reason)),
    ]


def _counted(ask: Ask, counts: Counter[tuple[str, str]]) -> list[tuple[str, ...]]:
    return [
        (ask.institution_name(institution), word or "–", str(count))
        for (institution, word), count in counts.most_common()
    ]


def _any(ask: Ask, words: Sequence[str]) -> list[tuple[str, str]]:
    return [("", ask.text(N_("all"))), *((word, word) for word in words)]
