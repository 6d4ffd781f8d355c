"""Loaders of our own, for what wrk cannot do: full handshakes, websocket messages, idle connections.

    python -m bench.loaders KIND [SECONDS | CONNECTIONS]

The parent writes one line of JSON (host, port, fields) to standard input; the loader prepares and prints `ready`, waits for a
second line, does its work, and prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import uvloop

from bench.echo import CLIENT_FRAME_BYTES, MESSAGE_BYTES, SERVER_FRAME

THREADS = 8
"""Enough for a connection to be under way on either core at any moment."""
WEBSOCKETS = 32
AT_ONCE = 32
"""How many idle connections are opened at a time."""
TIMEOUT_SECONDS = 20.0

# RFC 6455 section 5.1: a client masks; the mask of zeros leaves the text as it is.
CLIENT_FRAME = bytes((0x81, 0x80 | MESSAGE_BYTES)) + bytes(4) + b"x" * MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to load."""

    host: str
    port: int
    fields: Mapping[str, str]

    def request(self, path: str, fields: Mapping[str, str]) -> bytes:
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in (dict(self.fields) | dict(fields)).items()]
        return "\r\n".join((*lines, "", "")).encode("latin-1")


def unverified() -> ssl.SSLContext:
    """TLS for which any certificate will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _wait_for_the_word() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


# ----------------------------------------------------------------------------------------------------------- handshakes
def handshakes(target: Target, seconds: float) -> dict[str, Any]:
    """Connections with one request each; every handshake is a full one, since no session is ever offered."""
    request = target.request("/x", {"Connection": "close"})
    context = unverified()
    counts = [0] * THREADS
    faults: list[str] = []
    _wait_for_the_word()
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        while time.monotonic() < end and not faults:
            try:
                with (
                    socket.create_connection(("127.0.0.1", target.port), TIMEOUT_SECONDS) as plain,
                    context.wrap_socket(plain, server_hostname=target.host, suppress_ragged_eofs=True) as secure,
                ):
                    secure.sendall(request)
                    answer = secure.recv(65536)
                    while secure.recv(65536):
                        pass
                    if secure.session_reused or not answer.startswith(b"HTTP/1.1 200 "):
                        faults.append(repr(answer[:200]))
            except OSError as error:
                faults.append(repr(error))
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(f"a connection failed: {faults[0]}")
    return {"count": sum(counts)}


# ----------------------------------------------------------------------------------------------------------- websockets
class Socket(asyncio.Protocol):
    """Sends a message as soon as the last came back."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._rest = 0
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.running = False
        self.count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has its methods and is no subclass of it
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            if not data.startswith(b"HTTP/1.1 101 "):
                self.opened.set_exception(RuntimeError(f"no websocket: {data[:300]!r}"))
            else:
                self.opened.set_result(None)
            return
        messages, self._rest = divmod(self._rest + len(data), len(SERVER_FRAME))
        self.count += messages
        if messages and self.running:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_exception(RuntimeError("closed before the websocket was accepted"))

    def send(self) -> None:
        if self._transport is None:
            raise RuntimeError("the websocket was closed")
        self._transport.write(CLIENT_FRAME)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def websockets(target: Target, seconds: float) -> dict[str, Any]:
    """Messages there and back over websockets, one under way on each."""
    if len(CLIENT_FRAME) != CLIENT_FRAME_BYTES:
        raise RuntimeError("the echo counts frames of another length")
    request = target.request(
        "/live",
        {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-Fetch-Mode": "websocket",
            "Origin": f"https://{target.host}:{target.port}",
        },
    )
    loop, context = asyncio.get_running_loop(), unverified()
    sockets: list[Socket] = []
    for _ in range(WEBSOCKETS):
        _, one = await loop.create_connection(
            lambda: Socket(request), "127.0.0.1", target.port, ssl=context, server_hostname=target.host
        )
        await asyncio.wait_for(one.opened, TIMEOUT_SECONDS)
        sockets.append(one)
    _wait_for_the_word()
    for one in sockets:
        one.running = True
        one.send()
    await asyncio.sleep(seconds)
    count = sum(one.count for one in sockets)
    for one in sockets:
        one.running = False
        one.close()
    return {"count": count}


# ------------------------------------------------------------------------------------------------------ held connections
async def held(target: Target, path: str, connections: int) -> dict[str, Any]:
    """Opens connections, sends a request on each (and reads its answer, where one comes), and holds them until the word."""
    request, context = target.request(path, {}), unverified()
    answered = path != "/live/wait"
    gate = asyncio.Semaphore(AT_ONCE)
    kept: list[asyncio.StreamWriter] = []

    async def one() -> None:
        async with gate, asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", target.port, ssl=context, server_hostname=target.host
            )
            kept.append(writer)
            writer.write(request)
            await writer.drain()
            if answered:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError(f"not answered with 200: {head[:300]!r}")

    await asyncio.gather(*(one() for _ in range(connections)))
    await asyncio.sleep(1.0)
    _wait_for_the_word()
    for writer in kept:
        writer.transport.abort()
    return {"count": len(kept)}


async def trickling(target: Target, connections: int) -> dict[str, Any]:
    """Uploads of 8 KiB whose bytes come ten at a time, every five seconds, until somebody ends them or this process."""
    fields = {"Content-Length": "8192", "Content-Type": "application/x-www-form-urlencoded",
              "Origin": f"https://{target.host}:{target.port}"}  # fmt: skip
    request, context = target.request("/upload", fields).replace(b"GET", b"POST", 1), unverified()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", target.port, ssl=context, server_hostname=target.host
            )
            writer.write(request)
        while not writer.is_closing():
            writer.write(b"x" * 10)
            await asyncio.sleep(5)

    await asyncio.gather(*(one() for _ in range(connections)), return_exceptions=True)
    return {"count": connections}


async def reading(target: Target, connections: int) -> dict[str, Any]:
    """Downloads of which half a KiB is read every five seconds, until somebody ends them or this process."""
    request, context = target.request("/files/large", {}), unverified()
    gate = asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()

    async def one() -> None:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setblocking(False)
        async with gate:
            await loop.sock_connect(plain, ("127.0.0.1", target.port))
            # Beyond twice its limit the reader leaves everything in the kernel.
            reader, writer = await asyncio.open_connection(
                sock=plain, ssl=context, server_hostname=target.host, limit=1024
            )
            writer.write(request)
        while await reader.read(512):  # noqa: ASYNC110 - slowness is the work
            await asyncio.sleep(5)

    await asyncio.gather(*(one() for _ in range(connections)), return_exceptions=True)
    return {"count": connections}


SLOW = {"trickling": trickling, "reading": reading}


def main() -> None:
    kind, amount = sys.argv[1], float(sys.argv[2])
    target = Target(**json.loads(sys.stdin.readline()))
    if kind == "handshakes":
        answer = handshakes(target, amount)
    elif kind in SLOW:
        answer = uvloop.run(SLOW[kind](target, int(amount)))
    elif kind == "websockets":
        answer = uvloop.run(websockets(target, amount))
    else:
        answer = uvloop.run(held(target, {"idle": "/x", "waiting": "/live/wait"}[kind], int(amount)))
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
