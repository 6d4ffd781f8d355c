"""Clients of the running gateway: a person's browser as aiohttp can be one, raw TLS for what no library would send, and the ledger's reader."""

from __future__ import annotations

import asyncio
import html
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
}
FORM = NAVIGATION | {"Sec-Fetch-Site": "same-origin"}
FETCH = {"Accept": "*/*", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}

SECRETS: set[str] = set()
"""What the tests' browsers were given or sent and no log may hold: session cookies, hand-over codes, start tokens, passwords. The shared
gateway's ledger and log are searched for each of them at its end."""

_SECRET_COOKIES = ("__Host-gw-session", "__Host-gw-start", "__Host-gw-form")
_SECRET_PARAMETERS = re.compile(r"[?&](?:code|start)=([^&]+)")

_INPUT = re.compile(r"<input\b[^>]*>")
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
_FORM = re.compile(r"<form\b[^>]*\bmethod=\"?post\"?[^>]*>", re.IGNORECASE)


class Loopback(AbstractResolver):
    """Every name is this machine, as `*.localhost` is for a browser."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        pass


def trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    fields: dict[str, str] = {}
    for tag in _INPUT.findall(page):
        attributes = dict(_ATTRIBUTE.findall(tag))
        if attributes.get("type") == "hidden":
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return fields


class Person:
    """A browser without scripts: cookies, navigations, forms."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def get(self, url: str | URL, **options: Any) -> aiohttp.ClientResponse:
        """A navigation, following redirects as a browser does."""
        headers = NAVIGATION | options.pop("headers", {})
        return await self.session.get(url, headers=headers, **options)

    async def fetch(self, url: str, method: str = "GET", **options: Any) -> aiohttp.ClientResponse:
        """What a script of the page at the same origin would send."""
        headers = FETCH | options.pop("headers", {})
        if method != "GET":
            headers["Origin"] = origin_of(url)
        return await self.session.request(method, url, headers=headers, allow_redirects=False, **options)

    async def submit(self, url: str, fields: dict[str, str], **options: Any) -> aiohttp.ClientResponse:
        """A form of a page at the same origin."""
        headers = FORM | {"Origin": origin_of(url)}
        if fields.get("password"):
            SECRETS.add(fields["password"])
        return await self.session.post(url, data=fields, headers=headers, **options)

    async def sign_in(
        self, url: str, user_id: str, password: str, code: str = "", **options: Any
    ) -> aiohttp.ClientResponse:
        """Go to `url`, be asked to sign in, do so, and arrive (or not)."""
        return await self.fill_in(
            await self.get(url), {"user_id": user_id, "password": password, "code": code}, **options
        )

    async def fill_in(
        self, answer: aiohttp.ClientResponse, fields: dict[str, str], *, goes_on: bool = True, **options: Any
    ) -> aiohttp.ClientResponse:
        """Send the first form (by POST) of the page that `answer` brought. Who signs in reads what others did to their records, and `goes_on`."""
        page = await answer.text()
        form = _FORM.search(page)
        if form is None:
            raise AssertionError(f"no form at {answer.url} ({answer.status}): {page[-2000:]}")
        action = html.unescape(dict(_ATTRIBUTE.findall(form[0])).get("action", ""))
        target = answer.url.join(URL(action)) if action else answer.url
        arrived = await self.submit(str(target), hidden_fields(page) | fields, **options)
        if goes_on and "user_id" in fields and arrived.url.path == "/changes":
            return await self.fill_in(arrived, {})
        return arrived

    def cookie(self, name: str, url: str) -> str:
        """The value of a cookie that this browser would send to `url`."""
        return self.session.cookie_jar.filter_cookies(URL(url))[name].value

    def cookies(self, url: str) -> str:
        """The Cookie field that this browser would send to `url`."""
        return "; ".join(
            f"{name}={one.value}" for name, one in self.session.cookie_jar.filter_cookies(URL(url)).items()
        )


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Connector(aiohttp.TCPConnector):
    """Leads every name to this machine. Once it is closed no connection of it is left.

    aiohttp waits for the connections it has at that moment; not for one that it closed before, which lasts until the gateway has
    closed its side. A loop that ends meanwhile finds it open: an error of the test, one time in some thousand.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._made: list[socket.socket] = []
        super().__init__(resolver=Loopback(), ssl=tls, socket_factory=self._make)

    def _make(self, address: AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        self._made.append(made)
        return made

    async def close(self, *, abort_ssl: bool = False) -> None:
        await super().close(abort_ssl=abort_ssl)
        async with asyncio.timeout(10):
            while any(each.fileno() != -1 for each in self._made):  # noqa: ASYNC110 - no event tells of a socket's end
                await asyncio.sleep(0.002)


@asynccontextmanager
async def person(ca: Path, language: str = "en", tls: ssl.SSLContext | None = None) -> AsyncIterator[Person]:
    """A fresh browser that trusts the demo; `tls` is its own, when it has a card."""
    async with aiohttp.ClientSession(
        connector=Connector(tls or trusting(ca)),
        cookie_jar=aiohttp.CookieJar(),
        headers={"User-Agent": BROWSER, "Accept-Language": language},
        trace_configs=[_remembering_secrets()],
    ) as session:
        yield Person(session)


def _remembering_secrets() -> aiohttp.TraceConfig:
    async def ended(_: Any, __: Any, end: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestRedirectParams) -> None:
        for name in _SECRET_COOKIES:
            if name in end.response.cookies and end.response.cookies[name].value:
                SECRETS.add(end.response.cookies[name].value)
        SECRETS.update(_SECRET_PARAMETERS.findall(end.response.headers.get("Location", "")))

    config = aiohttp.TraceConfig()
    config.on_request_end.append(ended)
    config.on_request_redirect.append(ended)
    return config


@dataclass
class Answer:
    """One answer as it came over the wire; field names in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@asynccontextmanager
