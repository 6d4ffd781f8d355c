"""Looks for inputs that break an invariant: `python -m fuzz [NAME …] --seconds N`. Needs atheris (`make fuzz` sees to it).

Each reader is fuzzed in a process of its own, from the kept corpus on. What found something new is kept, minimised to one input for
each feature; an input that broke an invariant is left in `fuzz/found/`, and the command exits 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.corpus import load, save

NAMES = ("requests", "responses", "targets", "frames", "openings", "certificates")
FOUND = Path(__file__).parent / "found"
MAX_BYTES = {"requests": 1024, "responses": 1024, "targets": 256, "frames": 512, "openings": 1024, "certificates": 2048}
"""Longest input in bytes: a breach that needs more is one of a limit, and those have tests of their own."""
KEPT_BYTES = 150_000
"""Of one reader's corpus in the repository: the smallest inputs that together are under it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(NAMES)}; default all")
    parser.add_argument("--seconds", type=int, default=60, help="for each of them; default 60")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(NAMES)}")
    return max([fuzz(name, arguments.seconds) for name in arguments.names or NAMES])


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one reader. Gives 1 when an invariant broke."""
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        inputs, merged, itself = (Path(directory, part) for part in ("inputs", "merged", "itself"))
        inputs.mkdir()
        merged.mkdir()
        itself.write_text(f'#!/bin/sh\nexec {sys.executable} -m fuzz.worker {name} {itself} "$@"\n')
        itself.chmod(0o700)
        for number, data in enumerate(load(name)):
            (inputs / str(number)).write_bytes(data)
        options = [
            f"-max_len={MAX_BYTES[name]}",
            "-timeout=20",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={FOUND}/{name}-",
        ]
        tokens = Path(__file__).parent / "corpus" / "tokens.dict"
        log = _run(
            itself, [f"-max_total_time={seconds}", f"-dict={tokens}", "-print_final_stats=1", *options, str(inputs)]
        )
        print(f"{name}: {_summary(log)}", flush=True)
        if "== ERROR" in log or "Uncaught Python exception" in log:
            print(log[-4000:], file=sys.stderr)
            return 1
        _run(itself, ["-merge=1", *options, str(merged), str(inputs)])
        save(name, _smallest([path.read_bytes() for path in merged.iterdir()]))
    return 0


def _run(itself: Path, options: list[str]) -> str:
    done = subprocess.run(
        [itself, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def _summary(log: str) -> str:
    features = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", log)
    executions = re.search(r"number_of_executed_units: (\d+)", log)
    edges, found, kept = features[-1] if features else ("?", "?", "?")
    return f"{executions[1] if executions else '?'} executions, {edges} edges, {found} features, {kept} inputs"


def _smallest(inputs: list[bytes]) -> list[bytes]:
    kept, size = [], 0
    for data in sorted(inputs, key=len):
        size += len(data)
        if size > KEPT_BYTES:
            break
        kept.append(data)
    return kept


if __name__ == "__main__":
    sys.exit(main())
