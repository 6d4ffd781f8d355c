"""Cards, for one worker: what they are verified by, who is asked about them, and the checks while sessions last.

One worker of a machine asks about the cards of live sessions and fetches lists, whichever worker the sessions are served by: what it
learns is in the records, and so in the index of every process, within a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.app.background import keep_going, stop
from gateway.credentials.certificate import verify
from gateway.credentials.certificate_profile import Profile
from gateway.credentials.revocation import Status
from gateway.errors import CertificateRefused, LedgerError, RecordsError
from gateway.ledger.ledger import Ledger
from gateway.ledger.record import administration_record
from gateway.outbound.http import Client
from gateway.outbound.lists import Lists
from gateway.outbound.revocation import Revocation
from gateway.outbound.settings import RevocationSettings
from gateway.records import Change, Records
from gateway.records.eid_cards import KeptCard
from gateway.records.signin import GATEWAY

LOOK_SECONDS = 5.0
"""Between two looks for cards and lists that are due."""
RETRY_SECONDS = 30.0
"""Until a card is asked about again that nobody knew anything of: a responder may be away for a moment only."""
AT_ONCE = 8
"""Cards asked about at once, in the background: as many questions as one place gets from a worker."""

log = structlog.get_logger("gateway.revocation")


@dataclass(frozen=True, slots=True)
class CardRules:
    """What a reload may change: what a card is (None: nobody asks for one), and how often it is asked about (seconds)."""

    profile: Profile | None
    check_every: float


class Cards:
    """One a worker."""

    def __init__(
        self,
        settings: RevocationSettings,
        rules: CardRules,
        client: Client,
        records: Records,
        ledger: Ledger,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.rules = rules
        self.lists = Lists(settings, client, clock)
        self.revocation = Revocation(settings, client, self.lists, records, random)
        self._records = records
        self._ledger = ledger
        self._clock = clock
        self._tried: dict[str, float] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []

    def profile(self) -> Profile | None:
        """What a card is, now."""
        return self.rules.profile

    # --- in the one worker that does so -------------------------------------------------------------------------------

    def keep_watch(self) -> None:
        """Begins to check the cards of live sessions and to fetch lists."""
        # Where it ends, transactions that bear no older answer refuse cards from then on.
        ended = "cards are no longer checked; restart the gateway"
        self._tasks += [
            keep_going(work, ended) for work in (self._check_again_and_again(), self._fetch_again_and_again())
        ]

    async def close(self) -> None:
        for task in self._tasks:
            await stop(task)
        self.lists.close()

    async def _check_again_and_again(self) -> None:
        while True:
            try:
                await self.check_due()
            except RecordsError as error:
                log.warning("cards were not checked", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _fetch_again_and_again(self) -> None:
        while True:
            await self.lists.fetch_due()
            await asyncio.sleep(LOOK_SECONDS)

    async def check_due(self) -> None:
        """Asks about every card of a live session whose last good answer is as old as two checks lie apart. Raises RecordsError."""
        profile, now = self.rules.profile, self._clock()
        if profile is None:
            return
        due = await self._records.eid_cards_due(now, now - self.rules.check_every)
        self._tried = {card.thumbprint: self._tried.get(card.thumbprint, float("-inf")) for card in due}
        async with asyncio.TaskGroup() as group:
            for card in due:
                if now - self._tried[card.thumbprint] >= RETRY_SECONDS:
                    self._tried[card.thumbprint] = now
                    group.create_task(self._check(card, profile))

    async def _check(self, card: KeptCard, profile: Profile) -> None:
        async with self._room:
            try:
                await self._judge(card, profile)
            except (RecordsError, LedgerError) as error:
                log.error("what was learnt of a card was not kept", error=str(error))

    async def _judge(self, card: KeptCard, profile: Profile) -> None:
        now = self._clock()
        try:
            # Some milliseconds of computing, which the requests on this worker do not wait for.
            certificate = await asyncio.to_thread(verify, (card.leaf, card.issuer), profile, now)
        except CertificateRefused as refused:
            # It has expired, or its root is trusted no longer.
            await self._end_sessions(card, refused.reason)
            return
        known = await self.revocation.status(certificate, now)
        if known.state is Status.REVOKED:
            await self._end_sessions(card, "certificate_revoked")

    async def _end_sessions(self, card: KeptCard, reason: str) -> None:
        """Each with its line; it is over everywhere within a second."""
        ended = 0
        for session in await self._records.sessions_with_eid_card(card.thumbprint, self._clock()):
            ended += await self._records.end_session(session, reason, GATEWAY, self._write)
        if ended:
            log.warning("sessions ended with their card", reason=reason, sessions=ended)

    async def _write(self, change: Change) -> None:
        await self._ledger.admin.write(
            administration_record(
                self._ledger.references(),
                act=change.act,
                actor=change.by.actor,
                person=self._ledger.sealer.person(change.user_id, change.insz),
                institution=change.institution,
                reason=change.by.reason,
                objects=change.objects,
            )
        )
