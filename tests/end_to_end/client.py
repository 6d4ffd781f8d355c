"""Clients of the running gateway: a person's browser as aiohttp can be one, raw TLS for what no library would send, and the ledger's reader."""

from __future__ import annotations

import asyncio
import html
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

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

_INPUT = re.compile(r"<input\b[^>]*>")
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
_ACTION = re.compile(r'<form\b[^>]*\baction="([^"]*)"')


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

    async def get(self, url: str, **options: Any) -> aiohttp.ClientResponse:
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
        return await self.session.post(url, data=fields, headers=headers, **options)

    async def sign_in(self, url: str, user_id: str, password: str, code: str = "") -> aiohttp.ClientResponse:
        """Go to `url`, be asked to sign in, do so, and arrive (or not)."""
        answer = await self.get(url)
        page = await answer.text()
        action = _ACTION.search(page)
        if action is None:
            raise AssertionError(f"no form at {answer.url} ({answer.status}): {page[:2000]}")
        target = answer.url.join(type(answer.url)(html.unescape(action[1]))) if action[1] else answer.url
        fields = hidden_fields(page) | {"user_id": user_id, "password": password, "code": code}
        return await self.submit(str(target), fields)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@asynccontextmanager
async def person(ca: Path) -> AsyncIterator[Person]:
    """A fresh browser that trusts the demo."""
    connector = aiohttp.TCPConnector(resolver=Loopback(), ssl=trusting(ca))
    jar = aiohttp.CookieJar()
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=jar,
        headers={"User-Agent": BROWSER, "Accept-Language": "en"},
        auto_decompress=True,
    ) as session:
        yield Person(session)


async def say(port: int, data: bytes, *, ca: Path | None = None, sni: str | None = None, wait: float = 5.0) -> bytes:
    """Send bytes over TLS (or in the clear without `ca`) and give everything that comes back until the end."""
    context = None
    if ca is not None:
        context = trusting(ca)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=(sni or "") if context else None
    )
    try:
        writer.write(data)
        await writer.drain()
        return await asyncio.wait_for(reader.read(-1), wait)
    finally:
        writer.close()


class Lines:
    """The ledger on the disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for segment in sorted(self.directory.rglob("*.jsonl")):
            found += [json.loads(line) for line in segment.read_bytes().split(b"\n") if line]
        return found

    def of(self, reference: str) -> list[dict[str, Any]]:
        """The lines of one request: its decision, and its completion if it was forwarded."""
        return [line for line in self.all() if line["id"] == reference]

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
