"""`gateway suspend` and `gateway resume`: the emergency stop (clause I3). They work without a database, and with a faulty table."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway.cli.acting import SHELL, write_line
from gateway.cli.output import WRONG_USE, ConfigOption, JsonOption, Moment, done, fail, reporting, show
from gateway.decision.suspensions import Scope, Suspended
from gateway.errors import Conflict, GatewayError, LedgerError, RecordsError, TableError
from gateway.ledger import CliLedger
from gateway.model import UserRecords
from gateway.policy.release import load_release
from gateway.policy.settings import Settings, load_settings
from gateway.records import BeforeCommit, By, RecordsDesk
from gateway.records.emergency import Ended, checked_reason, resume, suspend
from gateway.records.suspensions import merged
from gateway.records.switch import Suspension, Switch, new_key

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stays with it and in the ledger.")]
T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command("suspend")(suspend_command)
    app.command("resume")(resume_command)


def suspend_command(
    reason: ReasonOption = "",
    authorisation: Annotated[
        str | None, typer.Option("--authorisation", metavar="REFERENCE", help="All use of it.")
    ] = None,
    institution: Annotated[
        str | None, typer.Option("--institution", metavar="KBO", help="Everybody who acts for it.")
    ] = None,
    transaction: Annotated[str | None, typer.Option("--transaction", metavar="ID", help="All access to it.")] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="USER_ID", help="The natural person, by any user ID of theirs.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All transactions, for everybody.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show what is suspended.")] = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Suspend at once, in an emergency: open streams end within a second. It lasts until `gateway resume`, over restarts and releases.

    Example: gateway suspend --transaction dossier --reason "origin compromised, ticket 4711"
    """
    if listed:
        _list(config, as_json=as_json)
        return
    asked = {
        Scope.AUTHORISATION: authorisation,
        Scope.INSTITUTION: institution,
        Scope.TRANSACTION: transaction,
        Scope.PERSON: person,
        Scope.ALL: "" if everything else None,
    }
    chosen = [(scope, subject) for scope, subject in asked.items() if subject is not None]
    if len(chosen) != 1:
        fail("name one: --authorisation, --institution, --transaction, --person or --all", WRONG_USE, as_json=as_json)
    scope, subject = chosen[0]

    async def work(desk: _Door) -> Suspension:
        checked_reason(reason)
        if not desk.is_there(scope, subject):
            raise Conflict(f"{scope.value} {subject} is not in the table; nothing was suspended")
        now = time.time()
        day = f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y%m%d}"
        wanted = Suspension(Suspended(new_key(day), scope, subject), reason.strip(), SHELL, now)
        return await suspend(desk.switch, desk.records, wanted, desk.before_commit)

    made, why = _at_the_door(work, config, as_json=as_json)
    what = f"{scope.value} {made.entry.subject}".strip()
    elsewhere = "" if made.recorded else (
        "\nThe records could not be reached: it holds on this machine, and other machines learn of it when they are back. "
        "Until then, run the same there."
    )  # fmt: skip
    if scope is Scope.PERSON and made.entry.person is None:
        elsewhere += " Whether this user ID exists, and which others the person has, could not be asked."
    _note(why)
    done(
        f"suspended: {what}. To end it: gateway resume {made.entry.key} --reason …{elsewhere}",
        _told(made, why),
        as_json=as_json,
    )


