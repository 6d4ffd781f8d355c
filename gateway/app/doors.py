"""The public listeners of one worker: opened, given new certificates, and closed; what they hold is told once a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import structlog

from gateway.app.prepared import Door, NewCertificates, Prepared
from gateway.edge.accept import Acceptor, MakeProtocol
from gateway.edge.admission import Admission
from gateway.edge.plain import PlainConnection
from gateway.edge.tls import TICKET_KEY_SECONDS, ServerContexts
from gateway.policy.material import RENEW_DAYS
from gateway.proxy.client import ClientConnection
from gateway.proxy.doorman import Doorman
from gateway.proxy.gate import Gate

DAY_SECONDS = 86_400.0

_log = structlog.get_logger("gateway")


class CertificateEnd(NamedTuple):
    """When a certificate of a listener ends: `ends` is Unix seconds."""

    listener: str
    file: str
    kind: str
    ends: float


class Doors:
    """Made and used on the event loop's thread."""

    def __init__(self, prepared: Prepared, number: int, gate: Gate) -> None:
        self._prepared = prepared
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._share = None if prepared.shares is None else prepared.shares.of(number)
        self.admission = Admission(prepared.settings.connections, prepared.connections, self._share)
        self._acceptors: list[Acceptor] = []
        self._daily: asyncio.TimerHandle | None = None

    def open(self) -> None:
        if self._share is not None:
            self._share.begin()
        self._every_day()
        for door in self._prepared.doors:
            doorman = Doorman(self._gate, door.listener.kind)
            acceptor = Acceptor(
                self._loop,
                door.sockets,
                self._factory(door, doorman),
                doorman,
                self.admission,
                door.contexts,
                door.listener.proxy_protocol_from,
            )
            acceptor.start()
            self._acceptors.append(acceptor)

    def _factory(self, door: Door, doorman: Doorman) -> MakeProtocol:
        if door.contexts is None:
            return partial(PlainConnection, self._loop, doorman.refuse_plain)
        return partial(ClientConnection, self._gate, door.listener.kind, door.listener.public_port)

    def renew(self, certificates: list[NewCertificates]) -> None:
        """Serve with these from the next handshake on. Connections stay."""
        for new in certificates:
            new.serve()
        self._warn()

    def stop(self) -> None:
        """Take no more connections, and let no other worker leave any to this one."""
        if self._share is not None:
            self._share.leave()
        for acceptor in self._acceptors:
            acceptor.stop()

    async def close(self) -> None:
        for acceptor in self._acceptors:
            await acceptor.close()
        if self._daily is not None:
            self._daily.cancel()

    def ends(self) -> Iterator[CertificateEnd]:
        """Every certificate that is served, for the metric."""
        for door in self._prepared.doors:
            for one in () if door.contexts is None else door.contexts.certificates:
                yield CertificateEnd(str(door.listener.addresses[0]), one.file.name, one.kind, one.ends)

    def _every_day(self) -> None:
        """All workers go to the next ticket key at the same moment, counted from the start of them all."""
        now, started = time.time(), self._prepared.started
        number = max(0, int((now - started) // TICKET_KEY_SECONDS))
        for door in self._prepared.doors:
            if isinstance(door.contexts, ServerContexts):
                door.contexts.rotate(number)
        self._warn()
        next_key = started + (number + 1) * TICKET_KEY_SECONDS
        self._daily = self._loop.call_later(max(1.0, next_key - now), self._every_day)

    def _warn(self) -> None:
        for end in self.ends():
            days = int((end.ends - time.time()) // DAY_SECONDS)
            if days < RENEW_DAYS:
                _log.warning(
                    "certificate_ends",
                    file=end.file,
                    listener=end.listener,
                    days=days,
                    do="renew it, then gateway reload",
                )
