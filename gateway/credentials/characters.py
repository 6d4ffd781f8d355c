"""The characters of codes that people copy from paper, and how what they type is read.

No two of them are taken for each other: of `0 O`, `1 I L`, `2 Z`, `5 S`, `8 B` and `U V` one is there at most. There is no vowel, so that
no code is a word. They are as many as a prime, for the checksum of activation codes.
"""

from __future__ import annotations

from typing import Final

ALPHABET: Final = "234679CDFGHJKMNPQRTVWXY"
_SPARE_BITS: Final = 36
"""The number that is spelled has so many more bits than the spelling holds, so that its remainder favours no character noticeably."""

_BETWEEN: Final = frozenset(" \t\r\n\xa0\u202f-\u2010\u2011\u2012\u2013\u2014\u2212._")
"""What people, and the programs that they copy from, put between groups."""


def bytes_for(characters: int) -> int:
    """How many random bytes `spelled` needs."""
    spellings: int = len(ALPHABET) ** characters
    return (spellings.bit_length() + _SPARE_BITS + 7) // 8


def spelled(random: bytes, characters: int) -> str:
    """So many characters, each as likely as the others. Raises ValueError unless `random` has `bytes_for(characters)` bytes."""
    if len(random) != bytes_for(characters):
        raise ValueError(f"{characters} characters are made of {bytes_for(characters)} random bytes")
    number, written = int.from_bytes(random), ""
    for _ in range(characters):
        number, index = divmod(number, len(ALPHABET))
        written += ALPHABET[index]
    return written


def read(typed: str, characters: int) -> str | None:
    """The code as it was printed: capitals, without what stands between groups. None when it can be no code of so many characters."""
    compact = "".join(character for character in typed if character not in _BETWEEN).upper()
    return compact if len(compact) == characters and all(character in ALPHABET for character in compact) else None
