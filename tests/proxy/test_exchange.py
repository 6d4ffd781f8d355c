"""The way of a request on real sockets: what the origin sees, what the client gets, what stands in the ledger."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from tests.decision import world
from tests.proxy.stage import HOST, OK, TOKEN, answering, stage, until


async def test_a_permitted_request_is_forwarded_anew_and_leaves_two_lines(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        answer = await it.ask(
            it.request("GET /dossier/x?q=1 HTTP/1.1", "X-Gateway-Assertion: forged", "X-Forwarded-For: 6.6.6.6")
        )
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
        assert answer.endswith(b"\r\n\r\nhello")
        (sent,) = it.seen
        head = sent.decode().lower()
        assert head.startswith("get /app/x?q=1 http/1.1\r\n")
        assert "forged" not in head
        assert "6.6.6.6" not in head
        assert head.count("x-gateway-assertion: ey") == 1
        assert "x-forwarded-for: 127.0.0.1\r\n" in head
        assert "__host-gw-session" not in head
        completion = await it.completion()
        (decision,) = it.lines("decision")
        assert (decision["verdict"], decision["reason"], decision["id"]) == ("permit", "permitted", completion["id"])
        assert (completion["outcome"], completion["status"], completion["response_bytes"]) == ("completed", 200, 5)


async def test_many_requests_on_one_connection_and_pipelined(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        keep = it.request().replace(b"Connection: close\r\n", b"")
        answer = await it.ask(keep * 5 + it.request())
        assert answer.count(b"hello") == 6
        assert len(it.seen) == 1


async def test_a_stranger_is_challenged_and_nothing_is_forwarded(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        answer = await it.ask(it.request("GET /dossier/x HTTP/1.1", "Sec-Fetch-Mode: navigate", signed_in=False))
        assert answer.startswith(b"HTTP/1.1 303 "), answer
        assert b"Location: https://portal.localhost:" in answer
        assert b"__Host-gw-start=" in answer
        problem = await it.ask(it.request("GET /dossier/x HTTP/1.1", "Sec-Fetch-Mode: cors", signed_in=False))
        assert problem.startswith(b"HTTP/1.1 401 "), problem
        assert b"application/problem+json" in problem
        assert not it.seen


async def test_all_tabs_of_a_browser_have_one_start_cookie(tmp_path: Path) -> None:
    """Else a page that is challenged takes the way back from the one in which the person is signing in."""
    line, mode = "GET /dossier/x HTTP/1.1", "Sec-Fetch-Mode: navigate"
    async with stage(tmp_path) as it:
        cookies = []
        for shown in (None, "ab" * 32, "AB" * 32, "ab" * 31, "ab" * 32 + "; __Host-gw-start=" + "cd" * 32):
            fields = [] if shown is None else [f"Cookie: __Host-gw-start={shown}"]
            answer = await it.ask(it.request(line, mode, *fields, signed_in=False))
            ((cookie, seconds),) = re.findall(rb"__Host-gw-start=([0-9a-f]{64}); Path=/; Max-Age=(\d+);", answer)
            # A form that was kept for another tab is waited for longer than a page.
            assert seconds == (b"900" if shown == "ab" * 32 else b"600")
            (token,) = re.findall(rb"start=([\w-]+)\r\n", answer)
            start = it.gate.start_tokens.open(token.decode(), world.NOW)
            assert start.cookie_hash == hashlib.sha256(cookie).hexdigest()
            cookies.append(cookie.decode())
    assert cookies[1] == "ab" * 32
    assert len(set(cookies)) == 5


async def test_an_answer_has_one_date(tmp_path: Path) -> None:
    """The origin's where it says one, else ours (RFC 9110 section 6.6.1)."""
    theirs = b"Date: Tue, 15 Nov 1994 08:12:31 GMT"
    async with stage(tmp_path) as it:
        answer = await it.ask(it.request())
        assert len(re.findall(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", answer)) == 1, answer
    async with stage(tmp_path / "dated", answering(OK.replace(b"OK\r\n", b"OK\r\n" + theirs + b"\r\n"))) as it:
        answer = await it.ask(it.request())
        assert re.findall(rb"Date: [^\r]*", answer) == [theirs]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"502"),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"502"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"502"),
        (b"<html>", b"502"),
    ],
)
async def test_an_origin_that_breaks_the_rules_is_502(tmp_path: Path, data: bytes, reason: bytes) -> None:
    async with stage(tmp_path, answering(data)) as it:
        answer = await it.ask(it.request())
        assert answer.startswith(b"HTTP/1.1 " + reason), answer
        assert (await it.completion())["outcome"] == "origin_malformed"


