"""Whether a card was revoked: a real responder, one that is away, one that lies, and a list."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.credentials.revocation import Status
from gateway.outbound import revocation
from gateway.outbound.revocation import REST_SECONDS, CardStatus
from tests.outbound.authority import CardAuthority
from tests.outbound.conftest import Clock, Kept, Office, Opener
from tests.outbound.elsewhere import elsewhere, never, says


async def asked(office: Office, place: str) -> int:
    return sum(count for (where, _), count in office.client.counts.items() if where == place)


# --- a responder ----------------------------------------------------------------------------------------------------------


async def test_a_real_responder_says_who_is_good_and_who_is_revoked(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock, kept: Kept
) -> None:
    url = authority.responder_url
    good, revoked = authority.issue([f"{url}/2"]), authority.issue([f"{url}/2"])
    service = office(url).revocation
    async with authority.responding(tmp_path, [revoked]):
        assert await service.status(good, clock.now) == CardStatus(Status.GOOD, clock.now, "ocsp")
        assert await service.status(revoked, clock.now) == CardStatus(Status.REVOKED, None, "ocsp")
    assert kept.good_at == {good.thumbprint: clock.now}
    assert kept.cards == {good.thumbprint: (good.leaf, good.issuer_certificate)}
    assert service.counts == {("ocsp", "good"): 1, ("ocsp", "revoked"): 1}


async def test_an_answer_counts_for_its_time_and_then_is_asked_for_anew(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    url = authority.responder_url
    card = authority.issue([url])
    worker = office(url, ocsp_kept=60.0)
    async with authority.responding(tmp_path):
        for after, questions in ((0, 1), (59, 1), (60, 2), (61, 2)):
            known = await worker.revocation.status(card, clock.now + after)
            assert known == CardStatus(Status.GOOD, clock.now + min(after // 60 * 60, 60), "ocsp")
            assert await asked(worker, url) == questions


async def test_a_card_that_its_responder_does_not_know_is_not_good(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    async with elsewhere(says(b"")) as lists:
        where = f"{lists.address}/1.crl"
        card, listed = (authority.issue([authority.responder_url], [where]) for _ in range(2))
        authority.cards.clear()
        lists.answer = says(authority.list_of(listed))
        worker = office(authority.responder_url, lists.address)
        async with authority.responding(tmp_path):
            assert (await worker.revocation.status(card, clock.now)).state is Status.UNKNOWN
            await worker.lists.fetch_due()
            assert await worker.revocation.status(card, clock.now) == CardStatus(Status.UNKNOWN, None, "ocsp")
            assert await worker.revocation.status(listed, clock.now) == CardStatus(Status.REVOKED, None, "list")


async def test_who_may_not_speak_for_the_authority_says_nothing(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock, kept: Kept
) -> None:
    card = authority.issue([authority.responder_url])
    service = office(authority.responder_url).revocation
    stranger = authority.issue_responder(ec.generate_private_key(ec.SECP256R1()))
    async with authority.responding(tmp_path, responder=stranger):
        assert await service.status(card, clock.now) == CardStatus(Status.UNKNOWN, None, "none")
    assert service.counts["ocsp", "ocsp_not_authorised"] == 1
    assert kept.good_at == {}


async def test_an_old_answer_is_none(authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock) -> None:
    card = authority.issue([authority.responder_url])
    service = office(authority.responder_url).revocation
    async with authority.responding(tmp_path):
        assert (await service.status(card, clock.now + 3600 + 130)).state is Status.UNKNOWN
        assert (await service.status(card, clock.now - 130)).state is Status.UNKNOWN
        assert (await service.status(card, clock.now)).state is Status.GOOD
    assert service.counts["ocsp", "ocsp_too_old"] == service.counts["ocsp", "ocsp_too_new"] == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(b"", status="500 Internal Server Error"), "status_500"),
        (says(b"<html>", "Content-Type: text/html"), "ocsp_unreadable"),
        (says(b"0" * 70_000), "too_large"),
        (says(bytes.fromhex("30030a0103")), "ocsp_failed"),
    ],
    ids=["status", "page", "large", "tryLater"],
)
async def test_what_is_no_answer(
    authority: CardAuthority, office: Opener, clock: Clock, answer: object, why: str
) -> None:
    async with elsewhere(answer) as place:  # type: ignore[arg-type]
        service = office(place.address).revocation
        card = authority.issue([f"{place.address}/2"])
        assert await service.status(card, clock.now) == CardStatus(Status.UNKNOWN, None, "none")
    assert service.counts["ocsp", why] == 1
    head = place.asked[0].split(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /2 HTTP/1.1\r\n")
    assert b"Content-Type: application/ocsp-request" in head


async def test_a_card_sends_the_gateway_nowhere_else(authority: CardAuthority, office: Opener, clock: Clock) -> None:
    async with elsewhere(says(b"")) as inner, elsewhere(says(b"")) as allowed:
        allowed.answer = says(b"", f"Location: {inner.address}/", status="302 Found")
        worker = office(allowed.address)
        cards = [
            authority.issue([f"{inner.address}/2"], [f"{inner.address}/1.crl"]),
            authority.issue([f"http://127.0.0.1:{allowed.port}@127.0.0.1:{inner.port}/"]),
            authority.issue(["file:///etc/passwd", "ldap://127.0.0.1/", f"{inner.address}/2"]),
            authority.issue([f"{allowed.address}/2"], [f"{allowed.address}/1.crl"]),
        ]
        for card in cards:
            assert (await worker.revocation.status(card, clock.now)).state is Status.UNKNOWN
        await worker.lists.fetch_due()
        assert inner.most_at_once == 0
        assert len(allowed.asked) == 2


async def test_of_several_responders_the_first_that_is_allowed_is_asked(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    card = authority.issue(["http://elsewhere.example/", authority.responder_url])
    async with authority.responding(tmp_path):
        assert (await office(authority.responder_url).revocation.status(card, clock.now)).state is Status.GOOD


# --- a responder that is away ---------------------------------------------------------------------------------------------


async def test_many_who_ask_about_one_card_share_a_question_and_wait_no_longer_than_it(
    authority: CardAuthority, office: Opener, clock: Clock
) -> None:
    async with elsewhere(never) as place:
        card = authority.issue([place.address])
        service = office(place.address, ocsp=0.5).revocation
        began = time.monotonic()
        known = await asyncio.gather(*(service.status(card, clock.now) for _ in range(500)))
        assert time.monotonic() - began < 3
        assert set(known) == {CardStatus(Status.UNKNOWN, None, "none")}
        assert place.most_at_once == 1
        assert service.counts["ocsp", "timeout"] == 1


async def test_a_responder_that_is_away_is_left_alone_for_a_while(
    authority: CardAuthority, office: Opener, clock: Clock
) -> None:
    async with elsewhere(never) as place:
        cards = [authority.issue([place.address]) for _ in range(4)]
        worker = office(place.address, ocsp=0.3)
        await worker.revocation.status(cards[0], clock.now)
        rested = clock.now + 0.3 + REST_SECONDS  # from when it was given up, however long that took
        began = time.monotonic()
        for card in cards:
            assert (await worker.revocation.status(card, rested - 0.1)).state is Status.UNKNOWN
        assert time.monotonic() - began < 0.25
        assert await asked(worker, place.address) == 1
        await worker.revocation.status(cards[1], rested)
        assert await asked(worker, place.address) == 2


async def test_an_outage_holds_up_neither_the_loop_nor_many_cards(
    authority: CardAuthority, office: Opener, clock: Clock
) -> None:
    """A responder that takes connections and says nothing: nobody waits for longer than one question, and then nobody at all."""
    async with elsewhere(never) as silent:
        worker = office(silent.address, ocsp=0.5)
        cards = [authority.issue([silent.address]) for _ in range(100)]
        turns = 0
        work = asyncio.gather(*(worker.revocation.status(card, clock.now) for card in cards))
        while not work.done():
            await asyncio.sleep(0.005)
            turns += 1
        assert {known.state for known in await work} == {Status.UNKNOWN}
        assert turns > 10  # of a hundred in the half second: the loop went on meanwhile
        assert await asked(worker, silent.address) == 100
        await asyncio.gather(*(worker.revocation.status(card, clock.now) for card in cards))
        assert await asked(worker, silent.address) == 100


async def test_an_earlier_answer_is_told_as_what_it_is(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    card = authority.issue([authority.responder_url])
    async with authority.responding(tmp_path):
        first = await office(authority.responder_url).revocation.status(card, clock.now)
    assert not first.stale
    later = clock.now + 3600
    # Another worker, or this one after a restart: what was known is kept where all find it.
    known = await office(authority.responder_url).revocation.status(card, later)
    assert known == CardStatus(Status.UNKNOWN, clock.now, "none")
    assert known.stale


async def test_who_leaves_takes_nothing_away_from_the_others(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    card = authority.issue([authority.responder_url])
    service = office(authority.responder_url).revocation
    async with authority.responding(tmp_path):
        leaving = asyncio.create_task(service.status(card, clock.now))
        staying = asyncio.create_task(service.status(card, clock.now))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).state is Status.GOOD
    assert leaving.cancelled()


async def test_what_is_kept_of_answers_is_bounded(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "MOST_KEPT", 2)
    cards = [authority.issue([authority.responder_url]) for _ in range(3)]
    worker = office(authority.responder_url)
    async with authority.responding(tmp_path):
        for card in (*cards, cards[2], cards[1], cards[0]):
            await worker.revocation.status(card, clock.now)
    assert await asked(worker, authority.responder_url) == 4


# --- the list -------------------------------------------------------------------------------------------------------------


async def test_the_list_counts_while_the_responder_is_away(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    async with elsewhere(says(b"")) as lists:
        where = f"{lists.address}/1.crl"
        good, revoked = (authority.issue([authority.responder_url], [where]) for _ in range(2))
        lists.answer = says(authority.list_of(revoked, holds=3600))
        worker = office(authority.responder_url, lists.address)
        async with authority.responding(tmp_path):
            assert (await worker.revocation.status(good, clock.now)).source == "ocsp"
        await worker.lists.fetch_due()
        assert len(lists.asked) == 1
    # Both are away now.
    service = office(authority.responder_url, lists.address).revocation
    for after, state in ((3600, Status.GOOD), (3600 + 120, Status.GOOD), (3600 + 121, Status.UNKNOWN)):
        now = clock.now + after
        assert (await service.status(good, now)).state is state
        # Who stands on a list is revoked, however old it is.
        assert await service.status(revoked, now) == CardStatus(Status.REVOKED, None, "list")
    last = await service.status(good, clock.now + 9999)
    assert last == CardStatus(Status.UNKNOWN, clock.now + 3720, "none")


async def test_a_responder_that_says_good_is_newer_than_a_list(
    authority: CardAuthority, office: Opener, tmp_path: Path, clock: Clock
) -> None:
    """A card that was suspended and is active again stands on the list until the next one."""
    async with elsewhere(says(b"")) as lists:
        card = authority.issue([authority.responder_url], [f"{lists.address}/1.crl"])
        lists.answer = says(authority.list_of(card))
        worker = office(authority.responder_url, lists.address)
        assert (await worker.revocation.status(card, clock.now)).state is Status.UNKNOWN
        await worker.lists.fetch_due()
        assert (await worker.revocation.status(card, clock.now)).state is Status.REVOKED
        async with authority.responding(tmp_path):
            assert (await worker.revocation.status(card, clock.now + REST_SECONDS)).state is Status.GOOD
