"""The proxy on real sockets, TLS and disk, with one person who may reach one transaction: `tests.decision.world`.

Only the records are a dictionary, and the origin is whatever a test makes it say, byte for byte.
"""

from __future__ import annotations

import asyncio
import dataclasses as dc
import hashlib
import json
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.credentials.start import StartTokens
from gateway.decision import PathPattern, Snapshot
from gateway.edge.accept import Acceptor
from gateway.edge.admission import Admission
from gateway.edge.sockets import listen
from gateway.edge.tls import ServerContexts, read_certificates
from gateway.ledger.disk import Disk
from gateway.ledger.keys import make_keys
from gateway.ledger.ledger import Ledger
from gateway.ledger.reference import ReferenceSource
from gateway.ledger.settings import LedgerSettings
from gateway.message import DEFAULT_LIMITS
from gateway.model import Channel, Match, Means, Operation, Origin, Session, Subjects, Transaction, Use, UserRecords
from gateway.policy.certificates import make_dev_authority
from gateway.policy.sections import CertificatePair, Connections
from gateway.portal.refusals import Refusals
from gateway.portal.settings import PortalSettings
from gateway.proxy.assertion import Signer
from gateway.proxy.client import ClientConnection
from gateway.proxy.doorman import Doorman
from gateway.proxy.gate import Gate, Timeouts
from gateway.proxy.origin import Pool
from gateway.proxy.pacing import Rates
from gateway.records.index import CookieRow, Index, SessionRow
from gateway.records.values import SessionEntry
from tests.decision import world

HOST = "dossier.localhost"
TOKEN = "t" * 43
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
Answerer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]

OPERATIONS = (
    Operation(Use.CONSULTATION, PathPattern("/live"), frozenset({"GET"}), websocket=True, background=True),
    Operation(Use.CONSULTATION, PathPattern("/poll"), frozenset({"POST"}), background=True),
    Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET", "HEAD"})),
    Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"POST", "PUT"})),
)


class Users(dict[str, UserRecords]):
    """What a test puts here is in the index, and told, as if the database had changed."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __setitem__(self, user_id: str, user: UserRecords) -> None:
        super().__setitem__(user_id, user)
        self._index.put_users({user_id: user})

    def clear(self) -> None:
        gone = dict.fromkeys(self)
        super().clear()
        self._index.put_users(gone)


class Records:
    """The index of the records, without a database behind it."""

    def __init__(self) -> None:
        self.index = Index(30.0)
        self.index.read_at(world.NOW)
        self.users = Users(self.index)
        self.users[world.USER.user_id] = world.USER
        self.signed_in(dc.replace(world.SESSION, means=Means.EID), TOKEN)

    def signed_in(self, session: Session, token: str) -> SessionEntry:
        """A session, or what has become of it."""
        token_hash = hashlib.sha256(token.encode()).digest()
        self.index.put_sessions([SessionRow(session, world.NOW, None, (CookieRow(token_hash, HOST),))])
        entry = self.index.session(token_hash, HOST)
        assert entry is not None
        return entry


@dc.dataclass
class Stage:
    """The running proxy. `seen` is all that the origin got, one item a connection."""

    gate: Gate
    port: int
    ca: Path
    records: Records
    ledger: Path
    seen: list[bytearray]
    transaction: Transaction

    async def connect(self, sni: str | None = HOST) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cafile=str(self.ca))
        if sni is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=sni or "")

    async def ask(self, data: bytes, wait: float = 5.0) -> bytes:
        """Send, and give what comes until the connection ends (ask for `Connection: close`)."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(-1), wait)
        finally:
            writer.close()

    def request(
        self, line: str = "GET /dossier/x HTTP/1.1", *fields: str, body: bytes = b"", signed_in: bool = True
    ) -> bytes:
        """A browser's request, with the session's cookie, closing the connection."""
        lines = [line, f"Host: {HOST}:{self.port}", f"User-Agent: {BROWSER}", "Accept: */*", "Connection: close"]
        if not any(field.lower().startswith("sec-fetch-site") for field in fields):
            lines.append("Sec-Fetch-Site: same-origin")
        if signed_in:
            lines.append(f"Cookie: __Host-gw-session={TOKEN}")
        return ("\r\n".join([*lines, *fields]) + "\r\n\r\n").encode("latin-1") + body

    def lines(self, kind: str | None = None) -> list[dict[str, Any]]:
        found = []
        for segment in sorted(self.ledger.rglob("*.jsonl")):
            found += [json.loads(line) for line in segment.read_bytes().split(b"\n") if line]
        return [line for line in found if kind is None or line["kind"] == kind]

    async def completion(self, count: int = 1) -> dict[str, Any]:
        """The newest completion line, as soon as there are `count`."""
        for _ in range(100):
            lines = self.lines("completion")
            if len(lines) >= count:
                return lines[-1]
            await asyncio.sleep(0.02)
        raise AssertionError("no completion line")


