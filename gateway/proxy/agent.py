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
"""User agents whose class is kept, each seen anew costs about 0.4 ms of regular expression."""

_PROGRAMS = re.compile(
    "|".join(
        f"(?:{entry['pattern']})"
        for entry in CRAWLER_USER_AGENTS_DATA
        if REFUSED_TAGS.intersection(entry.get("tags", ()))
    )
)
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
    if not user_agent.startswith(_BROWSER_PREFIX) or _PROGRAMS.search(user_agent):
        return Agent.PROGRAM
    return Agent.BROWSER
