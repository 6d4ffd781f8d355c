"""The start token: where a person wanted to go when they were asked to sign in (DESIGN section 6, ADR 0001).

It travels through the browser in the query of the portal's pages, sealed with a key of the gateway, so that nothing is stored for
a visitor who is not signed in. It is good for one browser only: it holds the hash of the `__Host-gw-start` cookie that the
transaction host set, and that host hands over a session only to a browser that shows the cookie.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import CredentialError

LIFETIME_SECONDS = 600.0
"""How long a person may take to sign in before the way back is forgotten (DESIGN section 6)."""

FORM_LIFETIME_SECONDS = 900.0
"""The same where a form was kept: as long as it is (`records.forms.FORM_SECONDS`), for it cannot be reached by any other way."""

MAX_TARGET_CHARACTERS = 2000
"""A longer target is replaced by the front page of its host: the token stays in a URL of some 3 kB, which every browser carries."""

_NONCE_BYTES = 12
_PURPOSE = b"gateway start token v1"


class Start(NamedTuple):
    """Where to go back to, and why one was led away.

    `target` is path and query on `host`; `cookie_hash` the hex SHA-256 of the start cookie's value; `reason` the code of the challenge
    and `reference` that of its line in the ledger. `form` is the key of the kept form when it was one that met the challenge, sent to
    `target` by POST; else "".
    """

    host: str
    target: str
    cookie_hash: str
    reason: str
    reference: str
    expires_at: float
    form: str = ""

    @property
    def asked_at(self) -> float:
        """When the challenge was made, Unix seconds."""
        return self.expires_at - lifetime(self.form)


def lifetime(form: str) -> float:
    """For how long, in seconds, the way back is known; `form` is the key of the form that was kept, or ""."""
    return FORM_LIFETIME_SECONDS if form else LIFETIME_SECONDS


def derive_key(secret: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose, from the gateway's one secret (RFC 5869), so that no token is good for two purposes."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)


def cookie_hash(value: str) -> str:
    """What is kept of a cookie: the hex SHA-256 of its value."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


class StartTokens:
    """Seals and opens start tokens under the gateway's secret (at least 32 bytes)."""

    __slots__ = ("_aead",)

    def __init__(self, secret: bytes) -> None:
        self._aead = AESGCM(derive_key(secret, _PURPOSE))

    def seal(
        self,
        host: str,
        target: str,
        start_cookie: str,
        reason: str,
        reference: str,
        now: float,
        nonce: bytes,
        form: str = "",
    ) -> str:
        """A token for the query of a portal page; `nonce` is 12 random bytes, never used twice."""
        if len(target) > MAX_TARGET_CHARACTERS:
            target = "/"
        content = [host, target, cookie_hash(start_cookie), reason, reference, now + lifetime(form), form]
        plain = json.dumps(content, separators=(",", ":")).encode("ascii")
        return base64.urlsafe_b64encode(nonce + self._aead.encrypt(nonce, plain, _PURPOSE)).decode("ascii").rstrip("=")

    def open(self, token: str, now: float) -> Start:
        """What the token holds. Raises CredentialError: `start_unreadable` (not ours, altered) or `start_expired`."""
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            plain = self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)
        except (binascii.Error, ValueError, InvalidTag):
            raise CredentialError("start_unreadable") from None
        start = Start(*json.loads(plain))
        if now >= start.expires_at:
            raise CredentialError("start_expired")
        return start
