"""What resets the idle time: a person's own act, and nothing that a page does by itself.

The requests of Chromium are as it sent them (Debian's 156, over its debugging protocol); those of others as they are documented.
"""

from __future__ import annotations

import pytest

from gateway.decision import Connection
from gateway.model import Channel
from gateway.proxy.facts import Sent, read_sent
from tests.message.dialogue import one_request, request

HOST = "dossier.localhost:8443"
HERE = f"Referer: https://{HOST}/dossier/list?page=2"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
OLD_SAFARI = "Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"
LYNX = "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.8.9"
BY_HAND, SELF_CLEARED = "Sec-Fetch-User: ?1", "Cache-Control: max-age=0"
HTML = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def fetch(site: str, mode: str, dest: str, *more: str) -> tuple[str, ...]:
    return (f"Sec-Fetch-Site: {site}", f"Sec-Fetch-Mode: {mode}", f"Sec-Fetch-Dest: {dest}", *more)


PAGE = ("navigate", "document")
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip
ACTS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("an address typed, a bookmark", "GET", CHROME, fetch("none", *PAGE, BY_HAND)),
    ("a link", "GET", CHROME, fetch("same-origin", *PAGE, BY_HAND, f"Referer: https://{HOST}/dossier/")),
    ("a link to the page itself", "GET", CHROME, fetch("same-origin", *PAGE, BY_HAND, HERE)),
    ("the reload button", "GET", CHROME, fetch("same-origin", *PAGE, BY_HAND, SELF_CLEARED, HERE)),
    ("a search form with GET on its own page", "GET", CHROME, fetch("same-origin", *PAGE, BY_HAND, HERE)),
    ("a script goes elsewhere, long after the click", "GET", CHROME, fetch("same-origin", *PAGE, f"Referer: https://{HOST}/dossier/")),
    ("a script goes elsewhere, no referrer", "GET", CHROME, fetch("same-origin", *PAGE)),
    ("back from signing in", "GET", CHROME, fetch("same-site", *PAGE)),
    ("a link of another site to this very path", "GET", CHROME, fetch("cross-site", *PAGE, "Referer: https://elsewhere.example/dossier/list")),
    ("a link in a frame", "GET", CHROME, fetch("same-origin", "navigate", "iframe", BY_HAND, f"Referer: https://{HOST}/dossier/menu")),
    ("Safari never marks what a hand did", "GET", SAFARI, fetch("same-origin", *PAGE, HERE)),
    ("Firefox, a link", "GET", FIREFOX, fetch("same-origin", *PAGE, BY_HAND, HERE)),
    ("an old browser, by what it accepts", "GET", OLD_SAFARI, (HTML, HERE)),
    ("a text browser", "GET", LYNX, (HTML,)),
    ("HEAD of a page", "HEAD", CHROME, fetch("none", *PAGE, BY_HAND)),
    ("a form", "POST", CHROME, fetch("same-origin", *PAGE, BY_HAND, HERE)),
    ("a form sent by a script", "POST", CHROME, fetch("same-origin", *PAGE, HERE)),
    ("a form in a frame", "POST", CHROME, fetch("same-origin", "navigate", "iframe", HERE)),
    ("a single-page application saves", "POST", CHROME, fetch("same-origin", "cors", "empty", HERE)),
    ("… in mode same-origin", "PUT", CHROME, fetch("same-origin", "same-origin", "empty", HERE)),
    ("… deletes", "DELETE", FIREFOX, fetch("same-origin", "cors", "empty")),
    ("… in an old browser", "POST", OLD_SAFARI, ("Accept: application/json", f"Origin: https://{HOST}")),
]  # fmt: skip
IDLES: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("polling", "GET", CHROME, fetch("same-origin", "cors", "empty", HERE)),
    ("polling, by HEAD", "HEAD", CHROME, fetch("same-origin", "cors", "empty", HERE)),
    ("polling for HTML", "GET", CHROME, fetch("same-origin", "cors", "empty", HTML)),
    ("polling in an old browser", "GET", OLD_SAFARI, ("Accept: */*",)),
    ("polling for HTML in an old browser", "GET", OLD_SAFARI, ("Accept: text/html, */*; q=0.01", "X-Requested-With: XMLHttpRequest")),
    ("an event stream", "GET", CHROME, fetch("same-origin", "cors", "empty", "Accept: text/event-stream")),
    ("a websocket: Chromium sends no metadata", "GET", CHROME, WEBSOCKET),
    ("a websocket that asks for HTML", "GET", CHROME, (*WEBSOCKET, HTML)),
    ("a websocket that says it is a navigation", "GET", CHROME, (*WEBSOCKET, *fetch("same-origin", *PAGE, BY_HAND))),
    ("a websocket of Firefox", "GET", FIREFOX, (*WEBSOCKET, *fetch("same-origin", "websocket", "empty"))),
    ("a picture", "GET", CHROME, fetch("same-origin", "no-cors", "image", HERE)),
    ("a style sheet", "GET", CHROME, fetch("same-origin", "no-cors", "style", HERE)),
    ("<meta http-equiv=refresh>", "GET", CHROME, fetch("same-origin", *PAGE, SELF_CLEARED, HERE)),
    ("location.reload()", "GET", CHROME, fetch("same-origin", *PAGE, SELF_CLEARED, HERE)),
    ("location = location", "GET", FIREFOX, fetch("same-origin", *PAGE, HERE)),
    ("a frame that its page fills", "GET", CHROME, fetch("same-origin", "navigate", "iframe", f"Referer: https://{HOST}/dossier/")),
    ("a frame that reloads itself", "GET", CHROME, fetch("same-origin", "navigate", "frame", HERE)),
    ("prefetching by speculation rules", "GET", CHROME, fetch("none", *PAGE, "Sec-Purpose: prefetch", HERE)),
    ("prerendering", "GET", CHROME, fetch("none", *PAGE, "Sec-Purpose: prefetch;prerender")),
    ("Safari's preview of top hits", "GET", SAFARI, fetch("none", *PAGE, "Purpose: prefetch")),
    ("old Firefox's prefetching", "GET", FIREFOX, (HTML, "X-Moz: prefetch")),
    ("OPTIONS", "OPTIONS", CHROME, fetch("same-origin", "cors", "empty")),
    ("a beacon", "POST", CHROME, fetch("same-origin", "no-cors", "empty", HERE)),
    ("a browser's own report", "POST", CHROME, fetch("same-origin", "no-cors", "report")),
]  # fmt: skip


