"""What serves within a test leaves no connection open when it ends: one that is open is an error of whichever test runs then."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

import pytest

from tests.serving import serving


@pytest.mark.parametrize("turns", range(6))
async def test_who_comes_as_it_ends_is_sent_away(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many turns of the loop ago that was: not let in yet, let in, handed over, being served."""
    made: list[asyncio.StreamWriter] = []
    make = asyncio.StreamWriter.__init__

    def kept(self: asyncio.StreamWriter, *args: Any) -> None:
        made.append(self)
        make(self, *args)

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(asyncio.StreamWriter, "__init__", kept)
    async with serving(serve) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=5)
        for _ in range(turns):
            await asyncio.sleep(0)
    left_open = [writer for writer in made if not writer.is_closing()]
    for writer in left_open:
        writer.transport.abort()  # a loop that ends with a connection open waits until its other end closes: here, for ever
    await asyncio.sleep(0)
    with client, suppress(ConnectionResetError):
        assert client.recv(1) == b""
    assert not left_open
