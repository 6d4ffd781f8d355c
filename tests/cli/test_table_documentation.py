"""docs/releases.md: every command block in it runs as it is written, in its order, and says what it says there."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import build
from gateway.cli.init import make_configuration
from gateway.policy import sealed_keys

PAGE = Path(__file__).resolve().parents[2] / "docs/releases.md"
TABLE = ("institutions", "transactions", "authorisations", "regulation", "roles.toml")
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEYID = re.compile(r"^key ([0-9a-f]{64})$", re.MULTILINE)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_configuration(tmp_path / "config", time.time())
    (tmp_path / "config/state/ledger").mkdir(parents=True)
    (tmp_path / "table").mkdir()
    for name in TABLE:
        (tmp_path / "config" / name).rename(tmp_path / "table" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sealed_keys, "COST", 2)
    return tmp_path


def said_by(line: str) -> str:
    """By one line of a shell; a passphrase is typed where one is asked for."""
    said = ""
    for command in line.split(" && "):
        program, *words = shlex.split(command, comments=True)
        if program != "gateway":
            subprocess.run([program, *words], check=True)
            continue
        result = CliRunner().invoke(build(["table"]), words, input="several words of hers", prog_name="gateway")
        assert result.exit_code == 0, (command, result.output)
        said += result.stdout
    return said


def shape(line: str) -> str:
    """Without what is another each time."""
    return re.sub(r"[0-9a-f]{64}|\d{4}-\d\d-\d\d \d\d:\d\d|\d+ files", "…", line)


def test_every_block_runs_as_it_is_written(here: Path) -> None:
    text = PAGE.read_text("utf-8")
    (documented,) = KEYID.findall(text)
    ran, said, an = 0, "", documented
    for line in "".join(BLOCK.findall(text)).splitlines():
        if line.startswith("$ "):
            said = said_by(line.removeprefix("$ ").replace(documented, an))
            ran += 1
            if (found := KEYID.search(said)) and an == documented:
                an = found[1]
        else:
            assert shape(line) in map(shape, said.splitlines())
    assert ran >= 20
    assert (here / "release-3.tar").exists()
