"""`gateway records`: backup, restore, check, and the schema up and down, as an operator's scripts use them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.verify import verify as verify_ledger
from gateway.records.upgrade import REVISIONS
from tests.cli.conftest import ACT, INSZ, NORTH, UNDER, Shell
from tests.postgresql import Cluster


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """An empty database of a server."""
    name = cluster.empty()
    yield cluster.url(name)
    cluster.drop(name)


def move_to(shell: Shell, url: str) -> None:
    """The configuration names the server from now on."""
    file = shell.config / "gateway.toml"
    file.write_text(file.read_text().replace("[records]\n", f'[records]\ndatabase = "{url}"\n'))


def test_from_a_file_to_a_server_and_on(staffed: Shell, tmp_path: Path, url: str) -> None:
    """Everything is there again, of both kinds of database, and each act has its line."""
    staffed.ok(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *UNDER
    )
    lists = (("person", "list"), ("user-id", "list"), ("mandate", "list"), ("designation", "list", "--all"))
    before = [staffed.json(*words) for words in lists]
    file = tmp_path / "records.backup"
    made = staffed.json("records", "backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert made["rows"]["designations"] == 1
    move_to(staffed, url)
    assert staffed.run("person", "list").exit_code == 2  # no schema yet
    assert staffed.json("records", "upgrade")["after"] == REVISIONS[-1]
    put = staffed.json("records", "restore", str(file), "--reason", "to PostgreSQL")
    assert put["sha256"] == made["sha256"]
    assert put["kept"] is None
    assert [staffed.json(*words) for words in lists] == before
    assert staffed.json("records", "check") == {"ok": True, "faults": []}
    staffed.ok("role", "add", "--person", "jansen01", "--role", "DossierReader", *UNDER)
    lines = [line for line in staffed.lines() if line["kind"] == "administration"]
    assert [line["act"] for line in lines][-3:] == ["records backup", "records restore", "role add"]
    for line, reason in zip(lines[-3:-1], ("backup", "to PostgreSQL"), strict=True):
        assert (line["actor"], line["reason"], line["objects"]["sha256"]) == ("shell", reason, made["sha256"])
    assert verify_ledger(staffed.ledger).exit_status == 0


def test_what_is_there_is_not_replaced_unless_that_is_said(staffed: Shell, tmp_path: Path) -> None:
    file = tmp_path / "records.backup"
    staffed.ok("records", "backup", str(file), "--reason", "before the test")
    again = staffed.run("records", "backup", str(file))
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    staffed.ok("role", "add", "--person", "jansen01", "--role", "PensionReader", *UNDER)
    refused = staffed.run("records", "restore", str(file), "--reason", "try")
    assert (refused.exit_code, "--replace" in refused.stderr) == (1, True)
    assert len(staffed.json("role", "list")) == 1
    put = staffed.json("records", "restore", str(file), "--reason", "back", "--replace")
    assert staffed.json("role", "list") == []
    kept = Path(put["kept"])
    with sqlite3.connect(kept) as database:
        assert database.execute("SELECT role FROM roles").fetchall() == [("PensionReader",)]
    database.close()
    file.write_bytes(file.read_bytes()[:-20])
    cut = staffed.run("records", "restore", str(file), "--reason", "try", "--replace", "--json")
    assert cut.exit_code == 1
    assert "cut off" in json.loads(cut.stderr)["error"]


DAMAGE = {
    "no trigger": ("DROP TRIGGER roles_kept", "roles_kept, which keeps it append-only, is missing"),
    "no index": ("DROP INDEX uq_persons_live", "the schema lacks index uq_persons_live"),
    "a row that refers to nothing": (
        "UPDATE mandates SET mandate = 4711",
        "mandates: mandate refers to nothing: 1 rows (1)",
    ),
    "a person who is nobody": ("UPDATE user_ids SET person = 99 WHERE id = 1", "person refers to nothing: 1 rows (1)"),
    "a person who stands for another": ("UPDATE persons SET same_as = 2 WHERE id = 1", "or came later: 1 rows (1)"),
    "a word that is nobody's": ("UPDATE mandates SET user_id = 'nobody'", "nobody has, or had, this user ID"),
    "another house's mandate": ("UPDATE mandates SET institution = '0671516647'", "never was of this institution"),
    "two live rows": (
        "DROP INDEX uq_user_ids_live; UPDATE user_ids SET user_id = 'admin01'",
        "more than one is live: 1 rows (1)",
    ),
    "half an end": ("UPDATE roles SET ended_by = 'x'", "its end is half"),
    "half an act": ("UPDATE persons SET act_date = NULL", "its written act is half: 2 rows (1, 2)"),
    "nothing in between": ("UPDATE persons SET valid_to = 1 WHERE id = 2", "ends before it begins: 1 rows (2)"),
    "another key": ("UPDATE credentials SET key_id = 'x'", "sealed with another records key: 1 rows (1)"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_check_finds(staffed: Shell, kind: str) -> None:
    """What another program did to the file, with the triggers and the checks of the database out of its way."""
    staffed.ok("role", "add", "--person", "jansen01", "--role", "DossierReader", *UNDER)
    staffed.ok("credential", "add", "--person", "jansen01", "--kind", "activation", *UNDER)
    assert staffed.ok("records", "check") == "all is well with the records\n"
    statements, finding = DAMAGE[kind]
    database = sqlite3.connect(staffed.config / "state" / "records.sqlite", isolation_level=None)
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    database.execute("PRAGMA ignore_check_constraints = ON")
    for name, _sql in triggers:
        database.execute(f"DROP TRIGGER {name}")
    if not statements.startswith("DROP TRIGGER"):
        database.executescript(statements)
    for name, sql in triggers:
        if name not in statements:
            database.execute(sql)
    database.close()
    result = staffed.run("records", "check", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (1, False)
    assert any(finding in fault for fault in told["faults"]), told
    assert INSZ not in result.stdout
    assert "jansen01" not in result.stdout


def test_back_and_forth(shell: Shell) -> None:
    assert shell.json("records", "downgrade", "--to", "0004") == {
        "database": str(shell.config / "state" / "records.sqlite"),
        "before": REVISIONS[-1],
        "after": "0004",
    }
    assert "older" in shell.run("person", "list").stderr
    assert shell.json("records", "upgrade", "--to", "0005")["after"] == "0005"
    assert shell.json("records", "upgrade")["after"] == REVISIONS[-1]
    refused = shell.run("records", "downgrade", "--to", "0099")
    assert (refused.exit_code, "no revision below" in refused.stderr) == (1, True)
    assert "no schema" in shell.ok("records", "downgrade", "--to", "base")
    shell.ok("records", "upgrade")
    shell.ok("person", "add", "--name", "An Jansen", "--insz-file", "-", *ACT, given=INSZ)
    shell.ok("user-id", "add", "jansen01", "--insz-file", "-", "--institution", NORTH, *ACT, given=INSZ)
    lost = shell.run("records", "downgrade", "--to", "base")
    assert (lost.exit_code, "never deleted" in lost.stderr) == (2, True)
    assert len(shell.json("person", "list")) == 1
