"""What a person notices of 1,000 slow connections: a page's time without them and with them, for each kind of slowness.

    .venv/bin/python -m bench.slow_clients [--seconds 30]

Debian's slowhttptest opens them over TLS from 127.0.0.1 against the gateway as it is configured: headers that never end, a body
that trickles, an answer that is hardly read (by somebody who is signed in, else there is nothing large to read). The person comes from 127.0.0.2,
another network to the gateway, and loads a page now and then on a connection that was open before, and on new ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench import programs
from bench.ours import start_gateway
from bench.peers import Server
from bench.processes import LOAD_CORE
from bench.stage import Stage, run_directory
from tests.end_to_end.client import Lines

CONNECTIONS = 1000
CONNECTED_AT_ONCE = 250
"""Connections a second: all are there after four seconds, without the flood of handshakes being what is measured."""
SETTLE_SECONDS = 30
PAUSE_SECONDS = 0.1
WARM_SECONDS = 2
REASONS = 4
PERSONS_ADDRESS = "127.0.0.2"
KIBI = 1 << 10


@dataclass(frozen=True, slots=True)
class Slow:
    """One kind of slowness: what it is called; slowhttptest's path and options, or the loader of ours that does it."""

    name: str
    path: str = ""
    options: tuple[str, ...] = ()
    signed_in: bool = False
    loader: str = ""


KINDS = (
    Slow("headers (`slowhttptest -H`)", "/x", ("-H", "-i", "5", "-x", "24")),
    Slow("body (`slowhttptest -B`)", "/upload", ("-B", "-i", "5", "-s", "8192", "-x", "10"), signed_in=True),
    Slow("body, begun as a page of the application does (a loader of ours)", loader="trickling"),
    Slow(
        "read (`slowhttptest -X`)",
        "/files/large",
        ("-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"),
        signed_in=True,
    ),
    Slow("read, asked as a page of the application does (a loader of ours)", loader="reading"),
)


@dataclass(frozen=True, slots=True)
class Pages:
    """Milliseconds of a person's pages, on a kept connection and on new ones."""

    kept: Sequence[float]
    fresh: Sequence[float]

    def said(self) -> list[str]:
        return [f"{statistics.median(of):.1f}, {_of_twenty(of):.1f}" for of in (self.kept, self.fresh)]

    def times(self, other: Pages) -> str:
        """How many times the other's medians."""
        pairs = ((self.kept, other.kept), (self.fresh, other.fresh))
        return ", ".join(f"{statistics.median(ours) / statistics.median(theirs):.2f} ×" for ours, theirs in pairs)


def _of_twenty(milliseconds: Sequence[float]) -> float:
    """What 19 of 20 stay below."""
    return sorted(milliseconds)[len(milliseconds) * 19 // 20]


class Person:
    """A browser at the other address: one connection that stays open, and a new one for each second page."""

    def __init__(self, server: Server, path: str) -> None:
        self._server = server
        lines = [f"GET {path} HTTP/1.1", f"Host: {server.host}:{server.port}"]
        lines += [f"{name}: {value}" for name, value in server.fields.items()]
        self._request = "\r\n".join((*lines, "", "")).encode("latin-1")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    async def look(self, seconds: float) -> Pages:
        kept: list[float] = []
        fresh: list[float] = []
        reader, writer = await self._connect()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            await self._ask(reader, writer)
            kept.append((time.perf_counter() - begun) * 1e3)
            begun = time.perf_counter()
            other = await self._connect()
            await self._ask(*other)
            fresh.append((time.perf_counter() - begun) * 1e3)
            other[1].transport.abort()
            await asyncio.sleep(PAUSE_SECONDS)
        writer.transport.abort()
        return Pages(kept, fresh)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self._server.port, ssl=self._context, server_hostname=self._server.host,
            local_addr=(PERSONS_ADDRESS, 0),
        )  # fmt: skip

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._request)
        async with asyncio.timeout(60):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next(
                int(line.partition(":")[2]) for line in head.split("\r\n") if line.startswith("content-length:")
            )
            await reader.readexactly(length)
        if not head.startswith("http/1.1 200 "):
            raise RuntimeError(f"the person's page: {head[:300]}")


