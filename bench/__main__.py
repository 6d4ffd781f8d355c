"""make bench: the gateway beside real peers, in one interleaved run.

    .venv/bin/python -m bench [--quick]

The figures go into docs/performance.md, between its markers; a quick run (one round) only prints them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench import ours, programs
from bench.cases import CASES, HALF_LOAD
from bench.decision import QUICK_SIZES, SIZES, decision_costs
from bench.figures import Results
from bench.peers import CONFIGURATIONS, ORIGIN
from bench.report import Shown, place, report
from bench.rounds import Rounds
from bench.stage import Stage, run_directory

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
SHOWN = (
    *(Shown(case.name, case.unit, case.what) for case in CASES),
    Shown(
        HALF_LOAD,
        "requests",
        "GET, 13 bytes, at half of the server's own rate above: 64 connections, each waiting a random time before its next request (wrk)",
    ),
)


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


def _interpreter() -> str:
    """Which Python. Debian's is built with PGO and LTO; the same version without them is a tenth slower."""
    whose = "Debian's" if Path(sys.executable).resolve().parent == Path("/usr/bin") else "not Debian's"
    return f"{platform.python_implementation()} {platform.python_version()}, {whose}"


def _versions() -> dict[str, str]:
    found = {"gateway": f"this tree, {_interpreter()}"}
    return found | {name: programs.version(name) for name in ("nginx", "envoy", "caddy", "haproxy", "wrk", "curl")}


def _configurations(world: ours.World) -> dict[str, str]:
    found = {"origin.conf: the origin and the authorisation server": ORIGIN}
    found |= {f"{file}: {name}": text for name, (file, text) in CONFIGURATIONS.items()}
    found = {name: text.replace("{{", "{").replace("}}", "}") for name, text in found.items()}
    return found | {"gateway.toml": (world.config / "gateway.toml").read_text("utf-8")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; prints the figures and writes no page")
    quick = parser.parse_args().quick
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: two cores are needed, one for the server and one for load and origin")
    programs.install()
    rounds, seconds = (1, 2.0) if quick else (5, 2.0)
    with run_directory() as directory, ExitStack() as stack:
        stage = Stage(directory, stack)
        run = Rounds(stage, rounds, seconds)
        samples, memory = run.run()
        workers = run.workers()
        decisions = decision_costs(stage.world, directory, QUICK_SIZES if quick else SIZES)
        results = Results(
            _machine(), _versions(), rounds, seconds, tuple(samples), tuple(memory), tuple(decisions), tuple(workers),
            _configurations(stage.world), tuple(run.failures),
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