async def connected(
    port: int,
    *,
    ca: Path | None = None,
    sni: str | None = None,
    context: ssl.SSLContext | None = None,
    receive_buffer: int = 0,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection for raw bytes: TLS with `ca` or `context`, in the clear without; `sni` None asks for no name.

    With a `receive_buffer` (bytes) of its own, what is not read does not disappear in the kernel's.
    """
    if ca is not None:
        context = trusting(ca)
        context.check_hostname = sni is not None
    secure = context is not None
    plain = socket.socket()
    plain.setblocking(False)
    if receive_buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    except OSError:
        plain.close()
        raise
    reader, writer = await asyncio.open_connection(
        sock=plain, ssl=context, server_hostname=(sni or "") if secure else None
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader, *, to_head: bool = False, wait: float = 5.0) -> Answer:
    """The next answer of a connection."""
    async with asyncio.timeout(wait):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").removesuffix("\r\n\r\n")
        line, *fields = head.split("\r\n")
        named = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        status = int(line.split(" ")[1])
        if to_head or status < 200 or status in (204, 304):
            return Answer(status, named, b"")
        if named.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
            return Answer(status, named, body)
        if "content-length" in named:
            return Answer(status, named, await reader.readexactly(int(named["content-length"])))
        return Answer(status, named, await reader.read(-1))


async def ask(port: int, data: bytes, *, ca: Path | None = None, sni: str | None = None) -> Answer:
    """Send bytes over a connection of their own, and give the first answer."""
    async with connected(port, ca=ca, sni=sni) as (reader, writer):
        writer.write(data)
        return await read_answer(reader, to_head=data.startswith(b"HEAD "))


class Lines:
    """The ledger on the disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for segment in sorted(self.directory.rglob("*.jsonl")):
            whole, _, _ = segment.read_bytes().rpartition(
                b"\n"
            )  # a running gateway may be in the middle of its newest line
            found += [json.loads(line) for line in whole.split(b"\n") if line]
        return found

    def of(self, reference: str) -> list[dict[str, Any]]:
        """The lines of one request: its decision, and its completion if it was forwarded."""
        return [line for line in self.all() if line["id"] == reference]

    def one(self, reference: str) -> dict[str, Any]:
        """The one line of a request that was not forwarded."""
        (line,) = self.of(reference)
        return line

    def decisions(self, reason: str) -> list[dict[str, Any]]:
        return [line for line in self.all() if line["kind"] in ("decision", "connection") and line["reason"] == reason]

    async def soon(self, reason: str, count: int = 1, seconds: float = 5.0) -> list[dict[str, Any]]:
        """The lines of a reason, as soon as there are `count` of them."""
        deadline = asyncio.get_running_loop().time() + seconds
        while len(found := self.decisions(reason)) < count:
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"{len(found)} lines of {reason} instead of {count}")
            await asyncio.sleep(0.05)
        return found

    async def completion(self, reference: str, seconds: float = 10.0) -> dict[str, Any]:
        """The completion line of a request, as soon as it is there."""
        async with asyncio.timeout(seconds):
            while len(found := self.of(reference)) < 2:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)
        return found[-1]
