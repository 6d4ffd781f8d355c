"""What a client says it is (clause B1; CLIENTS, "the contract").

No network signal proves a person. A client that names itself a library, a crawler or an automation is believed; so is one that
names itself nothing at all. The list is PyPI's `crawler-user-agents`. No browser may suffer from it: what was tried on 34,000 user
agents of browsers stands in docs/person-or-program.md.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from gateway.decision import Agent

AUTOMATION_TAG = "browser-automation"
REFUSED_TAGS = frozenset(
    {
        "academic",
        "advertising",
        "ai-crawler",
        "archiver",
        AUTOMATION_TAG,
        "feed-reader",
        "http-library",
        "monitoring",
        "scanner",
        "search-engine",
        "seo",
        "social-preview",
    }
)
APPS = frozenset(
    {
        r"Bluesky\/",
        "Fluid",
        "Hatena",
        "MetaIAB Facebook",
        r"Notion\/",
        r"Tumblr\/",
        r"Valve\/Steam",
        "Viber",
        "WhatsApp",
        r"Code\/1\.",
    }
)
"""Patterns that are left out: persons read pages in the windows of these apps, which add the app's name to their browser's."""
DEVICES = frozenset({r"AP3A\.240617\.008", r"008\/", "Butterfly", "Expanse", "Fever", "Sogou", "Sonic"})
"""Patterns that are also the name of a device, a build of Android 15 or a browser: where a browser's engine is named, they say nothing."""
LIBRARIES = ("PowerShell/", "WinHttp.", "MS Web Services Client Protocol", "Indy Library", "Siege/", "(Hydra)", "w3af")
"""Programs that begin like a browser and that the list lacks: a shell's, a macro's, those of .NET and Delphi, a load generator's, two
scanners'."""
DRIVEN = ("Cypress/", "jsdom/", "SlimerJS/", "wkhtmltopdf")
"""Likewise, browsers that only programs drive."""

MAX_CHARACTERS = 1024
"""A longer user agent is no browser's: the longest of 34,000 devices had some 700 characters."""

REMEMBERED = 4096
"""User agents that are kept as they were read; each seen anew costs about 0.2 ms, and 1 to 3 ms when it is as long as may be and made
for it."""

TEXT_BROWSERS = ("lynx/", "w3m/", "links ", "elinks", "dillo/", "netsurf/", "edbrowse/")
"""Text browsers, and small ones that know as little of the newer fields, are browsers: persons read with them, some because they are
blind."""
BROWSERS = ("mozilla/", "opera/", "opr/", "ucweb/", "applecoremedia/", *TEXT_BROWSERS)
"""What user agents of browsers begin with, in lower case. `AppleCoreMedia` is the player inside Safari, which fetches films under its own
name. Libraries begin with names of their own."""

_OFFICE = re.compile(
    r"Microsoft Office|ms-office|MSOffice|Microsoft[- ]?(?:Word|Excel|PowerPoint|Outlook|OneNote|Access|Visio|Project|Publisher)\b"
    r"|Microsoft Data Access Internet Publishing Provider|MS ?FrontPage",  # its older parts, which ask whether a folder can be written
    re.IGNORECASE,
)
_ENGINES = ("AppleWebKit/", "Gecko/", "Trident/", "Presto/")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_ /,:;@!'#%&=<>~-]|\\[^A-Za-z0-9])+")
"""A pattern without operators. Nearly all are, and looking for each as a word costs a third of trying 1,400 alternatives at each
letter."""


class _Patterns:
    """Patterns of the list, looked for as words where they have no operators, else by one expression."""

    __slots__ = ("_expression", "_words")

    def __init__(self, patterns: list[str], words: tuple[str, ...] = ()) -> None:
        plain = (re.sub(r"\\(.)", r"\1", pattern) for pattern in patterns if _PLAIN.fullmatch(pattern))
        self._words = (*words, *plain)
        others = [f"(?:{pattern})" for pattern in patterns if not _PLAIN.fullmatch(pattern)]
        self._expression = re.compile("|".join(others) if others else r"(?!)")

    def found_in(self, user_agent: str) -> bool:
        return any(word in user_agent for word in self._words) or self._expression.search(user_agent) is not None


