"""Where the gateway's CPU time goes in one case of the bench: bench/profile.sh says more.

python -m bench.profiling [SECONDS]
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from bench import programs
from bench.cases import CASES
from bench.ours import start_gateway
from bench.peers import Server
from bench.processes import LOAD_CORE
from bench.stage import Stage, run_directory

SAMPLES_PER_SECOND = 200
SHOWN = 25
WARM_SECONDS = 3
LIBRARIES = 12
STACKS = programs.CACHE / "profile.txt"


def shares(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str], int]:
    """From stacks as `py-spy record --format raw` writes them (frames by `;`, then how often): samples in which each function was
    the innermost, in which it was anywhere, and all."""
    own: Counter[str] = Counter()
    anywhere: Counter[str] = Counter()
    total = 0
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        # The same function from two lines of its own is one function.
        names = [frame.rpartition(":")[0] + ")" if ":" in frame else frame for frame in frames.split(";")]
        own[names[-1]] += int(count)
        for name in set(names):
            anywhere[name] += int(count)
        total += int(count)
    return own, anywhere, total


def table(own: Counter[str], anywhere: Counter[str], total: int) -> str:
    """Markdown: the functions that use most themselves."""
    rows = [
        f"| `{name}` | {count / total:.1%} | {anywhere[name] / total:.1%} |" for name, count in own.most_common(SHOWN)
    ]
    return "\n".join(("| function | itself | with what it calls |", "|---|---|---|", *rows))


def libraries(directory: Path, server: Server, load: Callable[[float], object], seconds: int) -> str:
    """Markdown: the parts of CPU time by library and kernel, as perf samples them; empty where there is no perf."""
    if shutil.which("perf") is None:
        return "(apt install linux-perf shows the time in libraries and kernel, too)"
    data = str(directory / "perf.data")
    # cpu-clock is there on virtual machines, too, which count no cycles.
    record = ["perf", "record", "--event", "cpu-clock", "--pid", str(server.process.pid), "--output", data, "--", "sleep", str(seconds)]  # fmt: skip
    with subprocess.Popen(["taskset", "-c", str(LOAD_CORE), *record], stderr=subprocess.DEVNULL) as perf:
        load(seconds + 1)
        perf.wait()
    show = ["perf", "report", "--stdio", "--sort", "dso", "--input", data]
    said = subprocess.run(show, check=False, capture_output=True, text=True).stdout
    rows = [f"| {share} | `{name}` |" for share, name in re.findall(r"^\s+(\d+\.\d+%)\s+(\S+)", said, re.MULTILINE)]
    return "\n".join(("| CPU time | in |", "|---|---|", *rows[:LIBRARIES]))


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    case = next(case for case in CASES if case.name == (sys.argv[2] if len(sys.argv) > 2 else CASES[0].name))
    programs.install("py-spy")
    with run_directory() as directory, ExitStack() as stack:
        stage = Stage(directory, stack)
        server = start_gateway(stage.world, directory)
        stack.callback(server.process.stop)

        def load(seconds: float) -> dict[str, float]:
            return case.run(stage.loader, server, seconds)

        load(WARM_SECONDS)
        found = load(seconds)
        command = [programs.program("py-spy"), "record", "--pid", str(server.process.pid), "--nonblocking", "--format", "raw", "--rate",
                   str(SAMPLES_PER_SECOND), "--duration", str(seconds), "--output", str(STACKS)]  # fmt: skip
        with subprocess.Popen(["taskset", "-c", str(LOAD_CORE), *command], stdout=subprocess.DEVNULL) as profiler:
            load(seconds + 2)
            if profiler.wait():
                sys.exit("bench: py-spy failed; it said why above")
        by_library = libraries(directory, server, load, seconds)
    print(f"{case.name}: {found['cpu']:.0f} µs CPU each, {found['rate']:.0f} {case.unit}/s\n")
    print(table(*shares(STACKS.read_text("utf-8").splitlines())))
    print(f"\n{by_library}")


if __name__ == "__main__":
    main()
