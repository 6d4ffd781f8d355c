"""Keys: made once, never overwritten, and every fault is told with its file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import ConfigurationError
from gateway.ledger.keys import MadeKeys, load_keys, make_keys


@pytest.fixture
def made(tmp_path: Path) -> MadeKeys:
    return make_keys(tmp_path / "keys" / "auditor.pem", tmp_path / "keys" / "pseudonym.toml", tmp_path / "auditor")


def test_made_keys_load_and_are_private(made: MadeKeys) -> None:
    keys = load_keys(made.auditor_public, made.pseudonym)
    ids = {keys.person_pseudonym.id, keys.address_pseudonym.id, keys.person_seal.id, keys.address_seal.id}
    assert len(ids) == 4, "each purpose has keys of its own"
    for path in (made.auditor_public, made.pseudonym, *made.auditor_private):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.parent.name for path in made.auditor_private} == {"auditor"}


def test_no_key_is_ever_overwritten(made: MadeKeys, tmp_path: Path) -> None:
    before = made.pseudonym.read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        make_keys(made.auditor_public, made.pseudonym, tmp_path / "auditor")
    assert made.pseudonym.read_bytes() == before


def _foreign_key() -> str:
    key = generate_private_key(SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key for person"),
        (f"person\n{_foreign_key()}address\n{_foreign_key()}", "person: not an X25519 key"),
        ("person\n-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
    ],
)
def test_a_bad_auditor_key_is_told(made: MadeKeys, text: str, said: str) -> None:
    made.auditor_public.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_keys(made.auditor_public, made.pseudonym)
    assert str(made.auditor_public) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[person", "pseudonym.toml"),
        ("", r"\[person\] must have exactly id and key"),
        ('[person]\nid = "a"\nkey = "zz"\n', "64 hex digits"),
        (f'[person]\nid = "A B"\nkey = "{"ab" * 32}"\n', "1 to 16 of 0-9 and a-z"),
        (f'[person]\nid = "a"\nkey = "{"ab" * 32}"\nmore = 1\n', "exactly id and key"),
        (f'[person]\nid = "a"\nkey = "{"ab" * 32}"\n', r"\[address\]"),
    ],
)
def test_a_bad_pseudonym_key_is_told(made: MadeKeys, text: str, said: str) -> None:
    made.pseudonym.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_keys(made.auditor_public, made.pseudonym)
    assert "ab" * 32 not in str(caught.value), "a key never stands in a message"


def test_a_key_that_others_can_read_is_refused(made: MadeKeys) -> None:
    made.pseudonym.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_keys(made.auditor_public, made.pseudonym)


def test_a_missing_key_file_is_told(made: MadeKeys) -> None:
    made.auditor_public.unlink()
    with pytest.raises(ConfigurationError, match="gateway init makes"):
        load_keys(made.auditor_public, made.pseudonym)
    made.auditor_public.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_keys(made.auditor_public, made.pseudonym)
