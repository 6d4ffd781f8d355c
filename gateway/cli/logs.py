"""The operational log: on stderr, for the people who run the machine. No persons; a request is named by its id (DESIGN section 8).

The security log is the ledger's, and another thing.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, quiet: bool = False, as_json: bool = False) -> None:
    """Readable lines on a terminal, JSON elsewhere or where `as_json` asks for it. `quiet` keeps warnings and worse only."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # which worker speaks, when there are several
        structlog.processors.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
    ]
    if sys.stderr.isatty() and not as_json:
        shared[-1:] = [structlog.dev.ConsoleRenderer()]
    else:
        shared.append(structlog.processors.JSONRenderer())
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
