"""The code card: 24 codes, each number once before any again, stored so that neither a copy nor a moved row is of use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.code_card import (
    CARD_BYTES,
    CHOICE_BYTES,
    CODES,
    NUMBERS,
    choose_position,
    hash_card,
    hash_code,
    make_codes,
    mark_used,
    normalise,
    read_stored,
    verify,
    write_stored,
)
from gateway.credentials.peppered import Pepper
from gateway.errors import CredentialError

PEPPER = Pepper(b"k" * 32)
SALT = b"s" * 16
CODES_OF_CARD = make_codes(bytes(range(CARD_BYTES)))
CHOICES = st.binary(min_size=CHOICE_BYTES, max_size=CHOICE_BYTES)


def stored_card(user_id: str = "jansen01", pepper: Pepper = PEPPER) -> bytes:
    """Two real codes are enough: the others are as numbers 1 and 2."""
    two = [hash_code(pepper, user_id, number, CODES_OF_CARD[number - 1], SALT) for number in (1, 2)]
    return write_stored(two * (CODES // 2))


CARD = stored_card()


def test_a_card_has_24_codes_of_six_characters() -> None:
    assert len(set(CODES_OF_CARD)) == CODES == len(NUMBERS)
    assert all(normalise(code) == code and len(code) == 6 for code in CODES_OF_CARD)
    assert make_codes(bytes(range(1, CARD_BYTES + 1))) != CODES_OF_CARD


@pytest.mark.parametrize("random", [b"", bytes(CARD_BYTES - 1), bytes(CARD_BYTES + 1)])
def test_a_card_is_made_of_so_many_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        make_codes(random)


# --- numbers


@given(st.lists(CHOICES, min_size=3 * CODES, max_size=3 * CODES))
def test_no_number_comes_again_before_all_were_used(choices: list[bytes]) -> None:
    """Three rounds, whatever the dice say: each is all 24 numbers."""
    used, asked = 0, []
    for random in choices:
        number = choose_position(used, random)
        asked.append(number)
        used = mark_used(used, number)
    for start in range(0, len(asked), CODES):
        assert sorted(asked[start : start + CODES]) == list(NUMBERS)


@pytest.mark.parametrize("used", [0, (1 << CODES) - 1, 0b1010])
def test_every_free_number_can_be_chosen(used: int) -> None:
    free = [number for number in NUMBERS if not used >> (number - 1) & 1] or list(NUMBERS)
    assert sorted({choose_position(used, dice.to_bytes(CHOICE_BYTES)) for dice in range(len(free))}) == free


def test_what_is_marked() -> None:
    assert mark_used(0, 1) == 1
    assert mark_used(1, 24) == 1 | 1 << 23
    assert mark_used(1, 1) == 1
    assert mark_used((1 << CODES) - 1, 3) == 0b100


# --- verifying


def test_the_code_of_the_number() -> None:
    verify(CARD, PEPPER, "jansen01", 1, CODES_OF_CARD[0])
    verify(CARD, PEPPER, "jansen01", 2, f" {CODES_OF_CARD[1][:3].lower()}-{CODES_OF_CARD[1][3:]} ")


@pytest.mark.parametrize(
    ("user_id", "number", "typed", "reason"),
    [
        ("jansen01", 1, CODES_OF_CARD[1], "card_code_wrong"),  # the code of another number
        ("jansen01", 2, CODES_OF_CARD[0], "card_code_wrong"),
        ("jansen01", 1, CODES_OF_CARD[0][::-1], "card_code_wrong"),
        ("jansen02", 1, CODES_OF_CARD[0], "card_code_wrong"),  # a row that was moved
        ("jansen01", 3, CODES_OF_CARD[0], "card_code_wrong"),  # a hash that was moved
        ("jansen01", 1, "", "code_malformed"),
        ("jansen01", 1, CODES_OF_CARD[0][:5], "code_malformed"),
        ("jansen01", 1, CODES_OF_CARD[0] + "2", "code_malformed"),
        ("jansen01", 1, "AAAAAA", "code_malformed"),
        ("jansen01", 1, "\ud800" * 6, "code_malformed"),
    ],
)
def test_what_does_not_fit(user_id: str, number: int, typed: str, reason: str) -> None:
    with pytest.raises(CredentialError, match=f"^{reason}$"):
        verify(CARD, PEPPER, user_id, number, typed)


def test_a_copy_of_the_database_without_the_key_is_of_no_use() -> None:
    with pytest.raises(CredentialError, match="card_code_wrong"):
        verify(CARD, Pepper(b"K" * 32), "jansen01", 1, CODES_OF_CARD[0])
    assert not any(code.encode() in CARD for code in CODES_OF_CARD)


def test_a_whole_card() -> None:
    """As the demo's is made: cheaply; what it is verified with costs what the hash says."""
    cheap = PEPPER.at_least_cost()
    stored = hash_card(cheap, "jansen01", CODES_OF_CARD, [bytes([number] * 16) for number in NUMBERS])
    assert len(set(read_stored(stored))) == CODES
    for number in (1, 13, 24):
        verify(stored, PEPPER, "jansen01", number, CODES_OF_CARD[number - 1])
    with pytest.raises(ValueError, match=r"longer|shorter"):
        hash_card(cheap, "jansen01", CODES_OF_CARD[:23], [SALT] * 24)


def test_what_is_stored_is_a_slow_hash_for_each_code() -> None:
    hashes = read_stored(CARD)
    assert len(hashes) == CODES
    assert all(stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for stored in hashes)


@pytest.mark.parametrize("count", [0, 23, 25])
def test_a_card_of_another_size_is_not_written(count: int) -> None:
    with pytest.raises(ValueError, match="24 codes"):
        write_stored(["x"] * count)


@pytest.mark.parametrize("stored", [b"", b"x", b"\n" * 24, b"\xff\n" * 23 + b"x", b"no hash\n" * 23 + b"x"])
def test_what_is_no_card(stored: bytes) -> None:
    with pytest.raises(CredentialError, match="code_unusable"):
        verify(stored, PEPPER, "jansen01", 1, CODES_OF_CARD[0])
