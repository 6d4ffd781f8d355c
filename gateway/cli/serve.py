"""`gateway serve`: run the gateway in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.app import serve as run_gateway
from gateway.cli.logs import configure
from gateway.cli.output import ConfigOption


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    config: ConfigOption = Path("config"),
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON lines on a terminal too.")] = False,
) -> None:
    """Run the gateway in the foreground. SIGHUP (or `gateway reload`) loads a changed table; SIGTERM or Ctrl-C stops it in order.

    Example: gateway serve --config /etc/gateway
    """
    configure(as_json=as_json)
    run_gateway(config)
