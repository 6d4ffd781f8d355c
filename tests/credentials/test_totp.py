"""Codes by app: the vectors of RFC 6238, drift, and single use."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.totp import code_at, enrolment_uri, parse_secret, step_at, verify, write_secret
from gateway.errors import CredentialError

RFC_SECRET = b"12345678901234567890"
NOW = 1_111_111_111.0
STEP = 37_037_037


@pytest.mark.parametrize(
    ("now", "code"),
    # RFC 6238 appendix B, SHA-1; ours are the last six of its eight digits.
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_vectors_of_the_rfc(now: int, code: str) -> None:
    assert code_at(RFC_SECRET, step_at(now)) == code[-6:]
    assert verify(RFC_SECRET, code[-6:], now, 0) == now // 30


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_a_neighbouring_step_is_accepted_and_named(drift: int) -> None:
    assert verify(RFC_SECRET, code_at(RFC_SECRET, STEP + drift), NOW, 0) == STEP + drift


@pytest.mark.parametrize("drift", [-3, -2, 2, 3])
def test_further_away_is_wrong(drift: int) -> None:
    with pytest.raises(CredentialError, match="code_wrong"):
        verify(RFC_SECRET, code_at(RFC_SECRET, STEP + drift), NOW, 0)


@pytest.mark.parametrize(("last", "reason"), [(STEP, "code_used"), (STEP + 1, "code_used"), (STEP - 1, None)])
def test_a_step_is_good_once_and_takes_the_earlier_ones_along(last: int, reason: str | None) -> None:
    if reason is None:
        assert verify(RFC_SECRET, code_at(RFC_SECRET, STEP), NOW, last) == STEP
    else:
        with pytest.raises(CredentialError, match=reason):
            verify(RFC_SECRET, code_at(RFC_SECRET, STEP), NOW, last)


@pytest.mark.parametrize("code", ["050 471", " 050471\n", "0 5 0 4 7 1"])
def test_spaces_are_how_apps_show_it(code: str) -> None:
    assert verify(RFC_SECRET, code, NOW, 0) == STEP


@pytest.mark.parametrize("code", ["", "05047", "0504711", "05047x", "٠٥٠٤٧١", "-50471", "05.471", "\ud800"])
def test_what_is_no_code(code: str) -> None:
    with pytest.raises(CredentialError, match="code_malformed"):
        verify(RFC_SECRET, code, NOW, 0)


def test_in_the_first_moments_of_time() -> None:
    assert verify(RFC_SECRET, code_at(RFC_SECRET, 0), 1.0, -1) == 0


@given(st.binary(min_size=16, max_size=64))
def test_a_secret_is_written_and_read_again(secret: bytes) -> None:
    assert parse_secret(write_secret(secret)) == secret
    assert parse_secret(write_secret(secret).lower()) == secret


def test_a_secret_may_be_written_in_groups_and_padded() -> None:
    text = base64.b32encode(bytes(range(21))).decode()
    assert text.endswith("=")
    assert parse_secret(f" {text[:4]} {text[4:]}\n") == bytes(range(21))


@pytest.mark.parametrize("text", ["", "AAAA", "1" * 32, "A" * 25, "é" * 32, write_secret(bytes(65)), "A" * 33])
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(CredentialError, match="secret_malformed"):
        parse_secret(text)


@given(st.text())
def test_hostile_text_gives_our_error(text: str) -> None:
    with pytest.raises(CredentialError, match=r"code_malformed|code_wrong"):
        verify(RFC_SECRET, text, NOW, 0)
    with pytest.raises(CredentialError, match="secret_malformed"):
        parse_secret(text)


@given(
    st.binary(min_size=16, max_size=64), st.text(st.characters(codec="utf-8"), min_size=1), st.text("a-z.", min_size=1)
)
def test_what_a_qr_code_says_is_read_back_by_an_app(secret: bytes, user_id: str, issuer: str) -> None:
    parts = urlsplit(enrolment_uri(secret, user_id, issuer))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert [unquote(word) for word in parts.path[1:].split(":")] == [issuer, user_id]
    asked = parse_qs(parts.query)
    assert parse_secret(asked["secret"][0]) == secret
    assert (asked["issuer"], asked["digits"], asked["period"]) == ([issuer], ["6"], ["30"])
