"""`gateway explain` on the example configuration, with records in a real database."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import explain
from gateway.decision.criteria import BY_PLACE
from gateway.decision.places import Place
from gateway.decision.suspensions import Scope, Suspended
from gateway.errors import TableError
from gateway.ledger.line import ZERO_LEAF, compose, leaf, moment, serialise
from gateway.model import BRUSSELS, Channel, Use, Validity
from gateway.policy.refusals import code_of
from gateway.policy.release import load_release
from gateway.policy.settings import load_settings
from gateway.records import Act, By, Records, upgrade_schema
from gateway.records.switch import Suspension, Switch
from tests.cli.conftest import refused_in_place

REPOSITORY = Path(__file__).parents[2]
MADE = dt.datetime(2026, 1, 5, 9, 0, tzinfo=BRUSSELS).timestamp()
AT = "2026-06-15T10:00"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example configuration, a person who is designated for `dossier`, and one who is designated for nothing."""
    directory = tmp_path_factory.mktemp("explain") / "config"
    shutil.copytree(REPOSITORY / "config", directory, ignore=shutil.ignore_patterns("state", "keys", "certs"))
    settings = load_settings(directory)
    settings.records.key.parent.mkdir(parents=True)
    settings.records.key.write_bytes(bytes(32))
    upgrade_schema(settings.records_settings)
    asyncio.run(_people(directory))
    return directory


async def _people(directory: Path) -> None:
    settings = load_settings(directory)
    snapshot = load_release(settings, MADE).snapshot
    regulation = snapshot.regulation(MADE)
    assert regulation is not None
    by = By("shell", "for the test", act=Act("HO-1", dt.date(2026, 1, 5)))
    records = await Records.open(settings.records_settings, clock=lambda: MADE)
    try:
        for user_id, insz in (("jansen01", "85073003328"), ("peeters01", "17073003384")):
            person = await records.add_person(insz, f"Person {user_id}", by, MADE)
            await records.add_user_id(user_id, person, "0403019261", "nl", by, MADE, Validity(MADE))
            await records.accept_regulation(user_id, regulation.version, regulation.sha256, MADE)
        await records.add_designation("jansen01", snapshot.by_reference["24/123"], set(Use), by, MADE)
        await records.add_role("jansen01", "DossierReader", by, MADE)
    finally:
        await records.close()


def run(config: Path, *arguments: str, at: str = AT) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    explain.register(app)
    moment = ("--at", at) if at else ()
    return CliRunner().invoke(app, ["explain", "--config", str(config), *moment, *arguments])


def answer(config: Path, *arguments: str, at: str = AT) -> tuple[int, dict[str, object]]:
    result = run(config, *arguments, "--json", at=at)
    return result.exit_code, json.loads(result.stdout)


MINE = ("--person", "jansen01", "--transaction", "dossier")


@pytest.mark.parametrize(("code", "arguments"), [
    ("permitted", MINE),
    ("permitted", (*MINE, "--means", "token")),
    ("permitted", (*MINE, "--method", "POST", "--path", "/search")),
    ("permitted", (*MINE, "--method", "put", "--path", "/dossiers/85073003328")),
    ("permitted", (*MINE, "--websocket", "--path", "/live")),
    ("permitted", (*MINE, "--path", "/list?page=2")),
    ("means_too_weak", (*MINE, "--means", "password")),
    ("means_too_weak", (*MINE, "--method", "PUT", "--path", "/dossiers/1", "--means", "token")),
    ("use_not_covered", (*MINE, "--method", "DELETE", "--path", "/list")),
    ("use_not_covered", (*MINE, "--websocket", "--path", "/list")),
    ("not_authorised", ("--person", "jansen01", "--transaction", "pension")),
    ("not_designated", ("--person", "peeters01", "--transaction", "dossier")),
])  # fmt: skip
def test_verdict(config: Path, code: str, arguments: tuple[str, ...]) -> None:
    status, said = answer(config, *arguments)
    assert said["reason"] == code
    assert said["permitted"] is (code == "permitted")
    assert status == (0 if code == "permitted" else 1)


