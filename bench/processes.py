"""Processes under measurement: started on one core, and what Linux counts of them and of the cores in /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SERVER_CORE, LOAD_CORE = 0, 1
"""One core for the server under test alone; the other for the load, the origin and the authorisation server."""

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0
"""More than any of them takes on a busy machine."""
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Process:
    """A started program; what it says goes to the file `log`."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def tree(self) -> list[int]:
        """This process and all its descendants."""
        found = [self.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def cpu_seconds(self) -> float:
        """User and system time that the process and its descendants have used."""
        return sum(_cpu_ticks(pid) for pid in self.tree()) / TICKS_PER_SECOND

    def memory_bytes(self) -> int:
        """Resident memory of the process and its descendants; a page that several share is counted once (PSS)."""
        return sum(_resident(pid) for pid in self.tree())

    def stop(self) -> None:
        """Asks it to end, and waits."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def start(
    name: str,
    command: Sequence[str],
    core: int | None,
    directory: Path,
    environment: dict[str, str] | None = None,
    stdout: IO[bytes] | None = None,
) -> Process:
    """Starts a program on one core (None: on all)."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    log = directory / f"{name}.log"
    with log.open("wb") as file:
        popen = subprocess.Popen(
            [*pinned, *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout or file,
            stderr=file,
            env=os.environ | (environment or {}),
        )
    return Process(name, popen, log)


def wait_for_port(process: Process, port: int) -> None:
    """Returns when something listens there. Raises RuntimeError with the end of its log when the process ended instead."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.popen.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.name} did not start: {process.log.read_text('utf-8', 'replace')[-2000:]}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Used:
    """What a measurement used: seconds of wall clock and of the server's CPU, and how busy each core was (0 to 1)."""

    seconds: float
    cpu_seconds: float
    server_core: float
    load_core: float


class Meter:
    """Counts from its making until `stop`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._cores = [_core_ticks(core) for core in (SERVER_CORE, LOAD_CORE)]
        self._cpu = process.cpu_seconds()
        self._begun = time.perf_counter()

    def stop(self) -> Used:
        seconds = time.perf_counter() - self._begun
        cpu = self._process.cpu_seconds() - self._cpu
        busy = []
        for core, (was_busy, was_all) in zip((SERVER_CORE, LOAD_CORE), self._cores, strict=True):
            is_busy, is_all = _core_ticks(core)
            busy.append((is_busy - was_busy) / max(is_all - was_all, 1))
        return Used(seconds, cpu, busy[0], busy[1])


def _core_ticks(core: int) -> tuple[int, int]:
    """Busy and all ticks of a core. Waiting for a disk is not busy; time that the host took away (steal) is nobody's."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, idle, waiting, interrupt, soft = (int(word) for word in line.split()[1:8])
    busy = user + nice + system + interrupt + soft
    return busy, busy + idle + waiting


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # a helper process that has just ended
        return 0
    return int(fields[11]) + int(fields[12])


def _resident(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024
