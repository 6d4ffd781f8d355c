"""The keys of the ledger: HMAC keys for pseudonyms, and the auditor's key pairs that persons and addresses are sealed to.

Each purpose has keys of its own, so that years later one of them can be destroyed in place of a line. The gateway holds the
pseudonym keys and the auditor's *public* keys; the private ones are made beside them and then belong elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gateway.errors import ConfigurationError

PURPOSES = ("person", "address")
HMAC_KEY_BYTES = 32
"""As long as SHA-256's output (RFC 2104 section 3)."""
_SEAL_ID_DIGITS = 8
_PSEUDONYM_ID_BYTES = 2

_LABELLED = re.compile(
    r"^(?P<purpose>person|address)\s*\n(?P<pem>-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----)$", re.M | re.S
)


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """An HMAC-SHA-256 key and its id, which stands in every pseudonym made with it."""

    id: str
    key: bytes


@dataclass(frozen=True, slots=True)
class AuditorKey:
    """A public key of the auditor and its id: the first digits of the SHA-256 of its SubjectPublicKeyInfo."""

    id: str
    key: X25519PublicKey


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """What a gateway needs to write persons and addresses."""

    person_pseudonym: PseudonymKey
    address_pseudonym: PseudonymKey
    person_seal: AuditorKey
    address_seal: AuditorKey


@dataclass(frozen=True, slots=True)
class MadeKeys:
    """The files that `make_keys` wrote."""

    auditor_public: Path
    pseudonym: Path
    auditor_private: tuple[Path, ...]


def make_keys(auditor_public_key: Path, pseudonym_key: Path, private_directory: Path) -> MadeKeys:
    """New keys: the two files that the gateway reads, and the auditor's private keys; all of them 0600.

    Raises `ConfigurationError` rather than overwrite a key: with it, everything sealed to it would be lost.
    """
    public: list[str] = [
        "The auditor's public keys: what a ledger line tells of persons and addresses is sealed to them.\n"
    ]
    private: dict[Path, str] = {}
    pseudonym = [
        "# HMAC-SHA-256 keys of the ledger's pseudonyms. Secret: who has them can test whom a line is about.\n"
    ]
    for purpose in PURPOSES:
        key = X25519PrivateKey.generate()
        public.append(f"{purpose}\n{_public_pem(key.public_key())}")
        private[private_directory / f"auditor-{purpose}-private.pem"] = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")
        secret = os.urandom(HMAC_KEY_BYTES)
        pseudonym.append(f'[{purpose}]\nid = "{os.urandom(_PSEUDONYM_ID_BYTES).hex()}"\nkey = "{secret.hex()}"\n')
    files = {
        auditor_public_key: "\n".join(public),
        pseudonym_key: "\n".join(pseudonym),
        **private,
    }
    for path in files:
        if path.exists():
            raise ConfigurationError(f"{path}: there is a key already. It is never overwritten: move it away first")
    for path, text in files.items():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, text)
    return MadeKeys(auditor_public_key, pseudonym_key, tuple(private))


def load_keys(auditor_public_key: Path, pseudonym_key: Path) -> LedgerKeys:
    """Reads both files. Raises `ConfigurationError` that says what is wrong with which, and what to do."""
    seals = _read_auditor(auditor_public_key)
    pseudonyms = _read_pseudonyms(pseudonym_key)
    return LedgerKeys(pseudonyms["person"], pseudonyms["address"], seals["person"], seals["address"])


def _read_auditor(path: Path) -> dict[str, AuditorKey]:
    found: dict[str, AuditorKey] = {}
    for match in _LABELLED.finditer(_read(path)):
        try:
            key = serialization.load_pem_public_key(match["pem"].encode("ascii"))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"{path}: {match['purpose']}: not a public key in PEM: {error}") from error
        if not isinstance(key, X25519PublicKey):
            raise ConfigurationError(f"{path}: {match['purpose']}: not an X25519 key. Make one with gateway init")
        found[match["purpose"]] = AuditorKey(key_id(key), key)
    for purpose in PURPOSES:
        if purpose not in found:
            raise ConfigurationError(
                f"{path}: no key for {purpose}. A line '{purpose}' must stand right before its PUBLIC KEY block"
            )
    return found


def _read_pseudonyms(path: Path) -> dict[str, PseudonymKey]:
    text = _read(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(f"{path}: others can read this key. Do: chmod 600 {path}")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}. Restore the file, or make new keys with gateway init") from error
    found: dict[str, PseudonymKey] = {}
    for purpose in PURPOSES:
        match tables.get(purpose):
            case {"id": str(name), "key": str(digits), **rest} if not rest:
                found[purpose] = PseudonymKey(_name(path, purpose, name), _secret(path, purpose, digits))
            case _:
                raise ConfigurationError(f"{path}: [{purpose}] must have exactly id and key, both strings")
    return found


def _name(path: Path, purpose: str, name: str) -> str:
    if re.fullmatch(r"[0-9a-z]{1,16}", name) is None:
        raise ConfigurationError(f"{path}: [{purpose}] id: 1 to 16 of 0-9 and a-z are needed")
    return name


def _secret(path: Path, purpose: str, digits: str) -> bytes:
    if re.fullmatch(f"[0-9a-f]{{{2 * HMAC_KEY_BYTES}}}", digits) is None:
        raise ConfigurationError(f"{path}: [{purpose}] key: {2 * HMAC_KEY_BYTES} hex digits in lower case are needed")
    return bytes.fromhex(digits)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{path}: cannot be read: {why}. gateway init makes the ledger's keys") from error


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _public_pem(key: X25519PublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def key_id(key: X25519PublicKey) -> str:
    """The id under which the values sealed to a key stand in lines."""
    info = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(info).hexdigest()[:_SEAL_ID_DIGITS]
