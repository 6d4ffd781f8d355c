"""Debian's Firefox, driven by what it speaks itself: WebDriver BiDi (W3C) over a websocket.

Playwright's own Firefox is a build of its own that no package brings, and Debian's does not know all that Playwright asks of it. What is
here is what a person does on our pages, and in the window in which Firefox asks which certificate it shall show. Its profile is the store
of certificates of its HOME (`harness.trust`, `harness.own`).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.browser.harness import trust

PROGRAM = "firefox-esr"
START_SECONDS = 60
STOP_SECONDS = 20
PAGE_SECONDS = 30

PREFERENCES: dict[str, bool | int | str] = {
    "security.default_personal_cert": "Ask Every Time",
    "intl.accept_languages": "en-GB, en",
    # No request leaves this machine by the browser's own wish.
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.enabled": False,
}

_LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


def missing() -> str:
    """What to install before a test with Firefox can run; empty when nothing is missing."""
    return "" if shutil.which(PROGRAM) else f"no Firefox: apt install {PROGRAM}"


# In Firefox's own window: what the one that asks for a certificate offers, as soon as it hears what is chosen; what was chosen in it; a card
# that is put in; and what it does when it is closed, as to cards: it forgets its choice for each host, and hangs up.
# It listens to its buttons once all that it tells of a card is there, and takes whatever comes before for "Don't send".
_ASKING = """
const asking = [...document.querySelectorAll('.dialogFrame')].map((frame) => frame.contentDocument)
    .find((shown) => shown?.URL === 'chrome://pippki/content/clientauthask.xhtml');
