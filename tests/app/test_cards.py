"""Cards of live sessions: asked about again in time, by a real responder; who is revoked is out everywhere, with a line."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest

from gateway.app.cards import RETRY_SECONDS, CardRules, Cards
from gateway.credentials.certificate import PersonCertificate
from gateway.credentials.certificate_profile import Profile
from gateway.ledger import Ledger, LedgerSettings
from gateway.ledger.keys import make_keys
from gateway.model import Means, Session
from gateway.outbound.hosts import parse_place
from gateway.outbound.http import Client
from gateway.outbound.settings import OutboundSettings, RevocationSettings
from gateway.records import Records, RecordsSettings, upgrade_schema
from gateway.records.values import Bound
from tests.outbound.authority import INSZ, CardAuthority
from tests.outbound.conftest import Clock, free_port
from tests.records.conftest import BY_ACT, NORTH, PORTAL

EVERY = 900.0
USER = "jansen01"


class Office:
    """The worker that asks, and beside it the records as another process has them."""

    def __init__(self, directory: Path, clock: Clock, authority: CardAuthority, records: list[Records], ledger: Ledger):
        self.directory = directory
        self.clock = clock
        self.authority = authority
        self.records, self.elsewhere = records
        self.ledger = ledger
        self.client = Client(OutboundSettings())
        settings = RevocationSettings(directory / "revocation", (parse_place(authority.responder_url),), ocsp=1.0)
        rules = CardRules(authority.profile(), EVERY)
        self.cards = Cards(settings, rules, self.client, self.records, ledger, clock, secrets.token_bytes)
        self._began = 0

    async def sign_in(self, card: PersonCertificate, user_id: str = USER) -> bytes:
        """A session that hangs on a card, as the eID pages begin it; gives its cookie's hash."""
        known = await self.cards.revocation.status(card, self.clock.now)
        login = await self.records.find_login(user_id)
        assert login is not None
        self._began += 1
        cookie = self._began.to_bytes(32, "big")
        await self.records.create_session(
            login,
            Means.EID,
            self.clock.now,
            PORTAL,
            cookie,
            self.clock.now,
            36_000,
            bound=Bound(card.thumbprint, known.at),
        )
        return cookie

    async def session(self, cookie: bytes) -> Session:
        """As another process has it."""
        assert await self.elsewhere.catch_up()
        entry = self.elsewhere.index.session(cookie, PORTAL)
        assert entry is not None
        return entry.session

    def lines(self) -> list[dict[str, object]]:
        files = sorted((self.directory / "ledger").rglob("*.jsonl"))
        lines = [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]
        return [line for line in lines if line["kind"] == "administration"]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock = Clock(float(int(time.time())))
    authority = CardAuthority(clock.now)
    authority.port = free_port()
    make_keys(tmp_path / "auditor.pub", tmp_path / "pseudonym.key", tmp_path / "private")
    settings = RecordsSettings(tmp_path / "records.sqlite", tmp_path / "records.key")
    (tmp_path / "records.key").write_bytes(bytes(range(32)))
    upgrade_schema(settings)
    async with AsyncExitStack() as stack:
        ledger = Ledger.open(
            LedgerSettings(tmp_path / "ledger", tmp_path / "auditor.pub", tmp_path / "pseudonym.key"),
            0,
            asyncio.get_running_loop(),
        )
        stack.push_async_callback(ledger.close)
        both = []
        for _ in range(2):
            both.append(await Records.open(settings, clock))
            stack.push_async_callback(both[-1].close)
        person = await both[0].add_person(INSZ, "An Jansen", BY_ACT, clock.now - 86_400)
        await both[0].add_user_id(USER, person, NORTH, "nl", BY_ACT, clock.now - 86_400)
        made = Office(tmp_path, clock, authority, both, ledger)
        stack.push_async_callback(made.client.close)
        stack.push_async_callback(made.cards.close)
        yield made


