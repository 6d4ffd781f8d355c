"""`gateway designation` and `role`: who is named for what (clauses P3, P4)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.acting import (
    ActDateOption,
    ActOption,
    AnyPersonOption,
    Desk,
    EndedOption,
    FromOption,
    InstitutionOption,
    MandateOption,
    PersonOption,
    ReasonOption,
    UntilOption,
    at_desk,
    days,
    on_word_of,
)
from gateway.cli.listing import list_entries
from gateway.cli.output import WRONG_USE, ConfigOption, JsonOption, Moment, Row, done, fail, show
from gateway.errors import Conflict
from gateway.model import Use
from gateway.records import By
from gateway.records.reviewing import Reviewed, Which

designation_app = typer.Typer(help="Persons named for an authorisation.", no_args_is_help=True)
DUE: Final[tuple[Which, ...]] = ("due", "orphaned")
MOST_DUE: Final = 1_000_000
role_app = typer.Typer(help="User-management roles.", no_args_is_help=True)


@designation_app.command("add")
def designation_add(
    person: PersonOption,
    authorisation: Annotated[
        str, typer.Option("--authorisation", metavar="REFERENCE", help="The deliberation, as 24/123.")
    ],
    use: Annotated[list[Use], typer.Option("--use", help="What for; give it twice for both.")],
    reason: ReasonOption,
    first: FromOption = None,
    last: UntilOption = None,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Name a person for one authorisation of their institution, within what it grants.

    Without --act it waits for the head official's confirmation.

    Example: gateway designation add --person jansen01 --authorisation 24/123 --use consultation --on-behalf-of 3
      --act HR/2026/4 --act-date 2026-01-15 --reason "handles files of her district"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> int:
        granted = desk.table().by_reference.get(authorisation)
        if granted is None:
            raise Conflict(f"authorisation {authorisation} is not in the table; see `gateway institution show KBO`")
        validity = days(first, last, desk.now)
        return await desk.records.add_designation(person, granted, use, by, desk.now, validity, desk.before_commit)

    number = at_desk(work, config, acts=True, as_json=as_json)
    waits = "" if act is not None else "; it waits for the head official's confirmation"
    done(
        f"designation {number} of {person} for {authorisation} recorded{waits}",
        {"designation": number, "user_id": person, "authorisation": authorisation, "confirmed": act is not None},
        as_json=as_json,
    )


@designation_app.command("list")
def designation_list(
    person: AnyPersonOption = None,
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    due: Annotated[
        bool,
        typer.Option("--due", help="Only those that lapse soon unless somebody confirms them; with --institution."),
    ] = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List designations.

    Examples:
      gateway designation list --person jansen01 --all
      gateway designation list --institution 0403019261 --due
    """
    if not due:
        list_entries("designation", person, institution, ended, config, as_json=as_json)
        return
    if institution is None or person is not None or ended:
        fail("--due goes with --institution, and with nothing else", WRONG_USE)

    async def work(desk: Desk) -> list[Row]:
        records, found = desk.records, dict[int, Reviewed]()
        for which in DUE:
            for each in await records.reviewed(institution, which, desk.now, most=MOST_DUE):
                found[each.record] = each
        return [
            {
                "designation": each.record,
                "user_id": each.user_id,
                "authorisation": each.authorisation,
                "mandate_ended": each.needs_review(desk.now),
                "lapses": Moment(each.over),
            }
            for each in sorted(found.values(), key=lambda one: (one.over, one.record))
        ]

    show(at_desk(work, config, acts=False, as_json=as_json), "None is due.", as_json=as_json)


Numbers = Annotated[list[int], typer.Argument(metavar="DESIGNATION...", help="As `designation list` shows them.")]


@designation_app.command("confirm")
def designation_confirm(
    designation: Numbers,
    act: Annotated[str, typer.Option("--act", metavar="REFERENCE", help="The head official's written act.")],
    act_date: ActDateOption,
    reason: ReasonOption,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Record the head official's word for designations that wait for it, or whose mandate has ended.

    Example: gateway designation confirm 17 18 --act HR/2026/9 --act-date 2026-06-01 --reason "the list of May"
    """
    by = on_word_of(reason, None, act, act_date)

    async def work(desk: Desk) -> None:
        await desk.records.confirm_designations(designation, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"{len(designation)} confirmed", {"designations": designation}, as_json=as_json)


@designation_app.command("recertify")
def designation_recertify(
    designation: Numbers,
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Say that designations are still needed; they stand for another period.

    Example: gateway designation recertify 17 18 --on-behalf-of 3 --reason "still in the same service"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> None:
        await desk.records.recertify(designation, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"{len(designation)} confirmed for another period", {"designations": designation}, as_json=as_json)


@designation_app.command("end")
def designation_end(
    designation: Annotated[int, typer.Argument(metavar="DESIGNATION", help="As `designation list` shows it.")],
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """End a designation; what the person has open under it ends within a second.

    Example: gateway designation end 17 --on-behalf-of 3 --reason "changed department"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> None:
        await desk.records.end_designation(designation, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"designation {designation} ended", {"designation": designation}, as_json=as_json)


async def _for_all(desk: Desk, by: By) -> None:
    """A role opens whatever asks for it, so by command line it takes a mandate for all. Raises Conflict."""
    held = await desk.records.entries("mandate", ended=True)
    scope = next((entry.says["authorisations"] for entry in held if entry.record == by.mandate), None)
    if scope:
        raise Conflict(
            f"mandate {by.mandate} is for {scope} alone; a role by command line takes a mandate for all authorisations, or the "
            "head official's written act (its holder gives the roles that go with it in the portal)"
        )


@role_app.command("add")
def role_add(
    person: PersonOption,
    role: Annotated[str, typer.Option("--role", help="As the transaction names it, for example DossierReader.")],
    reason: ReasonOption,
    first: FromOption = None,
    last: UntilOption = None,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Give a user ID a user-management role.

    Example: gateway role add --person jansen01 --role DossierReader --on-behalf-of 3 --reason "handles files"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> int:
        await _for_all(desk, by)
        known = {transaction.role for transaction in desk.table().transactions.values()} - {None}
        if role not in known:
            raise Conflict(
                f"no transaction asks for role {role}; those that exist: {', '.join(sorted(filter(None, known)))}"
            )
        return await desk.records.add_role(person, role, by, desk.now, days(first, last, desk.now), desk.before_commit)

    number = at_desk(work, config, acts=True, as_json=as_json)
    done(f"role {role} given to {person} (record {number})", {"role": number, "user_id": person}, as_json=as_json)


@role_app.command("list")
def role_list(
    person: AnyPersonOption = None,
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List user-management roles.

    Example: gateway role list --person jansen01
    """
    list_entries("role", person, institution, ended, config, as_json=as_json)


@role_app.command("end")
def role_end(
    role: Annotated[int, typer.Argument(metavar="RECORD", help="As `role list` shows it.")],
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Take a role away.

    Example: gateway role end 9 --on-behalf-of 3 --reason "changed department"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> None:
        await _for_all(desk, by)
        await desk.records.end_role(role, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"role record {role} ended", {"role": role}, as_json=as_json)
