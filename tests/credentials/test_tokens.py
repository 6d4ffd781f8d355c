"""Tokens that a browser carries."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.tokens import TOKEN_CHARACTERS, make_token, token_hash
from gateway.errors import CredentialError


@given(st.binary(min_size=32, max_size=32))
def test_a_token_is_cookie_safe_text_found_by_its_hash(random: bytes) -> None:
    token = make_token(random)
    assert len(token) == TOKEN_CHARACTERS
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert token_hash(token) == hashlib.sha256(token.encode()).digest()


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_other_bytes_make_another_token(one: bytes, other: bytes) -> None:
    assert (token_hash(make_token(one)) == token_hash(make_token(other))) is (one == other)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_fewer_random_bytes_are_a_mistake_of_ours(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_token(bytes(size))


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "é" * 43, "\udc80" * 43, "A" * 42 + "\u2028"])
def test_what_cannot_be_a_token(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        token_hash(text)
    assert caught.value.reason == "token_malformed"


@given(st.text())
def test_hostile_text_gives_a_hash_or_our_error(text: str) -> None:
    if len(text) == TOKEN_CHARACTERS and text.isascii():
        assert len(token_hash(text)) == 32
    else:
        with pytest.raises(CredentialError, match="token_malformed"):
            token_hash(text)
