"""Work that goes on for as long as the gateway does, beside the requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger("gateway")


def keep_going(work: Coroutine[Any, Any, None], when_it_ended: str) -> asyncio.Task[None]:
    """Begins work that never ends by itself. Where a mistake of ours ends it all the same, `when_it_ended` is told, at once and critical:
    what no longer happens from then on, and what to do."""
    task = asyncio.get_running_loop().create_task(work)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.critical(when_it_ended, exc_info=task.exception())

    task.add_done_callback(ended)
    return task


async def stop(task: asyncio.Task[None] | None) -> None:
    """Ends such work, and waits until it has ended. What it failed with was told when it did."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
