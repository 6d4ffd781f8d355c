"""The signed assertion to the origin, and the public keys by which it is checked (DESIGN section 6; RFC 7519, RFC 7517).

A token is bound to one origin and one purpose, lives a minute, and never comes near a page (THREATS row 16).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import ConfigurationError
from gateway.model import Authorisation, Session, Transaction, UseGrant

LIFETIME_SECONDS: Final = 60
REUSE_SECONDS: Final = 30.0
"""An assertion is handed out again for at most this long, so that every origin gets one that is good for 30 s more."""
CACHED: Final = 10_000
"""Assertions kept; the oldest goes first. Each costs about 1 kB, signing one about 50 µs."""


class Signer:
    """Signs assertions with one EC P-256 key. `issuer` is the portal's https address; `random` gives n random bytes."""

    def __init__(self, pem: bytes, issuer: str, random: Callable[[int], bytes]) -> None:
        key = load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ConfigurationError("the assertion key is not an EC P-256 private key: make one with `gateway init`")
        self._key = key
        self._issuer = issuer
        self._random = random
        self._cache: OrderedDict[_CacheKey, tuple[float, str]] = OrderedDict()
        numbers = key.public_key().public_numbers()
        public = {"crv": "P-256", "kty": "EC", "x": _octets(numbers.x), "y": _octets(numbers.y)}
        # RFC 7638: the thumbprint of the key is its id.
        canonical = json.dumps(public, separators=(",", ":"), sort_keys=True).encode()
        self._kid = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")
        self.jwks = json.dumps({"keys": [{**public, "use": "sig", "alg": "ES256", "kid": self._kid}]}).encode()

    def assertion(
        self,
        session: Session,
        institution: str,
        transaction: Transaction,
        authorisation: Authorisation,
        grant: UseGrant,
        audience: str,
        now: float,
    ) -> tuple[float, str]:
        """The assertion for one permitted request, and when it was made (Unix seconds): the same one for REUSE_SECONDS as long as
        what it says is the same.
        """
        key = _CacheKey(
            session.id, transaction.id, authorisation.reference, grant.use, session.means, session.auth_time, audience
        )
        cached = self._cache.get(key)
        # One that comes from later than now was made before the clock was set back: it is made anew.
        if cached is not None and 0 <= now - cached[0] < REUSE_SECONDS:
            return cached
        issued = int(now)
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "sub": session.user_id,
            "institution": institution,
            "transaction": transaction.id,
            "authorisation": authorisation.reference,
            "use": str(grant.use),
            "purpose": None if grant.purpose is None else grant.purpose.en,
            "means": str(session.means),
            "auth_time": int(session.auth_time),
            "iat": issued,
            "exp": issued + LIFETIME_SECONDS,
            "jti": self._random(16).hex(),
        }
        text = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._kid})
        made = self._cache[key] = (now, text)
        self._cache.move_to_end(key)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return made

    def forget(self, session_id: str) -> None:
        """Drop what is cached for a session whose access ended."""
        for key in [key for key in self._cache if key.session == session_id]:
            del self._cache[key]


class _CacheKey(NamedTuple):
    session: str
    transaction: str
    authorisation: str
    use: str
    means: str
    auth_time: float
    audience: str


def _octets(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")
