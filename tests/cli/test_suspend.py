"""`gateway suspend` and `gateway resume` on a real configuration: with a database, without one, and with a faulty table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import suspend
from gateway.errors import ConfigurationError
from gateway.policy.release import Release, load_release
from gateway.policy.settings import Settings
from gateway.records import RecordsDesk, RecordsSettings
from tests.cli.conftest import NORTH, Shell

WHY = ["--reason", "origin compromised"]
app = typer.Typer(pretty_exceptions_enable=False)
suspend.register(app)


class Door:
    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.switch = shell.config / "state" / "suspensions"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--config", str(self.shell.config)], catch_exceptions=False)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def running(self) -> list[dict[str, object]]:
        listed: list[dict[str, object]] = json.loads(self.ok("suspend", "--list", "--json"))
        return listed


@pytest.fixture
def door(staffed: Shell) -> Door:
    return Door(staffed)


@pytest.mark.parametrize(
    ("scope", "words", "subject"),
    [
        ("all", ["--all"], ""),
        ("transaction", ["--transaction", "dossier"], "dossier"),
        ("institution", ["--institution", NORTH], NORTH),
        ("authorisation", ["--authorisation", "24/123"], "24/123"),
        ("person", ["--person", "jansen01"], "jansen01"),
    ],
)
def test_suspend_list_resume(door: Door, scope: str, words: list[str], subject: str) -> None:
    made = json.loads(door.ok("suspend", *words, *WHY, "--json"))
    assert (made["scope"], made["subject"], made["recorded"]) == (scope, subject, True)
    [listed] = door.running()
    assert (listed["key"], listed["scope"], listed["subject"], listed["by"], listed["reason"]) == (
        made["key"], scope, subject, "shell", "origin compromised"
    )  # fmt: skip
    assert "open again" in door.ok("resume", made["key"], "--reason", "origin rebuilt")
    assert door.running() == []
    lines = [line for line in door.shell.lines() if str(line.get("act", "")).startswith("suspension")]
    assert [(line["act"], line["actor"], line["reason"]) for line in lines] == [
        ("suspension add", "shell", "origin compromised"),
        ("suspension end", "shell", "origin rebuilt"),
    ]
    assert not [line for line in lines if "jansen01" in json.dumps(line)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["--transaction", "dossier"], ["--transaction", "dossier"]),
        (["--transaction", "dossier"], ["--all"]),
        (["--person", "jansen01"], ["--person", "JANSEN01"]),
        (["--all"], ["--all"]),
    ],
)
def test_what_another_one_suspends_too_is_not_said_to_be_open(door: Door, first: list[str], second: list[str]) -> None:
    one, other = (json.loads(door.ok("suspend", *words, *WHY, "--json"))["key"] for words in (first, second))
    elsewhere = json.loads(door.ok("suspend", "--institution", NORTH, *WHY, "--json"))["key"]
    said = door.ok("resume", one, *WHY)
    assert "open again" not in said
    assert f"is still suspended by {other}" in said
    assert elsewhere not in said
    told = json.loads(door.ok("resume", elsewhere, *WHY, "--json"))
    assert told["still_suspended_by"] == ([other] if second == ["--all"] else [])
    assert "open again" in door.ok("resume", other, *WHY)


def test_without_a_database_it_holds_on_this_machine(door: Door) -> None:
    database = door.shell.config / "state" / "records.sqlite"
    away = database.with_name("away")
    database.rename(away)
    done = door.run("suspend", "--person", "JANSEN01", *WHY)
    assert done.exit_code == 0
    assert "suspended: person jansen01" in done.stdout
    assert "The records could not be reached: it holds on this machine" in done.stdout
    assert "Whether this user ID exists" in done.stdout
    assert f"Note: the records: {database}" in done.stderr
    [listed] = door.running()
    assert (listed["subject"], listed["recorded"]) == ("jansen01", False)
    done = door.run("suspend", "--list")
    assert (done.exit_code, "jansen01" in done.stdout) == (0, True)
    assert "this is the switch of this machine alone" in done.stderr
    assert str(database) in done.stderr
    made = json.loads(door.ok("suspend", "--all", *WHY, "--json"))
    assert (made["recorded"], str(database) in made["note"]) == (False, True)
    door.ok("resume", made["key"], *WHY)
    database.write_bytes(b"no database" * 500)
    assert "open again" in door.ok("resume", str(listed["key"]), *WHY)
    assert door.running() == []


def test_what_the_records_have_stays_without_them_and_why_is_said(door: Door) -> None:
    made = json.loads(door.ok("suspend", "--all", *WHY, "--json"))
    database = door.shell.config / "state" / "records.sqlite"
    database.rename(database.with_name("away"))
    done = door.run("resume", made["key"], *WHY)
    assert (done.exit_code, str(database) in done.stderr) == (2, True)
    assert "it stays in force; run this again when they are back" in done.stderr


@pytest.mark.parametrize("words", [["--all"], ["--person", "jansen01"], ["--transaction", "dossier"]])
def test_nothing_that_may_hang_is_waited_for(door: Door, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that swallows packets is asked when it is in force already, but for who a person is; and no table is read for what is
    in none."""
    held: list[bool] = []

    async def hangs(settings: RecordsSettings) -> RecordsDesk:
        held.append(any(door.switch.glob("*.json")))
        raise ConfigurationError("no server answers")

    def read(settings: Settings, now: float) -> Release:
        assert words[0] == "--transaction"
        return load_release(settings, now)

    monkeypatch.setattr(RecordsDesk, "open", hangs)
    monkeypatch.setattr(suspend, "load_release", read)
    done = door.run("suspend", *words, *WHY)
    assert (done.exit_code, "Note: the records: no server answers." in done.stderr) == (0, True), done.stderr
    assert held == [words[0] != "--person"]
    assert len(list(door.switch.glob("*.json"))) == 1


