"""The reference of a request or line: 80 random bits in Crockford base32 and a check character.

Read out over the telephone as `ABCD-EFGH-JKMN-PQRS-T`, stored without hyphens. The 17 characters c0 … c16 are elements of the
field GF(32) and satisfy Σ αⁱ·cᵢ = 0, with α a generator: the weights are all different and none is zero, so every single
wrong character and every swap of two unequal characters is noticed (neighbours included), and the check character is one
of the same 32 symbols, unlike Crockford's own modulo 37.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from gateway.errors import GatewayError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O, U."""
PAYLOAD_CHARACTERS: Final = 16
REFERENCE_CHARACTERS: Final = PAYLOAD_CHARACTERS + 1
RANDOM_BYTES: Final = 10
"""80 bits: at 10^10 lines the chance of any collision is about 4·10^-5."""
_BATCH: Final = 256
"""References made at once by a `ReferenceSource`; 4 KiB of randomness."""

_GENERATOR_POLYNOMIAL: Final = 0b100101
"""x⁵ + x² + 1, primitive over GF(2)."""


class BadReference(GatewayError):
    """A text is not a reference; the message says what is wrong with it, to be shown to whoever typed it."""


def _multiply(left: int, right: int) -> int:
    product = 0
    for bit in range(5):
        if right >> bit & 1:
            product ^= left << bit
    for bit in range(8, 4, -1):
        if product >> bit & 1:
            product ^= _GENERATOR_POLYNOMIAL << (bit - 5)
    return product


def _powers() -> list[int]:
    powers = [1]
    while len(powers) < REFERENCE_CHARACTERS:
        powers.append(_multiply(powers[-1], 2))
    return powers


_WEIGHTS: Final = _powers()
_INVERSE_OF_LAST: Final = next(value for value in range(1, 32) if _multiply(value, _WEIGHTS[-1]) == 1)
_TO_CHECK: Final = [
    [_multiply(_multiply(weight, value), _INVERSE_OF_LAST) for value in range(32)] for weight in _WEIGHTS[:-1]
]
"""What a character value adds to the check value, by position."""
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_READINGS: Final = (
    _VALUES
    | {character.lower(): value for character, value in _VALUES.items()}
    | {"O": 0, "o": 0, "I": 1, "i": 1, "L": 1, "l": 1}
)
_CHARACTER_OF_BYTE: Final = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))
_CHECK_OF_BYTE: Final = [bytes(row[byte & 31] for byte in range(256)) for row in _TO_CHECK]


_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that marks the variant (RFC 9562 section 4.1), for the digit in its place."""


def _with_check(values: list[int]) -> str:
    check = 0
    for row, value in zip(_TO_CHECK, values, strict=True):
        check ^= row[value]
    return "".join([ALPHABET[value] for value in values]) + ALPHABET[check]


def new_reference(random: bytes) -> str:
    """The reference that carries `random` (10 bytes from a cryptographic source), in its stored form."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a reference takes {RANDOM_BYTES} random bytes, not {len(random)}")
    number = int.from_bytes(random)
    return _with_check([number >> shift & 31 for shift in range(5 * (PAYLOAD_CHARACTERS - 1), -1, -5)])


def format_reference(reference: str) -> str:
    """`ABCD-EFGH-JKMN-PQRS-T`, the form for pages and people."""
    return "-".join(reference[start : start + 4] for start in range(0, REFERENCE_CHARACTERS, 4))


def parse_reference(text: str) -> str:
    """The stored form of what somebody typed or heard: any case, O for 0, I or L for 1, spaces and hyphens anywhere.

    Raises `BadReference` when it cannot be one, or when its check character does not fit.
    """
    values: list[int] = []
    for character in text:
        if character in "- \t":
            continue
        value = _READINGS.get(character)
        if value is None:
            raise BadReference(f"{character!a} does not occur in a reference; it has digits and letters without U")
        values.append(value)
        if len(values) > REFERENCE_CHARACTERS:
            break
    if len(values) != REFERENCE_CHARACTERS:
        raise BadReference(f"a reference has {REFERENCE_CHARACTERS} characters, as in ABCD-EFGH-JKMN-PQRS-T")
    reference = _with_check(values[:-1])
    if reference[-1] != ALPHABET[values[-1]]:
        raise BadReference("the check character does not fit: one of the characters is wrong, or two are swapped")
    return reference


def trace_id(reference: str) -> str:
    """32 hex digits that follow from the reference: the start of its SHA-256, marked as a UUID of version 8 (RFC 9562).

    So the one value serves as W3C `traceparent` trace id and, with hyphens, as `BelGov-Trace-Id`.
    """
    digits = sha256(reference.encode("ascii")).hexdigest()
    return f"{digits[:12]}8{digits[13:16]}{_VARIANT[digits[16]]}{digits[17:32]}"


class ReferenceSource:
    """Makes references, many at a time (one for each call of `source()`). Not to be shared with a forked process."""

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self._ready: list[str] = []

    def __call__(self) -> str:
        if not self._ready:
            self._fill()
        return self._ready.pop()

    def _fill(self) -> None:
        # Five bits of each random byte are a character; the check values of the whole batch are summed column by column.
        random = self._random(_BATCH * PAYLOAD_CHARACTERS)
        checks = 0
        for position, table in enumerate(_CHECK_OF_BYTE):
            checks ^= int.from_bytes(random[position::PAYLOAD_CHARACTERS].translate(table))
        payload = random.translate(_CHARACTER_OF_BYTE).decode("ascii")
        check = checks.to_bytes(_BATCH).translate(_CHARACTER_OF_BYTE).decode("ascii")
        self._ready = [
            payload[start * PAYLOAD_CHARACTERS : (start + 1) * PAYLOAD_CHARACTERS] + check[start]
            for start in range(_BATCH)
        ]
