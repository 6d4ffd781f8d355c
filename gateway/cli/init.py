"""`gateway init`: a commented configuration that works, with keys of its own."""

from __future__ import annotations

import json
import os
import shutil
import time
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.check import examine_all
from gateway.cli.output import JsonOption
from gateway.errors import ConfigurationError
from gateway.ledger.keys import make_keys
from gateway.policy.making import make_missing_keys, write_new
from gateway.policy.settings import Settings, SettingsError, load_settings
from gateway.records.server import Server
from gateway.records.upgrade import upgrade_schema

AUDITOR_DIRECTORY = "auditor"
"""Where the auditor's private keys are made: they belong to the auditor, on no machine of the gateway."""


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory that is empty or does not exist.")],
    keys: Annotated[
        bool,
        typer.Option("--keys", help="Make what is missing in an existing configuration: keys, certificates, database."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented configuration that works, with keys, a laptop's certificates and an empty database.

    Nothing that exists is overwritten. Edit it, then run `gateway check` and `gateway serve` on it.

    Examples:
      gateway init /etc/gateway
      gateway init --keys config        (a clone's config/ holds no keys)
    """
    now = time.time()
    made = make_missing(directory, load_settings(directory), now) if keys else make_configuration(directory, now)
    if as_json:
        print(json.dumps({"config": str(directory), "made": [str(path) for path in made]}))
        return
    for path in made:
        print(f"made {directory / path}")
    private = directory / AUDITOR_DIRECTORY
    if any(path.parts[0] == AUDITOR_DIRECTORY for path in made):
        print(
            f"Give the keys in {private} to the auditor and take them off this machine: they reveal whom the log is about."
        )
    if not keys:
        print(f"Next: gateway check --config {directory}, then gateway serve --config {directory}")


def make_configuration(directory: Path, now: float) -> list[Path]:
    """Make a whole configuration beside `directory`, check it, and give it its name. `now` is Unix seconds.

    Gives what was made, relative to `directory`. Raises ConfigurationError when `directory` holds something already.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigurationError(
            f"{directory} is not empty: name another directory, or use --keys to make only what is missing"
        )
    directory = directory.absolute()
    draft = directory.with_name(f".{directory.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        _copy(resources.files("gateway.policy") / "example", draft)
        made = make_missing(draft, load_settings(draft), now)
        if faults := examine_all(draft, now).faults:
            raise SettingsError(faults)
        draft.chmod(0o755)
        draft.replace(directory)
    except OSError as error:
        raise ConfigurationError(
            f"{directory} cannot be made ({error.strerror}): name a place that you can write to"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made


def make_missing(directory: Path, settings: Settings, now: float) -> list[Path]:
    """Make the keys, certificates and database that `settings` name and that are not there. Gives what was made."""
    made = make_missing_keys(settings, now)
    ledger = settings.ledger
    if not ledger.auditor_public_key.exists() and not ledger.pseudonym_key.exists():
        keys = make_keys(ledger.auditor_public_key, ledger.pseudonym_key, settings.directory / AUDITOR_DIRECTORY)
        made += [keys.auditor_public, keys.pseudonym, *keys.auditor_private]
    records = settings.records_settings
    if not isinstance(records.database, Server) and not records.path.exists():
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        upgrade_schema(records)
        made.append(records.path)
    base = directory.absolute()
    return [path.relative_to(base) if path.is_relative_to(base) else path for path in made]


def _copy(source: Traversable, target: Path) -> None:
    for entry in source.iterdir():
        path = target / entry.name
        if entry.is_dir():
            path.mkdir()
            _copy(entry, path)
        else:
            write_new(path, entry.read_bytes(), 0o644)
