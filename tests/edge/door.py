"""A listener of the tests' own: an acceptor on uvloop with real sockets, TLS and certificates; who is told of what is remembered."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial, wraps
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ParamSpec, cast

import uvloop

from gateway.decision import Hello
from gateway.edge.accept import Acceptor, MakeProtocol
from gateway.edge.admission import Admission
from gateway.edge.mutual import MutualContexts
from gateway.edge.sockets import listen
from gateway.edge.tls import ServerCertificate, ServerContexts, read_certificates
from gateway.policy.certificates import make_dev_certificates
from gateway.policy.sections import CertificatePair, Connections

NAMES = ("dossier.localhost", "pension.localhost")


_Options = ParamSpec("_Options")


def on_uvloop(test: Callable[_Options, Coroutine[Any, Any, None]]) -> Callable[_Options, None]:
    """Run a test on the loop that the gateway runs on."""

    @wraps(test)
    def run(*arguments: _Options.args, **options: _Options.kwargs) -> None:
        uvloop.run(test(*arguments, **options))

    return run


@dataclass
class Told:
    """What the doorman was told: (what, address, word, hello)."""

    events: list[tuple[str, str, str, Hello | None]] = field(default_factory=list)

    def failed(self, address: str, why: str, hello: Hello | None) -> None:
        self.events.append(("failed", address, why, hello))

    def too_many(self, address: str, which: str, hello: Hello | None) -> None:
        self.events.append(("too_many", address, which, hello))

    def clear_text(self, address: str, head: bool, send: Callable[[bytes], None]) -> None:
        self.events.append(("clear_text", address, "head" if head else "", None))
        send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    @property
    def words(self) -> list[str]:
        return [word or what for what, _, word, _ in self.events]

    async def soon(self, count: int) -> None:
        await until(lambda: len(self.events) >= count)


class Echo(asyncio.Protocol):
    """Says the client's address, and then what it is told."""

    def __init__(self, made: list[Echo], address: str, hello: Hello | None, left: Callable[[], None]) -> None:
        self.address, self.hello, self._left = address, hello, left
        made.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(f"{self.address}\n".encode())

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()


@dataclass
class Door:
    port: int
    told: Told
    made: list[Echo]
    admission: Admission
    acceptor: Acceptor
    ca: Path | None = None
    contexts: ServerContexts | MutualContexts | None = None
    closed: bool = False

    async def connect(
        self, name: str | None = NAMES[0], **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TLS client that trusts the tests' authority."""
        context = options.pop("context", None) or self.client()
        if name is None:
            context.check_hostname = False
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name or "", **options)

    def client(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(str(self.ca))
        return context

    async def raw(self, data: bytes = b"", **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        writer.write(data)
        return reader, writer

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.acceptor.stop()
            await self.acceptor.close()

    async def empty(self) -> None:
        """Until nobody is counted any more."""
        await until(lambda: self.admission.open == 0)
        assert self.admission.networks == 0
        assert self.admission.handshakes == 0


@asynccontextmanager
async def door(
    certificates: Sequence[ServerCertificate] | None = None,
    *,
    names: Iterable[str] = NAMES,
    ca: Path | None = None,
    total: int = 1000,
    balancers: Sequence[str] = (),
    factory: MakeProtocol | None = None,
    authorities: bytes | None = None,
    **limits: Any,
) -> AsyncIterator[Door]:
    """A TLS port with these certificates; a plain one without. With `authorities` it asks for a client certificate."""
    loop = asyncio.get_running_loop()
    sockets = listen([("127.0.0.1", 0)], "user")
    told, made = Told(), list[Echo]()
    contexts: ServerContexts | MutualContexts | None = None
    if certificates is not None:
        contexts = (
            ServerContexts(names, certificates, 2)
            if authorities is None
            else MutualContexts(names, certificates, authorities)
        )
    admission = Admission(Connections.model_validate(limits), total)
    acceptor = Acceptor(
        loop,
        sockets,
        factory or partial(Echo, made),
        told,
        admission,
        contexts,
        [ip_network(text) for text in balancers],
    )
    acceptor.start()
    faults: list[object] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    try:
        yield (it := Door(sockets[0].getsockname()[1], told, made, admission, acceptor, ca, contexts))
    finally:
        await it.close()
        for echo in made:
            if hasattr(echo, "transport"):
                echo.transport.abort()
    assert not faults, faults


def make_certificates(directory: Path, *servers: Sequence[str]) -> tuple[Path, list[CertificatePair]]:
    """An authority and a certificate for each set of names: its file and the pairs."""
    pairs = [
        CertificatePair(directory / f"{number}.pem", directory / f"{number}.key") for number in range(len(servers))
    ]
    make_dev_certificates(
        directory / "ca.pem", {pair.pem: names for pair, names in zip(pairs, servers, strict=True)}, datetime.now(UTC)
    )
    return directory / "ca.pem", pairs


def certificates(directory: Path, *servers: Sequence[str]) -> tuple[Path, tuple[ServerCertificate, ...]]:
    ca, pairs = make_certificates(directory, *(servers or (NAMES,)))
    return ca, read_certificates(pairs)


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    for _ in range(int(seconds * 200)):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")


def reset_on_close(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
