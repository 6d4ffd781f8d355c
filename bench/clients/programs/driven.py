"""A browser that a program drives: `python driven.py DRIVER [spoofed]`; signs in at URL as USER_ID with PASSWORD, and works.

Prints the step it is at; exits 1 when the browser never got somewhere. With `spoofed` it is told to send USER_AGENT.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

HOME, URL, CA, AGENT = Path(os.environ["HOME"]), os.environ["URL"], os.environ["CA"], os.environ["AGENT"]
COOKIE = os.environ.get("COOKIE", "")
SECONDS = 30.0
QUIET = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
]
FETCHES = """
fetch("documents").then(a => a.text()).then(() => fetch("documents/archive.csv")).then(a => a.arrayBuffer())
 .then(() => fetch("dossiers/" + document.querySelector("td a").textContent, {method: "PUT", headers: {"Content-Type": "application/json"},
 body: JSON.stringify({note: "seen"})})).then(a => { document.title = "fetched " + a.status; })
"""


class Page(Protocol):
    """What a driver can do, whatever it is."""

    def open(self, url: str) -> None: ...
    def fill(self, selector: str, text: str) -> None: ...
    def click(self, selector: str) -> None: ...
    def text(self, selector: str) -> str: ...
    def script(self, source: str) -> None: ...
    def title(self) -> str: ...
    def tab(self, url: str) -> None: ...


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(Exception):  # in the middle of a navigation every driver raises errors of its own
            if holds():
                print(what, flush=True)
                return
        if time.monotonic() > deadline:
            raise SystemExit(f"never: {what}")
        time.sleep(0.2)


def work(page: Page) -> None:
    """A person's morning, without the person."""
    page.open(URL)
    wait_for("the sign-in page", lambda: "Sign in" in page.title())
    page.fill("[name=user_id]", os.environ["USER_ID"])
    page.fill("[name=password]", os.environ["PASSWORD"])
    page.click("main form button")
    wait_for("the list", lambda: "Dossiers" in page.title())
    page.fill("[name=query]", "Claes")
    page.click("form.inline button")
    wait_for("a search", lambda: "found for" in page.text("main"))
    page.click("td a")
    wait_for("a dossier", lambda: "Dossier of" in page.text("h1"))
    page.fill("textarea", "Called back.")
    page.click("main form button")
    wait_for("a change", lambda: "Called back." in page.text("main"))
    page.open(f"{URL}live")
    wait_for("a websocket", lambda: page.text("#state") == "open")
    page.open(f"{URL}queue")
    wait_for("an event stream", lambda: page.text("#state") == "open")
    page.open(URL)
    page.script(FETCHES)
    wait_for("fetches", lambda: page.title() == "fetched 200")
    for name in ("live", "queue", "documents"):
        page.tab(f"{URL}{name}")
    time.sleep(2)


# --- the drivers ------------------------------------------------------------------------------------------------------------


class Playwright:
    def __init__(self, context: Any) -> None:
        self._context, self._page = context, context.new_page()

    def open(self, url: str) -> None:
        self._page.goto(url)

    def fill(self, selector: str, text: str) -> None:
        self._page.fill(selector, text)

    def click(self, selector: str) -> None:
        self._page.click(f"{selector} >> nth=0")

    def text(self, selector: str) -> str:
        return str(self._page.inner_text(selector))

    def script(self, source: str) -> None:
        self._page.evaluate(f"() => {{ {source} }}")

    def title(self) -> str:
        return str(self._page.title())

    def tab(self, url: str) -> None:
        self._context.new_page().goto(url)


def trust(store: Path) -> str:
    """An NSS store with the demo's authority, as a person's browser has it."""
    store.mkdir(parents=True, exist_ok=True)
    if not (store / "cert9.db").exists():
        subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
        subprocess.run(["certutil", "-d", f"sql:{store}", "-A", "-n", "demo", "-t", "C,,", "-i", CA], check=True)
    return str(store)


@contextlib.contextmanager
def a_screen() -> Iterator[None]:
    display = f":{os.getpid() % 30000 + 100}"
    with subprocess.Popen(
        ["Xvfb", display, "-screen", "0", "1280x1000x24", "-nolisten", "tcp"], stderr=subprocess.DEVNULL
    ) as xvfb:
        os.environ["DISPLAY"] = display
        time.sleep(1.5)
        try:
            yield
        finally:
            xvfb.terminate()


