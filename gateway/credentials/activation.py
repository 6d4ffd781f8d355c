"""The activation code: comes by letter or by hand from the local administrator, opens a user ID once within 14 days.

With it a new person sets their first password, and whoever lost theirs sets a new one. It has 14 random characters (63 bits) and two
that make up a checksum, so that a slip of the finger is told apart from a wrong code: the person is told to look again, and no
failure is counted. NIST SP 800-63A-4 section 3.8 (enrolment codes) asks for less. The checksum is no secret and protects nothing.
"""

from __future__ import annotations

from typing import Final

from gateway.credentials.characters import ALPHABET, bytes_for, read, spelled
from gateway.credentials.peppered import Pepper
from gateway.errors import CredentialError

LIFETIME_SECONDS: Final = 14 * 86_400.0
RANDOM_CHARACTERS: Final = 14
CHARACTERS: Final = RANDOM_CHARACTERS + 2
GROUP: Final = 4
CODE_BYTES: Final = bytes_for(RANDOM_CHARACTERS)
"""How many random bytes a code is made of."""
_PURPOSE: Final = "activation"
_PRIME: Final = len(ALPHABET)

_DUMMY_HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""What an attempt without a code that waits is verified against: it costs what a real one costs, and nothing fits it."""


def make_code(random: bytes) -> str:
    """A new code, without the hyphens of its groups. Raises ValueError unless `random` has `CODE_BYTES` bytes."""
    body = spelled(random, RANDOM_CHARACTERS)
    return body + _check_characters(body)


def grouped(code: str) -> str:
    """The code as it is printed: in groups of four, with hyphens."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def normalise(typed: str) -> str:
    """The code without its hyphens. Raises CredentialError(`activation_malformed`) for what is no code at all: a slip, to be told so."""
    code = read(typed, CHARACTERS)
    if code is None or code[RANDOM_CHARACTERS:] != _check_characters(code[:RANDOM_CHARACTERS]):
        raise CredentialError("activation_malformed")
    return code


def hash_code(pepper: Pepper, user_id: str, code: str, salt: bytes) -> str:
    """What is stored of a code, bound to its user ID. `salt` is 16 random bytes."""
    return pepper.hash(salt, _PURPOSE, user_id, code)


def verify(stored: str | None, pepper: Pepper, user_id: str, typed: str, until: float, now: float) -> None:
    """Returns when `typed` is the code of this user ID whose hash is `stored` (None: no code waits), good until `until` (Unix seconds).

    As slow in every case but the first of these. Raises CredentialError: `activation_malformed`, `activation_unknown` when none waits,
    `activation_wrong`, `activation_expired` for the right one too late, or `code_unusable` when what is stored is no hash.
    """
    code = normalise(typed)
    fits = pepper.fits(_DUMMY_HASH if stored is None else stored, _PURPOSE, user_id, code)
    if stored is None:
        raise CredentialError("activation_unknown")
    if not fits:
        raise CredentialError("activation_wrong")
    if now >= until:
        raise CredentialError("activation_expired")


def _check_characters(body: str) -> str:
    """Two characters over the others: the sum of all, and the sum of all weighed by their place, in the field of 23 elements.

    Any two wrong characters are noticed, and any two that changed places; of longer slips one in 529 is not.
    """
    plain, weighed = 0, 0
    for place, character in enumerate(body, start=1):
        value = ALPHABET.index(character)
        plain, weighed = plain + value, weighed + place * value
    return ALPHABET[plain % _PRIME] + ALPHABET[weighed % _PRIME]
