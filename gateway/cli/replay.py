"""`gateway replay`: the decisions of a ledger made again, by the releases that they were made by or by another one."""

from __future__ import annotations

import datetime as dt
import sys
import time
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from gateway.cli.output import ANSWER_IS_NO, MOST_DAYS, WRONG_USE, ConfigOption, JsonOption, fail, reporting, show
from gateway.decision import Snapshot
from gateway.errors import ConfigurationError, TableError
from gateway.ledger.reference import format_reference
from gateway.ledger.replaying import Group, Key, Report, decisions, replay_lines
from gateway.ledger.segments import find_segments
from gateway.policy.release import load_kept, open_snapshot
from gateway.policy.settings import SETTINGS_FILE, Settings, load_settings

DAY_SECONDS = 86_400.0


def register(app: typer.Typer) -> None:
    app.command("replay")(replay_command)


def replay_command(
    ledgers: Annotated[
        list[Path] | None, typer.Argument(metavar="LEDGER…", help="Ledgers' directories; default: the configured one.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="TABLE",
            help="By this table: a configuration directory, a release (an archive or a directory), or a kept one (HASH.json).",
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", help="Only the last so many days.", min=0, max=MOST_DAYS)
    ] = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Make every decision of a ledger again, by the gateway's own checks.

    Without --table each line is decided by the release that it was decided by (kept by its hash in table.releases): every verdict must be
    the same, and a difference is a bug. With --table it is what that table would have said. A line that does not hold what the
    table asks for is not replayable; nothing is guessed.

    Exit 0: no difference. 1: there are some, or there were decisions and none was replayable. 2: wrong use.

    Examples:
      gateway replay
      gateway replay /var/backups/ledger --table /srv/next-table --days 30
      gateway replay --table release-12.tar
    """
    with reporting(as_json=as_json):
        settings = load_settings(config)
        if table is None:
            find = cache(lambda digest: _kept(settings.table.releases, digest))
        else:
            other = load_settings(table) if (table / SETTINGS_FILE).exists() else settings
            proposed, _ = open_snapshot(table, other)
            find = cache(lambda digest: proposed)
        since = (
            ""
            if days is None
            else f"{dt.datetime.fromtimestamp(time.time() - days * DAY_SECONDS, dt.UTC):%Y-%m-%dT%H:%M:%S}"
        )
        directories = ledgers or [settings.ledger.directory]
        for directory in directories:
            check_ledger(directory, settings)
        try:
            report = replay_lines(chain.from_iterable(decisions(each, since) for each in directories), find)
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}", WRONG_USE, as_json=as_json)
    if as_json:
        sys.stdout.write(orjson.dumps(as_object(report)).decode() + "\n")
    else:
        tell(report, "by this table" if table else "by the releases they were made by")
    if report.differences or report.not_replayable.total() == report.decisions > 0:
        raise typer.Exit(ANSWER_IS_NO)


def check_ledger(directory: Path, settings: Settings) -> None:
    """Raises ConfigurationError where no ledger lies: a wrong path is no ledger without a difference. Only the gateway's own may have no
    line yet."""
    own = settings.ledger.directory
    if not directory.is_dir() or not (find_segments(directory) or directory.resolve() == own.resolve()):
        raise ConfigurationError(f"{directory}: this is no ledger's directory; the gateway's own is {own}")


def _kept(directory: Path, digest: str) -> Snapshot | None:
    try:
        return load_kept(directory, digest)
    except TableError:
        return None


def as_object(report: Report) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "decisions": report.decisions,
        "same": report.same,
        "different": report.differences,
        "not_replayable": dict(report.not_replayable.most_common()),
        "groups": [
            {
                "institution": institution or None,
                "transaction": transaction or None,
                "use": use or None,
                "then": then,
                "now": now,
                "count": group.count,
                "persons": len(group.persons),
                "examples": [format_reference(each) for each in group.examples],
            }
            for (institution, transaction, use, then, now), group in _sorted(report)
        ],
    }


def tell(report: Report, how: str) -> None:
    """The same for people."""
    console = Console(highlight=False, soft_wrap=True)
    missing = report.not_replayable.total()
    console.print(
        f"{report.decisions} decisions again, {how}: {report.same} the same, {report.differences} different, "
        f"{missing} not replayable",
        markup=False,
    )
    if report.different:
        show(rows(report), "", as_json=False)
    for what, count in report.not_replayable.most_common():
        console.print(f"not replayable, {count}: the line does not hold {what}", markup=False)


def rows(report: Report) -> list[dict[str, object]]:
    """The differences, as a table has them: the most frequent first."""
    return [_row(key, group) for key, group in _sorted(report)]


def _row(key: Key, group: Group) -> dict[str, object]:
    institution, transaction, use, then, now = (word or "-" for word in key)
    where = {"institution": institution, "transaction": transaction, "use": use, "then": then, "now": now}
    example = format_reference(group.examples[0])
    return {**where, "decisions": group.count, "persons": len(group.persons), "for example": example}


def _sorted(report: Report) -> list[tuple[Key, Group]]:
    return sorted(report.different.items(), key=lambda item: (-item[1].count, item[0]))
