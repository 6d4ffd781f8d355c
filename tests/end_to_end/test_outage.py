"""The responder that knows which cards are revoked hangs, and then is gone, while many are at work: hard says no, soft goes on with a line
that says by which answer, and whoever does not hang on a new answer waits for nothing."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.end_to_end.cards import new_card, showing, take_the_card
from tests.end_to_end.client import Person, person
from tests.end_to_end.house import House, Running
from tests.end_to_end.origin import Origin
from tests.end_to_end.responder import Responder

AN = "an.peeters"
HARD, SOFT = "app", "guidance"
CHECK_SECONDS = 10.0
"""The least that the configuration takes."""
FRESH_SECONDS = 2 * CHECK_SECONDS
"""How old an answer may be where none older does (docs/configuration.md)."""
QUESTION_SECONDS = 8.0
"""How long one question may take: long enough for a round of the load on a slow machine."""
SLACK_SECONDS = 10.0
"""What a slow machine takes for itself around it. Who waited for the responder would wait for ever."""
SETTINGS: dict[str, dict[str, Any]] = {
    "revocation": {"check_every": CHECK_SECONDS, "ocsp": QUESTION_SECONDS, "ocsp_kept": 0},
    "ledger": {"flood_rate": 10_000},
}
CONNECTIONS = 30
"""Of each kind of client, of which there are four."""
PAUSE_SECONDS = 1.0
AT_THE_DOOR = 12
"""New cards at once: more than one place gets questions at once."""
QUESTIONS_AT_ONCE = 8
"""`outbound.per_host`, where nobody sets it."""
CANNOT_BE_CHECKED = (503, "Your card cannot be checked at the moment")


class Load:
    """Small requests all the time, one after the other on each of some connections of each kind. `answers` counts them by kind and
    status."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._done: dict[tuple[str, int], int] = {}

    async def asks(self, kind: str, number: int, somebody: Person, url: str) -> None:
        self._done[kind, number] = 0
        while True:
            async with await somebody.fetch(url + "x") as answer:
                await answer.read()
            self.answers[kind, answer.status] += 1
            self._done[kind, number] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def round(self) -> set[tuple[str, int]]:
        """Until each connection has had an answer to a request that it began after this moment; gives what was answered."""
        before, began = self.answers.copy(), self._done.copy()
        while any(done < began[one] + 2 for one, done in self._done.items()):  # noqa: ASYNC110 - others do the work
            await asyncio.sleep(0.02)
        return set(self.answers - before)


@asynccontextmanager
async def load(*kinds: tuple[str, Person, str]) -> AsyncIterator[Load]:
    """`kinds`: what to call them, whose browser, and where."""
    made = Load()
    tasks = [
        asyncio.create_task(made.asks(kind, number, somebody, url))
        for kind, somebody, url in kinds
        for number in range(CONNECTIONS)
    ]
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        broken = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, aiohttp.ClientError):
                await task
    assert not broken, broken


@dataclass
class AtWork:
    """A gateway with a responder that a test locks up, and people at work: one session with a card and one without, at two transactions."""

    here: House
    running: Running
    responder: Responder
    card: Path
    busy: Load
    streams: dict[str, aiohttp.ClientResponse]
    """What the session with the card has open, by transaction."""
    _there: AsyncExitStack

    async def somebody_answers(self) -> None:
        self.responder.hangs = False
        await self._there.enter_async_context(self.responder.there())

    async def nobody_is_there(self) -> None:
        await self._there.aclose()


@asynccontextmanager
async def at_work(here: House, origin: Origin) -> AsyncIterator[AtWork]:
    """One transaction is hard, as it is where its file says nothing; another is soft."""
    file = here.config / "transactions" / f"{SOFT}.toml"
    text, changes = re.subn(r'^url = ".*"$', f'url = "{origin.url}"', file.read_text(), flags=re.MULTILINE)
    assert changes == 1
    file.write_text(text + '\n[revocation]\nmode = "soft"\nwithin = "1h"\n')
    hard, soft = here.url(HARD), here.url(SOFT)
    card = new_card(here, AN, "own")
    responder = Responder(here.plan.ports.revocation)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(responder.office(here.home.cards, time.time))
        there = await stack.enter_async_context(AsyncExitStack())
        await there.enter_async_context(responder.there())
        running = stack.enter_context(here.serve())
        without = await stack.enter_async_context(person(here.ca))
        assert (await without.sign_in(hard, AN, here.person(AN)["password"])).status == 200
        assert (await without.get(soft)).status == 200
        with_card = await stack.enter_async_context(person(here.ca, tls=showing(here, card)))
        assert (await take_the_card(with_card, hard, AN)).status == 200
        assert (await with_card.get(soft)).status == 200
        assert responder.answered == 1
        streams = {name: await with_card.fetch(here.url(name) + "events") for name in (HARD, SOFT)}
        busy = await stack.enter_async_context(
            load(
                ("card, hard", with_card, hard),
                ("card, soft", with_card, soft),
                ("password, hard", without, hard),
                ("password, soft", without, soft),
            )
        )
        yield AtWork(here, running, responder, card, busy, streams, there)


ALL_GOES_ON = {("card, hard", 200), ("card, soft", 200), ("password, hard", 200), ("password, soft", 200)}
HARD_SAYS_NO = ALL_GOES_ON - {("card, hard", 200)} | {("card, hard", 503)}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - other processes do the work
            await asyncio.sleep(0.05)


