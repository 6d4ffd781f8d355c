"""`gateway shadow`: a release of the table beside the running one, which decides everything once more without any effect."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.app.shadow import Loaded, read_loaded, read_report, shadow_directory, stop, write_loaded
from gateway.cli.acting import SHELL
from gateway.cli.check import RELOAD_SECONDS, ask_to_reload, print_faults
from gateway.cli.output import ANSWER_IS_NO, WRONG_USE, ConfigOption, JsonOption, Moment, done, fail, reporting, show
from gateway.cli.replay import as_object, rows
from gateway.errors import ConfigurationError, TableError
from gateway.ledger import CliLedger
from gateway.ledger.record import administration_record
from gateway.policy.container import SUFFIX
from gateway.policy.making import write_over
from gateway.policy.release import open_release
from gateway.policy.settings import Settings, load_settings

group = typer.Typer(no_args_is_help=True, help="A release of the table beside the running one, without effect.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="shadow")


@group.command("load")
def load(
    release: Annotated[
        Path,
        typer.Argument(
            metavar="RELEASE",
            help="A signed release; where table.unsafe_unsigned is true, a directory of the table's files.",
        ),
    ],
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Let the gateway decide every request by this release too, from the next second on. Nobody feels it: differences are counted, and
    nothing else is done. It is verified like one that shall serve; its day may lie ahead. Exit 1 when it is refused.

    Example: gateway shadow load release-12.tar && sleep 86400 && gateway shadow report
    """
    with reporting(as_json=as_json):
        settings, now = load_settings(config), time.time()
        try:
            found = open_release(release, settings, now)
        except TableError as error:
            print_faults([fault.as_dict() for fault in error.faults])
            fail("refused; nothing was changed", ANSWER_IS_NO, as_json=as_json)
        loaded = Loaded.of(found, now)
        _line(settings, "shadow load", loaded)
        with _files():
            write_loaded(shadow_directory(settings), loaded, found)
    done(f"beside the running table, without effect: {loaded.table}", _told(loaded), as_json=as_json)


@group.command("report")
def report(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Tell what the shadow would have decided otherwise, grouped. Exit 0: nothing; 1: there are differences; 2: there is no shadow.

    Persons are counted by pseudonyms; `gateway log tail --reference REFERENCE` finds an example's line.

    Example: gateway shadow report
    """
    with reporting(as_json=as_json):
        settings = load_settings(config)
        loaded = _there(settings)
        with _files():
            found = read_report(shadow_directory(settings), loaded)
    if as_json:
        print(json.dumps({**_told(loaded), **as_object(found)}))
    else:
        failed = found.not_replayable.total()
        print(f"shadow {loaded.table}\nsince {Moment(loaded.since).written(brief=True)}")
        print(
            f"{found.decisions} decisions: {found.same} the same, {found.differences} different, {failed} not decided"
        )
        if found.different:
            show(rows(found), "", as_json=False)
        for what, count in found.not_replayable.most_common():
            print(f"{count}: {what}")
    if found.differences or found.not_replayable:
        raise typer.Exit(ANSWER_IS_NO)


@group.command("promote")
def promote(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Publish the shadow as the release that shall serve: put in the place that `table.release` names, and taken by a reload that verifies it
    anew, as any other. Exit 1 when the gateway refuses it; then the shadow stays.

    Example: gateway shadow promote
    """
    with reporting(as_json=as_json):
        settings = load_settings(config)
        loaded = _there(settings)
        place = settings.table.release
        if place is None or not loaded.signed:
            fail(
                "nobody signed this shadow: change the table's files, and run `gateway reload`",
                WRONG_USE,
                as_json=as_json,
            )
        if place.is_dir():
            fail(f"{place}: table.release names a directory; publish the release there", WRONG_USE, as_json=as_json)
        archive = shadow_directory(settings) / f"{loaded.signed}{SUFFIX}"
        try:
            open_release(archive, settings, time.time())
        except TableError as error:
            print_faults([fault.as_dict() for fault in error.faults])
            fail("refused; nothing was changed", ANSWER_IS_NO, as_json=as_json)
        _line(settings, "shadow promote", loaded)
        with _files():
            write_over(place, archive.read_bytes(), 0o644)
        try:
            outcome = ask_to_reload(settings, RELOAD_SECONDS, os.kill)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the release is published ({place}), to be taken at a start or a reload, and the shadow stays; but {error}"
            ) from None
        if not outcome["ok"]:
            print_faults(outcome["faults"])
            fail("published, and refused; the gateway goes on with its table", ANSWER_IS_NO, as_json=as_json)
        with _files():
            stop(shadow_directory(settings))
    later = " when it begins" if outcome.get("waiting") else ""
    done(f"the shadow was taken as the release that serves{later}", _told(loaded), as_json=as_json)


@group.command("stop")
def end(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Compare no more, and forget the release and what was found.

    Example: gateway shadow stop
    """
    with reporting(as_json=as_json):
        settings = load_settings(config)
        loaded = _there(settings)
        _line(settings, "shadow stop", loaded)
        with _files():
            stop(shadow_directory(settings))
    done("the shadow was stopped", _told(loaded), as_json=as_json)


def _there(settings: Settings) -> Loaded:
    with _files():
        loaded = read_loaded(shadow_directory(settings))
    if loaded is None:
        raise ConfigurationError("there is no shadow: gateway shadow load RELEASE")
    return loaded


@contextmanager
def _files() -> Iterator[None]:
    """Turns what the disk says into one line."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"the shadow's files cannot be read ({error}): gateway shadow load RELEASE") from None


def _line(settings: Settings, act: str, loaded: Loaded) -> None:
    """The act's line, before it is done (clause T1). Raises LedgerError."""
    with CliLedger(settings.ledger_settings) as ledger:
        told = {"table": loaded.table, "release": loaded.number or None}
        ledger.write(administration_record(ledger.references(), act=act, actor=SHELL, objects=told))


def _told(loaded: Loaded) -> dict[str, object]:
    since = Moment(loaded.since).written()
    return {"table": loaded.table, "release": loaded.number or None, "since": since}
