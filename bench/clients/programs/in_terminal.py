"""A text browser, and a person at the keyboard: `python in_terminal.py BROWSER`; keys come from tmux.

Signs in at URL as USER_ID with PASSWORD, opens two pages by their address, prints what was seen; exits 1 when it never was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

URL = os.environ["URL"]
SECONDS = 25.0


class Absent(Exception):
    """A text that never came."""


@dataclass(frozen=True)
class Browser:
    """`to_field` are the keys from the opened page to the first field, `next` from field to field, `fill` says that Enter opens and
    closes a field; `send` are the keys after the last field, `address` those that ask for an address."""

    command: str
    to_field: tuple[str, ...]
    next: tuple[str, ...]
    send: tuple[str, ...]
    address: tuple[str, ...]
    fill: bool = False


BROWSERS = {
    "lynx": Browser("lynx -accept_all_cookies", ("Tab",) * 5, ("Tab",), ("Tab", "Tab", "Enter"), ("g", "C-u")),
    "w3m": Browser("w3m", ("Tab",) * 6, ("Tab",), ("Tab", "Tab", "Enter"), ("U", "C-u"), fill=True),
    "links": Browser("links -ssl.certificates 1", ("Down",) * 5, ("Down",), ("Enter",), ("g", "C-u")),
    "elinks": Browser("elinks -no-connect", ("Tab",) * 5, ("Tab",), ("Tab", "Tab", "Enter"), ("g", "C-u")),
}


def tmux(*words: str) -> str:
    return subprocess.run(
        ["tmux", "-L", f"clients-{os.getpid()}", *words], capture_output=True, text=True, check=True
    ).stdout


def keys(*names: str) -> None:
    for name in names:
        tmux("send-keys", "-t", "it", name)
        time.sleep(0.15)


def type_text(text: str) -> None:
    tmux("send-keys", "-t", "it", "-l", text)
    time.sleep(0.3)


def screen() -> str:
    return tmux("capture-pane", "-t", "it", "-p")


def wait_for(text: str) -> None:
    deadline = time.monotonic() + SECONDS
    while text not in screen():
        if time.monotonic() > deadline:
            raise Absent(f"{text!r} was never seen; the screen says:\n{screen()}")
        time.sleep(0.2)
    print(text, flush=True)
    time.sleep(0.5)


def fill_in(browser: Browser, text: str) -> None:
    if browser.fill:
        keys("Enter")
    type_text(text)
    if browser.fill:
        keys("Enter")


def go(browser: Browser, url: str) -> None:
    keys(*browser.address)
    type_text(url)
    keys("Enter")


def work(browser: Browser) -> None:
    wait_for("Security code")
    keys(*browser.to_field)
    fill_in(browser, os.environ["USER_ID"])
    keys(*browser.next)
    fill_in(browser, os.environ["PASSWORD"])
    keys(*browser.send)
    wait_for("Search by name")
    go(browser, f"{URL}documents")
    wait_for("archive.csv")
    go(browser, URL)
    wait_for("Search by name")


def main() -> int:
    browser = BROWSERS[sys.argv[1]]
    tmux("new-session", "-d", "-s", "it", "-x", "120", "-y", "70", f"{browser.command} '{URL}'")
    try:
        work(browser)
    except (Absent, subprocess.CalledProcessError) as failed:
        print(failed)
        return 1
    finally:
        subprocess.run(["tmux", "-L", f"clients-{os.getpid()}", "kill-server"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
