"""What real browsers send is never refused, and what goes to the origin is written anew: nothing of ours, or of the way, is the client's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.proxy.stage import HOST, OK, TOKEN, Stage, stage

CHROMIUM = (
    "Host: {host}", "Connection: keep-alive", "Cache-Control: max-age=0", 'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"', "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"', "DNT: 1", "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document", "Sec-Purpose: prefetch;prerender",
    "Purpose: prefetch", "Referer: https://{host}/dossier/", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: nl-BE,nl;q=0.9,en;q=0.8",
    'If-None-Match: W/"5f-a\xe9"', "If-Modified-Since: Tue, 24 Nov 2026 08:00:00 GMT", "Cookie: theme=caf\xc3\xa9; __Host-gw-session={token}; a=\"b c\"; e=",
    "Priority: u=0, i",
)  # fmt: skip
FIREFOX = (
    "Host: {host}", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: fr-BE,fr;q=0.8,en-US;q=0.5,en;q=0.3",
    "Accept-Encoding: gzip, deflate, br, zstd", "Referer: https://{host}/dossier/a?b=%7Bc%7D", "Sec-GPC: 1", "Connection: keep-alive",
    "Cookie: __Host-gw-session={token}", "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin", "Sec-Fetch-User: ?1", "Priority: u=0, i", "TE: trailers", "Pragma: no-cache", "Cache-Control: no-cache",
)  # fmt: skip
SAFARI = (
    "Host: {host}", "Sec-Fetch-Dest: document",
    "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate",
    "Accept-Language: de-DE,de;q=0.9", "Priority: u=0, i", "Accept-Encoding: gzip, deflate, br", "Cookie: __Host-gw-session={token}",
    "Connection: keep-alive",
)  # fmt: skip
BROWSERS = {"Chromium": CHROMIUM, "Firefox": FIREFOX, "Safari": SAFARI}

# What is asked for, and what the origin is asked for then (DESIGN section 10).
TARGETS = {
    "/dossier": "/app/",
    "/dossier/": "/app/",
    "/dossier/a-b_c.d~e": "/app/a-b_c.d~e",
    "/dossier/a%20b": "/app/a%20b",
    "/dossier/caf%C3%A9": "/app/caf%C3%A9",
    "/dossier/caf%c3%a9": "/app/caf%C3%A9",
    "/dossier/%E2%82%AC": "/app/%E2%82%AC",
    "/dossier/%F0%9F%98%80": "/app/%F0%9F%98%80",
    "/dossier/!$&'()*+,=:@": "/app/!$&'()*+,=:@",
    "/dossier/[1]|^x": "/app/%5B1%5D%7C%5Ex",
    "/dossier/%5B1%5D": "/app/%5B1%5D",
    "/dossier/%22%3C%3E%60%7B%7D": "/app/%22%3C%3E%60%7B%7D",
    "/dossier/%3F%23": "/app/%3F%23",
    "/dossier/a%3Bb": "/app/a%3Bb",
    "/dossier/100%25": "/app/100%25",
    "/dossier/...": "/app/...",
    "/dossier/a..b/c.": "/app/a..b/c.",
    "/dossier/.well-known/x": "/app/.well-known/x",
    "/dossier/%7euser": "/app/~user",
    "/dossier/%41": "/app/A",
    "/dossier/x?": "/app/x?",
    "/dossier/x?a=b&c[]=d": "/app/x?a=b&c[]=d",
    "/dossier/x?r=https%3A%2F%2Fa%2F..%2Fb%00%5c": "/app/x?r=https%3A%2F%2Fa%2F..%2Fb%00%5c",
    "/dossier/x?q={a}|b^c`d\\e[f]\"<>'": "/app/x?q={a}|b^c`d\\e[f]\"<>'",
    "/dossier/x?a=//../;b?c%zz%": "/app/x?a=//../;b?c%zz%",
    "/dossier/x?" + "a" * 7000: "/app/x?" + "a" * 7000,
    "https://dossier.localhost:PORT/dossier/x?y": "/app/x?y",
}  # fmt: skip


def browser(it: Stage, name: str, line: str, *fields: str, without: str = "\0") -> bytes:
    lines = [
        text.replace("{host}", f"{HOST}:{it.port}").replace("{token}", TOKEN)
        for text in BROWSERS[name]
        if not text.startswith(without)
    ]
    return ("\r\n".join([line, *lines, *fields]) + "\r\n\r\n").encode("latin-1")


async def one(it: Stage, data: bytes) -> bytes:
    """The head of the first answer on a connection that is kept."""
    reader, writer = await it.connect()
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    finally:
        writer.close()


@pytest.mark.parametrize("name", BROWSERS)
async def test_every_target_that_browsers_send_arrives(tmp_path: Path, name: str) -> None:
    async with stage(tmp_path) as it:
        for target, sent in TARGETS.items():
            before = len(it.seen)
            said = await one(it, browser(it, name, f"GET {target.replace('PORT', str(it.port))} HTTP/1.1"))
            assert said.startswith(b"HTTP/1.1 200 "), (target, said)
            assert b"".join(map(bytes, it.seen)).rpartition(b"GET ")[2].startswith(f"{sent} HTTP/1.1\r\n".encode()), (
                target
            )
            assert len(it.seen) >= before
        assert {line["reason"] for line in it.lines("decision")} == {"permitted"}


@pytest.mark.parametrize("name", BROWSERS)
@pytest.mark.parametrize(
    ("line", "fields", "body"),
    [
        ("HEAD /dossier/x HTTP/1.1", (), b""),
        ("GET /dossier/x HTTP/1.1", ("Range: bytes=0-499", 'If-Range: "a"'), b""),
        ("GET /dossier/x HTTP/1.1", ("Content-Length: 0",), b""),
        ("POST /dossier/x HTTP/1.1", ("Content-Length: 0", "Origin: https://{host}"), b""),
        ("POST /dossier/x HTTP/1.1", ("Origin: https://{host}",), b""),
        (
            "POST /dossier/x HTTP/1.1",
            ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 7", "Origin: https://{host}"),
            b"a=b&c=d",
        ),
        (
            "PUT /dossier/x HTTP/1.1",
            ("Content-Type: multipart/form-data; boundary=----WebKitFormBoundaryA", "content-length: 4", "Origin: null"),
            b"\r\n\r\n",
        ),
        ("GET /dossier/x HTTP/1.1", ("Cookie: " + "c=" + "d" * 8000,), b""),
        ("GET /dossier/x?" + "q" * 8192 + " HTTP/1.1", (), b""),
        ("GET /dossier/x HTTP/1.1", ("X-Requested-With: XMLHttpRequest", "X-CSRF-Token:", "X-Empty: \t "), b""),
        ("GET /dossier/x HTTP/1.1", ("X-A: \t b \t", "x-a:c", "Accept: a", "Save-Data: on", "Service-Worker: script"), b""),
    ],
)  # fmt: skip
async def test_every_kind_of_request_that_browsers_send_is_permitted(
    tmp_path: Path, name: str, line: str, fields: tuple[str, ...], body: bytes
) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(body))
        writer.write(OK[:-5] if head.startswith(b"HEAD") else OK)
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        own = [text.replace("{host}", f"{HOST}:{it.port}") for text in fields]
        said = await one(it, browser(it, name, line, *own) + body)
        assert said.startswith(b"HTTP/1.1 200 "), said
        assert bytes(it.seen[0]).endswith(b"\r\n\r\n" + body)


FORGED = (
    "X-Gateway-Assertion", "X-GATEWAY-ASSERTION", "x-gateway-user", "X-Subject-INSZ", "X-Request-Id", "X-Correlation-Id", "BelGov-Trace-Id",
    "traceparent", "TraceState", "baggage", "Forwarded", "X-Forwarded-For", "X-FORWARDED-FOR", "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Forwarded-Prefix", "X-Forwarded-User", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Via", "X-Original-URL", "X-Rewrite-URL",
    "X-HTTP-Method-Override", "X-Remote-User", "Remote-User", "REMOTE-USER", "X-Auth-Request-User", "X-WebAuth-User", "Client-Cert", "X-SSL-Client-DN",
    "SSL-Client-Cert", "X-User-Id", "Proxy", "Proxy-Authorization", "Proxy-Connection", "Proxy-Authenticate", "Keep-Alive", "TE", "Trailer",
    "HTTP2-Settings", "OIDC-Claim-Sub", "X-Authentik-Username", "X-MS-Client-Principal", "Shib-Identity",
)  # fmt: skip


async def test_identity_forwarding_and_the_hop_are_gone_in_every_spelling(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        said = await one(
            it, browser(it, "Chromium", "GET /dossier/x HTTP/1.1", *(f"{name}: forged" for name in FORGED))
        )
        assert said.startswith(b"HTTP/1.1 200 "), said
        seen = bytes(it.seen[0]).decode("latin-1").lower()
        assert "forged" not in seen
        for ours in (
            "x-gateway-assertion",
            "x-request-id",
            "belgov-trace-id",
            "traceparent",
            "forwarded",
            "x-forwarded-for",
        ):
            assert seen.count(f"\r\n{ours}: ") == 1, ours
        assert TOKEN not in seen


@pytest.mark.parametrize(
    "listed",
    [
        "X-Gateway-Assertion, X-Request-Id, Forwarded, X-Forwarded-For, traceparent, BelGov-Trace-Id",
        "x-gateway-assertion,X-REQUEST-ID, ,forwarded,\tX-Forwarded-For",
        "Host, Cookie, Content-Length, Transfer-Encoding, User-Agent",
    ],
)
async def test_what_connection_lists_is_taken_from_the_client_and_never_from_us(tmp_path: Path, listed: str) -> None:
    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        writer.write(OK)
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        own = ("X-Mine: gone", "X-Kept: kept", "Content-Length: 2", f"Origin: https://{HOST}:{it.port}")
        request = browser(
            it, "Chromium", "POST /dossier/x HTTP/1.1", f"Connection: X-Mine, {listed}", *own, without="Connection"
        )
        assert (await one(it, request + b"ab")).startswith(b"HTTP/1.1 200 ")
        seen = bytes(it.seen[0]).decode("latin-1").lower()
        assert "x-mine" not in seen
        assert "\r\nx-kept: kept\r\n" in seen
        for ours in ("x-gateway-assertion", "x-request-id", "forwarded", "x-forwarded-for", "host", "content-length"):
            assert seen.count(f"\r\n{ours}: ") == 1, ours
        assert seen.endswith("\r\n\r\nab")


async def test_what_the_origin_gets_is_written_anew(tmp_path: Path) -> None:
    """Not one line as the client wrote it: spaces, the empty line before, the form of the target and of chunks are ours."""

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(OK)
        await reader.read(-1)

    async with stage(tmp_path, origin) as it:
        target = f"https://{HOST}:{it.port}/dossier/%7ex?%7e"
        own = ("X-A:\t b \t", "Transfer-Encoding:chunked", f"Origin: https://{HOST}:{it.port}")
        request = browser(it, "Chromium", f"POST {target} HTTP/1.1", *own)
        body = b"0005;a=b\r\nhello\r\n000;c\r\nX-Checksum: 1\r\n\r\n"
        assert (await one(it, b"\r\n" + request + body)).startswith(b"HTTP/1.1 200 ")
        seen = bytes(it.seen[0])
        assert seen.startswith(b"POST /app/~x?%7e HTTP/1.1\r\n")
        assert b"\r\nX-A: b\r\n" in seen
        assert seen.endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
