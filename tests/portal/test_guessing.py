"""Guesses of passwords, ninety for each user ID, by somebody patient enough to wait out every wait. Through the real form.

The guesses cost what they cost but for the hash: these people's passwords are stored with the least parameters, which is what a hash
itself says of its making, so that a check takes no tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from gateway.credentials.lockout import DISABLED_AFTER, WAIT_SECONDS, lock_state
from gateway.identifiers import check_insz
from gateway.model import Means
from gateway.records import Login
from tests.cheap import CHEAP
from tests.portal.conftest import (
    DAY,
    HOUR,
    KBO,
    NOW,
    OFFICIAL,
    PASSWORD,
    PORTAL,
    SESSION,
    Answer,
    Browser,
    World,
    token_hash,
)

FEW, ALL = 4, 100
"""User IDs: in `make soak` all of them, with nine thousand guesses, which takes some minutes; some of them every day."""
GUESSES = 90
AT_ONCE = 20
RIGHT = "drie stille fietsen zingen"
PAGE_SIZE_KIB = 4
BEARABLE_SECONDS = 5.0
"""By which a sign-in may be slower in the middle of it, on a busy machine."""
BEARABLE_KIB = 65_536
"""Less than what one hash of a password takes for a moment."""


@dataclass
class Attack:
    """A world with a hundred people, and a guesser's browser with one form that is sent again and again."""

    world: World
    browser: Browser
    csrf: str
    names: list[str]

    async def attempt(self, user_id: str, password: str) -> Answer:
        form = {"user_id": user_id, "password": password, "code": "", "csrf": self.csrf, "start": ""}
        return await self.browser.post(f"https://{PORTAL}/sign-in", form)

    async def all_try(self, user_ids: list[str], password: str) -> list[Answer]:
        """Each user ID once, some at a time, at one moment."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(user_id: str) -> Answer:
            async with room:
                return await self.attempt(user_id, password)

        answers = await asyncio.gather(*map(one, user_ids))
        # What the test's own client and proxy remember is no memory of the gateway's.
        self.world.client._responses.clear()
        self.world.handed.clear()
        return answers

    async def login(self, user_id: str) -> Login:
        found = await self.world.records.find_login(user_id)
        assert found is not None
        return found


def insz_of(number: int) -> str:
    """A valid number for each; of children born in 1901, so that it is nobody's at work."""
    nine = f"0101{number // 900 + 1:02}{number % 900 + 1:03}"
    return check_insz(nine + f"{97 - int(nine) % 97:02}")


async def attacked(world: World, users: int) -> Attack:
    stored, names = CHEAP.hash(RIGHT), [f"user.{number:03}" for number in range(users)]
    for number, name in enumerate(names):
        person = await world.records.add_person(insz_of(number), f"Person {number}", OFFICIAL, NOW - DAY)
        await world.records.add_user_id(name, person, KBO, "en", OFFICIAL, NOW - DAY)
        await world.records.set_password(name, stored, OFFICIAL, NOW - DAY, alone=True)
    browser = world.browser()
    return Attack(world, browser, (await browser.open_form()).csrf, names)


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_SIZE_KIB


