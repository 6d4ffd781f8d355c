"""`gateway records`: the database itself. Its schema, backups, and whether all is well with it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.acting import SHELL, Desk, ReasonOption, at_desk, write_line
from gateway.cli.output import ANSWER_IS_NO, ConfigOption, JsonOption, Moment, done, for_programs, reporting
from gateway.ledger import CliLedger
from gateway.policy.settings import load_settings
from gateway.records import Backup, By, Restoring, downgrade_schema, restore, upgrade_schema
from gateway.records.upgrade import REVISIONS

records_app = typer.Typer(help="The database of persons, designations and sessions.", no_args_is_help=True)

BackupArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


@records_app.command("upgrade")
def upgrade(
    to: Annotated[str, typer.Option("--to", metavar="REVISION", help="Not further than this one.")] = REVISIONS[-1],
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Make the database, or raise its schema to this version's. Nothing is lost; a failure changes nothing.

    Stop the gateway first: one that runs speaks the old schema.

    Example: gateway records upgrade --config /etc/gateway
    """
    with reporting(as_json=as_json):
        settings = load_settings(config).records_settings
        before, after = upgrade_schema(settings, to)
    said = "has this schema already" if before == after else "has this schema now"
    _moved(f"{settings.database} {said}: {after}", str(settings.database), before, after, as_json=as_json)


@records_app.command("downgrade")
def downgrade(
    to: Annotated[
        str, typer.Option("--to", metavar="REVISION", help="The schema of the older version, or base: none.")
    ],
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Take the schema back to an older version's. Everybody is signed out; no legal record is lost, or nothing is done.

    Stop the gateway first, and take a backup. Then install the older version.

    Example: gateway records downgrade --to 0005
    """
    with reporting(as_json=as_json):
        settings = load_settings(config).records_settings
        before, after = downgrade_schema(settings, to, time.time())
    _moved(
        f"{settings.database} was taken back: {after or 'no schema'}",
        str(settings.database),
        before,
        after,
        as_json=as_json,
    )


def _moved(message: str, database: str, before: str | None, after: str | None, *, as_json: bool) -> None:
    done(message, {"database": database, "before": before, "after": after}, as_json=as_json)


@records_app.command("backup")
def backup(
    file: BackupArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger.")] = "backup",
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Write all records, as they are at one moment, to a new file, while the gateway works. It is read back before it counts.

    Who has the file has the names, numbers and hashes of everybody. It is good for both kinds of database; keep the records key apart.

    Example: gateway records backup /var/backups/gateway/records-$(date +%F).backup
    """

    async def work(desk: Desk) -> Backup:
        return await desk.records.backup(file, By(SHELL, reason), desk.now, desk.before_commit)

    made = at_desk(work, config, acts=True, as_json=as_json)
    done(f"{file}: {sum(made.rows.values())} rows, schema {made.schema}", _told(file, made), as_json=as_json)


@records_app.command("restore")
def restore_(
    file: BackupArgument,
    reason: ReasonOption,
    replace: Annotated[
        bool, typer.Option("--replace", help="In the place of the records that are there; they are kept aside.")
    ] = False,
    key_lost: Annotated[
        bool,
        typer.Option("--key-lost", help="The records key of the backup is gone: believe its checksum alone."),
    ] = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Put a backup back, whole or not at all, into a database without records; of whichever kind that it was made of. Everybody is signed out.

    Stop the gateway first.

    Example: gateway records restore records-2026-11-28.backup --reason "disk lost"
    """
    with reporting(as_json=as_json):
        settings = load_settings(config)
        asked = Restoring(file, By(SHELL, reason), time.time(), replace, key_lost)
        with CliLedger(settings.ledger_settings) as ledger:
            put, kept = asyncio.run(
                restore(settings.records_settings, asked, lambda change: write_line(ledger, change))
            )
    aside = "" if kept is None else f"; what was there is kept: {kept}"
    message = f"{sum(put.rows.values())} rows of {file} are in {settings.records_settings.database}{aside}"
    done(message, {**_told(file, put), "kept": kept}, as_json=as_json)


def _told(file: Path, of: Backup) -> dict[str, object]:
    facts = {"made_at": Moment(of.made_at), "schema": of.schema, "key_id": of.key_id, "sha256": of.sha256}
    return {"file": str(file), **for_programs(facts), "rows": dict(of.rows)}


@records_app.command("check")
def check(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Check the database: schema, what keeps records append-only, references, integrity, and that the records fit each other and the key.

    Exit 1 when anything is found. The gateway may run.

    Example: gateway records check --json
    """

    async def work(desk: Desk) -> list[str]:
        return await desk.records.faults()

    found = at_desk(work, config, acts=False, as_json=as_json)
    done("\n".join(found) or "all is well with the records", {"ok": not found, "faults": found}, as_json=as_json)
    if found:
        raise typer.Exit(ANSWER_IS_NO)
