"""`gateway certs`: certificates are made for a configuration as it stands, and a real one is never replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from gateway.cli.certs import app
from gateway.credentials.certificate_chain import key_fingerprint

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


# --- a card's


PUBLIC = Path(__file__).parents[1] / "credentials" / "eid"


@pytest.fixture
def with_cards(config: Path) -> Path:
    """Cards of the published test root are taken, as in the tests only."""
    authorities = config / "certs" / "eid"
    authorities.mkdir(parents=True)
    for name in ("test-ec-root-ca.pem", "test-ec-citizen-ca.pem"):
        (authorities / name).write_bytes((PUBLIC / name).read_bytes())
    root = key_fingerprint(x509.load_pem_x509_certificate((PUBLIC / "test-ec-root-ca.pem").read_bytes()))
    eid = f'[eid]\nunsafe_test_roots = ["{root}"]\n'
    (config / "gateway.toml").write_text(SETTINGS + eid)
    return config


def _verify(config: Path, *words: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, ["verify", *words, "--config", str(config), "--json"])
    return result.exit_code, json.loads(result.output)


def test_a_card_is_accepted_in_its_time(with_cards: Path) -> None:
    code, said = _verify(with_cards, str(PUBLIC / "nora-ecc.der"), "--at", "2024-06-15")
    assert (code, said["accepted"], said["kind"]) == (0, True, "citizen"), said
    assert "01050399864" not in str(said)


def test_the_step_that_refuses_a_card_is_said(with_cards: Path) -> None:
    code, said = _verify(with_cards, str(PUBLIC / "nora-ecc.der"), "--at", "2044-06-15")
    assert (code, said["accepted"]) == (1, False)
    assert (said["reason"], said["step"]) == ("certificate_expired", "validity")
    code, said = _verify(with_cards, str(PUBLIC / "test-ec-citizen-ca.pem"), "--at", "2024-06-15")
    assert (code, said["reason"]) == (1, "certificate_wrong_type"), said


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_said(with_cards: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "card"
    file.write_bytes(content)
    result = CliRunner().invoke(app, ["verify", str(file), "--config", str(with_cards)])
    assert result.exit_code in (1, 2)
    assert "read" in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_before_there_is_a_door_for_cards_one_can_be_tried(with_cards: Path) -> None:
    settings = with_cards / "gateway.toml"
    settings.write_text(settings.read_text().replace('channel = "eid"', 'channel = "user"'))
    code, said = _verify(with_cards, str(PUBLIC / "nora-ecc.der"), "--at", "2024-06-15")
    assert (code, said["accepted"]) == (0, True), said


def test_without_authorities_none_can_be_tried(config: Path) -> None:
    code, said = _verify(config, str(PUBLIC / "nora-ecc.der"))
    assert code == 2
    assert "eid.authorities" in str(said)