def test_with_a_faulty_table_too(door: Door) -> None:
    (door.shell.config / "roles.toml").write_text("[[role")
    door.ok("suspend", "--transaction", "whatever", *WHY)
    assert [each["subject"] for each in door.running()] == ["whatever"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["suspend", *WHY], 2, "name one"),
        (["suspend", "--all", "--person", "jansen01", *WHY], 2, "name one"),
        (["suspend", "--all"], 1, "say why"),
        (["suspend", "--all", "--reason", " "], 1, "say why"),
        (["suspend", "--transaction", "nonsense", *WHY], 1, "is not in the table; nothing was suspended"),
        (["suspend", "--institution", "0671516648", *WHY], 1, "is not in the table"),
        (["suspend", "--authorisation", "99/1", *WHY], 1, "is not in the table"),
        (["suspend", "--person", "nobody99", *WHY], 1, "does not exist"),
        (["resume", "20261128-00000000", *WHY], 1, "is not in force"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_suspended(door: Door, words: list[str], code: int, said: str) -> None:
    done = door.run(*words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr
    assert door.running() == []
    assert not [line for line in door.shell.lines() if str(line.get("act", "")).startswith("suspension")]


@pytest.mark.parametrize("words", [["suspend", "--all", *WHY], ["resume", "20261128-00000000", *WHY]])
def test_where_a_gateway_runs_a_directory_that_is_gone_is_not_made(door: Door, words: list[str]) -> None:
    """That would end what its workers hold suspended, everything, without anybody having said so."""
    (door.shell.config / "state" / "gateway.pid").write_text("1\n")
    done = door.run(*words)
    assert (done.exit_code, "everything is suspended" in done.stderr) == (2, True), done.stderr
    assert "restart the gateway" in done.stderr
    assert not door.switch.exists()
    listed = door.run("suspend", "--list")
    assert (listed.exit_code, "everything is suspended" in listed.stderr) == (2, True)
    assert not [line for line in door.shell.lines() if str(line.get("act", "")).startswith("suspension")]


def test_a_switch_that_cannot_be_read_is_said(door: Door) -> None:
    door.ok("suspend", "--all", *WHY)
    (door.switch / "notes.txt").write_text("x")
    done = door.run("suspend", "--list")
    assert done.exit_code == 2
    assert str(Path("suspensions") / "notes.txt") in done.stderr
    assert "everything is suspended until it is removed or mended" in done.stderr