def playwright(program: str, *, headless: bool, spoofed: bool) -> None:
    from playwright.sync_api import sync_playwright

    trust(HOME / ".pki" / "nssdb")
    arguments = [*QUIET, *([f"--user-agent={AGENT}"] if spoofed else [])]
    if headless and program == "chromium":
        arguments.append("--headless=new")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=f"/usr/bin/{program}", headless=headless, args=arguments)
        context = browser.new_context(locale="en-GB")
        if COOKIE:
            name, _, value = COOKIE.partition("=")
            context.add_cookies(
                [{"name": name, "value": value, "url": f"{os.environ['ORIGIN']}/", "secure": True, "httpOnly": True}]
            )
            page = Playwright(context)
            page.open(URL)
            print(page.title())
        else:
            work(Playwright(context))
        browser.close()


class Selenium:
    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def _find(self, selector: str) -> Any:
        return self._driver.find_element("css selector", selector)

    def open(self, url: str) -> None:
        self._driver.get(url)

    def fill(self, selector: str, text: str) -> None:
        field = self._find(selector)
        field.clear()
        field.send_keys(text)

    def click(self, selector: str) -> None:
        self._find(selector).click()

    def text(self, selector: str) -> str:
        return str(self._find(selector).text)

    def script(self, source: str) -> None:
        self._driver.execute_script(source)

    def title(self) -> str:
        return str(self._driver.title)

    def tab(self, url: str) -> None:
        self._driver.switch_to.new_window("tab")
        self._driver.get(url)


def selenium_chrome(*, headless: bool, spoofed: bool) -> None:
    from selenium import webdriver

    trust(HOME / ".pki" / "nssdb")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in [
        *QUIET,
        *(["--headless=new"] if headless else []),
        *([f"--user-agent={AGENT}"] if spoofed else []),
    ]:
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    work(Selenium(driver))
    driver.quit()


def selenium_webkit() -> None:
    from selenium import webdriver

    options = webdriver.WebKitGTKOptions()
    options.binary_location = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"
    options.add_argument("--automation")
    driver = webdriver.WebKitGTK(options, webdriver.WebKitGTKService("/usr/bin/WebKitWebDriver"))
    work(Selenium(driver))
    driver.quit()


class Marionette(Selenium):
    def script(self, source: str) -> None:
        self._driver.execute_script(source, sandbox=None)

    def open(self, url: str) -> None:
        self._driver.navigate(url)

    def tab(self, url: str) -> None:
        made = self._driver.open(type="tab")
        self._driver.switch_to_window(made["handle"])
        self._driver.navigate(url)


def marionette(*, headless: bool, spoofed: bool) -> None:
    from marionette_driver.marionette import Marionette as Client

    profile = trust(HOME / "profile")
    agent = AGENT.split("AppleWebKit")[0] and f'user_pref("general.useragent.override", "{AGENT}");\n'
    (HOME / "profile" / "user.js").write_text(
        'user_pref("marionette.port", 0); user_pref("termsofuse.bypassNotification", true);\n'
        + (agent if spoofed else "")
    )
    command = [
        "firefox-esr",
        "--marionette",
        "--no-remote",
        "--profile",
        profile,
        *(["--headless"] if headless else []),
    ]
    with (HOME / "firefox.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as firefox:
        port = HOME / "profile" / "MarionetteActivePort"
        wait_for("Firefox", port.exists)
        client = Client(host="127.0.0.1", port=int(port.read_text()))
        client.start_session()
        try:
            work(Marionette(client))
        finally:
            firefox.terminate()


async def nodriver() -> None:
    import nodriver as nd

    trust(HOME / ".pki" / "nssdb")
    browser = await nd.start(browser_executable_path="/usr/bin/chromium", browser_args=QUIET, sandbox=False)
    page = await browser.get(URL)
    for selector, text in (("[name=user_id]", os.environ["USER_ID"]), ("[name=password]", os.environ["PASSWORD"])):
        await (await page.select(selector)).send_keys(text)
    await (await page.select("main form button")).click()
    await page.wait_for(text="Search by name")
    print("the list", flush=True)
    for name in ("documents", "live", "queue"):
        await browser.get(f"{URL}{name}", new_tab=True)
    await asyncio.sleep(3)
    browser.stop()


def main() -> None:
    driver, spoofed = sys.argv[1], "spoofed" in sys.argv[2:]
    headless = driver.endswith("-headless")
    with contextlib.nullcontext() if headless else a_screen():
        match driver.removesuffix("-headless"):
            case "playwright":
                playwright("chromium", headless=headless, spoofed=spoofed)
            case "headless-shell":
                playwright("chromium-headless-shell", headless=True, spoofed=spoofed)
            case "selenium":
                selenium_chrome(headless=headless, spoofed=spoofed)
            case "webkit":
                selenium_webkit()
            case "marionette":
                marionette(headless=headless, spoofed=spoofed)
            case "nodriver":
                asyncio.run(nodriver())


if __name__ == "__main__":
    main()
