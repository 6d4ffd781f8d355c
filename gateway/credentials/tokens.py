"""Secrets that a browser carries: session cookies and one-time codes. 256 random bits as text; only the hash is stored.

A plain hash is enough: nobody guesses 256 random bits, so neither salt nor work factor would add anything.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

from gateway.errors import CredentialError

TOKEN_BYTES = 32
"""256 bits (NIST SP 800-63B-4 section 5.1.1 asks for at least 64)."""

TOKEN_CHARACTERS = 43
"""32 bytes in base64url without padding."""


def make_token(random: bytes) -> str:
    """The text of a token, from 32 random bytes that the caller drew and forgets."""
    if len(random) != TOKEN_BYTES:
        raise ValueError(f"a token is made of {TOKEN_BYTES} bytes")
    return urlsafe_b64encode(random).decode("ascii").rstrip("=")


def token_hash(token: str) -> bytes:
    """The SHA-256 by which a token is found again. Raises CredentialError(`token_malformed`) for what cannot be a token."""
    if len(token) != TOKEN_CHARACTERS or not token.isascii():
        raise CredentialError("token_malformed")
    return hashlib.sha256(token.encode("ascii")).digest()
