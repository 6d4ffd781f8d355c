"""The ledger of one process: its streams, the flood rule, the reserve of space, and whether anything may be forwarded."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType

import structlog

from gateway import __version__
from gateway.errors import LedgerError
from gateway.ledger.disk import Disk, Space
from gateway.ledger.flood import Flood, Tally
from gateway.ledger.journal import Stream
from gateway.ledger.keys import load_keys
from gateway.ledger.lifecycle import alarm_record, reload_record, start_record, stop_record
from gateway.ledger.line import Record, moment, serialise
from gateway.ledger.pseudonym import Address, Sealer, network_of
from gateway.ledger.record import refusals_record
from gateway.ledger.reference import ReferenceSource
from gateway.ledger.segments import Head
from gateway.ledger.settings import LedgerSettings
from gateway.ledger.writer import StreamTaken, WriteFailed, Writer

RESERVE_SHARE = 20
"""The reserve is never more than this part (a twentieth) of the file system, so that a small one remains usable."""
ALARM_FACTOR = 2
"""The alarm comes when free space falls below this many reserves."""
FLOOD_SECONDS = 1.0

_log = structlog.get_logger("gateway.ledger")


class Ledger:
    """The streams `user`, `admin` and `conn` of one worker. Made by `open`, on the event loop's thread."""

    def __init__(
        self,
        settings: LedgerSettings,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sealer = Sealer(load_keys(settings.auditor_public_key, settings.pseudonym_key))
        self.references = ReferenceSource()
        self.free_bytes: int | None = None
        self._settings = settings
        self._loop = loop
        self._clock = clock
        self._flood = Flood(settings.flood_rate)
        self._alarmed = False
        self._ticking: asyncio.TimerHandle | None = None
        self._writers = {
            word: Writer(settings.directory, f"{word}-{worker}", settings.segment_bytes, disk)
            for word in ("user", "admin", "conn")
        }
        streams = {
            word: Stream(
                writer,
                loop,
                settings.write_deadline_seconds,
                on_space=self._on_space if word == "admin" else None,
                clock=clock,
            )
            for word, writer in self._writers.items()
        }
        self.user, self.admin, self.conn = streams["user"], streams["admin"], streams["conn"]

    @classmethod
    def open(cls, settings: LedgerSettings, worker: int, loop: asyncio.AbstractEventLoop) -> Ledger:
        """Takes the streams, records how they were left, and writes a `start` line to each; blocks until they are durable.

        Raises `ConfigurationError` when a key cannot be used, `StreamTaken` when another gateway writes here. A disk that
        cannot be written stops nothing: the ledger is then not `healthy`, and comes up by itself.
        """
        ledger = cls(settings, worker, loop)
        ledger.start()
        return ledger

    def start(self) -> None:
        """See `open`."""
        heads: dict[str, Head] = {}
        for writer in self._writers.values():
            try:
                writer.take()
                heads[writer.stream] = writer.head
            except WriteFailed:
                continue  # the stream itself tells it, and tries again
            except StreamTaken:
                self._give_back()
                raise
        names = [writer.stream for writer in self._writers.values()]
        for stream in self.streams:
            stream.start(
                lambda fences: start_record(
                    self.references(), version=__version__, pid=os.getpid(), streams=names, heads=heads, fences=fences
                )
            )
        self._ticking = self._loop.call_later(FLOOD_SECONDS, self._tick)

    # --- what others use ----------------------------------------------------------------------------------------------

    @property
    def streams(self) -> tuple[Stream, Stream, Stream]:
        """In the order in which they end."""
        return self.conn, self.admin, self.user

    @property
    def healthy(self) -> bool:
        """Whether every stream takes lines. When not, nothing may be forwarded (clause T1)."""
        return self.user.healthy and self.admin.healthy and self.conn.healthy

    def reasons(self) -> list[str]:
        """Why the ledger is not healthy, for `/health/ready`; empty when it is."""
        return [f"{stream.name}: {stream.reason}" for stream in self.streams if stream.reason is not None]

    def counted(self, client: Address, reason: str, reference: str) -> str | None:
        """The flood rule, to be asked before an unauthenticated refusal is written.

        None: write its own line (expendable). Else it is counted already; answer with the reference that is returned.
        """
        return self._flood.count(network_of(client), reason, reference, self._clock())

    async def reload(
        self,
        *,
        outcome: str,
        before: str,
        after: str | None,
        faults: int,
        cause: str,
        code: str | None = None,
        release: int | None = None,
    ) -> None:
        """Writes that the table was read again to the streams whose lines rest on it. Raises `LedgerError`."""
        record = reload_record(
            self.references(),
            outcome=outcome,
            before=before,
            after=after,
            faults=faults,
            cause=cause,
            code=code,
            release=release,
        )
        await asyncio.gather(self.user.write(record), self.admin.write(record))

    def alarm(self, alarm: str, text: str, values: Mapping[str, int | float | str]) -> None:
        """Writes something that somebody must look at; nobody waits for the line."""
        self.admin.append(alarm_record(self.references(), alarm=alarm, text=text, values=values), _nobody_waits)

    async def close(self, cause: str = "stopped") -> None:
        """Writes what waits and a `stop` line to each stream, and gives them back. Takes at most three deadlines."""
        if self._ticking is not None:
            self._ticking.cancel()
        for tally in self._flood.rest():
            self._write_tally(tally)
        heads: dict[str, Head] = {}
        for stream, word in ((self.conn, "conn"), (self.admin, "admin"), (self.user, "user")):
            ended = await stream.close(stop_record(self.references(), cause=cause, heads=heads))
            if ended:
                heads[stream.name] = self._writers[word].head

    # --- within -------------------------------------------------------------------------------------------------------

    def _give_back(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(FLOOD_SECONDS, self._tick)
        for tally in self._flood.due(self._clock()):
            self._write_tally(tally)

    def _write_tally(self, tally: Tally) -> None:
        network = None if tally.network is None else self.sealer.network(tally.network)
        # A failure is counted by the stream itself, in its gap line.
        self.conn.append(refusals_record(tally, network), _nobody_waits, expendable=True)

    def _on_space(self, space: Space) -> None:
        self.free_bytes = space.free
        reserve = min(self._settings.reserve_bytes, space.total // RESERVE_SHARE)
        for stream in self.streams:
            stream.spare_space(space.free < reserve)
        if space.free >= ALARM_FACTOR * reserve:
            self._alarmed = False
        elif not self._alarmed:
            self._alarmed = True
            text = "the disk of the security log fills up; below the reserve only permits are written"
            _log.critical("ledger_space_alarm", free_bytes=space.free, reserve_bytes=reserve)
            values = {"free_bytes": space.free, "reserve_bytes": reserve, "total_bytes": space.total}
            self.alarm("space", text, values)


def _nobody_waits(error: LedgerError | None) -> None:
    """For lines that no request hangs on; the stream counts what it refuses."""


class CliLedger:
    """The ledger of one command: a stream `cli-<UTC time>-<pid>` that comes into being with its first line.

    `write` returns when the line is durable; the command commits after that. Raises `ConfigurationError` at the start when a key
    cannot be used, and `LedgerError` when a line cannot be written: then nothing may be committed.
    """

    def __init__(
        self, settings: LedgerSettings, disk: Disk | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.sealer = Sealer(load_keys(settings.auditor_public_key, settings.pseudonym_key))
        self.references = ReferenceSource()
        self._settings = settings
        self._disk = disk
        self._clock = clock
        self._writer: Writer | None = None

    def __enter__(self) -> CliLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close(remove_lock=True)

    def write(self, record: Record) -> None:
        """Returns when the line is on the disk. Raises `LedgerError` when it cannot be."""
        line = moment(self._clock()), serialise(record)
        if self._writer is not None:
            self._writer.commit([line])
            return
        started = datetime.fromtimestamp(self._clock(), UTC)
        name = f"cli-{started:%Y%m%dT%H%M%SZ}-{os.getpid()}"
        self._writer = Writer(self._settings.directory, name, self._settings.segment_bytes, self._disk)
        self._writer.begin(lambda fences: line)
