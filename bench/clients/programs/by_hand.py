"""A browser with a window, and a person at the keyboard: `python by_hand.py BROWSER`; keys come from xdotool, nothing else is driven.

Signs in at URL as USER_ID with PASSWORD, works (a dossier, a page with a websocket, one with server-sent events, a second tab, back,
reload), and prints what the window's title said at each step; exits 1 at a step whose title never came. Pictures of the
screen stay in HOME.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HOME, URL, CA = Path(os.environ["HOME"]), os.environ["URL"], os.environ["CA"]
SECONDS = 40.0
TABS_TO_USER_ID = 6
"""Skip link, the portal's name, three languages, then the field."""


class Absent(Exception):
    """A title that never came."""


@dataclass(frozen=True)
class Browser:
    """How one browser is started, and how its person goes to an address."""

    command: Sequence[str]
    address: Callable[[str], None]
    scripts: bool = True
    tabs: bool = True
    field: tuple[int, int] | None = None
    """Where in the window the first field is: for browsers in which the tabulator does not go there from the start."""


def key(*keys: str) -> None:
    subprocess.run(["xdotool", "key", "--clearmodifiers", "--delay", "60", *keys], check=True)


def type_text(text: str) -> None:
    subprocess.run(["xdotool", "type", "--delay", "40", text], check=True)


def in_location_bar(url: str) -> None:
    key("Escape")  # what asks whether to keep the password goes away
    key("ctrl+l")
    time.sleep(1.0)
    type_text(url)
    key("Delete", "Return")  # not what the bar made of it


def in_qutebrowser(url: str) -> None:
    key("Escape")
    type_text(f":open {url}")
    key("Return")


def output(*words: str) -> str:
    return subprocess.run(["xdotool", *words], capture_output=True, text=True, check=False).stdout.strip()


def windows() -> dict[str, str]:
    """The windows on the screen: title and number."""
    numbers = output("search", "--onlyvisible", "--name", ".").split()
    return {title: number for number in numbers if (title := output("getwindowname", number))}


def wait_for(title: str, seconds: float = SECONDS) -> None:
    """Until a window bears the title, which is a page's; then a moment more, as a person looks."""
    deadline = time.monotonic() + seconds
    while not any(re.search(title, one) for one in windows()):
        if time.monotonic() > deadline:
            picture("failed")
            raise Absent(f"no window was ever called {title!r}; there are {list(windows())}")
        time.sleep(0.3)
    print(title, flush=True)
    time.sleep(1.0)


def visit(browser: Browser, url: str, title: str) -> None:
    """Go to an address; as a person would, try again when the keys went elsewhere (on a busy machine)."""
    for patience in (15.0, 15.0):
        browser.address(url)
        try:
            wait_for(title, patience)
        except Absent:
            continue
        return
    browser.address(url)
    wait_for(title)


def picture(name: str) -> None:
    with (HOME / f"{name}.png").open("wb") as file:
        subprocess.run(["import", "-window", "root", "png:-"], stdout=file, check=False)


def trust(store: Path) -> str:
    """An NSS store with the demo's authority, as a person's browser has it."""
    store.mkdir(parents=True, exist_ok=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-A", "-n", "demo", "-t", "C,,", "-i", CA], check=True)
    return str(store)


def chromium() -> Browser:
    trust(HOME / ".pki" / "nssdb")
    quiet = [
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-gpu",
    ]
    return Browser(["chromium", "--no-sandbox", "--password-store=basic", *quiet, URL], in_location_bar)


def firefox() -> Browser:
    profile = trust(HOME / "profile")
    (HOME / "profile" / "user.js").write_text(
        'user_pref("browser.aboutwelcome.enabled", false); user_pref("datareporting.policy.dataSubmissionEnabled", false);\n'
        'user_pref("browser.shell.checkDefaultBrowser", false); user_pref("app.update.enabled", false);\n'
        'user_pref("termsofuse.bypassNotification", true); user_pref("browser.startup.homepage_override.mstone", "ignore");\n'
    )
    return Browser(["firefox-esr", "--profile", profile, "--no-remote", URL], in_location_bar)


def epiphany() -> Browser:
    return Browser(["epiphany", URL], in_location_bar)


def minibrowser() -> Browser:
    return Browser(["/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser", URL], in_location_bar, tabs=False)


def falkon() -> Browser:
    trust(HOME / ".pki" / "nssdb")
    return Browser(["falkon", "--no-sandbox", URL], in_location_bar, field=(485, 325))


def qutebrowser() -> Browser:
    trust(HOME / ".pki" / "nssdb")
    return Browser(
        ["qutebrowser", "--temp-basedir", "--qt-flag", "no-sandbox", URL], in_qutebrowser, tabs=False, field=(410, 260)
    )


def netsurf() -> Browser:
    (HOME / ".config" / "netsurf").mkdir(parents=True, exist_ok=True)
    (HOME / ".config" / "netsurf" / "Choices").write_text(
        "ca_bundle:/etc/ssl/certs/ca-certificates.crt\naccept_language:en\n"
    )
    return Browser(["netsurf-gtk", URL], in_location_bar, scripts=False, tabs=False, field=(275, 398))


BROWSERS = {one.__name__: one for one in (chromium, firefox, epiphany, minibrowser, falkon, qutebrowser, netsurf)}


def work(browser: Browser) -> None:
    wait_for("Sign in")
    picture("sign-in")
    if browser.field:
        window = next(number for title, number in windows().items() if "Sign in" in title)
        there = [str(number) for number in browser.field]
        subprocess.run(["xdotool", "mousemove", "--window", window, *there, "click", "1"], check=True)
        time.sleep(0.5)
    else:
        key(*["Tab"] * TABS_TO_USER_ID)
    type_text(os.environ["USER_ID"])
    key("Tab")
    type_text(os.environ["PASSWORD"])
    picture("filled-in")
    key("Return")
    wait_for("Dossiers")
    picture("signed-in")
    for page, title in (("documents", "Documents"), ("live", "Live"), ("queue", "Queue"), ("", "Dossiers")):
        if page in ("live", "queue") and not browser.scripts:
            continue
        visit(browser, f"{URL}{page}", title)
        picture(page or "list")
    if browser.tabs:
        key("ctrl+t")
        time.sleep(1)
        visit(browser, f"{URL}live", "Live")
        key("ctrl+t")
        time.sleep(1)
        visit(browser, f"{URL}documents", "Documents")
    key("F5")
    time.sleep(2)
    picture("end")


def main() -> int:
    display = f":{os.getpid() % 30000 + 100}"
    os.environ |= {
        "DISPLAY": display,
        "XDG_RUNTIME_DIR": str(HOME),
        "GTK_USE_PORTAL": "0",
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    }
    os.environ |= {
        "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "NO_AT_BRIDGE": "1",
    }
    browser = BROWSERS[sys.argv[1]]()
    processes = [
        subprocess.Popen(
            ["Xvfb", display, "-screen", "0", "1280x1000x24", "-nolisten", "tcp"], stderr=subprocess.DEVNULL
        )
    ]
    time.sleep(1.5)
    with (HOME / "browser.log").open("wb") as log:
        for command in (["openbox"], ["dbus-run-session", "--", *browser.command]):
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
            time.sleep(1)
    try:
        work(browser)
    except Absent as absent:
        print(absent)
        return 1
    finally:
        for process in reversed(processes):
            process.terminate()
        keep = os.environ.get("KEEP")
        if keep:
            shutil.copytree(
                HOME,
                Path(keep) / sys.argv[1],
                dirs_exist_ok=True,
                ignore=lambda _, names: [n for n in names if not n.endswith((".png", ".log"))],
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
