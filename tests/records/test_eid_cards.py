"""Cards that sessions hang on: kept while they can count, and what is known of them only goes forward."""

from __future__ import annotations

from dataclasses import replace

from gateway.model import Means
from gateway.records import Records
from gateway.records.eid_cards import KEPT_SECONDS
from gateway.records.values import Bound
from tests.records.conftest import NOW, PORTAL, Clock, Opener, add_user

CARD, OTHER = "aa" * 32, "bb" * 32
LEAF, ISSUER = b"leaf", b"issuer"
USER = "jansen01"


async def begin(records: Records, number: int, certificate: str | None, good_at: float | None) -> str:
    login = await records.find_login(USER)
    assert login is not None
    session = await records.create_session(
        login, Means.EID, NOW, PORTAL, bytes([number]) * 32, NOW, 3600, bound=Bound(certificate, good_at)
    )
    return session.id


async def test_a_card_is_due_while_a_session_lives_that_hangs_on_it(records: Records, clock: Clock) -> None:
    await add_user(records)
    await records.keep_eid_card(CARD, LEAF, ISSUER, NOW)
    await records.keep_eid_card(OTHER, LEAF, ISSUER, NOW)
    assert await records.eid_cards_due(NOW, NOW) == []
    first = await begin(records, 1, CARD, NOW)
    second = await begin(records, 2, CARD, NOW)
    await begin(records, 3, None, None)
    (card,) = await records.eid_cards_due(NOW, NOW)
    assert (card.thumbprint, card.leaf, card.issuer, card.good_at) == (CARD, LEAF, ISSUER, NOW)
    assert sorted(await records.sessions_with_eid_card(CARD, NOW)) == sorted([first, second])
    assert await records.eid_cards_due(NOW, NOW - 1) == []
    await records.keep_eid_card(CARD, LEAF, ISSUER, NOW + 60)
    assert await records.eid_cards_due(NOW + 60, NOW) == []
    assert await records.eid_cards_due(NOW + 60, NOW + 60) == [replace(card, good_at=NOW + 60)]
    await records.end_session(first, "signed out", "gateway")
    assert await records.sessions_with_eid_card(CARD, NOW) == [second]
    clock.now = NOW + 3600
    assert await records.sessions_with_eid_card(CARD, clock.now) == []
    assert await records.eid_cards_due(clock.now, clock.now) == []


async def test_what_is_known_goes_forward_and_never_back(records: Records) -> None:
    await add_user(records)
    assert await records.eid_card_good_at(CARD) is None
    await records.keep_eid_card(CARD, LEAF, ISSUER, None)
    assert await records.eid_card_good_at(CARD) is None
    session = await begin(records, 1, CARD, NOW)
    ended = await begin(records, 2, CARD, NOW)
    other = await begin(records, 3, OTHER, NOW)
    await records.end_session(ended, "signed out", "gateway")
    for good_at, known in ((NOW + 60, NOW + 60), (NOW + 30, NOW + 60), (None, NOW + 60), (NOW + 90, NOW + 90)):
        await records.keep_eid_card(CARD, LEAF, ISSUER, good_at)
        assert await records.eid_card_good_at(CARD) == known
        kept = {found.id: found.certificate_good_at for found in await records.sessions_of(USER)}
        assert kept == {session: known, ended: NOW, other: NOW}


async def test_every_process_learns_it(open_records: Opener) -> None:
    one, two = await open_records(), await open_records()
    await add_user(one)
    await begin(one, 1, CARD, NOW)
    await one.keep_eid_card(CARD, LEAF, ISSUER, NOW + 60)
    assert await two.catch_up()
    for records in (one, two):
        entry = records.index.session(bytes([1]) * 32, PORTAL)
        assert entry is not None
        assert entry.session.certificate_good_at == NOW + 60


async def test_a_card_is_forgotten_when_nothing_can_hang_on_it(records: Records, clock: Clock) -> None:
    await records.keep_eid_card(CARD, LEAF, ISSUER, NOW)
    clock.now = NOW + KEPT_SECONDS
    await records.keep_eid_card(OTHER, LEAF, ISSUER, clock.now)
    await records._tidy(clock.now)
    assert await records.eid_card_good_at(CARD) == NOW
    await records._tidy(clock.now + 1)
    assert await records.eid_card_good_at(CARD) is None
    assert await records.eid_card_good_at(OTHER) == clock.now
