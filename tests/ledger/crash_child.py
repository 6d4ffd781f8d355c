"""A gateway's ledger under load, to be killed: prints the number of each line once its caller was told that it is durable."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvloop

from gateway.errors import LedgerError
from gateway.ledger import Ledger, LedgerSettings

WAITERS = 64


async def main(directory: Path, keys: Path, first: int) -> None:
    settings = LedgerSettings(
        directory, keys / "auditor.pem", keys / "pseudonym.toml", segment_bytes=200_000, reserve_bytes=0
    )
    ledger = Ledger.open(settings, 0, asyncio.get_running_loop())
    number = first

    def load(told: int | None = None, error: LedgerError | None = None) -> None:
        nonlocal number
        if error is not None:
            raise error
        if told is not None:
            os.write(1, b"%d\n" % told)
        mine, number = number, number + 1
        record = {"kind": "decision", "id": ledger.references(), "number": mine, "padding": "x" * (mine % 700)}
        ledger.user.append(record, lambda error: load(mine, error))

    for _ in range(WAITERS):
        load()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
