"""How many lines a second one stream makes durable, and what a line costs in CPU time, on the disk of a directory.

    python -m bench.ledger_throughput [DIRECTORY]

The lines are the permits of tests/ledger/samples.py. One waiter is the latency of one durable line; 64 are a busy gateway.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from gateway.decision import REASONS
from gateway.errors import LedgerError
from gateway.ledger.journal import Stream
from gateway.ledger.lifecycle import start_record, stop_record
from gateway.ledger.line import Record, compose, leaf, serialise
from gateway.ledger.record import completion_record, decision_record
from gateway.ledger.reference import ReferenceSource
from gateway.ledger.writer import Writer
from tests.ledger import samples

SEGMENT_BYTES = 64 * 1024 * 1024
RUNS = ((1, 4_000), (8, 20_000), (64, 60_000))

references = ReferenceSource()


def decision() -> Record:
    return decision_record(
        references(),
        samples.FACTS,
        samples.PERMIT,
        samples.SNAPSHOT,
        client=samples.CLIENT,
        user=samples.USER,
        user_agent=samples.BROWSER,
    )


def completion() -> Record:
    return completion_record(
        samples.REFERENCE,
        REASONS["completed"],
        client=samples.CLIENT,
        user=samples.USER,
        status=200,
        request_bytes=0,
        response_bytes=1234,
        seconds=0.0123,
        first_byte_seconds=0.01,
    )


async def throughput(directory: Path, waiters: int, lines: int) -> None:
    stream = Stream(Writer(directory, f"user-{waiters}", SEGMENT_BYTES), asyncio.get_running_loop())
    stream.start(lambda fences: start_record(references(), version="0", pid=1, streams=[], heads={}, fences=fences))
    record = dict(decision())
    done = asyncio.get_running_loop().create_future()
    started = durable = 0

    def more() -> None:
        nonlocal started
        started += 1
        stream.append({**record, "id": references()}, told)

    def told(error: LedgerError | None) -> None:
        nonlocal durable
        if error is not None:
            raise error
        durable += 1
        if started < lines:
            more()
        elif durable == lines:
            done.set_result(None)

    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(waiters):
        more()
    await done
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{waiters:3} waiters: {lines / wall:8,.0f} lines/s, {waiters * wall / lines * 1e3:.2f} ms a line, "
        f"{cpu / lines * 1e6:.1f} us CPU a line, {stream.lines_written / stream.batches_written:.1f} lines a sync"
    )
    await stream.close(stop_record(references(), cause="end", heads={}))


def cost(name: str, function: Callable[[], object], repeat: int = 30_000) -> None:
    begun = time.process_time()
    for _ in range(repeat):
        function()
    print(f"{name:28} {(time.process_time() - begun) / repeat * 1e6:5.2f} us")


def main(parent: Path | None) -> None:
    record, ended = decision(), completion()
    body = serialise(record)
    line = compose("user-0", 1, "0" * 64, "2026-11-24T12:00:00.000000Z", body)
    print(f"decision line {len(line)} bytes, completion record {len(serialise(ended))} bytes")
    cost("build a decision record", decision)
    cost("serialise it", lambda: serialise(record))
    cost("build a completion record", completion)
    cost("serialise it", lambda: serialise(ended))
    cost("compose a line (thread)", lambda: compose("user-0", 1, "0" * 64, "2026-11-24T12:00:00.000000Z", body))
    cost("leaf of a line (thread)", lambda: leaf(line))
    directory = Path(tempfile.mkdtemp(prefix="ledger-", dir=parent))
    try:
        for waiters, lines in RUNS:
            uvloop.run(throughput(directory, waiters, lines))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
