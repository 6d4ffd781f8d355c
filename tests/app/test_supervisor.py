"""How workers come to run one table: what is asked of them, what they answer, and what becomes of it when they do not agree."""

from __future__ import annotations

import itertools
import json
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from gateway.app import supervisor
from gateway.app.prepared import Prepared
from gateway.app.releases import BEGINS
from gateway.app.reloading import outcome_of
from gateway.app.supervisor import AGAIN_SECONDS, DIFFER, HANG_UP, RELOAD_SECONDS, Supervisor
from gateway.errors import Fault

FAULT = Fault("gateway.toml", "", "half edited", "Mend it")


class Scripted(Supervisor):
    """Its workers are the other ends of their lines, which the test holds; its clock is set by hand."""

    def __init__(self, state: Path, workers: int) -> None:
        settings = SimpleNamespace(reload_file=state / "reload.json", pid_file=state / "gateway.pid")
        super().__init__(
            cast(Prepared, SimpleNamespace(settings=settings, workers=workers, shares=None, config=state)), lambda: None
        )
        self.lines: dict[int, socket.socket] = {}
        self.renewed = 0
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._woken.setblocking(False)

    def _fork(self, post: Any) -> None:
        post.line, self.lines[post.number] = socket.socketpair()
        post.line.setblocking(False)
        self.lines[post.number].setblocking(False)
        post.pid, post.unread, post.silent = os.getpid(), b"", 0
        self._selector.register(post.line, selectors.EVENT_READ, post)

    def _bury(self) -> None:
        """None dies but by `dies`."""

    def _renew(self) -> None:
        self.renewed += 1

    def turn(self) -> None:
        self._waker.send(b"x")
        self._turn()

    def says(self, number: int, **what: object) -> None:
        self.lines[number].send(json.dumps(what).encode() + b"\n")
        self.turn()

    def answers(self, number: int, table: str, *faults: Fault, order: int | None = None) -> None:
        which = self._reload_number if order is None else order
        self.says(number, reload=which, outcome=outcome_of(table, faults))

    def hang_up(self) -> None:
        self._act_on(signal.SIGHUP)
        self.turn()

    def dies(self, number: int) -> None:
        self.lines[number].close()
        self._died(self._posts[number], 1)

    def asked(self, number: int) -> list[str]:
        """Why this worker was told to reload since this was asked last."""
        try:
            told = self.lines[number].recv(65536)
        except BlockingIOError:
            return []
        return [json.loads(line)["cause"] for line in told.splitlines()]

    @property
    def table(self) -> str:
        """What a worker that is forked now begins with."""
        return self._table

    def close(self) -> None:
        self._selector.close()
        for end in [*self.lines.values(), self._woken, self._waker, *(post.line for post in self._posts)]:
            if end is not None:
                end.close()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1000.0]
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


@pytest.fixture
def three(tmp_path: Path, now: list[float]) -> Iterator[Scripted]:
    """Three workers, ready with release 11."""
    made = Scripted(tmp_path, 3)
    made.turn()
    for number in range(3):
        made.says(number, ready="11")
    yield made
    made.close()


@pytest.fixture
def told() -> Iterator[Callable[[], list[str]]]:
    with structlog.testing.capture_logs() as lines:
        yield lambda: [line["event"] for line in lines if line["log_level"] == "critical"]


def test_all_take_the_same_and_a_successor_begins_with_it(three: Scripted, told: Callable[[], list[str]]) -> None:
    three.says(0, changed="watch")
    assert [three.asked(number) for number in range(3)] == [["watch"]] * 3
    for number in range(3):
        three.answers(number, "12")
    assert (three.table, three.renewed, told()) == ("12", 1, [])


def test_a_late_answer_counts(three: Scripted, now: list[float], told: Callable[[], list[str]]) -> None:
    three.says(0, changed="watch")
    for number in (0, 1):
        three.answers(number, "12")
    now[0] += RELOAD_SECONDS
    three.turn()
    assert (three.table, three.renewed, told()) == ("11", 0, ["workers_differ"])
    three.answers(2, "12")
    assert (three.table, three.renewed) == ("12", 1)
    now[0] += 10 * AGAIN_SECONDS
    three.turn()
    assert [three.asked(number) for number in range(3)] == [["watch"]] * 3  # and is asked for no second time


