"""The code card, the official's token of the policy (clause I5, DOMAIN section 3): 24 numbered codes of six characters.

Signing in asks for the code of one number, which the gateway chooses: each number once before any comes again, one try for each
asking, failures counted with the password's (`lockout`). A code alone has 27 bits, so online it is the lock-out that protects it, and
in the database the pepper and the slow hash. Numbers come again after 24 sign-ins, as on the policy's own card; NIST SP 800-63B-4
section 3.1.2.1 would have a new card then. Whoever has seen a code knows it until its number comes again: hence codes by app, and eID.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.credentials.characters import bytes_for, read, spelled
from gateway.credentials.peppered import Pepper
from gateway.errors import CredentialError

CODES: Final = 24
CHARACTERS: Final = 6
NUMBERS: Final = range(1, CODES + 1)
"""As they are printed on the card."""

_CODE_BYTES: Final = bytes_for(CHARACTERS)
CARD_BYTES: Final = CODES * _CODE_BYTES
"""How many random bytes a card is made of."""
CHOICE_BYTES: Final = 8
"""How many random bytes a choice is made of: the remainder by 24 favours no number noticeably."""
_ALL: Final = (1 << CODES) - 1
_PURPOSE: Final = "code card"


def make_codes(random: bytes) -> tuple[str, ...]:
    """The codes of a new card, that of number 1 first. Raises ValueError unless `random` has `CARD_BYTES` bytes."""
    if len(random) != CARD_BYTES:
        raise ValueError(f"a card is made of {CARD_BYTES} random bytes")
    pieces = (random[start : start + _CODE_BYTES] for start in range(0, CARD_BYTES, _CODE_BYTES))
    return tuple(spelled(piece, CHARACTERS) for piece in pieces)


def choose_position(used: int, random: bytes) -> int:
    """The number to ask for: one of those that were not used in this round; of all when all were. `random` are `CHOICE_BYTES` bytes.

    `used` has a bit for each number that was used, that of number 1 lowest.
    """
    free = [number for number in NUMBERS if not used >> number - 1 & 1] or NUMBERS
    return free[int.from_bytes(random) % len(free)]


def mark_used(used: int, number: int) -> int:
    """What was used when `number` is used as well; when all were before, a new round begins with it."""
    return (0 if used == _ALL else used) | 1 << number - 1


def normalise(typed: str) -> str:
    """The code as it was printed. Raises CredentialError(`code_malformed`) for what can be no code: a slip, which no try is lost for."""
    code = read(typed, CHARACTERS)
    if code is None:
        raise CredentialError("code_malformed")
    return code


def hash_code(pepper: Pepper, user_id: str, number: int, code: str, salt: bytes) -> str:
    """What is stored of one code, bound to its user ID and number. `salt` is 16 random bytes."""
    return pepper.hash(salt, _PURPOSE, user_id, str(number), code)


def write_stored(hashes: Sequence[str]) -> bytes:
    """What is stored of a card, from the hashes of its codes in order. Raises ValueError unless they are 24."""
    if len(hashes) != CODES:
        raise ValueError(f"a card has {CODES} codes")
    return "\n".join(hashes).encode("ascii")


def hash_card(pepper: Pepper, user_id: str, codes: Sequence[str], salts: Sequence[bytes]) -> bytes:
    """What is stored of a whole card, with a salt for each code. Takes two to three seconds of a core."""
    each = zip(NUMBERS, codes, salts, strict=True)
    return write_stored([hash_code(pepper, user_id, number, code, salt) for number, code, salt in each])


def read_stored(stored: bytes) -> tuple[str, ...]:
    """The hashes of a card's codes. Raises CredentialError(`code_unusable`) when that is no card."""
    hashes = tuple(stored.decode("ascii", "backslashreplace").split("\n"))
    if len(hashes) != CODES:
        raise CredentialError("code_unusable")
    return hashes


def verify(stored: bytes, pepper: Pepper, user_id: str, number: int, typed: str) -> None:
    """Returns when `typed` is the code of this number on the card of this user ID.

    Raises CredentialError: `code_malformed`, `card_code_wrong`, or `code_unusable` when what is stored is no card.
    """
    code = normalise(typed)
    if not pepper.fits(read_stored(stored)[number - 1], _PURPOSE, user_id, str(number), code):
        raise CredentialError("card_code_wrong")
