"""An origin for what the demo's own cannot show: it is fast, does what the path says, and writes down every request id it sees.

    /bytes/N          N bytes, with a Content-Length          /chunks/N     the same in chunks
    /sink             reads the body and says its length      /lazy/SECONDS the same, but begins to read after a while
    /early            answers before the body has come
    /slow/SECONDS     answers after a while                   /drip/SECONDS a byte now, the end after a while
    /events           server-sent events, one each 0.1 s      /socket       accepts a websocket and echoes its bytes

Anything else is `hello`. Run as `python -m tests.end_to_end.origin FILE`: ids go to FILE; the port is told on standard output; it ends
with its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

BUFFER = 1024 * 1024
BLOCK = bytes(256 * 1024)


@dataclass
class Origin:
    """The origin as its test sees it."""

    url: str
    process: subprocess.Popen[bytes]
    file: Path

    def ids(self) -> list[str]:
        """Every X-Request-Id that reached it, in order."""
        return self.file.read_text().split() if self.file.exists() else []


@contextlib.contextmanager
def running_origin(directory: Path) -> Iterator[Origin]:
    file = directory / "origin.ids"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.origin", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise TypeError("pipes")
        try:
            assert select.select([process.stdout], [], [], 30)[0], "the origin did not start"
            yield Origin(f"http://127.0.0.1:{int(process.stdout.readline())}/", process, file)
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


class Answerer:
    """One connection of the origin."""

    def __init__(self, log: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.log = log
        self.reader = reader
        self.writer = writer

    async def serve(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self.answer((await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                await self.writer.drain()
        self.writer.close()

    async def answer(self, head: str) -> None:
        line, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in rest)}
        _, target, _ = line.split(" ")
        os.write(self.log, f"{fields.get('x-request-id', '-')}\n".encode())
        _, kind, *more = target.partition("?")[0].split("/")
        number = float(more[0]) if more else 0.0
        if kind == "early":
            self.say(b"early")
            await self.read_body(fields)
            return
        if kind == "lazy":
            self.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(number)
            self.writer.transport.resume_reading()  # type: ignore[attr-defined]
        size = await self.read_body(fields)
        match kind:
            case "bytes":
                self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % number)
                await self.send(int(number), chunked=False)
            case "chunks":
                self.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                await self.send(int(number), chunked=True)
            case "sink" | "lazy":
                self.say(b"%d" % size)
            case "slow":
                await asyncio.sleep(number)
                self.say(b"slow")
            case "drip":
                self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
                await asyncio.sleep(number)
                self.writer.write(b"b")
            case "events":
                await self.events()
            case "socket":
                await self.echo(fields["sec-websocket-key"])
            case _:
                self.say(b"hello")

    def say(self, body: bytes) -> None:
        self.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    async def send(self, size: int, *, chunked: bool) -> None:
        while size:
            part = BLOCK if size >= len(BLOCK) else bytes(size)
            size -= len(part)
            self.writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            await self.writer.drain()
        if chunked:
            self.writer.write(b"0\r\n\r\n")

    async def read_body(self, fields: dict[str, str]) -> int:
        if fields.get("transfer-encoding") == "chunked":
            total = 0
            while size := int((await self.reader.readline()).strip(), 16):
                await self.skip(size + 2)
                total += size
            await self.reader.readline()
            return total
        size = int(fields.get("content-length", "0"))
        await self.skip(size)
        return size

    async def skip(self, size: int) -> None:
        while size:
            data = await self.reader.read(min(size, BUFFER))
            if not data:
                raise ConnectionError("the body ended early")
            size -= len(data)

    async def events(self) -> None:
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            self.writer.write(b"c\r\ndata: tick\n\n\r\n")
            await self.writer.drain()
            await asyncio.sleep(0.1)

    async def echo(self, key: str) -> None:
        """RFC 6455: accept, then give every byte back."""
        accept = base64.b64encode(sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        self.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept.encode()
        )
        while data := await self.reader.read(BUFFER):
            self.writer.write(data)
            await self.writer.drain()
        raise ConnectionError("the client left")


async def main(file: str) -> None:
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Answerer(log, reader, writer).serve()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=BUFFER)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    os._exit(0)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
