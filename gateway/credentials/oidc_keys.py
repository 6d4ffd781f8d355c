"""A provider's public keys, and which of them a token says that it is signed with.

What a token's head says is a stranger's word: it chooses among what was allowed, and brings nothing along.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.credentials.oidc import Provider, read_object
from gateway.errors import CredentialError

MAX_TOKEN_CHARACTERS: Final = 16 * 1024
MAX_KEYS: Final = 64
LEAST_RSA_BITS: Final = 2048
"""RFC 7518 section 3.3."""

ID_TOKEN_TYPES: Final = frozenset({"jwt"})
LOGOUT_TOKEN_TYPES: Final = frozenset({"jwt", "logout+jwt"})

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = _RSA | frozenset(_CURVES.values()) | {"EdDSA"}
"""What may be allowed: signatures by a key pair. Neither `none` nor a secret that both sides know."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Key(NamedTuple):
    """A public key of a provider, and what it may verify."""

    kid: str
    algorithms: frozenset[str]
    key: PublicKey


class Head(NamedTuple):
    """By which key a token says that it is signed, and how: a stranger's word, compared with what was allowed."""

    kid: str
    algorithm: str


def read_keys(body: bytes) -> tuple[Key, ...]:
    """The keys of a key set (RFC 7517) that can verify a signature. Raises CredentialError `provider_failed` when it is none.

    Left out: keys without a name, for encryption, symmetric or private ones, RSA below 2048 bits, and kinds that we do not know: others
    use the same document for more than us (section 5).
    """
    listed = read_object(body).get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise CredentialError("provider_failed")
    return tuple(key for key in map(_read_key, listed) if key is not None)


def _read_key(raw: object) -> Key | None:
    if not isinstance(raw, dict) or raw.get("use", "sig") != "sig" or "d" in raw:
        return None
    kid, algorithm = raw.get("kid"), raw.get("alg")
    try:
        found = jwt.PyJWK(raw).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm, NotImplementedError):
        return None  # no key that we can use: what it signed has no key here, and is refused
    if not isinstance(kid, str) or not isinstance(algorithm, str | None):
        return None
    algorithms = _fitting(found) & ({algorithm} if algorithm else ALGORITHMS)
    return Key(kid, algorithms, found) if algorithms else None


def _fitting(key: object) -> frozenset[str]:
    if isinstance(key, rsa.RSAPublicKey):
        return _RSA if key.key_size >= LEAST_RSA_BITS else frozenset()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset({_CURVES[key.curve.name]} if key.curve.name in _CURVES else ())
    return frozenset({"EdDSA"} if isinstance(key, ed25519.Ed25519PublicKey) else ())


def read_head(token: str, provider: Provider, types: frozenset[str]) -> Head:
    """Which key is needed. Raises CredentialError: `token_unreadable`, `token_algorithm`.

    The algorithm is one of those that this provider may use: never `none`, never one of a shared secret. Keys and addresses of keys in
    the token itself (`jwk`, `jku`, `x5u`) are never looked at; what it says must be understood (`crit`) is not.
    """
    try:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise CredentialError("token_unreadable")
        head = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise CredentialError("token_unreadable") from None
    kid, algorithm, kind = head.get("kid"), head.get("alg"), head.get("typ", "JWT")
    if algorithm not in provider.algorithms or algorithm not in ALGORITHMS:
        raise CredentialError("token_algorithm")
    if not isinstance(kid, str) or not isinstance(kind, str) or kind.lower() not in types:
        raise CredentialError("token_unreadable")
    if "crit" in head or "b64" in head:
        raise CredentialError("token_unreadable")
    return Head(kid, str(algorithm))


def find_key(keys: Iterable[Key], head: Head) -> Key | None:
    """The one key of this name that is for this algorithm; None when there is none, or more than one."""
    found = [key for key in keys if key.kid == head.kid and head.algorithm in key.algorithms]
    return found[0] if len(found) == 1 else None
