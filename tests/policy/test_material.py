from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.policy import material
from gateway.policy.certificates import make_dev_authority
from gateway.policy.examine import examine
from gateway.policy.making import make_missing_keys, write_new
from gateway.policy.material import load_secret, require_material
from gateway.policy.settings import SettingsError, load_settings
from tests.policy.conftest import NOW

Edit = Callable[[str, str, str], None]
MOMENT = dt.datetime.fromtimestamp(NOW, dt.UTC)


def _faults(config: Path, now: float = NOW) -> list[tuple[str, str]]:
    return [(fault.file, fault.what) for fault in examine(config, now).faults]


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("certs/server.pem", "the certificate is missing"),
        ("certs/server.key", "the private key is missing"),
        ("keys/assertion.pem", "the key that signs assertions is missing"),
        ("keys/gateway.key", "the gateway's secret is missing"),
        ("keys/records.key", "the key of the records is missing"),
        ("keys/pseudonym.key", "the key of the pseudonyms is missing"),
        ("keys/auditor.pub", "the auditor's public key is missing"),
    ],
)
def test_a_missing_file_stops_the_start(config: Path, file: str, what: str) -> None:
    (config / file).unlink()
    assert _faults(config) == [(file, what)]
    with pytest.raises(SettingsError, match=what):
        require_material(load_settings(config), NOW)


@pytest.mark.parametrize(
    "file", ["certs/server.key", "keys/assertion.pem", "keys/gateway.key", "keys/records.key", "keys/pseudonym.key"]
)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
def test_a_key_that_others_can_read_or_write(config: Path, file: str, mode: int) -> None:
    (config / file).chmod(mode)
    ((name, what),) = _faults(config)
    assert name == file
    assert f"(mode {mode:04o})" in what


@pytest.mark.parametrize(
    "file", ["keys/assertion.pem", "keys/gateway.key", "keys/records.key", "certs/server.key", "certs/server.pem"]
)
def test_a_key_that_is_none(config: Path, file: str) -> None:
    (config / file).write_bytes(b"x" * 64)
    ((name, what),) = _faults(config)
    assert name == file
    assert what.startswith("this is not")


