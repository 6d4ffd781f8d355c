"""The one client for requests that the gateway makes itself: OCSP, CRL, OpenID Connect.

Whom it asks is no more trusted than any client: the place is on a list, redirects are not followed, cookies are neither kept nor sent,
the environment's proxies and `.netrc` are not read, time and size are bounded, and a body is never decompressed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from gateway.errors import OutboundError
from gateway.outbound.hosts import Hosts, Url
from gateway.outbound.settings import OutboundSettings
from gateway.outbound.tls import tls_context

USER_AGENT = "ksz-gateway"
"""Some responders refuse a request without one."""
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Field names are in lower case; of a field that came twice it is the first."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Client:
    """Asks. One a worker; `counts` is how many requests ended how, by place and outcome (`answered` or an error's reason)."""

    def __init__(self, settings: OutboundSettings) -> None:
        """Inside a running loop. Raises ConfigurationError when the file of authorities cannot be read."""
        self.counts: Counter[tuple[str, str]] = Counter()
        self._proxy = None if settings.proxy is None else URL(str(settings.proxy))
        self._connect = settings.connect
        # A connection is used once: questions are rare, and one that the other side has just closed would be a failure without meaning.
        connector = aiohttp.TCPConnector(
            limit_per_host=settings.per_host, force_close=True, ssl=tls_context(settings.ca)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        allowed: Hosts,
        max_bytes: int,
        seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Asks `url`, and gives the whole answer, whatever its status is; a redirect is an answer like another.

        `seconds` holds for everything: waiting for others to the same place, name, connection, TLS, answer, body. Raises OutboundError:
        `unsafe_url`, `host_not_allowed` (nothing was sent), `timeout`, `unreachable`, `tls_failed`, `malformed` (no HTTP, or broken
        off), `encoded` (a content coding that nobody asked for), `too_large` (more than `max_bytes`).
        """
        place = ""
        outcome = "answered"
        try:
            checked = allowed.check(url)
            place = str(checked.place)
            return await self._ask(method, checked, body, headers or {}, max_bytes, seconds)
        except OutboundError as error:
            outcome = error.reason
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            # A place that is not on a list is a stranger's word, and would be a figure of its own each time.
            self.counts[place, outcome] += 1

    async def _ask(
        self, method: str, url: Url, body: bytes | None, headers: Mapping[str, str], max_bytes: int, seconds: float
    ) -> Answer:
        place = str(url.place)
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    method,
                    URL(url.text, encoded=True),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
                ) as response,
            ):
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise OutboundError("encoded", place)
                content = await _body(response, max_bytes, place)
                fields: dict[str, str] = {}
                for name, value in response.headers.items():
                    fields.setdefault(name.lower(), value)
                return Answer(response.status, fields, content)
        except TimeoutError:
            raise OutboundError("timeout", place) from None
        except aiohttp.ClientSSLError:
            raise OutboundError("tls_failed", place) from None
        except (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError):
            raise OutboundError("unreachable", place) from None
        except (aiohttp.ClientError, ValueError):
            raise OutboundError("malformed", place) from None

    async def close(self) -> None:
        """Ends what is under way, and gives the sockets back."""
        await self._session.close()


async def _body(response: aiohttp.ClientResponse, max_bytes: int, place: str) -> bytes:
    """The body, of `max_bytes` at the most; the rest of a longer one is never read. Raises OutboundError `too_large`."""
    content = bytearray()
    if (response.content_length or 0) <= max_bytes:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            content += chunk
            if len(content) > max_bytes:
                break
        else:
            return bytes(content)
    response.close()
    raise OutboundError("too_large", place)
