"""`gateway mandate` and `office`: whom the head official makes local administrator, and who reads for the institution (clause P5)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.acting import (
    ActDateOption,
    AnyPersonOption,
    Desk,
    EndedOption,
    FromOption,
    InstitutionOption,
    PersonOption,
    ReasonOption,
    UntilOption,
    at_desk,
    days,
    head_officials,
    is_managed,
    nobody_manages,
    on_word_of,
)
from gateway.cli.listing import list_entries
from gateway.cli.output import ConfigOption, JsonOption, done
from gateway.errors import Conflict

mandate_app = typer.Typer(help="Mandates of local administrators, by their head official.", no_args_is_help=True)
office_app = typer.Typer(help="Who reads an institution's lines and reports: its CISO and DPO.", no_args_is_help=True)


class Office(StrEnum):
    """What a head official grants (`records.offices`)."""

    CISO = "ciso"
    DPO = "dpo"


@mandate_app.command("add")
def mandate_add(
    person: PersonOption,
    act: Annotated[str, typer.Option("--act", metavar="REFERENCE", help="The head official's written act.")],
    act_date: ActDateOption,
    reason: ReasonOption,
    first: FromOption = None,
    last: UntilOption = None,
    authorisation: Annotated[
        list[str] | None,
        typer.Option("--authorisation", metavar="REFERENCE", help="Only for this one; may be given several times."),
    ] = None,
    to_accept: Annotated[
        bool, typer.Option("--to-accept", help="Its holder has yet to accept it, at their next sign-in.")
    ] = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Mandate the holder of a user ID as local administrator of its institution.

    The written act says that its holder accepts it; where it does not, give --to-accept: it is in force once they have.

    Example: gateway mandate add --person peeters1 --act HR/2026/3 --act-date 2026-01-12 --reason "new administrator"
    """
    by = on_word_of(reason, None, act, act_date)

    async def work(desk: Desk) -> int:
        validity, scope = days(first, last, desk.now), authorisation or None
        user = await desk.records.user(person)
        await _for_somebody_else(desk, person)
        for reference in scope or ():
            granted = desk.table().by_reference.get(reference)
            if granted is None or user is None or granted.institution != user.institution:
                raise Conflict(
                    f"authorisation {reference} is not one of that institution; see `gateway institution show`"
                )
        return await desk.records.add_mandate(
            person, by, desk.now, validity, desk.before_commit, authorisations=scope, accepted=not to_accept
        )

    mandate = at_desk(work, config, acts=True, as_json=as_json)
    waits = "; it is in force once they have accepted it" if to_accept else ""
    facts = {"mandate": mandate, "user_id": person, "accepted": not to_accept}
    done(f"mandate {mandate} of {person} recorded{waits}", facts, as_json=as_json)


async def _for_somebody_else(desk: Desk, person: str) -> None:
    """Raises Conflict where the head official's act is for themself, as their pages do; with two of them, the act can be the other one's."""
    found = await head_officials(desk, person)
    if found.theirs and not found.others:
        raise Conflict(
            f"nobody gives themself anything: {person} is the institution's only head official, whose act this is. Name somebody else"
        )


@mandate_app.command("accept")
def mandate_accept(
    mandate: Annotated[int, typer.Argument(metavar="MANDATE", help="As `mandate list` shows it.")],
    act: Annotated[str, typer.Option("--act", metavar="REFERENCE", help="What its holder signed.")],
    act_date: ActDateOption,
    reason: ReasonOption,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Record that the holder of a mandate has accepted it on paper; they can do it themself, at their next sign-in.

    Example: gateway mandate accept 3 --act HR/2026/3a --act-date 2026-01-14 --reason "signed by hand"
    """
    by = on_word_of(reason, None, act, act_date)

    async def work(desk: Desk) -> None:
        await desk.records.accept_mandate(mandate, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"mandate {mandate} accepted", {"mandate": mandate}, as_json=as_json)


@mandate_app.command("list")
def mandate_list(
    person: AnyPersonOption = None,
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List mandates.

    Example: gateway mandate list --institution 0403019261
    """
    list_entries("mandate", person, institution, ended, config, as_json=as_json)


@mandate_app.command("end")
def mandate_end(
    mandate: Annotated[int, typer.Argument(metavar="MANDATE", help="As `mandate list` shows it.")],
    act: Annotated[str, typer.Option("--act", metavar="REFERENCE", help="The head official's written act.")],
    act_date: ActDateOption,
    reason: ReasonOption,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """End a mandate; designations made under it go on until the review time is over.

    Example: gateway mandate end 3 --act HR/2026/9 --act-date 2026-06-01 --reason "retired"
    """
    by = on_word_of(reason, None, act, act_date)

    async def work(desk: Desk) -> str | None:
        """The institution that has no administrator any more, if it is so."""
        await desk.records.end_mandate(mandate, by, desk.now, desk.before_commit)
        ended = next(each for each in await desk.records.entries("mandate", ended=True) if each.record == mandate)
        return None if await is_managed(desk, ended.institution) else ended.institution

    alone = at_desk(work, config, acts=True, as_json=as_json)
    note = nobody_manages([] if alone is None else [alone])
    done(f"mandate {mandate} ended{note}", {"mandate": mandate, "last": alone is not None}, as_json=as_json)


@office_app.command("add")
def office_add(
    person: PersonOption,
    office: Annotated[Office, typer.Option("--office", help="Which one.")],
    act: Annotated[str, typer.Option("--act", metavar="REFERENCE", help="The head official's written act.")],
    act_date: ActDateOption,
    reason: ReasonOption,
    first: FromOption = None,
    last: UntilOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Grant an office of its institution to the holder of a user ID.

    Example: gateway office add --person peeters1 --office dpo --act HR/2026/5 --act-date 2026-02-01 --reason "appointed"
    """
    by = on_word_of(reason, None, act, act_date)

    async def work(desk: Desk) -> int:
        validity = days(first, last, desk.now)
        await _for_somebody_else(desk, person)
        return await desk.records.grant_office(person, office, by, desk.now, validity, desk.before_commit)

    record = at_desk(work, config, acts=True, as_json=as_json)
    facts = {"record": record, "user_id": person, "office": office.value}
    done(f"office {office} granted to {person} (record {record})", facts, as_json=as_json)


@office_app.command("list")
def office_list(
    person: AnyPersonOption = None,
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List offices that head officials granted; those of the KSZ's table are in roles.toml.

    Example: gateway office list --institution 0403019261
    """
    list_entries("office", person, institution, ended, config, as_json=as_json)


@office_app.command("end")
def office_end(
    record: Annotated[int, typer.Argument(metavar="RECORD", help="As `office list` shows it.")],
    act: Annotated[str, typer.Option("--act", metavar="REFERENCE", help="The head official's written act.")],
    act_date: ActDateOption,
    reason: ReasonOption,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """End an office; whoever held it reads nothing more.

    Example: gateway office end 2 --act HR/2026/11 --act-date 2026-06-01 --reason "left"
    """
    by = on_word_of(reason, None, act, act_date)

    async def work(desk: Desk) -> None:
        await desk.records.end_office(record, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"office record {record} ended", {"record": record}, as_json=as_json)
