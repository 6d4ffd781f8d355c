"""`gateway table …`: releases of the table: made and signed (`table_making`), and here looked at and compared.

What looks may read a gateway's configuration; nothing changes a gateway that runs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from gateway.cli import table_words as words
from gateway.cli.output import ANSWER_IS_NO, MOST_DAYS, ConfigOption, JsonOption, moment_of
from gateway.cli.replay import check_ledger
from gateway.cli.revealing import AuditorKeyOption, RevealReasonOption, reveal
from gateway.cli.table_making import DAY, merge, new, new_key, rotate_keys, sign
from gateway.decision import Snapshot
from gateway.errors import ConfigurationError
from gateway.ledger.replaying import Report, decisions, replay_lines
from gateway.model import UserRecords
from gateway.policy import signing
from gateway.policy.consequences import consequences
from gateway.policy.container import read_container
from gateway.policy.memory import admit
from gateway.policy.refusals import ReleaseFaulty
from gateway.policy.release import load_release, open_release, open_snapshot
from gateway.policy.settings import Settings, load_settings
from gateway.policy.table import parse_table
from gateway.policy.trust import Verified
from gateway.policy.trust import verify as verify_release
from gateway.records.database import Database
from gateway.records.loading import read_users
from gateway.records.schema import user_ids
from gateway.records.upgrade import check_schema

LEDGER_DAYS = 30.0


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Releases of the table: make, sign, look at, compare.")
    for name, command in (
        ("new-key", new_key),
        ("rotate-keys", rotate_keys),
        ("new", new),
        ("sign", sign),
        ("merge", merge),
        ("verify", verify),
        ("show", show),
        ("diff", diff),
    ):
        group.command(name)(command)
    app.add_typer(group, name="table")


def verify(
    release: Annotated[
        Path | None,
        typer.Argument(
            metavar="RELEASE", help="An archive (.tar) or a directory; default: table.release of the configuration."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", metavar="FILE", help="The root that is trusted; default: table.root of the configuration."
        ),
    ] = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Tell whether a gateway would take a release: signatures, numbers, dates, and every file of the table. Exit 1 when not.

    With --root only the release itself is judged; else also what this gateway has seen before, and its settings.

    Examples:
      gateway table verify release-12.tar --root root.json
      gateway table verify release-12.tar --config /etc/gateway
    """
    with words.saying(as_json=as_json):
        now = time.time()
        if root is not None:
            if release is None:
                raise ConfigurationError("name the release that shall be verified")
            verified = verify_release(read_container(release), root.read_bytes())
            admit(verified, None, now)
            if faults := parse_table(verified.files)[1]:
                raise ReleaseFaulty(faults)
        else:
            settings = load_settings(config)
            path = release or _published(settings)
            found = None if settings.table.unsafe_unsigned else open_release(path, settings, now).signed
            if found is None:
                raise ConfigurationError("table.unsafe_unsigned is true, by which nothing is verified: name a --root")
            verified = found.verified
    words.tell_verified(verified, now, as_json=as_json)


def show(
    release: Annotated[
        Path | None,
        typer.Argument(
            metavar="RELEASE", help="An archive (.tar) or a directory; default: what the configuration serves."
        ),
    ] = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Tell which release it is, from when until when, and who signed it; of one that is not finished, what is missing.

    Of a RELEASE the signatures are judged by the roots in it: whether a gateway trusts those says `gateway table verify`.

    Examples:
      gateway table show release-12
      gateway table show --config /etc/gateway
    """
    with words.saying(as_json=as_json):
        if release is not None:
            container = read_container(release)
            words.tell_pieces(release, container, signing.pieces(container), as_json=as_json)
            return
        now = time.time()
        loaded = load_release(load_settings(config), now)
        served: list[Verified] = [one.signed.verified for one in (loaded, loaded.waiting) if one and one.signed]
        words.tell_served(loaded.hash, served, now, as_json=as_json)


def _published(settings: Settings) -> Path:
    if settings.table.release is None:
        raise ConfigurationError("the configuration names no release (table.release): name one")
    return settings.table.release


# --- consequences ---------------------------------------------------------------------------------------------------------


def diff(
    old: Annotated[
        Path,
        typer.Argument(metavar="OLD", help="A release, a directory of table files, or a kept release (HASH.json)."),
    ],
    new_: Annotated[Path, typer.Argument(metavar="NEW", help="Likewise.")],
    records: Annotated[
        bool,
        typer.Option("--records/--no-records", help="Tell also who loses or gains access, by the gateway's records."),
    ] = True,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="The moment that is compared; default: now, or when NEW begins."),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            "--ledger", metavar="DIR", help="Tell also which requests in this ledger NEW would decide otherwise."
        ),
    ] = None,
    ledger_days: Annotated[
        float,
        typer.Option("--days", min=0, max=MOST_DAYS, help="How many days of the ledger are looked at; the last ones."),
    ] = LEDGER_DAYS,
    auditor_key: AuditorKeyOption = None,
    reason: RevealReasonOption = "",
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Tell what NEW would change against OLD: authorisations that begin, end or change, user IDs that lose or gain access, designations
    that need the head official's review; with --ledger, requests of the last days that would get another verdict.
    Exit 0 when nothing, 1 when something.

    Of persons their user IDs are told; names only with the auditor's key and a reason, which are a line of the ledger first.

    Examples:
      gateway table diff state/releases/abe9….json release-12.tar --config /etc/gateway
      gateway table diff release-11.tar config --no-records
      gateway table diff release-11.tar release-12 --ledger state/ledger --days 7
      gateway table diff release-11.tar release-12 --auditor-key auditor-person-private.pem --reason "review of release 12"
    """
    with words.saying(as_json=as_json):
        if auditor_key is not None and not records:
            raise ConfigurationError(
                "--auditor-key tells whose user IDs those are, and --no-records that there are none"
            )
        settings = load_settings(config)
        moment = moment_of(at)
        before, _ = open_snapshot(old, settings)
        after, begins = open_snapshot(new_, settings)
        if at is None:
            moment = max(moment, begins)
        users = asyncio.run(_everybody(settings)) if records else []
        found = consequences(before, after, users, moment)
        names = None
        if auditor_key is not None:
            reveal(settings, auditor_key, reason, "table diff reveal", {"old": before.hash, "new": after.hash})
            names = {user.user_id: user.name for user in users}
        if ledger is not None:
            check_ledger(ledger, settings)
        requests = None if ledger is None else _requests(ledger, ledger_days, after)
    words.tell_consequences(found, moment, requests, with_persons=records, names=names, as_json=as_json)
    if found.altered or found.persons or found.reviews or (requests is not None and requests.differences):
        raise typer.Exit(ANSWER_IS_NO)


def _requests(ledger: Path, days: float, after: Snapshot) -> Report:
    """What the requests of the last days would have got."""
    since = dt.datetime.fromtimestamp(time.time() - days * DAY, dt.UTC)
    return replay_lines(decisions(ledger, f"{since:%Y-%m-%dT%H:%M:%S}"), lambda _: after)


async def _everybody(settings: Settings) -> list[UserRecords]:
    database = Database(settings.records_settings)
    try:
        await check_schema(database)
        async with database.reading() as connection:
            keys = (await connection.scalars(sa.select(user_ids.c.user_id).distinct())).all()
            users = await read_users(connection, keys, settings.records_settings.rules)
    finally:
        await database.close()
    return [user for user in users.values() if user is not None]
