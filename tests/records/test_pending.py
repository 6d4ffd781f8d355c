"""A sign-in that goes on elsewhere: once, in time, in the browser that began, and for what it began."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model import Means, Session
from gateway.records import Records, RecordsSettings, pending
from tests.records.conftest import NOW, Clock, Opener, sql

KEY, BROWSER = b"k" * 32, b"b" * 32
PAYLOAD = {"user_id": "jansen01", "start": "token", "position": 13}


async def test_what_was_kept_comes_back_once(records: Records) -> None:
    assert await records.new_pending(KEY, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    assert await records.peek_pending(KEY, "eid", BROWSER) == PAYLOAD
    assert await records.take_pending(KEY, "eid", BROWSER) == PAYLOAD
    assert await records.take_pending(KEY, "eid", BROWSER) is None
    assert await records.peek_pending(KEY, "eid", BROWSER) is None


@pytest.mark.parametrize(("kind", "browser"), [("oidc", BROWSER), ("eid", b"o" * 32)])
async def test_elsewhere_it_is_thrown_away(records: Records, kind: pending.PendingKind, browser: bytes) -> None:
    await records.new_pending(KEY, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    assert await records.peek_pending(KEY, kind, browser) is None
    assert await records.take_pending(KEY, kind, browser) is None
    assert await records.take_pending(KEY, "eid", BROWSER) is None


async def test_it_is_good_for_its_time(records: Records, clock: Clock) -> None:
    await records.new_pending(KEY, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    clock.now = NOW + 60
    assert await records.take_pending(KEY, "eid", BROWSER) is None


async def test_all_together_are_bounded(records: Records, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_BYTES", 3 * pending.ROW_BYTES)
    assert await records.new_pending(KEY, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    assert await records.new_pending(b"2" * 32, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    assert not await records.new_pending(b"3" * 32, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    clock.now = NOW + 60
    assert await records.new_pending(b"3" * 32, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")


async def test_a_network_fills_nobody_elses_room(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_OF_A_NETWORK", 1)
    assert await records.new_pending(KEY, "eid", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    assert not await records.new_pending(b"2" * 32, "oidc", BROWSER, PAYLOAD, 60, network="192.0.2.0/24")
    assert await records.new_pending(b"2" * 32, "oidc", BROWSER, PAYLOAD, 60, network="198.51.100.0/24")


async def test_nor_does_it_with_long_ones(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_BYTES_OF_A_NETWORK", 8 * pending.ROW_BYTES)
    long = PAYLOAD | {"start": "x" * 6 * pending.ROW_BYTES}
    assert await records.new_pending(KEY, "eid", BROWSER, long, 60, network="192.0.2.0/24")
    assert not await records.new_pending(b"2" * 32, "oidc", BROWSER, PAYLOAD | long, 60, network="192.0.2.0/24")
    assert await records.new_pending(b"2" * 32, "oidc", BROWSER, PAYLOAD | long, 60, network="198.51.100.0/24")


async def test_the_database_shows_nothing_of_it(records: Records, settings: RecordsSettings) -> None:
    await records.new_pending(KEY, "eid", BROWSER, {"verifier": "a-secret-word"}, 60, network="192.0.2.0/24")
    rows = sql(settings, "SELECT * FROM pending")
    assert len(rows) == 1
    assert b"a-secret-word" not in repr(rows).encode()


async def test_which_session_a_form_began_is_known_to_the_next_one_for_a_moment(
    open_records: Opener, clock: Clock
) -> None:
    one, other = await open_records(), await open_records()
    assert await one.begun(BROWSER, session("first", "an")) == ()
    assert await one.begun(b"x" * 32, session("elsewhere", "bart")) == ()
    assert await other.begun(BROWSER, session("second", "an")) == ()  # two clicks: nobody knows whose answer is shown
    assert await one.begun(BROWSER, session("third", "bart")) == ("second", "first")
    assert await one.begun(BROWSER, session("fourth", "an")) == ("third",)
    clock.now += pending.BEGUN_SECONDS
    assert await one.begun(BROWSER, session("fifth", "bart")) == ()


async def test_of_many_clicks_the_newest_are_known(open_records: Opener) -> None:
    one = await open_records()
    for number in range(20):
        assert await one.begun(BROWSER, session(str(number), "an")) == ()
    assert await one.begun(BROWSER, session("other", "bart")) == tuple(str(number) for number in range(19, 10, -1))


def session(session_id: str, user_id: str) -> Session:
    return Session(session_id, user_id, Means.PASSWORD, 0.0, 0.0, 1.0)


async def test_of_sessions_that_a_form_began_at_once_each_but_the_last_is_told(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    told = await asyncio.gather(
        *((one, other)[number % 2].begun(BROWSER, session(str(number), f"user{number}")) for number in range(6))
    )
    assert len({each for ended in told for each in ended}) == 5
