"""What the ledger is told by the configuration (`[ledger]`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.ledger.flood import FLOOD_RATE
from gateway.ledger.journal import WRITE_DEADLINE_SECONDS

SEGMENT_BYTES = 64 * 1024 * 1024
"""Read whole at a start after a crash: about half a second."""
RESERVE_BYTES = 256 * 1024 * 1024
"""About 200,000 permits."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the ledger is and how it is written.

    `reserve_bytes` is kept for permits: below it, unauthenticated refusals and connections are refused space; the alarm comes at
    twice as much. On a small file system both shrink with it (`Ledger`). `flood_rate` is refusals a second of one client network.
    """

    directory: Path
    auditor_public_key: Path
    pseudonym_key: Path
    write_deadline_seconds: float = WRITE_DEADLINE_SECONDS
    segment_bytes: int = SEGMENT_BYTES
    reserve_bytes: int = RESERVE_BYTES
    flood_rate: int = FLOOD_RATE
