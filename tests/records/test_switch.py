"""The switch of one machine: what is written is read as it was, and what cannot be read suspends everything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gateway.decision.suspensions import Scope, Suspended
from gateway.errors import RecordsError
from gateway.records.switch import Suspension, Switch, new_key

KEY = "20261128-0123abcd"


def suspension(
    scope: Scope = Scope.TRANSACTION, subject: str = "dossier", key: str = KEY, since: float = 1.5
) -> Suspension:
    return Suspension(Suspended(key, scope, subject), "origin compromised", "shell", since)


@pytest.fixture
def switch(tmp_path: Path) -> Switch:
    made = Switch(tmp_path / "suspensions")
    made.make()
    return made


@pytest.mark.parametrize("scope", Scope)
def test_what_was_written_is_read(switch: Switch, scope: Scope) -> None:
    wanted = suspension(scope, "" if scope is Scope.ALL else "x")
    switch.write(wanted)
    assert switch.read() == [wanted]
    assert (switch.directory / f"{KEY}.json").stat().st_mode & 0o777 == 0o600
    assert switch.directory.stat().st_mode & 0o777 == 0o700
    switch.remove(KEY)
    switch.remove(KEY)
    assert switch.read() == []


def test_oldest_first_and_no_two_keys_alike(switch: Switch) -> None:
    keys = [new_key("20261128") for _ in range(50)]
    assert len(set(keys)) == 50
    for moment, key in enumerate(keys):
        switch.write(suspension(key=key, since=50.0 - moment))
    assert [each.entry.key for each in switch.read()] == keys[::-1]


def test_a_change_changes_the_version(switch: Switch) -> None:
    seen = {switch.version()}
    switch.write(suspension())
    os.utime(switch.directory, ns=(1, 1))
    seen.add(switch.version())
    switch.remove(KEY)
    seen.add(switch.version())
    assert len(seen) == 3


def test_what_is_half_written_counts_for_nothing(switch: Switch) -> None:
    (switch.directory / f".{KEY}.4711.00").write_text("{")
    assert switch.read() == []


GOOD = {
    "format": 1, "scope": "transaction", "subject": "dossier", "person": None, "reason": "x", "by": "shell", "since": 1.0,
    "recorded": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{KEY}.json", ""),
        (f"{KEY}.json", "{"),
        (f"{KEY}.json", json.dumps(GOOD | {"format": 2})),
        (f"{KEY}.json", json.dumps(GOOD | {"scope": "galaxy"})),
        (f"{KEY}.json", json.dumps(GOOD | {"scope": "all"})),
        (f"{KEY}.json", json.dumps(GOOD | {"subject": ""})),
        (f"{KEY}.json", json.dumps(GOOD | {"until": 5})),
        (f"{KEY}.json", json.dumps({name: value for name, value in GOOD.items() if name != "reason"})),
        (f"{KEY}.json", json.dumps(GOOD | {"reason": "x" * 20_000})),
        ("notes.txt", json.dumps(GOOD)),
        (f"{KEY}.json.old", json.dumps(GOOD)),
        ("dossier.json", json.dumps(GOOD)),
    ],
)
def test_what_cannot_be_read_is_said(switch: Switch, name: str, content: str) -> None:
    (switch.directory / name).write_text(content)
    with pytest.raises(RecordsError, match="everything is suspended"):
        switch.read()


def test_a_directory_that_is_gone_is_said(switch: Switch) -> None:
    switch.directory.rmdir()
    for ask in (switch.read, switch.version):
        with pytest.raises(RecordsError, match="everything is suspended until it is back"):
            ask()
    with pytest.raises(RecordsError, match="cannot be written"):
        switch.write(suspension())
    with pytest.raises(RecordsError, match="cannot be ended"):
        switch.remove(KEY)


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """Nor is the state directory made anew around it: with that, the whole machine lost what it knew."""
    switch = Switch(tmp_path / "state" / "suspensions")
    with pytest.raises(RecordsError, match="cannot be made"):
        switch.make()
    (tmp_path / "state").write_text("a file")
    with pytest.raises(RecordsError, match="cannot be made"):
        switch.make()