async def test_an_origin_that_breaks_off_is_seen_to_have_broken_off(tmp_path: Path) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    async with stage(tmp_path, answering(data, close=True)) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        with pytest.raises(
            (ConnectionError, asyncio.IncompleteReadError)
        ):  # never the last chunk, which would make it whole
            await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        assert (await it.completion())["outcome"] in ("origin_broken", "origin_malformed")


async def test_no_origin_is_502_and_a_silent_one_504(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with stage(tmp_path, silent, origin={"response_timeout": 0.3}) as it:
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 504 ")
        assert (await it.completion())["outcome"] == "origin_timeout"


async def test_a_kept_connection_that_the_origin_closed_is_tried_once_more(tmp_path: Path) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")  # the second request dies unanswered
        writer.transport.abort()

    async with stage(tmp_path, once) as it:
        keep = it.request().replace(b"Connection: close\r\n", b"")
        assert (await it.ask(keep + it.request())).count(b"hello") == 2
        assert len(it.seen) == 2


async def test_a_body_passes_whole_and_chunks_are_made_anew(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with stage(tmp_path, echo) as it:
        origin = f"Origin: https://dossier.localhost:{it.port}"
        answer = await it.ask(
            it.request(
                "POST /dossier/x HTTP/1.1",
                "Transfer-Encoding: chunked",
                origin,
                body=b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
            )
        )
        body = answer.partition(b"\r\n\r\n")[2]
        assert b"abc" in body
        assert b"ext" not in body
        assert b"X: y" not in body
        assert (await it.completion())["request_bytes"] == 5


async def test_continue_is_said_when_the_origin_does_not(tmp_path: Path) -> None:
    async def reads_body_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(3)
        writer.write(OK)

    async with stage(tmp_path, reads_body_first) as it:
        reader, writer = await it.connect()
        origin = f"Origin: https://dossier.localhost:{it.port}"
        writer.write(it.request("PUT /dossier/x HTTP/1.1", "Expect: 100-continue", "Content-Length: 3", origin))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 4) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert b"hello" in await asyncio.wait_for(reader.read(-1), 4)
        writer.close()


async def test_cross_site_and_declared_programs_are_refused_with_their_clause(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        for data in (
            it.request("POST /dossier/x HTTP/1.1", "Sec-Fetch-Site: cross-site", "Content-Length: 0"),
            it.request().replace(b"Mozilla/5.0", b"curl/8.5.0"),
            it.request("GET /dossier/x HTTP/1.1", "Authorization: Bearer x", signed_in=False),
        ):
            answer = await it.ask(data)
            assert answer.startswith(b"HTTP/1.1 403 "), answer
        assert [line["reason"] for line in it.lines("decision")] == [
            "cross_site",
            "machine_client",
            "inbound_credential",
        ]
        assert {line["clause"] for line in it.lines("decision")} == {"B1"}
        assert not it.seen


WEBSOCKET = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def handshake(it, origin: str | None) -> bytes:
    fields = WEBSOCKET if origin is None else (*WEBSOCKET, f"Origin: {origin}")
    return it.request("GET /dossier/live HTTP/1.1", *fields).replace(b"Connection: close", b"Connection: Upgrade")


async def relaying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nfirst"
    )
    while data := await reader.read(100):
        writer.write(data.upper())
    writer.close()


async def test_a_websocket_is_relayed_after_it_is_accepted_and_ends_when_the_access_does(tmp_path: Path) -> None:
    async with stage(tmp_path, relaying) as it:
        reader, writer = await it.connect()
        writer.write(handshake(it, f"https://dossier.localhost:{it.port}") + b"early")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 4)
        assert head.startswith(b"HTTP/1.1 101 "), head
        got = b""
        while len(got) < len(b"firstEARLY"):
            got += await asyncio.wait_for(reader.read(100), 4)
        assert got == b"firstEARLY"
        it.records.users.clear()
        began = asyncio.get_running_loop().time()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 4)
        assert asyncio.get_running_loop().time() - began < 1.0
        writer.close()
        completion = await it.completion()
        assert (completion["outcome"], completion["detail"]) == ("access_ended", "session_revoked")


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
async def test_a_foreign_websocket_is_refused(tmp_path: Path, origin: str | None) -> None:
    async with stage(tmp_path, relaying) as it:
        answer = await it.ask(handshake(it, origin).replace(b"Connection: Upgrade", b"Connection: Upgrade, close"))
        assert answer.startswith(b"HTTP/1.1 403 "), answer
        assert it.lines("decision")[0]["reason"] == "foreign_websocket"
        assert not it.seen


