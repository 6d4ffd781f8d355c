"""Passwords: Argon2id (RFC 9106) and the rules of NIST SP 800-63B-4 section 3.1.1.2. Pure; hashing takes some 0.1 s of a core.

A password is normalised to NFC first, as RFC 8265 (OpaqueString) does: the same word typed on two keyboards is one password.
NFKC would also fold characters that look different, such as a superscript two and a two, and so throw away choice. Length
is counted in code points after that. There are no composition rules and no expiry. The whole password is compared with the lists of
refused words, never parts of it.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterable

from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from gateway.credentials.argon import HASHER
from gateway.credentials.common import COMMON, SEQUENCES
from gateway.errors import CredentialError

MIN_CHARACTERS_ALONE = 15
"""The least length where the password is the only factor (NIST SP 800-63B-4 section 3.1.1.2)."""
MIN_CHARACTERS_WITH_SECOND = 8
"""The least length where a second factor follows (same section)."""
MAX_CHARACTERS = 128
"""At least 64 must be allowed (same section); a bound keeps hostile input cheap."""

DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$KsCj2smRMtelUQUf1uNruzCFU5zdA13EJss0qMWFcXo"
"""What an attempt on an unknown user ID, or one without a password, is verified against: it costs what a real one costs.
Made with the parameters of `argon`; whoever raises them makes it anew (a test says so)."""

_LEET = str.maketrans("0134578@$!", "oieastbasi")
_EDGE_CHARACTERS = 8
"""How many digits or signs at either end of a word count as decoration: a date, or a year and an exclamation mark."""
_SHORT_UNIT = 4
"""A piece of at most so many characters, repeated, is no password; a row of keys begins beyond it."""
_FEW_WORDS = 2
"""So many words of the list strung together are no password; more of them are a passphrase."""


def normalise(password: str) -> bytes:
    """The bytes that are hashed. Raises CredentialError: `password_too_long`, or `password_unreadable` for control characters and
    lone surrogates, which no keyboard types."""
    if len(password) > MAX_CHARACTERS:
        raise CredentialError("password_too_long")
    normal = unicodedata.normalize("NFC", password)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in normal):
        raise CredentialError("password_unreadable")
    return normal.encode("utf-8")


def hash_password(password: str, salt: bytes) -> str:
    """The encoded Argon2id hash; `salt` is 16 random bytes."""
    return HASHER.hash(normalise(password), salt=salt)


def verify(stored: str, password: str) -> None:
    """Returns when `password` is the one whose hash is `stored`.

    Raises CredentialError: `password_wrong` (also for what cannot be a password; that is as slow), or `password_unusable` when
    `stored` is no hash.
    """
    try:
        given = normalise(password)
    except CredentialError:
        given, stored = b"", DUMMY_HASH
    try:
        HASHER.verify(stored, given)
    except VerifyMismatchError:
        raise CredentialError("password_wrong") from None
    except (InvalidHashError, VerificationError):
        raise CredentialError("password_unusable") from None


def verify_nobody(password: str) -> None:
    """Does the work of `verify` for a user ID that has no password, and refuses: raises CredentialError(`password_wrong`)."""
    with contextlib.suppress(CredentialError):
        verify(DUMMY_HASH, password)
    raise CredentialError("password_wrong")


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made with other parameters than today's: then hash the password anew at the next sign-in."""
    return HASHER.check_needs_rehash(stored)


def may_stand_alone(password: str) -> bool:
    """Whether it is long enough to be the only factor."""
    return len(normalise(password).decode("utf-8")) >= MIN_CHARACTERS_ALONE


def check_new(password: str, context: Iterable[str], *, only_factor: bool) -> None:
    """Whether a new password may be used. `context` are words an attacker would try first: the user ID, names, the institution.

    Raises CredentialError: `password_too_short`, `password_too_long`, `password_unreadable`, or `password_common` for one that is on the
    list, is made of context words, repeats one short piece, or walks along a row of keys.
    """
    text = normalise(password).decode("utf-8")
    if len(text) < (MIN_CHARACTERS_ALONE if only_factor else MIN_CHARACTERS_WITH_SECOND):
        raise CredentialError("password_too_short")
    folded = text.casefold()
    words = {part for word in context for part in _parts(word)}
    spellings = (folded, _trim(folded), folded.translate(_LEET), _trim(folded).translate(_LEET))
    shapes = {_compact(spelling) for spelling in spellings}
    if any(_repeats(shape) for shape in (folded, *shapes)):
        raise CredentialError("password_common")
    if any(_is_row(shape) or _is_few_words(shape, words) for shape in shapes | {_unit(shape) for shape in shapes}):
        raise CredentialError("password_common")


def _parts(word: str) -> tuple[str, ...]:
    """The pieces of a context word, and all of them run together."""
    pieces = "".join(c if c.isalnum() else " " for c in word.casefold()).split()
    return ("".join(pieces), *pieces)


def _trim(text: str) -> str:
    """Without the few digits and signs at either end by which people make a word look like a password."""
    start, end = 0, len(text)
    while start < min(_EDGE_CHARACTERS, end) and not text[start].isalpha():
        start += 1
    while end > max(len(text) - _EDGE_CHARACTERS, start) and not text[end - 1].isalpha():
        end -= 1
    return text[start:end]


def _compact(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _is_row(shape: str) -> bool:
    return len(shape) > _SHORT_UNIT and any(shape in row for row in SEQUENCES)


def _unit(shape: str) -> str:
    """The shortest piece whose repetition makes `shape`, the last time perhaps cut off."""
    sizes = range(1, len(shape))
    return next((shape[:size] for size in sizes if shape[size:] == shape[:-size]), shape)


def _repeats(shape: str) -> bool:
    """Whether a short piece makes up what is long enough for a password."""
    return len(shape) >= MIN_CHARACTERS_WITH_SECOND and len(_unit(shape)) <= _SHORT_UNIT


def _is_few_words(shape: str, context: set[str]) -> bool:
    """Whether the whole is read as context words, however many, and at most two words of the list, strung together."""
    fewest: list[int | None] = [0]
    for end in range(1, len(shape) + 1):
        counts = [
            before + (shape[start:end] not in context)
            for start, before in enumerate(fewest)
            if before is not None and (shape[start:end] in context or shape[start:end] in COMMON)
        ]
        fewest.append(min(counts, default=None))
    return shape != "" and fewest[-1] is not None and fewest[-1] <= _FEW_WORDS
