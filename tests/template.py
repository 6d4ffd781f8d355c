"""The demo's world with all its people, made once in a run of the tests, for all its processes; a test that starts a demo copies it whole.

Made anew it costs seconds of a core each time: keys, cards, a database and an act in the ledger for everything that was ever done.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
import shutil
import time
from pathlib import Path

from gateway.demo.federation import installed
from gateway.demo.files import Plan, Ports
from gateway.demo.people import populate
from gateway.demo.world import Home, build
from gateway.policy.release import load_release


def todays_plan(offset: int = 0, origin: str | None = None) -> Plan:
    """What a demo that is started now would make."""
    return Plan(Ports(offset), origin, dt.datetime.now(dt.UTC).year, installed())


def made_once(shared: Path) -> Path:
    """The template in a directory that several processes share: the first that comes makes it, the others wait."""
    template, begun = shared / "template", shared / "template-begun"
    with (shared / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            shutil.rmtree(begun, ignore_errors=True)
            asyncio.run(_make(begun))
            begun.rename(template)
    return template


async def _make(state: Path) -> None:
    """People are as they are with `--origin` and without."""
    home, now = Home(state), time.time()
    for origin in ("http://127.0.0.1:1/", None):
        settings = build(home, todays_plan(origin=origin), now)
        await populate(settings, load_release(settings, now).snapshot, now)