@contextmanager
def ours(server: Server, loader: str) -> Iterator[None]:
    """Slow clients whose requests are a browser's: slowhttptest's own are refused by their fields, before they can be slow."""
    about = json.dumps({"host": server.host, "port": server.port, "fields": dict(server.fields)})
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "bench.loaders", loader, str(CONNECTIONS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        if process.stdin is None:
            raise RuntimeError("the loader has no pipe")
        process.stdin.write(about + "\n")
        process.stdin.flush()
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def attack(stage: Stage, server: Server, slow: Slow, seconds: int) -> Iterator[None]:
    """Slow clients, from before the block until after it."""
    if slow.loader:
        with ours(server, slow.loader):
            yield
        return
    command = ["taskset", "-c", str(LOAD_CORE), "slowhttptest", "-c", str(CONNECTIONS), "-r", str(CONNECTED_AT_ONCE), "-l", str(seconds),
               "-p", "60", "-u", server.url(slow.path), *slow.options]  # fmt: skip
    if slow.signed_in:
        command += ["-j", server.fields["Cookie"]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=stage.loader.environment
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            process.communicate()


HEAD = (
    "slow clients", "kept connection, alone: ms", "new connection, alone", "kept, beside them", "new, beside them", "times, kept and new",
    "open when it began", "and at its end", "KiB each", "lines of the ledger meanwhile, the person's among them",
)  # fmt: skip


def measure(slow: Slow, seconds: int) -> tuple[str, ...]:
    """One row of the table, at a gateway started anew."""
    with run_directory() as directory, ExitStack() as stack:
        stage = Stage(directory, stack)
        server = start_gateway(stage.world, directory)
        stack.callback(server.process.stop)
        stage.loader.wrk(server, "/x", WARM_SECONDS)
        person = Person(server, "/x")
        alone = asyncio.run(person.look(seconds))
        ledger = stage.world.config.parent / "ledger"
        known = len(Lines(ledger).all())
        before = server.process.memory_bytes()
        with attack(stage, server, slow, seconds + SETTLE_SECONDS):
            first = settled(server.port)
            memory = server.process.memory_bytes()
            beside = asyncio.run(person.look(seconds))
            last = connections(server.port)
            reasons = Counter(line["reason"] for line in Lines(ledger).all()[known:] if "reason" in line)
    each = f"{(memory - before) / KIBI / first:.0f}" if first else "–"
    said = ", ".join(f"{count} `{reason}`" for reason, count in reasons.most_common(REASONS))
    pages = (*alone.said(), *beside.said(), beside.times(alone))
    return (slow.name, *pages, f"{first}", f"{last}", each, said)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.slow_clients", description=__doc__)
    parser.add_argument(
        "--seconds", type=int, default=30, help="how long a person looks, without and with slow clients"
    )
    seconds = parser.parse_args().seconds
    programs.install("slowhttptest", "ss")
    print(f"A person's page beside {CONNECTIONS} slow connections: median, and what 19 of 20 stay below.\n")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for slow in KINDS:
        print(f"| {' | '.join(measure(slow, seconds))} |", flush=True)


def settled(port: int) -> int:
    """How many connections there are, as soon as all are there or no more come."""
    counts = [connections(port)]
    for _ in range(SETTLE_SECONDS):
        time.sleep(1)
        counts.append(connections(port))
        if counts[-1] >= CONNECTIONS or (counts[-1] > 0 and counts[-4:-1] == counts[-1:] * 3):
            break
    return counts[-1]


def connections(port: int) -> int:
    """Established connections that the server on that port holds, as the kernel lists them."""
    said = subprocess.run(
        ["ss", "-Htn", "state", "established", f"sport = :{port}"], check=True, capture_output=True, text=True
    )
    return len(said.stdout.splitlines())


if __name__ == "__main__":
    main()
