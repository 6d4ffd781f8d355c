"""`gateway access`: who could use a transaction, or what a person could use, at any moment; and who did, by the ledger."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console

from gateway.cli.answering import Known, answered, unknown
from gateway.cli.output import (
    ANSWER_IS_NO,
    MOST_DAYS,
    WRONG_USE,
    ConfigOption,
    JsonOption,
    Moment,
    fail,
    for_programs,
    moment_of,
    reporting,
    show,
)
from gateway.cli.revealing import AuditorKeyOption, RevealReasonOption, keys_of, reveal
from gateway.decision.access import Could, could, unexpired, until
from gateway.errors import ConfigurationError
from gateway.ledger.keys import LedgerKeys
from gateway.ledger.pseudonym import pseudonym
from gateway.ledger.unsealing import Auditor
from gateway.ledger.using import Key, Usage, usage
from gateway.model import UserRecords
from gateway.policy.settings import Settings, load_settings
from gateway.records import RecordsDesk
from gateway.records.table_file import UTF8_MARK, write_rows

DAYS: Final = 30.0
DAY_SECONDS: Final = 86_400.0
COLUMNS: Final = (
    "answer", "user_id", "name", "insz", "institution", "transaction", "use", "authorisation", "designation", "mandate",
    "role", "means", "until", "first", "requests", "earliest", "latest", "at", "table", "note",
)  # fmt: skip
"""Of the file: `answer` is could or did; or asked, of the row that says what was asked and by which table it is answered, and note, of one that
says what is not known. A file without them would not say of which moment nobody could."""
NOT_ATTRIBUTED: Final = "?"
"""A user ID that no record of now has a pseudonym like, as after a change of the pseudonym key."""

Row = dict[str, object]


def register(app: typer.Typer) -> None:
    app.command("access")(access_command)


def access_command(
    transaction: Annotated[
        str | None, typer.Option("--transaction", metavar="ID", help="Who could use it, and who did.")
    ] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="USER_ID", help="What they could use, and what they did.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="2026-06-15 or 2026-06-15T10:00, Europe/Brussels; default: now."),
    ] = None,
    days: Annotated[
        float, typer.Option("--days", min=0, max=MOST_DAYS, help="Who did: in so many days before that moment.")
    ] = DAYS,
    auditor_key: AuditorKeyOption = None,
    reason: RevealReasonOption = "",
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write it to a new file for a spreadsheet as well.")
    ] = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Tell who could use a transaction at a moment, by which authorisation, designation, mandate and means, as the decision itself would say for
    somebody who has just signed in; and who did use it in the days before, by a scan of the ledger. Or the same of one person.

    A moment of the past is answered by the records as they were known then and the table that ran then. Persons are told by their user
    IDs; names and INSZ only with the auditor's key and a reason, which are a line of the ledger first.

    Exit 0: somebody could or did. 1: nobody. 2: wrong use.

    Examples:
      gateway access --transaction dossier
      gateway access --transaction dossier --at 2026-06-15T10:00 --days 90 --csv dossier.csv
      gateway access --person jansen01 --json
      gateway access --transaction dossier --auditor-key auditor-person-private.pem --reason "complaint 2026/17"
    """
    if (transaction is None) == (person is None):
        fail("name one: --transaction or --person", WRONG_USE, as_json=as_json)
    with reporting(as_json=as_json):
        settings = load_settings(config)
        about = {} if transaction is None else {"transaction": transaction}
        auditor = None if auditor_key is None else reveal(settings, auditor_key, reason, "access reveal", about, person)
        asked = _Asked(transaction, person, days, keys_of(settings), auditor, settings)
        found = answered(asked.answer, settings, None if at is None else moment_of(at))
        if csv_file is not None:
            _write(csv_file, [*_head(asked, found), *found.could, *found.did])
    _tell(found, named=auditor is not None, as_json=as_json)
    if not found.could and not found.did:
        raise typer.Exit(ANSWER_IS_NO)


class Answer(NamedTuple):
    """`could` and `did` as rows; what has to be said about them."""

    known: Known
    could: list[Row]
    did: list[Row]
    notes: tuple[str, ...]


