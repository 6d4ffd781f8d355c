"""`gateway demo`: everything embedded, to try the gateway on a laptop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gateway.cli.logs import configure
from gateway.cli.serve import WorkersOption
from gateway.demo.files import OPERATOR
from gateway.demo.run import Audience, run_demo

MAX_PORT = 65535


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    state: Annotated[
        Path,
        typer.Option("--state", metavar="DIR", help="Where the demo keeps everything; used again at the next start."),
    ] = Path(".demo"),
    offset: Annotated[
        int, typer.Option("--port-offset", min=0, max=MAX_PORT - OPERATOR, metavar="N", help="Add N to every port.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object when it is ready, then stay quiet.")
    ] = False,
    workers: WorkersOption = 1,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="URL", help="Your own application, in place of the demo's first transaction."),
    ] = None,
) -> None:
    """Run a gateway with certificates, people, a security log and an application behind it, all of its own. Ctrl-C stops it.

    The passwords are invented and printed: for trying out, never for service.

    Examples:
      gateway demo
      gateway demo --port-offset 1000 --origin http://127.0.0.1:3000/
    """
    configure(quiet=True)
    audience = Audience(_silent, _as_json) if as_json else Audience(_doing, _for_people)
    try:
        run_demo(state, offset, origin, audience, workers)
    except KeyboardInterrupt:  # before the gateway runs, and takes the signal itself
        raise typer.Exit(0) from None
    if not as_json:
        print("stopped", file=sys.stderr)


def _silent(_: str) -> None:
    """A script reads one line and no more."""


def _doing(what: str) -> None:
    print(f"demo: {what}", file=sys.stderr, flush=True)


def _as_json(facts: dict[str, Any], guide: str) -> None:
    print(json.dumps(facts, ensure_ascii=False), flush=True)


def _for_people(facts: dict[str, Any], guide: str) -> None:
    if not sys.stdout.isatty():
        print("\n".join(_lines(facts, guide)), flush=True)
        return
    console = Console(highlight=False)
    console.print(f"\n[bold]The demo is ready.[/bold] Begin with its guide: [bold cyan]{guide}[/bold cyan]\n")
    addresses = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for what, where in _addresses(facts):
        addresses.add_row(what, where)
    console.print(addresses)
    people = Table(title="People", title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for heading in ("user ID", "password", "story"):
        people.add_column(heading, header_style="dim", no_wrap=heading != "story")
    for person in facts["people"]:
        people.add_row(person["user_id"], person["password"], person["story"] + _code(person))
    console.print()
    console.print(people)
    console.print("\nEvery attempt is a line in the security log:")
    console.print(f"  gateway log tail --follow --config {facts['config']}", soft_wrap=True)
    console.print("Ctrl-C stops the demo.\n", style="dim")


def _lines(facts: dict[str, Any], guide: str) -> list[str]:
    """The same without colours and columns, for a file or a pipe."""
    return [
        f"The demo is ready. Begin with its guide: {guide}",
        *(f"{what}: {where}" for what, where in _addresses(facts)),
        *(
            f"{person['user_id']} / {person['password']}: {person['story']}{_code(person)}"
            for person in facts["people"]
        ),
        f"security log: gateway log tail --follow --config {facts['config']}",
        "Ctrl-C stops the demo.",
    ]


def _code(person: dict[str, Any]) -> str:
    """How to come by the code of somebody who needs one."""
    if "totp_secret" in person:
        return f" Code by app: secret {person['totp_secret']}; the guide shows it."
    if "code_card" in person:
        return " His card is in the guide."
    return f" Her activation code: {person['activation_code']}." if "activation_code" in person else ""


def _addresses(facts: dict[str, Any]) -> list[tuple[str, str]]:
    addresses = facts["addresses"]
    return [
        ("portal", addresses["user"]),
        *((transaction["id"], transaction["url"]) for transaction in facts["transactions"]),
        ("plain HTTP", addresses["plain"]),
        ("operator", addresses["operator"]),
        ("security log", facts["ledger"]),
        ("authority", facts["ca"]),
    ]