@pytest.mark.parametrize(("code", "at"), [
    ("designation_ended", "2028-06-30T23:59:59"),
    ("expired", "2028-07-01"),
    ("expired", "2028-06-30T22:00:00+00:00"),
    ("designation_ended", "2028-06-30T21:59:59+00:00"),
])  # fmt: skip
def test_the_clock_moves_in_brussels(config: Path, code: str, at: str) -> None:
    # Nobody confirmed the designation for so long; once the authorisation has ended, that is the first thing that is wrong.
    assert answer(config, *MINE, at=at)[1]["reason"] == code


def test_every_check_is_told_with_its_clause(config: Path) -> None:
    _, said = answer(config, *MINE, "--means", "password", "--method", "PUT", "--path", "/dossiers/1")
    rows = BY_PLACE[Place.TRANSACTION, Channel.USER]
    steps = said["steps"]
    assert isinstance(steps, list)
    assert [(step["check"], step["clause"]) for step in steps] == [(row.name, row.clause) for row in rows]
    assert [step["reason"] for step in steps if step["met"] is False] == ["means_too_weak"]
    assert said["by_means"] == {
        "password": "means_too_weak", "token": "means_too_weak", "itsme": "means_too_weak", "eid": "permitted",
    }  # fmt: skip
    assert (said["authorisation"], said["use"], said["mender"]) == ("24/123", "communication", "person")
    assert said["table"] == load_release(load_settings(config), MADE).snapshot.hash


def test_what_an_earlier_refusal_leaves_open_is_not_reached(config: Path) -> None:
    _, said = answer(config, "--person", "peeters01", "--transaction", "dossier")
    steps = said["steps"]
    assert isinstance(steps, list)
    met = {step["check"]: step["met"] for step in steps}
    assert met["the person is designated by name, under a mandate"] is False
    assert met["the person has the user-management role"] is False
    assert met["the person is designated for this use"] is None
    assert met["the means of authentication is agreed and strong enough"] is True
    assert said["shown"] == "not_for_you"


def test_the_readable_form(config: Path) -> None:
    result = run(config, "--person", "peeters01", "--transaction", "dossier")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert any(line.startswith("  met          B3  the connection is HTTPS") for line in lines)
    assert any(line.startswith("  NOT MET      P4") and "not_designated" in line for line in lines)
    assert any(line.startswith("  not reached  P4") for line in lines)
    assert "Who can mend it: local administrator." in result.stdout
    assert "The person is not told the reason" in result.stdout
    assert "peeters01" in result.stdout
    assert "Person peeters01" not in result.stdout
    assert "17073003384" not in result.stdout
    permitted = run(config, *MINE)
    assert permitted.exit_code == 0
    assert "Permitted\n" in permitted.stdout
    assert "By means: password means_too_weak, token permitted, itsme permitted, eid permitted" in permitted.stdout
    told = run(config, *MINE, "--means", "password")
    assert "The person is not told" not in told.stdout