def test_an_assertion_key_of_another_curve(config: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    (config / "keys/assertion.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert [name for name, _ in _faults(config)] == ["keys/assertion.pem"]


def test_a_directory_in_place_of_a_key(config: Path) -> None:
    (config / "keys/gateway.key").unlink()
    (config / "keys/gateway.key").mkdir(mode=0o700)
    ((name, what),) = _faults(config)
    assert name == "keys/gateway.key"
    assert "cannot be read" in what


def test_a_certificate_that_does_not_fit_its_key_or_has_expired(config: Path, tmp_path: Path) -> None:
    other = make_dev_authority(tmp_path / "other", ["portal.localhost"], MOMENT)
    shutil.copy(other.server_key, config / "certs/server.key")
    ((name, what),) = _faults(config)
    assert (name, "does not fit" in what) == ("certs/server.key", True)


def test_an_expired_certificate(config: Path) -> None:
    faults = _faults(config, NOW + 826 * 86400)
    assert ("certs/server.pem", True) in [(name, "expired" in what) for name, what in faults]


def test_a_certificate_that_ends_soon_is_warned_of(config: Path) -> None:
    assert not any("certs/server.pem" in warning for warning in examine(config, NOW + 790 * 86400).warnings)
    soon = [warning for warning in examine(config, NOW + 340 * 86400).warnings if "server.pem" in warning]
    assert soon == ["certs/server.pem expires in 25 days"]


def test_each_name_needs_a_certificate_that_covers_it(config: Path, edit: Edit, tmp_path: Path) -> None:
    edit("gateway.toml", '"pension.localhost"]', '"pension.localhost", "new.localhost"]')
    ((name, what),) = _faults(config)
    assert name == "certs/server.pem"
    assert what == "it does not cover new.localhost"
    second = make_dev_authority(tmp_path / "second", ["new.localhost"], MOMENT)
    edit(
        "gateway.toml", 'certificate = "certs/server.pem"', f'certificate = ["certs/server.pem", "{second.server_pem}"]'
    )
    assert _faults(config) == []


@pytest.fixture
def tls_origin(config: Path, edit: Edit, tmp_path: Path) -> Path:
    """The dossier's origin asks for a client certificate; gives the directory of the certificates."""
    made = make_dev_authority(config / "certs/origin", ["gateway.example"], MOMENT)
    edit(
        "transactions/dossier.toml",
        'url = "http://127.0.0.1:9001/app/"',
        'url = "https://origin.example/app/"\nca = "certs/origin/ca.pem"\nclient_certificate = "certs/origin/server.pem"\n'
        'client_key = "certs/origin/server.key"',
    )
    return made.ca_pem.parent


def _where(config: Path, now: float = NOW) -> list[tuple[str, str]]:
    return [(fault.file, fault.where) for fault in examine(config, now).faults]


def test_tls_towards_an_origin(config: Path, tls_origin: Path) -> None:
    found = examine(config, NOW)
    assert found.faults == []
    assert found.release is not None
    assert found.release.snapshot.transactions["dossier"].origin.ca == str(tls_origin / "ca.pem")


@pytest.mark.parametrize(
    ("file", "content", "where"),
    [
        ("ca.pem", None, "origin.ca"),
        ("ca.pem", b"x", "origin.ca"),
        ("server.pem", None, "origin.client_certificate"),
        ("server.pem", b"x", "origin.client_certificate"),
        ("server.key", b"x", "origin.client_key"),
    ],
)
def test_a_bad_file_for_tls_towards_an_origin(
    config: Path, tls_origin: Path, file: str, content: bytes | None, where: str
) -> None:
    (tls_origin / file).unlink()
    if content is not None:
        write_new(tls_origin / file, content)
    assert _where(config) == [("transactions/dossier.toml", where)]


def test_the_key_for_an_origin_is_nobody_elses_to_read(config: Path, tls_origin: Path) -> None:
    (tls_origin / "server.key").chmod(0o644)
    assert _where(config) == [("certs/origin/server.key", "")]


def test_expired_certificates_for_an_origin(config: Path, tls_origin: Path) -> None:
    make_dev_authority(config / "certs/origin", ["gateway.example"], MOMENT - dt.timedelta(days=1000))
    assert _where(config) == [
        ("transactions/dossier.toml", "origin.ca"),
        ("transactions/dossier.toml", "origin.client_certificate"),
    ]


def test_a_client_certificate_needs_its_key(config: Path, tls_origin: Path, edit: Edit) -> None:
    edit("transactions/dossier.toml", 'client_key = "certs/origin/server.key"', "")
    assert _where(config) == [("transactions/dossier.toml", "origin.client_key")]


def test_what_is_made_is_for_the_owner_only_and_never_made_again(config: Path) -> None:
    settings = load_settings(config)
    assert make_missing_keys(settings, NOW) == []
    before = load_secret(settings.keys.gateway)
    settings.records.key.unlink()
    assert make_missing_keys(settings, NOW) == [settings.records.key]
    assert settings.records.key.stat().st_mode & 0o777 == 0o600
    assert load_secret(settings.keys.gateway) == before
    settings.listeners[0].certificates[0].key.unlink()
    assert make_missing_keys(settings, NOW) == []


def test_a_new_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"one")
    with pytest.raises(FileExistsError) as error:
        write_new(path, b"two")
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_two_certificates_of_one_kind_for_a_name(config: Path, edit: Edit) -> None:
    """Which of them a client gets would be chance."""
    make_dev_authority(config / "certs/other", ["portal.localhost"], MOMENT)
    edit(
        "gateway.toml",
        'certificate = "certs/server.pem"',
        'certificate = ["certs/server.pem", "certs/other/server.pem"]',
    )
    what = "server.pem has a key of the same kind (EC) for portal.localhost"
    assert _faults(config) == [("certs/other/server.pem", what)]


def test_the_operators_port_has_no_balancer(config: Path, edit: Edit) -> None:
    edit("gateway.toml", "# unsafe_beyond_loopback = false", 'proxy_protocol_from = "10.0.0.0/8"')
    assert _faults(config) == [("gateway.toml", "the operator's listener has no load balancer before it")]


DIRECTORY = """
source = "ldap"
server = "ldaps://directory.example"
ca = "certs/directory.pem"
bind_dn = "cn=gateway,dc=org"
password_file = "keys/directory.password"
base = "dc=org"
filter = "(uid={user_id})"
attribute = "employeeType"
"""


def test_what_a_directory_of_roles_needs(config: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "find_spec", lambda name: None)
    edit("gateway.toml", "[roles]", f"[roles]{DIRECTORY}")
    ca, password = config / "certs/directory.pem", config / "keys/directory.password"
    assert {(file, what.split(" (")[0]) for file, what in _faults(config)} == {
        ("keys/directory.password", "the directory's password is missing"),
        ("certs/directory.pem", "there are no certificates in it"),
        ("gateway.toml", "the library for LDAP is not installed"),
    }
    monkeypatch.setattr(material, "find_spec", lambda name: name)
    shutil.copy(config / "certs/server.pem", ca)
    password.write_text("two\nlines")
    password.chmod(0o600)
    assert _faults(config) == [("keys/directory.password", "there is not one line with a password in it")]
    password.write_text("geheim\n")
    assert _faults(config) == []
    password.chmod(0o640)
    ((file, what),) = _faults(config)
    assert (file, "others can read" in what) == ("keys/directory.password", True)
