"""What a build's profile is made of: permitted requests of most kinds that the bench knows, at a gateway with a compiler's counters in it.

    python -m bench.training build/training

`scripts/compiled` runs it between its two passes. With what was counted the compiler knows which way a branch mostly goes, and
keeps what never ran out of the way of what always does. It needs nothing but our own packages, and says nothing about speed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from bench import ours
from bench.loaders import TIMEOUT_SECONDS, Target, unverified
from bench.processes import free_port
from bench.stage import run_directory

CONNECTIONS = 32
ROUNDS = 8
"""Each with connections of its own: handshakes are part of it."""
REQUESTS = 60
"""On each connection, all alike; besides a third of that of which each is its own, and a tenth with a body each way."""
BODY_BYTES = 64 * 1024
SMALL = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES + b"x" * BODY_BYTES


async def _origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The application: reads a request whole, answers it."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST "):
                await reader.readexactly(BODY_BYTES)
            writer.write(LARGE if b" /files/" in head[:64] else SMALL)
    except (asyncio.IncompleteReadError, ConnectionResetError):
        writer.close()


async def _answered(reader: asyncio.StreamReader) -> None:
    """Raises RuntimeError when it is not an answer of the origin's, TimeoutError when none comes."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"not answered with 200: {head[:300]!r}")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].partition(b":")[2]))


async def _person(target: Target, number: int) -> None:
    """One connection: the same request again and again, some of which no two are alike, then some with bodies either way."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", target.port, ssl=unverified(), server_hostname=target.host
    )
    page = target.fields["Referer"]
    upload = target.request("/upload", {
        "Origin": f"https://{target.host}:{target.port}", "Content-Type": "application/octet-stream",
        "Content-Length": str(BODY_BYTES),
    }).replace(b"GET", b"POST", 1) + b"x" * BODY_BYTES  # fmt: skip
    same, large = target.request("/x", {}), target.request("/files/64k", {})
    each = [target.request(f"/each/{number}-{n}", {"Referer": f"{page}{number}-{n}"}) for n in range(REQUESTS // 3)]
    for request in [same] * REQUESTS + each + [large] * (REQUESTS // 10) + [upload] * (REQUESTS // 10):
        writer.write(request)
        await _answered(reader)
    writer.close()
    await writer.wait_closed()


async def _train(package: Path, directory: Path) -> int:
    """Requests that were answered."""
    port = free_port()
    origin = await asyncio.start_server(_origin, "127.0.0.1", port, backlog=1024)
    # In threads: both wait for the gateway, whose health looks at the origin.
    world = await asyncio.to_thread(ours.build, directory / "demo", port)
    server = await asyncio.to_thread(ours.start_gateway, world, directory, core=None, package=package)
    try:
        target = Target(server.host, server.port, server.fields)
        for turn in range(ROUNDS):
            await asyncio.gather(*(_person(target, turn * CONNECTIONS + number) for number in range(CONNECTIONS)))
    finally:
        await asyncio.to_thread(server.process.stop)  # which writes what was counted
        origin.close()
    return ROUNDS * CONNECTIONS * (REQUESTS + REQUESTS // 3 + 2 * (REQUESTS // 10))


def main() -> None:
    with run_directory() as directory:
        answered = uvloop.run(_train(Path(sys.argv[1]).resolve(), directory))
    print(f"training: {answered} requests answered")


if __name__ == "__main__":
    main()
