from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import check
from gateway.cli.check import ask_to_reload
from gateway.cli.init import make_configuration
from gateway.errors import ConfigurationError
from gateway.policy.settings import load_settings

NOW = 1_780_000_000.0


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    check.register(app)
    return app


@pytest.fixture
def config(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    make_configuration(directory, NOW)
    return directory


def test_a_good_configuration(app: typer.Typer, config: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == 0
    assert "2 institutions, 4 transactions, 4 authorisations, 5 roles, 1 regulation" in result.output
    assert "warning: table.unsafe_unsigned is true" in result.output
    said = json.loads(CliRunner().invoke(app, ["check", "--config", str(config), "--json"]).output)
    assert said["ok"] is True
    assert said["faults"] == []
    assert len(said["warnings"]) == 1
    assert said["counts"]["authorisations"] == 4
    assert f"table {said['hash']}" in result.output


def test_every_fault_is_printed_with_file_key_and_what_to_do(app: typer.Typer, config: Path) -> None:
    (config / "roles.toml").write_text("[[role]]\nrole = 1\n")
    (config / "keys/gateway.key").chmod(0o644)
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == 1
    assert "roles.toml: role[1].insz\n    it is missing\n" in result.stderr
    assert f"Run: chmod 600 {config}/keys/gateway.key" in result.stderr
    assert "7 faults" in result.stderr
    said = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    assert said.exit_code == 1
    faults = json.loads(said.stdout)["faults"]
    assert {"file": "keys/gateway.key", "where": "", "what": "others can read the gateway's secret (mode 0644)",
            "do": f"Run: chmod 600 {config}/keys/gateway.key"} in faults  # fmt: skip
    assert json.loads(said.stdout)["hash"] is None


def test_what_only_the_ledger_knows_of_its_keys(app: typer.Typer, config: Path) -> None:
    (config / "keys/auditor.pub").write_text("nothing")
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == 1
    assert "auditor.pub" in result.stderr


def test_a_directory_without_settings(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "gateway init" in result.stderr


GATEWAY = """
import json, os, pathlib, signal, sys
state, answer = pathlib.Path(sys.argv[2]), sys.argv[3]
def hang_up(*_):
    if answer:
        (state / "draft").write_text(answer)
        (state / "draft").replace(state / "reload.json")
signal.signal(signal.SIGHUP, hang_up)
(state / "gateway.pid").write_text(str(os.getpid()))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def answer() -> str:
    return json.dumps({"at": 0, "ok": True, "hash": "ab", "faults": []})


@pytest.fixture
def running(config: Path, answer: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers a SIGHUP as a gateway does."""
    state = load_settings(config).state
    with subprocess.Popen(
        [sys.executable, "-c", GATEWAY, "gateway", str(state), answer], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.stdin.close()
        process.wait(10)


@pytest.mark.usefixtures("running")
def test_reload_waits_for_the_answer(app: typer.Typer, config: Path) -> None:
    (load_settings(config).reload_file).write_text("an old answer")
    result = CliRunner().invoke(app, ["reload", "--config", str(config)])
    assert (result.exit_code, result.output) == (0, "loaded\ntable ab\n")


REFUSED = json.dumps(
    {"at": 0, "ok": False, "hash": "ab", "faults": [{"file": "f", "where": "w", "what": "x", "do": "y"}]}
)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("answer", [REFUSED])
def test_reload_tells_why_a_table_is_refused(app: typer.Typer, config: Path) -> None:
    result = CliRunner().invoke(app, ["reload", "--config", str(config)])
    assert result.exit_code == 1
    assert "f: w\n    x\n    y" in result.stderr
    assert "goes on with table ab" in result.stderr
    result = CliRunner().invoke(app, ["reload", "--config", str(config), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.output) == json.loads(REFUSED)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("answer", [""])
def test_a_gateway_that_does_not_answer(config: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"did not say within 0\.2 s"):
        ask_to_reload(load_settings(config), 0.2, lambda *_: None)


def test_no_gateway_runs(config: Path) -> None:
    settings = load_settings(config)
    sent: list[object] = []
    for content in (None, "", "nonsense", "999999999", "1"):
        if content is not None:
            settings.pid_file.write_text(content)
        with pytest.raises(ConfigurationError, match="no gateway runs"):
            ask_to_reload(settings, 0.1, lambda *arguments: sent.append(arguments))
    assert sent == []
