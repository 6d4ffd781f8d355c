"""`gateway credential`. A password or a secret comes from a file or standard input alone; what the gateway makes itself is shown once."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.acting import (
    ActDateOption,
    ActOption,
    AnyPersonOption,
    Desk,
    EndedOption,
    InstitutionOption,
    MandateOption,
    PersonOption,
    ReasonOption,
    at_desk,
    on_word_of,
)
from gateway.cli.listing import list_entries
from gateway.cli.output import WRONG_USE, ConfigOption, JsonOption, done, fail, read_secret
from gateway.cli.paper_file import PaperFile
from gateway.credentials import activation, code_card, totp
from gateway.credentials import password as passwords
from gateway.credentials.argon import SALT_BYTES
from gateway.decision import Snapshot
from gateway.errors import Conflict, CredentialError
from gateway.model import LANGUAGES, Channel
from gateway.records import By, Login

if TYPE_CHECKING:
    from gateway.portal.papers import Addressee, Paper

credential_app = typer.Typer(help="Passwords, codes by app, code cards, activation codes.", no_args_is_help=True)

REFUSED_PASSWORD = {
    "password_too_short": f"it needs {passwords.MIN_CHARACTERS_ALONE} characters when it is the only factor, "
    f"{passwords.MIN_CHARACTERS_WITH_SECOND} beside a code card or codes by app",
    "password_too_long": f"it has more than {passwords.MAX_CHARACTERS} characters",
    "password_unreadable": "it holds a control character",
    "password_common": "it is a common word, the person's or institution's name, a repetition or a row of keys",
}


class Kind(enum.StrEnum):
    """What the gateway makes itself."""

    CODE_CARD = "code-card"
    ACTIVATION = "activation"


@credential_app.command("add")
def credential_add(
    person: PersonOption,
    reason: ReasonOption,
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="Make a code card, or a letter with an activation code; shown once.")
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option("--pdf", metavar="FILE", help="Write the card or letter there, instead of showing it."),
    ] = None,
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
    """Set a password or the secret of an app, or make a code card or an activation code; the one before is void.

    The sessions end, but at an activation code, which changes nothing until it is used: once, within 14 days. A disabled password is
    recovered by a new one.

    Examples:
      gateway credential add --person jansen01 --kind activation --pdf letter.pdf --on-behalf-of 3 --reason "new colleague"
      gateway credential add --person jansen01 --kind code-card --on-behalf-of 3 --reason "card lost"
      gateway credential add --person jansen01 --password-file - --on-behalf-of 3 --reason "first password"
      gateway credential add --person jansen01 --totp-secret-file secret.txt --on-behalf-of 3 --reason "app enrolled"
    """
    by = on_word_of(reason, on_behalf_of, act, act_date)
    if sum(given is not None for given in (kind, password_file, totp_secret_file)) != 1:
        fail("give --kind, --password-file or --totp-secret-file, one of them", WRONG_USE)
    if pdf is not None and kind is None:
        fail("--pdf goes with --kind: a password or a secret is not printed", WRONG_USE)
    if kind is not None:
        _make(kind, person, by, pdf, config, as_json=as_json)
        return
    if password_file is not None:
        given = read_secret(password_file, "password", new=True)
        record = at_desk(lambda desk: _add_password(desk, person, given, by), config, acts=True, as_json=as_json)
    else:
        given = read_secret(totp_secret_file or "", "secret")
        record = at_desk(lambda desk: _add_totp(desk, person, given, by), config, acts=True, as_json=as_json)
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


async def _add_password(desk: Desk, person: str, password: str, by: By) -> int:
    login = await _login(desk, person)
    words = _context(desk.table(), login)
    hashed, alone = _hash(password, words, only_factor=not login.has_token)
    return await desk.records.set_password(person, hashed, by, desk.now, alone=alone, before_commit=desk.before_commit)


async def _add_totp(desk: Desk, person: str, text: str, by: By) -> int:
    try:
        secret = totp.parse_secret(text)
    except CredentialError:
        raise Conflict("that is no secret of an app: 26 to 103 characters of base32 (16 to 64 bytes)") from None
    return await desk.records.set_totp(person, secret, by, desk.now, desk.before_commit)


def _make(kind: Kind, person: str, by: By, pdf: Path | None, config: Path, *, as_json: bool) -> None:
    """Makes a card or a letter, and shows it: nobody can see it again."""

    async def work(desk: Desk) -> tuple[int, Paper]:
        # Most commands print nothing: catalogues and the like are brought in for those that do.
        from gateway.portal.papers import Addressee
        from gateway.portal.printing import as_pdf

        login = await _login(desk, person)
        institution = desk.table().institutions.get(login.institution)
        name = login.institution if institution is None else institution.name.in_(login.language)
        to = Addressee(login.language, person, login.name, name)
        paper, record = (_card if kind is Kind.CODE_CARD else _letter)(desk, to, by)
        with PaperFile(pdf, lambda: as_pdf(paper, desk.now)):
            return await record(), paper

    record, paper = at_desk(work, config, acts=True, as_json=as_json)
    result: dict[str, object] = {"credential": record, "user_id": person}
    if pdf is not None:
        said = f"credential {record} of {person} added; print {pdf} and delete it"
        done(said, {**result, "pdf": str(pdf)}, as_json=as_json)
        return
    codes = {str(number): code for row in paper.rows for number, code in row}
    done(paper.as_text(), {**result, **({"code": paper.code} if paper.code else {"codes": codes})}, as_json=as_json)


Recording = Callable[[], Awaitable[int]]


def _card(desk: Desk, to: Addressee, by: By) -> tuple[Paper, Recording]:
    """The card on paper, and what records it."""
    from gateway.portal.papers import card_paper

    codes = code_card.make_codes(secrets.token_bytes(code_card.CARD_BYTES))
    salts = [secrets.token_bytes(SALT_BYTES) for _ in codes]
    stored = code_card.hash_card(desk.records.pepper, to.user_id, codes, salts)
    record = partial(desk.records.set_code_card, to.user_id, stored, by, desk.now, desk.before_commit)
    return card_paper(to, codes, desk.now), record


def _letter(desk: Desk, to: Addressee, by: By) -> tuple[Paper, Recording]:
    from gateway.portal.papers import letter_paper

    code = activation.make_code(secrets.token_bytes(activation.CODE_BYTES))
    hashed = activation.hash_code(desk.records.pepper, to.user_id, code, secrets.token_bytes(SALT_BYTES))
    record = partial(desk.records.set_activation, to.user_id, hashed, by, desk.now, desk.before_commit)
    return letter_paper(to, code, desk.now + activation.LIFETIME_SECONDS, _portal(desk)), record


def _portal(desk: Desk) -> str:
    from gateway.portal.settings import PortalSettings

    port = desk.settings.listeners_of(Channel.USER)[0].public_port
    return PortalSettings.of(desk.settings, port).address


async def _login(desk: Desk, person: str) -> Login:
    login = await desk.records.find_login(person)
    if login is None:
        raise Conflict(f"user ID {person} does not exist; see `gateway user-id list`")
    return login


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
