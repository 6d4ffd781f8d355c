"""A stream of the ledger as the event loop sees it: lines go in, and each caller learns when its line is on the disk.

Natural batching: what is appended while one batch is written and synced by the stream's thread is the next batch; a stream that
wrote a moment ago gathers for that moment, because a sync costs the processor as much as ten lines; and a batch goes only when the
loop has come to rest, or has been busy for too long. Under load it goes when three of four of those who come have come: the others
give the loop something to do while the disk works. A line that nobody waits for (`patient`) goes with the next one that somebody
waits for, or by itself a little later. All state lives on the loop; the thread runs one job at a time and reports with one
`call_soon_threadsafe`. So a line costs no lock, no task, and a timer at most once a batch.

When a batch cannot be made durable, even in a new segment, or not in time, the stream is *down*: everything that waits
and everything that comes is refused at once, and the disk is tried every second until a `gap` line can be written.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from gateway.errors import LedgerError
from gateway.ledger.disk import Space
from gateway.ledger.hand import Hand
from gateway.ledger.lifecycle import gap_record
from gateway.ledger.line import Record, Text, moment, serialise
from gateway.ledger.reference import RANDOM_BYTES, new_reference
from gateway.ledger.segments import Fence
from gateway.ledger.writer import Opening, WriteFailed, Writer

WRITE_DEADLINE_SECONDS = 5.0
"""How long a request waits for its line before it is refused."""
GATHER_SECONDS = 0.002
"""Least time between two batches: the first line after a pause waits for nothing, and under load a sync is shared by more lines. With 1 ms half
of 2,000 requests a second are answered within 1.1 ms instead of 2.1, but two workers that share a load take a fifth more processor time."""
GATHER_MOST_SECONDS = 0.005
"""How long a loop that always has something to do goes on gathering: a sync costs as much as two or three whole requests."""
PATIENT_SECONDS = 0.02
"""How long a line that nobody waits for lets others join it: on a quiet gateway a request then costs one sync instead of two."""
CROWD_SHARE = 0.75
"""Of those who come, such a share does not wait for the rest: with 32 connections the loop is then busy for 94 % of the time instead of
80 %, for 2 % more processor time a request."""
CROWD_LEAST = 16
"""Fewer lines that somebody waits for are no crowd: for them a sync would cost more than it saves. (Two workers share the crowd of one.)"""
IDLE_TURN_SECONDS = 50e-6
"""A turn of the loop that took longer had something to do: one without takes some microseconds."""
RETRY_SECONDS = 1.0
MAX_PENDING_LINES = 65_536
"""Lines that wait for one batch: at 2 KiB each 128 MiB, some 100 times what arrives in a second."""

OnDurable = Callable[[LedgerError | None], None]

_log = structlog.get_logger("gateway.ledger")


class _Entry:
    """A line that waits: its moment, what it says, and who is told."""

    __slots__ = ("kind", "on_durable", "record", "stamp")

    def __init__(self, stamp: str, record: Text, kind: str, on_durable: OnDurable) -> None:
        self.stamp = stamp
        self.record = record
        self.kind = kind
        self.on_durable = on_durable


@dataclass(slots=True)
class _Outage:
    """Since when and why nothing can be written, and what was refused meanwhile, counted by kind."""

    since: float
    cause: str
    refused: Counter[str] = field(default_factory=Counter)
    late: tuple[int, int] | None = None


@dataclass(slots=True, frozen=True)
class _Outcome:
    """What became of a job of the thread: `error` (nothing was acknowledged) or the numbers of the written lines.

    `moved` says why the stream had to go on in a new segment, when it had to.
    """

    error: str | None = None
    moved: str | None = None
    first: int = 0
    last: int = -1


class Stream:
    """One stream, written by a thread of its own. To be used on the event loop `loop` only."""

    def __init__(
        self,
        writer: Writer,
        loop: asyncio.AbstractEventLoop,
        deadline_seconds: float = WRITE_DEADLINE_SECONDS,
        on_space: Callable[[Space], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = writer.stream
        self.lines_written = 0
        self.batches_written = 0
        self._writer = writer
        self._loop = loop
        self._deadline = deadline_seconds
        self._on_space = on_space
        self._clock = clock
        self._pending: list[_Entry] = []
        self._pending_since = 0.0
        self._flying: list[_Entry] | None = None
        self._flying_since = 0.0
        self._awaited = 0
        self._aboard = 0
        self._enough = CROWD_LEAST
        self._launching: asyncio.Handle | None = None
        self._launch_is_prompt = False
        self._launched_at = 0.0
        self._gathered = 0
        self._turned_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._outage: _Outage | None = None
        self._space_is_low = False
        self._squeeze: _Outage | None = None
        self._overflow: _Outage | None = None
        self._start: Callable[[tuple[Fence, ...]], Record] | None = None
        self._closed = False
        self._second = -1
        self._second_text = ""
        self._hand: Hand[_Outcome] = Hand(f"ledger {self.name}", loop, self._keep_house, writer.close)

    # --- what others use ----------------------------------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        return self._outage is None and not self._closed

    @property
    def reason(self) -> str | None:
        """Why nothing can be written; None when lines can be."""
        if self._outage is not None:
            return self._outage.cause
        return "closed" if self._closed else None

    def start(self, opening: Callable[[tuple[Fence, ...]], Record]) -> None:
        """Opens the stream and writes its first line, blocking; then starts the thread.

        Raises `StreamTaken` when another process has the stream. A disk that cannot be written is no error here: the stream
        starts down, and comes up by itself.
        """
        try:
            self._writer.begin(self._opening(opening))
        except WriteFailed as error:
            self._start = opening
            self._go_down(str(error))
        self._hand.start()

    def append(self, record: Record, on_durable: OnDurable, expendable: bool = False, patient: bool = False) -> None:
        """Takes a line; `on_durable` is called on the loop, with None once it is on the disk or with the error that it is not.

        `expendable`: an unauthenticated refusal or a connection, for which the reserve of space is not touched.
        `patient`: nothing happens only when it is durable, so it may share the next batch.
        """
        self.append_text(str(record.get("kind")), serialise(record), on_durable, expendable, patient)

    def append_text(
        self, kind: str, text: Text, on_durable: OnDurable, expendable: bool = False, patient: bool = False
    ) -> None:
        """The same for the text of a record of that kind, as `serialise` makes it."""
        if self._outage is not None or self._closed:
            self._refuse(kind, on_durable, self._outage)
            return
        if len(self._pending) >= MAX_PENDING_LINES:
            self._overflow = self._overflow or _Outage(self._clock(), "too many lines wait for the disk")
            self._refuse(kind, on_durable, self._overflow)
            return
        if expendable and self._space_is_low:
            self._squeeze = self._squeeze or _Outage(self._clock(), "the rest of the disk is kept for permits")
            self._refuse(kind, on_durable, self._squeeze)
            return
        if not self._pending:
            self._pending_since = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_at(self._pending_since + self._deadline, self._look_at_deadline)
        self._pending.append(_Entry(self._stamp(), text, kind, on_durable))
        if not patient:
            self._awaited += 1
        if self._flying is None:
            if self._awaited == self._enough:
                self._loop.call_soon(self._launch)
            elif self._launching is None or (self._awaited > 0) is not self._launch_is_prompt:
                self._launch_soon()

    def spare_space(self, low: bool) -> None:
        """Whether what is expendable must be refused; when there is room again, a `gap` line counts what was."""
        self._space_is_low = low
        if not low and self._squeeze is not None:
            squeeze, self._squeeze = self._squeeze, None
            self._append_gap(squeeze)

    async def write(self, record: Record) -> None:
        """Returns when the line is durable. Raises `LedgerError` when it is not, at the latest after the deadline."""
        durable: asyncio.Future[None] = self._loop.create_future()

        def done(error: LedgerError | None) -> None:
            if not durable.done():
                if error is None:
                    durable.set_result(None)
                else:
                    durable.set_exception(error)

        self.append(record, done)
        await durable

    async def close(self, closing: Record) -> bool:
        """Writes everything that waits and a last line, then gives the stream up; waits no longer than the deadline.

        Whether the last line is durable and the thread has ended.
        """
        ended = False
        if self._outage is None and not self._closed:
            try:
                await self.write(closing)
                ended = True
            except LedgerError as error:
                _log.error("ledger_stream_not_closed", stream=self.name, reason=str(error))
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        return await self._hand.end(self._deadline) and ended

    # --- one batch ----------------------------------------------------------------------------------------------------

    def _stamp(self) -> str:
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = moment(second)[:-7]
        # Six digits by a seventh in front: cheaper than a format, and each line has its moment.
        return f"{self._second_text}{str(1_000_000 + int((now - second) * 1_000_000))[1:]}Z"

    def _launch_soon(self) -> None:
        """Sets when the next batch goes; a launch that only patient lines await is put forward when somebody waits."""
        if self._launching is not None:
            self._launching.cancel()
        self._launch_is_prompt = prompt = self._awaited > 0
        gathered = self._launched_at + GATHER_SECONDS - self._loop.time()
        wait = gathered if prompt else max(gathered, PATIENT_SECONDS)
        if wait > 0:
            self._launching = self._loop.call_later(wait, self._gather)
        else:
            self._launching = self._loop.call_soon(self._gather)

    def _gather(self) -> None:
        """The batch goes when the loop had a turn with nothing to do. Until then nothing is idle for want of this sync, and who comes
        next shares it."""
        lines, now = len(self._pending), time.monotonic()
        busy = lines > self._gathered or now - self._turned_at > IDLE_TURN_SECONDS
        if busy and self._loop.time() < self._pending_since + GATHER_MOST_SECONDS:
            self._gathered, self._turned_at = lines, now
            self._launching = self._loop.call_soon(self._gather)
        else:
            self._launch()

    def _launch(self) -> None:
        if self._launching is not None:
            self._launching.cancel()
            self._launching = None
        self._gathered = 0
        if self._pending and self._flying is None:
            self._aboard, self._awaited = self._awaited, 0
            self._flying = self._pending
            self._flying_since = self._pending_since
            self._pending = []
            self._launched_at = self._loop.time()
            self._hand_over(partial(self._commit, self._flying), self._landed)

    def _landed(self, outcome: _Outcome) -> None:
        entries, self._flying = self._flying or [], None
        if self._outage is not None:
            # They came too late: their callers were refused at the deadline. The gap line tells which they are.
            if outcome.error is None and outcome.last >= outcome.first:
                self._outage.late = (outcome.first, outcome.last)
            return
        self._note(outcome)
        if outcome.error is None:
            self.lines_written += len(entries)
            self.batches_written += 1
            if self._overflow is not None and not self._pending:
                overflow, self._overflow = self._overflow, None
                self._append_gap(overflow)
            # Who waited for that batch and who waits for the next are those who come, as far as anybody can tell.
            self._enough = max(CROWD_LEAST, int(CROWD_SHARE * (self._aboard + self._awaited)))
            if self._awaited >= self._enough:
                self._launch()
            self._tell(entries, None)
            if self._pending and self._launching is None and self._flying is None:
                self._launch_soon()
        else:
            self._go_down(outcome.error, entries)

    def _looked(self, outcome: _Outcome) -> None:
        """An idle stream's file was looked at."""
        if self._outage is None:
            self._note(outcome)
            if outcome.error is not None:
                self._go_down(outcome.error)

    def _note(self, outcome: _Outcome) -> None:
        if outcome.moved is not None:
            _log.critical("ledger_segment_given_up", stream=self.name, reason=outcome.moved)

    def _look_at_deadline(self) -> None:
        """One timer a stream, set for the oldest line that might wait too long."""
        self._watch = None
        if self._outage is not None:
            return
        if self._flying is not None:
            oldest = self._flying_since
        elif self._pending:
            oldest = self._pending_since
        else:
            return
        due = oldest + self._deadline
        if due <= self._loop.time():
            self._go_down(f"the disk did not answer within {self._deadline:g} s", self._flying or [])
        else:
            self._watch = self._loop.call_at(due, self._look_at_deadline)

    # --- trouble ------------------------------------------------------------------------------------------------------

    def _go_down(self, cause: str, entries: list[_Entry] | None = None) -> None:
        self._outage = outage = _Outage(self._clock(), cause)
        waiting = [*(entries or ()), *self._pending]
        self._pending, self._awaited = [], 0
        outage.refused.update(entry.kind for entry in waiting)
        _log.critical("ledger_not_writable", stream=self.name, reason=cause, refused=len(waiting))
        self._loop.call_later(RETRY_SECONDS, self._retry)
        self._tell(waiting, LedgerError(f"{self.name}: {cause}"))

    def _refuse(self, kind: str, on_durable: OnDurable, outage: _Outage | None) -> None:
        """Counts it for the gap line, unless the stream is closed and there will be none."""
        if outage is not None:
            outage.refused[kind] += 1
        cause = "closed" if outage is None else outage.cause
        self._loop.call_soon(on_durable, LedgerError(f"{self.name}: {cause}"))

    def _retry(self) -> None:
        outage = self._outage
        if outage is None or self._closed:
            return
        if self._flying is not None:  # the thread still hangs
            self._loop.call_later(RETRY_SECONDS, self._retry)
            return
        refused = outage.refused.copy()
        self._flying, self._flying_since = [], self._loop.time()
        self._hand_over(partial(self._begin_again, outage, refused), partial(self._back, outage, refused))

    def _back(self, outage: _Outage, told: Counter[str], outcome: _Outcome) -> None:
        """The gap line is on the disk, or it could not be written either."""
        self._flying = None
        if outcome.error is not None:
            outage.cause = outcome.error
            self._loop.call_later(RETRY_SECONDS, self._retry)
            return
        self._outage = None
        _log.warning("ledger_writable_again", stream=self.name, refused=outage.refused.total())
        outage.refused.subtract(told)
        if outage.refused.total():
            # Those who were refused while the gap line was being written have one of their own.
            self._append_gap(outage)

    def _append_gap(self, outage: _Outage) -> None:
        def done(error: LedgerError | None) -> None:
            if error is not None:
                _log.error("ledger_gap_not_written", stream=self.name, refused=outage.refused.total())

        self.append(self._gap_of(outage, +outage.refused, ()), done)

    def _tell(self, entries: Sequence[_Entry], error: LedgerError | None) -> None:
        for entry in entries:
            try:
                entry.on_durable(error)
            except Exception as fault:  # noqa: BLE001 - one caller's fault must not leave the others waiting
                self._loop.call_exception_handler({"message": "a ledger callback failed", "exception": fault})

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """About once a second: is the file still ours, and how much room is there?"""
        if self._writer.is_open:
            self._hand.post(self._looked, self._run(partial(self._commit, ())))
        if self._on_space is not None:
            with contextlib.suppress(OSError):  # when the disk is away, the next line tells it
                self._hand.post(self._on_space, self._writer.space())

    def _run(self, job: Callable[[], _Outcome]) -> _Outcome:
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - nothing was acknowledged, and the loop must learn it
            return _Outcome(error=f"{type(error).__name__}: {error}")

    def _hand_over(self, job: Callable[[], _Outcome], landed: Callable[[_Outcome], None]) -> None:
        self._hand.submit(partial(self._run, job), landed)

    def _commit(self, entries: Sequence[_Entry]) -> _Outcome:
        lines = [(entry.stamp, entry.record) for entry in entries]
        first = self._writer.head.n
        try:
            self._writer.commit(lines)
            return _Outcome(first=first, last=self._writer.head.n - 1)
        except WriteFailed as error:
            cause = str(error)
        moved = _Outage(self._clock(), cause)
        try:
            self._writer.begin(self._opening(lambda fences: self._gap_of(moved, Counter(), fences, len(lines))))
            first = self._writer.head.n
            self._writer.commit(lines)
        except LedgerError as error:
            return _Outcome(error=str(error))
        return _Outcome(moved=cause, first=first, last=self._writer.head.n - 1)

    def _begin_again(self, outage: _Outage, refused: Counter[str]) -> _Outcome:
        start = self._start
        try:
            if start is None:
                self._writer.begin(self._opening(lambda fences: self._gap_of(outage, refused, fences)))
            else:
                self._writer.begin(self._opening(start))
                self._writer.commit([(moment(self._clock()), serialise(self._gap_of(outage, refused, ())))])
        except LedgerError as error:
            return _Outcome(error=str(error))
        self._start = None
        return _Outcome()

    def _opening(self, record: Callable[[tuple[Fence, ...]], Record]) -> Opening:
        return lambda fences: (moment(self._clock()), serialise(record(fences)))

    def _gap_of(self, outage: _Outage, refused: Counter[str], fences: Sequence[Fence], rewritten: int = 0) -> Record:
        return gap_record(
            new_reference(os.urandom(RANDOM_BYTES)),
            since=outage.since,
            until=self._clock(),
            cause=outage.cause,
            refused=refused,
            late=outage.late,
            rewritten=rewritten,
            fences=fences,
        )
