"""The systemd files say what systemd understands, and the unit stays as closed as its README claims."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd: apt install systemd")


def run(*command: str) -> str:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_unit_is_valid(tmp_path: Path) -> None:
    unit = tmp_path / "gateway.service"
    text = (DEPLOY / "gateway.service").read_text()
    unit.write_text(text.replace("/opt/gateway/bin/gateway", sys.executable))  # the command is not installed here
    assert run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)) == ""


def test_the_unit_is_as_closed_as_the_readme_says() -> None:
    said = re.search(r"security gateway` gives it (\d\.\d)", (DEPLOY / "README.md").read_text())
    assert said is not None
    output = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(DEPLOY / "gateway.service"))
    exposure = re.search(r"exposure level for gateway\.service: (\d+\.\d)", output)
    assert exposure is not None, output
    assert float(exposure[1]) <= float(said[1])


def test_every_path_of_the_unit_is_one_of_tmpfiles_or_its_own() -> None:
    unit = (DEPLOY / "gateway.service").read_text()
    made = re.findall(r"^d (\S+)", (DEPLOY / "tmpfiles.d" / "gateway.conf").read_text(), re.MULTILINE)
    assert "/etc/gateway" in made
    for path in re.findall(r"--config (\S+)|^WorkingDirectory=(\S+)", unit, re.MULTILINE):
        assert "".join(path) in made
