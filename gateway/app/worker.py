"""One worker: its parts, how they are opened, what a reload swaps in them, and how they drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable

import structlog
from aiohttp import web

from gateway.app.background import keep_going, stop
from gateway.app.cards import CardRules, Cards
from gateway.app.doors import Doors
from gateway.app.emergency import Emergency
from gateway.app.federation import make_desks
from gateway.app.past import table_then
from gateway.app.prepared import Prepared
from gateway.app.releases import BEGINS, Releases
from gateway.app.reloading import Outcome, checked_release, outcome_of, read_anew
from gateway.app.roles import Roles
from gateway.app.shadow import ShadowWatch
from gateway.app.siblings import TELL_SECONDS, Siblings
from gateway.credentials.start import StartTokens
from gateway.decision import Decision, Facts
from gateway.decision.suspensions import Suspensions
from gateway.edge.operator import Status, make_operator_app
from gateway.errors import ConfigurationError, Fault, LedgerError, TableError
from gateway.ledger.extract import Scan
from gateway.ledger.ledger import Ledger
from gateway.ledger.pseudonym import Identity
from gateway.ledger.reference import ReferenceSource
from gateway.message import Limits
from gateway.model import Channel, Origin
from gateway.outbound.http import Client
from gateway.policy.refusals import ReleaseRefused, code_of
from gateway.policy.release import Release, load_running, refusing_snapshot
from gateway.policy.settings import SettingsError
from gateway.portal.app import make_app
from gateway.portal.handed import Handed
from gateway.portal.refusals import Refusals
from gateway.portal.services import PortalServices
from gateway.portal.settings import HTTPS_PORT, PortalSettings
from gateway.proxy.assertion import Signer
from gateway.proxy.gate import Gate, Timeouts
from gateway.proxy.origin import UNIX_SCHEME, Pool
from gateway.proxy.pacing import Rates
from gateway.proxy.shadow import Shadow
from gateway.records import Records
from gateway.records.switch import Switch

TICK_SECONDS = 0.25
"""Limits of time, what the clock ends and new tables are taken up four times a second: an access that ended ends within one."""

_log = structlog.get_logger("gateway")


class Worker:
    """One worker's parts, and what happens to them at a reload and at the end."""

    def __init__(
        self,
        prepared: Prepared,
        number: int,
        decisions: Counter[str],
        ledger: Ledger,
        records: Records,
        siblings: Siblings,
        counted: Callable[[Counter[str]], None],
        changed: Callable[[str], None],
    ) -> None:
        """`decisions` are those of the worker whose place this one takes; `counted` is told what was told to the operator, `changed` that
        every worker should read the table again, and why."""
        settings = self._settings = prepared.settings
        self._prepared = prepared
        self._number = number
        self._ledger = ledger
        self._records = records
        self._siblings = siblings
        self._counted = counted
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._handed: dict[str, Handed] = {}
        self._reloading = asyncio.Lock()
        self._ticking: asyncio.TimerHandle | None = None
        self._client = Client(settings.outbound_settings)
        self._cards = Cards(
            settings.revocation_settings,
            CardRules(prepared.card_profile, settings.revocation.check_every),
            self._client,
            records,
            ledger,
            time.time,
            secrets.token_bytes,
        )
        self._roles = Roles(settings.role_settings, records, ledger, time.time)
        self._portal_socket = settings.portal_socket(number)
        port = settings.listeners_of(Channel.USER)[0].public_port
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
            portal=Origin(f"{UNIX_SCHEME}{self._portal_socket}"),
            portal_authority=authority,
            hand=self._hand,
            unhand=self._unhand,
            timeouts=Timeouts(
                settings.limits.header, settings.limits.keep_alive, settings.limits.body_idle, settings.limits.drain
            ),
            rates=Rates(settings.limits.min_body_rate, settings.limits.min_read_rate),
            requests_per_connection=settings.limits.requests_per_connection,
            limits=Limits(settings.limits.header_bytes, settings.limits.field_count, settings.limits.target_bytes),
            max_body_bytes=settings.limits.max_body_bytes,
            forms=records,
            moved_sessions=records,
            max_form_bytes=settings.limits.kept_form_bytes,
            decisions=decisions,
            catch_up=records.catch_up,
            rules=settings.evidence.rules,
        )
        self._emergency = Emergency(Switch(settings.switch_directory), records, self._suspend)
        self._doors = Doors(prepared, number, self.gate)
        self._shadows = ShadowWatch(settings, number, self._shade)
        self._releases = Releases(settings, ledger, time.time, lambda: self.gate.snapshot)

    # --- start --------------------------------------------------------------------------------------------------------

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open the portal, then what the other workers and the operator ask, then the doors."""
        stack.push_async_callback(self.gate.pool.close)
        stack.push_async_callback(self._client.close)
        stack.push_async_callback(self._cards.close)
        stack.push_async_callback(self._roles.close)
        self._emergency.begin()
        stack.push_async_callback(self._emergency.close)
        if self._number == 0:  # one worker is enough: what it learns is in the records
            self._cards.keep_watch()
            self._roles.keep_watch()
            self._emergency.keep_together()
            watching = keep_going(
                self._releases.keep_watch(self._changed),
                # What serves goes on; what takes access away by a release waits for somebody's reload.
                "releases are no longer watched; restart the gateway",
            )
            stack.push_async_callback(stop, watching)
        stack.push_async_callback(self._shadows.close)
        self._shadows.keep_watch()
        await self._open_portal(stack)
        await self._join(stack)
        await self._open_operator(stack)
        self._doors.open()
        self._tick()

    async def _join(self, stack: contextlib.AsyncExitStack) -> None:
        """Answer the other workers, and learn from them what the database does not know yet of persons at work."""
        index = self.gate.index
        answers = {
            "status": lambda _: self._status(),
            "seen": index.take_seen,
            "unsaved": lambda _: index.unsaved(),
        }
        await self._siblings.open(answers, stack)
        for seen in (await self._siblings.ask("unsaved")).values():
            index.take_seen(seen or {})
        telling = self._loop.create_task(self._tell_seen())
        stack.callback(telling.cancel)

    async def _tell_seen(self) -> None:
        """A person who works on one connection must not be taken for idle on another one's worker."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if seen := self.gate.index.take_touched():
                await self._siblings.ask("seen", seen)

    async def _open_portal(self, stack: contextlib.AsyncExitStack) -> None:
        services = PortalServices(
            settings=self._portal_settings,
            handed=self._handed.get,
            snapshot=lambda: self.gate.snapshot,
            table_then=lambda at: table_then(
                self.gate.snapshot, self._settings.ledger.directory, self._settings.table.releases, at, Scan.begun()
            ),
            records=self._records,
            admin=self._ledger.admin,
            sealer=self._ledger.sealer,
            start_tokens=self.gate.start_tokens,
            secret=self._prepared.secret,
            jwks=lambda: self.gate.signer.jwks,
            clock=time.time,
            random=secrets.token_bytes,
            providers=make_desks(self._settings, self._prepared.client_secrets, self._client),
            card_profile=self._cards.profile,
            revocation=self._cards.revocation if self._settings.names_of(Channel.EID) else None,
            switch=Switch(self._settings.switch_directory),
            suspensions=self._emergency.running,
            ledger=self._settings.ledger.directory,
            look_up_roles=self._roles.look_up,
        )
        # What our reader took, aiohttp takes: its own answers to what it refuses, and its log, repeat what was sent.
        runner = web.AppRunner(
            make_app(services),
            access_log=None,
            handle_signals=False,
            max_line_size=self.gate.limits.header_bytes,
            max_field_size=self.gate.limits.header_bytes,
            auto_decompress=False,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        path = self._portal_socket
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            await web.UnixSite(runner, str(path)).start()
        finally:
            os.umask(previous)
        stack.callback(path.unlink, missing_ok=True)

    async def _open_operator(self, stack: contextlib.AsyncExitStack) -> None:
        runner = web.AppRunner(
            make_operator_app(self._status_of_all, self.gate.signer.jwks), access_log=None, handle_signals=False
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for listener in self._prepared.operator:
            await web.SockSite(runner, listener).start()

    # --- the portal's facts -------------------------------------------------------------------------------------------

    def _hand(self, reference: str, facts: Facts, decision: Decision, address: Identity) -> None:
        self._handed[reference] = Handed(reference, facts, decision, address)

    def _unhand(self, reference: str) -> None:
        self._handed.pop(reference, None)

    # --- table --------------------------------------------------------------------------------------------------------

    async def load_table(self, running: str) -> None:
        """Load the table at the start: the release `running` (a hash) that the other workers have, or the newest that was ever good when
        that one is not the one that serves any more; without other workers what lies in the files.

        Without a good one the gateway serves refusals only.
        """
        try:
            if running and (snapshot := await asyncio.to_thread(load_running, self._settings, running)) is not None:
                self.gate.snapshot = snapshot
                if self._number == 0:
                    await asyncio.to_thread(self._releases.look_for_waiting)
                return
            among_others = bool(running)
            await asyncio.to_thread(self._releases.about_to_read, kept=among_others)
            release = await asyncio.to_thread(checked_release, self._settings, begins=among_others)
        except TableError as error:
            _log.critical("no_good_table", effect="every request is refused", do="gateway check, then gateway reload")
            await self._record_reload("", error.faults, "start", error)
            await asyncio.to_thread(self._releases.look_for_waiting)
            return
        self._take(release)

    async def reload(self, cause: str) -> Outcome:
        """Load table and certificates anew: checked whole, then swapped; what is faulty is refused and the running one stays.

        `cause` says for the ledger who asked: SIGHUP, `watch` (another release lies there), that one `begins`, or that workers `differ`.
        """
        async with self._reloading:
            before = self.gate.snapshot.hash
            faults: list[Fault] = []
            restart_for: list[str] = []
            refused: TableError | None = None
            waiting: Release | None = None
            begins = cause == BEGINS
            await asyncio.to_thread(self._releases.about_to_read, kept=begins)
            try:
                renewed = await asyncio.to_thread(read_anew, self._prepared, begins=begins)
            except TableError as error:
                faults, refused = error.faults, error
            except SettingsError as error:
                faults = error.faults
            except ConfigurationError as error:
                faults = [Fault("gateway.toml", "", str(error), "Run: gateway check")]
            else:
                self._prepared.settings = self._releases.settings = renewed.settings
                self._take(renewed.release)
                restart_for, waiting = renewed.restart_for, renewed.release.waiting
                self._doors.renew(renewed.certificates)
                self._cards.rules = renewed.card_rules
                await self._roles.renew(renewed.settings.role_settings)
                self.gate.pool.drop()
            code = await self._record_reload(before, faults, cause, refused)
            if restart_for:
                _log.warning("restart_needed", settings=restart_for, effect="these changes wait for the next start")
            return outcome_of(self.gate.snapshot.hash, faults, restart_for, code, waiting)

    def _take(self, release: Release) -> None:
        for warning in release.warnings:
            _log.warning("table", warning=warning)
        self.gate.snapshot = release.snapshot
        self._releases.took(release)

    async def _record_reload(
        self, before: str, faults: list[Fault], cause: str, refused: TableError | None
    ) -> str | None:
        """To the ledger and to the operational log. Gives the code of a signed release that was refused."""
        for fault in faults:
            _log.error("table_fault" if cause == "start" else "reload_refused", **fault.as_dict())
        code = None if refused is None else code_of(refused)
        if code is not None:
            self._releases.refuse(code, refused.until if isinstance(refused, ReleaseRefused) else None)
        now_runs = self.gate.snapshot.hash
        # When the ledger cannot be written it tells so itself, and nothing is forwarded meanwhile.
        with contextlib.suppress(LedgerError):
            await self._ledger.reload(
                outcome="refused" if faults else "loaded",
                before=before,
                after=None if faults else now_runs,
                faults=len(faults),
                cause=cause,
                code=code,
                release=self.gate.snapshot.release or None,
            )
        if not faults:
            _log.info("reloaded", table=now_runs)
        return code

    def _suspend(self, suspensions: Suspensions) -> None:
        self.gate.suspensions = suspensions

    def _shade(self, shadow: Shadow | None) -> None:
        self.gate.shadow = shadow

    # --- running and stopping -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)
        self._emergency.tick()
        self.gate.tick()
        self.gate.pool.tick(self._loop.time())

    def _status(self) -> Status:
        gate = self.gate
        self._counted(gate.decisions)
        reasons = list(self._ledger.reasons())
        if not gate.snapshot.usable:
            reasons.append("table_unavailable")
        elif time.time() >= gate.snapshot.refused_from:
            reasons.append("table_expired")
        if not gate.index.current(time.time()):
            reasons.append("records_unavailable")
        elif not self._records.writable:
            reasons.append("records_locked")
        if gate.draining:
            reasons.append("draining")
        return Status(
            tuple(reasons),
            dict(gate.decisions),
            len(gate.connections),
            {stream.name: stream.lines_written for stream in self._ledger.streams},
            gate.snapshot.hash,
            self._prepared.started,
            tuple(self._doors.ends()),
            [(*which, count) for which, count in (self._client.counts + self._roles.counts).items()],
            [(*which, count) for which, count in self._cards.revocation.counts.items()],
            [(header.url, header.this_update, header.next_update) for header in self._cards.lists.headers()],
            gate.snapshot.release,
            gate.snapshot.expires if gate.snapshot.release else 0.0,
            dict(self._releases.refused),
            {} if gate.shadow is None else gate.shadow.counts,
        )

    async def _status_of_all(self) -> Status:
        """How the gateway stands, whichever of its workers is asked."""
        others = await self._siblings.ask("status")
        own = self._status()
        return own if not others else Status.of_all({**others, self._number: own})

    async def drain(self, now: asyncio.Event) -> None:
        """No new connections; running requests finish, but not for longer than the limit, and not after `now`; the rest is cut."""
        gate = self.gate
        gate.draining = True
        self._doors.stop()
        for connection in list(gate.connections):
            connection.drain()
        if gate.connections:
            ends = [self._loop.create_task(event.wait()) for event in (gate.emptied, now)]
            await asyncio.wait(ends, timeout=gate.timeouts.drain, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        for connection in list(gate.connections):
            connection.stop()
        await self._doors.close()
        if self._ticking is not None:
            self._ticking.cancel()
        # One turn of the loop, so that what was cut leaves its completion lines before the ledger closes.
        await asyncio.sleep(0)