def snapshot(origin: Origin, **changes: Any) -> tuple[Snapshot, Transaction]:
    match = Match(HOST, "/dossier/")
    transaction = dc.replace(
        world.TRANSACTION,
        origin=origin,
        operations=OPERATIONS,
        matches=(match,),
        subjects=Subjects("X-Subject-INSZ", PathPattern("/dossiers/{insz}")),
        **changes,
    )
    return (
        Snapshot(
            hash="ab" * 32,
            portal_host="portal.localhost",
            names=frozenset({HOST, "portal.localhost", "pension.localhost"}),
            transactions={transaction.id: transaction},
            institutions={world.KBO: world.INSTITUTION},
            authorisations={(world.KBO, transaction.id): (world.AUTHORISATION,)},
            by_reference={world.AUTHORISATION.reference: world.AUTHORISATION},
            regulations=(world.REGULATION,),
            hosts={HOST: {"/dossier/": (transaction, match)}},
            levels=(1, 1, 2, 2, 4),
            eid_names=frozenset({HOST}),
        ),
        transaction,
    )


def answering(data: bytes, *, close: bool = False) -> Answerer:
    """An origin that reads one head and says `data`, for each request of a connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(data)
            await writer.drain()
            if close:
                break
        writer.close()

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def stage(
    directory: Path,
    answer: Answerer | None = None,
    *,
    origin: dict[str, Any] | None = None,
    origin_tls: ssl.SSLContext | None = None,
    origin_host: str = "127.0.0.1",
    timeouts: Timeouts | None = None,
    flood_rate: int = 10,
    rates: Rates | None = None,
    requests_per_connection: int = 10_000,
    clock: Callable[[], float] = lambda: world.NOW,
    channel: Channel = Channel.USER,
    **changes: Any,
) -> AsyncIterator[Stage]:
    loop = asyncio.get_running_loop()
    answering_with = answer or answering(OK)
    seen: list[bytearray] = []
    writers: list[asyncio.StreamWriter] = []

    async def origin_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record = bytearray()
        seen.append(record)
        writers.append(writer)
        feed = reader.feed_data

        def feed_and_record(data: bytes) -> None:
            record.extend(data)
            feed(data)

        record.extend(bytes(reader._buffer))  # type: ignore[attr-defined]  # what came before we could listen
        reader.feed_data = feed_and_record  # type: ignore[method-assign]
        try:
            await answering_with(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(origin_connection, "127.0.0.1", 0, ssl=origin_tls)
    origin_port = server.sockets[0].getsockname()[1]
    authority = make_dev_authority(
        directory / "certs", [HOST, "portal.localhost", "pension.localhost"], datetime.now(UTC)
    )
    keys = make_keys(directory / "keys" / "auditor.pem", directory / "keys" / "pseudonym.toml", directory / "auditor")
    ledger = Ledger.open(
        LedgerSettings(directory / "ledger", keys.auditor_public, keys.pseudonym, flood_rate=flood_rate), 0, loop
    )
    table, transaction = snapshot(
        Origin(f"{'https' if origin_tls else 'http'}://{origin_host}:{origin_port}/app/", **(origin or {})), **changes
    )
    records = Records()
    sockets = listen([("127.0.0.1", 0)], "user")
    port = sockets[0].getsockname()[1]
    settings = PortalSettings(
        "portal.localhost", port, "en", "help@example.test", "fault@example.test", "https://example.test/privacy",
        "https://example.test/accessibility", 1800.0, 36000.0, 120.0, 1,
    )  # fmt: skip
    gate = Gate(
        loop=loop,
        clock=clock,
        random=secrets.token_bytes,
        new_reference=ReferenceSource(),
        snapshot=table,
        index=records.index,
        ledger=ledger,
        signer=Signer(_key(), f"https://portal.localhost:{port}", secrets.token_bytes),
        start_tokens=StartTokens(bytes(32)),
        pages=Refusals(settings, lambda: table),
        pool=Pool(loop, 30.0),
        portal=Origin(f"unix:{directory}/portal.sock"),
        portal_authority=f"portal.localhost:{port}",
        hand=lambda *_: None,
        unhand=lambda _: None,
        timeouts=timeouts or Timeouts(5.0, 5.0, 5.0, 1.0),
        rates=rates or Rates(500, 500),
        requests_per_connection=requests_per_connection,
        limits=DEFAULT_LIMITS,
        max_body_bytes=64 * 1024 * 1024,
    )
    pair = CertificatePair(authority.server_pem, authority.server_key)
    acceptor = Acceptor(
        loop,
        sockets,
        partial(ClientConnection, gate, channel, port),
        Doorman(gate, channel),
        Admission(Connections(), 1000),
        ServerContexts(table.names, read_certificates([pair]), 1),
    )
    acceptor.start()
    ticking = asyncio.create_task(_tick(gate))
    try:
        yield Stage(gate, port, authority.ca_pem, records, directory / "ledger", seen, transaction)
    finally:
        ticking.cancel()
        acceptor.stop()
        await acceptor.close()
        for connection in list(gate.connections):
            connection.abort()
        await gate.pool.close()
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        await ledger.close()


def slow_disk(monkeypatch: pytest.MonkeyPatch, wait: Callable[[], object]) -> None:
    """From now on a line is not durable before `wait` has come back, in the thread that writes it."""

    def sync(disk: Disk, descriptor: int) -> None:
        wait()
        os.fdatasync(descriptor)

    monkeypatch.setattr(Disk, "sync", sync)


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    for _ in range(int(seconds * 1000)):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to that")


async def _tick(gate: Gate) -> None:
    while True:
        await asyncio.sleep(0.1)
        gate.tick()


def _key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
