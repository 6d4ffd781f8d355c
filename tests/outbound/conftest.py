"""What the tests about cards share: an authority, a clock that a test sets, and the parts as a worker has them."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.outbound.hosts import parse_place
from gateway.outbound.http import Client
from gateway.outbound.lists import Lists
from gateway.outbound.revocation import Revocation
from gateway.outbound.settings import OutboundSettings, RevocationSettings
from tests.outbound.authority import CardAuthority


class Clock:
    """A clock that a test sets. OpenSSL's responder has its own: it begins there."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Kept:
    """What the records keep of cards."""

    def __init__(self) -> None:
        self.good_at: dict[str, float] = {}
        self.cards: dict[str, tuple[bytes, bytes]] = {}

    async def keep_eid_card(self, thumbprint: str, leaf: bytes, issuer: bytes, good_at: float | None) -> None:
        self.cards[thumbprint] = leaf, issuer
        if good_at is not None:
            self.good_at[thumbprint] = max(good_at, self.good_at.get(thumbprint, 0.0))

    async def eid_card_good_at(self, thumbprint: str) -> float | None:
        return self.good_at.get(thumbprint)


class Office:
    """A worker's parts that ask about cards. `places` are the only ones asked."""

    def __init__(self, directory: Path, clock: Clock, kept: Kept, *places: str, **changed: object) -> None:
        settings = RevocationSettings(directory / "revocation", tuple(map(parse_place, places)), ocsp=2.0)
        self.settings = replace(settings, **changed)  # type: ignore[arg-type]
        self.clock = clock
        self.kept = kept
        self.client = Client(OutboundSettings())
        self.lists = Lists(self.settings, self.client, clock)
        self.revocation = Revocation(self.settings, self.client, self.lists, kept, secrets.token_bytes)

    async def close(self) -> None:
        self.lists.close()
        await self.client.close()


Opener = Callable[..., Office]


@pytest.fixture
def clock() -> Clock:
    return Clock(float(int(time.time())))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def authority(clock: Clock) -> CardAuthority:
    made = CardAuthority(clock.now)
    made.port = free_port()
    return made


def free_port() -> int:
    """Below those that the system gives to whoever connects: it must still be free when the responder comes."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("0.0.0.0", port))
            return port


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, kept: Kept) -> AsyncIterator[Opener]:
    """Opens a worker's parts, as often as a test has workers."""
    async with AsyncExitStack() as stack:

        def opened(*places: str, **changed: object) -> Office:
            made = Office(tmp_path, clock, kept, *places, **changed)
            stack.push_async_callback(made.close)
            return made

        yield opened
