"""What the commands that act on records share: on whose word, the ledger's line before the commit, and the desk."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import typer

from gateway.cli.output import WRONG_USE, fail, reporting
from gateway.decision import Snapshot
from gateway.errors import Conflict
from gateway.ledger import CliLedger
from gateway.ledger.record import administration_record
from gateway.model import FOR_EVER, Validity
from gateway.policy.serving import load_serving
from gateway.policy.settings import Settings, load_settings
from gateway.records import Act, By, Change, RecordsDesk
from gateway.records.narrowing import day_of

SHELL = "shell"
"""How an act by command line is marked (DESIGN section 5)."""

PersonOption = Annotated[str, typer.Option("--person", metavar="USER_ID", help="Whose: a user ID, never an INSZ.")]
AnyPersonOption = Annotated[str | None, typer.Option("--person", metavar="USER_ID", help="Only of this user ID.")]
InstitutionOption = Annotated[
    str | None, typer.Option("--institution", metavar="KBO", help="Only of this institution.")
]
EndedOption = Annotated[bool, typer.Option("--all", help="Ended ones too.")]
MandateOption = Annotated[
    int | None, typer.Option("--on-behalf-of", metavar="MANDATE", help="The mandate under which this is done.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stays with the record and in the ledger.")]
ActOption = Annotated[
    str | None, typer.Option("--act", metavar="REFERENCE", help="The head official's written act, with --act-date.")
]
ActDateOption = Annotated[
    dt.datetime | None,
    typer.Option("--act-date", metavar="DATE", formats=["%Y-%m-%d"], help="The date of that act."),
]
FromOption = Annotated[
    dt.datetime | None,
    typer.Option(
        "--from", metavar="DATE", formats=["%Y-%m-%d"], help="The first day, in Brussels; default: from now on."
    ),
]
UntilOption = Annotated[
    dt.datetime | None,
    typer.Option("--until", metavar="DATE", formats=["%Y-%m-%d"], help="The last day, in Brussels."),
]

T = TypeVar("T")


def given(reason: str) -> str:
    """Why. Fails of nothing but blanks."""
    if not reason.strip():
        fail("--reason is empty; say why, in a few words that somebody understands years later", WRONG_USE)
    return reason.strip()


def on_word_of(reason: str, mandate: int | None, act: str | None, act_date: dt.datetime | None) -> By:
    """On whose word a command acts. Fails unless it names a mandate or a written act, and a reason."""
    why = given(reason)
    if (act is None) != (act_date is None):
        fail(
            "--act and --act-date go together: the reference and the date of the head official's written act", WRONG_USE
        )
    if mandate is None and act is None:
        fail("give --on-behalf-of MANDATE, or the head official's written act by --act and --act-date", WRONG_USE)
    if act_date is not None and act_date.date() > day_of(time.time()):
        fail(f"--act-date {act_date:%Y-%m-%d} lies in the future: nothing rests on what is not written yet", WRONG_USE)
    word = None if act is None or act_date is None else Act(act, act_date.date())
    return By(SHELL, why, mandate, word)


async def ending(desk: Desk, user_ids: Iterable[str], act: Callable[[], Awaitable[None]]) -> list[str]:
    """Does an act that ends these user IDs; the institutions that have no administrator any more by it."""
    held = [each for user_id in user_ids for each in await desk.records.mandates_of(user_id)]
    managed = {each.institution for each in held if each.in_force(desk.now)}
    await act()
    return sorted([kbo for kbo in managed if not await is_managed(desk, kbo)])


async def is_managed(desk: Desk, institution: str) -> bool:
    """Whether a mandate is in force there."""
    return any(each.in_force(desk.now) for each in await desk.records.mandates_at(institution))


def nobody_manages(institutions: Sequence[str]) -> str:
    """What to say, behind what was done, of institutions whose last mandate has ended by it."""
    return "".join(
        f"; it was the last one in force: nobody manages the people of {kbo} until its head official gives another"
        for kbo in institutions
    )


def days(first: dt.datetime | None, last: dt.datetime | None, now: float) -> Validity | None:
    """The validity that --from and --until name; None when neither does."""
    if first is None and last is None:
        return None
    start = now if first is None else Validity.of_days(first.date(), None).start
    end = FOR_EVER if last is None else Validity.of_days(last.date(), last.date()).end
    if end <= start:
        fail("--until lies before the first day; the last day is included", WRONG_USE)
    return Validity(start, end)


@dataclass(frozen=True, slots=True)
class Desk:
    """One command at work. `before_commit` writes the ledger's line, without which nothing is committed."""

    settings: Settings
    records: RecordsDesk
    now: float
    ledger: CliLedger | None

    def before_commit(self, change: Change) -> None:
        """Writes the line; raises LedgerError when it cannot be made durable."""
        if self.ledger is None:
            raise Conflict("this command does not act")
        write_line(self.ledger, change)

    def table(self) -> Snapshot:
        """The granted table, checked. Raises TableError."""
        return table_that_serves(self.settings, self.now)


class HeadOfficials(NamedTuple):
    """Whether a user ID's person is a head official of its institution, now, by roles.toml; and whether somebody else is."""

    theirs: bool
    others: bool


async def head_officials(desk: Desk, user_id: str) -> HeadOfficials:
    """Of the institution of a user ID; neither where nobody has it. Raises TableError."""
    user = await desk.records.user(user_id)
    if user is None:
        return HeadOfficials(theirs=False, others=False)
    own = set(await desk.records.numbers_of(user.person))
    found = {
        insz in own
        for insz, held in desk.table().roles.items()
        for role in held
        if (role.role, role.institution) == ("head_official", user.institution) and role.validity.holds(desk.now)
    }
    return HeadOfficials(True in found, False in found)


def table_that_serves(settings: Settings, now: float) -> Snapshot:
    """Of the release that serves; says on stderr when something else lies in its place. Raises TableError."""
    serving = load_serving(settings, now)
    if serving.note:
        print(f"Note: {serving.note}.", file=sys.stderr)
    return serving.release.snapshot


def write_line(ledger: CliLedger, change: Change) -> None:
    """The line of an act by command line. Raises LedgerError when it cannot be made durable."""
    act = change.by.act
    written = {} if act is None else {"act_reference": act.reference, "act_date": act.on.isoformat()}
    ledger.write(
        administration_record(
            ledger.references(),
            act=change.act,
            actor=change.by.actor,
            person=ledger.sealer.person(change.user_id, change.insz),
            institution=change.institution,
            on_behalf_of=change.by.mandate,
            reason=change.by.reason,
            objects={**change.objects, **written},
        )
    )


def at_desk(work: Callable[[Desk], Awaitable[T]], config: Path, *, acts: bool, as_json: bool) -> T:
    """Runs one command's work on the records; what goes wrong becomes a line and an exit code."""
    with reporting(as_json=as_json):
        settings = load_settings(config)
        with _ledger(settings, acts) as ledger:
            return asyncio.run(_at_desk(work, settings, ledger))


@contextmanager
def _ledger(settings: Settings, acts: bool) -> Iterator[CliLedger | None]:
    if not acts:
        yield None
        return
    with CliLedger(settings.ledger_settings) as ledger:
        yield ledger


async def _at_desk(work: Callable[[Desk], Awaitable[T]], settings: Settings, ledger: CliLedger | None) -> T:
    records = await RecordsDesk.open(settings.records_settings)
    try:
        return await work(Desk(settings, records, time.time(), ledger))
    finally:
        await records.close()
