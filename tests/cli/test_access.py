"""`gateway access`: who could and who did; user IDs on a shell, and names only with the auditor's key and a reason."""

from __future__ import annotations

import csv
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import typer
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import access
from gateway.decision import decide
from gateway.decision.supposing import suppose, using
from gateway.ledger import CliLedger
from gateway.ledger.record import decision_record
from gateway.model import BRUSSELS, Acceptance, Designation, Means, Role, Use, UserRecords, Validity
from gateway.policy.release import load_release
from gateway.policy.settings import load_settings
from tests.cli.conftest import ACT, INSZ, NORTH, UNDER, Shell

COULD = (
    "user_id",
    "institution",
    "transaction",
    "use",
    "authorisation",
    "designation",
    "mandate",
    "role",
    "means",
    "until",
    "first",
)


def run(shell: Shell, *arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    access.register(app)
    return CliRunner().invoke(app, ["access", *arguments, "--config", str(shell.config)], catch_exceptions=False)


def told(shell: Shell, *arguments: str) -> dict[str, Any]:
    result = run(shell, *arguments, "--json")
    assert result.exit_code in (0, 1), result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def designated(shell: Shell) -> None:
    shell.ok("designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *ACT)
    shell.ok("role", "add", "--person", "jansen01", "--role", "DossierReader", *UNDER)


def use(shell: Shell, user_id: str, at: float) -> None:
    """The line of a request that was permitted, as a process that serves writes it."""
    settings = load_settings(shell.config)
    snapshot = load_release(settings, at).snapshot
    transaction, regulation, always = snapshot.transactions["dossier"], snapshot.regulation(at), Validity(0.0)
    assert regulation is not None
    user = UserRecords(
        user_id,
        1,
        INSZ,
        "An Jansen",
        NORTH,
        "nl",
        always,
        False,
        {"24/123": (Designation(1, "24/123", frozenset(Use), always, 0.0, None, confirmed=True),)},
        {"DossierReader": (Role(1, "DossierReader", always),)},
        {regulation.version: Acceptance(1, regulation.version, regulation.sha256, 0.0)},
    )
    facts = using(suppose(transaction, user, "/", "GET", Means.EID, at), transaction, Use.CONSULTATION, snapshot)
    assert facts is not None
    decision = decide(facts, snapshot)
    assert decision.permitted
    with CliLedger(settings.ledger_settings) as ledger:
        sealer = ledger.sealer
        who, client = sealer.person(user_id, INSZ), sealer.address("192.0.2.7")
        ledger.write(decision_record(ledger.references(), facts, decision, snapshot, client=client, user=who))


def test_who_could(staffed: Shell) -> None:
    assert run(staffed, "--transaction", "dossier").exit_code == 1
    designated(staffed)
    found = told(staffed, "--transaction", "dossier")
    [one] = found["could"]
    assert tuple(one) == COULD
    assert (one["user_id"], one["use"], one["authorisation"], one["role"]) == (
        "jansen01",
        "consultation",
        "24/123",
        "DossierReader",
    )
    assert one["first"] == ["regulation_not_accepted"]
    assert found["could"] == told(staffed, "--person", "jansen01")["could"]
    assert not told(staffed, "--person", "admin01")["could"]
    staffed.ok("user-id", "block", "jansen01", *UNDER)
    assert not told(staffed, "--transaction", "dossier")["could"]


def test_until_when_is_when_it_really_ends(staffed: Shell) -> None:
    """Also with the role, which no date of the designation or the authorisation says."""
    last = dt.datetime.now(BRUSSELS).date() + dt.timedelta(days=20)
    staffed.ok("designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *ACT)
    staffed.ok("role", "add", "--person", "jansen01", "--role", "DossierReader", "--until", str(last), *UNDER)
    [one] = told(staffed, "--transaction", "dossier")["could"]
    ends = dt.datetime.fromisoformat(one["until"])
    assert ends == dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), BRUSSELS)
    moments = (ends - dt.timedelta(seconds=1), ends)
    assert [len(told(staffed, "--person", "jansen01", "--at", at.isoformat())["could"]) for at in moments] == [1, 0]


def test_before_it_was_recorded_nobody_could(staffed: Shell) -> None:
    designated(staffed)
    found = told(staffed, "--transaction", "dossier", "--at", "2026-06-15")
    assert not found["could"]
    assert any("cannot be known" in note for note in found["notes"])


def test_a_person_who_was_not_there_yet_is_not_called_unknown(staffed: Shell) -> None:
    result = run(staffed, "--person", "jansen01", "--at", "2020-01-01")
    assert (result.exit_code, "jansen01 was not in the records yet at 2020-01-01 00:00" in result.stderr) == (2, True)


def test_the_hour_that_comes_twice_is_told_apart(staffed: Shell) -> None:
    for offset in ("+02:00", "+01:00"):
        asked = run(staffed, "--transaction", "dossier", "--at", f"2026-10-25T02:30{offset}")
        assert asked.stdout.startswith(f"2026-10-25 02:30 {offset.replace(':', '')} Europe/Brussels")


def test_who_did_and_names_for_the_auditor_alone(staffed: Shell, tmp_path: Path) -> None:
    designated(staffed)
    use(staffed, "jansen01", time.time())
    use(staffed, "long.gone", time.time())
    without = run(staffed, "--transaction", "dossier", "--csv", str(tmp_path / "found.csv"))
    assert without.exit_code == 0
    assert "An Jansen" not in without.stdout + (tmp_path / "found.csv").read_text()
    assert INSZ not in without.stdout + (tmp_path / "found.csv").read_text()
    assert sorted(one["user_id"] for one in told(staffed, "--transaction", "dossier")["did"]) == ["?", "jansen01"]
    key = next(staffed.config.rglob("auditor-person-private.pem"))
    refused = run(staffed, "--transaction", "dossier", "--auditor-key", str(key))
    assert (refused.exit_code, "--reason" in refused.stderr) == (2, True)
    named = told(staffed, "--transaction", "dossier", "--auditor-key", str(key), "--reason", "complaint 2026/17")
    assert sorted((one["user_id"], one["name"], one["insz"]) for one in named["did"]) == [
        ("jansen01", "An Jansen", INSZ),
        ("long.gone", "", INSZ),
    ]
    assert [one["name"] for one in named["could"]] == ["An Jansen"]
    line = staffed.lines()[-1]
    assert (line["act"], line["reason"], line["objects"]) == (
        "access reveal",
        "complaint 2026/17",
        {"transaction": "dossier"},
    )


def test_a_file_for_a_spreadsheet(staffed: Shell, tmp_path: Path) -> None:
    designated(staffed)
    file = tmp_path / "found.csv"
    assert run(staffed, "--transaction", "dossier", "--csv", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    asked, note, *rows = csv.DictReader(file.read_text("utf-8-sig").splitlines(), delimiter=";")
    assert (asked["answer"], asked["transaction"], asked["at"][:4], len(asked["table"])) == (
        "asked",
        "dossier",
        str(dt.datetime.now(BRUSSELS).year),
        64,
    )
    assert [(row["answer"], row["user_id"], row["means"], row["name"]) for row in rows] == [
        ("could", "jansen01", "token itsme eid", "")
    ]
    assert (note["answer"], "suspensions" in note["note"]) == ("note", True)  # no gateway ran here yet
    assert run(staffed, "--transaction", "dossier", "--csv", str(file)).exit_code == 2
    # Of a moment at which nobody could, it says which, and what is not known of it.
    past = tmp_path / "past.csv"
    assert run(staffed, "--transaction", "dossier", "--at", "2026-06-15", "--csv", str(past)).exit_code == 1
    asked, *notes = csv.DictReader(past.read_text("utf-8-sig").splitlines(), delimiter=";")
    assert (asked["at"], {note["answer"] for note in notes}) == ("2026-06-15 00:00", {"note"})
    assert any("cannot be known" in note["note"] for note in notes)


def test_wrong_use(staffed: Shell, tmp_path: Path) -> None:
    for arguments, said in (
        ((), "name one"),
        (("--transaction", "dossier", "--person", "jansen01"), "name one"),
        (("--transaction", "nothing"), "no transaction"),
        (("--person", "nobody01"), "no user ID"),
        (("--transaction", "dossier", "--at", "0001-01-01"), "nothing is known of that year"),
        (("--transaction", "dossier", "--days", "inf"), "--days"),
        (("--person", "jansen01", "--auditor-key", str(tmp_path / "none.pem"), "--reason", "x"), "cannot be read"),
    ):
        result = run(staffed, *arguments)
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
