"""The `gateway` command. One module a group; this one assembles them and turns our errors into one readable line.

Exit codes (DESIGN section 7): 0 done, 1 the answer is no, 2 wrong use or a gateway that cannot start.
"""

from __future__ import annotations

import sys

import typer

from gateway.errors import GatewayError

WRONG_USE = 2


def build() -> typer.Typer:
    """The whole command tree."""
    from gateway.cli import certs, check, demo, explain, init, log, records, serve

    app = typer.Typer(
        name="gateway",
        help="An HTTPS gateway to individual transactions of the KSZ: one authorisation, one institution, named persons.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
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
        build()()
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        raise SystemExit(WRONG_USE) from None
