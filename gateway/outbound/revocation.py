"""Whether a card was revoked: the responder is asked first, then the list counts, and what is not known is said to be so.

Nobody waits for longer than the time of one question, and many who ask about one card share it. Decisions about requests never come
here: they go by what the session says (`certificate_good_at`), which the checks in the background bring forward.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import structlog

# Rooms of the same floor, and pure: what a card is, and what an answer must be to count.
from gateway.credentials.certificate import PersonCertificate
from gateway.credentials.revocation import MAX_RESPONSE_BYTES, NONCE_BYTES, Question, Status, ask, judge_ocsp
from gateway.errors import CredentialError, OutboundError
from gateway.outbound.hosts import Hosts, Place
from gateway.outbound.http import Client
from gateway.outbound.lists import Lists, Wanted
from gateway.outbound.settings import RevocationSettings

MOST_KEPT = 10_000
"""Answers in memory, of a worker: more cards than sign in within the time that an answer counts."""
REST_SECONDS = 10.0
"""A responder that did not answer is left alone for so long: while it is away, one person in ten seconds waits for it, not all."""

log = structlog.get_logger("gateway.revocation")


class CardStatus(NamedTuple):
    """What is known of a card. `at` is when it was last known not to be revoked (Unix seconds), None when that was never known, or
    when it is revoked. `source` says who said `state`."""

    state: Status
    at: float | None
    source: Literal["ocsp", "list", "none"]

    @property
    def stale(self) -> bool:
        """Whether `at` is of an earlier time, because nobody answers now: for whoever goes on with that (soft), and says so."""
        return self.state is Status.UNKNOWN and self.at is not None


class CardStore(Protocol):
    """Where it is kept what was known of a card, for all workers and over a restart: `gateway.records`."""

    async def keep_eid_card(self, thumbprint: str, leaf: bytes, issuer: bytes, good_at: float | None) -> None: ...

    async def eid_card_good_at(self, thumbprint: str) -> float | None: ...


class Revocation:
    """One a worker. `counts` is what came of questions, by who was asked and what was said, or why that does not count."""

    def __init__(
        self,
        settings: RevocationSettings,
        client: Client,
        lists: Lists,
        cards: CardStore,
        random: Callable[[int], bytes],
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._settings = settings
        self._hosts = Hosts(settings.hosts)
        self._client = client
        self._lists = lists
        self._cards = cards
        self._random = random
        self._kept: OrderedDict[str, tuple[float, CardStatus]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[CardStatus]] = {}
        self._resting: dict[Place, float] = {}

    async def status(self, certificate: PersonCertificate, now: float) -> CardStatus:
        """What is known of this card at `now` (Unix seconds), within the time of one question (`revocation.ocsp`).

        UNKNOWN is no fault of anybody here: `at` then says since when. What a later check needs is kept. Raises RecordsError.
        """
        known = self._known(certificate.thumbprint, now)
        if known is not None:
            return known
        asking = self._asking.get(certificate.thumbprint)
        if asking is None:
            asking = asyncio.get_running_loop().create_task(self._find_out(certificate, now))
            self._asking[certificate.thumbprint] = asking
            asking.add_done_callback(lambda done: self._answered(certificate.thumbprint, done))
        # Who leaves takes nothing away from the others.
        return await asyncio.shield(asking)

    def _known(self, thumbprint: str, now: float) -> CardStatus | None:
        until, known = self._kept.get(thumbprint, (0.0, None))
        return known if now < until else None

    def _answered(self, thumbprint: str, done: asyncio.Task[CardStatus]) -> None:
        del self._asking[thumbprint]
        if not done.cancelled():
            done.exception()  # those who asked have it; when all of them left, nobody needs it

    async def _find_out(self, certificate: PersonCertificate, now: float) -> CardStatus:
        wanted = self._want(certificate)
        found = await self._ask(certificate, now)
        if found is None or found.state is Status.UNKNOWN:
            listed = self._look_up(certificate, wanted, now)
            # A responder that does not know a card of its own authority: that it stands on no list says nothing for it.
            found = listed if found is None or listed.state is Status.REVOKED else found
        self.counts[found.source, found.state.value] += 1
        if found.state is Status.REVOKED:
            return found
        await self._cards.keep_eid_card(
            certificate.thumbprint, certificate.leaf, certificate.issuer_certificate, found.at
        )
        if found.state is Status.GOOD:
            return found
        return found._replace(at=await self._cards.eid_card_good_at(certificate.thumbprint))

    # --- the responder ------------------------------------------------------------------------------------------------

    async def _ask(self, certificate: PersonCertificate, now: float) -> CardStatus | None:
        """What the responder says, or None: there is none that may be asked, or what it says does not count."""
        url = self._first_allowed(certificate.ocsp_urls)
        if url is None:
            return None
        place = self._hosts.check(url).place
        if now < self._resting.get(place, 0.0):
            return None
        try:
            question = ask(certificate.leaf, certificate.issuer_certificate, self._random(NONCE_BYTES))
            answer = judge_ocsp(await self._post(url, question), question, now, self._settings.skew)
        except (OutboundError, CredentialError) as error:
            self.counts["ocsp", error.reason] += 1
            if now >= self._resting.get(place, 0.0):  # of many at once, one says so
                log.warning("a responder gave no answer that counts", place=str(place), why=error.reason)
            if isinstance(error, OutboundError):
                # From when it was given up: `now` is when it was asked, and a question may take longer than the rest.
                waited = self._settings.ocsp if error.reason == "timeout" else 0.0
                self._resting[place] = now + waited + REST_SECONDS
            return None
        said = CardStatus(answer.status, now if answer.status is Status.GOOD else None, "ocsp")
        self._keep(certificate.thumbprint, min(now + self._settings.ocsp_kept, answer.next_update), said)
        return said

    def _keep(self, thumbprint: str, until: float, said: CardStatus) -> None:
        """A card that is unknown to its responder may be known the next moment: that is not kept."""
        if said.state is Status.UNKNOWN:
            return
        self._kept[thumbprint] = until, said
        self._kept.move_to_end(thumbprint)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def _post(self, url: str, question: Question) -> bytes:
        """RFC 6960 appendix A.1. Raises OutboundError."""
        answer = await self._client.fetch(
            "POST",
            url,
            allowed=self._hosts,
            body=question.request,
            headers={"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"},
            max_bytes=MAX_RESPONSE_BYTES,
            seconds=self._settings.ocsp,
        )
        if answer.status != 200:
            raise OutboundError(f"status_{answer.status}")
        return answer.body

    # --- the list -----------------------------------------------------------------------------------------------------

    def _want(self, certificate: PersonCertificate) -> Wanted | None:
        """The list of this card, if it names one that may be fetched: it will be there before its responder is away."""
        url = self._first_allowed(certificate.crl_urls)
        if url is None:
            return None
        wanted = Wanted(url, certificate.issuer_certificate)
        self._lists.want(wanted)
        return wanted

    def _look_up(self, certificate: PersonCertificate, wanted: Wanted | None, now: float) -> CardStatus:
        """What the list says that was fetched last. Who stands on it is revoked, however old it is."""
        index = None if wanted is None else self._lists.find(wanted)
        if index is not None:
            if int(certificate.serial, 16) in index:
                return CardStatus(Status.REVOKED, None, "list")
            if now <= index.header.next_update + self._settings.skew:
                return CardStatus(Status.GOOD, now, "list")
        return CardStatus(Status.UNKNOWN, None, "none")

    def _first_allowed(self, urls: tuple[str, ...]) -> str | None:
        for url in urls:
            try:
                self._hosts.check(url)
            except OutboundError as error:
                self.counts["none", error.reason] += 1
                log.warning("a card names a place that is not on revocation.hosts", place=error.place, why=error.reason)
            else:
                return url
        return None
