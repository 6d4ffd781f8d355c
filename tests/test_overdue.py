"""What is overdue fails, also on uvloop, where an exception from a signal's handler reaches nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests import overdue


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    yield
    overdue.leave()


async def waits_on_the_loop() -> None:
    overdue.watch(0.05)
    await asyncio.sleep(10)


def waits_without_one() -> None:
    overdue.watch(0.05)
    time.sleep(10)


async def test_what_waits_on_the_loop_is_cancelled_and_says_where(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(asyncio.CancelledError, match=r"overdue: more than 0\.05 seconds"):
        await waits_on_the_loop()
    assert "await waits_on_the_loop()" in capfd.readouterr().err


def test_what_waits_without_a_loop_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"overdue: more than 0\.05 seconds"):
        waits_without_one()