@pytest.mark.parametrize(("words", "arguments"), [
    ("There are: career, dossier, library, pension", ("--person", "jansen01", "--transaction", "dosier")),
    ("no user ID 'nobody01'", ("--person", "nobody01", "--transaction", "dossier")),
    ("does not begin with '/'", (*MINE, "--path", "list")),
    ("dot segment", (*MINE, "--path", "/a/../b")),
    ("Write it like 2026-06-15T10:00", (*MINE, "--at", "yesterday")),
    ("From 2000 to 9998", (*MINE, "--at", "0001-01-01")),
    ("From 2000 to 9998", (*MINE, "--at", "9999-12-31T23:59")),
    ("2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00", (*MINE, "--at", "2026-10-25T02:30")),
    ("2027-03-28T03:30:00+02:00 or 2027-03-28T01:30:00+01:00", (*MINE, "--at", "2027-03-28T02:30")),
    ("retina", (*MINE, "--means", "retina")),
])  # fmt: skip
def test_wrong_use_says_what_to_do_and_exits_2(config: Path, words: str, arguments: tuple[str, ...]) -> None:
    result = run(config, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "jansen01" not in result.stderr
    assert "peeters" not in result.stderr


def test_without_a_time_it_is_now(config: Path) -> None:
    _, said = answer(config, *MINE, at="")
    at = dt.datetime.fromisoformat(str(said["at"]))
    assert abs((dt.datetime.now(dt.UTC) - at).total_seconds()) < 60


# --- evidence of a line ------------------------------------------------------------------------------------------------------


def with_line(config: Path, **members: object) -> str:
    """A ledger with one decision, which has this evidence; its reference."""
    reference = "000G40R40M30E2099"
    line = compose(
        "user-0", 0, ZERO_LEAF, moment(MADE), serialise({"kind": "decision", "id": reference, "reason": "x", **members})
    )
    directory = load_settings(config).ledger.directory / "request"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / f"user-0-{0:020}.jsonl").write_bytes(line + b"\n")
    return reference


SCORE = {"score": 120.0, "parts": {"no_fetch_metadata": 100.0, "no_accept_language": 20.0}, "since": MADE}


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("doubtful_client", {"evidence": SCORE}),
        ("permitted", {"evidence": SCORE | {"answered": True}}),
        ("permitted", {"evidence": SCORE | {"score": 99.9}}),
        ("permitted", {"evidence": SCORE | {"score": 0.0, "parts": {}, "reported": {"many_connections": 500.0}}}),
        ("session_moved", {"evidence": SCORE | {"moved": True, "answered": True}}),
        ("permitted", {"evidence": SCORE | {"moved_reported": True, "answered": True}}),
        ("too_fast", {"too_fast": ["dossier"]}),
        ("permitted", {}),
    ],
)
def test_the_evidence_of_a_line(config: Path, code: str, members: dict[str, object]) -> None:
    status, said = answer(config, *MINE, "--evidence", with_line(config, **members))
    assert (said["reason"], status) == (code, 0 if code == "permitted" else 1)
    told = said["evidence"]
    assert isinstance(told, dict)
    assert told["threshold"] == 100.0
    evidence = members.get("evidence", {"score": 0.0, "parts": {}})
    assert isinstance(evidence, dict)
    assert (told["score"], told["parts"]) == (evidence["score"], evidence["parts"])


def test_the_score_and_its_parts_in_the_readable_form(config: Path) -> None:
    reference = with_line(
        config,
        evidence=SCORE
        | {"reported": {"many_connections": 7.5}, "moved": True, "moved_reported": True, "answered": True},
    )
    text = run(config, *MINE, "--evidence", f"{reference[:4]}-{reference[4:]}".lower()).stdout
    assert "  NOT MET      I4  the client is the one that the session was given to: session_moved" in text
    assert (
        "Evidence: 120 of the 100 points that ask who is there (no_fetch_metadata 100, no_accept_language 20)"
        "; only reported: many_connections 7.5; answered by an authentication shortly before"
        "; the session moved to another client; the session moved to another client (only reported)"
    ) in text
    assert "Evidence" not in run(config, *MINE).stdout


def test_a_line_that_is_not_there(config: Path) -> None:
    with_line(config)
    for reference, what in (("3TWA-90BT-VBXT-95SA-V", "no decision in"), ("nonsense", "--evidence: ")):
        result = run(config, *MINE, "--evidence", reference)
        assert result.exit_code == 2
        assert what in result.stderr


