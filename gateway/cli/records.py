"""`gateway session` and `institution`; and `register`, which adds these and every group that works on the records."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import credentials, database, grants, mandates, persons
from gateway.cli.acting import SHELL, AnyPersonOption, Desk, ReasonOption, at_desk, given, table_that_serves
from gateway.cli.output import (
    WRONG_USE,
    ConfigOption,
    JsonOption,
    Moment,
    Row,
    done,
    fail,
    for_programs,
    reporting,
    show,
)
from gateway.errors import Conflict
from gateway.identifiers import IdentifierError, check_kbo
from gateway.model import Institution, Session
from gateway.policy.settings import load_settings
from gateway.records.index import SAVE_SECONDS

session_app = typer.Typer(help="Who is signed in, and how to end that.", no_args_is_help=True)
institution_app = typer.Typer(help="The institutions of the granted table.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    for name, group in (
        ("person", persons.person_app),
        ("user-id", persons.user_id_app),
        ("credential", credentials.credential_app),
        ("role", grants.role_app),
        ("institution", institution_app),
        ("mandate", mandates.mandate_app),
        ("office", mandates.office_app),
        ("designation", grants.designation_app),
        ("session", session_app),
        ("records", database.records_app),
    ):
        app.add_typer(group, name=name)


@session_app.command("list")
def session_list(
    person: AnyPersonOption = None, config: ConfigOption = Path("config"), as_json: JsonOption = False
) -> None:
    """List the sessions that are alive; with --person also those that ended within a day.

    Last seen is exact to a minute. Card is the thumbprint (SHA-256) of the eID that it hangs on, and when that was last known not to
    be revoked.

    Example: gateway session list --person jansen01
    """

    async def work(desk: Desk) -> list[Row]:
        records = desk.records
        seen = await records.last_seen(person)
        if person is None:
            # Who was idle for too long has no session any more, whatever is written of it.
            idle = desk.settings.sessions.idle + SAVE_SECONDS
            found = [one for one in await records.live_sessions(desk.now) if desk.now - seen.get(one.id, 0.0) < idle]
        else:
            found = await records.sessions_of(person)
        return [_session(session, seen.get(session.id)) for session in found]

    show(at_desk(work, config, acts=False, as_json=as_json), "Nobody is signed in.", as_json=as_json)


def _session(session: Session, last_seen: float | None) -> Row:
    return {
        "session": session.id,
        "user_id": session.user_id,
        "means": session.means.value,
        "since": Moment(session.created_at),
        "authenticated": Moment(session.auth_time),
        "last_seen": Moment(last_seen),
        "client": session.client,
        "provider": session.provider,
        "card": session.certificate,
        "card_checked": Moment(session.certificate_good_at),
        "expires": Moment(session.expires_at),
        "ended": Moment(session.ended_at),
        "ended_reason": session.ended_reason,
    }


@session_app.command("end")
def session_end(
    reason: ReasonOption,
    session: Annotated[str | None, typer.Argument(metavar="[SESSION]", help="As `session list` shows it.")] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="USER_ID", help="Instead: all sessions of this user ID.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Instead: all sessions of everybody.")] = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """End a session, all of a user ID, or all there are, everywhere; what is open ends within a second. Exit 1 when none was alive.

    Examples:
      gateway session end 3f0c…e1 --reason "laptop stolen"
      gateway session end --person jansen01 --reason "laptop stolen"
      gateway session end --all --reason "keys were copied"
    """
    if (session is not None) + (person is not None) + everybody != 1:
        fail("name one session, all of a user ID by --person, or everybody's by --all", WRONG_USE)
    why = given(reason)

    async def work(desk: Desk) -> int:
        if person is not None:
            count = await desk.records.end_sessions_of(person, why, SHELL, desk.before_commit)
        elif everybody:
            count = await desk.records.end_all_sessions(why, SHELL, desk.before_commit)
        else:
            count = int(await desk.records.end_session(session or "", why, SHELL, desk.before_commit))
        if count == 0:
            raise Conflict("no such session is alive; see `gateway session list`")
        return count

    count = at_desk(work, config, acts=True, as_json=as_json)
    done(f"{count} session{'s' if count > 1 else ''} ended", {"ended": count}, as_json=as_json)


@institution_app.command("list")
def institution_list(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """List the institutions of the table.

    Example: gateway institution list --json
    """
    with reporting(as_json=as_json):
        found = table_that_serves(load_settings(config), time.time()).institutions
    rows = [
        {"kbo": kbo, "name": one.name.in_(one.language), "language": one.language} for kbo, one in sorted(found.items())
    ]
    show(rows, "The table has no institution.", as_json=as_json)


@institution_app.command("show")
def institution_show(
    kbo: Annotated[str, typer.Argument(metavar="KBO", help="Its KBO number.")],
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Show one institution, with what it is authorised for.

    Example: gateway institution show 0403019261
    """
    with reporting(as_json=as_json):
        try:
            number = check_kbo(kbo)
        except IdentifierError as error:
            fail(str(error), WRONG_USE, as_json=as_json)
        snapshot = table_that_serves(load_settings(config), time.time())
        one = snapshot.institutions.get(number)
        if one is None:
            raise Conflict(f"institution {number} is not in the table; see `gateway institution list`")
    granted: list[Row] = [
        {
            "authorisation": grant.reference,
            "transaction": grant.transaction,
            "status": grant.status,
            "uses": sorted(use.use.value for use in grant.uses),
            "from": Moment(grant.validity.start),
            "until": Moment(grant.validity.end),
        }
        for grant in sorted(snapshot.by_reference.values(), key=lambda grant: grant.reference)
        if grant.institution == number
    ]
    if as_json:
        done("", {**_institution(one), "authorisations": [for_programs(row) for row in granted]}, as_json=True)
        return
    for key, value in _institution(one).items():
        print(f"{key}: {value}")
    print()
    show(granted, "It is authorised for nothing.", as_json=False)


def _institution(one: Institution) -> dict[str, object]:
    names = {f"name_{language}": one.name.in_(language) for language in ("nl", "fr", "de", "en")}
    contacts = {"helpdesk": one.helpdesk, "ciso": one.ciso, "dpo": one.dpo}
    return {"kbo": one.kbo, **names, "language": one.language, **contacts}