def test_what_is_not_of_one_mind_is_told_and_asked_again(
    three: Scripted, now: list[float], told: Callable[[], list[str]]
) -> None:
    """For instance one that read it when its moment had come, and others a moment before; or a file that changed meanwhile."""
    three.says(0, changed="watch")
    three.answers(0, "12")
    three.answers(1, "11")
    three.answers(2, "12", FAULT)
    assert (three.table, three.renewed, told()) == ("11", 0, ["workers_differ"])
    for number in range(3):
        assert three.asked(number) == ["watch"]
    now[0] += AGAIN_SECONDS - 0.1
    three.turn()
    assert three.asked(1) == []
    now[0] += 0.1
    three.turn()
    assert three.asked(1) == [DIFFER]
    for number in range(3):
        three.answers(number, "12")
    assert (three.table, three.renewed) == ("12", 1)
    now[0] += 100 * AGAIN_SECONDS
    three.turn()
    assert three.asked(1) == []


def test_what_differs_for_long_is_asked_less_and_less_often(three: Scripted, now: list[float]) -> None:
    asked, began = [], now[0]
    three.says(0, changed="watch")
    while now[0] < began + 3600:
        if three.asked(1):
            asked.append(now[0])
            for number, table in enumerate(("12", "11", "11")):
                three.answers(number, table)
        now[0] += 1.0
        three.turn()
        for number in range(3):
            three.says(number, beat=True)
    rests = [after - before for before, after in itertools.pairwise(asked)]
    assert rests[:4] == [AGAIN_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert rests[-1] == supervisor.AGAIN_AT_MOST_SECONDS


def test_what_all_refuse_is_settled(three: Scripted, now: list[float], told: Callable[[], list[str]]) -> None:
    three.says(0, changed="watch")
    for number in range(3):
        three.answers(number, "11", FAULT)
    assert (three.table, three.renewed, told()) == ("11", 0, [])
    now[0] += 100 * AGAIN_SECONDS
    three.turn()
    assert three.asked(1) == ["watch"]


def test_who_dies_is_not_waited_for(three: Scripted, now: list[float]) -> None:
    three.says(0, changed="watch")
    for number in (0, 1):
        three.answers(number, "12")
    now[0] += RELOAD_SECONDS
    three.turn()
    three.dies(2)
    three.turn()
    assert (three.table, three.renewed) == ("12", 1)


def test_an_answer_to_an_earlier_question_is_none_to_the_present_one(three: Scripted, now: list[float]) -> None:
    three.says(0, changed="watch")
    for number in (0, 1):
        three.answers(number, "12")
    now[0] += RELOAD_SECONDS
    three.turn()
    three.says(0, changed="watch")
    three.answers(2, "12", order=1)
    assert three.table == "11"
    for number in range(3):
        three.answers(number, "13")
    assert three.table == "13"


def test_no_cause_is_lost_to_another(three: Scripted) -> None:
    three.says(0, changed="watch")
    three.says(0, changed="watch")
    three.says(0, changed=BEGINS)
    three.hang_up()
    asked = []
    for _ in range(5):
        asked += three.asked(1)
        for number in range(3):
            three.answers(number, "12")
    # One that begins is read from where it is kept; all others read what lies there, once.
    assert asked == ["watch", BEGINS, HANG_UP]


def test_whoever_asked_is_told_once(three: Scripted, tmp_path: Path, now: list[float]) -> None:
    three.hang_up()
    three.answers(0, "12")
    three.answers(1, "12")
    now[0] += RELOAD_SECONDS
    three.turn()
    file = tmp_path / "reload.json"
    outcome = json.loads(file.read_text())
    assert (outcome["ok"], len(outcome["faults"])) == (False, 1)
    file.unlink()
    now[0] += AGAIN_SECONDS
    three.turn()
    assert three.asked(1) == [HANG_UP, DIFFER]
    for number in range(3):
        three.answers(number, "12")
    assert three.table == "12"
    assert not file.exists()
