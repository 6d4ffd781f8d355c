"""`gateway person` and `user-id`. An INSZ comes from a file or standard input alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import person_lists
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
    ending,
    head_officials,
    nobody_manages,
    on_word_of,
)
from gateway.cli.listing import list_entries
from gateway.cli.output import WRONG_USE, ConfigOption, JsonOption, Row, done, fail, read_secret, show
from gateway.errors import Conflict
from gateway.identifiers import IdentifierError, check_kbo
from gateway.model import KSZ, LANGUAGES
from gateway.records import By

person_app = typer.Typer(help="Natural persons.", no_args_is_help=True)
person_lists.add_to(person_app)
user_id_app = typer.Typer(help="User IDs: one person acting for one institution.", no_args_is_help=True)

InszOption = Annotated[str, typer.Option("--insz-file", metavar="FILE|-", help="A file that holds the INSZ, or - .")]
UserIdArgument = Annotated[str, typer.Argument(metavar="USER_ID")]


@person_app.command("add")
def person_add(
    name: Annotated[str, typer.Option("--name", help="Shown to others, never compared.")],
    insz_file: InszOption,
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Record a natural person. Then give them a user ID.

    Example: gateway person add --name "An Jansen" --insz-file - --on-behalf-of 3 --reason "new colleague"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)
    insz = read_secret(insz_file, "INSZ")

    async def work(desk: Desk) -> int:
        return await desk.records.add_person(insz, name, by, desk.now, desk.before_commit)

    person = at_desk(work, config, acts=True, as_json=as_json)
    done(f"person {person} recorded; next: gateway user-id add", {"person": person}, as_json=as_json)


@person_app.command("list")
def person_list(
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List persons with their user IDs. An INSZ is never shown.

    Example: gateway person list --institution 0403019261
    """

    async def work(desk: Desk) -> list[Row]:
        return [
            {"person": one.person, "name": one.name, "user_ids": dict(one.user_ids), "ended": one.ended}
            for one in await desk.records.persons(institution, ended=ended)
        ]

    show(at_desk(work, config, acts=False, as_json=as_json), "No person is recorded.", as_json=as_json)


@person_app.command("change")
def person_change(
    person: PersonOption,
    name: Annotated[str, typer.Option("--name", help="The name from now on.")],
    insz_file: InszOption,
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Record another name, or the national number that a bis number became; the old ones stay in the history.

    Example: gateway person change --person jansen01 --name "An Jansen" --insz-file - --on-behalf-of 3 --reason "national number"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)
    insz = read_secret(insz_file, "INSZ")

    async def work(desk: Desk) -> int:
        number = await desk.records.person_of(user_id=person)
        await desk.records.change_person(number, insz, name, by, desk.now, desk.before_commit)
        return number

    number = at_desk(work, config, acts=True, as_json=as_json)
    done(f"person {number} changed", {"person": number}, as_json=as_json)


