"""Who does not get in: programs, plain HTTP, strangers and wrong addresses. Each is told why, and each is exactly one line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import ssl
import subprocess
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from gateway.ledger.reference import parse_reference
from tests.end_to_end import client
from tests.end_to_end.client import BROWSER, SECRETS, Answer, connected, person
from tests.end_to_end.house import House

MARK = "PLANTED-7f3a"
"""In every query, cookie, credential and body that these tests send; nobody may write it down."""
SECRETS.add(MARK)

NAVIGATION = ("Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none", "Sec-Fetch-Dest: document")
FETCH = ("Accept: */*", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: empty")
WEBSOCKET = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

HOST = "dossier.localhost"


def request(
    line: str = f"GET /dossier/?q={MARK} HTTP/1.1", *fields: str, host: str, agent: str | None = BROWSER, body: str = ""
) -> bytes:
    lines = [line, f"Host: {host}", f"Cookie: a={MARK}; __Host-gw-session={MARK}"]
    if agent is not None:
        lines.append(f"User-Agent: {agent}")
    if not any(field.startswith("Connection:") for field in fields):
        lines.append("Connection: close")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *fields, "", body]).encode()


async def ask(demo: House, data: bytes, sni: str | None = HOST) -> Answer:
    return await client.ask(demo.port, data, ca=demo.ca, sni=sni)


PROGRAMS = [
    *[(agent, "machine_client", "program") for agent in (
        "curl/8.14.1", "Wget/1.25", "python-requests/2.32", "Java/21", "Mozilla/5.0 (compatible; GPTBot/1.2)",
    )],
    (BROWSER.replace("Chrome/", "HeadlessChrome/"), "automated_browser", "automation"),
    (None, "user_agent_missing", "absent"),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "reason", "kind"), PROGRAMS)
@pytest.mark.parametrize("navigation", [True, False])
async def test_what_names_itself_a_program_is_refused(
    demo: House, agent: str | None, reason: str, kind: str, navigation: bool
) -> None:
    host = f"{HOST}:{demo.port}"
    answer = await ask(demo, request("GET / HTTP/1.1", *(NAVIGATION if navigation else FETCH), host=host, agent=agent))
    assert answer.status == 403
    line = demo.lines.one(answer.fields["x-request-id"])
    assert (line["kind"], line["reason"], line["clause"], line["status"]) == ("decision", reason, "B1", 403)
    assert line["agent"] == kind
    assert answer.fields["strict-transport-security"]
    if navigation:
        assert "<h1" in answer.text
    else:
        assert answer.fields["content-type"] == "application/problem+json"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt install curl")
@pytest.mark.parametrize(
    ("options", "status", "reason", "clause"),
    [
        ((), "403", "machine_client", "B1"),
        (("-A", BROWSER, "-H", "Accept: text/html"), "303", "sign_in_required", "I4"),
        (("-A", BROWSER), "401", "sign_in_required", "I4"),
        (("-A", ""), "403", "user_agent_missing", "B1"),
        (("-A", BROWSER, "-H", f"Authorization: Bearer {MARK}"), "403", "inbound_credential", "B1"),
        (("-A", BROWSER, "-u", f"an.peeters:{MARK}"), "403", "inbound_credential", "B1"),
        (("-A", BROWSER, "-H", f"X-API-Key: {MARK}"), "403", "inbound_credential", "B1"),
        (("-A", BROWSER, "-H", f"DPoP: {MARK}"), "403", "inbound_credential", "B1"),
        (("-A", BROWSER, "-H", f"Proxy-Authorization: Basic {MARK}"), "403", "inbound_credential", "B1"),
        (("-A", BROWSER, "-H", "Signature-Agent: sig=x"), "403", "signed_agent", "B1"),
    ],
)
def test_curl(demo: House, options: tuple[str, ...], status: str, reason: str, clause: str) -> None:
    """As itself, and with a browser's user agent: the person check, then the challenge that it cannot answer."""
    url = f"https://{HOST}:{demo.port}/dossier/?q={MARK}"
    command = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "--cacert",
        str(demo.ca),
        "--connect-to",
        f"{HOST}::127.0.0.1:",
        *options,
    ]
    said = subprocess.run(
        [*command, "-D", "-", "-o", "/dev/null", url], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    assert said.split(" ")[1] == status, said
    reference = re.search(r"^x-request-id: (\S+)", said, re.MULTILINE | re.IGNORECASE)
    assert reference is not None
    line = demo.lines.one(reference[1])
    assert (line["reason"], line["clause"], line["status"]) == (reason, clause, int(status))


async def test_a_challenge_is_a_303_for_a_navigation_and_a_401_for_a_script(demo: House) -> None:
    host = f"{HOST}:{demo.port}"
    for path in (f"/dossier/?q={MARK}", "/nothing/there", "/benefits/", "/career/"):
        answer = await ask(demo, request(f"GET {path} HTTP/1.1", *NAVIGATION, host=host))
        assert answer.status == 303
        assert answer.fields["location"].startswith(f"https://portal.localhost:{demo.port}/sign-in?start=")
        assert MARK not in answer.fields["location"]
        assert re.fullmatch(
            r"__Host-gw-start=[^;]+; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax", answer.fields["set-cookie"]
        )
        assert answer.fields["cache-control"] == "no-store"
        assert demo.lines.one(answer.fields["x-request-id"])["reason"] == "sign_in_required"
        script = await ask(demo, request(f"GET {path} HTTP/1.1", *FETCH, host=host))
        assert (script.status, script.fields["content-type"]) == (401, "application/problem+json")
        assert "www-authenticate" in script.fields
        assert not re.match(r"basic|negotiate|digest", script.fields["www-authenticate"], re.IGNORECASE)
        assert "set-cookie" not in script.fields
        assert demo.lines.one(script.fields["x-request-id"])["status"] == 401


async def test_a_stranger_learns_nothing_of_which_transactions_there_are(demo: House) -> None:
    """DESIGN section 4: the same challenge whether or not the transaction exists."""
    host = f"{HOST}:{demo.port}"
    shapes = set()
    for path in ("/dossier/", "/career/", "/no-such-thing/"):
        answer = await ask(demo, request(f"GET {path} HTTP/1.1", *FETCH, host=host))
        problem = json.loads(answer.body)
        assert problem.pop("reference").replace("-", "") == answer.fields["x-request-id"]
        assert problem.pop("instance").startswith("urn:uuid:")
        assert problem.pop("address") == f"https://{host}{path}"  # what was asked for, and no more
        shapes.add((answer.status, json.dumps(problem)))
    assert len(shapes) == 1


async def test_office_gets_an_empty_page_so_that_it_opens_the_browser(demo: House) -> None:
    agent = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"
    portal = f"portal.localhost:{demo.port}"
    shapes = set()
    for method in ("GET", "HEAD", "OPTIONS"):
        for sni, host, path in (
            (HOST, f"{HOST}:{demo.port}", f"/dossier/?q={MARK}"),
            (HOST, f"{HOST}:{demo.port}", "/no/such/thing"),
            ("portal.localhost", portal, "/sign-in"),
            ("portal.localhost", portal, "/applications"),
        ):
            answer = await ask(demo, request(f"{method} {path} HTTP/1.1", host=host, agent=agent), sni=sni)
            assert (answer.status, answer.text) == (200, "")
            shapes.add(frozenset(set(answer.fields.items()) - {("date", answer.fields["date"])}))
    assert len(shapes) == 1
    assert "set-cookie" not in dict(shapes.pop())
    assert [line["reason"] for line in demo.lines.all() if line.get("agent") == "office"] == ["office_link"] * 12
    for method in ("POST", "PROPFIND"):
        refused = await ask(demo, request(f"{method} /dossier/ HTTP/1.1", host=f"{HOST}:{demo.port}", agent=agent))
        assert refused.status == 403


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (("Sec-Fetch-Site: cross-site",), "cross_site"),
        (("Sec-Fetch-Site: same-site",), "cross_site"),
        (("Origin: https://evil.example",), "cross_site"),
        (("Origin: null",), "cross_site"),
        ((), "cross_site"),
        (("Sec-Fetch-Site: none",), "cross_site"),
    ],
)
async def test_a_post_from_elsewhere_is_refused(demo: House, fields: tuple[str, ...], reason: str) -> None:
    data = request("POST /dossier/search HTTP/1.1", *fields, host=f"{HOST}:{demo.port}", body=f"query={MARK}")
    answer = await ask(demo, data)
    line = demo.lines.one(answer.fields["x-request-id"])
    assert (answer.status, line["reason"], line["clause"]) == (403, reason, "B1")


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://dossier.localhost", "https://dossier.localhost:1"]
)
async def test_a_websocket_from_elsewhere_is_refused(demo: House, origin: str | None) -> None:
    fields = [*WEBSOCKET, "Connection: Upgrade, close"] + ([] if origin is None else [f"Origin: {origin}"])
    answer = await ask(demo, request(f"GET /dossier/live?q={MARK} HTTP/1.1", *fields, host=f"{HOST}:{demo.port}"))
    line = demo.lines.one(answer.fields["x-request-id"])
    assert (answer.status, line["reason"], line["clause"]) == (403, "foreign_websocket", "B1")


