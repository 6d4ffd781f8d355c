"""What the bench measures, as values: the cases and their figures. Pure; the report is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One case at one server in one turn: a case has one or more in each round. Which figures there are depends on the case:

    `rate` units a second; `cpu` microseconds of the server's CPU a unit; `server_core`, `load_core` how busy each core was
    (0 to 1); `p50`, `p99` milliseconds.
    """

    case: str
    server: str
    turn: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Memory:
    """A server's resident memory: MiB before its first request and after its round, KiB a connection that is idle or waits for its
    answer (of HELD at a time)."""

    server: str
    before_mib: float
    after_mib: float
    idle_kib: float
    waiting_kib: float


@dataclass(frozen=True, slots=True)
class DecisionCost:
    """Microseconds of one decision, alone and with its look-ups, in a table of so many designations and persons, and so many sessions;
    seconds, and CPU seconds, until `gateway serve` is ready, and its memory then in MiB."""

    designations: int
    persons: int
    sessions: int
    decide_us: float
    whole_us: float
    start_seconds: float
    start_cpu_seconds: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Results:
    """Everything of one run. `machine` and `versions` are words for the page; `configurations` are file name -> text;
    `failures` what could not be measured, and why."""

    machine: tuple[str, ...]
    versions: Mapping[str, str]
    rounds: int
    seconds: float
    samples: tuple[Sample, ...]
    memory: tuple[Memory, ...]
    decisions: tuple[DecisionCost, ...]
    workers: tuple[Sample, ...]
    configurations: Mapping[str, str]
    failures: tuple[str, ...] = ()
