"""Short secrets that people copy from paper: mixed with a key first, then hashed slowly. Pure; a hash takes some 0.1 s of a core.

A code of six characters is found by trying them all, slow hash or not. So a key that is kept away from the database, the pepper,
is mixed in: who has a copy of the database alone cannot begin to try. The mixture also names whom and what the secret belongs to, so
that a hash that was moved to another row fits nothing.
"""

from __future__ import annotations

import hmac
from copy import copy
from typing import Final

from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from gateway.credentials.argon import HASHER, LEAST
from gateway.credentials.start import derive_key
from gateway.errors import CredentialError

_PURPOSE: Final = b"gateway records pepper v1"


class Pepper:
    """Made from the records key; shows nothing of it."""

    __slots__ = ("_hasher", "_key")

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, _PURPOSE)
        self._hasher = HASHER

    def at_least_cost(self) -> Pepper:
        """The same, for codes that are no secret (`argon.LEAST`): what it hashed, both can tell."""
        cheap = copy(self)
        cheap._hasher = LEAST
        return cheap

    def hash(self, salt: bytes, *parts: str) -> str:
        """The encoded Argon2id hash of a secret: its parts are what it is for, whose it is, and the secret. `salt` is 16 random bytes."""
        return self._hasher.hash(self._mix(parts), salt=salt)

    def fits(self, stored: str, *parts: str) -> bool:
        """Whether `stored` was made of these parts. Raises CredentialError(`code_unusable`) when it is no hash."""
        try:
            return self._hasher.verify(stored, self._mix(parts))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError):
            raise CredentialError("code_unusable") from None

    def _mix(self, parts: tuple[str, ...]) -> bytes:
        """HMAC-SHA-256 over the parts, each with its length, so that no two lists of parts are one message."""
        written = [part.encode("utf-8", "surrogatepass") for part in parts]
        return hmac.digest(self._key, b"".join(len(part).to_bytes(4) + part for part in written), "sha256")