# --- HTTPS, and the right host (B3) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET /dossier/?q=PLANTED-7f3a HTTP/1.1\r\nHost: dossier.localhost\r\nUser-Agent: Mozilla/5.0\r\nCookie: x=PLANTED-7f3a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://dossier.localhost/?q=PLANTED-7f3a HTTP/1.1\r\nHost: dossier.localhost\r\nUser-Agent: curl/8\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: dossier.localhost\r\nContent-Length: 12\r\n\r\nPLANTED-7f3a",
        b"CONNECT dossier.localhost:443 HTTP/1.1\r\nHost: dossier.localhost\r\n\r\n",
    ],
)
async def test_plain_http_is_refused_with_the_https_address_and_nothing_of_the_request(
    demo: House, data: bytes
) -> None:
    answer = await client.ask(demo.plan.ports.plain, data)
    assert answer.status == 403
    assert "location" not in answer.fields
    assert "strict-transport-security" not in answer.fields  # RFC 6797 section 7.2
    assert "set-cookie" not in answer.fields
    assert MARK not in answer.text
    line = demo.lines.one(answer.fields["x-request-id"])
    assert (line["channel"], line["reason"], line["clause"]) == ("plain", "plain_http", "B3")
    assert f"https://portal.localhost:{demo.port}/" in answer.text


