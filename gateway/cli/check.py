"""`gateway check` and `gateway reload`: is the configuration good, and let the running gateway take it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from gateway.cli.output import ConfigOption, JsonOption, Moment
from gateway.errors import ConfigurationError, Fault
from gateway.ledger.keys import load_keys
from gateway.policy.examine import Examined, examine
from gateway.policy.settings import Settings, load_settings

RELOAD_SECONDS = 10.0
"""How long a running gateway may take to check a table: 10,000 files take about 5 s."""
_POLL_SECONDS = 0.05


def register(app: typer.Typer) -> None:
    app.command()(check)
    app.command()(reload)


def check(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Check settings, keys, certificates and table; print every fault and exit 1, or a summary and exit 0.

    Nothing is changed, and a gateway that runs is not told: that is `gateway reload`.

    Example: gateway check --config /etc/gateway
    """
    examined = examine_all(config, time.time())
    if as_json:
        print(json.dumps(_as_dict(examined), ensure_ascii=False))
    else:
        _print(config, examined)
    if examined.faults:
        raise typer.Exit(1)


def examine_all(config: Path, now: float) -> Examined:
    """`policy.examine`, and what only the ledger knows of its keys."""
    examined = examine(config, now)
    settings = examined.settings
    if settings is not None and not examined.faults:
        ledger = settings.ledger
        try:
            load_keys(ledger.auditor_public_key, ledger.pseudonym_key)
        except ConfigurationError as error:
            what, _, mend = str(error).partition(". ")
            examined.faults.append(Fault("gateway.toml", "ledger", what, mend or "Restore the file from a backup"))
            examined.release = None
    return examined


def _as_dict(examined: Examined) -> dict[str, Any]:
    return {
        "ok": not examined.faults,
        "hash": None if examined.release is None else examined.release.hash,
        "counts": _counts(examined),
        "faults": [fault.as_dict() for fault in examined.faults],
        "warnings": examined.warnings,
    }


def _counts(examined: Examined) -> dict[str, int]:
    if examined.release is None:
        return {}
    snapshot = examined.release.snapshot
    return {
        "institutions": len(snapshot.institutions),
        "transactions": len(snapshot.transactions),
        "authorisations": len(snapshot.by_reference),
        "roles": sum(map(len, snapshot.roles.values())),
        "regulations": len(snapshot.regulations),
    }


def _print(config: Path, examined: Examined) -> None:
    print_faults([fault.as_dict() for fault in examined.faults])
    for warning in examined.warnings:
        print(f"warning: {warning}")
    if examined.release is None:
        print(f"{config}: {_number(len(examined.faults), 'fault')}", file=sys.stderr)
        return
    counts = ", ".join(_number(count, kind[:-1]) for kind, count in _counts(examined).items())
    print(f"{config}: good\n{counts}\ntable {examined.release.hash}")
    if examined.release.signed is not None:
        print(f"release {examined.release.snapshot.release}; by whom and until when: gateway table show")


def print_faults(faults: list[dict[str, str]]) -> None:
    """On standard error, one fault a paragraph: where, what, what to do."""
    for fault in faults:
        place = ": ".join(part for part in (fault["file"], fault["where"]) if part)
        print(f"{place}\n    {fault['what']}\n    {fault['do']}", file=sys.stderr)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def reload(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Let the running gateway load the changed table and certificates: checked whole, then swapped. Exit 1 when it refuses.

    A refused table changes nothing: the gateway goes on with the one it runs.

    Example: gateway check && gateway reload
    """
    settings = load_settings(config)
    outcome = ask_to_reload(settings, RELOAD_SECONDS, os.kill)
    if as_json:
        print(json.dumps(outcome, ensure_ascii=False))
    elif outcome["ok"]:
        print(f"loaded\ntable {outcome['hash']}")
        if later := outcome.get("waiting"):
            print(f"release {later['release']:.0f} is good, and begins {Moment(later['from']).written(brief=True)}")
        if waiting := outcome.get("restart_for"):
            print(f"warning: changed, but taken only at the next start: {', '.join(waiting)}", file=sys.stderr)
    else:
        print_faults(outcome["faults"])
        running = outcome["hash"]
        stays = (
            f"the gateway goes on with table {running}"
            if running
            else "the gateway has no table, and refuses everybody"
        )
        print(f"refused; {stays}", file=sys.stderr)
    if not outcome["ok"]:
        raise typer.Exit(1)


def ask_to_reload(settings: Settings, seconds: float, kill: Callable[[int, int], None]) -> dict[str, Any]:
    """Send SIGHUP to the gateway of this configuration and wait for its answer.

    Raises ConfigurationError when none runs, or none answers in `seconds`.
    """
    process = _running(settings.pid_file)
    before = _version(settings.reload_file)
    try:
        kill(process, signal.SIGHUP)
    except PermissionError:
        raise ConfigurationError(
            f"process {process} is another user's: run this as the user of the service, or: systemctl reload gateway"
        ) from None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _version(settings.reload_file) != before:
            outcome: dict[str, Any] = json.loads(settings.reload_file.read_bytes())
            return outcome
        time.sleep(_POLL_SECONDS)
    raise ConfigurationError(
        f"process {process} did not say within {seconds:g} s how the reload went; see its log on stderr"
    )


def _running(pid_file: Path) -> int:
    """The gateway's process. A number left behind by a crash may be another program's by now: it is not signalled."""
    try:
        process = int(pid_file.read_text("ascii"))
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except (OSError, ValueError):
        command, process = b"", 0
    if b"gateway" not in command:
        raise ConfigurationError(f"no gateway runs with this configuration ({pid_file}): start it with `gateway serve`")
    return process


def _version(path: Path) -> tuple[int, int] | None:
    """Which version of a file is there: each is written whole and renamed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
