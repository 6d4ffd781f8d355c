"""Passwords: the hash, and what may be chosen."""

from __future__ import annotations

import string

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.credentials.common import COMMON, SEQUENCES
from gateway.credentials.password import (
    DUMMY_HASH,
    MAX_CHARACTERS,
    check_new,
    hash_password,
    may_stand_alone,
    needs_rehash,
    normalise,
    verify,
    verify_nobody,
)
from gateway.errors import CredentialError

SALT = bytes(range(16))
GOOD = "een rare zin met paarse olifanten"
CONTEXT = ["an.jansen", "An Jansen", "Voorbeeldinstelling Noord"]


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(GOOD, SALT)


def test_the_hash_is_argon2id_of_the_low_memory_profile(stored: str) -> None:
    assert extract_parameters(stored) == RFC_9106_LOW_MEMORY
    assert not needs_rehash(stored)


def test_the_right_password(stored: str) -> None:
    assert verify(stored, GOOD) is None


@pytest.mark.parametrize("wrong", ["", GOOD + " ", GOOD.upper(), "x" * (MAX_CHARACTERS + 1), "\ud800", "a\x00b"])
def test_a_wrong_password(stored: str, wrong: str) -> None:
    with pytest.raises(CredentialError) as caught:
        verify(stored, wrong)
    assert caught.value.reason == "password_wrong"


def test_another_salt_gives_another_hash(stored: str) -> None:
    assert hash_password(GOOD, bytes(16)) != stored


def test_the_same_word_from_two_keyboards() -> None:
    composed, decomposed = "geëerde koningin der bijen", "gee\u0308erde koningin der bijen"
    assert composed != decomposed
    verify(hash_password(composed, SALT), decomposed)


def test_what_looks_different_stays_different() -> None:
    assert normalise("m²") != normalise("m2")


@pytest.mark.parametrize("broken", ["", "no hash", "$argon2id$v=19$m=65536,t=3,p=4$AAAA", "$argon2id$"])
def test_a_stored_value_that_is_no_hash(broken: str) -> None:
    with pytest.raises(CredentialError) as caught:
        verify(broken, GOOD)
    assert caught.value.reason == "password_unusable"


def test_higher_parameters_ask_for_a_new_hash() -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD, salt=SALT)
    verify(weaker, GOOD)
    assert needs_rehash(weaker)


def test_nobody_costs_what_somebody_costs() -> None:
    """The dummy is a real hash with today's parameters: whoever raises them makes it anew."""
    assert extract_parameters(DUMMY_HASH) == RFC_9106_LOW_MEMORY
    assert not needs_rehash(DUMMY_HASH)


@pytest.mark.parametrize("password", ["anything", "nobody's password", ""])
def test_nobody_is_always_refused(password: str) -> None:
    with pytest.raises(CredentialError) as caught:
        verify_nobody(password)
    assert caught.value.reason == "password_wrong"


def reason_of(password: str, *, only_factor: bool = False, context: list[str] = CONTEXT) -> str | None:
    try:
        check_new(password, context, only_factor=only_factor)
    except CredentialError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("password", "alone", "second"),
    [
        ("zw7!kQp", "password_too_short", "password_too_short"),
        ("zw7!kQpr", "password_too_short", None),
        ("zw7!kQpr.mlo3x", "password_too_short", None),
        ("zw7!kQpr.mlo3xy", None, None),
        (GOOD, None, None),
        ("ë" * 7, "password_too_short", "password_too_short"),
        ("e\u0308" * 7, "password_too_short", "password_too_short"),
        (GOOD * 4, "password_too_long", "password_too_long"),
        ("zw7!kQpr\tmlo3xyz", "password_unreadable", "password_unreadable"),
        ("zw7!kQpr\ud800mlo3xyz", "password_unreadable", "password_unreadable"),
    ],
)
def test_length_and_characters(password: str, alone: str | None, second: str | None) -> None:
    assert reason_of(password, only_factor=True) == alone
    assert reason_of(password) == second


def test_sixty_four_characters_and_more_are_allowed() -> None:
    """NIST SP 800-63B-4: at least 64."""
    long = "".join(chr(0x4E00 + 7 * n) for n in range(MAX_CHARACTERS))
    assert MAX_CHARACTERS >= 64
    assert reason_of(long, only_factor=True) is None


@pytest.mark.parametrize(
    "password",
    [
        "password", "Password1!", "P@ssw0rd", "Welkom2024!", "2024welkom", "WELKOM-WELKOM", "welkomwelkom", "zomer zomer 2024",
        "voetbal.fiets", "wachtwoord123456", "kruispuntbank", "SocialeZekerheid1", "Motdepasse!!",
        "an.jansen", "AnJansen2024", "jansenvoorbeeldinstelling", "Voorbeeldinstelling Noord",
        "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "1212121212121212", "!!!!!!!!!!!!!!!!", "xyzwxyzwxyzwx",
        "12345678", "1234567890123456", "0987654321", "azertyuiop", "qwertyuiopasdfgh", "abcdefghijklmnop", "1q2w3e4r5t6y",
        "a b c d e f g h i", "q-w-e-r-t-y-u-i-o-p",
    ],
)  # fmt: skip
def test_common_and_context_words_are_refused(password: str) -> None:
    assert reason_of(password) == "password_common"


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "kat hond paard olifant", "Tr0ub4dor&3", "839201748392", "мама мыла раму",
        "welkomzomerfietsvoetbal", "jansen houdt van bijen", "x9welkom7q3z", "ßtraße und Weg",
    ],
)  # fmt: skip
def test_no_composition_rules_and_parts_do_not_count(password: str) -> None:
    assert reason_of(password) is None


def test_without_context() -> None:
    assert reason_of("an.jansen.noord", context=[]) is None
    assert reason_of("an.jansen.noord", context=["", " .- ", "an.jansen", "noord"]) == "password_common"


@pytest.mark.parametrize(("password", "alone"), [("x" * 14, False), ("x" * 15, True), ("e\u0308" * 14, False)])
def test_long_enough_to_stand_alone(password: str, alone: bool) -> None:
    assert may_stand_alone(password) is alone


def test_the_lists_are_in_the_form_they_are_compared_in() -> None:
    for word in COMMON:
        assert word == word.casefold()
        assert word.isalnum()
    for row in SEQUENCES:
        assert set(row) <= set(string.ascii_lowercase + string.digits)


@settings(max_examples=300)
@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=4), st.booleans())
def test_hostile_text_gives_our_error(password: str, context: list[str], only_factor: bool) -> None:
    assert reason_of(password, only_factor=only_factor, context=context) in {
        None,
        "password_too_short",
        "password_too_long",
        "password_unreadable",
        "password_common",
    }


@given(
    st.sampled_from(sorted(word for word in COMMON if word.isalpha())),
    st.sampled_from(["", "!", "1", "2024", "01012024"]),
)
def test_every_word_of_the_list_is_refused_decorated_too(word: str, decoration: str) -> None:
    assert reason_of((word + decoration) if len(word + decoration) >= 8 else word * 8 + decoration) == "password_common"
