"""Commands on records, on a configuration that `gateway init` made: real files, real database, real ledger."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.credentials.password import verify
from gateway.ledger.verify import verify as verify_ledger
from gateway.records.upgrade import REVISIONS
from tests.cli.conftest import ACT, INSZ, NORTH, OTHER_INSZ, PASSWORD, SOUTH, UNDER, Shell, app, refused_in_place


def test_from_nobody_to_a_designated_person(staffed: Shell) -> None:
    staffed.ok("credential", "add", "--person", "jansen01", "--password-file", "-", *UNDER, given=PASSWORD + "\n")
    staffed.ok(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *UNDER
    )
    staffed.ok("role", "add", "--person", "jansen01", "--role", "DossierReader", *UNDER)

    [designation] = staffed.json("designation", "list", "--person", "jansen01")
    assert (designation["authorisation"], designation["uses"], designation["on_behalf_of"]) == (
        "24/123",
        ["consultation"],
        1,
    )
    assert (designation["actor"], designation["reason"], designation["act"]) == ("shell", "asked", None)
    assert [person["user_ids"] for person in staffed.json("person", "list")] == [
        {"admin01": NORTH},
        {"jansen01": NORTH},
    ]
    assert staffed.json("mandate", "list", "--institution", NORTH)[0]["act"] == "HO/2026/1 (2026-01-05)"
    assert staffed.json("role", "list", "--institution", SOUTH) == []
    database = sqlite3.connect(staffed.config / "state" / "records.sqlite")
    [(stored,)] = database.execute("SELECT secret FROM credentials").fetchall()
    database.close()
    verify(stored.decode(), PASSWORD)


def test_every_act_has_its_line_and_lists_have_none(staffed: Shell) -> None:
    staffed.ok(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *UNDER
    )
    staffed.ok("designation", "end", "1", *UNDER)
    for group in ("person", "user-id", "credential", "role", "mandate", "designation", "session"):
        staffed.ok(group, "list")
    lines = [line for line in staffed.lines() if line["kind"] == "administration"]
    assert [line["act"] for line in lines] == [
        "person add", "user-id add", "person add", "user-id add", "mandate add", "designation add", "designation end",
    ]  # fmt: skip
    for line in lines:
        assert line["actor"] == "shell"
        assert "sealed" in line["person"]
    by_letter, under = lines[3], lines[5]
    assert (by_letter["on_behalf_of"], by_letter["objects"]["act_reference"]) == (None, "HO/2026/1")
    assert (under["on_behalf_of"], under["reason"], under["institution"]) == (1, "asked", NORTH)
    assert under["objects"]["authorisation"] == "24/123"
    assert verify_ledger(staffed.ledger).exit_status == 0
    text = "".join(file.read_text() for file in staffed.ledger.rglob("*.jsonl"))
    for personal in (INSZ, OTHER_INSZ, "jansen01", "An Jansen"):
        assert personal not in text


def test_no_line_no_change(staffed: Shell) -> None:
    """The ledger cannot be written: nothing is committed, and the exit code is the gateway's trouble."""
    shutil.rmtree(staffed.ledger)
    staffed.ledger.write_text("a file where the directory should be")
    result = staffed.run("user-id", "block", "jansen01", *UNDER)
    assert result.exit_code == 2
    assert result.stderr.startswith("gateway: ")
    assert [row["blocked"] for row in staffed.json("user-id", "list", "--all")] == [False, False]


def test_secrets_come_from_files_and_are_printed_nowhere(staffed: Shell, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n")
    said = staffed.ok("credential", "add", "--person", "jansen01", "--totp-secret-file", str(secret), *UNDER)
    password = tmp_path / "password"
    password.write_bytes(b"zw7!kQpr\r\n")
    said += staffed.ok("credential", "add", "--person", "jansen01", "--password-file", str(password), *UNDER)
    said += staffed.ok("credential", "list", "--all") + json.dumps(staffed.json("credential", "list"))
    for word in ("GEZDG", "zw7!kQpr", "argon2", INSZ):
        assert word not in said
    assert [row["kind"] for row in staffed.json("credential", "list")] == ["totp", "password"]
    staffed.ok("credential", "end", "1", *UNDER)
    assert [row["kind"] for row in staffed.json("credential", "list")] == ["password"]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("zw7!kQpr", "15 characters when it is the only factor"),
        ("jansen01-jansen01-jansen01", "common word"),
        ("Voorbeeldinstelling Noord", "common word"),
        ("An Jansen An Jansen", "common word"),
        ("welkom welkom welkom 2024", "common word"),
        ("x" * 129, "more than 128"),
        ("een rare\tzin met paarse", "control character"),
    ],
)
def test_a_password_that_cannot_be_used(staffed: Shell, password: str, why: str) -> None:
    result = staffed.run("credential", "add", "--person", "jansen01", "--password-file", "-", *UNDER, given=password)
    assert result.exit_code == 1
    assert why in result.stderr
    assert password not in result.stderr
    assert staffed.json("credential", "list") == []