class _Asked(NamedTuple):
    transaction: str | None
    person: str | None
    days: float
    keys: LedgerKeys
    auditor: Auditor | None
    settings: Settings

    async def answer(self, known: Known, records: RecordsDesk) -> Answer:
        snapshot = known.snapshot
        if self.transaction is not None:
            granted = [one for one in snapshot.by_reference.values() if one.transaction == self.transaction]
            if self.transaction not in snapshot.transactions:
                there = ", ".join(sorted(snapshot.transactions)) or "none"
                raise ConfigurationError(f"there is no transaction {self.transaction!r}. There are: {there}")
            named = {reference for one in granted for reference in (one.reference, *one.supersedes)}
            candidates = await records.ever_designated(named)
        else:
            candidates = [self.person or ""]
        users = await records.users_known(candidates, known.known_at)
        if self.person is not None and not users:
            raise ConfigurationError(await unknown(self.person, known, records))
        only = None if self.transaction is None else [self.transaction]
        able = [one for user in users for one in could(user, snapshot, known.at, known.suspensions, only)]
        notes = list(known.notes)
        used = self._used(known.at, notes)
        everybody = [self.person] if self.person is not None else await records.all_user_ids()
        owners = {self._pseudonym(user_id): user_id for user_id in everybody}
        people = {}
        if self.auditor is not None:
            theirs = {owners[key.user] for key in used if key.user in owners} | {one.user.user_id for one in able}
            people = {user.user_id: user for user in await records.users_known(sorted(theirs))}
        did = [self._did(key, each, owners, people) for key, each in sorted(used.items())]
        if any(row["user_id"] == NOT_ATTRIBUTED for row in did):
            notes.append(
                f"{NOT_ATTRIBUTED}: lines of a user ID that the records do not have, or under an earlier pseudonym key"
            )
        table = unexpired(snapshot)
        rows = [_could(one, until(one, table, known.at, known.suspensions), people) for one in able]
        return Answer(known, rows, did, tuple(notes))

    def _used(self, until: float, notes: list[str]) -> dict[Key, Usage]:
        user = None if self.person is None else self._pseudonym(self.person)
        since = until - self.days * DAY_SECONDS
        directory = self.settings.ledger.directory
        try:
            return usage(directory, since, until, transaction=self.transaction, user=user)
        except OSError as error:
            notes.append(f"who did cannot be told: the ledger in {directory} cannot be read ({error.strerror})")
            return {}

    def _pseudonym(self, user_id: str) -> str:
        return pseudonym(self.keys.person_pseudonym, "user_id", user_id)

    def _did(self, key: Key, used: Usage, owners: dict[str, str], people: dict[str, UserRecords]) -> Row:
        user_id, insz = owners.get(key.user), ""
        if user_id is None and self.auditor is not None:
            opened = self.auditor.person(used.sealed, used.sealed_to) or {}
            user_id, insz = opened.get("user_id"), opened.get("insz", "")
        who = people.get(user_id or "")
        return {
            "answer": "did",
            "user_id": user_id or NOT_ATTRIBUTED,
            "name": "" if who is None else who.name,
            "insz": insz if who is None else who.insz,
            "institution": key.institution,
            "transaction": key.transaction,
            "use": key.use,
            "authorisation": key.authorisation,
            "means": key.means,
            "requests": used.count,
            "earliest": _moment(used.first),
            "latest": _moment(used.last),
        }


def _moment(time: str) -> Moment:
    """Of a line's time, which is UTC: told as all others are."""
    return Moment(dt.datetime.fromisoformat(time).timestamp())


def _could(one: Could, ends: float, people: dict[str, UserRecords]) -> Row:
    who, named, decision = people.get(one.user.user_id), one.designation, one.decision
    return {
        "answer": "could",
        "user_id": one.user.user_id,
        "name": "" if who is None else who.name,
        "insz": "" if who is None else who.insz,
        "institution": one.user.institution,
        "transaction": one.transaction.id,
        "use": one.use.value,
        "authorisation": one.authorisation,
        "designation": None if named is None else named.id,
        "mandate": None if named is None or named.mandate is None else named.mandate.id,
        "role": None if decision.role is None else decision.role.name,
        "means": [means.value for means in one.means],
        "until": Moment(ends),
        "first": [reason.code for reason in one.first],
    }


def _head(asked: _Asked, found: Answer) -> list[Row]:
    """What whoever opens the file has to know of it first."""
    known = found.known
    about = {"at": Moment(known.at), "table": known.snapshot.hash}
    question: Row = {"answer": "asked", "transaction": asked.transaction, "user_id": asked.person, **about}
    notes: list[Row] = [{"answer": "note", "note": note} for note in found.notes]
    return [question, *notes]


def _write(path: Path, rows: Iterable[Row]) -> None:
    """A new file, for its owner alone. Raises ConfigurationError."""
    cells = [[_cell(row.get(column)) for column in COLUMNS] for row in rows]
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path}: the file cannot be made ({error.strerror})") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(UTF8_MARK + write_rows([COLUMNS, *cells]))


def _cell(value: object) -> str:
    if isinstance(value, Moment):
        return value.written(brief=True) or ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _tell(found: Answer, *, named: bool, as_json: bool) -> None:
    known, hidden = found.known, {"answer"} if named else {"answer", "name", "insz"}
    if as_json:
        told = {
            "at": Moment(known.at).written(),
            "table": known.snapshot.hash,
            "notes": list(found.notes),
            "could": [_visible(row, hidden) for row in found.could],
            "did": [_visible(row, hidden) for row in found.did],
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{Moment(known.at).written(brief=True)} Europe/Brussels, table {known.snapshot.hash[:12]}", markup=False
    )
    console.print("\nCould:", markup=False)
    show(found.could, "nobody, nothing", as_json=False, left_out=hidden)
    console.print("\nDid:", markup=False)
    show(found.did, "nobody, nothing", as_json=False, left_out=hidden)
    for note in found.notes:
        print(f"Note: {note}.", file=sys.stderr)


def _visible(row: Row, hidden: set[str]) -> Row:
    return {name: value for name, value in for_programs(row).items() if name not in hidden}
