"""The clients that are programs: how each is asked for a page, and how for its version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.clients.world import Ask

HERE = Path(__file__).parent / "programs"
ALL = ("itself", "agent", "session")
BY_ITSELF = ("itself", "session")
"""For those that send a browser's user agent of their own accord."""

OFFICE = (
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Word 16.0.17328; Pro)",
    "Microsoft Office Word 2014 (16.0.17328) Windows NT 10.0",
)
CRAWLERS = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "CCBot/2.0 (https://commoncrawl.org/faq/)",
)


@dataclass(frozen=True)
class Program:
    """`argv` makes the command for what is asked, `version` the one that says which it is. `modes` are those that mean something."""

    name: str
    kind: str
    argv: Callable[[Ask, Path], list[str]]
    version: tuple[str, ...]
    modes: tuple[str, ...] = ALL

    def missing(self, tools: Path) -> str:
        """The program that is not here; empty when it can run."""
        program = self.argv(Ask("https://x.localhost:1/", "", ""), tools)[0]
        return "" if shutil.which(program) else program


def _option(name: str, value: str) -> list[str]:
    return [name, value] if value else []


def _field(option: str, name: str, value: str, *, joined: bool = False) -> list[str]:
    if not value:
        return []
    return [f"{option}{name}: {value}"] if joined else [option, f"{name}: {value}"]


def _curl(ask: Ask, _: Path) -> list[str]:
    return [
        "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *_option("-A", ask.user_agent), *_option("-b", ask.cookie), ask.url,
    ]  # fmt: skip


def _curl_as(*options: str) -> Callable[[Ask, Path], list[str]]:
    return lambda ask, tools: [*_curl(ask, tools), *options]


def _wget(program: str) -> Callable[[Ask, Path], list[str]]:
    return lambda ask, _: [
        program, "-q", "-O", "/dev/null", "--server-response", *_option("-U", ask.user_agent),
        *_field("--header=", "Cookie", ask.cookie, joined=True), ask.url,
    ]  # fmt: skip


def _fields(program: str, *options: str, option: str = "-H", last: bool = True) -> Callable[[Ask, Path], list[str]]:
    """A tool that takes each field as an option."""

    def argv(ask: Ask, _: Path) -> list[str]:
        fields = [*_field(option, "User-Agent", ask.user_agent), *_field(option, "Cookie", ask.cookie)]
        return [program, *options, *fields, ask.url] if last else [program, ask.url, *options, *fields]

    return argv


def _httpie(ask: Ask, _: Path) -> list[str]:
    fields = [f"{name}:{value}" for name, value in (("User-Agent", ask.user_agent), ("Cookie", ask.cookie)) if value]
    return [
        "http",
        "--ignore-stdin",
        "--verify",
        "/etc/ssl/certs/ca-certificates.crt",
        "--print=h",
        "GET",
        ask.url,
        *fields,
    ]


def _aria2(ask: Ask, _: Path) -> list[str]:
    fields = _field("--header=", "Cookie", ask.cookie, joined=True)
    agent = [f"--user-agent={ask.user_agent}"] if ask.user_agent else []
    return ["aria2c", "--quiet", "--max-tries=1", "--allow-overwrite=true", "-o", "page", *agent, *fields, ask.url]


def _lftp(ask: Ask, _: Path) -> list[str]:
    settings = [f'set http:user-agent "{ask.user_agent}"'] if ask.user_agent else []
    settings += [f'set http:cookie "{ask.cookie}"'] if ask.cookie else []
    return ["lftp", "-c", "; ".join([*settings, "set net:max-retries 1", f"cat {ask.url}"])]


def _h2load(ask: Ask, tools: Path) -> list[str]:
    return _fields("h2load", "--h1", "-n", "3", "-c", "1", "-t", "1", option="-H")(ask, tools)


def _siege(ask: Ask, _: Path) -> list[str]:
    agent = [f"--user-agent={ask.user_agent}"] if ask.user_agent else []
    cookie = [f"--header=Cookie: {ask.cookie}"] if ask.cookie else []
    return ["siege", "-c", "1", "-r", "2", "--no-parser", *agent, *cookie, ask.url]


def _nmap(ask: Ask, _: Path) -> list[str]:
    host, port = ask.url.split("/")[2].split(":")
    agent = ["--script-args", f"http.useragent='{ask.user_agent}'"] if ask.user_agent else []
    return ["nmap", "-Pn", "-p", port, "--script", "+http-title,+http-headers", *agent, host]