async def seconds_to_sign_in(world: World) -> float:
    """How long somebody waits who knows their password, hash and all."""
    browser = world.browser()
    began = time.monotonic()
    answer = await browser.sign_in("dupont01", PASSWORD)
    assert answer.status == 303
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("users", [FEW, pytest.param(ALL, marks=pytest.mark.soak)])
async def test_nobody_gets_in_by_guessing_and_nobody_is_kept_out(world: World, users: int) -> None:
    attack = await attacked(world, users)
    clock, names = world.clock, attack.names
    await seconds_to_sign_in(world)
    memory, undisturbed = resident_kib(), await seconds_to_sign_in(world)
    disturbed: list[float] = []

    # Ninety guesses each, every one as soon as it is checked at all.
    for guess in range(GUESSES):
        if guess % 15 == 0:
            during = asyncio.create_task(attack.all_try(names, f"guess number {guess}"))
            disturbed.append(await seconds_to_sign_in(world))
            answers = await during
        else:
            answers = await attack.all_try(names, f"guess number {guess}")
        assert {answer.status for answer in answers} == {403}
        assert not any(SESSION in cookie for answer in answers for cookie in answer.cookies)
        state = await world.records.lockout(await attack.login(names[-1]))
        assert state == lock_state(guess + 1, clock.now)
        clock.now = max(clock.now, state.wait_until)
    assert clock.now - NOW >= (GUESSES - len(WAIT_SECONDS)) * WAIT_SECONDS[-1]

    # Sign-in stays quick and memory small: one counter for each person, and nothing else is kept.
    assert max(disturbed) < undisturbed + BEARABLE_SECONDS
    assert resident_kib() - memory < BEARABLE_KIB
    assert counters(world) == users

    # A moment before the wait is over the right password is not even looked at; when it is over, it is taken.
    clock.now -= 1
    assert {answer.status for answer in await attack.all_try(names, RIGHT)} == {403}
    locked, *others = names

    # An eID knows of no lock-out, and what others guess does not reach it.
    before = await world.records.lockout(await attack.login(locked))
    assert before.waits(clock.now)
    await with_eid(world, locked)
    assert await world.records.lockout(await attack.login(locked)) == before

    clock.now += 1
    assert {(await world.browser().sign_in(name, RIGHT)).status for name in others} == {303}
    assert all([(await world.records.lockout(await attack.login(name))).failures == 0 for name in others])

    # The hundredth counted failure disables that password, and that one alone: then the right one is refused, whenever it comes.
    for guess in range(GUESSES, DISABLED_AFTER):
        assert not (await attack.login(locked)).password_disabled
        assert (await attack.attempt(locked, f"guess number {guess}")).status == 403
        clock.now += WAIT_SECONDS[-1]
    clock.now += DAY
    refused = await attack.attempt(locked, RIGHT)
    assert refused.status == 403
    assert "closed until you have a new password" in refused.text
    assert (await attack.login(locked)).password_disabled
    await with_eid(world, locked)
    assert (await world.browser().sign_in(others[0], RIGHT)).status == 303

    # The lines tell it all: whose user ID, what was wrong, and what was not even checked.
    lines = world.lines("sign-in")
    by_user = Counter((line["user"]["user_id"], line["reason"]) for line in lines)  # type: ignore[index]
    tags = {name: tag_of(world, name, insz_of(number)) for number, name in enumerate(names)}
    assert by_user.pop((tags[locked], "password_wrong")) == DISABLED_AFTER
    assert by_user.pop((tags[locked], "locked_out")) == 1
    assert by_user.pop((tags[locked], "disabled")) == 1
    for name in others:
        assert by_user.pop((tags[name], "password_wrong")) == GUESSES
        assert by_user.pop((tags[name], "locked_out")) == 1
        assert by_user.pop((tags[name], "signed_in")) == (2 if name == others[0] else 1)
    assert list(by_user) == [(tag_of(world, "dupont01", "17073003384"), "signed_in")]


async def with_eid(world: World, user_id: str) -> None:
    """What follows a card that was verified: the session. No counter is asked."""
    login = await world.records.find_login(user_id)
    assert login is not None
    assert login.allowed(world.clock.now)
    cookie = token_hash(f"eID of {user_id} {world.clock.now}")
    session = await world.records.create_session(
        login, Means.EID, world.clock.now, PORTAL, cookie, world.clock.now, 10 * HOUR
    )
    assert session.ended_at is None


def counters(world: World) -> int:
    database = sqlite3.connect(world.directory / "records.sqlite")
    with contextlib.closing(database):
        return int(database.execute("SELECT count(*) FROM failures WHERE failed > 0").fetchone()[0])


def tag_of(world: World, user_id: str, insz: str) -> str:
    """How the ledger names a user ID."""
    return str(orjson.loads(orjson.dumps(world.ledger.sealer.person(user_id, insz).fragment))["user_id"])
