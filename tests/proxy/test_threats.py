"""Bugs that gateways of this kind have had, tried on ours over real sockets (THREAT_MODEL.md)."""

from __future__ import annotations

import asyncio
import dataclasses as dc
from pathlib import Path

from tests.decision import world
from tests.proxy.stage import BROWSER, OK, stage

FORWARDED = (
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: pension.localhost",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Uri: /elsewhere",
    "X-Forwarded-Method: DELETE",
    "X-Original-URL: /elsewhere",
    "X-Rewrite-URL: /elsewhere",
    "X-Real-IP: 127.0.0.1",
    "X-HTTP-Method-Override: DELETE",
    "Forwarded: for=127.0.0.1;host=pension.localhost;proto=http",
)


async def test_forwarded_fields_decide_nothing(tmp_path: Path) -> None:
    """Row 1: nobody stands in front of us whom we believe."""
    async with stage(tmp_path) as it:
        assert (await it.ask(it.request("GET /dossier/x HTTP/1.1", *FORWARDED))).startswith(b"HTTP/1.1 200 ")
        head = bytes(it.seen[0]).lower()
        assert head.startswith(b"get /app/x http/1.1\r\n")
        assert b"x-forwarded-for: 127.0.0.1\r\n" in head
        assert b"pension" not in head
        assert b"elsewhere" not in head.replace(b"x-original-url: /elsewhere", b"").replace(
            b"x-rewrite-url: /elsewhere", b""
        )
        before = len(it.seen)
        answer = await it.ask(it.request("GET /dossier/x HTTP/1.1", *FORWARDED, signed_in=False))
        assert answer.startswith(b"HTTP/1.1 401 "), answer
        assert len(it.seen) == before


AGENTS = (
    "kube-probe/1.31", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Consul Health Check", BROWSER, "",
)  # fmt: skip


async def test_no_user_agent_or_address_is_exempt(tmp_path: Path) -> None:
    """Row 12: this client comes from loopback, and is refused like everybody."""
    async with stage(tmp_path) as it:
        for agent in AGENTS:
            request = it.request(signed_in=False).replace(BROWSER.encode(), agent.encode())
            assert (await it.ask(request))[:13] in (b"HTTP/1.1 403 ", b"HTTP/1.1 401 "), agent
        assert not it.seen


async def test_connection_cannot_strip_our_identity(tmp_path: Path) -> None:
    """Row 4: what Connection lists is taken from the client's fields; ours are set afterwards."""
    async with stage(tmp_path) as it:
        listed = b"Connection: close, X-Gateway-Assertion, X-Request-Id, X-Forwarded-For, Forwarded"
        await it.ask(it.request().replace(b"Connection: close", listed))
        head = bytes(it.seen[0]).lower()
        for name in (b"x-gateway-assertion", b"x-request-id", b"x-forwarded-for", b"forwarded"):
            assert head.count(b"\r\n" + name + b": ") == 1, name


async def test_inbound_identity_is_deleted_where_nothing_is_set(tmp_path: Path) -> None:
    """Row 3: without a session nothing is forwarded; within one, no spelling of ours survives."""
    forged = ("X-GATEWAY-ASSERTION: forged", "x-gateway-user: forged", "X-Request-Id: forged", "traceparent: 00-forged")
    async with stage(tmp_path) as it:
        await it.ask(it.request("GET /dossier/x HTTP/1.1", *forged))
        assert b"forged" not in bytes(it.seen[0])
        await it.ask(it.request("GET /dossier/x HTTP/1.1", *forged, signed_in=False))
        assert len(it.seen) == 1


async def test_trailers_never_reach_the_origin_as_fields(tmp_path: Path) -> None:
    """Row 5: a trailer that would change what was decided on is refused, any other is dropped."""
    body = b"5\r\nhello\r\n0\r\n%b: forged\r\n\r\n"

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(OK)

    async with stage(tmp_path, origin) as it:
        post = it.request("POST /dossier/x HTTP/1.1", "Transfer-Encoding: chunked")
        assert (await it.ask(post + body % b"X-Gateway-Assertion")).startswith(b"HTTP/1.1 400 ")
        assert not it.seen  # it came with the head: nothing went before it was looked at
        assert (await it.ask(post + body % b"X-Checksum")).startswith(b"HTTP/1.1 200 ")
        (seen,) = it.seen
        assert seen.endswith(b"5\r\nhello\r\n0\r\n\r\n")
        assert b"forged" not in seen