def sent(method: str, agent: str, fields: tuple[str, ...]) -> tuple[Sent, str]:
    data = request(
        f"Host: {HOST}", f"User-Agent: {agent}", *fields, start=f"{method} /dossier/list?page=3 HTTP/1.1", host=None
    )
    head = one_request(data)
    return read_sent(head, 8443, Connection(Channel.USER, "TLSv1.3", None, None)), head.target.path


@pytest.mark.parametrize(("what", "method", "agent", "fields"), ACTS)
def test_a_persons_act(what: str, method: str, agent: str, fields: tuple[str, ...]) -> None:
    found, path = sent(method, agent, fields)
    assert found.acting.acts(method, path)


@pytest.mark.parametrize(("what", "method", "agent", "fields"), IDLES)
def test_what_a_page_does_by_itself(what: str, method: str, agent: str, fields: tuple[str, ...]) -> None:
    found, path = sent(method, agent, fields)
    assert not found.acting.acts(method, path)


@pytest.mark.parametrize("referer", ["about:blank", "nonsense", "", f"https://{HOST}"])
def test_a_referrer_without_this_path_is_another_page(referer: str) -> None:
    found, path = sent("GET", CHROME, fetch("same-origin", *PAGE, f"Referer: {referer}"))
    assert found.acting.acts("GET", path)


def test_rhythm_is_taken_of_whole_pages_only() -> None:
    assert sent("GET", CHROME, fetch("none", *PAGE, BY_HAND))[0].acting.whole
    assert not sent("GET", CHROME, fetch("same-origin", "navigate", "iframe", BY_HAND))[0].acting.whole
    assert not sent("GET", OLD_SAFARI, (HTML,))[0].acting.whole
    assert not sent("GET", CHROME, fetch("same-origin", "cors", "empty"))[0].acting.whole
