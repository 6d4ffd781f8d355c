"""The one slow hash: Argon2id with the parameters of RFC 9106 section 4 for little memory (64 MiB); some 0.1 s of a core."""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.profiles import RFC_9106_LOW_MEMORY

SALT_BYTES: Final = 16
"""RFC 9106 section 3.1: 128 bits are enough for passwords."""

HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
LEAST: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For what is no secret: the demo prints its people's codes on the screen."""