def _tagged(*, automation: bool) -> list[str]:
    return [
        entry["pattern"]
        for entry in CRAWLER_USER_AGENTS_DATA
        if (AUTOMATION_TAG in entry["tags"]) is automation
        and REFUSED_TAGS.intersection(entry["tags"])
        and entry["pattern"] not in APPS | DEVICES
    ]


_AUTOMATIONS = _Patterns(_tagged(automation=True), DRIVEN)
_PROGRAMS = _Patterns(_tagged(automation=False), LIBRARIES)
_DEVICES = _Patterns(sorted(DEVICES))


class Named(NamedTuple):
    """What a user agent says. `family` is the browser's name without a version, "" for none that we know; `sends_metadata` that every
    browser which bears this name and version sends `Sec-Fetch-…` fields (over HTTPS, but for websockets); `text_browser` that it is one
    of TEXT_BROWSERS."""

    agent: Agent
    family: str
    sends_metadata: bool
    text_browser: bool = False


@lru_cache(maxsize=REMEMBERED)
def read_agent(user_agent: str) -> Named:
    """What a User-Agent field's value says; the empty string stands for an absent field."""
    agent = _classify(user_agent)
    if agent is not Agent.BROWSER:
        return Named(agent, "", False)
    text_browser = user_agent.lower().startswith(TEXT_BROWSERS)
    return Named(agent, _family(user_agent), _sends_metadata(user_agent), text_browser)


def _classify(user_agent: str) -> Agent:
    if not user_agent.strip():
        return Agent.ABSENT
    if len(user_agent) > MAX_CHARACTERS:
        return Agent.PROGRAM
    if _OFFICE.search(user_agent):
        return Agent.OFFICE
    if _AUTOMATIONS.found_in(user_agent):
        return Agent.AUTOMATION
    if not user_agent.lower().startswith(BROWSERS) or _PROGRAMS.found_in(user_agent):
        return Agent.PROGRAM
    if _DEVICES.found_in(user_agent) and (
        "compatible;" in user_agent or not any(map(user_agent.__contains__, _ENGINES))
    ):
        return Agent.PROGRAM
    return Agent.BROWSER


# --- browsers: which, and what it sends --------------------------------------------------------------------------------------

_FAMILIES = (
    ("Edg", "edge"),
    ("OPR/", "opera"),
    ("Opera", "opera"),
    ("Vivaldi/", "vivaldi"),
    ("YaBrowser/", "yandex"),
    ("SamsungBrowser/", "samsung"),
    ("FxiOS/", "firefox"),
    ("Firefox/", "firefox"),
    ("CriOS/", "chrome"),
    ("Chrome/", "chrome"),
    ("Trident/", "internet explorer"),
    ("MSIE ", "internet explorer"),
    ("Safari/", "safari"),
)
"""The first word that is found names the browser: many add the names of those they want to be taken for behind their own."""

_METADATA_SINCE = (
    (re.compile(r"(?<![A-Za-z])Chrome/(\d{1,4})\.(\d{1,4})"), (80, 0)),
    (re.compile(r"(?<![A-Za-z])Firefox/(\d{1,4})\.(\d{1,4})"), (90, 0)),
    (re.compile(r"Version/(\d{1,4})\.(\d{1,4})[.\d]* (?:Mobile/\w+ )?Safari/"), (16, 4)),
)
"""Versions that send fetch metadata (CLIENTS)."""
_NOT_WHAT_THEY_SAY = ("Goanna/", "SeaMonkey/", "PaleMoon/", "Waterfox", "Android 4", "Trident/", "Opera Mini")
"""Browsers that bear another's version and are older than it."""


def _family(user_agent: str) -> str:
    return next((family for word, family in _FAMILIES if word in user_agent), "")


def _sends_metadata(user_agent: str) -> bool:
    if any(word in user_agent for word in _NOT_WHAT_THEY_SAY):
        return False
    for pattern, since in _METADATA_SINCE:
        found = pattern.search(user_agent)
        if found is not None:
            return (int(found[1]), int(found[2])) >= since
    return False
