"""What serves within a test leaves no connection open when it ends: one that is open is an error of whichever test runs then."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.serving import serving


async def test_who_comes_in_the_turn_in_which_it_ends_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
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
        while not made:  # noqa: ASYNC110 - the turn is what it is about
            await asyncio.sleep(0)
    assert made[0].is_closing()
    with client:
        assert client.recv(1) == b""