def resume_command(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `gateway suspend --list` shows it.")],
    reason: ReasonOption,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """End a suspension.

    Example: gateway resume 20261128-0123abcd --reason "origin rebuilt, ticket 4711"
    """

    async def work(desk: _Door) -> Ended:
        by = By(SHELL, reason.strip())
        return await resume(desk.switch, desk.records, key, by, time.time(), desk.before_commit)

    (ended, others), why = _at_the_door(work, config, as_json=as_json)
    _note(why)
    what, by_which = f"{ended.entry.scope.value} {ended.entry.subject}".strip(), [each.entry.key for each in others]
    said = f"suspension {key} has ended, and {what} is still suspended by {', '.join(by_which)}"
    told = {**_told(ended, why), "still_suspended_by": by_which}
    done(said if others else f"{what} is open again", told, as_json=as_json)


class _Records:
    """The records, opened by who first asks them something: what needs none does not wait for them. `why` is why they could not be asked,
    "" while they could. Each question raises RecordsError then."""

    def __init__(self, settings: Settings) -> None:
        self.why = ""
        self._settings = settings
        self._desk: RecordsDesk | None = None

    async def user(self, user_id: str) -> UserRecords | None:
        return await self._asked(lambda desk: desk.user(user_id))

    async def add_suspension(self, suspension: Suspension) -> Suspension | None:
        return await self._asked(lambda desk: desk.add_suspension(suspension))

    async def end_suspension(self, key: str, by: By, now: float, before_commit: BeforeCommit | None = None) -> None:
        await self._asked(lambda desk: desk.end_suspension(key, by, now, before_commit))

    async def running_suspensions(self) -> tuple[Suspension, ...]:
        return await self._asked(lambda desk: desk.running_suspensions())

    async def close(self) -> None:
        if self._desk is not None:
            await self._desk.close()

    async def _asked(self, question: Callable[[RecordsDesk], Awaitable[T]]) -> T:
        try:
            if self._desk is None:
                self._desk = await RecordsDesk.open(self._settings.records_settings)
            return await question(self._desk)
        except (Conflict, LedgerError):
            raise  # they were reached
        except GatewayError as error:
            self.why = f"the records: {error}"
            raise RecordsError(str(error)) from error


class _Door:
    """What the two commands work with."""

    def __init__(self, settings: Settings, records: _Records, ledger: CliLedger) -> None:
        self.records = records
        self.switch = _switch(settings)
        self._settings = settings
        self.before_commit = partial(write_line, ledger)

    def is_there(self, scope: Scope, subject: str) -> bool:
        """Whether the table has what shall be suspended; of a table with faults, which must not keep anybody from suspending, everything.
        It is not read for a scope that stands in no table: it may be large."""
        if scope in (Scope.ALL, Scope.PERSON):
            return True
        try:
            table = load_release(self._settings, time.time()).snapshot
        except TableError:
            return True
        if scope is Scope.TRANSACTION:
            return subject in table.transactions
        return subject in (table.institutions if scope is Scope.INSTITUTION else table.by_reference)


def _switch(settings: Settings) -> Switch:
    """The switch of this machine. Raises RecordsError when it is gone and a gateway may run: it holds everything suspended, which a new
    directory would end."""
    switch = Switch(settings.switch_directory)
    if not switch.directory.exists():
        if settings.pid_file.exists():
            raise RecordsError(
                f"{switch.directory} is gone, and by {settings.pid_file} a gateway runs, for which everything is suspended until it is back: "
                "put it back as it was, or restart the gateway, which makes it. Nothing was changed"
            )
        switch.make()
    return switch


def _at_the_door(work: Callable[[_Door], Awaitable[T]], config: Path, *, as_json: bool) -> tuple[T, str]:
    """What came of it, and why the records could not be asked ("": they could, or were not)."""

    async def go(settings: Settings, ledger: CliLedger) -> tuple[T, str]:
        records = _Records(settings)
        try:
            return await work(_Door(settings, records, ledger)), records.why
        finally:
            await records.close()

    with reporting(as_json=as_json):
        settings = load_settings(config)
        with CliLedger(settings.ledger_settings) as ledger:
            return asyncio.run(go(settings, ledger))


def _list(config: Path, *, as_json: bool) -> None:
    async def known(settings: Settings) -> tuple[Suspension, ...]:
        records = _Records(settings)
        try:
            return await records.running_suspensions()
        except RecordsError:
            _note(f"this is the switch of this machine alone; {records.why}")
            return ()
        finally:
            await records.close()

    with reporting(as_json=as_json):
        settings = load_settings(config)
        switch = Switch(settings.switch_directory)
        # Where a gateway runs, a directory that is gone is no empty one.
        on_switch = switch.read() if switch.directory.exists() or settings.pid_file.exists() else []
        running = merged(on_switch, asyncio.run(known(settings)))
        show([_row(each) for each in running], "nothing is suspended", as_json=as_json)


def _note(what: str) -> None:
    if what:
        print(f"Note: {what}.", file=sys.stderr)


def _row(suspension: Suspension) -> Mapping[str, object]:
    entry = suspension.entry
    return {
        "key": entry.key,
        "scope": entry.scope.value,
        "subject": entry.subject,
        "since": Moment(suspension.since),
        "by": suspension.by,
        "reason": suspension.reason,
        "recorded": suspension.recorded,
    }


def _told(suspension: Suspension, why: str) -> Mapping[str, object]:
    entry = suspension.entry
    told = {"key": entry.key, "scope": entry.scope.value, "subject": entry.subject, "recorded": suspension.recorded}
    return told | {"note": why or None}
