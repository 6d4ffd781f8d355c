"""What a hostile client, origin or moment does to the connections of others; each test is named after the bug that it found."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from gateway.decision.suspensions import Scope, Suspended, Suspensions
from gateway.ledger.disk import Disk, Space
from gateway.model import UserRecords
from gateway.proxy.client import ClientConnection
from tests.proxy.stage import HOST, Stage, answering, slow_disk, stage, until

WEBSOCKET = (
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
)


def handshake(it: Stage, path: str = "/dossier/live") -> bytes:
    data = it.request(f"GET {path} HTTP/1.1", f"Origin: https://{HOST}:{it.port}", *WEBSOCKET)
    return data.replace(b"Connection: close", b"Connection: Upgrade")


async def only_connection(it: Stage) -> ClientConnection:
    await until(lambda: bool(it.gate.connections))
    (connection,) = it.gate.connections
    return connection


async def test_a_client_that_takes_no_answers_gets_no_more_of_them(tmp_path: Path) -> None:
    """A few kB of small requests, pipelined and never read, were answered into memory, a page each."""
    async with stage(tmp_path) as it:
        reader, writer = await it.connect()
        connection = await only_connection(it)
        connection.pause_writing()  # what the transport says of a client that does not read
        writer.write(f"GET /dossier/x HTTP/1.1\r\nHost: {HOST}:{it.port}\r\n\r\n".encode() * 500)
        await asyncio.sleep(0.3)
        assert sum(it.gate.decisions.values()) == 0
        connection.resume_writing()
        for _ in range(500):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
            await reader.readuntil(b"}")
        writer.close()


async def test_a_fault_in_one_connection_leaves_the_others_their_limits_and_revocation(tmp_path: Path) -> None:
    """One exception in deciding anew ended all of it: no revocation of open websockets any more."""
    told: list[object] = []
    async with stage(tmp_path, answering(SWITCH)) as it:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        connections = [await it.connect() for _ in range(2)]
        for reader, writer in connections:
            writer.write(handshake(it))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        asked = 0

        class Faulty(Suspensions):
            def of_person(self, user: UserRecords) -> Suspended | None:
                nonlocal asked
                asked += 1
                if asked == 1:
                    raise RuntimeError("a fault of ours")
                return super().of_person(user)

        # Of another transaction: every decision looks at them, and the first fails.
        it.gate.suspensions = Faulty([Suspended("20260615-00000001", Scope.TRANSACTION, "pension")])
        await until(lambda: asked >= 2)
        assert told == ["deciding anew failed"]
        await until(lambda: len(it.gate.connections) == 1)
        it.records.users.clear()
        rests = [await asyncio.wait_for(_rest(reader), 5) for reader, _ in connections]
        assert sorted(rest[:4] for rest in rests) == [b"", b"\x88\x22\x03\xf0"]
        await it.completion(2)
        outcomes = sorted(line["outcome"] for line in it.lines("completion"))
        assert outcomes == ["access_ended", "completed"]


async def test_a_refused_websocket_leaves_no_connection_for_others(tmp_path: Path) -> None:
    """An origin may go on without HTTP after a handshake that it answered otherwise."""
    async with stage(tmp_path) as it:
        answer = await it.ask(handshake(it).replace(b"Connection: Upgrade", b"Connection: Upgrade, close"))
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 200 ")
        assert len(it.seen) == 2


async def test_the_origin_sees_the_host_that_was_decided_on(tmp_path: Path) -> None:
    """Its spelling (capitals, the root's dot) came through, and an origin may route by it."""
    async with stage(tmp_path) as it:
        spelt = it.request().replace(f"Host: {HOST}".encode(), f"Host: {HOST.title()}.".encode())
        assert (await it.ask(spelt)).startswith(b"HTTP/1.1 200 ")
        head = it.seen[0].decode()
        assert f"X-Forwarded-Host: {HOST}:{it.port}\r\n" in head
        assert HOST.title() not in head


async def test_handshakes_without_a_request_are_under_the_flood_rule(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        for _ in range(25):
            _, writer = await it.connect()
            writer.close()
            await writer.wait_closed()
        await until(lambda: bool(it.lines("refusals")))
        counted = it.lines("refusals")
        lines = [line for line in it.lines("connection") if line["reason"] == "no_request"]
        assert len(lines) + sum(line["reasons"].get("no_request", 0) for line in counted) <= 25
        assert len(lines) < 25


async def test_our_open_pages_leave_the_reserve_of_space_to_persons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's permits could fill the disk to its end, and so turn everybody away."""
    monkeypatch.setattr(Disk, "space", lambda disk, directory: Space(1, 10**12))
    async with stage(tmp_path) as it:
        await until(lambda: it.gate.ledger.free_bytes == 1)
        answer = await it.ask(it.request("GET /.gateway/language HTTP/1.1", signed_in=False))
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert it.gate.decisions["ledger_unavailable"] == 1
        assert (await it.ask(it.request())).startswith(b"HTTP/1.1 200 ")


async def test_what_waits_for_its_line_at_a_stop_is_forwarded_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as it:
        _, writer = await it.connect()
        connection = await only_connection(it)
        let_go = threading.Event()
        slow_disk(monkeypatch, lambda: let_go.wait(5))
        writer.write(it.request())
        await until(lambda: it.gate.decisions["permitted"] == 1)
        it.gate.draining = True
        connection.stop()
        let_go.set()
        completion = await it.completion()
        assert completion["outcome"] == "draining"
        assert not it.seen
        writer.transport.abort()


async def test_who_was_revoked_while_a_slow_disk_wrote_the_line_reaches_no_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as it:
        slow_disk(monkeypatch, lambda: time.sleep(0.6))
        asked = asyncio.create_task(it.ask(it.request()))
        await until(lambda: it.gate.decisions["permitted"] == 1)
        it.records.users.clear()
        assert (await asked).startswith(b"HTTP/1.1 403 ")
        assert not it.seen
        assert (await it.completion())["outcome"] == "access_ended"


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(-1)
    except ConnectionError:
        return b""
