"""Composition root: the only place that knows all rooms. Owns the order of start and stop.

`prepare()` reads settings and keys, makes TLS contexts and binds sockets: no thread, event loop or database yet, so that several
workers can be forked from it later. `run()` is one worker's life: ledger first, then table, records, portal, and the doors last;
stopping goes the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from gateway.credentials.start import StartTokens
from gateway.decision import Decision, Facts
from gateway.edge.accept import Acceptor, MakeProtocol
from gateway.edge.operator import Status, make_operator_app
from gateway.edge.plain import PlainConnection
from gateway.edge.sockets import listen
from gateway.edge.tls import server_context
from gateway.errors import ConfigurationError, Fault, LedgerError, TableError
from gateway.ledger.ledger import Ledger
from gateway.ledger.pseudonym import Identity
from gateway.ledger.reference import ReferenceSource
from gateway.message import DEFAULT_LIMITS
from gateway.model import Channel, Origin
from gateway.policy.material import load_secret, require_material
from gateway.policy.release import Release, keep_release, load_release, refusing_snapshot
from gateway.policy.settings import Listener, Settings, SettingsError, load_settings
from gateway.portal.app import make_app
from gateway.portal.handed import Handed
from gateway.portal.refusals import Refusals
from gateway.portal.services import PortalServices
from gateway.portal.settings import HTTPS_PORT, PortalSettings
from gateway.proxy.assertion import Signer
from gateway.proxy.client import ClientConnection, tick_all
from gateway.proxy.doorman import Doorman
from gateway.proxy.gate import Gate, Timeouts
from gateway.proxy.origin import UNIX_SCHEME, Pool
from gateway.records import Records

TICK_SECONDS = 0.5
"""Time limits and open exchanges are looked at twice a second, so that a revoked access ends within one (ADR 0003)."""

_log = structlog.get_logger("gateway")


@dataclass(slots=True)
class Door:
    """A public listener, bound. `context` is None on the plain port."""

    listener: Listener
    sockets: list[socket.socket]
    context: ssl.SSLContext | None


@dataclass(slots=True)
class Prepared:
    """All that can be had before there is an event loop."""

    config: Path
    settings: Settings
    doors: list[Door]
    operator: list[socket.socket]
    assertion_key: bytes
    secret: bytes
    started: float = field(default_factory=time.time)


def prepare(config: Path) -> Prepared:
    """Raises ConfigurationError: bad settings, keys or certificates, or a port in use, stop the start (THREATS row 10)."""
    settings = load_settings(config)
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_material(settings, time.time())
    assertion_key = settings.keys.assertion.read_bytes()
    secret = load_secret(settings.keys.gateway)
    contexts = {id(listener): _context(listener) for listener in settings.listeners if listener.kind is Channel.USER}
    doors: list[Door] = []
    operator: list[socket.socket] = []
    for listener in settings.listeners:
        sockets = listen([(address.host, address.port) for address in listener.addresses], listener.channel)
        if listener.kind is Channel.OPERATOR:
            operator += sockets
        else:
            doors.append(Door(listener, sockets, contexts.get(id(listener))))
    return Prepared(config, settings, doors, operator, assertion_key, secret)


def serve(config: Path) -> None:
    """Prepare and run one worker on uvloop, until a signal ends it."""
    prepared = prepare(config)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(prepared, lambda: _log.info("ready")))


async def run(prepared: Prepared, ready: Callable[[], None], worker: int = 0) -> None:
    """One worker, until SIGTERM or SIGINT. SIGHUP loads a changed table and certificates."""
    loop = asyncio.get_running_loop()
    settings = prepared.settings
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        ledger = Ledger.open(settings.ledger_settings, worker, loop)
        stack.push_async_callback(ledger.close)
        records = await Records.open(settings.records_settings)
        stack.push_async_callback(records.close)
        # The index of 100,000 persons is some 290 MiB that never becomes garbage: looking through it would stop everything for 2 s.
        gc.collect()
        gc.freeze()
        gateway = Worker(prepared, ledger, records)
        await gateway.load_table()
        await gateway.open(stack)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(gateway.reload()))
        settings.pid_file.write_text(f"{os.getpid()}\n")
        stack.callback(settings.pid_file.unlink, missing_ok=True)
        ready()
        await stop.wait()
        _log.info("stopping", connections=len(gateway.gate.connections))
        await gateway.drain()


class Worker:
    """One worker's parts, and what happens to them at a reload and at the end."""

    def __init__(self, prepared: Prepared, ledger: Ledger, records: Records) -> None:
        settings = self._settings = prepared.settings
        self._prepared = prepared
        self._ledger = ledger
        self._records = records
        self._loop = asyncio.get_running_loop()
        self._handed: dict[str, Handed] = {}
        self._acceptors: list[tuple[Acceptor, Door]] = []
        self._connected: set[asyncio.BaseTransport] = set()
        self._reloading = asyncio.Lock()
        self._ticking: asyncio.TimerHandle | None = None
        port = self._public_port = settings.listeners_of(Channel.USER)[0].public_port
        authority = settings.portal.host if port == HTTPS_PORT else f"{settings.portal.host}:{port}"
        self._portal_settings = PortalSettings.of(settings, port)
        signer = Signer(prepared.assertion_key, f"https://{authority}", secrets.token_bytes)
        refusals = Refusals(self._portal_settings, lambda: self.gate.snapshot)
        self.gate = Gate(
            loop=self._loop,
            clock=time.time,
            random=secrets.token_bytes,
            new_reference=ReferenceSource(),
            snapshot=refusing_snapshot(settings),
            index=records.index,
            ledger=ledger,
            signer=signer,
            start_tokens=StartTokens(prepared.secret),
            pages=refusals,
            pool=Pool(self._loop, settings.origins.keep_alive),
            portal=Origin(f"{UNIX_SCHEME}{settings.portal_socket}"),
            portal_authority=authority,
            hand=self._hand,
            unhand=self._unhand,
            timeouts=Timeouts(
                settings.limits.header, settings.limits.keep_alive, settings.limits.body_idle, settings.limits.drain
            ),
            limits=DEFAULT_LIMITS,
            max_body_bytes=settings.limits.max_body_bytes,
        )

        self._doorman = Doorman(self.gate)

    # --- start --------------------------------------------------------------------------------------------------------

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open the portal, then the operator's port, then the doors."""
        stack.push_async_callback(self.gate.pool.close)
        await self._open_portal(stack)
        await self._open_operator(stack)
        for door in self._prepared.doors:
            acceptor = Acceptor(
                self._loop,
                door.sockets,
                self._factory(door),
                self._plain(door),
                self._doorman.handshake_failed,
                door.context,
            )
            acceptor.start()
            self._acceptors.append((acceptor, door))
        self._tick()

    async def _open_portal(self, stack: contextlib.AsyncExitStack) -> None:
        services = PortalServices(
            settings=self._portal_settings,
            handed=self._handed.get,
            snapshot=lambda: self.gate.snapshot,
            records=self._records,
            admin=self._ledger.admin,
            sealer=self._ledger.sealer,
            start_tokens=self.gate.start_tokens,
            secret=self._prepared.secret,
            jwks=lambda: self.gate.signer.jwks,
            clock=time.time,
            random=secrets.token_bytes,
        )
        # What our reader took, aiohttp takes: its own answers to what it refuses, and its log, repeat what was sent.
        runner = web.AppRunner(
            make_app(services),
            access_log=None,
            handle_signals=False,
            max_line_size=DEFAULT_LIMITS.header_bytes,
            max_field_size=DEFAULT_LIMITS.header_bytes,
            auto_decompress=False,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        path = self._settings.portal_socket
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            await web.UnixSite(runner, str(path)).start()
        finally:
            os.umask(previous)
        stack.callback(path.unlink, missing_ok=True)

    async def _open_operator(self, stack: contextlib.AsyncExitStack) -> None:
        runner = web.AppRunner(
            make_operator_app(self._status, self.gate.signer.jwks), access_log=None, handle_signals=False
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for listener in self._prepared.operator:
            await web.SockSite(runner, listener).start()

    def _plain(self, door: Door) -> MakeProtocol:
        return partial(PlainConnection, self._loop, partial(self._doorman.refuse_plain, door.listener.kind))

    def _factory(self, door: Door) -> MakeProtocol:
        if door.listener.kind is Channel.PLAIN:
            return self._plain(door)
        return partial(ClientConnection, self.gate, door.listener.kind, door.listener.public_port)

    # --- the portal's facts -------------------------------------------------------------------------------------------

    def _hand(self, reference: str, facts: Facts, decision: Decision, address: Identity) -> None:
        self._handed[reference] = Handed(reference, facts, decision, address)

    def _unhand(self, reference: str) -> None:
        self._handed.pop(reference, None)

    # --- table --------------------------------------------------------------------------------------------------------

    async def load_table(self) -> None:
        """Load the release at the start; without a good one the gateway serves refusals only."""
        try:
            release = await asyncio.to_thread(self._checked_release, self._settings)
        except TableError as error:
            for fault in error.faults:
                _log.error("table_fault", **fault.as_dict())
            _log.critical("no_good_table", effect="every request is refused", do="gateway check, then gateway reload")
            return
        self._take(release)

    async def reload(self) -> None:
        """Load table and certificates anew: checked whole, then swapped; what is faulty is refused and the running one stays."""
        async with self._reloading:
            before = self.gate.snapshot.hash
            faults: list[Fault] = []
            try:
                release, contexts = await asyncio.to_thread(self._read_anew)
            except (TableError, SettingsError) as error:
                faults = error.faults
            except ConfigurationError as error:
                faults = [Fault("gateway.toml", "", str(error), "Run: gateway check")]
            else:
                self._take(release)
                for acceptor, context in contexts:
                    acceptor.context = context
                self.gate.pool.drop()
            await self._tell_reload(before, faults)

    def _read_anew(self) -> tuple[Release, list[tuple[Acceptor, ssl.SSLContext]]]:
        """Everything that a reload brings, read and checked beside the traffic, in a thread; nothing is changed yet."""
        settings = load_settings(self._prepared.config)
        require_material(settings, time.time())
        contexts = [
            (acceptor, _context(listener))
            for acceptor, door in self._acceptors
            if door.context is not None and (listener := _same_listener(settings, door.listener)) is not None
        ]
        return self._checked_release(settings), contexts

    def _checked_release(self, settings: Settings) -> Release:
        """The release, kept by its hash before it is served: else a line could name a table that nobody finds any more."""
        release = load_release(settings, time.time())
        try:
            keep_release(release, settings.table.releases)
        except OSError as error:
            what = f"the release cannot be kept ({error.strerror})"
            raise TableError([Fault(str(settings.table.releases), "", what, "Make room, or mend the rights")]) from None
        return release

    def _take(self, release: Release) -> None:
        for warning in release.warnings:
            _log.warning("table", warning=warning)
        self.gate.snapshot = release.snapshot

    async def _tell_reload(self, before: str, faults: list[Fault]) -> None:
        """To the ledger, to the operational log, and to `gateway reload`, which waits for the file."""
        for fault in faults:
            _log.error("reload_refused", **fault.as_dict())
        now_runs = self.gate.snapshot
        outcome = "refused" if faults else "loaded"
        after = None if faults else now_runs.hash
        # When the ledger cannot be written it tells so itself, and nothing is forwarded meanwhile.
        with contextlib.suppress(LedgerError):
            await self._ledger.reload(outcome=outcome, before=before, after=after, faults=len(faults), cause="SIGHUP")
        if not faults:
            _log.info("reloaded", table=now_runs.hash)
        draft = self._settings.reload_file.with_suffix(".tmp")
        told = {
            "at": time.time(),
            "ok": not faults,
            "hash": now_runs.hash,
            "faults": [fault.as_dict() for fault in faults],
        }
        draft.write_text(json.dumps(told))
        draft.replace(self._settings.reload_file)

    # --- running and stopping -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        tick_all(self.gate, now)
        self.gate.pool.tick(now)

    def _status(self) -> Status:
        gate = self.gate
        reasons = list(self._ledger.reasons())
        if not gate.snapshot.usable:
            reasons.append("table_unavailable")
        if not gate.index.current(time.time()):
            reasons.append("records_unavailable")
        if gate.draining:
            reasons.append("draining")
        return Status(
            tuple(reasons),
            dict(gate.decisions),
            len(gate.connections),
            {stream.name: stream.lines_written for stream in self._ledger.streams},
            gate.snapshot.hash,
            self._prepared.started,
        )

    async def drain(self) -> None:
        """No new connections; running requests finish, but not for longer than the limit; then the rest is cut."""
        gate = self.gate
        gate.draining = True
        for acceptor, _ in self._acceptors:
            acceptor.stop()
        for connection in list(gate.connections):
            connection.drain()
        if gate.connections:
            with contextlib.suppress(TimeoutError):  # then the rest is cut
                await asyncio.wait_for(gate.emptied.wait(), gate.timeouts.drain)
        for connection in list(gate.connections):
            connection.stop()
        for acceptor, _ in self._acceptors:
            await acceptor.close()
        if self._ticking is not None:
            self._ticking.cancel()
        # One turn of the loop, so that what was cut leaves its completion lines before the ledger closes.
        await asyncio.sleep(0)


def _context(listener: Listener) -> ssl.SSLContext:
    first = listener.certificates[0]
    return server_context(first.pem, first.key, listener.names)


def _same_listener(settings: Settings, old: Listener) -> Listener | None:
    for listener in settings.listeners:
        if listener.kind is old.kind and listener.addresses == old.addresses:
            return listener
    return None
