"""Reading: newest first found, decisions joined with their completions, a reference finds its line, following sees all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.ledger import reading
from gateway.ledger.disk import Disk
from gateway.ledger.line import moment, serialise
from gateway.ledger.reading import Follower, events, find, newest
from gateway.ledger.writer import Writer
from tests.ledger.conftest import opening, references

Write = Callable[..., str]


@pytest.fixture
def ledger(tmp_path: Path) -> dict[str, Writer]:
    writers = {stream: Writer(tmp_path, stream, 600, Disk()) for stream in ("user-0", "conn-0")}
    for stream, writer in writers.items():
        writer.begin(opening(stream))
    return writers


@pytest.fixture
def write(ledger: dict[str, Writer]) -> Write:
    def run(kind: str, at: float, reference: str | None = None, stream: str = "user-0", verdict: str = "permit") -> str:
        name = reference or references()
        line = serialise({"kind": kind, "id": name, "verdict": verdict})
        ledger[stream].commit([(moment(1.8e9 + at), line)])
        return name

    return run


def test_a_decision_is_joined_with_its_completion(tmp_path: Path, write: Write) -> None:
    one, other = write("decision", 0), write("decision", 1)
    write("completion", 2, other)
    write("completion", 3, one)
    denied = write("decision", 4, verdict="deny")
    found = newest(tmp_path, 3)
    assert [(event.id, event.completion is not None) for event in found] == [
        (one, True),
        (other, True),
        (denied, False),
    ]
    assert found[0].joined()["completion"]["id"] == one
    assert "completion" not in found[2].joined()


def test_streams_are_merged_by_time(tmp_path: Path, write: Write) -> None:
    names = [write("decision", 0), write("connection", 1, stream="conn-0"), write("decision", 2)]
    assert [event.id for event in newest(tmp_path, 3)] == names
    assert [event.id for event in events(tmp_path)][-3:] == names
    assert [event.record["kind"] for event in events(tmp_path)][:2] == ["start", "start"]


def test_the_newest_are_found_across_segments(tmp_path: Path, write: Write) -> None:
    names = [write("decision", number) for number in range(20)]
    assert [event.id for event in newest(tmp_path, 7)] == names[-7:]
    assert len(newest(tmp_path, 1000)) == 22
    assert newest(tmp_path, 0) == []


def test_a_reference_finds_its_event(tmp_path: Path, write: Write) -> None:
    names = [write("decision", number) for number in range(5)]
    write("completion", 9, names[2])
    (event,) = find(tmp_path, names[2])
    assert (event.id, event.completion is not None) == (names[2], True)
    assert find(tmp_path, references()) == []


def test_more_open_decisions_than_are_remembered(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_OPEN", 2)
    names = [write("decision", number) for number in range(5)]
    write("completion", 9, names[0])
    found = [event for event in events(tmp_path) if event.record["kind"] != "start"]
    assert [event.id for event in found] == [*names, names[0]]


def test_a_follower_sees_every_new_line_once(tmp_path: Path, write: Write) -> None:
    write("decision", 0)
    follower = Follower(tmp_path)
    assert follower.poll(0.0) == []
    names = [write("decision", 1 + number, verdict="deny") for number in range(10)]
    names.append(write("connection", 20, stream="conn-0"))
    assert [event.id for event in follower.poll(0.0)] == names
    assert follower.poll(100.0) == []


def test_a_follower_tells_a_permit_with_its_completion_or_soon_without(tmp_path: Path, write: Write) -> None:
    follower = Follower(tmp_path)
    quick, slow = write("decision", 1), write("decision", 2)
    assert follower.poll(0.0) == []
    write("completion", 3, quick)
    assert [(event.id, event.completion is not None) for event in follower.poll(0.5)] == [(quick, True)]
    assert [(event.id, event.completion is not None) for event in follower.poll(1.0)] == [(slow, False)]
    write("completion", 9, slow)
    assert [event.record["kind"] for event in follower.poll(1.5)] == ["completion"]


def test_a_follower_waits_for_the_end_of_a_line(tmp_path: Path, write: Write) -> None:
    write("decision", 0)
    path = sorted(tmp_path.glob("*/user-0-*"))[-1]
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    follower = Follower(tmp_path)
    assert follower.poll(0.0) == []
    with path.open("ab") as file:
        file.write(data[-20:])
    follower.poll(0.0)
    assert len(follower.poll(10.0)) == 1


def test_what_is_no_line_is_not_shown(tmp_path: Path, write: Write) -> None:
    write("decision", 0)
    path = sorted(tmp_path.glob("*/user-0-*"))[-1]
    with path.open("ab") as file:
        file.write(b'{"v":1,"forged":true}\n\x1b[31mred\n')
    assert [event.record["kind"] for event in newest(tmp_path, 10)] == ["start", "start", "decision"]