async def test_a_connection_to_the_plain_port_that_says_nothing_is_a_line(demo: House) -> None:
    before = len([line for line in demo.lines.all() if line.get("channel") == "plain"])
    async with connected(demo.plan.ports.plain):
        pass
    for _ in range(100):
        if len([line for line in demo.lines.all() if line.get("channel") == "plain"]) == before + 1:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("no line")


@pytest.mark.parametrize(
    ("host", "sni", "reason"),
    [
        ("pension.localhost", HOST, "misdirected"),
        ("elsewhere.example", HOST, "misdirected"),
        ("elsewhere.example", None, "unknown_host"),
        ("127.0.0.1", None, "unknown_host"),
        (f"{HOST}:1", HOST, "unknown_host"),
    ],
)
async def test_a_wrong_host_is_421(demo: House, host: str, sni: str | None, reason: str) -> None:
    name = host if ":" in host else f"{host}:{demo.port}"
    answer = await ask(demo, request(f"GET /?q={MARK} HTTP/1.1", *NAVIGATION, host=name), sni=sni)
    line = demo.lines.one(answer.fields["x-request-id"])
    assert (answer.status, line["reason"], line["clause"]) == (421, reason, "B3")
    assert "set-cookie" not in answer.fields


async def failed(demo: House, before: int) -> dict[str, Any]:
    lines = await demo.lines.soon("tls_failed", before + 1)
    assert len(lines) == before + 1
    assert (lines[-1]["kind"], lines[-1]["clause"], lines[-1]["verdict"]) == ("connection", "B3", "deny")
    return lines[-1]


async def test_an_unknown_name_in_the_handshake_gets_an_alert_and_a_line(demo: House) -> None:
    before = len(demo.lines.decisions("tls_failed"))
    with pytest.raises(ssl.SSLError, match="TLSV1_UNRECOGNIZED_NAME"):
        async with connected(demo.port, ca=demo.ca, sni="unknown.localhost"):
            pass
    line = await failed(demo, before)
    assert line["detail"] == "unknown_name"
    assert line["hello"]["server_name"] == "unknown.localhost"


async def test_tls_1_1_is_refused_with_a_line(demo: House) -> None:
    before = len(demo.lines.decisions("tls_failed"))
    context = ssl.create_default_context(cafile=str(demo.ca))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        async with connected(demo.port, sni=HOST, context=context):
            pass
    line = await failed(demo, before)
    assert line["detail"] == "protocol_too_old"
    assert line["hello"]["newest_version"] == "TLSv1.1"


