"""Bodies of any size in constant memory, in both directions, whatever their framing and however slow the reader."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.end_to_end.client import BROWSER, person, trusting
from tests.end_to_end.house import House, Running
from tests.end_to_end.origin import Origin

MIB = 1024 * 1024
GIB = 1024 * MIB
GROWTH = 32 * MIB
"""What memory may grow by above idle (the issue's figure)."""
BLOCK = bytes(256 * 1024)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_gibibyte_each_way_in_constant_memory(
    house: Callable[..., House], origin: Origin, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    here = house(origin=origin.url)
    rest = GIB if soak else 128 * MIB
    with here.serve() as running:
        async with person(here.ca) as an:
            answer = await an.sign_in(here.url("app"), "an.peeters", here.person("an.peeters")["password"])
            assert answer.status == 200
            client = Client(here, an.cookies(here.url("app")))
        # What one exchange leaves behind (buffers, pools) belongs to being idle.
        await asyncio.to_thread(client.download, "bytes", MIB)
        await asyncio.to_thread(client.upload, MIB, chunked=True)
        for name, size, transfer in (
            ("down", GIB, lambda size: client.download("bytes", size)),
            ("up, chunked", GIB, lambda size: client.upload(size, chunked=True)),
            ("down, chunked", rest, lambda size: client.download("chunks", size)),
            ("up", rest, lambda size: client.upload(size, chunked=False)),
            ("down, slow reader", 64 * MIB, lambda size: client.dawdle(size, seconds=2.0)),
            ("up, slow origin", 64 * MIB, lambda size: client.upload(size, chunked=True, path="/lazy/2")),
        ):
            with constant(running, name):
                began = time.monotonic()
                await asyncio.to_thread(transfer, size)
                speed = size / MIB / (time.monotonic() - began)
            record_property(name, f"{speed:.0f} MiB/s")
            print(f"{name}: {speed:.0f} MiB/s")
    completions = [line for line in here.lines.all() if line["kind"] == "completion" and line["outcome"] == "completed"]
    assert GIB in {line["response_bytes"] for line in completions}
    assert GIB in {line["request_bytes"] for line in completions}


@contextmanager
def constant(running: Running, name: str) -> Iterator[None]:
    running.forget_peak()
    idle = running.memory()
    yield
    grown = running.memory("VmHWM") - idle
    print(f"{name}: memory grew by {grown / MIB:.1f} MiB above {idle / MIB:.0f}")
    assert grown <= GROWTH, f"{name}: {grown / MIB:.1f} MiB"


class Client:
    """A plain blocking client: the fastest there is in Python, so that it is not what is measured."""

    def __init__(self, here: House, cookies: str) -> None:
        self.port = here.port
        self.context: ssl.SSLContext = trusting(here.ca)
        self.head = (
            f"Host: app.localhost:{here.port}\r\nUser-Agent: {BROWSER}\r\nCookie: {cookies}\r\nAccept: */*\r\n"
            f"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nConnection: close\r\n"
        )

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.context.wrap_socket(plain, server_hostname="app.localhost")

    def download(self, kind: str, size: int) -> None:
        with closing(self.connect()) as tls:
            tls.sendall(f"GET /{kind}/{size} HTTP/1.1\r\n{self.head}\r\n".encode())
            chunked = kind == "chunks"
            head, buffer = self.answer_head(tls)
            assert head.startswith("HTTP/1.1 200 "), head
            got, block = len(buffer), bytearray(MIB)
            while True:
                read = tls.recv_into(block)
                if not read:
                    break
                got += read
            assert got > size if chunked else got == size

    def dawdle(self, size: int, seconds: float) -> None:
        """Read 1 MiB a second for a while, then the rest."""
        with closing(self.connect()) as tls:
            tls.sendall(f"GET /bytes/{size} HTTP/1.1\r\n{self.head}\r\n".encode())
            _, buffer = self.answer_head(tls)
            got, end = len(buffer), time.monotonic() + seconds
            while got < size:
                data = tls.recv(64 * 1024)
                assert data
                got += len(data)
                if time.monotonic() < end:
                    time.sleep(len(data) / MIB)
            assert got == size

    def upload(self, size: int, *, chunked: bool, path: str = "/sink") -> None:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        with closing(self.connect()) as tls:
            tls.sendall(f"POST {path} HTTP/1.1\r\n{self.head}{framing}\r\n\r\n".encode())
            part = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK
            for _ in range(size // len(BLOCK)):
                tls.sendall(part)
            if chunked:
                tls.sendall(b"0\r\n\r\n")
            head, body = self.answer_head(tls)
            assert head.startswith("HTTP/1.1 200 "), head
            while data := tls.recv(1000):
                body += data
            assert int(body) == size

    @staticmethod
    def answer_head(tls: ssl.SSLSocket) -> tuple[str, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = tls.recv(64 * 1024)
            assert more, data
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head.decode(), rest
