"""Work beside the requests: that it ended is told at once, and never by a stop of ours."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from gateway.app.background import keep_going, stop

WORDS = "nothing is watched any more; restart the gateway"


async def test_a_mistake_that_ends_it_is_told_when_it_happens() -> None:
    async def works() -> None:
        await asyncio.sleep(0)
        raise KeyError("forgotten")

    with capture_logs() as told:
        task = keep_going(works(), WORDS)
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert [(line["log_level"], line["event"]) for line in told] == [("critical", WORDS)]
    assert isinstance(told[0]["exc_info"], KeyError)
    await stop(task)  # and is no reason for a stop to fail


async def test_a_stop_waits_until_it_has_ended_and_tells_nothing() -> None:
    ended = False

    async def works() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended = True

    with capture_logs() as told:
        task = keep_going(works(), WORDS)
        await asyncio.sleep(0)
        await stop(task)
    assert ended
    assert told == []
    await stop(None)