async def arrives(here: House, card: Path) -> tuple[int, str, float]:
    """A sign-in with a card in a browser of its own, on the way to the hard transaction: status and title of the page, after how many
    seconds."""
    began = time.monotonic()
    async with person(here.ca, tls=showing(here, card)) as somebody:
        answer = await take_the_card(somebody, here.url(HARD), AN)
        text = await answer.text()
    title = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    return answer.status, html.unescape(title[1]).strip() if title else text, time.monotonic() - began


async def hard_says_no(people: AtWork) -> None:
    """The transaction that bears no older answer closes for whoever has a card, and what is open there ends; all else goes on."""
    await until(lambda: people.busy.answers["card, hard", 503] > 0)
    await people.busy.round()
    assert await people.busy.round() == HARD_SAYS_NO
    with pytest.raises(aiohttp.ClientError):
        await people.streams[HARD].read()
    assert await people.streams[SOFT].content.readline()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_outage_under_load(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url, settings=SETTINGS)
    cards = [new_card(here, AN, f"new-{number}") for number in range(AT_THE_DOOR)]
    async with at_work(here, origin) as people:
        responder, busy = people.responder, people.busy

        # It takes questions and does not answer: who comes with a new card waits, and nobody else does.
        responder.hangs = True
        at_the_door = [asyncio.create_task(arrives(here, card)) for card in cards]
        await until(lambda: responder.waiting == QUESTIONS_AT_ONCE)
        left = responder.left
        assert await busy.round() == ALL_GOES_ON
        async with person(here.ca) as another:
            assert (await another.sign_in(here.url(HARD), AN, here.person(AN)["password"])).status == 200
        assert (responder.waiting, responder.left, responder.answered) == (QUESTIONS_AT_ONCE, left, 1)
        assert not any(task.done() for task in at_the_door)
        pages = await asyncio.gather(*at_the_door)
        assert {page[:2] for page in pages} == {CANNOT_BE_CHECKED}
        assert max(seconds for *_, seconds in pages) < QUESTION_SECONDS + SLACK_SECONDS
        # It is left alone then: the next is told at once.
        asked = responder.asked
        assert (await arrives(here, cards[0]))[:2] == CANNOT_BE_CHECKED
        assert responder.asked == asked

        await hard_says_no(people)
        assert responder.answered == 1

        # Nobody is there any more, until somebody is again.
        await people.nobody_is_there()
        async with asyncio.timeout(60):
            while "unreachable" not in people.running.said():
                assert (await arrives(here, cards[0]))[:2] == CANNOT_BE_CHECKED
                await asyncio.sleep(0.5)
        assert await busy.round() == HARD_SAYS_NO
        await people.somebody_answers()
        async with asyncio.timeout(60):
            while (await arrives(here, people.card))[0] != 200:  # noqa: ASYNC110 - another process lets it rest
                await asyncio.sleep(0.5)
        # What was learnt at the door holds for each session that hangs on the same card.
        await busy.round()
        assert await busy.round() == ALL_GOES_ON
    the_ledger_tells_it(here)
    known = [line["certificate"] for line in here.lines.all() if line["kind"] == "sign-in" and line["means"] == "eid"]
    answers = Counter((one["revoked"], one["good_at"] is None) for one in known)
    assert answers.keys() == {("no", False), ("unknown", True), ("unknown", False)}
    assert answers["unknown", True] >= AT_THE_DOOR


@pytest.mark.soak  # the checks by themselves, with a clock that a test sets: tests/app/test_cards.py
@pytest.mark.timeout(300)
async def test_the_checks_in_the_background_hold_nobody_up(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url, settings=SETTINGS)
    async with at_work(here, origin) as people:
        responder, busy = people.responder, people.busy
        responder.hangs = True
        await until(lambda: responder.waiting == 1)
        answered = await busy.round()
        assert (responder.waiting, responder.left, responder.answered) == (1, 0, 1)
        assert answered - {("card, hard", 503)} >= ALL_GOES_ON - {("card, hard", 200)}
        await hard_says_no(people)
        responder.hangs = False
        await until(lambda: responder.answered == 2)
        await busy.round()
        assert await busy.round() == ALL_GOES_ON
    the_ledger_tells_it(here)


def the_ledger_tells_it(here: House) -> None:
    """By which answer each request with a card went: hard by a new one or not at all, soft by one that its line calls stale."""
    assert here.verified()
    lines = [
        line for line in here.lines.all() if line["kind"] == "decision" and line.get("transaction") in (HARD, SOFT)
    ]
    by_card = [line for line in lines if line["means"] == "eid"]
    assert all("certificate" in line for line in by_card)
    assert not any("certificate" in line for line in lines if line["means"] != "eid")
    counts = Counter((line["transaction"], line["reason"], is_old(line)) for line in by_card)
    assert counts.keys() == {
        (HARD, "permitted", False),
        (HARD, "revocation_unknown", True),
        (SOFT, "permitted", False),
        (SOFT, "permitted", True),
    }
    assert min(counts.values()) >= CONNECTIONS, counts
    assert all(line["certificate"].get("stale", False) == is_old(line) for line in by_card)


def is_old(line: dict[str, Any]) -> bool:
    """Whether the answer that this decision went by, if there ever was one, is older than hard bears."""
    good_at = line["certificate"]["good_at"]
    return good_at is None or line["now"] - good_at > FRESH_SECONDS