@pytest.fixture(scope="module")
def office(config: Path) -> Path:
    """The same, with hours, days and networks for what is communicated."""
    directory = config.with_name("office")
    shutil.copytree(config, directory)
    file = directory / "authorisations/24-123.toml"
    context = '[use.context]\nnetworks = ["192.0.2.0/24", "2001:db8::/48"]\nhours = "07:00-19:00"\ndays = "working"\n'
    file.write_text(file.read_text() + context)
    return directory


WRITING = (*MINE, "--method", "PUT", "--path", "/dossiers/1")


@pytest.mark.parametrize(("code", "outside", "at", "arguments"), [
    ("permitted", [], AT, WRITING),
    ("permitted", [], AT, (*WRITING, "--address", "2001:db8::17")),
    ("outside_context", ["networks"], AT, (*WRITING, "--address", "198.51.100.17")),
    ("outside_context", ["hours"], "2026-06-15T19:00", WRITING),
    ("outside_context", ["hours", "days"], "2026-06-14T22:00", WRITING),
    ("outside_context", ["days"], "2026-05-25T10:00", WRITING),
    ("outside_context", ["networks", "hours", "days"], "2026-04-06T06:59", (*WRITING, "--address", "::1", "--means", "token")),
])  # fmt: skip
def test_where_and_when(office: Path, code: str, outside: list[str], at: str, arguments: tuple[str, ...]) -> None:
    exit_code, told = answer(office, *arguments, at=at)
    assert (told["reason"], exit_code) == (code, int(code != "permitted"))
    context = told["context"]
    assert isinstance(context, dict)
    assert context == {
        "networks": ["192.0.2.0/24", "2001:db8::/48"],
        "hours": "07:00-19:00",
        "days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "public_holidays": False,
        "outside": outside,
    }


def test_where_and_when_in_the_readable_form(office: Path) -> None:
    text = run(office, *WRITING, at="2026-06-14T22:00").stdout
    assert "NOT MET      I2  the place and the time are those of the authorisation: outside_context" in text
    assert (
        "Context: from 192.0.2.0/24, 2001:db8::/48 (supposed: from 192.0.2.0); 07:00-19:00, the time in Brussels; "
        "monday, tuesday, wednesday, thursday, friday, no public holidays. Outside its hours and its days." in text
    )
    assert "Context" not in run(office, *MINE).stdout
    assert answer(office, *MINE)[1]["context"] is None
    wrong = run(office, *WRITING, "--address", "office")
    assert (wrong.exit_code, "--address 'office' is no address" in wrong.stderr) == (2, True)


# --- by what, by whom, and when


def by(said: dict[str, object], check: str) -> list[str]:
    steps = said["steps"]
    assert isinstance(steps, list)
    return next(step["by"] for step in steps if step["check"] == check)


def test_each_check_names_the_file_or_record_behind_it(config: Path) -> None:
    _, said = answer(config, *MINE)
    assert by(said, "the institution is authorised for this transaction, now") == ["authorisations/24-123.toml"]
    assert by(said, "the person is designated by name, under a mandate") == ["user ID jansen01", "designation 1"]
    assert by(said, "the person has the user-management role") == ["transactions/dossier.toml", "role 1"]
    told = run(config, "--person", "peeters01", "--transaction", "dossier").stdout
    assert "can be mended by: local administrator" in told
    assert "[authorisations/24-123.toml]" in told


def test_a_suspension_counts_and_is_named(config: Path, tmp_path: Path) -> None:
    directory = tmp_path / "config"
    shutil.copytree(config, directory)
    switch = Switch(load_settings(directory).switch_directory)
    switch.make()
    entry = Suspended("20260615-00000001", Scope.TRANSACTION, "dossier")
    switch.write(Suspension(entry, "for the test", "shell", MADE))
    _, said = answer(directory, *MINE)
    assert (said["reason"], said["suspended_by"], said["mender"]) == ("suspended_by_ksz", "20260615-00000001", "KSZ")
    (switch.directory / "20260615-00000001.json").write_text("?")
    _, unreadable = answer(directory, *MINE)
    assert (unreadable["reason"], unreadable["suspended_by"]) == ("suspended_by_ksz", "unreadable")


