"""A text browser, and a person at the keyboard: `python in_terminal.py BROWSER`; keys come from tmux.

Signs in at URL as USER_ID with PASSWORD, opens two pages by their address, prints what was seen; exits 1 when it never was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

URL = os.environ["URL"]
SECONDS = 40.0


class Absent(Exception):
    """A text that never came."""


@dataclass(frozen=True)
class Browser:
    """`first` are the keys that a newly started browser wants, `to_field` those from the opened page to the first field, `next` from field
    to field; `opens` that Enter opens a field, `closes` that Enter closes it; `send` are the keys after the password, `address` those that
    ask for an address. `lands` that the browser shows the page after sign-in at once."""

    command: str
    to_field: tuple[str, ...]
    next: str
    send: tuple[str, ...]
    address: tuple[str, ...]
    first: tuple[str, ...] = ()
    opens: bool = False
    closes: bool = False
    lands: bool = True


ASKED = "y"
"""Yes, the form is to be sent."""
LYNX = Path(os.environ["HOME"]) / "lynx.cfg"
LYNX_SETTING = "REFERER_WITH_QUERY:PARTIAL\n"
"""As Lynx comes, it says of no page whose address has a query where it came from: its forms are then from nowhere, and refused."""

BROWSERS = {
    "lynx": Browser(
        f"lynx -cfg={LYNX} -accept_all_cookies", ("Tab",) * 5, "Tab", ("Tab", "Tab", "Enter"), ("g", "C-u")
    ),
    "w3m": Browser("w3m", ("Tab",) * 5, "Tab", ("Tab", "Tab", "Enter"), ("U", "C-u"), opens=True, closes=True),
    # It keeps a 303 in spite of no-store, and shows the sign-in page once more.
    "links": Browser(
        "links", ("Down",) * 5, "Down", ("Down", "Down", "Enter"), ("g", "C-u"), first=("Enter",), lands=False
    ),
    "elinks": Browser(
        "elinks", ("Down",) * 5, "Down", ("Down", "Down", "Enter", ASKED), ("g", "C-u"), first=("Enter",), opens=True
    ),
}


def tmux(*words: str) -> str:
    return subprocess.run(
        ["tmux", "-L", f"clients-{os.getpid()}", *words], capture_output=True, text=True, check=True
    ).stdout


def keys(*names: str) -> None:
    for name in names:
        tmux("send-keys", "-t", "it", name)
        time.sleep(0.4)


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
    if browser.opens:
        keys("Enter")
    type_text(text)
    if browser.closes:
        keys("Enter")


def go(browser: Browser, url: str) -> None:
    keys(*browser.address)
    type_text(url)
    keys("Enter")


def work(browser: Browser) -> None:
    wait_for("Welcome to" if browser.first else "Security code")
    keys(*browser.first)
    wait_for("Security code")
    time.sleep(2)
    keys(*browser.to_field)
    fill_in(browser, os.environ["USER_ID"])
    keys(browser.next)
    fill_in(browser, os.environ["PASSWORD"])
    keys(*browser.send)
    if browser.lands:
        wait_for("Search by name")
    else:
        time.sleep(8)
    go(browser, f"{URL}documents")
    wait_for("archive.csv")
    go(browser, f"{URL}queue")
    wait_for("How many wait")


def main() -> int:
    browser = BROWSERS[sys.argv[1]]
    LYNX.write_text(LYNX_SETTING)
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