const last = asking?.getElementById('clientAuthCertDetailsStoredOn')?.getAttribute('data-l10n-args');
const told = last && JSON.parse(last).storedOn;
const offered = told ? [...asking.querySelectorAll('#nicknames menuitem')].map((one) => one.getAttribute('label')) : [];
"""
_OFFERED = f"() => {{ {_ASKING} return JSON.stringify(offered); }}"
_CHOOSE = f"""(chosen) => {{ {_ASKING}
    const dialog = asking.getElementById('certAuthAsk');
    if (!chosen) return dialog.cancelDialog();
    asking.getElementById('nicknames').value = offered.indexOf(chosen);
    dialog.acceptDialog();
}}"""
_PUT_IN = """(path, password) => {
    const file = Components.classes['@mozilla.org/file/local;1'].createInstance(Components.interfaces.nsIFile);
    file.initWithPath(path);
    Components.classes['@mozilla.org/security/x509certdb;1'].getService(Components.interfaces.nsIX509CertDB)
        .importPKCS12File(file, password);
}"""
_FORGET = """() => {
    Components.classes['@mozilla.org/security/clientAuthRememberService;1']
        .getService(Components.interfaces.nsIClientAuthRememberService).clearRememberedDecisions();
    Services.obs.notifyObservers(null, 'net:prune-all-connections');
}"""


class Firefox:
    """A browser with one page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._page = self._window = ""

    async def hear(self) -> None:
        """Takes what it says, until it has nothing more to say."""
        async for message in self._socket:
            said = json.loads(message.data)
            if said["type"] == "event":
                self._loaded.set()
                continue
            answer = self._waiting.pop(said["id"])
            if answer.done():
                continue
            if said["type"] == "success":
                answer.set_result(said["result"])
            else:
                answer.set_exception(RuntimeError(f"{said['error']}: {said['message']}"))

    async def _do(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PAGE_SECONDS):
            return await self._waiting[number]

    async def begin(self) -> None:
        await self._do("session.new", capabilities={})
        await self._do("session.subscribe", events=["browsingContext.load"])
        (page,) = (await self._do("browsingContext.getTree"))["contexts"]
        (window,) = (await self._do("browsingContext.getTree", **{"moz:scope": "chrome"}))["contexts"]
        self._page, self._window = page["context"], window["context"]

    async def end(self) -> None:
        await self._do("browser.close")

    async def _call(self, function: str, *arguments: str, window: bool = False) -> Any:
        """A function in the page, or in Firefox's own window, called as if the person had touched it."""
        answer = await self._do(
            "script.callFunction",
            functionDeclaration=function,
            arguments=[{"type": "string", "value": argument} for argument in arguments],
            target={"context": self._window if window else self._page},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] != "success":
            raise AssertionError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    # --- what a person does -------------------------------------------------------------------------------------------

    async def goto(self, url: str) -> None:
        await self._do("browsingContext.navigate", context=self._page, url=url, wait="complete")

    async def fill(self, selector: str, text: str) -> None:
        await self._call("(where, text) => { document.querySelector(where).value = text }", selector, text)

    async def click(self, selector: str) -> None:
        """On what leads to another page; until that is there."""
        await self.press(selector)
        await self.arrive()

    async def press(self, selector: str) -> None:
        await self._call("(where) => { window.left = true; document.querySelector(where).click() }", selector)

    async def asked_for_a_certificate(self) -> list[str]:
        """Until Firefox asks which one it shall show; gives those that it offers, as it names them."""
        async with asyncio.timeout(PAGE_SECONDS):
            while not (offered := json.loads(await self._call(_OFFERED, window=True))):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        return [str(one) for one in offered]

    async def choose(self, one: str) -> None:
        """One of those offered, or none ("Don't send"); and arrive where that leads."""
        await self._call(_CHOOSE, one, window=True)
        await self.arrive()

    async def put_in(self, card: Path, password: str) -> None:
        """A card (PKCS#12), while it runs."""
        await self._call(_PUT_IN, str(card), password, window=True)

    async def arrive(self) -> None:
        """Until the page is there that follows what was pressed."""
        async with asyncio.timeout(PAGE_SECONDS):
            while not await self._arrived():
                await self._loaded.wait()

    async def _arrived(self) -> bool:
        self._loaded.clear()
        try:
            return bool(await self._call("() => !window.left && document.readyState === 'complete'"))
        except RuntimeError:  # between two pages there is none
            return False

    async def url(self) -> str:
        return str(await self._call("() => location.href"))

    async def text(self, selector: str) -> str:
        return str(await self._call("(where) => document.querySelector(where).innerText", selector))

    async def language(self) -> str:
        return str(await self._call("() => document.documentElement.lang"))

    async def forget(self) -> None:
        """Cookies, which certificate was chosen for a host, and connections with what was shown to them."""
        await self._do("storage.deleteCookies")
        await self._call(_FORGET, window=True)

    async def screenshot(self, name: str) -> None:
        """As `harness.screenshot`."""
        directory = os.environ.get("SCREENSHOTS")
        if directory:
            shown = await self._do("browsingContext.captureScreenshot", context=self._page, origin="document")
            (Path(directory) / f"{name}.png").write_bytes(base64.b64decode(shown["data"]))


@asynccontextmanager
async def firefox(home: Path, ca: Path) -> AsyncIterator[Firefox]:
    """A Firefox that trusts `ca`, with this HOME."""
    trust(home, ca)
    profile = home / ".pki" / "nssdb"
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines))
    outside = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0", "--remote-allow-system-access", "about:blank",
        env=outside | {"HOME": str(home), "MOZ_CRASHREPORTER_DISABLE": "1"},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            async with asyncio.timeout(START_SECONDS):
                address = await _address(process)
                # Screenshots of long pages are long messages.
                browser = Firefox(await session.ws_connect(f"{address}/session", max_msg_size=0))
            hearing = [group.create_task(browser.hear()), group.create_task(_read_on(process))]
            async with asyncio.timeout(START_SECONDS):
                await browser.begin()
            yield browser
            await browser.end()
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
            for task in hearing:
                task.cancel()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Where it listens, as soon as it says so."""
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if found := _LISTENING.search(line):
            return found[1].decode()
    raise AssertionError(f"Firefox did not start: {said.decode()}")


async def _read_on(process: asyncio.subprocess.Process) -> None:
    """What it says later is of no interest, and must not be in its way."""
    assert process.stderr is not None
    while await process.stderr.readline():
        pass