def _whatweb(ask: Ask, _: Path) -> list[str]:
    agent = [f"--user-agent={ask.user_agent}"] if ask.user_agent else []
    return ["whatweb", "--no-errors", *agent, *_option("--cookie", ask.cookie), ask.url]


def _fuzzer(program: str) -> Callable[[Ask, Path], list[str]]:
    def argv(ask: Ask, tools: Path) -> list[str]:
        words = tools / "words.txt"
        fields = [*_field("-H", "User-Agent", ask.user_agent), *_field("-H", "Cookie", ask.cookie)]
        options = {
            "ffuf": ["-s", "-u", f"{ask.url}FUZZ", "-w", str(words)],
            "gobuster": ["dir", "-q", "-k", "-u", ask.url, "-w", str(words)],
            "wfuzz": ["-z", f"file,{words}", "-u", f"{ask.url}FUZZ"],
        }[program]
        return [program, *options, *fields]

    return argv


def _sqlmap(ask: Ask, _: Path) -> list[str]:
    agent = [f"--user-agent={ask.user_agent}"] if ask.user_agent else []
    cookie = [f"--cookie={ask.cookie}"] if ask.cookie else []
    return [
        "sqlmap",
        "--batch",
        "--smart",
        "--level=1",
        "--technique=B",
        "--ignore-code=*",
        *agent,
        *cookie,
        "-u",
        f"{ask.url}?q=1",
    ]


def _httrack(ask: Ask, _: Path) -> list[str]:
    return [
        "httrack",
        ask.url,
        "-O",
        "mirror",
        "-r1",
        "-q",
        "-%v0",
        "-s0",
        *_option("-F", ask.user_agent),
        *_field("-%X", "Cookie", ask.cookie),
    ]


def _wapiti(ask: Ask, _: Path) -> list[str]:
    return [
        "wapiti", "-u", ask.url, "--scope", "url", "-m", "", "--max-scan-time", "10", "--flush-session",
        *_option("-A", ask.user_agent), *_field("-H", "Cookie", ask.cookie),
    ]  # fmt: skip


def _python(name: str, kind: str = "Python", modes: tuple[str, ...] = ALL) -> Program:
    script = str(HERE / "python_clients.py")

    def argv(_: Ask, tools: Path) -> list[str]:
        return [str(tools / "venv" / "bin" / "python"), script, name]

    return Program(f"Python {name}" if kind == "Python" else name, kind, argv, ("--version",), modes)


def _node(name: str, kind: str = "Node.js", modes: tuple[str, ...] = ALL) -> Program:
    script = str(HERE / "node_clients.mjs")
    shown = f"Node.js {name}" if kind == "Node.js" else f"{name} (Node.js)"
    return Program(shown, kind, lambda _, __: ["node", script, name], ("--version",), modes)


def _script(name: str, kind: str, *argv: str, version: tuple[str, ...]) -> Program:
    return Program(name, kind, lambda _, __: list(argv), version)


def _driven(_: Ask, tools: Path) -> list[str]:
    return [str(tools / "venv" / "bin" / "python"), str(HERE / "driven.py"), "playwright"]


TOOL, LOAD, SCAN = "command line", "load generator", "scanner, mirror"
IMPERSONATOR = "impersonator"
PASSWORD = "signs in itself, with a person's password"
REPLAYED = "replayed with curl"

