"""What the records need to know, and the key under which secrets lie in the database."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# What the key is mixed into is pure, and verified with it: a room of the same floor.
from gateway.credentials.peppered import Pepper
from gateway.errors import ConfigurationError, RecordsError
from gateway.records.index import LEAST_STALE_SECONDS
from gateway.records.server import Server
from gateway.records.standing import DEFAULT_RULES, Rules

KEY_BYTES = 32
"""AES-256."""
DEFAULT_STALE_SECONDS = 30.0
MAX_STALE_SECONDS = 300.0
"""A gateway that cannot read its records knows of no revocation: five minutes is the most that a deployment may allow."""
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class RecordsSettings:
    """`database` is an SQLite file or a PostgreSQL server; `key_file` holds 32 random bytes; `stale_limit` is seconds, 0 for none: then
    each request waits for a look at the database of its own; `rules` are those of designations.

    Raises ConfigurationError for a stale limit out of bounds.
    """

    database: Path | str | Server
    key_file: Path
    stale_limit: float = DEFAULT_STALE_SECONDS
    rules: Rules = DEFAULT_RULES

    def __post_init__(self) -> None:
        if self.stale_limit != 0.0 and not LEAST_STALE_SECONDS <= self.stale_limit <= MAX_STALE_SECONDS:
            raise ConfigurationError(
                f"records: stale_limit must be 0, or lie between {LEAST_STALE_SECONDS:.0f} and {MAX_STALE_SECONDS:.0f} seconds"
            )

    @property
    def path(self) -> Path:
        """The SQLite file."""
        if isinstance(self.database, Server):
            raise TypeError("a server has no path")
        return Path(self.database)


class RecordsKey:
    """Seals secrets that must be read again (TOTP) with AES-256-GCM; each is bound to whom and what it belongs to.

    `pepper` is mixed into those that are only compared, and short.
    """

    __slots__ = ("_aead", "_backups", "_words", "id", "pepper")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._words = hashlib.sha256(b"gateway records key of words" + key).digest()
        self._backups = hashlib.sha256(b"gateway records key of backups" + key).digest()
        self.id = hashlib.sha256(b"gateway records key id" + key).hexdigest()[:16]
        self.pepper = Pepper(key)

    @classmethod
    def read(cls, path: Path) -> RecordsKey:
        """Raises ConfigurationError: what, where, what to do."""
        try:
            key = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{path}: the records key cannot be read ({error.strerror}); see `gateway init`"
            ) from None
        if len(key) != KEY_BYTES:
            raise ConfigurationError(
                f"{path}: the records key must be {KEY_BYTES} random bytes, this file has {len(key)}"
            )
        return cls(key)

    def number_of(self, word: str) -> int:
        """A number of 30 bits that stands for a word, and tells nothing of it to whoever has not the key."""
        told = hmac.digest(self._words, word.encode("utf-8", "surrogatepass"), "sha256")
        return int.from_bytes(told[:4]) >> 2

    def backup_hmac(self) -> hmac.HMAC:
        """Begins the HMAC of a backup (SHA-256)."""
        return hmac.new(self._backups, digestmod="sha256")

    def seal(self, secret: bytes, owner: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret, owner.encode("utf-8"))

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Raises RecordsError when it was altered, moved to another owner, or sealed with another key."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode("utf-8"))
        except (InvalidTag, ValueError):
            raise RecordsError(
                "a sealed secret does not open: the row was altered, or the records key is another one"
            ) from None
