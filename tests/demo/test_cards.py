"""The demo's cards: files that a browser and OpenSSL take, and that are read again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from gateway.demo.cards import Issued, make_tree

NOW = 1_767_225_600.0
TREE = make_tree(NOW)
CARD = TREE.card("85073003328", "Jan", "Janssens", NOW).signed_by(TREE.citizen)


def test_what_is_written_is_read_again() -> None:
    again = Issued.read(CARD.pem())
    assert (again.der, again.fingerprint) == (CARD.der, CARD.fingerprint)
    assert again.key.private_numbers() == CARD.key.private_numbers()
    assert "PRIVATE" not in repr(CARD)


def test_a_key_of_another_kind_is_not_read() -> None:
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError, match="another kind"):
        Issued.read(CARD.certificate.public_bytes(Encoding.PEM) + key)


@pytest.mark.parametrize("authorities", [(), (TREE.citizen, TREE.root)], ids=["alone", "with authorities"])
def test_a_file_for_a_browser(authorities: tuple[Issued, ...]) -> None:
    content = CARD.pkcs12("Jan Janssens", "1234", authorities)
    found = pkcs12.load_pkcs12(content, b"1234")
    assert found.cert is not None
    assert (found.cert.certificate, found.cert.friendly_name) == (CARD.certificate, b"Jan Janssens")
    assert [each.certificate for each in found.additional_certs] == [each.certificate for each in authorities]
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(content, b"4321")


def test_openssl_finds_the_path_too(tmp_path: Path) -> None:
    for name, issued in (("root", TREE.root), ("citizen", TREE.citizen), ("card", CARD)):
        (tmp_path / f"{name}.pem").write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    command = f"openssl verify -attime {NOW:.0f} -x509_strict -CAfile root.pem -untrusted citizen.pem -purpose sslclient card.pem"
    done = subprocess.run(command.split(), cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "card.pem: OK\n"), done.stderr
