"""A test that takes too long fails and says where it waits, whatever it waits for.

pytest-timeout raises from a signal's handler. On uvloop that reaches nobody: the loop hands what a handler raises to its own handler of
errors and the test waits on, for ever (pytest-timeout's issue 113). So a test that waits on the loop is cancelled instead, from within.
What not even a signal reaches is ended by `faulthandler_timeout` (pyproject.toml), with its worker.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType
from typing import Any

import pytest

AGAIN_SECONDS = 10.0
"""For what takes its test down and waits as well, and for what took no notice of being cancelled."""


def watch(seconds: float) -> None:
    """Fail what runs in this thread after `seconds`, and whatever is still running every ten seconds from then on."""

    def end(_signal: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        reason = f"overdue: more than {seconds:g} seconds"
        awaited = _awaited(frame)
        if awaited is None:
            pytest.fail(reason)
        for task in asyncio.all_tasks():
            task.print_stack(file=sys.stderr)
        awaited.cancel(reason)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)


def leave() -> None:
    """The test is over."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _awaited(frame: FrameType | None) -> asyncio.Task[Any] | None:
    """What the innermost `Runner.run` waits for: the test or a fixture of it. Other tasks of its loop may be those of a browser, which the
    next test needs."""
    while frame is not None:
        if frame.f_code is asyncio.Runner.run.__code__:
            task: asyncio.Task[Any] = frame.f_locals["task"]
            return task
        frame = frame.f_back
    return None