Arguments = list[str]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["user-id", "block", "jansen01", "--reason", "x"], 2, "--on-behalf-of MANDATE"),
        (["user-id", "block", "jansen01", "--on-behalf-of", "1", "--reason", " "], 2, "--reason is empty"),
        (["user-id", "block", "jansen01", "--act", "X", "--reason", "x"], 2, "go together"),
        (["user-id", "block", "jansen01", "--on-behalf-of", "9", "--reason", "x"], 1, "mandate 9 does not exist"),
        (["user-id", "block", "nobody01", *UNDER], 1, "user ID nobody01 does not exist"),
        (["user-id", "unblock", "jansen01", *UNDER], 1, "not blocked"),
        (["user-id", "add", "new01", "--institution", NORTH, *UNDER], 2, "--person USER_ID or by --insz-file"),
        (["user-id", "add", "new01", "--person", "jansen01", "--institution", "123", *UNDER], 2, "KBO number"),
        (["user-id", "add", "new01", "--person", "jansen01", "--institution", "0884303369", *UNDER], 1, "not in the table"),
        (["user-id", "add", "new01", "--person", "jansen01", "--institution", SOUTH, *UNDER], 1, "is for institution"),
        (["user-id", "add", "new01", "--person", "jansen01", "--institution", NORTH, "--language", "it", *UNDER], 2, "--language"),
        (["user-id", "add", "NEW", "--person", "jansen01", "--institution", NORTH, *UNDER], 1, "4 to 64 characters"),
        (["credential", "add", "--person", "jansen01", *UNDER], 2, "one of them"),
        (["credential", "add", "--person", "nobody01", "--password-file", "-", *UNDER], 1, "does not exist"),
        (["credential", "add", "--person", "jansen01", "--totp-secret-file", "-", *UNDER], 1, "no secret of an app"),
        (["credential", "end", "77", *UNDER], 1, "credential 77 does not exist"),
        (["mandate", "end", "77", *ACT], 1, "mandate 77 does not exist"),
        (["role", "add", "--person", "jansen01", "--role", "Nonesuch", *UNDER], 1, "no transaction asks for role Nonesuch"),
        (["role", "end", "77", *UNDER], 1, "role 77 does not exist"),
        (["designation", "end", "77", *UNDER], 1, "designation 77 does not exist"),
        (["designation", "add", "--person", "jansen01", "--authorisation", "99/1", "--use", "consultation", *UNDER], 1, "not in the table"),
        (["designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", "--until", "2001-01-01", *UNDER], 2, "--until"),
        (["designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", "--until", "2999-01-01", *UNDER], 1, "stay within"),
        (["person", "add", "--name", "An", "--insz-file", "-", *UNDER], 1, "11 digits"),
        (["person", "add", "--name", "An", "--insz-file", "/nowhere", *UNDER], 2, "the file that you named for the INSZ cannot be read"),
        (["person", "end", "--person", "nobody01", *ACT], 1, "does not exist"),
        (["session", "end", "--reason", "x"], 2, "name one session"),
        (["session", "end", "abc", "--all", "--reason", "x"], 2, "name one session"),
        (["session", "end", "--person", "jansen01", "--all", "--reason", "x"], 2, "name one session"),
        (["session", "end", "--all", "--reason", " "], 2, "--reason is empty"),
        (["session", "end", "--all", "--reason", "x"], 1, "no such session"),
        (["session", "end", "abc", "--person", "jansen01", "--reason", "x"], 2, "name one session"),
        (["session", "end", "abc", "--reason", "x"], 1, "no such session"),
        (["institution", "show", "12"], 2, "KBO number"),
        (["institution", "show", "0884303369"], 1, "not in the table"),
        (["user-id", "block", "\udc80\udc80\udc80\udc80", *UNDER], 1, "no text"),
    ],
)  # fmt: skip
def test_what_is_refused_and_what_is_said(staffed: Shell, arguments: Arguments, code: int, says: str) -> None:
    before = staffed.lines()
    result = staffed.run(*arguments, given="x" * 20)
    assert result.exit_code == code, result.stderr
    assert says in result.stderr
    assert result.stdout == ""
    assert staffed.lines() == before
    asked_json = staffed.run(*arguments, "--json", given="x" * 20)
    assert asked_json.exit_code == code
    assert asked_json.stdout == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 5_000, "more than 4096 bytes")],
)
def test_a_secret_file_that_holds_none(staffed: Shell, tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "given"
    file.write_bytes(content)
    for source in (str(file), "-"):
        given: str | bytes = content if source == "-" else ""
        result = staffed.run(
            "credential", "add", "--person", "jansen01", "--password-file", source, *UNDER, given=given
        )
        assert result.exit_code == 2
        assert says in result.stderr


def test_errors_for_programs(staffed: Shell) -> None:
    result = staffed.run("user-id", "block", "nobody01", *UNDER, "--json")
    assert "nobody01" in json.loads(result.stderr)["error"]


def test_blocking_changing_and_ending(staffed: Shell) -> None:
    staffed.ok("user-id", "block", "jansen01", *UNDER)
    assert staffed.json("user-id", "unblock", "jansen01", *UNDER) == {"user_id": "jansen01", "done": "unblock"}
    rows = staffed.json("user-id", "list", "--person", "jansen01", "--all")
    assert [row["blocked"] for row in rows] == [False, True, False]
    assert [row["ended_by"] for row in rows] == ["shell, mandate 1", "shell, mandate 1", None]
    change = ["person", "change", "--person", "jansen01", "--name", "An Jansens", "--insz-file", "-"]
    refused = staffed.run(*change, *UNDER, given="98472899765")
    assert refused.exit_code == 1
    assert "--act and --act-date" in refused.stderr
    assert [person["name"] for person in staffed.json("person", "list")] == ["Ad Min", "An Jansen"]
    staffed.ok(*change, *ACT, given="98472899765")
    assert [person["name"] for person in staffed.json("person", "list")] == ["Ad Min", "An Jansens"]
    staffed.ok("user-id", "add", "jansen.2", "--person", "jansen01", "--institution", SOUTH, "--language", "fr", *ACT)
    staffed.ok("user-id", "end", "jansen01", *UNDER)
    staffed.ok("person", "end", "--person", "jansen01", *ACT)
    assert [person["name"] for person in staffed.json("person", "list")] == ["Ad Min"]
    assert "An Jansens" in staffed.ok("person", "list", "--all")
    staffed.ok("mandate", "end", "1", *ACT)
    assert staffed.json("mandate", "list") == []
    assert staffed.run("mandate", "list").stderr == "No mandate found.\n"


def test_days_are_brussels_days_and_the_last_is_included(staffed: Shell) -> None:
    staffed.ok(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation",
        "--use", "communication", "--from", "2027-03-01", "--until", "2027-07-31", *UNDER, *ACT[:4],
    )  # fmt: skip
    [row] = staffed.json("designation", "list")
    assert (row["from"], row["until"]) == ("2027-03-01T00:00:00+01:00", "2027-08-01T00:00:00+02:00")
    assert row["uses"] == ["communication", "consultation"]
    assert (row["on_behalf_of"], row["act"]) == (1, "HO/2026/1 (2026-01-05)")
    assert "2027-03-01 00:00" in staffed.ok("designation", "list")


def test_sessions(staffed: Shell) -> None:
    database = sqlite3.connect(staffed.config / "state" / "records.sqlite")
    with database:
        for name in ("one", "two", "three"):
            database.execute(
                "INSERT INTO sessions (id, user_id, means, auth_time, created_at, expires_at, last_seen)"
                " VALUES (?, 'jansen01', 'password', 1, 1, 9e9, ?)",
                (name, time.time()),
            )
    database.close()
    assert {row["session"] for row in staffed.json("session", "list")} == {"one", "two", "three"}
    assert staffed.json("session", "end", "two", "--reason", "laptop stolen") == {"ended": 1}
    assert staffed.ok("session", "end", "--person", "jansen01", "--reason", "laptop stolen") == "2 sessions ended\n"
    assert staffed.json("session", "list") == []
    assert {row["ended_reason"] for row in staffed.json("session", "list", "--person", "jansen01")} == {"laptop stolen"}
    assert [line["act"] for line in staffed.lines()][-2:] == ["session end", "session end"]


def _put_sessions(config: Path, *rows: dict[str, object]) -> None:
    database = sqlite3.connect(config / "state" / "records.sqlite")
    with database:
        for row in rows:
            made = {
                "user_id": "jansen01",
                "means": "password",
                "auth_time": 1,
                "created_at": 1,
                "expires_at": 9e9,
                "last_seen": time.time(),
            } | row
            names, marks = ", ".join(made), ", ".join("?" * len(made))
            database.execute(f"INSERT INTO sessions ({names}) VALUES ({marks})", tuple(made.values()))
    database.close()


def test_what_is_told_of_a_session(staffed: Shell) -> None:
    card = {"certificate": "ab" * 32, "certificate_good_at": 1_800_000_000.0}
    _put_sessions(
        staffed.config,
        {"id": "card", "means": "eid", "client": "Firefox, Windows", "last_seen": 1_800_000_060.0, **card},
        {"id": "federation", "means": "itsme", "provider": "csam"},
        {"id": "idle", "last_seen": time.time() - 1861},
        {"id": "nearly", "last_seen": time.time() - 1800},
        {"id": "over", "expires_at": 2},
    )
    rows = {row["session"]: row for row in staffed.json("session", "list", "--person", "jansen01")}
    assert rows.keys() == {"card", "federation", "idle", "nearly", "over"}
    assert rows["card"] == {
        "session": "card", "user_id": "jansen01", "means": "eid", "since": "1970-01-01T01:00:01+01:00",
        "authenticated": "1970-01-01T01:00:01+01:00", "last_seen": "2027-01-15T09:01:00+01:00", "client": "Firefox, Windows",
        "provider": None, "card": "ab" * 32, "card_checked": "2027-01-15T09:00:00+01:00", "expires": "2255-03-14T17:00:00+01:00",
        "ended": None, "ended_reason": None,
    }  # fmt: skip
    assert rows["federation"]["provider"] == "csam"
    assert {row["session"] for row in staffed.json("session", "list")} == {"card", "federation", "nearly"}
    shown = staffed.ok("session", "list")
    assert all(word in shown for word in ("Firefox, Windows", "last seen", "card checked", "csam"))


def test_everybodys_sessions_end_with_one_line(staffed: Shell) -> None:
    _put_sessions(staffed.config, {"id": "one"}, {"id": "two", "user_id": "peeters01"})
    assert staffed.json("session", "end", "--all", "--reason", "keys were copied") == {"ended": 2}
    assert staffed.json("session", "list") == []
    line = staffed.lines()[-1]
    assert (line["act"], line["reason"], line["objects"]) == ("session end", "keys were copied", {"all": 2})
    assert line["person"].keys() == {"sealed", "sealed_to"}  # of nobody
    [row] = staffed.json("session", "list", "--person", "jansen01")
    assert row["ended_reason"] == "keys were copied"


def test_what_was_refused_keeps_nobody_from_their_work(staffed: Shell) -> None:
    """A gateway that runs goes on with the release that it has: so do the commands, and say so."""
    refused_in_place(staffed.config)
    added = staffed.run(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *UNDER
    )
    listed, shown = staffed.run("institution", "list"), staffed.run("institution", "show", NORTH)
    for result in (added, listed, shown):
        assert result.exit_code == 0, result.stderr
        assert "Note: what lies where table.release says is refused (malformed; " in result.stderr
        assert "release 11" in result.stderr
    assert "24/123" in shown.stdout


def test_institutions(shell: Shell) -> None:
    assert [row["kbo"] for row in shell.json("institution", "list")] == [NORTH, SOUTH]
    shown = shell.json("institution", "show", "0403.019.261")
    assert shown["kbo"] == NORTH
    assert {grant["authorisation"] for grant in shown["authorisations"]} == {"24/123", "24/140"}
    assert "Voorbeeldinstelling Noord" in shell.ok("institution", "show", NORTH)


# --- the schema


def test_the_database_is_made_and_named(shell: Shell) -> None:
    path = shell.config / "state" / "records.sqlite"
    for file in path.parent.glob("records.sqlite*"):
        file.unlink()
    refused = shell.run("person", "list")
    assert refused.exit_code == 2
    assert "`gateway records upgrade`" in refused.stderr
    assert shell.json("records", "upgrade") == {"database": str(path), "before": None, "after": REVISIONS[-1]}
    assert "already" in shell.ok("records", "upgrade")
    assert shell.json("person", "list") == []


def test_no_configuration(tmp_path: Path) -> None:
    result = Shell(tmp_path).run("person", "list")
    assert result.exit_code == 2
    assert "gateway init" in result.stderr


def test_help_has_an_example_for_every_command() -> None:
    group = typer.main.get_command(app)
    runner = CliRunner()
    seen = 0
    for name, sub in group.commands.items():  # type: ignore[attr-defined]
        for verb in sub.commands:
            text = runner.invoke(app, [name, verb, "--help"]).output
            assert f"gateway {name} {verb}" in " ".join(text.replace("│", " ").split()), (name, verb)
            seen += 1
    assert seen == 38


def test_as_a_real_process(staffed: Shell) -> None:
    """No secret in the arguments, exit code and output as a shell sees them."""
    code = "import typer; from gateway.cli import records; app = typer.Typer(); records.register(app); app()"
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        code,
        "credential",
        "add",
        "--person",
        "jansen01",
        "--password-file",
        "-",
    ]
    done = subprocess.run(
        [*command, *UNDER, "--config", str(staffed.config), "--json"],
        input=PASSWORD,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "LANG": "C.UTF-8"},
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"credential": 1, "user_id": "jansen01"}, "")
