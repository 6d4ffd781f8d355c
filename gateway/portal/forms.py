"""Forms of ours: the token that ties a form to a browser or session (CSRF), and the tag that tells one user ID from the next.

The proxy already refuses what another site's page sends (`cross_site`); the token holds where a browser sends no such evidence.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from gateway.credentials.start import derive_key

_FORM_PURPOSE: Final = b"gateway portal form token v1"
_NOTE_PURPOSE: Final = b"gateway portal note v1"
_LAST_PURPOSE: Final = b"gateway portal last user tag v1"
FIELD: Final = "csrf"


class FormTokens:
    """Makes and checks the hidden field of a form, under the gateway's secret."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, _FORM_PURPOSE)

    def make(self, holder: str) -> str:
        """The token for `holder`: a session's id, or the value of the form cookie before there is one."""
        return hmac.new(self._key, holder.encode("utf-8", "surrogatepass"), sha256).hexdigest()

    def fits(self, token: str, holder: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.make(holder).encode("ascii"))


class Notes:
    """A few words of ours that a browser carries from one of our hosts to the next in an address: signed, not secret, and soon too old."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, _NOTE_PURPOSE)

    def seal(self, words: Sequence[str], now: float) -> str:
        """The note, for a query. `now` is Unix seconds."""
        body = urlsafe_b64encode(json.dumps([now, *words]).encode("ascii")).decode("ascii")
        return f"{body}.{self._sign(body)}"

    def open(self, note: str, now: float, seconds: float) -> list[str] | None:
        """Its words; None when it is not ours, or older than so many seconds."""
        body, _, signature = note.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._sign(body).encode("ascii")):
            return None
        at, *words = json.loads(urlsafe_b64decode(body))
        return words if 0 <= now - at <= seconds else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "surrogatepass"), sha256).hexdigest()


class UserTags:
    """Tags that tell whether a host served another user ID before, and nothing else to anybody without the key."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, _LAST_PURPOSE)

    def make(self, host: str, user_id: str) -> str:
        return hmac.new(self._key, f"{host}\0{user_id}".encode("utf-8", "surrogatepass"), sha256).hexdigest()
