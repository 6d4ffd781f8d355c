"""The one writer of a stream: chain, segments, lock and recovery. Synchronous; knows no event loop.

Nothing that was written is ever altered, and a sync that failed is never tried again on the same file. After any failure the
segment is given up: what lies in it after the last durable line is fenced (see `segments`), and the stream goes on in a new
segment whose first line says so.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import LedgerError
from gateway.ledger.chain import chain
from gateway.ledger.disk import Disk, FileState, Space
from gateway.ledger.line import Text, leaf
from gateway.ledger.segments import Cause, Fence, Head, class_of, resume, segment_name, segments_of, tail_leaf

SEGMENT_SECONDS: Final = 86_400
"""A segment is at most a day old, so that retention by whole segments is at most a day late."""
PROBE_BYTES: Final = 65_536
"""Room that must be writable before a stream is tried again: eight lines of the greatest size."""
KEPT_BYTES: Final = 1 << 20
"""Memory up to this size is left to the next batch; C takes up to twice what a batch needs."""
_MAX_TAKEN_NAMES: Final = 16
_MOST_LINES: Final = 1 << 63
"""No stream has so many: a million a second would take 290,000 years. Numbers and names have room for them, and not for all
that a file's name can say."""

Opening = Callable[[tuple[Fence, ...]], tuple[str, str]]
"""Makes the first line of a segment after trouble or a start, given the fences to declare: (time, serialised record)."""


class WriteFailed(LedgerError):
    """Lines could not be made durable. The segment was given up; `Writer.begin` opens another."""


class StreamTaken(LedgerError):
    """Another process writes to this stream."""


@dataclass(frozen=True, slots=True)
class _Open:
    descriptor: int
    path: Path
    state: FileState
    opened_at: float