async def test_a_card_that_is_revoked_during_its_session_ends_it_everywhere(office: Office) -> None:
    url = office.authority.responder_url
    card, other = office.authority.issue([url]), office.authority.issue([url])
    async with office.authority.responding(office.directory):
        cookies = [await office.sign_in(card), await office.sign_in(card), await office.sign_in(other)]
    async with office.authority.responding(office.directory, [card]):
        office.clock.now += EVERY - 1
        await office.cards.check_due()
        assert (await office.session(cookies[0])).ended_at is None
        office.clock.now += 1
        began = time.monotonic()
        await office.cards.check_due()
        sessions = [await office.session(cookie) for cookie in cookies]
        assert time.monotonic() - began < 2
    assert [session.ended_reason for session in sessions] == ["certificate_revoked", "certificate_revoked", None]
    assert sessions[2].certificate_good_at == office.clock.now
    lines = office.lines()
    assert [(line["act"], line["actor"], line["reason"]) for line in lines] == [
        ("session end", "gateway", "certificate_revoked")
    ] * 2
    assert {line["objects"]["sessions"] for line in lines} == {session.id for session in sessions[:2]}  # type: ignore[index]
    written = b"".join(path.read_bytes() for path in (office.directory / "ledger").rglob("*.jsonl"))
    assert card.insz.encode() not in written
    assert card.thumbprint.encode() not in written


async def test_what_is_known_is_brought_forward_in_time_and_asked_no_more_often(office: Office) -> None:
    card = office.authority.issue([office.authority.responder_url])
    began = office.clock.now
    async with office.authority.responding(office.directory):
        cookie = await office.sign_in(card)
        for after, good_at, asked in ((EVERY - 5, 0, 1), (EVERY, EVERY, 2), (2 * EVERY - 5, EVERY, 2)):
            office.clock.now = began + after
            await office.cards.check_due()
            assert (await office.session(cookie)).certificate_good_at == began + good_at
            assert sum(office.client.counts.values()) == asked


async def test_while_the_responder_is_away_the_session_stays_and_its_answer_grows_old(office: Office) -> None:
    """What then opens to it is for the decision: nothing that bears no older answer (hard), the rest with a line (soft)."""
    card = office.authority.issue([office.authority.responder_url])
    began = office.clock.now
    async with office.authority.responding(office.directory):
        cookie = await office.sign_in(card)
    for after in (EVERY, EVERY + RETRY_SECONDS - 1, EVERY + RETRY_SECONDS):
        office.clock.now = began + after
        await office.cards.check_due()
        session = await office.session(cookie)
        assert (session.ended_at, session.certificate_good_at) == (None, began)
    assert office.client.counts[office.authority.responder_url, "unreachable"] == 2
    async with office.authority.responding(office.directory):
        office.clock.now += RETRY_SECONDS
        await office.cards.check_due()
    assert (await office.session(cookie)).certificate_good_at == office.clock.now


async def test_a_card_that_expires_or_is_trusted_no_longer_ends_its_session(office: Office) -> None:
    url = office.authority.responder_url
    card, short = office.authority.issue([url]), office.authority.issue([url], days=EVERY / 86_400)
    async with office.authority.responding(office.directory):
        cookies = [await office.sign_in(card), await office.sign_in(short)]
        office.clock.now += EVERY + 1
        await office.cards.check_due()
        assert (await office.session(cookies[1])).ended_reason == "certificate_expired"
        stranger: Profile = CardAuthority(office.authority.now.timestamp()).profile()
        office.cards.rules = CardRules(stranger, EVERY)
        office.clock.now += EVERY
        await office.cards.check_due()
    assert (await office.session(cookies[0])).ended_reason == "certificate_untrusted"


async def test_without_an_eid_listener_nobody_is_asked(office: Office) -> None:
    card = office.authority.issue([office.authority.responder_url])
    cookie = await office.sign_in(card)
    asked = sum(office.client.counts.values())
    office.cards.rules = CardRules(None, EVERY)
    office.clock.now += EVERY
    await office.cards.check_due()
    assert sum(office.client.counts.values()) == asked
    assert (await office.session(cookie)).ended_at is None
