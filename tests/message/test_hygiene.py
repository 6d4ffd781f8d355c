"""Which fields of one side never reach the other."""

import pytest

from gateway.message import Fields, InformationalHead, RequestHead, ResponseHead, request_to_origin, response_to_client
from tests.message.dialogue import BROWSER, one_request, one_response, request, response

FORGERIES = [
    # ours (DESIGN section 6)
    "X-Gateway-Assertion", "X-Gateway", "X-Gateway-Anything", "X-Request-Id", "X-Correlation-Id", "BelGov-Trace-Id", "BelGov-Related-Trace-Id",
    "traceparent", "tracestate", "baggage", "X-Subject-INSZ", "X-Subject",
    # where from
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-User", "X-Forwarded-Client-Cert",
    "X-Forwarded", "X-Real-IP", "X-Client-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP", "X-Originating-IP",
    "X-Remote-IP", "X-Remote-Addr", "Forwarded-For", "X-ForwardedFor", "XForwardedFor", "X-Forward-For", "X-RealIP", "Fastly-Client-IP",
    "X-Custom-IP-Authorization",
    # by which way
    "Via", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Envoy-External-Address", "X-Envoy-Original-Path", "Proxy",
    "X-Forward-Proto", "X-B3-TraceId", "b3", "uber-trace-id", "X-Cloud-Trace-Context", "X-Datadog-Trace-Id", "Early-Data",
    # what for
    "X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Original-Host", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method",
    "X-Method-Override", "X-Accel-Redirect", "X-Sendfile",
    # who
    "Remote-User", "X-Remote-User", "X-Remote-Groups", "Remote-Email", "X-Auth-Request-User", "X-Auth-Request-Email", "X-Authenticated-User",
    "X-Authenticated-Userid", "X-WebAuth-User", "X-User", "X-Username", "X-Userinfo", "X-MS-Client-Principal", "X-MS-Client-Principal-Name",
    "X-Goog-Authenticated-User-Email", "X-Goog-IAP-JWT-Assertion", "X-Amzn-Oidc-Data", "X-Pomerium-Jwt-Assertion", "Cf-Access-Jwt-Assertion",
    "X-Consumer-Username", "OIDC-Claim-Sub", "X-Id-Token", "SM-User", "iv-user", "Client-Cert", "Client-Cert-Chain", "X-Client-Cert",
    "X-Client-Verify", "X-SSL-Client-Cert", "X-SSL-Client-S-DN", "SSL-Client-Cert", "X-Client-DN", "X-ARR-ClientCert",
    "X-User-Role", "X-User-Info", "X-User-Claims", "Impersonate-User", "Impersonate-Extra-Scopes", "X-Impersonate-User", "X-On-Behalf-Of",
    "Tailscale-User-Login", "SM-UserDN", "SM-ServerSessionId", "CAS-User", "X-CAS-User", "X-SSO-User", "X-Proxy-User", "X-Anonymous-Consumer",
    "X-Token-Subject", "X-Serverless-Authorization", "X-Grafana-User", "Auth-User", "From",
]  # fmt: skip
HOP_BY_HOP = [
    "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authorization",
    "Proxy-Authentication-Info",
]  # fmt: skip
DECIDED_BY_THE_PROXY = ["Cookie", "Authorization"]
KEPT = [
    "Accept", "Accept-Language", "Accept-Encoding", "Cache-Control", "Content-Type", "If-None-Match", "Origin", "Range", "Referer", "User-Agent",
    "Sec-Fetch-Site", "sec-ch-ua", "Upgrade-Insecure-Requests", "X-Requested-With", "X-CSRF-Token", "X-XSRF-TOKEN", "X-Auth-Token", "X-Api-Key",
    "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "HX-Request", "DNT", "Priority", "X-Csrftoken", "Idempotency-Key", "Date", "X-User-Agent",
]  # fmt: skip
HIDDEN = [
    "Strict-Transport-Security", "Clear-Site-Data", "Service-Worker-Allowed", "Public-Key-Pins", "Public-Key-Pins-Report-Only", "Alt-Svc",
    "Expect-CT", "NEL", "Server", "X-Powered-By", "X-AspNet-Version", "X-AspNetMvc-Version", "Via", "X-Gateway-Assertion", "X-Subject-INSZ",
    "X-Request-Id", "BelGov-Trace-Id", "traceparent", "Keep-Alive", "Proxy-Connection", "Trailer", "TE", "Upgrade", "Proxy-Authenticate",
]  # fmt: skip
SHOWN = [
    "Content-Type", "Cache-Control", "ETag", "Location", "Content-Location", "Set-Cookie", "Content-Security-Policy", "Link", "Vary", "Date",
    "Content-Disposition", "Content-Encoding", "Accept-Ranges", "Content-Range", "X-Content-Type-Options", "Sec-WebSocket-Accept", "Retry-After",
    "X_Odd.Name",
]  # fmt: skip


