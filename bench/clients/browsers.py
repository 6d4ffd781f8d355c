"""The clients that are browsers, driven by a person's keyboard or by a protocol: each signs in and works."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Driven:
    """A browser at work. `argv` is the driver's command; `needs` the program without which there is nothing to drive."""

    name: str
    kind: str
    needs: str
    argv: Callable[[Path], list[str]]
    version: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 120.0

    def missing(self, tools: Path) -> str:
        """The program that is not here; empty when it can run."""
        wanted = (self.needs, self.argv(tools)[0])
        return next((one for one in wanted if shutil.which(one) is None), "")


HERE = Path(__file__).parent / "programs"
PERSON, DRIVEN, TEXT = "a person at the keyboard", "driven by a protocol", "text browser"


def _by_hand(name: str, browser: str, program: str, version: tuple[str, ...] = ()) -> Driven:
    script = str(HERE / "by_hand.py")
    return Driven(
        f"by hand: {name}", PERSON, program, lambda _: ["python3", script, browser], version or (program, "--version")
    )


def _in_terminal(name: str, browser: str) -> Driven:
    script = str(HERE / "in_terminal.py")
    version = ("dpkg-query", "-W", browser)
    return Driven(f"in a terminal: {name}", TEXT, browser, lambda _: ["python3", script, browser], version)


def _driven(name: str, program: str, *words: str) -> Driven:
    script = str(HERE / "driven.py")
    version = ("dpkg-query", "-W", "webkit2gtk-driver") if program == "WebKitWebDriver" else (program, "--version")
    return Driven(
        name, DRIVEN, program, lambda tools: [str(tools / "venv" / "bin" / "python"), script, *words], version
    )


def _puppeteer(name: str, *words: str) -> Driven:
    script = str(HERE / "puppeteer.mjs")
    return Driven(name, DRIVEN, "chromium", lambda _: ["node", script, *words], ("chromium", "--version"))


BROWSERS: tuple[Driven, ...] = (
    _by_hand("Chromium", "chromium", "chromium"),
    _by_hand("Firefox ESR", "firefox", "firefox-esr"),
    _by_hand("Epiphany (WebKit)", "epiphany", "epiphany"),
    _by_hand(
        "MiniBrowser (WebKit)",
        "minibrowser",
        "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
        ("dpkg-query", "-W", "-f", "${Version}", "libwebkit2gtk-4.1-0"),
    ),
    _by_hand("Falkon (QtWebEngine)", "falkon", "falkon", ("dpkg-query", "-W", "falkon")),
    _by_hand("qutebrowser (QtWebEngine)", "qutebrowser", "qutebrowser", ("dpkg-query", "-W", "qutebrowser")),
    _by_hand("NetSurf", "netsurf", "netsurf-gtk", ("dpkg-query", "-W", "netsurf-gtk")),
    *(
        _in_terminal(name, *words)
        for name, *words in (("Lynx", "lynx"), ("w3m", "w3m"), ("Links", "links"), ("ELinks", "elinks"))
    ),
    _driven("Playwright, Chromium with a window", "chromium", "playwright"),
    _driven("Playwright, Chromium headless", "chromium", "playwright-headless"),
    _driven("Playwright, Chromium headless, spoofed", "chromium", "playwright-headless", "spoofed"),
    _driven("Chromium headless shell", "chromium-headless-shell", "headless-shell-headless"),
    _driven("Chromium headless shell, spoofed", "chromium-headless-shell", "headless-shell-headless", "spoofed"),
    _driven("Selenium, Chromium with a window", "chromedriver", "selenium"),
    _driven("Selenium, Chromium headless", "chromedriver", "selenium-headless"),
    _driven("Selenium, Chromium headless, spoofed", "chromedriver", "selenium-headless", "spoofed"),
    _driven("nodriver, Chromium with a window", "chromium", "nodriver"),
    _driven("Marionette, Firefox with a window", "firefox-esr", "marionette"),
    _driven("Marionette, Firefox headless", "firefox-esr", "marionette-headless"),
    _driven("Marionette, Firefox that says it is Chrome", "firefox-esr", "marionette-headless", "spoofed"),
    _driven("Selenium, WebKitGTK with a window", "WebKitWebDriver", "webkit"),
    _puppeteer("Puppeteer, Chromium headless", "headless"),
    _puppeteer("Puppeteer, Chromium headless, spoofed", "headless", "spoofed"),
)