PROGRAMS: tuple[Program, ...] = (
    Program("curl (OpenSSL)", TOOL, _curl, ("curl", "--version")),
    _script(
        "curl (GnuTLS)", TOOL, "/usr/bin/python3", str(HERE / "python_clients.py"), "pycurl",
        version=("/usr/bin/python3", "-c", "import pycurl; print(pycurl.version)"),
    ),
    Program("wget", TOOL, _wget("wget"), ("wget", "--version")),
    Program("wget2", TOOL, _wget("wget2"), ("wget2", "--version")),
    Program("HTTPie", TOOL, _httpie, ("http", "--version")),
    Program("aria2", TOOL, _aria2, ("aria2c", "--version")),
    Program("lftp", TOOL, _lftp, ("lftp", "--version")),
    Program("ab", LOAD, _fields("ab", "-n", "3", "-c", "1"), ("ab", "-V")),
    Program("wrk", LOAD, _fields("wrk", "-c", "1", "-t", "1", "-d", "1"), ("wrk", "-v")),
    Program("siege", LOAD, _siege, ("siege", "--version")),
    Program("h2load", LOAD, _h2load, ("h2load", "--version")),
    Program("nmap (NSE)", SCAN, _nmap, ("nmap", "--version"), ("itself", "agent")),
    Program("WhatWeb", SCAN, _whatweb, ("whatweb", "--version")),
    Program("sqlmap", SCAN, _sqlmap, ("sqlmap", "--version")),
    Program("ffuf", SCAN, _fuzzer("ffuf"), ("ffuf", "-V")),
    Program("gobuster", SCAN, _fuzzer("gobuster"), ("gobuster", "version")),
    Program("wfuzz", SCAN, _fuzzer("wfuzz"), ("wfuzz", "--version")),
    Program("Wapiti", SCAN, _wapiti, ("wapiti", "--version")),
    Program("HTTrack", SCAN, _httrack, ("httrack", "--version")),
    *(
        _python(name)
        for name in (
            "urllib", "http.client", "requests", "niquests", "httpx", "urllib3", "aiohttp", "pycurl", "scrapy", "mechanize", "pyreqwest",
            "websockets", "websocket-client",
        )
    ),
    *(
        _node(name)
        for name in ("fetch", "https", "undici", "node-fetch", "axios", "got", "superagent", "needle", "jsdom", "ws")
    ),
    _script("Java HttpClient", "Java", "java", str(HERE / "Java.java"), "HttpClient", version=("java", "--version")),
    _script("Java HttpURLConnection", "Java", "java", str(HERE / "Java.java"), "HttpURLConnection", version=("java", "--version")),
    _script("Go net/http", "Go", "go", "run", str(HERE / "client.go"), version=("go", "version")),
    _script("Perl LWP", "Perl", "perl", str(HERE / "lwp.pl"), "LWP", version=("perl", "-MLWP", "-e", "print LWP->VERSION")),
    _script("Perl HTTP::Tiny", "Perl", "perl", str(HERE / "lwp.pl"), "Tiny", version=("perl", "-MHTTP::Tiny", "-e", "print HTTP::Tiny->VERSION")),
    _script("Ruby net/http", "Ruby", "ruby", str(HERE / "net_http.rb"), version=("ruby", "--version")),
    _script("PHP curl", "PHP", "php", str(HERE / "client.php"), "curl", version=("php", "--version")),
    _script("PHP streams", "PHP", "php", str(HERE / "client.php"), "stream", version=("php", "--version")),
    *(
        _python(name, IMPERSONATOR, BY_ITSELF)
        for name in (
            "curl_cffi-chrome", "curl_cffi-firefox", "curl_cffi-safari", "tls-client", "primp", "wreq-firefox", "wreq-safari", "impit-chrome",
            "impit-firefox", "httpmorph",
        )
    ),
    _node("got-scraping", IMPERSONATOR, BY_ITSELF),
    _node("wreq-js", IMPERSONATOR, BY_ITSELF),
    *(
        _python(name, IMPERSONATOR, ("session",))
        for name in ("curl_cffi-perfect", "curl_cffi-timer", "curl_cffi-fast", "curl_cffi-parallel")
    ),
    Program("Chromium with a window, driven by Playwright", IMPERSONATOR, _driven, ("chromium", "--version"), ("session",)),
    *(_python(name, PASSWORD, ("session",)) for name in ("requests-password", "curl_cffi-password")),
    *(
        Program(f"Microsoft Office: {agent}", REPLAYED, _curl_as("-A", agent), ("curl", "--version"), BY_ITSELF)
        for agent in OFFICE
    ),
    *(
        Program(f"Crawler: {agent}", REPLAYED, _curl_as("-A", agent), ("curl", "--version"), BY_ITSELF)
        for agent in CRAWLERS
    ),
    Program("A client with an API key (Authorization: Bearer)", REPLAYED, _curl_as("-H", "Authorization: Bearer x"), ("curl", "--version"), ("agent",)),
    Program("An agent that signs its requests (RFC 9421)", REPLAYED, _curl_as("-H", 'Signature-Agent: "https://agent.example"'), ("curl", "--version"), ("agent", "session")),
)  # fmt: skip
