"""References: what is read out over the telephone finds its line, and a slip of the tongue is noticed."""

from __future__ import annotations

import contextlib
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.reference import (
    ALPHABET,
    RANDOM_BYTES,
    BadReference,
    ReferenceSource,
    format_reference,
    new_reference,
    parse_reference,
    trace_id,
)

references = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES).map(new_reference)


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_a_reference_carries_its_randomness(random: bytes) -> None:
    reference = new_reference(random)
    number = 0
    for character in reference[:-1]:
        number = number << 5 | ALPHABET.index(character)
    assert number.to_bytes(RANDOM_BYTES) == random
    assert len(reference) == 17


def test_the_stored_form_never_changes() -> None:
    assert new_reference(bytes(range(10))) == "000G40R40M30E2099"
    assert format_reference("000G40R40M30E2099") == "000G-40R4-0M30-E209-9"
    assert trace_id("000G40R40M30E2099") == "25d3c753fd64851b885e8c24aff06475"


@given(references)
def test_what_a_page_shows_is_read_back(reference: str) -> None:
    assert parse_reference(format_reference(reference)) == reference
    heard = format_reference(reference).lower().replace("0", "o").replace("1", "l").replace("-", "  ")
    assert parse_reference(heard) == reference
    assert parse_reference(reference.replace("1", "I")) == reference


@given(references, st.data())
def test_one_wrong_character_is_noticed(reference: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, 16))
    other = data.draw(st.sampled_from([character for character in ALPHABET if character != reference[place]]))
    with pytest.raises(BadReference, match="check character"):
        parse_reference(reference[:place] + other + reference[place + 1 :])


@given(references, st.data())
def test_two_swapped_characters_are_noticed(reference: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, 15))
    second = data.draw(st.integers(first + 1, 16))
    swapped = list(reference)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    if reference[first] == reference[second]:
        assert parse_reference("".join(swapped)) == reference
    else:
        with pytest.raises(BadReference, match="check character"):
            parse_reference("".join(swapped))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "17 characters"),
        ("ABCD-EFGH", "17 characters"),
        ("0" * 18, "17 characters"),
        ("U" + "0" * 16, "'U' does not occur"),
        ("000G40R40M30E209\u0669", "does not occur"),
        ("000G-40R4-0M30-E209-9;", "';' does not occur"),
    ],
)
def test_what_is_no_reference_is_told(text: str, said: str) -> None:
    with pytest.raises(BadReference, match=said):
        parse_reference(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadReference):
        assert re.fullmatch(f"[{ALPHABET}]{{17}}", parse_reference(text))


def test_a_source_makes_valid_and_different_references() -> None:
    source = ReferenceSource()
    made = [source() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(parse_reference(reference) == reference for reference in made)


def test_a_source_uses_nothing_but_its_randomness() -> None:
    first, second = ReferenceSource(bytes), ReferenceSource(bytes)
    assert first() == second() == "0" * 17


def test_new_reference_takes_exactly_80_bits() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        new_reference(b"short")


@given(references)
def test_a_trace_id_is_a_uuid_of_version_8(reference: str) -> None:
    found = uuid.UUID(trace_id(reference))
    assert (found.version, found.variant) == (8, uuid.RFC_4122)
    assert trace_id(reference) == trace_id(reference)