@pytest.mark.parametrize(
    "data",
    [
        f"GET /dossier/?q={MARK} HTTP/1.1\r\nHost: {HOST}\r\nCookie: x={MARK}\r\n\r\n".encode(),
        f"POST /dossier/ HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\n\r\n".encode() + MARK.encode() * 7000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"HEAD / HTTP/1.0\r\n\r\n",
    ],
)
async def test_plain_http_on_the_tls_port_gets_a_short_400_that_says_https(demo: House, data: bytes) -> None:
    answer = await client.ask(demo.port, data)
    assert answer.status == 400
    assert MARK not in answer.text
    assert not {"location", "set-cookie", "strict-transport-security"} & set(answer.fields)
    if data.startswith(b"HEAD"):
        assert not answer.body
    else:
        assert f"https://portal.localhost:{demo.port}/" in answer.text
        assert len(answer.body) < 1024
    line = demo.lines.one(answer.fields["x-request-id"])
    assert (line["kind"], line["reason"], line["clause"], line["status"]) == ("connection", "plain_http", "B3", 400)


@pytest.mark.parametrize("data", [b"\x00\x01\x02\x03garbage\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"])
async def test_what_is_neither_is_a_line_and_a_close(demo: House, data: bytes) -> None:
    before = len(demo.lines.decisions("tls_failed"))
    async with connected(demo.port) as (reader, writer):
        writer.write(data)
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
    assert (await failed(demo, before))["detail"] == "not_tls"


async def test_who_comes_over_the_bound_is_a_line_and_the_operator_still_sees(house: Callable[..., House]) -> None:
    """Silent connections take every place; the operator's port has its own, and people come in when there is room again."""
    here = house(settings={"connections": {"total": 10, "first_bytes": "2s"}})
    with here.serve():
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(10):
                await stack.enter_async_context(connected(here.port))
            reader, _ = await stack.enter_async_context(connected(here.port))
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(-1), 5) == b""
            assert (await asyncio.to_thread(here.ready))[0] == 200
            (line,) = await here.lines.soon("too_many_connections")
            assert (line["kind"], line["status"], line["detail"]) == ("connection", 0, "total")
            silent = await here.lines.soon("tls_failed", 10)
            assert {line["detail"] for line in silent} == {"too_slow"}
            async with connected(here.port, ca=here.ca, sni=HOST):
                pass


async def test_nobody_may_name_the_client_who_is_not_listed(demo: House) -> None:
    """THREATS row 1: the PROXY protocol is for load balancers that the configuration lists, and it lists none by default."""
    before = len(demo.lines.decisions("tls_failed"))
    async with connected(demo.port) as (reader, writer):
        writer.write(b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\n")
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
    assert (await failed(demo, before))["detail"] == "proxy_header_refused"


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b""])
async def test_a_broken_handshake_is_a_line(demo: House, data: bytes) -> None:
    before = len(demo.lines.decisions("tls_failed"))
    async with connected(demo.port) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            assert not (await asyncio.wait_for(reader.read(-1), 5)).startswith(b"HTTP/")
    await failed(demo, before)


async def test_a_handshake_without_a_request_is_a_line_and_no_alarm(demo: House) -> None:
    before = len(demo.lines.decisions("no_request"))
    async with connected(demo.port, ca=demo.ca, sni=HOST):
        # The end of the handshake goes out with a turn of the loop; an abort takes back what has not gone out.
        await asyncio.sleep(0.05)
    (line,) = (await demo.lines.soon("no_request", before + 1))[before:]
    assert (line["kind"], line["clause"], line["sni"], line["tls_version"]) == ("connection", "B3", HOST, "TLSv1.3")
    assert line["hello"]["fingerprint"].startswith("1.3-")


