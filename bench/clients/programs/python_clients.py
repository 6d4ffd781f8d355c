"""HTTP clients of Python, one function each: `python python_clients.py NAME`; prints the status that it got.

What to ask for is in the environment: URL, WS_URL, ORIGIN, CA (a PEM file), USER_AGENT and COOKIE (empty: the client's own).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

URL, WS_URL, ORIGIN, CA = (os.environ.get(name, "") for name in ("URL", "WS_URL", "ORIGIN", "CA"))
USER_AGENT, COOKIE = os.environ.get("USER_AGENT", ""), os.environ.get("COOKIE", "")
FIELDS = {name: value for name, value in (("User-Agent", USER_AGENT), ("Cookie", COOKIE)) if value}
COOKIE_ONLY = {"Cookie": COOKIE} if COOKIE else {}
BROWSER_FIELDS = {
    "sec-ch-ua": os.environ.get("SEC_CH_UA", ""),
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": USER_AGENT,
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
    "Accept-Language": "en-GB,en;q=0.9",
}
"""What Chromium sends with a navigation, for who copies everything."""


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CA)


def urllib_request() -> int:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(URL, headers=FIELDS), context=trusting()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def http_client() -> int:
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(URL)
    connection = http.client.HTTPSConnection(parts.netloc, context=trusting())
    connection.request("GET", parts.path, headers=FIELDS)
    return connection.getresponse().status


def requests() -> int:
    import requests

    return requests.get(URL, headers=FIELDS, verify=CA, allow_redirects=False).status_code


def niquests() -> int:
    import niquests

    return int(niquests.get(URL, headers=FIELDS, verify=CA, allow_redirects=False).status_code or 0)


def httpx() -> int:
    import httpx

    return httpx.get(URL, headers=FIELDS, verify=trusting()).status_code


def urllib3() -> int:
    import urllib3

    return urllib3.PoolManager(ca_certs=CA).request("GET", URL, headers=FIELDS, redirect=False).status


def aiohttp() -> int:
    import aiohttp

    async def get() -> int:
        async with (
            aiohttp.ClientSession(headers=FIELDS, connector=aiohttp.TCPConnector(ssl=trusting())) as session,
            session.get(URL, allow_redirects=False) as answer,
        ):
            return answer.status

    return asyncio.run(get())


def pycurl() -> int:
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, URL)
    curl.setopt(pycurl.CAINFO, CA)
    curl.setopt(pycurl.WRITEFUNCTION, len)
    if USER_AGENT:
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
    if COOKIE:
        curl.setopt(pycurl.COOKIE, COOKIE)
    curl.perform()
    return int(curl.getinfo(pycurl.RESPONSE_CODE))


def scrapy() -> int:
    import scrapy
    from scrapy.crawler import CrawlerProcess

    found: list[int] = []

    class Spider(scrapy.Spider):
        name = "spider"

        async def start(self) -> Any:
            yield scrapy.Request(URL, headers=FIELDS, meta={"handle_httpstatus_all": True, "dont_redirect": True})

        def parse(self, response: Any) -> None:
            found.append(response.status)

    process = CrawlerProcess({"LOG_ENABLED": False, "COOKIES_ENABLED": False, "TELNETCONSOLE_ENABLED": False})
    process.crawl(Spider)
    process.start()
    return found[0]


def mechanize() -> int:
    import mechanize

    browser = mechanize.Browser()
    browser.set_handle_robots(False)
    browser.set_ca_data(cafile=CA)
    if FIELDS:
        browser.addheaders = list(FIELDS.items())
    try:
        return int(browser.open(URL).code)
    except mechanize.HTTPError as error:
        return int(error.code)


def pyreqwest() -> int:
    from pyreqwest.client import SyncClientBuilder
    from pyreqwest.http import Url
    from pyreqwest.types import HeadersType

    headers: HeadersType = FIELDS
    with SyncClientBuilder().add_root_certificate_pem(Path(CA).read_bytes()).build() as client:
        return int(client.get(Url(URL)).headers(headers).build().send().status)


def websockets() -> int:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    options: dict[str, Any] = {"origin": ORIGIN, "additional_headers": {"Cookie": COOKIE}} if COOKIE else {}
    if USER_AGENT:
        options["user_agent_header"] = USER_AGENT
    try:
        with connect(WS_URL, ssl=trusting(), **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def websocket_client() -> int:
    import websocket

    options: dict[str, Any] = {"origin": ORIGIN, "cookie": COOKIE} if COOKIE else {}
    try:
        websocket.create_connection(
            WS_URL, sslopt={"ca_certs": CA}, header={"User-Agent": USER_AGENT} if USER_AGENT else None, **options
        ).close()
    except websocket.WebSocketBadStatusException as refused:
        return int(refused.status_code)
    return 101


# --- impersonators: they send a browser's user agent, fields and ClientHello by themselves --------------------------------


def curl_cffi(browser: str) -> Callable[[], int]:
    def get() -> int:
        from curl_cffi import requests

        answer = requests.get(URL, impersonate=browser, headers=COOKIE_ONLY, verify=CA, allow_redirects=False)
        return answer.status_code

    return get


def _perfect() -> tuple[Any, dict[str, Any]]:
    from curl_cffi import requests

    options: dict[str, Any] = {
        "headers": BROWSER_FIELDS | COOKIE_ONLY,
        "default_headers": False,
        "verify": CA,
        "allow_redirects": False,
    }
    return requests, options


def curl_cffi_perfect() -> int:
    requests, options = _perfect()
    return int(requests.Session(impersonate="chrome", verify=CA).get(URL, **options).status_code)


def curl_cffi_timer() -> int:
    import time

    requests, options = _perfect()
    session, status = requests.Session(impersonate="chrome"), 0
    for _ in range(25):
        status = int(session.get(URL, **options).status_code)
        time.sleep(1.5)
    return status


def curl_cffi_fast() -> int:
    import threading

    requests, options = _perfect()
    found: list[int] = []

    def many() -> None:
        session = requests.Session(impersonate="chrome")
        found.extend(int(session.get(URL, **options).status_code) for _ in range(1500))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(found)


def curl_cffi_parallel() -> int:
    import threading

    requests, options = _perfect()
    together, found = threading.Barrier(30), []

    def one() -> None:
        session = requests.Session(impersonate="chrome")
        session.get(URL, **options)
        together.wait(30)  # thirty connections are open at this moment
        found.append(int(session.get(URL, **options).status_code))
        together.wait(30)

    threads = [threading.Thread(target=one) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(found)


def _sign_in(session: Any, fields: dict[str, str], options: dict[str, Any]) -> int:
    """What a person does in the browser, done by a script that knows the password; then thirty pages."""
    import html
    import re
    from urllib.parse import urlsplit

    page = session.get(URL, headers=fields, **options)
    hidden = {
        name: html.unescape(value) for name, value in re.findall(r'name="(csrf|start)" value="([^"]*)"', page.text)
    }
    portal = urlsplit(str(page.url))
    origin = f"{portal.scheme}://{portal.netloc}"
    own = fields | {"Origin": origin} | ({"Sec-Fetch-Site": "same-origin"} if "Sec-Fetch-Site" in fields else {})
    who = {"user_id": os.environ["USER_ID"], "password": os.environ["PASSWORD"], "code": ""}
    session.post(f"{origin}/sign-in", data=hidden | who, headers=own, **options)
    return max(int(session.get(URL, headers=fields, **options).status_code) for _ in range(30))


def requests_password() -> int:
    import requests

    with requests.Session() as session:
        fields = {"User-Agent": USER_AGENT, "Accept": "text/html", "Accept-Language": "en"}
        return _sign_in(session, fields, {"verify": CA})


def curl_cffi_password() -> int:
    from curl_cffi import requests

    return _sign_in(requests.Session(impersonate="chrome"), BROWSER_FIELDS, {"verify": CA, "default_headers": False})


def tls_client() -> int:
    import tls_client

    session = tls_client.Session(client_identifier="chrome_120", random_tls_extension_order=True)
    fields = BROWSER_FIELDS | COOKIE_ONLY if USER_AGENT else {}
    answer = session.get(URL, headers=fields, allow_redirects=False, insecure_skip_verify=True)
    return int(answer.status_code)


def primp() -> int:
    import primp

    answer = primp.Client(impersonate="random", ca_cert_file=CA, follow_redirects=False).get(URL, headers=COOKIE_ONLY)
    return int(answer.status_code)


def wreq(browser: str) -> Callable[[], int]:
    def get() -> int:
        from wreq import Emulation
        from wreq.blocking import Client

        client = Client(emulation=getattr(Emulation, browser), tls_verify=False)
        answer = client.get(URL, headers=COOKIE_ONLY)
        return int(answer.status.as_int())

    return get


def impit(browser: str) -> Callable[[], int]:
    def get() -> int:
        import impit

        client = impit.Client(browser=browser, verify=False, follow_redirects=False)  # type: ignore[arg-type]  # its stubs list the names, which come here as text
        return int(client.get(URL, headers=COOKIE_ONLY).status_code)

    return get


def httpmorph() -> int:
    import httpmorph

    answer = httpmorph.get(URL, headers=COOKIE_ONLY, verify=False, allow_redirects=False)
    return int(answer.status_code)


CLIENTS: dict[str, tuple[str, Callable[[], int]]] = {
    "urllib": ("", urllib_request),
    "http.client": ("", http_client),
    "requests": ("requests", requests),
    "niquests": ("niquests", niquests),
    "httpx": ("httpx", httpx),
    "urllib3": ("urllib3", urllib3),
    "aiohttp": ("aiohttp", aiohttp),
    "pycurl": ("pycurl", pycurl),
    "scrapy": ("scrapy", scrapy),
    "mechanize": ("mechanize", mechanize),
    "pyreqwest": ("pyreqwest", pyreqwest),
    "websockets": ("websockets", websockets),
    "websocket-client": ("websocket-client", websocket_client),
    "curl_cffi-chrome": ("curl_cffi", curl_cffi("chrome")),
    "curl_cffi-firefox": ("curl_cffi", curl_cffi("firefox")),
    "curl_cffi-safari": ("curl_cffi", curl_cffi("safari")),
    "curl_cffi-perfect": ("curl_cffi", curl_cffi_perfect),
    "curl_cffi-timer": ("curl_cffi", curl_cffi_timer),
    "curl_cffi-fast": ("curl_cffi", curl_cffi_fast),
    "curl_cffi-parallel": ("curl_cffi", curl_cffi_parallel),
    "requests-password": ("requests", requests_password),
    "curl_cffi-password": ("curl_cffi", curl_cffi_password),
    "tls-client": ("tls-client", tls_client),
    "primp": ("primp", primp),
    "wreq-firefox": ("wreq", wreq("Firefox139")),
    "wreq-safari": ("wreq", wreq("Safari18_5")),
    "impit-chrome": ("impit", impit("chrome")),
    "impit-firefox": ("impit", impit("firefox")),
    "httpmorph": ("httpmorph", httpmorph),
}
"""Each client: the package whose version tells which it was ("" for Python's own), and the call."""


def main() -> None:
    name = sys.argv[1]
    package, get = CLIENTS[name]
    if sys.argv[2:] == ["--version"]:
        print(f"{package or 'Python'} {version(package) if package else sys.version.split()[0]}")
    else:
        print(get())


if __name__ == "__main__":
    main()
