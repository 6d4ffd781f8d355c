"""kill -9 under load, a full disk and a file size limit: what was called durable is there, and verifies after each start."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import LedgerError
from gateway.ledger import Ledger, LedgerSettings
from gateway.ledger.reading import read_lines
from gateway.ledger.segments import find_segments
from gateway.ledger.verify import verify
from tests.ledger.conftest import record

CHILD = Path(__file__).with_name("crash_child.py")


def test_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path, keys: Path, soak: bool) -> None:
    directory = tmp_path / "ledger"
    chance = random.Random(20261124)
    acknowledged: set[int] = set()
    for round_ in range(100 if soak else 5):
        acknowledged |= run_and_kill(directory, keys, round_ * 1_000_000, chance.uniform(0.05, 0.4))
        in_file = {line["number"] for line in read_lines(find_segments(directory)["user-0"]) if "number" in line}
        assert acknowledged <= in_file
        torn = [path for path in directory.glob("*/*.jsonl") if path.read_bytes()[-1:] not in (b"", b"\n")]
        assert len(torn) <= round_ + 1, "at most one torn tail a crash"
        asyncio.run(start_and_stop(directory, keys))
        report = verify(directory)
        assert list(report.all_faults()) == []
        assert report.exit_status == 0
    assert len(acknowledged) > 100


def run_and_kill(directory: Path, keys: Path, first: int, seconds: float) -> set[int]:
    command = [sys.executable, str(CHILD), str(directory), str(keys), str(first)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(command, stdout=told, env=environment)
        deadline = time.monotonic() + 20
        while os.fstat(told.fileno()).st_size == 0 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        told.seek(0)
        lines = told.read().split(b"\n")
    return {int(number) for number in lines[:-1]}


async def start_and_stop(directory: Path, keys: Path) -> None:
    settings = LedgerSettings(directory, keys / "auditor.pem", keys / "pseudonym.toml", reserve_bytes=0)
    ledger = Ledger.open(settings, 0, asyncio.get_running_loop())
    await ledger.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root; the limit of a file's size is tested below")
    target = tmp_path / "small"
    target.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(target)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system here: {mounted.stderr.decode().strip()}")
    yield target
    subprocess.run(["umount", str(target)], check=True)


async def test_a_full_disk_turns_away_and_comes_back_by_itself(small_disk: Path, settings: LedgerSettings) -> None:
    ledger = Ledger.open(replace(settings, directory=small_disk / "ledger"), 0, asyncio.get_running_loop())
    await ledger.user.write(record(0))
    ballast = small_disk / "ballast"
    fill(ballast)
    written, refused = 0, 0
    for number in range(1, 100):
        try:
            await ledger.user.write(record(number, padding="x" * 1000))
            written += 1
        except LedgerError:
            refused += 1
    assert refused > 50
    assert not ledger.healthy
    assert "No space left" in ledger.reasons()[0]
    ballast.unlink()
    await recovered(ledger)
    await ledger.user.write(record(1000))
    await ledger.close()
    lines = list(read_lines(find_segments(small_disk / "ledger")["user-0"]))
    assert len([line for line in lines if line["kind"] == "decision"]) == written + 2
    assert sum(line["turned_away"] for line in lines if line["kind"] == "gap") == refused
    assert verify(small_disk / "ledger").exit_status == 0


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


async def recovered(ledger: Ledger) -> None:
    async with asyncio.timeout(10):
        while not ledger.healthy:  # noqa: ASYNC110 - it comes back by itself, without telling anybody
            await asyncio.sleep(0.05)


async def test_a_limit_on_a_files_size_moves_on_to_the_next_segment(settings: LedgerSettings) -> None:
    """EFBIG comes in the middle of a line: a real short write."""
    ledger = Ledger.open(settings, 0, asyncio.get_running_loop())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        for number in range(300):
            await ledger.user.write(record(number, padding="x" * 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    await ledger.close()
    segments = find_segments(settings.directory)["user-0"]
    numbers = [line["number"] for line in read_lines(segments) if line["kind"] == "decision"]
    assert numbers == list(range(300))
    assert len(segments) > 3
    report = verify(settings.directory)
    assert report.exit_status == 0
    assert [note for stream in report.streams for note in stream.notes if "tail" in note]


async def test_two_gateways_on_one_directory(settings: LedgerSettings) -> None:
    """Also in one process: a lock belongs to an open file."""
    ledger = Ledger.open(settings, 0, asyncio.get_running_loop())
    with pytest.raises(LedgerError, match="Only one gateway may use a ledger directory"):
        Ledger.open(settings, 0, asyncio.get_running_loop())
    await ledger.user.write(record(0))
    await ledger.close()
    assert threading.active_count() < 10
    assert verify(settings.directory).exit_status == 0
