"""make bench: the gateway beside real peers, in one interleaved run.

    .venv/bin/python -m bench [--quick]

The figures go into docs/performance.md, between its markers; a quick run (two minutes, one round) only prints them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from bench import ours, programs
from bench.cases import CASES, DOWNLOAD_BYTES, HALF_LOAD, half_load, held_bytes
from bench.decision import decision_costs
from bench.figures import Memory, Results, Sample
from bench.load import Loader, LoadError
from bench.peers import CONFIGURATIONS, ORIGIN, Ground, Server, start_origin, start_peer
from bench.processes import LOAD_CORE, Process, free_port, start, wait_for_port
from bench.report import OURS, Shown, place, report

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
MEBI, KIBI = 1 << 20, 1 << 10
WARM_SECONDS = 2.0
SHOWN = (
    *(Shown(case.name, case.unit, case.what) for case in CASES),
    Shown(
        HALF_LOAD,
        "requests",
        "GET, 13 bytes, at half of the server's own rate above: 64 connections, each waiting a random time before its next request (wrk)",
    ),
)


class Bench:
    """One run: what stands around the servers, and the servers."""

    def __init__(self, directory: Path, stack: ExitStack, rounds: int, seconds: float) -> None:
        self._directory, self._stack = directory, stack
        self._rounds, self._seconds = rounds, seconds
        self.failures: list[str] = []
        files = directory / "files" / "files"
        files.mkdir(parents=True)
        (files / "64k").write_bytes(b"x" * (64 * KIBI))
        with (files / "large").open("wb") as large:
            large.truncate(DOWNLOAD_BYTES)
        origin, verdict, echo = (free_port() for _ in range(3))
        self.world = ours.build(directory, origin)
        self._ground = Ground(directory, self.world.certificate, self.world.key, self.world.host, origin, verdict, echo)
        self._keep(start_origin(self._ground))
        echoing = self._keep(start("echo", [sys.executable, "-m", "bench.echo", str(echo)], LOAD_CORE, directory))
        wait_for_port(echoing, echo)
        self._loader = Loader(directory, [self.world.host])

    def _keep(self, process: Process) -> Process:
        self._stack.callback(process.stop)
        return process

    def _makers(self) -> dict[str, Callable[[], Server]]:
        """How each server is started. All get the fields of a person who is signed in at the gateway."""
        gateway = ours.start_gateway(self.world, self._directory)
        gateway.process.stop()
        makers: dict[str, Callable[[], Server]] = {OURS: lambda: ours.start_gateway(self.world, self._directory)}
        for name in CONFIGURATIONS:
            makers[name] = lambda name=name: start_peer(name, self._ground, gateway.fields)  # type: ignore[misc]
        return makers

    # --- rounds -------------------------------------------------------------------------------------------------------

    def run(self) -> tuple[list[Sample], list[Memory]]:
        """Every case at every server, round by round, then memory at servers started anew."""
        makers = self._makers()
        servers = [make() for make in makers.values()]
        before = {server.name: server.process.memory_bytes() for server in servers}
        with ExitStack() as running:
            for server in servers:
                running.callback(server.process.stop)
                self._loader.wrk(server, "/x", WARM_SECONDS)
            samples: list[Sample] = []
            for case in CASES:
                samples += self._case(
                    case.name,
                    servers,
                    lambda server, run=case.run: run(self._loader, server, self._seconds),  # type: ignore[misc]
                )
            rates = _median_rates(samples)
            samples += self._case(
                HALF_LOAD,
                servers,
                lambda server: half_load(self._loader, server, self._seconds, rates[server.name]),
            )
            after = {server.name: server.process.memory_bytes() for server in servers}
        memory = []
        for name, make in makers.items():
            held = [self._held(make, kind) for kind in ("idle", "waiting")]
            memory.append(Memory(name, before[name] / MEBI, after[name] / MEBI, held[0] / KIBI, held[1] / KIBI))
        return samples, memory

    def _case(self, name: str, servers: list[Server], run: Callable[[Server], dict[str, float]]) -> list[Sample]:
        samples = []
        for number in range(self._rounds):
            # Every second round goes the other way round, so that nobody always comes after the same neighbour.
            for server in servers if number % 2 == 0 else reversed(servers):
                try:
                    figures = run(server)
                except LoadError as error:
                    self.failures.append(f"{name}, round {number + 1}, {server.name}: {_last_line(error)}")
                    print(f"bench: {name}, round {number + 1}: {server.name}: failed: {error}", flush=True)
                    continue
                samples.append(Sample(name, server.name, number, figures))
                said = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
                print(f"bench: {name}, round {number + 1}: {server.name}: {said}", flush=True)
        return samples

    def _held(self, make: Callable[[], Server], kind: str) -> float:
        server = make()
        try:
            self._loader.wrk(server, "/x", 1)
            found = held_bytes(self._loader, server, kind)
        finally:
            server.process.stop()
        print(f"bench: {kind} connections: {server.name}: {found / KIBI:.1f} KiB", flush=True)
        return found

    def workers(self) -> list[Sample]:
        """One worker and two, each allowed on both cores."""
        samples: list[Sample] = []
        for number in range(self._rounds):
            for count in (1, 2):
                server = ours.start_gateway(self.world, self._directory, workers=count, core=None)
                try:
                    self._loader.wrk(server, "/x", WARM_SECONDS)
                    found = self._loader.wrk(server, "/x", self._seconds)
                finally:
                    server.process.stop()
                cpu = found.used.cpu_seconds / found.requests * 1e6
                samples.append(Sample("workers", server.name, number, {"rate": found.rate, "cpu": cpu}))
                print(f"bench: {server.name}: {cpu:.1f} us CPU a request, {found.rate:.0f}/s", flush=True)
        return samples


def _last_line(error: LoadError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "rror" in line or "Non-2xx" in line]
    return lines[-1] if lines else str(error)[-200:]


def _median_rates(samples: list[Sample]) -> dict[str, float]:
    small = [sample for sample in samples if sample.case == CASES[0].name]
    return {sample.server: sample.figures["rate"] for sample in sorted(small, key=lambda one: one.figures["rate"])}


# ---------------------------------------------------------------------------------------------------------------- words
def _machine() -> tuple[str, ...]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}",
        "core 0: the server under test alone; core 1: load, origin and authorisation server",
    )


def _versions() -> dict[str, str]:
    found = {"gateway": f"this tree, {platform.python_implementation()} {platform.python_version()}"}
    return found | {name: programs.version(name) for name in ("nginx", "envoy", "caddy", "haproxy", "wrk", "curl")}


def _configurations(world: ours.World) -> dict[str, str]:
    found = {"origin.conf: the origin and the authorisation server": ORIGIN}
    found |= {f"{file}: {name}": text for name, (file, text) in CONFIGURATIONS.items()}
    found = {name: text.replace("{{", "{").replace("}}", "}") for name, text in found.items()}
    return found | {"gateway.toml": (world.config / "gateway.toml").read_text("utf-8")}


@contextmanager
def _directory() -> Iterator[Path]:
    """On the disk of the project, not in a /tmp that may be memory: the gateway's lines are durable, and that is part of its work."""
    programs.CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=programs.CACHE) as name:
        directory = Path(name)
        directory.chmod(0o755)  # nginx's worker runs as another user when root started it
        yield directory


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; prints the figures and writes no page")
    quick = parser.parse_args().quick
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: two cores are needed, one for the server and one for load and origin")
    programs.install()
    rounds, seconds = (1, 2.0) if quick else (5, 5.0)
    with _directory() as directory, ExitStack() as stack:
        bench = Bench(directory, stack, rounds, seconds)
        samples, memory = bench.run()
        workers = bench.workers()
        decisions = decision_costs(bench.world, directory)
        results = Results(
            _machine(), _versions(), rounds, seconds, tuple(samples), tuple(memory), tuple(decisions), tuple(workers),
            _configurations(bench.world), tuple(bench.failures),
        )  # fmt: skip
    (programs.CACHE / "results.json").write_text(json.dumps(asdict(results), indent=1), "utf-8")
    figures = report(results, SHOWN)
    print(figures)
    if quick:
        print("\nbench: a quick run: docs/performance.md stays as it is", flush=True)
        return
    draft = PAGE.with_suffix(".tmp")
    draft.write_text(place(PAGE.read_text("utf-8"), figures), "utf-8")
    draft.replace(PAGE)
    print(f"\nbench: wrote {PAGE.name}", flush=True)


if __name__ == "__main__":
    main()
