"""The `gateway` command. One module a group; this one assembles them and turns our errors into one readable line.

Exit codes (DESIGN section 7): 0 done, 1 the answer is no, 2 wrong use or a gateway that cannot start.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway import __version__
from gateway.errors import GatewayError

WRONG_USE = 2


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"gateway {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Tell the version and exit.", callback=_tell_version, is_eager=True)
]


def everything(version: VersionOption = False) -> None:
    """An HTTPS gateway to individual transactions of the KSZ: one authorisation, one institution, named persons.

    Begin with: gateway demo, or gateway init DIR.
    """


def build() -> typer.Typer:
    """The whole command tree."""
    from gateway.cli import certs, check, demo, explain, init, log, records, serve

    app = typer.Typer(
        name="gateway",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(everything)
    app.command()(serve.serve)
    for module in (init, check, demo, explain):
        module.register(app)
    app.add_typer(log.app, name="log")
    app.add_typer(certs.app, name="certs")
    records.register(app)
    return app


def main() -> None:
    """Entry point of the `gateway` command."""
    try:
        build()(prog_name="gateway")
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        raise SystemExit(WRONG_USE) from None