class Writer:
    """Writes one stream below a ledger's directory. `close` gives the lock back."""

    def __init__(
        self,
        directory: Path,
        stream: str,
        segment_bytes: int,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream
        self.directory = directory / class_of(stream)
        self._segment_bytes = segment_bytes
        self._disk = disk or Disk()
        self._clock = clock
        self._lock: int | None = None
        self._open: _Open | None = None
        self._offset = 0
        self._head: Head | None = None
        self._fences: list[Fence] = []
        self._memory = bytearray()

    @property
    def head(self) -> Head:
        """After the last durable line; only known once the stream was read."""
        if self._head is None:
            raise LedgerError(f"the stream {self.stream} has not been read yet")
        return self._head

    @property
    def is_open(self) -> bool:
        """Whether there is a segment to write to."""
        return self._open is not None

    def take(self) -> None:
        """Makes the directory, takes the lock and reads where the stream ends, as far as not done yet.

        Raises `StreamTaken` when another process has it, `WriteFailed` when the disk does not let us.
        """
        lock_path = self.directory / f"{self.stream}.lock"
        try:
            self._disk.make_directory(self.directory)
            if self._lock is not None and not self._same_lock(lock_path):
                self._release()
            if self._lock is None:
                self._lock = self._disk.lock(lock_path)
                if self._lock is None:
                    raise StreamTaken(
                        f"{lock_path}: another process writes the stream {self.stream}. Only one gateway may use a ledger "
                        "directory: stop the other one, or give this one a directory of its own"
                    )
            if self._head is None:
                self._resume()
        except OSError as error:
            raise _failed("cannot use", self.directory, error) from error

    def begin(self, opening: Opening) -> None:
        """Goes on in a new segment whose first line is `opening`. Raises `StreamTaken` or `WriteFailed`."""
        self.take()
        self._probe()
        self._close_segment()
        self._create()
        stamp, record = opening(tuple(self._fences))
        self._write([(stamp, record)])
        self._fences.clear()

    def commit(self, entries: Sequence[tuple[str, Text]]) -> None:
        """Returns when the lines, each (time, serialised record), are durable in this order. Raises `WriteFailed`."""
        if self._open is None:
            raise WriteFailed(f"the stream {self.stream} has no segment to write to")
        if entries and self._offset and self._due():
            self._close_segment()
            self._create()
        self._write(entries)

    def space(self) -> Space:
        """Room on the ledger's file system. Raises `OSError`."""
        return self._disk.space(self.directory)

    def close(self, remove_lock: bool = False) -> None:
        """Closes files and gives the lock back; a stream that nobody will open again takes its lock file along."""
        self._close_segment()
        if remove_lock and self._lock is not None:
            with contextlib.suppress(OSError):
                self._disk.unlink(self.directory / f"{self.stream}.lock")
        self._release()

    # --- one batch ----------------------------------------------------------------------------------------------------

    def _write(self, entries: Sequence[tuple[str, Text]]) -> None:
        segment = self._open
        if segment is None:
            raise WriteFailed(f"the stream {self.stream} has no segment to write to")
        memory, n = self._memory, self.head.n
        size, prev = chain(self.stream, n, self.head.prev, entries, memory)
        if len(memory) > KEPT_BYTES:
            self._memory = bytearray()
        data = memoryview(memory)[:size]
        try:
            if entries:
                self._write_all(segment.descriptor, data)
                self._disk.sync(segment.descriptor)
            self._verify(segment, self._offset + size)
        except OSError as error:
            self._give_up(segment, data)
            raise _failed("cannot write", segment.path, error) from error
        except WriteFailed:
            self._give_up(segment, data)
            raise
        finally:
            data.release()
        self._offset += size
        self._head = Head(n + len(entries), prev)

    def _write_all(self, descriptor: int, data: memoryview) -> None:
        while data:
            written = self._disk.write(descriptor, data)
            if written <= 0:
                raise OSError("nothing was written")
            data = data[written:]

    def _verify(self, segment: _Open, size: int) -> None:
        """What was synced must be what the name still names, and nobody else may have written there."""
        found = self._disk.state(segment.path)
        if (found.device, found.inode) != (segment.state.device, segment.state.inode):
            raise WriteFailed(f"{segment.path}: the file was replaced by another while it was written")
        if found.size != size:
            raise WriteFailed(
                f"{segment.path}: the file has {found.size} bytes where {size} were written: changed by somebody else"
            )

    def _give_up(self, segment: _Open, data: memoryview) -> None:
        """Leaves the segment, and fences whatever follows its last durable line."""
        head = self.head
        self._open = None
        # Whoever keeps the error keeps a view of this batch, and what has one cannot grow.
        self._memory = bytearray()
        try:
            size = self._disk.state(segment.descriptor).size - self._offset
            named = self._disk.state(segment.path)
        except OSError:
            # The name is gone, and the tail with it; or nothing can be known: then nothing is claimed about the tail.
            size, named = 0, None
        with contextlib.suppress(OSError):  # the descriptor is gone in any case
            self._disk.close(segment.descriptor)
        if named is None or named.inode != segment.state.inode:
            return
        if size <= 0:
            if self._offset == 0:
                with contextlib.suppress(OSError):  # an empty file in the way is dealt with when the next is created
                    self._disk.unlink(segment.path)
            return
        if size <= len(data):
            digest = leaf(data[:size])
        else:
            try:
                digest = tail_leaf(segment.path, self._offset, size)
            except OSError:
                digest = leaf(data)
        self._fence(Fence(segment.path.name, self._offset, size, head.n, digest, Cause.GIVEN_UP))

    def _fence(self, fence: Fence) -> None:
        self._fences.append(fence)
        self._head = Head(fence.n + 1, fence.sha256)

    # --- segments -----------------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        segment = self._open
        return segment is not None and (
            self._offset >= self._segment_bytes or self._clock() - segment.opened_at >= SEGMENT_SECONDS
        )

    def _create(self) -> None:
        for _ in range(_MAX_TAKEN_NAMES):
            path = self.directory / segment_name(self.stream, self.head.n)
            try:
                descriptor = self._disk.create(path)
            except FileExistsError:
                self._step_over(path)
                continue
            except OSError as error:
                raise _failed("cannot create", path, error) from error
            try:
                self._disk.sync_directory(self.directory)
                self._open = _Open(descriptor, path, self._disk.state(descriptor), self._clock())
            except OSError as error:
                with contextlib.suppress(OSError):  # the first error is the one to tell
                    self._disk.close(descriptor)
                raise _failed("cannot create", path, error) from error
            self._offset = 0
            return
        raise WriteFailed(f"{self.directory}: other files have taken the names of the next segments of {self.stream}")

    def _step_over(self, path: Path) -> None:
        """A file that stands where the next segment belongs: an empty one goes, another one is fenced whole."""
        try:
            size = self._disk.state(path).size
            if size == 0:
                self._disk.unlink(path)
            else:
                self._fence(Fence(path.name, 0, size, self.head.n, tail_leaf(path, 0, size), Cause.FOREIGN))
        except OSError as error:
            raise _failed("cannot step over", path, error) from error

    def _resume(self) -> None:
        segments = segments_of(self.directory, self.stream)
        for segment in segments[-2:]:
            self._disk.sync_existing(segment.path)
        head, fences = resume(segments)
        if head.n >= _MOST_LINES:
            raise WriteFailed(
                f"{segments[-1].path}: no stream comes to the number in this name; somebody else has put the file there. "
                "Move it out of the ledger"
            )
        self._head, self._fences = head, fences

    def _probe(self) -> None:
        """Tries the disk with a file that is nobody's evidence, so that a full disk is not filled with torn segments."""
        path = self.directory / f"{self.stream}.probe"
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(path)
        try:
            descriptor = self._disk.create(path)
            try:
                self._write_all(descriptor, memoryview(bytes(PROBE_BYTES)))
                self._disk.sync(descriptor)
            finally:
                self._disk.close(descriptor)
                self._disk.unlink(path)
        except OSError as error:
            raise _failed("cannot write", path, error) from error

    def _close_segment(self) -> None:
        if self._open is not None:
            with contextlib.suppress(OSError):  # every line in it was synced
                self._disk.close(self._open.descriptor)
            self._open = None

    # --- lock ---------------------------------------------------------------------------------------------------------

    def _same_lock(self, path: Path) -> bool:
        if self._lock is None:
            return False
        try:
            return self._disk.state(path).inode == self._disk.state(self._lock).inode
        except FileNotFoundError:
            return False

    def _release(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):  # closing gives the lock back, whatever it reports
                self._disk.close(self._lock)
            self._lock = None


def _failed(what: str, path: Path, error: OSError) -> WriteFailed:
    why = os.strerror(error.errno) if error.errno else str(error)
    return WriteFailed(f"{path}: {what}: {why}")
