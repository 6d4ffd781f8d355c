"""The start token: opens whole, for its time, and never altered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.start import (
    LIFETIME_SECONDS,
    MAX_TARGET_CHARACTERS,
    Start,
    StartTokens,
    cookie_hash,
    derive_key,
)
from gateway.errors import CredentialError
from gateway.records.forms import FORM_SECONDS

SECRET = bytes(range(32))
TOKENS = StartTokens(SECRET)
NONCE = bytes(12)


def seal(target: str = "/dossier/1?x=%2F", now: float = 1000.0) -> str:
    return TOKENS.seal("dossier.localhost", target, "cookie", "sign_in_required", "ABCDEFGHJKMNPQRST", now, NONCE)


def test_opens_as_it_was_sealed() -> None:
    assert TOKENS.open(seal(), 1000.0) == Start(
        "dossier.localhost",
        "/dossier/1?x=%2F",
        cookie_hash("cookie"),
        "sign_in_required",
        "ABCDEFGHJKMNPQRST",
        1000.0 + LIFETIME_SECONDS,
    )


def test_expires() -> None:
    assert TOKENS.open(seal(), 1000.0 + LIFETIME_SECONDS - 0.1).target == "/dossier/1?x=%2F"
    with pytest.raises(CredentialError, match="start_expired"):
        TOKENS.open(seal(), 1000.0 + LIFETIME_SECONDS)


def test_the_way_back_to_a_form_lives_as_long_as_the_form() -> None:
    token = TOKENS.seal("a.localhost", "/x", "cookie", "session_expired", "ABCDEFGHJKMNPQRST", 1000.0, NONCE, "key")
    assert TOKENS.open(token, 1000.0 + FORM_SECONDS - 0.1).asked_at == 1000.0
    assert TOKENS.open(seal(), 1000.0).asked_at == 1000.0
    with pytest.raises(CredentialError, match="start_expired"):
        TOKENS.open(token, 1000.0 + FORM_SECONDS)


def test_an_overlong_target_becomes_the_front_page() -> None:
    assert TOKENS.open(seal("/" + "a" * MAX_TARGET_CHARACTERS), 1000.0).target == "/"


def test_another_secret_does_not_open_it() -> None:
    with pytest.raises(CredentialError, match="start_unreadable"):
        StartTokens(bytes(32)).open(seal(), 1000.0)


def test_keys_differ_by_purpose() -> None:
    assert derive_key(SECRET, b"a") != derive_key(SECRET, b"b")


@given(st.integers(0, 10_000), st.sampled_from("ABCxyz019-_"))
def test_any_altered_character_is_refused(position: int, character: str) -> None:
    token = seal()
    # The last character carries padding bits that decode alike: it may not be told apart.
    position %= len(token) - 1
    if token[position] == character:
        return
    with pytest.raises(CredentialError, match="start_unreadable"):
        TOKENS.open(token[:position] + character + token[position + 1 :], 1000.0)


@given(st.text())
def test_hostile_text_gives_our_error_only(token: str) -> None:
    with pytest.raises(CredentialError):
        TOKENS.open(token, 1000.0)
