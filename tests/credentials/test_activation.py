"""The activation code: a slip is told apart from a wrong code, and it is good for one user ID and 14 days."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.activation import (
    CHARACTERS,
    CODE_BYTES,
    LIFETIME_SECONDS,
    grouped,
    hash_code,
    make_code,
    normalise,
    verify,
)
from gateway.credentials.characters import ALPHABET
from gateway.credentials.peppered import Pepper
from gateway.errors import CredentialError

PEPPER = Pepper(b"k" * 32)
CODE = make_code(bytes(range(CODE_BYTES)))
OTHER = make_code(bytes(range(1, CODE_BYTES + 1)))
STORED = hash_code(PEPPER, "jansen01", CODE, b"s" * 16)
UNTIL = 1_000_000.0
RANDOM = st.binary(min_size=CODE_BYTES, max_size=CODE_BYTES)


def test_how_it_is_printed() -> None:
    assert len(CODE) == CHARACTERS == 16
    assert [len(group) for group in grouped(CODE).split("-")] == [4, 4, 4, 4]
    assert LIFETIME_SECONDS == 14 * 24 * 3600


@pytest.mark.parametrize("random", [b"", bytes(CODE_BYTES - 1), bytes(CODE_BYTES + 1)])
def test_a_code_is_made_of_so_many_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        make_code(random)


@given(RANDOM)
def test_however_it_is_typed(random: bytes) -> None:
    code = make_code(random)
    for typed in (code, grouped(code), grouped(code).lower(), f" {grouped(code).replace('-', ' - ')}\n"):
        assert normalise(typed) == code


@given(RANDOM, st.data())
def test_one_or_two_wrong_characters_are_a_slip(random: bytes, data: st.DataObject) -> None:
    """Two that changed places are two that are wrong."""
    code = list(make_code(random))
    places = data.draw(st.sets(st.sampled_from(range(CHARACTERS)), min_size=1, max_size=2))
    for place in places:
        code[place] = data.draw(st.sampled_from(ALPHABET.replace(code[place], "")))
    with pytest.raises(CredentialError, match="activation_malformed"):
        normalise("".join(code))


@given(RANDOM, st.sampled_from(range(CHARACTERS)), st.sampled_from(range(CHARACTERS)))
def test_two_that_changed_places_are_a_slip(random: bytes, one: int, other: int) -> None:
    code = list(make_code(random))
    changed = code[one] != code[other]
    code[one], code[other] = code[other], code[one]
    if changed:
        with pytest.raises(CredentialError, match="activation_malformed"):
            normalise("".join(code))


@pytest.mark.parametrize("typed", ["", CODE[:-1], CODE + "2", "A" * 16, "\ud800" * 16, "wachtwoord"])
def test_what_is_no_code(typed: str) -> None:
    for refused in (lambda: normalise(typed), lambda: verify(STORED, PEPPER, "jansen01", typed, UNTIL, 0.0)):
        with pytest.raises(CredentialError, match="activation_malformed"):
            refused()


def test_the_right_one_in_time() -> None:
    verify(STORED, PEPPER, "jansen01", grouped(CODE).lower(), UNTIL, UNTIL - 0.001)


@pytest.mark.parametrize(
    ("stored", "pepper", "user_id", "typed", "now", "reason"),
    [
        (STORED, PEPPER, "jansen01", OTHER, 0.0, "activation_wrong"),
        (STORED, PEPPER, "jansen02", CODE, 0.0, "activation_wrong"),
        (STORED, Pepper(b"K" * 32), "jansen01", CODE, 0.0, "activation_wrong"),
        (STORED, PEPPER, "jansen01", CODE, UNTIL, "activation_expired"),
        (STORED, PEPPER, "jansen01", OTHER, UNTIL, "activation_wrong"),
        (None, PEPPER, "jansen01", CODE, 0.0, "activation_unknown"),
        ("no hash", PEPPER, "jansen01", CODE, 0.0, "code_unusable"),
    ],
)
def test_what_does_not_fit(
    stored: str | None, pepper: Pepper, user_id: str, typed: str, now: float, reason: str
) -> None:
    with pytest.raises(CredentialError, match=f"^{reason}$"):
        verify(stored, pepper, user_id, typed, UNTIL, now)


def test_where_none_waits_it_takes_as_long() -> None:
    """Within a factor that noise on a busy machine explains; without the work it would be a thousand."""

    def seconds(stored: str | None) -> float:
        began = time.thread_time()
        with pytest.raises(CredentialError):
            verify(stored, PEPPER, "jansen01", OTHER, UNTIL, 0.0)
        return time.thread_time() - began

    with_one, without = min(seconds(STORED) for _ in range(3)), min(seconds(None) for _ in range(3))
    assert 0.2 < without / with_one < 5


def test_a_code_of_a_card_is_no_activation_code() -> None:
    """What it is for is mixed in: the same characters, stored for something else, fit nothing."""
    stored = PEPPER.hash(b"s" * 16, "code card", "jansen01", CODE)
    with pytest.raises(CredentialError, match="activation_wrong"):
        verify(stored, PEPPER, "jansen01", CODE, UNTIL, 0.0)


def test_no_two_lists_of_parts_are_one_message() -> None:
    stored = PEPPER.hash(b"s" * 16, "ab", "c")
    assert PEPPER.fits(stored, "ab", "c")
    assert not PEPPER.fits(stored, "a", "bc")
    assert not PEPPER.fits(stored, "abc")


def test_the_pepper_shows_nothing_of_its_key() -> None:
    assert "6b" * 4 not in repr(PEPPER)
    assert "kkkk" not in repr(PEPPER)
