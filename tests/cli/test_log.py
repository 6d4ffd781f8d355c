"""`gateway log`: what people see, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.log import app
from gateway.ledger.line import moment, serialise
from gateway.ledger.reference import format_reference
from gateway.ledger.writer import Writer
from tests.ledger.conftest import opening, references
from tests.ledger.samples import SAMPLES

KINDS_OF_REQUESTS = ("decision-permit", "decision-deny", "decision-malformed", "decision-challenge")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """One line of every kind, and a permit that was completed."""
    directory = tmp_path / "ledger"
    writer = Writer(directory, "user-0", 1 << 20)
    writer.begin(opening())
    alone: dict[str, object] = {"streams": ["user-0"], "heads": {}, "fenced": []}
    for number, (name, record) in enumerate(SAMPLES.items()):
        if name != "completion":
            writer.commit([(moment(1.9e9 + number), serialise({**record, **alone, "id": references()}))])
    for kind in ("decision-permit", "completion"):
        writer.commit([(moment(1.9e9 + 100), serialise(SAMPLES[kind]))])
    writer.close()
    return directory


def run(*arguments: str | Path | int) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_tail_shows_one_line_for_each_event(ledger: Path) -> None:
    result = run("tail", "--ledger", ledger, "-n", 100)
    assert result.exit_code == 0
    shown = result.output.splitlines()
    assert len(shown) == len(SAMPLES) + 1
    assert "permit" in shown[-1]
    assert "GET dossier.localhost/dossier/dossiers/{insz}" in shown[-1]
    assert shown[-1].endswith("-> 200 completed, 1234 bytes in 0.012346 s")
    assert any("more than one host field: GET /dossiers/{insz} HTTP/1.1  client" in line for line in shown)
    assert any("the outcome is unknown" in line for line in shown)
    assert any("9 refused" in line and "network bbbbbbbb" in line for line in shown)
    assert any("refused retired_key, release 12 (watch)" in line for line in shown)
    assert any("3 turned away" in line and "No space left" in line for line in shown)
    for line in shown:
        assert line.isascii()
        assert line.isprintable()


def test_tail_shows_the_newest(ledger: Path) -> None:
    assert len(run("tail", "--ledger", ledger, "-n", 3).output.splitlines()) == 3
    assert len(run("tail", "--ledger", ledger, "--all").output.splitlines()) == len(SAMPLES) + 1


def test_tail_as_json_has_the_whole_line(ledger: Path) -> None:
    result = run("tail", "--ledger", ledger, "-n", 1, "--json")
    event = json.loads(result.output)
    assert event["kind"] == "decision"
    assert event["completion"]["kind"] == "completion"


def test_a_reference_finds_the_event_as_it_was_dictated(ledger: Path) -> None:
    wanted = format_reference(str(SAMPLES["completion"]["id"])).lower().replace("0", "o")
    result = run("tail", "--ledger", ledger, "--reference", wanted, "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)["id"] == SAMPLES["completion"]["id"]


def test_a_reference_with_a_slip_of_the_tongue_is_told(ledger: Path) -> None:
    result = run("tail", "--ledger", ledger, "--reference", "000G-40R4-0M30-E209-8")
    assert result.exit_code == 2
    assert "check character" in result.stderr


def test_a_reference_that_nobody_has(ledger: Path) -> None:
    result = run("tail", "--ledger", ledger, "--reference", references())
    assert result.exit_code == 1
    assert "no event has the reference" in result.stderr


def test_verify_says_intact(ledger: Path) -> None:
    result = run("verify", "--ledger", ledger)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "intact"
    assert "gap from" in result.output


def test_verify_names_file_and_line(ledger: Path) -> None:
    path = next(ledger.glob("*/*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    result = run("verify", "--ledger", ledger)
    assert result.exit_code == 1
    assert f"incomplete: request/{path.name} line 3: entry 2 is missing before entry 3" in result.output
    found = json.loads(run("verify", "--ledger", ledger, "--json").output)
    assert found["verdict"] == "incomplete"
    assert found["faults"] == [
        {
            "verdict": "incomplete",
            "file": f"request/{path.name}",
            "line": 3,
            "why": "entry 2 is missing before entry 3",
        }
    ]


def test_verify_cannot_tell(ledger: Path, tmp_path: Path) -> None:
    path = next(ledger.glob("*/*.jsonl"))
    path.write_bytes(path.read_bytes()[:-10])
    result = run("verify", "--ledger", ledger)
    assert result.exit_code == 3
    assert result.output.splitlines()[-1] == "cannot tell"
    (tmp_path / "empty").mkdir()
    assert run("verify", "--ledger", tmp_path / "empty").exit_code == 3
    assert json.loads(run("verify", "--ledger", tmp_path / "empty", "--json").output)["verdict"] == "cannot tell"


@pytest.mark.parametrize("command", ["tail", "verify"])
def test_without_a_ledger_it_says_what_to_do(command: str, tmp_path: Path) -> None:
    result = run(command, "--ledger", tmp_path / "none")
    assert result.exit_code == 2
    assert "there is no ledger directory" in result.stderr
    result = run(command, "--config", tmp_path / "none")
    assert result.exit_code == 2
    assert "--ledger" in result.stderr


def test_a_forged_copy_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """Our own lines are printable ASCII; a copy from elsewhere may be anything."""
    directory = tmp_path / "ledger" / "request"
    directory.mkdir(parents=True)
    (directory / f"user-0-{0:020}.jsonl").write_bytes(b"\x1b]0;owned\x07\n" * 3)
    result = run("tail", "--ledger", tmp_path / "ledger")
    assert "\x1b" not in result.output
    assert run("verify", "--ledger", tmp_path / "ledger").exit_code == 1
