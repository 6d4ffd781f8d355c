"""A private key under a passphrase, read by others: the library, and OpenSSL's command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.policy.sealed_keys import seal

PASSPHRASE = "één lange zin die niemand raadt"


@pytest.fixture(scope="module")
def private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def sealed(private: Ed25519PrivateKey) -> bytes:
    return seal(private, PASSPHRASE)


def test_only_the_passphrase_opens_it(private: Ed25519PrivateKey, sealed: bytes) -> None:
    opened = load_pem_private_key(sealed, PASSPHRASE.encode())
    assert isinstance(opened, Ed25519PrivateKey)
    assert opened.private_bytes_raw() == private.private_bytes_raw()
    for wrong in (b"x", PASSPHRASE.encode() + b" "):
        # One wrong one of 256 leaves a padding that is one, and then what lies inside is no key.
        with pytest.raises(ValueError, match=r"decrypt|deserialize"):
            load_pem_private_key(sealed, wrong)
    assert seal(private, PASSPHRASE) != sealed  # another salt


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_says_what_a_thief_would_have_to_do(
    private: Ed25519PrivateKey, sealed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSPHRASE", PASSPHRASE)
    (tmp_path / "key.pem").write_bytes(sealed)

    def openssl(*words: str) -> str:
        command = ["openssl", *words, "-in", str(tmp_path / "key.pem")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    read = openssl("pkey", "-pubout", "-passin", "env:PASSPHRASE")
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read.split() == public.decode().split()
    parts = [line.rpartition(":")[2] for line in openssl("asn1parse").splitlines()]
    assert [part for part in parts if part in ("PBES2", "scrypt", "4000", "08", "05", "aes-256-cbc")] == [
        "PBES2", "scrypt", "4000", "08", "05", "aes-256-cbc",
    ]  # fmt: skip
