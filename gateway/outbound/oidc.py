"""The back channel to a provider of the federation: its description, its keys, and the token for a code.

Description and keys are kept for a while, and asked for by one at a time: a slow provider costs everybody who waits for it the time of
one question, and for some seconds afterwards nobody. Userinfo is not asked: what is believed is signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

# A room of the same floor: what is asked and how it is judged is pure, and stands there.
from gateway.credentials.oidc import (
    Metadata,
    Provider,
    Question,
    SigningKey,
    basic_proof,
    id_token_of,
    key_proof,
    read_metadata,
    refusal_of,
    token_request,
)
from gateway.credentials.oidc_keys import Head, Key, find_key, read_keys
from gateway.errors import CredentialError, OutboundError
from gateway.outbound.hosts import Hosts
from gateway.outbound.http import Answer, Client

ASK_SECONDS: Final = 4.0
"""For one question. A person waits for two of them at the most: the token's, and now and then that of a description or of keys."""
KEPT_SECONDS: Final = 600.0
"""For how long a description and a set of keys hold. A key that a provider withdraws is believed no longer than that."""
RENEW_SECONDS: Final = 10.0
"""A key that is not known lets the set be asked for again, but not more often than so: anybody can invent names of keys."""
FAILED_SECONDS: Final = 5.0
"""After a question that brought nothing, nobody waits for it again so soon."""
MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""A set of sixty keys with their certificates; descriptions and tokens are far smaller."""

_T = TypeVar("_T")


class ProviderDesk:
    """One provider, as one worker asks it. Everything raises CredentialError `provider_failed`, with what it was as its `detail`.

    `secret` is the gateway's at this provider, or its private key (RSA or P-256); `hosts` are the only places that the description may
    lead to, for us or for a browser; `clock` gives Unix seconds, `random(n)` n bytes.
    """

    def __init__(
        self,
        provider: Provider,
        secret: str | SigningKey,
        hosts: Hosts,
        client: Client,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.provider = provider
        self.hosts = hosts
        self._secret = secret
        self._client = client
        self._clock = clock
        self._random = random
        self._description: _Kept[Metadata] = _Kept(clock)
        self._keys: _Kept[tuple[Key, ...]] = _Kept(clock)

    async def metadata(self) -> Metadata:
        """What the provider says of itself, no older than KEPT_SECONDS."""
        return await self._description.get(self._ask_description, KEPT_SECONDS)

    async def key(self, head: Head) -> Key:
        """The key that a token names. Raises CredentialError `token_key_unknown` as well.

        One that is not in the set may be new (a provider rotates its keys): then the set is asked for again, now and then.
        """
        for oldest in (KEPT_SECONDS, RENEW_SECONDS):
            if (key := find_key(await self._keys.get(self._ask_keys, oldest), head)) is not None:
                return key
        raise CredentialError("token_key_unknown")

    async def id_token(self, question: Question, code: str, redirect: str) -> str:
        """The ID token for a code, unjudged."""
        metadata = await self.metadata()
        form = token_request(question, code, redirect)
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if isinstance(self._secret, str):
            fields["Authorization"] = basic_proof(self.provider.client_id, self._secret)
        else:
            form |= key_proof(self.provider, self._secret, self._clock(), self._random(16).hex())
        answer = await self._ask("POST", metadata.token_endpoint, fields, urlencode(form).encode("ascii"))
        if answer.status != 200:
            raise CredentialError("provider_failed", f"token: {refusal_of(answer.status, answer.body)}")
        return id_token_of(answer.body)

    async def _ask_description(self) -> Metadata:
        address = f"{self.provider.issuer.removesuffix('/')}/.well-known/openid-configuration"
        metadata = read_metadata(await self._document(address), self.provider)
        try:
            self.hosts.check(metadata.authorization_endpoint)
        except OutboundError as error:
            raise CredentialError("provider_failed", str(error)) from None
        return metadata

    async def _ask_keys(self) -> tuple[Key, ...]:
        return read_keys(await self._document((await self.metadata()).jwks_uri))

    async def _document(self, address: str) -> bytes:
        answer = await self._ask("GET", address, {"Accept": "application/json"})
        if answer.status != 200:
            raise CredentialError("provider_failed", f"document: status {answer.status}")
        return answer.body

    async def _ask(self, method: str, address: str, fields: dict[str, str], body: bytes | None = None) -> Answer:
        try:
            return await self._client.fetch(
                method,
                address,
                allowed=self.hosts,
                max_bytes=MAX_DOCUMENT_BYTES,
                seconds=ASK_SECONDS,
                body=body,
                headers=fields,
            )
        except OutboundError as error:
            # Its words name the place, never the address: that of a token holds a code.
            raise CredentialError("provider_failed", str(error)) from None


class _Kept(Generic[_T]):
    """Something that is asked for and holds for a while; a failure holds, too, for a shorter one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asking = asyncio.Lock()
        self._value: _T | None = None
        self._at = self._failed_at = float("-inf")
        self._failure = ""

    async def get(self, ask: Callable[[], Awaitable[_T]], oldest: float) -> _T:
        """What is there, when it is no older than that (seconds); else what `ask` brings. Raises what `ask` raises, or raised last."""
        # Before the lock: who finds it here waits for nobody that asks for something newer, such as a key of an invented name.
        if (held := self._held(oldest)) is not None:
            return held
        async with self._asking:
            if (held := self._held(oldest)) is not None:
                return held
            now = self._clock()
            if 0 <= now - self._failed_at < FAILED_SECONDS:
                raise CredentialError("provider_failed", self._failure)
            try:
                self._value = await ask()
            except CredentialError as error:
                self._failed_at, self._failure = self._clock(), error.detail
                raise
            self._at = now
            return self._value

    def _held(self, oldest: float) -> _T | None:
        # A moment of the future is of no use: the clock was set back.
        return self._value if 0 <= self._clock() - self._at < oldest else None