async def test_the_client_that_leaves_is_told_apart(tmp_path: Path) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with stage(tmp_path, slow) as it:
        _, writer = await it.connect()
        writer.write(it.request())
        await until(lambda: it.seen and it.seen[0])
        writer.transport.abort()
        completion = await it.completion()
        assert (completion["outcome"], completion["status"]) == ("client_closed", 499)


async def test_misdirected_and_unknown_hosts(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        misdirected = it.request().replace(b"Host: dossier.localhost", b"Host: pension.localhost")
        assert (await it.ask(misdirected)).startswith(b"HTTP/1.1 421 ")
        reader, writer = await it.connect(sni=None)
        writer.write(it.request().replace(b"Host: dossier.localhost", b"Host: elsewhere.example"))
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 421 ")
        writer.close()
        assert [line["reason"] for line in it.lines("decision")] == ["misdirected", "unknown_host"]


async def test_a_broken_message_is_refused_at_once_and_never_reaches_the_origin(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        for data, reason in (
            (it.request("GET /dossier/../x HTTP/1.1"), "unsafe_target"),
            (
                it.request("POST /dossier/x HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"),
                "ambiguous_framing",
            ),
            (it.request("GET /dossier/x HTTP/1.1", "X_Remote_User: me"), "field_refused"),
        ):
            answer = await it.ask(data)
            assert answer.startswith(b"HTTP/1.1 400 "), answer
            assert it.lines("decision")[-1]["reason"] == reason
        assert not it.seen


async def test_a_segment_that_somebody_removes_is_noticed_before_the_next_request_is_forwarded(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        for segment in it.ledger.rglob("user-*.jsonl"):
            segment.unlink()
        answer = await it.ask(it.request())
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        # The line is in a new segment, which begins with the gap; only then did the origin see the request.
        kinds = [line["kind"] for line in it.lines() if line["stream"] == "user-0"]
        assert kinds[:2] == ["gap", "decision"]


async def test_nothing_is_forwarded_while_no_line_can_be_written(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        shutil.rmtree(it.ledger)
        it.ledger.write_text("no directory")
        answer = await it.ask(it.request())
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert not it.seen
        assert it.gate.decisions["ledger_unavailable"] == 1
        it.ledger.unlink()
        await until(lambda: it.gate.ledger.healthy)
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 200 ")


async def test_one_stream_that_cannot_be_written_stops_everything(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        shutil.rmtree(it.ledger / "administration")
        (it.ledger / "administration").write_text("no directory")
        await until(lambda: not it.gate.ledger.healthy)
        assert it.gate.ledger.user.healthy
        answer = await it.ask(it.request())
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert not it.seen
        assert (await it.completion())["outcome"] == "ledger_unavailable"
        (it.ledger / "administration").unlink()
        await until(lambda: it.gate.ledger.healthy)
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("path", "kept_alive"), [("/dossier/poll", False), ("/dossier/x", True)])
async def test_what_an_operation_marks_background_never_resets_the_idle_time(
    tmp_path: Path, path: str, kept_alive: bool
) -> None:
    async with stage(tmp_path) as it:
        entry = it.records.index.session(hashlib.sha256(TOKEN.encode()).digest(), HOST)
        assert entry is not None
        entry.last_seen = before = world.NOW - 100
        fields = (
            "Content-Length: 1",
            f"Origin: https://{HOST}:{it.port}",
            "Sec-Fetch-Mode: cors",
            "Sec-Fetch-Dest: empty",
        )
        answer = await it.ask(it.request(f"POST {path} HTTP/1.1", *fields, body=b"x"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert entry.last_seen == (world.NOW if kept_alive else before)
