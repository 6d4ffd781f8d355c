"""The auditor's half of a pseudonym: opens what a line holds of a person, with the private key that the gateway never has."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import ConfigurationError
from gateway.ledger.keys import AuditorKey, key_id
from gateway.ledger.pseudonym import INFO, SUITE


class Auditor:
    """Whoever holds the private key for persons. `id` is the key's, as it stands in lines."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self.id = key_id(key.public_key())
        self._key = key

    @staticmethod
    def read(path: Path, sealed_to: AuditorKey) -> Auditor:
        """From a file in PEM, which has to be the key that this gateway seals persons to. Raises ConfigurationError; of the file it tells
        nothing but its name."""
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise ConfigurationError(f"{path}: the auditor's key cannot be read ({error.strerror})") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ConfigurationError(f"{path}: this is no private key in PEM without a passphrase") from None
        if not isinstance(key, X25519PrivateKey) or key_id(key.public_key()) != sealed_to.id:
            raise ConfigurationError(f"{path}: this is not the auditor's key for persons that this gateway seals to")
        return Auditor(key)

    def person(self, sealed: str, sealed_to: str) -> dict[str, str] | None:
        """The user ID and the INSZ, as far as the line has them; None when it was sealed to another key, or is damaged."""
        if sealed_to != self.id:
            return None
        try:
            data = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            read = orjson.loads(SUITE.decrypt(data, self._key, INFO["person"]))
        except (ValueError, InvalidTag):
            return None
        return {name: value for name, value in read.items() if isinstance(value, str)}
