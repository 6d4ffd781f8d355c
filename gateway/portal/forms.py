"""Forms of ours: the token that ties a form to a browser or session (CSRF), and the tag that tells one user ID from the next.

The proxy already refuses what another site's page sends (`cross_site`); the token holds where a browser sends no such evidence.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

from gateway.credentials.start import derive_key

_FORM_PURPOSE: Final = b"gateway portal form token v1"
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


class UserTags:
    """Tags that tell whether a host served another user ID before, and nothing else to anybody without the key."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, _LAST_PURPOSE)

    def make(self, host: str, user_id: str) -> str:
        return hmac.new(self._key, f"{host}\0{user_id}".encode("utf-8", "surrogatepass"), sha256).hexdigest()