TARGETS = (
    ("/elsewhere?x=/dossier/x", "no_transaction"),
    ("/elsewhere?/../dossier/x", "no_transaction"),
    ("/dossier2/x", "no_transaction"),
    ("/Dossier/x", "no_transaction"),
    ("/dossier/x#/dossier/x", "unsafe_target"),
    ("/elsewhere/..%2fdossier/x", "unsafe_target"),
    ("/elsewhere%2f..%2fdossier/x", "unsafe_target"),
    ("/dossier;v=1/x", "unsafe_target"),
    ("/dossier%5cx", "unsafe_target"),
    ("/dossier/%2500", "unsafe_target"),
    ("/dossier/%c0%ae", "unsafe_target"),
)  # fmt: skip


async def test_only_the_parsed_path_is_matched(tmp_path: Path) -> None:
    """Rows 6, 7, 9."""
    async with stage(tmp_path) as it:
        await asyncio.gather(*(it.ask(it.request(f"GET {target} HTTP/1.1")) for target, _ in TARGETS))
        assert sorted(line["reason"] for line in it.lines("decision")) == sorted(reason for _, reason in TARGETS)
        assert not it.seen


FORMS = (
    ("/dossier/a%20b", "/app/a%20b"),
    ("/dossier/%c3%a9", "/app/%C3%A9"),
    ("/dossier/%7euser/x", "/app/~user/x"),
    ("/dossier/a|b", "/app/a%7Cb"),
    ("/dossier", "/app/"),
    ("/dossier/app/dossier/x", "/app/app/dossier/x"),
)  # fmt: skip


async def test_what_is_decided_on_is_what_is_forwarded(tmp_path: Path) -> None:
    """Rows 7, 8: the prefix is replaced in the canonical path, never in a decoded one, and once."""
    async with stage(tmp_path) as it:
        for asked, sent in FORMS:
            await it.ask(it.request(f"GET {asked}?q=%2f..%2f HTTP/1.1"))
            last = b"".join(bytes(seen) for seen in it.seen).rpartition(b"GET ")
            assert last[2].startswith(f"{sent}?q=%2f..%2f HTTP/1.1\r\n".encode()), asked


async def test_grants_are_read_anew_for_each_request_of_a_connection(tmp_path: Path) -> None:
    """Rows 13, 14: no permit is cached, by connection, session or sign-in."""
    async with stage(tmp_path) as it:
        reader, writer = await it.connect()
        keep = it.request().replace(b"Connection: close\r\n", b"")
        user = it.records.users[world.USER.user_id]
        for change, status in (
            ({}, b"200"),
            ({"designations": {}}, b"403"),
            ({}, b"200"),
            ({"blocked": True}, b"403"),
            ({"roles": {}}, b"403"),
            ({"acceptances": {}}, b"401"),
            ({}, b"200"),
        ):
            it.records.users[user.user_id] = dc.replace(user, **change)  # type: ignore[arg-type]
            writer.write(keep)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 " + status), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
        writer.close()
        it.gate.snapshot = dc.replace(it.gate.snapshot, authorisations={})
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 403 ")


BROKEN = (
    b"GET /dossier/x HTTP/1.1\nHost: dossier.localhost\n\n",
    b"GET /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nHost: dossier.localhost\r\n\r\n",
    b"GET /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nHost: pension.localhost\r\n\r\n",
    b"GET /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nA : b\r\n\r\n",
    b"GET /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nA: b\r\n c\r\n\r\n",
    b"GET /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nA: b\x00c\r\n\r\n",
    b"POST /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST /dossier/x HTTP/1.1\r\nHost: dossier.localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /dossier/x HTTP/1.1\r\nHost: evil.example\r\nHost: dossier.localhost\r\n\r\n",
)  # fmt: skip


async def test_a_message_with_two_readings_is_400_and_the_end(tmp_path: Path) -> None:
    """Row 21: what follows on the connection is never read, and the origin sees none of it."""
    async with stage(tmp_path) as it:
        answers = await asyncio.gather(*(it.ask(broken + it.request()) for broken in BROKEN))
        for broken, answer in zip(BROKEN, answers, strict=True):
            assert answer.startswith(b"HTTP/1.1 400 "), answer
            assert answer.count(b"HTTP/1.1 ") == 1, broken
        assert not it.seen
        assert len(it.lines("decision")) == len(BROKEN)
