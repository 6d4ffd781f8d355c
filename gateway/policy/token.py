"""A signer whose key never leaves a card or a security module: PKCS#11, by the optional extra `pkcs11` (python-pkcs11).

A key is named by a URI (RFC 7512): `pkcs11:token=KSZ;object=an?module-path=/usr/lib/softhsm/libsofthsm2.so`. EC keys on P-256 or P-384;
the private key and its public half have the same label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from gateway.errors import ConfigurationError

SCHEME: Final = "pkcs11:"
EXAMPLE: Final = "pkcs11:token=KSZ;object=an?module-path=/usr/lib/softhsm/libsofthsm2.so"
_HASHES: Final = {"secp256r1": hashlib.sha256, "secp384r1": hashlib.sha384}


class TokenSigner(Signer):
    """Signs by a key in an open session."""

    def __init__(self, private: Any, public: EllipticCurvePublicKey) -> None:
        self._private = private
        self._hash = _HASHES[public.curve.name]
        self._public = SSlibKey.from_crypto(public)

    @property
    def public_key(self) -> SSlibKey:
        return self._public

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        """Not this way: a session must be closed again."""
        raise NotImplementedError("use open_token")

    def sign(self, payload: bytes) -> Signature:
        from pkcs11 import Mechanism

        # The digest alone goes to the token: it is what ECDSA signs, and cards have little memory.
        raw = self._private.sign(self._hash(payload).digest(), mechanism=Mechanism.ECDSA)
        half = len(raw) // 2
        signature = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        return Signature(self._public.keyid, signature.hex())


@contextmanager
def open_token(uri: str, pin: str) -> Iterator[TokenSigner]:
    """The signer of the key that `uri` names, while the session lasts. Raises ConfigurationError, which never repeats the PIN."""
    token, label, module = _parts(uri)
    try:
        import pkcs11
        from pkcs11.util.ec import encode_ec_public_key
    except ImportError:
        raise ConfigurationError(
            "keys on a token need python-pkcs11: install the gateway with its extra pkcs11"
        ) from None
    try:
        with pkcs11.lib(module).get_token(token_label=token).open(user_pin=pin) as session:
            private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=label)
            found: Any = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=label)
            public = load_der_public_key(encode_ec_public_key(found))
            if not isinstance(public, EllipticCurvePublicKey) or public.curve.name not in _HASHES:
                raise ConfigurationError(f"the key {label} is none of EC on P-256 or P-384")
            yield TokenSigner(private, public)
    except (pkcs11.PKCS11Error, RuntimeError, KeyError, ValueError) as error:
        what = type(error).__name__
        raise ConfigurationError(
            f"the token {token} did not do it ({what}): is it there, is the PIN right, is the key {label} on it?"
        ) from None


def _parts(uri: str) -> tuple[str, str, str]:
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    named = {name: unquote(value) for name, _, value in (part.partition("=") for part in path.split(";"))}
    module = dict(parse_qsl(query)).get("module-path", "")
    if not uri.startswith(SCHEME) or "token" not in named or "object" not in named or not module:
        raise ConfigurationError(f"a key on a token is named like {EXAMPLE}")
    return named["token"], named["object"], module
