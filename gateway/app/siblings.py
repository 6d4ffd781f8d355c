"""What the workers of one gateway tell each other, over a private UNIX socket each (`state/worker-0.sock`, …).

A line of JSON asks, a line answers, and the connection ends. Three things are asked: how a worker stands (for the operator's port), which
acts of persons it saw that the database does not have yet (by a worker that has just begun), and to take note of such acts (once a
second). Whoever does not answer within `ASK_SECONDS` is silent, which makes the gateway not ready. Only the service's own user reaches
the sockets: they lie in `state`, and have mode 0600.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import structlog

from gateway.policy.settings import Settings

ASK_SECONDS = 0.5
"""For a worker's answer. It takes a millisecond; a loop that is busy for half a second serves nobody well either."""
LINE_BYTES = 16 * 1024 * 1024
"""The longest line: 100,000 persons seen within a minute are 5 MB."""
TELL_SECONDS = 1.0
"""How late another worker learns of a person's act, at the most: idle limits are minutes."""

Answer = Callable[[Any], object]

_log = structlog.get_logger("gateway")


class Siblings:
    """The other workers, as one of them reaches them."""

    def __init__(self, settings: Settings, number: int, count: int) -> None:
        self._own = settings.worker_socket(number)
        self._others = {other: settings.worker_socket(other) for other in range(count) if other != number}
        self._answers: Mapping[str, Answer] = {}

    async def open(self, answers: Mapping[str, Answer], stack: contextlib.AsyncExitStack) -> None:
        """Begin to answer the others: each question by its word. Alone, there is nobody to answer."""
        if not self._others:
            return
        self._answers = answers
        self._own.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, self._own, limit=LINE_BYTES)
        finally:
            os.umask(previous)
        stack.callback(self._own.unlink, missing_ok=True)
        stack.callback(server.close)

    async def ask(self, word: str, value: object = None) -> dict[int, Any]:
        """What each of the others answers, by its number; None for one that is silent."""
        answers = await asyncio.gather(*(self._ask(path, word, value) for path in self._others.values()))
        return dict(zip(self._others, answers, strict=True))

    async def _ask(self, path: os.PathLike[str], word: str, value: object) -> Any:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES)
                try:
                    writer.write(orjson.dumps([word, value]) + b"\n")
                    return orjson.loads(await reader.readuntil(b"\n"))
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                word, value = orjson.loads(await reader.readuntil(b"\n"))
                writer.write(orjson.dumps(self._answers[word](value), default=list) + b"\n")  # a named tuple is a list
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, KeyError):
            _log.warning("worker_not_answered", effect="the other worker takes this one for silent")
        finally:
            writer.close()
