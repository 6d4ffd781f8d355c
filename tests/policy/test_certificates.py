"""Server certificates: every fault is found and named, and what is made is accepted by a real TLS client."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.policy.certificates import DEV_VALIDITY, describe, inspect_server_certificate, make_dev_authority

NAMES = ["portal.localhost", "dossier.localhost"]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def faults(directory: Path, names: list[str] | None = None, now: datetime = NOW) -> list[str]:
    found = inspect_server_certificate(directory / "server.pem", directory / "server.key", names or NAMES, now)
    return [str(fault).removeprefix(f"{directory}/") for fault in found]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    make_dev_authority(tmp_path, NAMES, NOW)
    return tmp_path


def test_what_is_made_is_faultless_and_complete(made: Path) -> None:
    assert faults(made) == []
    assert sorted(path.name for path in made.iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert (made / "server.key").stat().st_mode & 0o777 == 0o600


def test_the_key_is_private_under_any_umask_and_after_replacement(made: Path) -> None:
    (made / "server.key").chmod(0o644)
    make_dev_authority(made, NAMES, NOW)
    assert (made / "server.key").stat().st_mode & 0o777 == 0o600
    assert faults(made) == []


def test_a_real_client_that_trusts_the_authority_connects(tmp_path: Path) -> None:
    made = make_dev_authority(tmp_path, [*NAMES, "*.gateway.test"], datetime.now(UTC))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.server_pem, made.server_key)
    client = ssl.create_default_context(cafile=made.ca_pem)
    if hasattr(ssl, "VERIFY_X509_STRICT"):
        client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    for name, reached in [("portal.localhost", True), ("one.gateway.test", True), ("other.localhost", False)]:
        near, far = socket.socketpair()
        with near, far:

            def serve(far: socket.socket = far) -> None:
                with contextlib.suppress(OSError):  # the client goes away, as it should for a name that is not covered
                    server.wrap_socket(far, server_side=True).close()

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                client.wrap_socket(near, server_hostname=name).close()
                assert reached
            except ssl.SSLCertVerificationError:
                assert not reached
                near.close()
            thread.join(5)


def test_the_authority_can_sign_nothing_more(made: Path) -> None:
    """Its key is nowhere: whoever reads the directory cannot make a certificate that this browser trusts."""
    ca = x509.load_pem_x509_certificate((made / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((made / "server.key").read_bytes(), None)
    assert key.public_key() != ca.public_key()
    constraints = x509.load_pem_x509_certificate((made / "server.pem").read_bytes()).extensions
    assert constraints.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_without_names_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        make_dev_authority(tmp_path / "certs", [], NOW)
    assert not (tmp_path / "certs").exists()


def test_a_failed_write_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "server.pem").mkdir()
    (tmp_path / "server.pem" / "in the way").touch()
    with pytest.raises(OSError, match=r"server\.pem"):
        make_dev_authority(tmp_path, NAMES, NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.key", "server.pem"]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (NOW - timedelta(hours=1), []),
        (NOW - timedelta(hours=1, seconds=1), ["it is not valid before 2026-03-01 11:00 UTC"]),
        (NOW + DEV_VALIDITY, []),
        (NOW + DEV_VALIDITY + timedelta(seconds=1), ["it expired on 2027-03-01 12:00 UTC"]),
    ],
)
def test_dates(made: Path, at: datetime, found: list[str]) -> None:
    assert [line.split(": ", 2)[2].split(". ")[0] for line in faults(made, now=at)] == found


@pytest.mark.parametrize(
    ("patterns", "name", "covered"),
    [
        (["a.example"], "a.example", True),
        (["a.example"], "A.Example", True),
        (["A.example"], "a.example", True),
        (["a.example"], "b.example", False),
        (["*.example"], "a.example", True),
        (["*.example"], "a.b.example", False),
        (["*.example"], "example", False),
        (["*.example"], ".example", False),
        (["b.example", "a.example"], "a.example", True),
    ],
)
def test_names(tmp_path: Path, patterns: list[str], name: str, covered: bool) -> None:
    make_dev_authority(tmp_path, patterns, NOW)
    lines = [line.split(". ")[0] for line in faults(tmp_path, [name])]
    assert lines == ([] if covered else [f"server.pem: certificate 1: it does not cover {name}"])


def test_missing_files_are_both_named(tmp_path: Path) -> None:
    lines = faults(tmp_path)
    assert [line.split(". ")[0] for line in lines] == [
        "server.key: the private key is missing",
        "server.pem: the certificate is missing",
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_can_read(made: Path, mode: int) -> None:
    (made / "server.key").chmod(mode)
    key = made / "server.key"
    assert faults(made) == [f"server.key: others can read the private key (mode {mode:04o}). Run: chmod 600 {key}"]


def test_a_key_of_another_certificate(made: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = make_dev_authority(tmp_path_factory.mktemp("other"), NAMES, NOW)
    other.server_key.replace(made / "server.key")
    assert faults(made) == [
        "server.key: the private key does not fit server.pem. Put the key of this certificate there",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_is_no_certificate(made: Path, content: bytes) -> None:
    (made / "server.pem").write_bytes(content)
    assert [line.split(". ")[0] for line in faults(made)] == ["server.pem: this is not a certificate in PEM form"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key(made: Path, content: bytes) -> None:
    (made / "server.key").write_bytes(content)
    assert [line.split(". ")[0] for line in faults(made)] == ["server.key: this is not a private key in PEM form"]


def test_an_encrypted_key(made: Path) -> None:
    key = serialization.load_pem_private_key((made / "server.key").read_bytes(), None)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (made / "server.key").write_bytes(key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret")))
    assert [line.split(". ")[0] for line in faults(made)] == ["server.key: the private key is encrypted"]


def test_files_that_are_directories(made: Path) -> None:
    for name in ("server.pem", "server.key"):
        (made / name).unlink()
        (made / name).mkdir(mode=0o700)
    assert [line.split(". ")[0] for line in faults(made)] == [
        "server.key: the private key cannot be read (Is a directory)",
        "server.pem: the certificate cannot be read (Is a directory)",
    ]


def test_a_chain_out_of_order(made: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    leaf, ca = (made / "server.pem").read_bytes(), (made / "ca.pem").read_bytes()
    (made / "server.pem").write_bytes(leaf + ca)
    assert faults(made) == []
    stranger = make_dev_authority(tmp_path_factory.mktemp("stranger"), NAMES, NOW).ca_pem.read_bytes()
    (made / "server.pem").write_bytes(leaf + stranger)
    assert [line.split(". ")[0] for line in faults(made)] == [
        "server.pem: certificate 2: it is not the issuer of certificate 1"
    ]


def test_a_certificate_for_clients_is_not_for_a_server(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal.localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "server.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "server.key").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    (tmp_path / "server.key").chmod(0o600)
    assert [line.split(". ")[0] for line in faults(tmp_path, ["portal.localhost"])] == [
        "server.pem: certificate 1: it is not meant for a server (extended key usage without serverAuth)",
        "server.pem: certificate 1: it does not cover portal.localhost",  # a common name is no name (RFC 9525)
    ]


def test_describe(made: Path) -> None:
    said = describe(made / "server.pem", NOW + timedelta(days=25)).as_dict()
    assert said["names"] == NAMES
    assert said["days_left"] == 340
    assert said["key"] == "EC secp256r1"
    assert said["not_after"] == "2027-03-01T12:00:00+00:00"
    assert len(str(said["fingerprint_sha256"])) == 64