def test_a_past_moment_is_by_what_was_known_then_and_says_what_cannot_be_known(config: Path) -> None:
    before = run(config, *MINE, at="2026-01-04")
    assert before.exit_code == 2
    assert "jansen01 was not in the records yet at 2026-01-04 00:00" in before.stderr
    _, said = answer(config, *MINE)
    assert any("which table was in force then cannot be known" in note for note in said["notes"])  # type: ignore[attr-defined]
    assert "Note: which table" in run(config, *MINE).stderr


# --- whatever lies in the place of the release


@pytest.fixture
def signed(config: Path, tmp_path: Path) -> Path:
    """The same with a release that two people signed, which serves; and in its place lies something else by now."""
    directory = tmp_path / "config"
    shutil.copytree(config, directory)
    shutil.rmtree(directory / "state" / "ledger", ignore_errors=True)
    refused_in_place(directory)
    Switch(load_settings(directory).switch_directory).make()
    return directory


def ran(config: Path, *lines: tuple[str, str]) -> None:
    """A ledger whose lines say which table ran at these moments."""
    prev, content = ZERO_LEAF, b""
    for n, (day, table) in enumerate(lines):
        at = dt.datetime.fromisoformat(day).replace(tzinfo=BRUSSELS).timestamp()
        line = compose("user-0", n, prev, moment(at), serialise({"kind": "decision", "id": f"{n}", "table": table}))
        prev, content = leaf(line), content + line + b"\n"
    directory = load_settings(config).ledger.directory / "request"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / f"user-0-{0:020}.jsonl").write_bytes(content)


def test_by_the_release_that_serves_whatever_lies_in_its_place(signed: Path) -> None:
    status, said = answer(signed, *MINE, at="")
    assert (status, said["reason"]) == (1, "designation_ended")
    [kept] = (signed / "state" / "releases").glob("*.json")
    assert said["table"] == kept.stem
    assert "is refused (malformed; gateway check says why): this is by release 11" in str(said["notes"])
    assert "Note: what lies where table.release says" in run(signed, *MINE, at="").stderr


def test_a_time_without_a_table_permitted_nothing(signed: Path) -> None:
    """Whatever ran before and after."""
    [kept] = (signed / "state" / "releases").glob("*.json")
    for lines, doubt in (((("2026-06-15", ""), ("2026-06-16", "")), 0), ((("2026-06-15", ""),), 1)):
        ran(signed, ("2026-06-14", kept.stem), *lines, ("2026-06-17", kept.stem))
        status, said = answer(signed, *MINE)
        assert (status, said["reason"], said["table"]) == (1, "table_unavailable", "")
        notes = str(said["notes"])
        assert "had no good table then" in notes
        assert notes.count("is not certain") == doubt


def test_a_past_moment_needs_nothing_of_what_lies_there_now(signed: Path) -> None:
    [kept] = (signed / "state" / "releases").glob("*.json")
    ran(signed, ("2026-06-14", kept.stem), ("2026-06-16", kept.stem))
    for file in (signed / "root.json", *(signed / "state").rglob("*.tar")):
        file.unlink()  # so nothing serves here
        status, said = answer(signed, *MINE)
        assert (status, said["reason"], said["notes"], said["table"]) == (0, "permitted", [], kept.stem)
    # The same release before and after says nothing about a time without one.
    ran(signed, ("2026-06-14", kept.stem), ("2026-06-15", ""), ("2026-06-16", kept.stem))
    refused = run(signed, *MINE).exception
    assert isinstance(refused, TableError)
    # Where only the table of now could tell, it says what is wrong with that one.
    raised = run(signed, *MINE, at="2026-06-01").exception
    assert isinstance(raised, TableError)
    assert code_of(raised) == "no_trusted_root"
