"""A client that names itself a program is believed; no browser is taken for one."""

from __future__ import annotations

import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from gateway.decision import Agent
from gateway.proxy.agent import MAX_CHARACTERS, REFUSED_TAGS, classify


@pytest.mark.parametrize(
    "user_agent",
    [
        "curl/8.5.0",
        "Wget/1.21",
        "python-requests/2.32.0",
        "Python/3.11 aiohttp/3.14",
        "Go-http-client/1.1",
        "okhttp/4.12",
        "axios/1.7",
        "Java/17.0.1",
        "PostmanRuntime/7.40",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "Mozilla/5.0 " + "x" * MAX_CHARACTERS,
        "anything",
    ],
)
def test_programs(user_agent: str) -> None:
    assert classify(user_agent) is Agent.PROGRAM


@pytest.mark.parametrize("user_agent", ["", " ", "\t"])
def test_absent(user_agent: str) -> None:
    assert classify(user_agent) is Agent.ABSENT


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
    ],
)
def test_browsers(user_agent: str) -> None:
    assert classify(user_agent) is Agent.BROWSER


@pytest.mark.parametrize(
    "user_agent",
    [
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Word 16.0.14326; Pro)",
        "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    ],
)
def test_office(user_agent: str) -> None:
    assert classify(user_agent) is Agent.OFFICE


def test_words_and_patterns_find_what_the_list_says() -> None:
    """The list's patterns are split into words and expressions: together they are the list."""
    for entry in CRAWLER_USER_AGENTS_DATA:
        whole = re.compile(entry["pattern"])
        for seen in entry.get("instances", ()):
            named = f"Mozilla/5.0 (compatible; {seen})"[:MAX_CHARACTERS]
            if REFUSED_TAGS.intersection(entry.get("tags", ())) and whole.search(named):
                assert classify(named) in (Agent.PROGRAM, Agent.OFFICE), named
