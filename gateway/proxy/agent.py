"""What a client says it is (clause B1; CLIENTS, "the contract").

No network signal proves a person. A client that names itself a library, a crawler or an automation is believed; so is one that
names itself nothing at all. The list is PyPI's `crawler-user-agents`; its tag `social-preview` is left out, because the browsers
inside messaging apps look like it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from gateway.decision import Agent

REFUSED_TAGS = frozenset(
    {
        "academic",
        "advertising",
        "ai-crawler",
        "archiver",
        "browser-automation",
        "feed-reader",
        "http-library",
        "monitoring",
        "scanner",
        "search-engine",
        "seo",
    }
)

MAX_CHARACTERS = 1024
"""A longer user agent is no browser's: the longest of 4,000 devices had some 400 characters."""

REMEMBERED = 4096
"""User agents whose class is kept; each seen anew costs about 0.2 ms, and 1 to 3 ms when it is as long as may be and made for it."""

_PATTERNS = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA if REFUSED_TAGS.intersection(entry.get("tags", ()))]
_PLAIN = re.compile(r"(?:[A-Za-z0-9_ /,:;@!'#%&=<>~-]|\\[^A-Za-z0-9])+")
"""A pattern without operators. Nearly all are, and looking for each as a word costs a third of trying 1,400 alternatives at each
letter."""
_WORDS = tuple(re.sub(r"\\(.)", r"\1", pattern) for pattern in _PATTERNS if _PLAIN.fullmatch(pattern))
_PROGRAMS = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS if not _PLAIN.fullmatch(pattern)))
_OFFICE = re.compile(r"Microsoft Office|ms-office|MSOffice|Microsoft-?(?:Word|Excel|PowerPoint|Outlook)", re.IGNORECASE)
_BROWSER_PREFIX = ("Mozilla/", "Opera/")


@lru_cache(maxsize=REMEMBERED)
def classify(user_agent: str) -> Agent:
    """The class of a User-Agent field's value; the empty string stands for an absent field."""
    if not user_agent.strip():
        return Agent.ABSENT
    if len(user_agent) > MAX_CHARACTERS:
        return Agent.PROGRAM
    if _OFFICE.search(user_agent):
        return Agent.OFFICE
    # Every browser of the last thirty years opens with one of these words; libraries open with their own name.
    if not user_agent.startswith(_BROWSER_PREFIX) or _names_a_program(user_agent):
        return Agent.PROGRAM
    return Agent.BROWSER


def _names_a_program(user_agent: str) -> bool:
    return any(word in user_agent for word in _WORDS) or _PROGRAMS.search(user_agent) is not None
