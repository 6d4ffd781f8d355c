"""What a reload takes, what waits for a start, and one answer from several workers."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from gateway.app.reloading import Outcome, merged, outcome_of, waiting_for_a_start, write_outcome
from gateway.errors import Fault
from gateway.policy.settings import Settings, settings_from

CONFIG = Path(__file__).parents[2] / "config"
FAULT = Fault("roles.toml", "role[1]", "wrong", "Mend it")


def settings(change: tuple[str, str] = ("", "")) -> Settings:
    text = (CONFIG / "gateway.toml").read_text()
    assert change[0] in text
    found, faults = settings_from(tomllib.loads(text.replace(*change, 1) if change[0] else text), CONFIG)
    assert found is not None
    assert faults == []
    return found


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        (("", ""), []),
        (("3 = 2\n", "3 = 3\n"), []),
        (("# drain = ", "drain = '31s' # "), ["limits.drain"]),
        (('"127.0.0.1:9090"', '"127.0.0.1:9091"'), ["listener[3].address"]),
        (("help_desk = ", 'help_desk = "elsewhere" # '), ["portal.help_desk"]),
        (('# idle = "30min"', 'idle = "20min"'), []),
        (('# review = "30d"', 'review = "20d"'), []),
        (('"dossier.localhost", ', '"dossier.localhost", "other.localhost", '), []),
    ],
)
def test_changes_that_wait_for_a_start_are_named(change: tuple[str, str], waits: list[str]) -> None:
    assert waiting_for_a_start(settings(), settings(change)) == waits


@pytest.mark.parametrize(
    ("outcomes", "ok", "table", "faults"),
    [
        ([outcome_of("a", []), outcome_of("a", [])], True, "a", 0),
        ([outcome_of("a", [FAULT]), outcome_of("a", [FAULT])], False, "a", 1),
        ([outcome_of("b", []), outcome_of("a", [FAULT])], False, "b", 1),
        ([outcome_of("b", []), outcome_of("a", [])], False, "b", 1),
    ],
)
def test_one_answer_of_all_workers(outcomes: list[Outcome], ok: bool, table: str, faults: int) -> None:
    told = merged(outcomes)
    assert (told["ok"], told["hash"], len(told["faults"])) == (ok, table, faults)


def test_what_the_command_reads(tmp_path: Path) -> None:
    file = tmp_path / "reload.json"
    write_outcome(file, outcome_of("a", []))
    assert set(json.loads(file.read_text())) == {"at", "ok", "hash", "faults"}
    write_outcome(file, merged([outcome_of("a", [], ["limits.drain"]), outcome_of("a", [], ["limits.drain"])]))
    assert json.loads(file.read_text())["restart_for"] == ["limits.drain"]
    assert [one.name for one in tmp_path.iterdir()] == ["reload.json"]
