from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import check, init
from gateway.errors import ConfigurationError
from gateway.ledger.keys import load_keys
from gateway.policy.settings import load_settings


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    init.register(app)
    check.register(app)
    return app


def test_what_init_writes_passes_check(app: typer.Typer, tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    result = CliRunner().invoke(app, ["init", str(directory)])
    assert result.exit_code == 0, result.output
    assert "to the auditor and take them off this machine" in result.output
    assert CliRunner().invoke(app, ["check", "--config", str(directory)]).exit_code == 0
    assert {entry.name for entry in (tmp_path / "a").iterdir()} == {"b"}
    settings = load_settings(directory)
    load_keys(settings.ledger.auditor_public_key, settings.ledger.pseudonym_key)
    for path in [*(directory / "keys").iterdir(), *(directory / "auditor").iterdir(), *directory.glob("certs/*.key")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert settings.state.stat().st_mode & 0o777 == 0o700
    assert settings.records.database.stat().st_mode & 0o077 == 0


def test_init_into_an_empty_directory(app: typer.Typer, tmp_path: Path) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()
    result = CliRunner().invoke(app, ["init", str(directory), "--json"])
    assert result.exit_code == 0
    said = json.loads(result.output)
    assert said["config"] == str(directory)
    assert "certs/server.pem" in said["made"]
    assert (directory / "gateway.toml").is_file()


def test_init_never_touches_what_is_there(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)
    assert "is not empty" in str(result.exception)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_init_leaves_nothing_behind_when_it_fails(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(init, "make_missing_keys", fails)
    result = CliRunner().invoke(app, ["init", str(tmp_path / "x")])
    assert isinstance(result.exception, ConfigurationError)
    assert "No space left" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_init_keys_makes_only_what_is_missing(app: typer.Typer, tmp_path: Path) -> None:
    """As in a fresh clone, whose config/ has no keys."""
    directory = tmp_path / "config"
    CliRunner().invoke(app, ["init", str(directory)])
    for name in ("keys", "certs", "state", "auditor"):
        shutil.rmtree(directory / name)
    assert CliRunner().invoke(app, ["check", "--config", str(directory)]).exit_code == 1
    result = CliRunner().invoke(app, ["init", "--keys", str(directory)])
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(app, ["check", "--config", str(directory)]).exit_code == 0
    secret = (directory / "keys/gateway.key").read_bytes()
    result = CliRunner().invoke(app, ["init", "--keys", "--json", str(directory)])
    assert json.loads(result.output)["made"] == []
    assert (directory / "keys/gateway.key").read_bytes() == secret
