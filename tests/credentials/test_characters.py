"""Codes that people copy: no two characters alike, none favoured, and every way of typing them read."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.characters import ALPHABET, bytes_for, read, spelled


def test_no_two_characters_are_taken_for_each_other() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 23
    assert all(len(set(ALPHABET) & set(alike)) <= 1 for alike in ("0OQD"[:2], "1IL", "2Z", "5S", "8B", "UV"))
    assert not set(ALPHABET) & set("AEIOU")


def test_every_character_is_as_likely() -> None:
    """The numbers that are spelled, in order: the first character goes round all, evenly."""
    size = bytes_for(6)
    first = Counter(spelled(number.to_bytes(size), 6)[0] for number in range(23 * 40))
    assert set(first) == set(ALPHABET)
    assert set(first.values()) == {40}
    # By how much the greatest number favours the spellings before its own: less than one in 2 to the 36.
    assert 23**6 / 256**size < 2**-36


@pytest.mark.parametrize("random", [b"", bytes(bytes_for(6) - 1), bytes(bytes_for(6) + 1)])
def test_a_code_is_made_of_so_many_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        spelled(random, 6)


@given(
    st.binary(min_size=bytes_for(6), max_size=bytes_for(6)), st.sampled_from(["", " ", "-", "\u2011", "\xa0", " - "])
)
def test_however_it_is_typed(random: bytes, between: str) -> None:
    code = spelled(random, 6)
    assert len(code) == 6
    assert read(code, 6) == code
    assert read(f" {code[:3].lower()}{between}{code[3:]}\t", 6) == code


@pytest.mark.parametrize("typed", ["", "CDF23", "CDF2344", "CDF23A", "CDF230", "CDF23é", "CDF23\u0130", "CDF23\ud800"])
def test_what_is_no_code(typed: str) -> None:
    assert read(typed, 6) is None
