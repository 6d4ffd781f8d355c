"""`gateway serve`: run the gateway in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.app import serve as run_gateway
from gateway.cli.logs import configure


def serve(
    config: Annotated[Path, typer.Option("--config", help="The configuration directory.", show_default=True)] = Path("config"),
) -> None:
    """Run the gateway in the foreground. SIGHUP (or `gateway reload`) loads a changed table; SIGTERM or Ctrl-C stops it in order.

    Example: gateway serve --config /etc/gateway
    """
    configure()
    run_gateway(config)
