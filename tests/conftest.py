"""What every test shares: the long rounds, how hypothesis searches, what is begun first, and the demo's world."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop
from coverage import Coverage
from hypothesis import HealthCheck, settings

from tests import overdue

if TYPE_CHECKING:
    from pytest_timeout import Settings

    from tests.postgresql import Cluster

HERE = Path(__file__).parent
PURE = tuple(HERE / room for room in ("credentials", "decision", "message"))
"""Every branch of these rooms is demanded of their own tests."""
LONG = ("browser", "end_to_end", "demo", "commands")
"""What takes longest, and waits for half of its time: for a browser, a gateway, a moment."""

# The same examples every time, so that a green suite stays green on a slow machine; `make soak` searches further, and at random.
settings.register_profile("test", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("soak", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the long rounds of the same tests")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("soak" if config.getoption("--soak") else "test")
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the loop that serves (`app.serving`)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _mix(items)
    if config.getoption("--soak"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="long: make soak"))


def pytest_collection_finish() -> None:
    """Nine thousand tests and what they import stay to the end: the garbage collector need not look through them again and again."""
    gc.collect()
    gc.freeze()


def _mix(items: list[pytest.Item]) -> None:
    """Files of those that wait evenly among the others, so that while one process of the tests waits another has work; and none of them
    last, so that all end at about the same time."""
    files = dict.fromkeys(item.path for item in items)
    waiting = [file for file in files if any(HERE / folder in file.parents for folder in LONG)]
    working = [file for file in files if file not in waiting]
    turns = {file: 0.7 * turn / len(waiting) for turn, file in enumerate(waiting)}
    turns |= {file: turn / len(working) for turn, file in enumerate(working)}
    items.sort(key=lambda item: turns[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(settings: Settings) -> bool:
    overdue.watch(settings.timeout)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_cancel_timer() -> bool:
    """Asked for a failure already, whose teardown may wait as well."""
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logfinish() -> None:
    overdue.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tracing doubles what a test costs, so only the tests of which coverage is demanded are traced."""
    measured = Coverage.current()
    if measured is None or any(room in item.path.parents for room in PURE):
        return (yield)
    measured.stop()
    try:
        return (yield)
    finally:
        measured.start()


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make soak`: `rounds = 100 if soak else 5`."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's world with its people, to be copied whole."""
    from tests.template import made_once  # here, as most tests start no demo and need not know one

    own = tmp_path_factory.getbasetemp()
    return made_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, started for the first test that asks."""
    from tests.postgresql import Cluster  # here, as most tests need none

    made = Cluster()
    yield made
    made.remove()