def _spellings(name: str) -> list[str]:
    return [name, name.lower(), name.upper(), name.swapcase()]


@pytest.mark.parametrize("name", FORGERIES + HOP_BY_HOP + DECIDED_BY_THE_PROXY)
def test_forgeries_never_reach_an_origin(name: str) -> None:
    """THREATS rows 1 and 3, in every spelling and every number."""
    for spelling in _spellings(name):
        head = one_request(request(f"{spelling}: forged", "X-Kept: 1"))
        assert request_to_origin(head) == [("X-Kept", "1")]
    if name not in DECIDED_BY_THE_PROXY:
        twice = one_request(request(f"{name}: a", f"{name.lower()}: b"))
        assert request_to_origin(twice) == []


@pytest.mark.parametrize("name", KEPT)
def test_what_applications_need_passes(name: str) -> None:
    assert request_to_origin(one_request(request(f"{name}: x"))) == [(name, "x")]


def test_a_browser_s_request_keeps_order_and_spelling() -> None:
    names = [name for name, _ in request_to_origin(one_request(BROWSER))]
    assert names == [name for name, _ in one_request(BROWSER).fields if name not in ("Host", "Connection", "Cookie")]


def test_connection_takes_away_what_it_lists_and_only_from_what_was_sent() -> None:
    """THREATS row 4: the proxy appends its own fields to the result."""
    head = one_request(
        request(
            "Connection: close, X-Secret, X-Gateway-Assertion",
            "X-Secret: 1",
            "X-GATEWAY-ASSERTION: 2",
            "A: b",
            "connection: c",
            "C: d",
        )
    )
    assert request_to_origin(head) == [("A", "b")]


def test_framing_is_left_to_the_writer() -> None:
    assert request_to_origin(one_request(request("Content-Length: 0"))) == []
    assert request_to_origin(one_request(request("Transfer-Encoding: chunked", body=b"0\r\n\r\n"))) == []


def test_expect_passes_only_where_it_means_something() -> None:
    waiting = one_request(request("Expect: 100-continue", "Content-Length: 1", start="POST / HTTP/1.1", body=b"x"))
    assert request_to_origin(waiting) == [("Expect", "100-continue")]
    assert request_to_origin(one_request(request("EXPECT: 100-continue", "A: b"))) == [("A", "b")]


def test_a_websocket_handshake_keeps_its_pair() -> None:
    key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    version = ("Sec-WebSocket-Version", "13")
    lines = [
        ": ".join(pair) for pair in (("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), key, version)
    ]
    assert request_to_origin(one_request(request(*lines))) == [
        key,
        version,
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
    ]


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_ours_to_say_never_reaches_a_client(name: str) -> None:
    for spelling in _spellings(name):
        head = one_response(response("Content-Length: 0", f"{spelling}: x", "A: b"))
        assert response_to_client(head) == [("A", "b")]


@pytest.mark.parametrize("name", SHOWN)
def test_what_clients_need_passes(name: str) -> None:
    assert response_to_client(one_response(response("Content-Length: 0", f"{name}: x"))) == [(name, "x")]


def test_connection_of_an_origin_is_honoured() -> None:
    head = one_response(response("Content-Length: 0", "Connection: keep-alive, X-Hop", "X-Hop: 1", "A: b"))
    assert response_to_client(head) == [("A", "b")]


@pytest.mark.parametrize(
    ("raw", "method", "expected"),
    [
        (response("Content-Length: 5"), "HEAD", [("Content-Length", "5")]),
        (response("content-length: 5", start="HTTP/1.1 304 X"), "GET", [("Content-Length", "5")]),
        (response("Transfer-Encoding: chunked"), "HEAD", []),
        (response("Content-Length: 0", start="HTTP/1.1 204 X"), "GET", []),
        (response("Content-Length: 0"), "GET", []),
    ],
)
def test_the_length_of_a_representation_without_a_body(
    raw: bytes, method: str, expected: list[tuple[str, str]]
) -> None:
    assert response_to_client(one_response(raw, method)) == expected


def test_informational_heads() -> None:
    fields = Fields.of([("Link", "</a>"), ("Upgrade", "websocket"), ("Connection", "upgrade"), ("Server", "x")])
    assert response_to_client(InformationalHead(103, fields)) == [("Link", "</a>")]
    assert response_to_client(InformationalHead(101, fields)) == [
        ("Link", "</a>"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
    ]


def test_heads_are_not_changed() -> None:
    head = one_request(BROWSER)
    before = list(head.fields)
    assert isinstance(head, RequestHead)
    request_to_origin(head)
    assert list(head.fields) == before
    answer = one_response(response("Content-Length: 0", "Server: x"))
    assert isinstance(answer, ResponseHead)
    response_to_client(answer)
    assert ("Server", "x") in list(answer.fields)
