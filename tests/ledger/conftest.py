"""A real disk that fails on demand, and ledgers on it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.ledger.disk import Disk, Space
from gateway.ledger.keys import make_keys
from gateway.ledger.lifecycle import start_record
from gateway.ledger.line import Record, moment, serialise
from gateway.ledger.reference import ReferenceSource
from gateway.ledger.segments import Fence
from gateway.ledger.settings import LedgerSettings
from gateway.ledger.writer import Opening, Writer


class FaultyDisk(Disk):
    """The real disk, with faults of choice: each attribute is a fault that stays until it is taken away."""

    def __init__(self) -> None:
        self.write_error: int | None = None
        self.sync_error: int | None = None
        self.create_error: int | None = None
        self.directory_error: int | None = None
        self.room: int | None = None
        """Bytes that can still be written, then ENOSPC."""
        self.free: Space | None = None
        self.hangs = threading.Event()
        self.hangs.set()
        """Cleared: a sync does not return until it is set."""
        self.syncs = 0

    def create(self, path: Path) -> int:
        _raise(self.create_error, path)
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        _raise(self.write_error)
        if self.room is not None:
            if self.room == 0:
                _raise(errno.ENOSPC)
            data = data[: self.room]
            self.room -= len(data)
        return super().write(descriptor, data[:1000])  # short writes are everyday here

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        self.hangs.wait()
        _raise(self.sync_error)
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        _raise(self.directory_error, path)
        super().sync_directory(path)

    def space(self, directory: Path) -> Space:
        return self.free or super().space(directory)


def _raise(number: int | None, path: Path | None = None) -> None:
    if number is not None:
        raise OSError(number, os.strerror(number), str(path))


references = ReferenceSource()


def entry(number: int = 0, **values: object) -> tuple[str, str]:
    return moment(1_795_521_600.0 + number), serialise(record(number, **values))


def record(number: int = 0, **values: object) -> dict[str, object]:
    return {"kind": "decision", "id": references(), "verdict": "permit", "number": number, **values}


def start_of(streams: list[str]) -> Callable[[tuple[Fence, ...]], Record]:
    return lambda fences: start_record(references(), version="0", pid=1, streams=streams, heads={}, fences=fences)


def opening(stream: str = "user-0", extra: Mapping[str, object] | None = None) -> Opening:
    def make(fences: tuple[Fence, ...]) -> tuple[str, str]:
        fenced = [fence.as_record() for fence in fences]
        start = start_of([stream])(fences)
        return moment(1_795_521_600.0), serialise({**start, **(extra or {}), "fenced": fenced})

    return make


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def make_writer(tmp_path: Path, disk: FaultyDisk) -> Callable[..., Writer]:
    def make(stream: str = "user-0", segment_bytes: int = 1 << 20, clock: Callable[[], float] = lambda: 0.0) -> Writer:
        return Writer(tmp_path, stream, segment_bytes, disk, clock)

    return make


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    make_keys(directory / "auditor.pem", directory / "pseudonym.toml", directory / "auditor")
    return directory


@pytest.fixture
def settings(tmp_path: Path, keys: Path) -> LedgerSettings:
    return LedgerSettings(tmp_path / "ledger", keys / "auditor.pem", keys / "pseudonym.toml", reserve_bytes=0)