@person_app.command("end")
def person_end(
    person: PersonOption,
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """End a person with all their user IDs and sessions.

    Example: gateway person end --person jansen01 --act HR/2026/7 --act-date 2026-03-02 --reason "deceased"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> tuple[int, list[str]]:
        await _not_the_head_official(desk, by, person)
        number = await desk.records.person_of(user_id=person)
        theirs = [key for one in await desk.records.persons() if one.person == number for key in one.user_ids]
        end = desk.records.end_person
        return number, await ending(desk, theirs, lambda: end(number, by, desk.now, desk.before_commit))

    number, alone = at_desk(work, config, acts=True, as_json=as_json)
    note = f", and their mandate{nobody_manages(alone)}" if alone else ""
    done(f"person {number} ended{note}", {"person": number, "last": bool(alone)}, as_json=as_json)


@user_id_app.command("add")
def user_id_add(
    user_id: UserIdArgument,
    institution: Annotated[
        str, typer.Option("--institution", metavar="KBO", help="For whom the person acts; ksz for the KSZ itself.")
    ],
    reason: ReasonOption,
    person: Annotated[
        str | None, typer.Option("--person", metavar="USER_ID", help="The person, by another user ID of theirs.")
    ] = None,
    insz_file: Annotated[
        str | None, typer.Option("--insz-file", metavar="FILE|-", help="The person, by a file that holds the INSZ.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help=f"One of {', '.join(LANGUAGES)}.")] = "nl",
    first: FromOption = None,
    last: UntilOption = None,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Give a recorded person a user ID at an institution.

    Examples:
      gateway user-id add jansen01 --insz-file - --institution 0403019261 --on-behalf-of 3 --reason "new colleague"
      gateway user-id add jansen02 --person jansen01 --institution 0428759497 --on-behalf-of 5 --reason "also works here"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)
    if (person is None) == (insz_file is None):
        fail("name the person by --person USER_ID or by --insz-file FILE", WRONG_USE)
    if language not in LANGUAGES:
        fail(f"--language is one of {', '.join(LANGUAGES)}", WRONG_USE)
    insz = None if insz_file is None else read_secret(insz_file, "INSZ")
    try:
        kbo = institution if institution == KSZ else check_kbo(institution)
    except IdentifierError as error:
        fail(str(error), WRONG_USE)

    async def work(desk: Desk) -> None:
        if kbo != KSZ and kbo not in desk.table().institutions:
            raise Conflict(f"institution {kbo} is not in the table; see `gateway institution list`")
        number = await desk.records.person_of(user_id=person, insz=insz)
        validity = days(first, last, desk.now)
        await desk.records.add_user_id(user_id, number, kbo, language, by, desk.now, validity, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"user ID {user_id} added; next: gateway credential add", {"user_id": user_id}, as_json=as_json)


@user_id_app.command("list")
def user_id_list(
    person: AnyPersonOption = None,
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List user IDs.

    Example: gateway user-id list --institution 0403019261 --all
    """
    list_entries("user-id", person, institution, ended, config, as_json=as_json)


async def _not_the_head_official(desk: Desk, by: By, user_id: str) -> None:
    """Raises Conflict where an administrator's mandate alone would shut out the head official who gave it, as on the administrator's pages."""
    if by.mandate is not None and by.act is None and (await head_officials(desk, user_id)).theirs:
        raise Conflict(
            f"{user_id} is the head official's, whose mandate this is: it takes their own written act (--act), or the KSZ's word in roles.toml"
        )


def _user_id_act(verb: str, done_word: str, example: str, what: str) -> None:
    """Adds a command that does one thing to one user ID: they differ in nothing else."""

    def command(
        user_id: UserIdArgument,
        reason: ReasonOption,
        on_behalf_of: MandateOption = None,
        act: ActOption = None,
        act_date: ActDateOption = None,
        config: ConfigOption = Path("config"),
        as_json: JsonOption = False,
    ) -> None:
        by = on_word_of(reason, on_behalf_of, act, act_date)

        async def work(desk: Desk) -> list[str]:
            acts = {
                "block": desk.records.block_user_id,
                "unblock": desk.records.unblock_user_id,
                "end": desk.records.end_user_id,
            }
            if verb != "unblock":
                await _not_the_head_official(desk, by, user_id)
            return await ending(desk, [user_id], lambda: acts[verb](user_id, by, desk.now, desk.before_commit))

        alone = at_desk(work, config, acts=True, as_json=as_json)
        note = f", and its mandate{nobody_manages(alone)}" if alone else ""
        done(
            f"user ID {user_id} {done_word}{note}",
            {"user_id": user_id, "done": verb} | ({"last": bool(alone)} if verb == "end" else {}),
            as_json=as_json,
        )

    user_id_app.command(verb, help=f"{what}\n\nExample: gateway user-id {example}")(command)


_user_id_act(
    "block",
    "blocked",
    'block jansen01 --on-behalf-of 3 --reason "suspected misuse"',
    "Let nobody sign in with it until it is unblocked; its sessions end.",
)
_user_id_act("unblock", "unblocked", 'unblock jansen01 --on-behalf-of 3 --reason "cleared up"', "Let it be used again.")
_user_id_act(
    "end",
    "ended",
    'end jansen01 --on-behalf-of 3 --reason "left"',
    "The person has left the institution: the user ID ends with its designations, roles, means, offices, mandates and sessions.",
)
