"""What the ledger asks of the operating system, in one place, so that a test can let any of it fail."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


class FileState(NamedTuple):
    """Which file a path names, and its size in bytes."""

    device: int
    inode: int
    size: int


@dataclass(frozen=True, slots=True)
class Space:
    """Room on a file system, in bytes: free for us, and altogether."""

    free: int
    total: int


class Disk:
    """The real one. Every method raises `OSError` when the system does."""

    def make_directory(self, path: Path) -> None:
        """Makes the directory and its parents, private to their owner; what exists keeps its mode."""
        missing = [directory for directory in (path, *path.parents) if not directory.exists()]
        for directory in reversed(missing):
            with contextlib.suppress(FileExistsError):
                directory.mkdir(DIRECTORY_MODE)
                _give_to_owner_of(directory.parent, directory)
            self.sync_directory(directory.parent)

    def create(self, path: Path) -> int:
        """A descriptor that appends to a new file; raises `FileExistsError` when the name is taken."""
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        _give_to_owner_of(path.parent, path)
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        """Writes some of `data` and returns how many bytes: short writes are real on a full disk."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Returns when what was written is on the disk. Must not be tried again on the same file after it failed."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_existing(self, path: Path) -> None:
        """Makes durable what an earlier process wrote."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def state(self, target: Path | int) -> FileState:
        found = os.stat(target)  # noqa: PTH116 - of a path or of a descriptor
        return FileState(found.st_dev, found.st_ino, found.st_size)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def space(self, directory: Path) -> Space:
        found = os.statvfs(directory)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def lock(self, path: Path) -> int | None:
        """The descriptor of a lock file that no other process holds, or None when one does."""
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
        try:
            _give_to_owner_of(path.parent, path)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _give_to_owner_of(directory: Path, path: Path) -> None:
    """What root's command line makes must stay readable and writable for the service that owns the ledger."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
