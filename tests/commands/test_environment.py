"""`scripts/environment`: what a fresh machine may lack is said in one line, and a broken attempt is repaired."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def prepare(project: Path, python: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    (project / "scripts").mkdir(exist_ok=True)
    shutil.copy(ROOT / "scripts" / "environment", project / "scripts")
    return subprocess.run(
        [str(project / "scripts" / "environment"), "requirements.lock"],
        env={**os.environ, "PYTHON": python or sys.executable, **environment},
        text=True,
        capture_output=True,
        check=False,
    )


def interpreter(project: Path, script: str) -> str:
    """A python3 of our own making."""
    path = project / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('if [ "$1" = -V ]; then echo Python 3.9.2; else exit 1; fi', "is 3.9.2, 3.11 or newer is needed"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt install python3-venv"),
        ('case "$2" in venv) echo "Error: No space left on device"; exit 1;; esac', "No space left on device"),
    ],
)
def test_what_is_missing_is_one_line(project: Path, script: str, said: str) -> None:
    done = prepare(project, interpreter(project, script))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_no_python_at_all(project: Path) -> None:
    done = prepare(project, "/nonexistent/python3")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "apt install python3 python3-venv" in done.stderr


def test_no_lock_file(project: Path) -> None:
    (project / "requirements.lock").unlink()
    done = prepare(project)
    assert (done.returncode, done.stderr) == (1, "environment: requirements.lock is missing; make it with: make lock\n")


def test_a_half_made_environment_is_made_anew_and_a_failing_install_names_its_cause(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to("/nonexistent/python3")
    (project / "requirements.lock").write_text("no-such-package==1 --hash=sha256:" + "0" * 64 + "\n")
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project)}
    done = prepare(project, **offline)
    assert done.returncode == 1
    assert ".venv is not usable, making it anew" in done.stdout
    assert (project / ".venv" / "bin" / "python").exists()
    assert len(done.stderr.splitlines()) == 1
    assert "no-such-package" in done.stderr
    assert "is the package index reachable?" in done.stderr
    again = prepare(project, **offline)
    assert "making" not in again.stdout


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_pin_and_hash_everything_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = [block for block in text.split("\n") if block and not block.startswith((" ", "#"))]
    assert packages
    assert all("==" in package and package.endswith("\\") for package in packages)
    assert "://" not in text


def test_what_serves_is_what_was_tested() -> None:
    def pins(lock: str) -> set[str]:
        return {line.split(" ")[0] for line in (ROOT / lock).read_text().splitlines() if line[:1].isalpha()}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")
