"""kill -9 under load, again and again on one state directory: whatever the origin saw, its permit was on the disk before (clause T1)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable

import aiohttp
import pytest

from tests.end_to_end.client import FETCH, Person, person
from tests.end_to_end.house import House
from tests.end_to_end.origin import Origin

ROUNDS, SOAK_ROUNDS = 5, 100
CLIENTS = 8
FIRST_REQUESTS = 100
"""A round's load begins with these; then the kill comes at any moment."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_kill_9_under_load(house: Callable[..., House], origin: Origin, soak: bool) -> None:
    here = house(origin=origin.url, settings={"ledger": {"segment_bytes": 1024 * 1024}})
    chance = random.Random(20240604)
    torn = 0
    for number in range(SOAK_ROUNDS if soak else ROUNDS):
        with here.serve() as running:
            # Started again on what the kill before has left: it must be whole.
            assert here.verified(), f"round {number}"
            async with person(here.ca) as an:
                answer = await an.sign_in(here.url("app"), "an.peeters", here.person("an.peeters")["password"])
                assert answer.status == 200, await answer.text()
                before = len(origin.ids())
                load = [asyncio.create_task(ask_and_ask(an, here.url("app"))) for _ in range(CLIENTS)]
                while len(origin.ids()) < before + FIRST_REQUESTS:
                    await asyncio.sleep(0.01)
                    assert running.process.poll() is None, running.said()
                await asyncio.sleep(chance.uniform(0, 0.1))
                running.kill()
                answered = sum(await asyncio.gather(*load))
        lines, tails = read(here)
        permits = {line["id"] for line in lines if line["kind"] == "decision" and line["verdict"] == "permit"}
        seen = origin.ids()
        assert len(seen) - before >= answered > 0
        missing = [one for one in seen if one not in permits]
        assert not missing, f"round {number}: forwarded without a durable permit: {missing[:5]} of {len(missing)}"
        assert all(count <= 1 for count in tails.values()), tails
        torn += sum(tails.values())
    with here.serve():
        assert {"start", "decision", "completion", "sign-in"} <= {line["kind"] for line in read(here)[0]}
    verdict = await asyncio.to_thread(here.run, "log", "verify")
    assert verdict.returncode == 0, f"{verdict.stdout}{verdict.stderr}"


async def ask_and_ask(an: Person, url: str) -> int:
    """Permitted requests, one after the other, until the gateway is gone: how many were answered."""
    answered = 0
    try:
        while True:
            async with an.session.get(f"{url}x", headers=FETCH, allow_redirects=False) as answer:
                assert answer.status == 200
                await answer.read()
                answered += 1
    except aiohttp.ClientError:
        return answered


def read(here: House) -> tuple[list[dict[str, object]], dict[str, int]]:
    """Every whole line, and for each stream whether its newest segment ends in a torn tail (1) or with a line (0)."""
    lines: list[dict[str, object]] = []
    newest: dict[str, bytes] = {}
    for segment in sorted(here.home.ledger.rglob("*.jsonl")):
        data = segment.read_bytes()
        whole, _, rest = data.rpartition(b"\n")
        lines += [json.loads(line) for line in whole.split(b"\n") if line]
        newest[segment.name.rpartition("-")[0]] = rest
    return lines, {stream: int(bool(rest)) for stream, rest in newest.items()}
