"""Asking for a code: one try for each asking, in one browser, and no number again before all were tried."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator

import pytest

from gateway.credentials.code_card import CHOICE_BYTES, CODES, NUMBERS
from gateway.credentials.lockout import LockState
from gateway.errors import Conflict
from gateway.records import CardChallenge, Login, Records
from gateway.records.code_cards import CHALLENGE_SECONDS
from tests.records.conftest import BY_ACT, INSZ, NOW, Clock, Opener, add_user

BROWSER = b"browser"
_KEYS: Iterator[int] = itertools.count()


async def with_card(records: Records, user_id: str = "jansen01", insz: str = INSZ[0]) -> Login:
    await add_user(records, user_id, insz=insz)
    await records.set_code_card(user_id, b"stored", BY_ACT, NOW)
    return await login_of(records, user_id)


async def login_of(records: Records, user_id: str = "jansen01") -> Login:
    login = await records.find_login(user_id)
    assert login is not None
    return login


async def ask(records: Records, login: Login, browser: bytes = BROWSER) -> tuple[bytes, int]:
    """Asks; gives the challenge's key and the number."""
    key = b"key %d" % next(_KEYS)
    number = await records.new_card_challenge(
        login, key, browser, {"way": "back"}, os.urandom(CHOICE_BYTES), network="192.0.2.0/24"
    )
    assert number is not None
    return key, number


async def test_what_was_asked_is_known_again(records: Records) -> None:
    login = await with_card(records)
    key, number = await ask(records, login)
    expected = CardChallenge("jansen01", number, b"stored", {"way": "back"})
    assert number in NUMBERS
    assert await records.card_challenge(key, BROWSER) == expected
    assert await records.take_card_challenge(key, BROWSER) == expected
    assert await records.take_card_challenge(key, BROWSER) is None
    assert await records.card_challenge(key, BROWSER) is None
    assert "stored" not in repr(expected)


async def test_no_number_comes_again_before_all_were_tried(records: Records) -> None:
    login, tried = await with_card(records), []
    for _ in range(2 * CODES):
        key, number = await ask(records, login)
        assert await records.take_card_challenge(key, BROWSER) is not None
        tried.append(number)
    assert sorted(tried[:CODES]) == sorted(tried[CODES:]) == list(NUMBERS)


async def test_asking_again_asks_for_the_same_number(records: Records) -> None:
    """Else whoever knows one code would ask until its number comes."""
    login = await with_card(records)
    asked = {(await ask(records, login))[1] for _ in range(30)}
    assert len(asked) == 1


async def test_of_all_pages_that_ask_for_a_number_one_has_the_try(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    login = await with_card(one)
    keys = [(await ask(records, login))[0] for records in (one, other) * 4]
    tries = [records.take_card_challenge(key, BROWSER) for records, key in zip((one, other) * 4, keys, strict=True)]
    taken = await asyncio.gather(*tries)
    assert sum(challenge is not None for challenge in taken) == 1


async def test_a_number_that_was_tried_elsewhere_is_over(records: Records) -> None:
    login = await with_card(records)
    (early, number), (late, same) = await ask(records, login), await ask(records, login)
    assert number == same
    assert await records.take_card_challenge(late, BROWSER) is not None
    assert await records.card_challenge(early, BROWSER) is None
    assert await records.take_card_challenge(early, BROWSER) is None
    assert (await ask(records, login))[1] != number


async def test_another_browser_has_no_try_and_takes_it_from_nobody(records: Records) -> None:
    login = await with_card(records)
    key, number = await ask(records, login)
    assert await records.card_challenge(key, b"thief") is None
    assert await records.take_card_challenge(key, b"thief") is None
    assert await records.take_card_challenge(key, BROWSER) is None  # it was thrown away
    assert (await ask(records, login))[1] == number  # and the number was not used


async def test_a_challenge_lasts_five_minutes(records: Records, clock: Clock) -> None:
    login = await with_card(records)
    key, number = await ask(records, login)
    clock.now += CHALLENGE_SECONDS - 1
    assert await records.card_challenge(key, BROWSER) is not None
    clock.now += 1
    assert await records.take_card_challenge(key, BROWSER) is None
    assert (await ask(records, login))[1] == number


async def test_a_new_card_voids_the_old_one_and_what_was_asked_of_it(records: Records) -> None:
    old = await with_card(records)
    key, _ = await ask(records, old)
    await records.set_code_card("jansen01", b"new", BY_ACT, NOW + 1)
    assert await records.card_challenge(key, BROWSER) is None
    assert await records.take_card_challenge(key, BROWSER) is None
    with pytest.raises(Conflict, match="replaced or ended"):
        await ask(records, old)
    key, _ = await ask(records, await login_of(records))
    challenge = await records.take_card_challenge(key, BROWSER)
    assert challenge is not None
    assert challenge.stored == b"new"


async def test_who_has_no_card(records: Records) -> None:
    await add_user(records)
    with pytest.raises(Conflict, match="no code card"):
        await ask(records, await login_of(records))


async def test_no_room_for_more_sign_ins(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    login = await with_card(records)
    monkeypatch.setattr("gateway.records.pending.MOST_BYTES", 1)
    assert (
        await records.new_card_challenge(login, b"key", BROWSER, {}, bytes(CHOICE_BYTES), network="192.0.2.0/24")
        is None
    )


# --- counted with the password


async def test_an_attempt_that_goes_on_is_given_back_and_not_forgiven(records: Records) -> None:
    """Password right, code wrong, again and again: each wrong code counts, and the waits grow."""
    login, now, waits = await with_card(records), NOW, []
    for failures in range(6):
        met = await records.claim_attempt(login, now)  # the password
        assert (met.failures, met.waits(now)) == (failures, False)
        await records.give_back_attempt(login, met, now)
        assert (await records.lockout(login)).failures == failures
        met = await records.claim_attempt(login, now + 1)  # the code, wrong
        assert met.waits(now + 1) is False
        state = await records.lockout(login)
        waits.append(state.wait_until - now - 1 if state.wait_until else 0.0)
        now = max(now + 1, state.wait_until)
    assert waits == [0.0, 0.0, 5.0, 15.0, 30.0, 60.0]


async def test_what_is_given_back_leaves_the_wait_as_it_was(records: Records) -> None:
    login = await with_card(records)
    for _ in range(3):
        await records.claim_attempt(login, NOW)
    met = await records.claim_attempt(login, NOW + 5)
    await records.give_back_attempt(login, met, NOW + 5)
    assert await records.lockout(login) == met == LockState(3, NOW + 5, False)


async def test_others_that_came_between_keep_their_wait(records: Records) -> None:
    login = await with_card(records)
    met = await records.claim_attempt(login, NOW)
    for second in (1, 2, 3):
        await records.claim_attempt(login, NOW + second)
    assert (await records.lockout(login)).waits(NOW + 4)
    await records.give_back_attempt(login, met, NOW)
    assert await records.lockout(login) == LockState(2, 0.0, False)
    await records.record_success(login, NOW + 9)
    await records.give_back_attempt(login, met, NOW)  # there is nothing to give back any more
    assert (await records.lockout(login)).failures == 0
