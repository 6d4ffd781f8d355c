"""The rounds: every case at every server in turn, all started anew for each round; then memory, then workers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench import ours
from bench.cases import CASES, HALF_LOAD, Figures, half_load, held_bytes
from bench.figures import Memory, Sample
from bench.load import Loader, LoadError
from bench.peers import BARE, CONFIGURATIONS, Server, start_bare, start_peer
from bench.report import COMPILED, OURS
from bench.stage import Stage

MEBI, KIBI = 1 << 20, 1 << 10
WARM_SECONDS = 2.0


class Rounds:
    """One run. `failures` says what could not be measured, and why."""

    def __init__(self, stage: Stage, rounds: int, seconds: float) -> None:
        self._stage, self._loader = stage, stage.loader
        self._rounds, self._seconds = rounds, seconds
        self.failures: list[str] = []

    def _makers(self) -> dict[str, Callable[[], Server]]:
        """How each server is started. All get the fields of a person who is signed in at the gateway."""
        gateway = ours.start_gateway(self._stage.world, self._stage.directory)
        gateway.process.stop()
        makers: dict[str, Callable[[], Server]] = {
            OURS: lambda: ours.start_gateway(self._stage.world, self._stage.directory),
            COMPILED: lambda: ours.start_gateway(self._stage.compiled, self._stage.directory, package=ours.COMPILED),
        }
        for name in CONFIGURATIONS:
            makers[name] = partial(start_peer, name, self._stage.ground, gateway.fields)
        makers[BARE] = partial(start_bare, self._stage.ground, gateway.fields)
        return makers

    # --- rounds -------------------------------------------------------------------------------------------------------

    def run(self) -> tuple[list[Sample], list[Memory]]:
        """Round by round every case at every server, all started anew; then memory, at servers of its own.

        Anew, because where the system puts a process's memory can cost it a tenth for as long as it lives, whichever program it is.
        """
        makers = self._makers()
        samples: list[Sample] = []
        for number in range(self._rounds):
            with ExitStack() as running:
                servers = []
                for make in makers.values():
                    server = make()
                    running.callback(server.process.stop)
                    servers.append(server)
                before = {server.name: server.process.memory_bytes() for server in servers}
                for server in servers:
                    self._loader.wrk(server, "/x", WARM_SECONDS)
                found = [
                    sample
                    for case in CASES
                    for turn in range(number * case.times, (number + 1) * case.times)
                    for sample in self._case(case.name, turn, servers, partial(self._run_case, case.run))
                ]
                rates = {one.server: one.figures["rate"] for one in found if one.case == CASES[0].name}
                samples += found + self._case(HALF_LOAD, number, servers, partial(self._half_load, rates))
                after = {server.name: server.process.memory_bytes() for server in servers}
        memory = []
        for name, make in makers.items():
            held = [self._held(make, kind) for kind in ("idle", "waiting")]
            memory.append(Memory(name, before[name] / MEBI, after[name] / MEBI, held[0] / KIBI, held[1] / KIBI))
        return samples, memory

    def _case(
        self, name: str, turn: int, servers: list[Server], run: Callable[[Server], dict[str, float]]
    ) -> list[Sample]:
        samples = []
        # Every second time the other way round, so that nobody always comes after the same neighbour.
        for server in servers if turn % 2 == 0 else reversed(servers):
            try:
                figures = run(server)
            except LoadError as error:
                self.failures.append(f"{name}, turn {turn + 1}, {server.name}: {_last_line(error)}")
                print(f"bench: {name}, turn {turn + 1}: {server.name}: failed: {error}", flush=True)
                continue
            samples.append(Sample(name, server.name, turn, figures))
            said = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"bench: {name}, turn {turn + 1}: {server.name}: {said}", flush=True)
        return samples

    def _run_case(self, run: Callable[[Loader, Server, float], Figures], server: Server) -> Figures:
        return run(self._loader, server, self._seconds)

    def _half_load(self, rates: dict[str, float], server: Server) -> Figures:
        if server.name not in rates:
            raise LoadError(f"{server.name} has no rate of its own in this round")
        return half_load(self._loader, server, self._seconds, rates[server.name])

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
                server = ours.start_gateway(self._stage.world, self._stage.directory, workers=count, core=None)
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
