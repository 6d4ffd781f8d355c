"""`gateway serve`: run the gateway in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import structlog
import typer

from gateway import app as gateway
from gateway.cli.logs import configure
from gateway.cli.output import ConfigOption
from gateway.policy.settings import MAX_WORKERS

WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers", min=1, max=MAX_WORKERS, metavar="N", help="Processes that serve: one for each core of the machine."
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    config: ConfigOption = Path("config"),
    workers: WorkersOption = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON lines on a terminal too.")] = False,
) -> None:
    """Run the gateway in the foreground. SIGHUP (or `gateway reload`) loads a changed table; SIGTERM or Ctrl-C stops it in order,
    a second one at once.

    Example: gateway serve --config /etc/gateway --workers 2
    """
    configure(as_json=as_json)
    gateway.serve(
        gateway.prepare(config, workers), lambda: structlog.get_logger("gateway").info("ready", workers=workers)
    )
