"""A websocket origin by a library that is not ours (`websockets`): it answers in the fragments that it got, and does what it is told.

    <anything>       the same back, in the same fragments     ping me      pings, waits for the pong, says so
    close CODE WORDS closes with that code                    vanish       breaks the connection off
    notes            what it has seen of all connections that have ended, as JSON

Run as `python -m tests.end_to_end.websocket_origin`; the port is told on standard output; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

MAX_BYTES = 16 * 1024 * 1024


@contextlib.contextmanager
def running_websocket_origin() -> Iterator[int]:
    """Gives its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.websocket_origin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise TypeError("pipes")
        try:
            assert select.select([process.stdout], [], [], 30)[0], "the origin did not start"
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def digest(fragment: str | bytes) -> list[object]:
    """A fragment as it stands in a transcript: its kind, its length, and what it holds."""
    data = fragment.encode() if isinstance(fragment, str) else fragment
    return [type(fragment).__name__, len(data), sha256(data).hexdigest()[:16]]


class Noting:
    """Serves, and notes what came."""

    def __init__(self) -> None:
        self.notes: list[object] = []

    async def serve(self, socket: ServerConnection) -> None:
        seen: list[object] = []
        try:
            while True:
                fragments = [fragment async for fragment in socket.recv_streaming()]
                seen.append([digest(fragment) for fragment in fragments])
                await self.act(socket, fragments)
        except ConnectionClosed:
            self.notes.append([seen, socket.close_code, socket.close_reason])

    async def act(self, socket: ServerConnection, fragments: list[str] | list[bytes]) -> None:
        words = fragments[0].split(" ", 2) if len(fragments) == 1 and isinstance(fragments[0], str) else [""]
        match words[0]:
            case "ping":
                await (await socket.ping(b"are you there"))
                await socket.send("pong came")
            case "close":
                await socket.close(int(words[1]), words[2])
            case "vanish":
                socket.transport.abort()
            case "notes":
                await socket.send(json.dumps(self.notes))
            case _ if len(fragments) == 1:
                await socket.send(fragments[0])
            case _:
                await socket.send(fragments)


async def main() -> None:
    async with serve(Noting().serve, "127.0.0.1", 0, max_size=MAX_BYTES, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
