"""How an origin checks the gateway's word: `X-Gateway-Assertion` (DESIGN section 6, "To the origin").

This is what every application behind the gateway has to do, and all of it: signature by a key of the gateway's key set, issuer,
audience, expiry, and that the assertion speaks of this very transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import jwt

from gateway.errors import GatewayError

FIELD: Final = "X-Gateway-Assertion"

LEEWAY_SECONDS: Final = 5.0
"""How far the clocks of gateway and origin may differ."""

LIFETIME_SECONDS: Final = 60.0
"""An assertion lives at most so long; one that says more was not made by our gateway (DESIGN section 6)."""

REFETCH_SECONDS: Final = 2.0
"""An unknown key id makes the origin ask again, but not more often than this: a stranger could send many."""

FETCH_TIMEOUT_SECONDS: Final = 3.0

_CLAIMS: Final = (
    "iss",
    "aud",
    "sub",
    "iat",
    "exp",
    "jti",
    "institution",
    "transaction",
    "authorisation",
    "use",
    "means",
    "auth_time",
)


class AssertionRefused(GatewayError):
    """No assertion, or one that does not hold. The message is for the origin's own log; the client learns nothing."""


class Keys:
    """The gateway's public keys, from a URL or a file, read when they are first needed and again for an unknown key id."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = -REFETCH_SECONDS
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK:
        """The key of that id. Raises AssertionRefused when there is none, or the key set cannot be had."""
        if kid not in self._keys:
            async with self._lock:
                if kid not in self._keys and time.monotonic() - self._read_at >= REFETCH_SECONDS:
                    self._keys = await self._read()
                    self._read_at = time.monotonic()
        try:
            return self._keys[kid]
        except KeyError:
            raise AssertionRefused("the key id is not in the key set") from None

    async def _read(self) -> dict[str, jwt.PyJWK]:
        try:
            if self._source.startswith(("http://", "https://")):
                timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_SECONDS)
                async with aiohttp.ClientSession(timeout=timeout) as client, client.get(self._source) as answer:
                    answer.raise_for_status()
                    text = await answer.text()
            else:
                text = await asyncio.to_thread(Path(self._source).read_text)
            return {key.key_id: key for key in jwt.PyJWKSet.from_json(text).keys if key.key_id is not None}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, jwt.PyJWTError) as error:
            raise AssertionRefused(f"the key set cannot be read: {error}") from error


class Verifier:
    """Checks assertions of one issuer for one audience, this origin. The applications on it share it."""

    def __init__(self, keys: Keys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str, transaction: str) -> Mapping[str, Any]:
        """The claims of a good assertion for `transaction`. Raises AssertionRefused for every other token."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str):
                raise AssertionRefused("no key id")
            key = await self._keys.find(kid)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(_CLAIMS)},
            )
        except jwt.PyJWTError as error:
            raise AssertionRefused(str(error)) from error
        if claims["exp"] - claims["iat"] > LIFETIME_SECONDS:
            raise AssertionRefused("it lives longer than an assertion may")
        if claims["transaction"] != transaction:
            # The audience is the whole origin; which of its applications was granted stands here.
            raise AssertionRefused("it speaks of another transaction")
        return claims
