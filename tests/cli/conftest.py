"""Commands on a configuration that `gateway init` made: real files, real database, real ledger."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import records
from gateway.cli.init import make_configuration
from gateway.policy.container import archive, root_name
from gateway.policy.files import read_files
from gateway.policy.release import load_release, note_release
from gateway.policy.settings import load_settings
from tests.policy.signers import DAY, first_root, release

INSZ, OTHER_INSZ = "85073003328", "17073003384"
NORTH, SOUTH = "0403019261", "0671516647"
PASSWORD = "een rare zin met paarse olifanten"
ACT = ["--act", "HO/2026/1", "--act-date", "2026-01-05", "--reason", "by letter"]
UNDER = ["--on-behalf-of", "1", "--reason", "asked"]

app = typer.Typer(pretty_exceptions_enable=False)
records.register(app)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("records") / "config"
    make_configuration(directory, time.time())
    return directory


def refused_in_place(config: Path) -> None:
    """Release 11, which two people signed, serves; and in its place lies something else by now."""
    now, file = time.time(), config / "gateway.toml"
    text = file.read_text()
    assert "\nunsafe_unsigned = true" in text
    file.write_text(text.replace("\nunsafe_unsigned = true", '\nrelease = "release.tar"'))
    roots = first_root("ab", now + 700 * DAY)
    (config / "root.json").write_bytes(roots[root_name(1)])
    place = config / "release.tar"
    place.write_bytes(archive(release(roots, "ab", now, number=11, files=read_files(config).files)))
    settings = load_settings(config)
    settings.state.mkdir(exist_ok=True)
    note_release(load_release(settings, now), settings)
    place.write_text("junk")


class Shell:
    """Runs commands on one configuration."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.ledger = config / "state" / "ledger"

    def run(self, *arguments: str, given: str | bytes = "") -> Result:
        command = [*arguments, "--config", str(self.config)]
        return CliRunner().invoke(app, command, input=given, catch_exceptions=False)

    def ok(self, *arguments: str, given: str = "") -> str:
        result = self.run(*arguments, given=given)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *arguments: str, given: str = "") -> Any:
        return json.loads(self.ok(*arguments, "--json", given=given))

    def lines(self) -> list[dict[str, Any]]:
        """The ledger's lines, oldest first."""
        found = [
            json.loads(line) for file in self.ledger.rglob("cli-*.jsonl") for line in file.read_text().splitlines()
        ]
        return sorted(found, key=lambda line: line["time"])


@pytest.fixture
def shell(made: Path, tmp_path: Path) -> Shell:
    shutil.copytree(made, tmp_path / "config")
    return Shell(tmp_path / "config")


@pytest.fixture(scope="module")
def staffed_once(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An administrator with mandate 1, and a user."""
    directory = tmp_path_factory.mktemp("staffed") / "config"
    shutil.copytree(made, directory)
    (directory / "roles.toml").write_text("")  # by the example An Jansen is the head official; here she is a user
    shell = Shell(directory)
    for name, insz, user_id in (("Ad Min", OTHER_INSZ, "admin01"), ("An Jansen", INSZ, "jansen01")):
        shell.ok("person", "add", "--name", name, "--insz-file", "-", *ACT, given=f"{insz}\n")
        shell.ok("user-id", "add", user_id, "--insz-file", "-", "--institution", NORTH, *ACT, given=insz)
    shell.ok("mandate", "add", "--person", "admin01", *ACT)
    return directory


@pytest.fixture
def staffed(staffed_once: Path, tmp_path: Path) -> Shell:
    shutil.copytree(staffed_once, tmp_path / "config")
    return Shell(tmp_path / "config")
