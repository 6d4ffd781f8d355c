"""A real OpenID Connect provider (npm oidc-provider, `demo-provider/`) for a test: as it should be, and with faults."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest

DIRECTORY = Path(__file__).resolve().parents[1] / "demo-provider"
NODE = shutil.which("node")
needs_provider = pytest.mark.skipif(
    NODE is None or not (DIRECTORY / "node_modules/oidc-provider").is_dir(),
    reason="needs node and npm's oidc-provider: scripts/peers",
)

CLIENT, SECRET = "ksz-gateway", "no-secret-but-long-enough"
LEVEL = "urn:be:fedict:iam:fas:Level"
SECONDS = 20.0


class RealProvider:
    """A process of its own. `issuer` is its address."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    async def control(self, **orders: object) -> None:
        """What `control` of provider.mjs takes: fault, silent, slow, rotate, logout."""
        async with aiohttp.ClientSession() as session, session.post(f"{self.issuer}/control", json=orders) as answer:
            assert answer.status == 204, await answer.text()

    async def authenticate(self, address: str, who: str, acr: str) -> str:
        """What a person in a browser does there, from the address that the gateway sent them to until the one they are sent back to.
        `who` "" cancels."""
        browser = _Browser()
        page = await browser.until_page("GET", address)
        if page.startswith("https://"):
            return page
        (action,) = set(re.findall(r'action="(/interaction/[^"]+)"', page))
        form = {"who": who, "acr": f"{LEVEL}{acr}"} if who else {"cancel": "1"}
        return await browser.until_page("POST", f"{self.issuer}{action}", form)


class _Browser:
    """Cookies by name alone, whenever they end: the provider's clock may be a test's."""

    def __init__(self) -> None:
        self._jar: dict[str, str] = {}

    async def until_page(self, method: str, address: str, form: Mapping[str, str] | None = None) -> str:
        """Follows redirects: the page that they end at, or the first https address."""
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(SECONDS)
        ) as session:
            while not address.startswith("https://"):
                fields = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._jar.items())}
                async with session.request(method, address, data=form, headers=fields, allow_redirects=False) as answer:
                    self._jar.update({name: cookie.value for name, cookie in answer.cookies.items()})
                    if answer.status not in (302, 303):
                        return await answer.text()
                    method, form, address = "GET", None, urljoin(address, answer.headers["Location"])
        return address


@contextmanager
def real_provider(
    redirect: str, logout: str, people: list[Mapping[str, Any]], *, ca: str | None = None, now: float | None = None
) -> Iterator[RealProvider]:
    """Starts it on a port of its own; it ends with the block."""
    settings = {
        "port": 0, "client": CLIENT, "secret": SECRET, "redirect": redirect, "logout": logout, "people": people, "ca": ca,
        **({} if now is None else {"now": now}),
    }  # fmt: skip
    command = [str(NODE), str(DIRECTORY / "provider.mjs")]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        yield RealProvider(json.loads(process.stdout.readline())["issuer"])
        # It ends when its input does.
