"""`gateway certs`: certificates are made for a configuration as it stands, and a real one is never replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.certs import app

SETTINGS = """
[portal]
host = "portal.localhost"
help_desk = "02 000 00 00"
privacy_url = "https://example.org/privacy"
accessibility_url = "https://example.org/accessibility"
fault_report = "help@example.org"
[[listener]]
channel = "user"
address = "127.0.0.1:8443"
names = ["portal.localhost", "dossier.localhost"]
certificate = "certs/server.pem"
[[listener]]
channel = "eid"
address = "127.0.0.1:8444"
names = ["eid.localhost"]
certificate = ["certs/server.pem", "certs/eid.pem"]
[[listener]]
channel = "plain"
address = "127.0.0.1:8080"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(SETTINGS)
    return tmp_path


def gateway(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_made_then_shown(config: Path) -> None:
    status, said, _ = gateway("dev", "--config", str(config), "--json")
    assert status == 0
    certs = config / "certs"
    assert json.loads(said) == {
        "ca": str(certs / "ca.pem"),
        "certificates": [str(certs / "server.pem"), str(certs / "eid.pem")],
    }
    assert sorted(path.name for path in certs.iterdir()) == ["ca.pem", "eid.key", "eid.pem", "server.key", "server.pem"]

    status, said, _ = gateway("show", "--config", str(config), "--json")
    assert status == 0
    shown = json.loads(said)
    assert shown["faults"] == []
    assert [one["names"] for one in shown["certificates"]] == [
        ["portal.localhost", "dossier.localhost", "eid.localhost"],
        ["eid.localhost"],
    ]


def test_for_people(config: Path) -> None:
    _, said, _ = gateway("dev", "--config", str(config))
    assert "for portal.localhost, dossier.localhost, eid.localhost" in said
    status, said, _ = gateway("show", "--config", str(config))
    assert status == 0
    assert "364 days left" in said


def test_show_tells_what_is_wrong_and_exits_1(config: Path) -> None:
    gateway("dev", "--config", str(config))
    (config / "certs" / "eid.key").chmod(0o644)
    (config / "certs" / "server.pem").unlink()
    status, said, faults = gateway("show", "--config", str(config))
    assert status == 1
    assert "eid.pem" in said
    assert [line.removeprefix(f"fault: {config}/certs/").split(". ")[0] for line in faults.splitlines()] == [
        "server.pem: the certificate is missing",
        "eid.key: others can read the private key (mode 0644)",
    ]
    status, said, _ = gateway("show", "--config", str(config), "--json")
    assert status == 1
    assert [fault["what"] for fault in json.loads(said)["faults"]][:1] == ["the certificate is missing"]


@pytest.mark.parametrize("key_alone", [False, True])
def test_dev_renews_its_own_and_keeps_every_other(config: Path, key_alone: bool) -> None:
    gateway("dev", "--config", str(config))
    first = (config / "certs" / "server.pem").read_bytes()
    assert gateway("dev", "--config", str(config))[0] == 0
    assert (config / "certs" / "server.pem").read_bytes() != first

    if key_alone:
        (config / "certs" / "eid.pem").unlink()
    else:
        (config / "certs" / "eid.pem").write_text("the chain that an issuer delivered")
    before = {path.name: path.read_bytes() for path in (config / "certs").iterdir()}
    status, _, said = gateway("dev", "--config", str(config))
    assert (status, "was not made by this command and is kept" in said) == (1, True)
    assert {path.name: path.read_bytes() for path in (config / "certs").iterdir()} == before


@pytest.mark.parametrize("command", ["dev", "show"])
def test_without_a_configuration(tmp_path: Path, command: str) -> None:
    status, _, said = gateway(command, "--config", str(tmp_path))
    assert status == 1
    assert "gateway init" in said


def test_a_folder_that_cannot_be_written(config: Path) -> None:
    (config / "certs").write_text("a file where the folder should be")
    status, _, said = gateway("dev", "--config", str(config))
    assert status == 1
    assert said.startswith(f"{config}/certs: it cannot be written (File exists)")
