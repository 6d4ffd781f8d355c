"""`gateway person`, `user-id` and `credential`. An INSZ, a password or a secret comes from a file or standard input alone."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

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
from gateway.cli.output import WRONG_USE, ConfigOption, JsonOption, Row, done, fail, read_secret, show
from gateway.credentials import password as passwords
from gateway.credentials import totp
from gateway.credentials.argon import SALT_BYTES
from gateway.decision import Snapshot
from gateway.errors import Conflict, CredentialError
from gateway.identifiers import IdentifierError, check_kbo
from gateway.model import LANGUAGES
from gateway.records import Login

person_app = typer.Typer(help="Natural persons.", no_args_is_help=True)
user_id_app = typer.Typer(help="User IDs: one person acting for one institution.", no_args_is_help=True)
credential_app = typer.Typer(help="Passwords, and codes by app.", no_args_is_help=True)

InszOption = Annotated[str, typer.Option("--insz-file", metavar="FILE|-", help="A file that holds the INSZ, or - .")]
UserIdArgument = Annotated[str, typer.Argument(metavar="USER_ID")]

REFUSED_PASSWORD = {
    "password_too_short": f"it needs {passwords.MIN_CHARACTERS_ALONE} characters when it is the only factor, "
    f"{passwords.MIN_CHARACTERS_WITH_SECOND} beside codes by app",
    "password_too_long": f"it has more than {passwords.MAX_CHARACTERS} characters",
    "password_unreadable": "it holds a control character",
    "password_common": "it is a common word, the person's or institution's name, a repetition or a row of keys",
}


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

    async def work(desk: Desk) -> int:
        number = await desk.records.person_of(user_id=person)
        await desk.records.end_person(number, by, desk.now, desk.before_commit)
        return number

    number = at_desk(work, config, acts=True, as_json=as_json)
    done(f"person {number} ended", {"person": number}, as_json=as_json)


@user_id_app.command("add")
def user_id_add(
    user_id: UserIdArgument,
    institution: Annotated[str, typer.Option("--institution", metavar="KBO", help="For whom the person acts.")],
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
        kbo = check_kbo(institution)
    except IdentifierError as error:
        fail(str(error), WRONG_USE)

    async def work(desk: Desk) -> None:
        if kbo not in desk.table().institutions:
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

        async def work(desk: Desk) -> None:
            acts = {
                "block": desk.records.block_user_id,
                "unblock": desk.records.unblock_user_id,
                "end": desk.records.end_user_id,
            }
            await acts[verb](user_id, by, desk.now, desk.before_commit)

        at_desk(work, config, acts=True, as_json=as_json)
        done(f"user ID {user_id} {done_word}", {"user_id": user_id, "done": verb}, as_json=as_json)

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
    "The person acts for the institution no longer; its sessions end.",
)


@credential_app.command("add")
def credential_add(
    person: PersonOption,
    reason: ReasonOption,
    password_file: Annotated[
        str | None, typer.Option("--password-file", metavar="FILE|-", help="A file that holds the new password, or - .")
    ] = None,
    totp_secret_file: Annotated[
        str | None,
        typer.Option("--totp-secret-file", metavar="FILE|-", help="A file with the app's secret in base32, or - ."),
    ] = None,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Set a password, or the secret of an app; the one before, and the sessions, end. A disabled password is recovered so.

    Examples:
      gateway credential add --person jansen01 --password-file - --on-behalf-of 3 --reason "first password"
      gateway credential add --person jansen01 --totp-secret-file secret.txt --on-behalf-of 3 --reason "app enrolled"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)
    if (password_file is None) == (totp_secret_file is None):
        fail("give --password-file or --totp-secret-file, one of them", WRONG_USE)

    async def add_password(desk: Desk, password: str) -> int:
        login = await desk.records.find_login(person)
        if login is None:
            raise Conflict(f"user ID {person} does not exist; see `gateway user-id list`")
        words = _context(desk.table(), login)
        hashed, alone = _hash(password, words, only_factor=not login.has_totp)
        return await desk.records.set_password(
            person, hashed, by, desk.now, alone=alone, before_commit=desk.before_commit
        )

    async def add_totp(desk: Desk, text: str) -> int:
        try:
            secret = totp.parse_secret(text)
        except CredentialError:
            raise Conflict("that is no secret of an app: 26 to 103 characters of base32 (16 to 64 bytes)") from None
        return await desk.records.set_totp(person, secret, by, desk.now, desk.before_commit)

    if password_file is not None:
        given = read_secret(password_file, "password")
        record = at_desk(lambda desk: add_password(desk, given), config, acts=True, as_json=as_json)
    else:
        given = read_secret(totp_secret_file or "", "secret")
        record = at_desk(lambda desk: add_totp(desk, given), config, acts=True, as_json=as_json)
    done(f"credential {record} of {person} added", {"credential": record, "user_id": person}, as_json=as_json)


@credential_app.command("list")
def credential_list(
    person: AnyPersonOption = None,
    institution: InstitutionOption = None,
    ended: EndedOption = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """List credentials by kind; what they are is never shown.

    Example: gateway credential list --person jansen01
    """
    list_entries("credential", person, institution, ended, config, as_json=as_json)


@credential_app.command("end")
def credential_end(
    credential: Annotated[int, typer.Argument(metavar="CREDENTIAL", help="As `credential list` shows it.")],
    reason: ReasonOption,
    on_behalf_of: MandateOption = None,
    act: ActOption = None,
    act_date: ActDateOption = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Take a credential away; the sessions of its user ID end.

    Example: gateway credential end 12 --on-behalf-of 3 --reason "telephone lost"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)

    async def work(desk: Desk) -> None:
        await desk.records.end_credential(credential, by, desk.now, desk.before_commit)

    at_desk(work, config, acts=True, as_json=as_json)
    done(f"credential {credential} ended", {"credential": credential}, as_json=as_json)


def _context(table: Snapshot, login: Login) -> list[str]:
    """Words that somebody who knows the person would try first."""
    institution = table.institutions.get(login.institution)
    names = () if institution is None else tuple(institution.name.in_(language) for language in LANGUAGES)
    return [login.user_id, login.name, *names]


def _hash(password: str, context: list[str], *, only_factor: bool) -> tuple[str, bool]:
    """The hash of a new password, and whether it may be the only factor. Raises Conflict that says what is wrong with it."""
    try:
        passwords.check_new(password, context, only_factor=only_factor)
    except CredentialError as error:
        raise Conflict(f"this password cannot be used: {REFUSED_PASSWORD[error.reason]}") from None
    alone = passwords.may_stand_alone(password)
    return passwords.hash_password(password, secrets.token_bytes(SALT_BYTES)), alone
