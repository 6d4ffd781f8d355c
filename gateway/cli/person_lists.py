"""`gateway person import` and `export`: the same lists as on the administration's pages, with the same checks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.cli.acting import ActDateOption, ActOption, Desk, MandateOption, ReasonOption, at_desk, on_word_of
from gateway.cli.output import ANSWER_IS_NO, STANDARD_INPUT, WRONG_USE, ConfigOption, JsonOption, Row, done, fail, show
from gateway.decision import Snapshot
from gateway.errors import Conflict
from gateway.identifiers import IdentifierError, check_kbo
from gateway.model import Authorisation
from gateway.portal.import_words import FAULTS
from gateway.records.importing import Bounds, Plan, namesakes_of
from gateway.records.table_file import MOST_BYTES, Fault, read_table, write_head, write_rows

PEOPLE_AT_ONCE = 400

InstitutionOption = Annotated[str, typer.Option("--institution", metavar="KBO", help="Whose people.")]


def add_to(app: typer.Typer) -> None:
    """Adds the two commands to `gateway person`."""
    app.command("import")(person_import)
    app.command("export")(person_export)


def person_import(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A CSV file; the columns are in docs/administration.md.")
    ],
    institution: InstitutionOption,
    reason: ReasonOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Bring in a list of people with their user IDs, designations and roles: all of it, or nothing.

    Example: gateway person import people.csv --institution 0403019261 --on-behalf-of 3 --reason "new department" --dry-run
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)
    kbo = _checked(institution)
    read = read_table(_content(file))
    if read.faults:
        _refuse(read.faults, as_json=as_json)

    async def work(desk: Desk) -> tuple[Plan, dict[int, list[str]]]:
        bounds = await _bounds(desk, kbo, on_behalf_of)
        plan = await desk.records.plan_import(read.rows, bounds, reason, desk.now)
        alike = {} if plan.faults else await namesakes_of(plan, kbo, desk.records)
        if not plan.faults and not dry_run:
            await desk.records.apply_import(read.rows, plan.digest, bounds, by, desk.now, desk.before_commit)
        return plan, alike

    plan, alike = at_desk(work, config, acts=not dry_run, as_json=as_json)
    if plan.faults:
        _refuse(plan.faults, as_json=as_json)
    counts = {what: plan.count(what) for what in ("user_ids", "designations", "roles", "nothing")}
    for line, user_ids in alike.items():
        print(f"Note: row {line} may be the person of {', '.join(user_ids)} once more: compare them.", file=sys.stderr)
    verb = "would add" if dry_run else "added"
    done(
        f"{verb} {counts['user_ids']} user IDs, {counts['designations']} designations and {counts['roles']} roles; "
        f"{counts['nothing']} rows change nothing",
        {"done": not dry_run, **counts, "alike": {str(line): user_ids for line, user_ids in alike.items()}},
        as_json=as_json,
    )


def person_export(
    institution: InstitutionOption,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Write the people of an institution to standard output, as a list that can be brought in again. An INSZ is never shown.

    Example: gateway person export --institution 0403019261 > people.csv
    """
    kbo = _checked(institution)

    async def work(desk: Desk) -> None:
        sys.stdout.buffer.write(write_head())
        after, more = None, True
        while more:
            portion = await desk.records.everybody(kbo, desk.now, PEOPLE_AT_ONCE, after)
            keys = [each.user_id for each in portion.people]
            sys.stdout.buffer.write(write_rows(await desk.records.export_rows(keys, desk.now, with_numbers=False)))
            after, more = portion.after, portion.after is not None
        sys.stdout.buffer.flush()

    at_desk(work, config, acts=False, as_json=as_json)


async def _bounds(desk: Desk, kbo: str, mandate: int | None) -> Bounds:
    """What the mandate is for; without one, under a written act, all that the institution has."""
    table = desk.table()
    if kbo not in table.institutions:
        raise Conflict(f"institution {kbo} is not in the table; see `gateway institution list`")
    held = (
        None if mandate is None else next((m for m in await desk.records.mandates_at(kbo) if m.record == mandate), None)
    )
    if mandate is not None and held is None:
        raise Conflict(f"mandate {mandate} is not one of institution {kbo}; see `gateway mandate list`")
    granted = {
        reference: each
        for reference, each in table.by_reference.items()
        if each.institution == kbo and (held is None or held.scope is None or reference in held.scope)
    }
    person = None if held is None else await desk.records.person_of(user_id=held.user_id)
    return Bounds(kbo, table.institutions[kbo].language, granted, _roles(table, granted), person)


def _roles(table: Snapshot, granted: dict[str, Authorisation]) -> frozenset[str]:
    asked = (table.transactions.get(each.transaction) for each in granted.values())
    return frozenset(each.role for each in asked if each is not None and each.role is not None)


def _checked(institution: str) -> str:
    try:
        return check_kbo(institution)
    except IdentifierError as error:
        fail(str(error), WRONG_USE)


def _content(file: str) -> bytes:
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})", WRONG_USE)


def _refuse(faults: tuple[Fault, ...], *, as_json: bool) -> NoReturn:
    """Prints every fault, and ends: nothing was done."""
    rows: list[Row] = [
        {
            "row": fault.line or "",
            "column": fault.column,
            "what": FAULTS[fault.code].what % {"value": fault.value},
            "do": FAULTS[fault.code].do,
        }
        for fault in sorted(faults)
    ]
    show(rows, "", as_json=as_json)
    fail(f"{len(faults)} faults; nothing was done", ANSWER_IS_NO, as_json=as_json)