# --- messages with two readings, addresses that do not exist -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fields", "status", "reason"),
    [
        ("GET /dossier/../career/ HTTP/1.1", (), 400, "unsafe_target"),
        ("GET /dossier/%2e%2e/career/ HTTP/1.1", (), 400, "unsafe_target"),
        ("GET /dossier%2fdossiers HTTP/1.1", (), 400, "unsafe_target"),
        ("GET /dossier/;a/b HTTP/1.1", (), 400, "unsafe_target"),
        ("GET /dossier/x HTTP/1.1", ("X_Forwarded_For: 1.2.3.4",), 400, "field_refused"),
        ("POST /dossier/x HTTP/1.1", ("Content-Length: 0", "Transfer-Encoding: chunked"), 400, "ambiguous_framing"),
        ("POST /dossier/x HTTP/1.1", ("Content-Length: +1",), 400, None),
        ("GET /dossier/x HTTP/2.0", (), 400, None),
        ("GET  /dossier/x HTTP/1.1", (), 400, "malformed"),
        (f"GET /{'a' * 100_000} HTTP/1.1", (), 414, "too_large"),
    ],
)
async def test_a_message_with_two_readings_is_refused(
    demo: House, line: str, fields: tuple[str, ...], status: int, reason: str | None
) -> None:
    answer = await ask(demo, request(line, *fields, host=f"{HOST}:{demo.port}"))
    found = demo.lines.one(answer.fields["x-request-id"])
    assert (answer.status, found["clause"]) == (status, "B3")
    assert reason is None or found["reason"] == reason
    assert answer.fields["connection"] == "close"


@pytest.mark.parametrize(
    "path", ["/no/such/page", "/admin", "/static/../sign-in", "/.gateway/enter?code=x", "/sign-in/x"]
)
async def test_an_unknown_page_of_the_portal_is_nothing_for_a_stranger(demo: House, path: str) -> None:
    answer = await ask(
        demo, request(f"GET {path} HTTP/1.1", *NAVIGATION, host=f"portal.localhost:{demo.port}"), sni="portal.localhost"
    )
    assert answer.status in (303, 400, 404), answer.text
    assert demo.lines.of(answer.fields["x-request-id"])


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt", "/.well-known/security.txt", "/.well-known/jwks.json"])
async def test_files_that_need_no_session_are_lines_too(demo: House, path: str) -> None:
    host = f"portal.localhost:{demo.port}"
    answer = await ask(demo, request(f"GET {path} HTTP/1.1", *FETCH, host=host), sni="portal.localhost")
    assert answer.status == 200
    kinds = [line["kind"] for line in demo.lines.of(answer.fields["x-request-id"])]
    assert kinds[0] == "decision"
    program = await ask(
        demo, request(f"GET {path} HTTP/1.1", *FETCH, host=host, agent="curl/8"), sni="portal.localhost"
    )
    assert program.status == (
        200 if path.endswith("jwks.json") else 403
    )  # the key set is for machines; nothing else is exempt


async def test_the_reference_on_the_page_finds_the_line(demo: House) -> None:
    answer = await ask(demo, request("GET / HTTP/1.1", *NAVIGATION, host=f"{HOST}:{demo.port}", agent="curl/8"))
    shown = re.search(r"\b(?:[0-9A-Z]{4}-){4}[0-9A-Z]\b", answer.text)
    assert shown is not None
    assert parse_reference(shown[0]) == answer.fields["x-request-id"]
    assert demo.lines.one(parse_reference(shown[0].lower()))["reason"] == "machine_client"


@pytest.mark.parametrize(
    ("language", "word"), [("nl", "verboden"), ("fr", "interdites"), ("de", "verboten"), ("en", "forbidden")]
)
async def test_a_refusal_is_told_in_four_languages(demo: House, language: str, word: str) -> None:
    data = request(
        "GET / HTTP/1.1", *NAVIGATION, f"Accept-Language: {language}", host=f"{HOST}:{demo.port}", agent="curl/8"
    )
    answer = await ask(demo, data)
    assert answer.fields["content-language"] == language
    assert f'lang="{language}"' in answer.text
    assert word in answer.text


async def test_an_origin_never_hears_of_a_refusal(demo: House) -> None:
    """No refusal of this file was ever forwarded: none has a completion line, but for our own pages."""
    async with person(demo.ca) as anybody:
        answer = await anybody.fetch(f"https://{HOST}:{demo.port}/dossier/?q={MARK}")
        assert answer.status == 401
    lines = demo.lines.all()
    refused = {line["id"] for line in lines if line["kind"] == "decision" and line["verdict"] != "permit"}
    assert refused
    assert not refused & {line["id"] for line in lines if line["kind"] == "completion"}
