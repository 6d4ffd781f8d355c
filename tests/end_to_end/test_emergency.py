"""The emergency switch of a gateway of two workers: when it is lost, everything is suspended until somebody starts the gateway anew."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable

from gateway.policy.settings import load_settings
from tests.end_to_end.house import House
from tests.end_to_end.test_workers import from_all, workers_of
from tests.proxy.stage import until

WHY = ("--reason", "origin compromised")


async def reasons(here: House) -> set[str]:
    """What each worker says to somebody whom it does not know."""
    answers = await from_all(here, here.url("dossier"), "")
    return {str(here.lines.one(answer.fields["x-request-id"])["reason"]) for answer in answers.values()}


async def test_neither_a_new_worker_nor_a_slip_of_the_keyboard_ends_it(house: Callable[..., House]) -> None:
    here = house(settings={"ledger": {"flood_rate": 10_000}})
    directory = load_settings(here.config).switch_directory
    with here.serve(workers=2) as running:
        assert await reasons(here) == {"sign_in_required"}
        await asyncio.to_thread(here.run, "suspend", "--transaction", "pension", *WHY)
        shutil.rmtree(directory)
        await asyncio.sleep(1.0)
        assert await reasons(here) == {"suspended_by_ksz"}
        before = workers_of(running)
        os.kill(before[-1], signal.SIGKILL)
        await until(lambda: len(set(workers_of(running)) - set(before)) == 1, 30)
        done = await asyncio.to_thread(here.run, "suspend", "--transaction", "nonsense", *WHY)
        assert (done.returncode, "restart the gateway" in done.stderr) == (2, True), done.stderr
        await asyncio.sleep(1.0)
        assert await reasons(here) == {"suspended_by_ksz"}
        assert not directory.exists()
    with here.serve(workers=2):
        assert await reasons(here) == {"sign_in_required"}
    assert here.verified()
