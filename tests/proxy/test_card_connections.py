"""Connections of the eID door: a card was shown to the connection, so it does not get old."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.model import Channel
from gateway.proxy import client
from tests.proxy.stage import Stage, stage


async def answers(it: Stage, seconds: float, pause: float) -> list[bytes]:
    """Asks one thing after the other on one connection for so long; gives what each answer says of the connection."""
    reader, writer = await it.connect()
    said: list[bytes] = []
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        writer.write(it.request(signed_in=False).replace(b"Connection: close\r\n", b""))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        said.append(head.partition(b"\r\nconnection: ")[2].split(b"\r\n")[0])
        if said[-1] == b"close":
            assert await reader.read() == b""
            break
        await asyncio.sleep(pause)
    writer.close()
    return said


async def test_a_busy_one_ends_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks again and again would have a card proved for days that was taken out of its reader."""
    monkeypatch.setattr(client, "CARD_LIFE_SECONDS", 0.5)
    async with stage(tmp_path, channel=Channel.EID) as it:
        said = await answers(it, 10, 0.1)
        assert len(said) > 1
        assert said == [b"keep-alive"] * (len(said) - 1) + [b"close"]


async def test_where_no_card_is_asked_for_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CARD_LIFE_SECONDS", 0.0)
    async with stage(tmp_path) as it:
        assert set(await answers(it, 0.3, 0.1)) == {b"keep-alive"}
