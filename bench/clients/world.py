"""The demo, what the ledger says of whoever was there last, and a room for each client: its own names, trust and HOME."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser

from tests.browser.harness import Demo, user_agent
from tests.browser.person import sign_in
from tests.end_to_end.client import Lines

TRANSACTION = "dossier"
PERSON = "Permitted: reads and changes dossiers"
SESSION_COOKIE = "__Host-gw-session"
SETTLE_SECONDS = 0.4
"""After a client has gone: its connections' ends are noticed and the last lines are on the disk."""
COUNTED_SECONDS = 1.5
"""The same after one that may have been counted: the flood rule writes one line a second."""

ROOM = (
    'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/ssl/certs/ca-certificates.crt && shift 2 && exec nice "$@"'
)
"""A mount namespace of a client's own: the machine's own files stay as they are."""


@dataclass(frozen=True)
class Ask:
    """What a client is to fetch, and as whom; the empty string leaves it to the client."""

    url: str
    user_agent: str
    cookie: str


@dataclass
class Said:
    """What a client printed on both streams, and its exit status (None: it took too long)."""

    output: str
    status: int | None


@dataclass
class World:
    """A running demo, and the scratch directory of its clients."""

    demo: Demo
    scratch: Path
    tools: Path
    victim: Browser
    """A signed-in person's browser, from which session cookies are stolen."""
    _seen: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.demo.transaction(TRANSACTION)["url"])

    @property
    def person(self) -> dict[str, Any]:
        return self.demo.person(PERSON)

    def prepare(self) -> None:
        """The files that a client's room is made of."""
        hosts = {urlsplit(one["url"]).hostname for one in self.demo.facts["transactions"]}
        hosts.add(urlsplit(self.demo.user).hostname)
        self.scratch.mkdir(parents=True, exist_ok=True)
        (self.scratch / "hosts").write_text(
            "".join(f"127.0.0.1 {name}\n" for name in ("localhost", *sorted(hosts, key=str)))
        )
        system = Path(ssl.get_default_verify_paths().openssl_cafile or "")
        known = system.read_text() if system.is_file() else ""
        (self.scratch / "bundle.pem").write_text(known + "\n" + self.demo.ca.read_text())

    def environment(self, name: str, ask: Ask | None = None) -> dict[str, str]:
        """What a client finds in its environment; its HOME is empty at first and its own."""
        home = self.scratch / "home" / name.replace("/", "_").replace(" ", "_")
        home.mkdir(parents=True, exist_ok=True)
        bundle, person, asked = str(self.scratch / "bundle.pem"), self.person, ask or Ask(self.url, "", "")
        return {
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
            "HOME": str(home),
            "LANG": "en_GB.UTF-8" if "WebKit" in name or name.startswith("by hand") else "C.UTF-8",
            "SSL_CERT_FILE": bundle,
            "NODE_EXTRA_CA_CERTS": str(self.demo.ca),
            "NODE_TOOLS": str(self.tools),
            "CA": str(self.demo.ca),
            "URL": asked.url,
            "WS_URL": asked.url.replace("https:", "wss:") + "live",
            "ORIGIN": asked.url.rsplit("/", 2)[0],
            "PORT": str(urlsplit(asked.url).port),
            "USER_AGENT": asked.user_agent,
            "SEC_CH_UA": brands(asked.user_agent),
            "COOKIE": asked.cookie,
            "USER_ID": person["user_id"],
            "PASSWORD": person["password"],
            "PORTAL": self.demo.user,
            "AGENT": victims_agent(),
            "GOCACHE": str(self.scratch / "go"),
            "GODEBUG": "netdns=cgo",
            "KEEP": os.environ.get("KEEP", ""),
        }

    async def run(self, argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> Said:
        """A client in its room, to its end."""
        room = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", ROOM, "room"]
        process = await asyncio.create_subprocess_exec(
            *room, str(self.scratch / "hosts"), str(self.scratch / "bundle.pem"), *argv,
            env=dict(environment), cwd=environment["HOME"], start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        reading = asyncio.ensure_future(process.communicate())
        try:
            output, _ = await asyncio.wait_for(asyncio.shield(reading), seconds)
            return Said(output.decode(errors="replace"), process.returncode)
        except TimeoutError:
            return Said("", None)
        finally:
            _end(process.pid)
            if not reading.done():
                await reading

    async def stolen_cookie(self) -> str:
        """A fresh session of a person's browser: the Cookie field that another client will send."""
        context = await self.victim.new_context(locale="en-GB")
        page = await context.new_page()
        await page.goto(self.url)
        await sign_in(page, self.person)
        await page.wait_for_url(self.url)
        (value,) = [one["value"] for one in await context.cookies(self.url) if one["name"] == SESSION_COOKIE]
        await context.close()
        return f"{SESSION_COOKIE}={value}"

    async def new_lines(self, settle: float = SETTLE_SECONDS) -> list[dict[str, Any]]:
        """The decisions and connections in the ledger since this was asked last, `settle` seconds from now."""
        await asyncio.sleep(settle)
        found = [
            line
            for line in Lines(Path(self.demo.facts["ledger"])).all()
            if line["n"] > self._seen.get(line["stream"], -1)
        ]
        for line in found:
            self._seen[line["stream"]] = max(line["n"], self._seen.get(line["stream"], -1))
        kept = [line for line in found if line["kind"] in ("decision", "connection", "refusals", "sign-in")]
        return sorted(kept, key=lambda line: str(line["time"]))


def brands(agent: str) -> str:
    """Chromium's `sec-ch-ua` for its user agent."""
    version = agent.partition("Chrome/")[2].partition(".")[0]
    return f'"Chromium";v="{version}", "Not_A Brand";v="8"' if version else ""


def victims_agent() -> str:
    """The user agent of the person's browser, which the others then send."""
    return user_agent()


def _end(group: int) -> None:
    """What a client left running ends with it."""
    try:
        os.killpg(group, 9)
    except ProcessLookupError:
        return


def as_json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
