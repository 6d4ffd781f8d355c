"""What the fields of a request say of where it was made, and whether a person asked for a page."""

from __future__ import annotations

import pytest

from gateway.decision import Connection, PageOrigin
from gateway.model import Channel
from gateway.proxy.facts import Sent, read_sent
from tests.message.dialogue import one_request, request

OURS = "https://dossier.localhost:8443"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def sent(*fields: str) -> Sent:
    return read_sent(
        one_request(request("Host: dossier.localhost:8443", *fields, host=None)),
        8443,
        Connection(Channel.USER, "TLSv1.3", None, None),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), PageOrigin.NONE),
        ((f"Origin: {OURS}",), PageOrigin.OURS),
        (("Origin: null",), PageOrigin.NULL),
        (("Origin: https://dossier.localhost",), PageOrigin.FOREIGN),
        (("Origin: http://dossier.localhost:8443",), PageOrigin.FOREIGN),
        # a browser that knows no Origin: by its Referer
        ((f"Referer: {OURS}/dossier/dossiers/1?x=https://evil.example/",), PageOrigin.OURS),
        ((f"Referer: {OURS}",), PageOrigin.OURS),
        (("Referer: https://evil.example/",), PageOrigin.FOREIGN),
        ((f"Referer: https://evil.example/{OURS}/",), PageOrigin.FOREIGN),
        ((f"Referer: {OURS}@evil.example/",), PageOrigin.FOREIGN),
        ((f"Referer: {OURS}.evil.example/",), PageOrigin.FOREIGN),
        (("Referer: http://dossier.localhost:8443/",), PageOrigin.FOREIGN),
        (("Referer: https://dossier.localhost/",), PageOrigin.FOREIGN),
        (("Referer: about:blank",), PageOrigin.FOREIGN),
        # never where there is an Origin, fetch metadata, or a websocket
        (("Origin: https://evil.example", f"Referer: {OURS}/"), PageOrigin.FOREIGN),
        (("Origin: null", f"Referer: {OURS}/"), PageOrigin.NULL),
        (("Sec-Fetch-Site: same-origin", "Referer: https://evil.example/"), PageOrigin.NONE),
        (("Sec-Fetch-Site: cross-site", f"Referer: {OURS}/"), PageOrigin.NONE),
        ((*UPGRADE, f"Referer: {OURS}/"), PageOrigin.NONE),
    ],
)  # fmt: skip
def test_where_a_request_was_made(fields: tuple[str, ...], expected: PageOrigin) -> None:
    assert sent(*fields).page_origin is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((f"User-Agent: {CHROME}", "Sec-Fetch-Mode: navigate"), True),
        ((f"User-Agent: {CHROME}", "Sec-Fetch-Mode: cors", "Accept: text/html"), False),
        ((f"User-Agent: {CHROME}", "Accept: text/html,*/*;q=0.8"), True),
        ((f"User-Agent: {CHROME}", "Accept: */*"), False),
        ((f"User-Agent: {CHROME}",), False),
        # as these browsers were seen to send it
        (("User-Agent: Links (2.28; Linux 5.10 x86_64; GNU C 12.2; text)", "Accept: */*"), True),
        (("User-Agent: ELinks/0.13.2 (textmode; Debian; Linux x86_64; 120x70-2)", "Accept: */*"), True),
        (("User-Agent: NetSurf/3.10 (Linux)",), True),
        (("User-Agent: curl/8.5.0", "Accept: */*"), False),
    ],
)  # fmt: skip
def test_whether_a_page_was_asked_for(fields: tuple[str, ...], expected: bool) -> None:
    assert sent(*fields).navigation is expected
