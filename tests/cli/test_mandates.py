"""Mandates with a scope and an acceptance, the head official's word, and offices, by the command line."""

from __future__ import annotations

import datetime as dt

import pytest

from gateway.model import BRUSSELS
from tests.cli.conftest import ACT, INSZ, NORTH, UNDER, Shell


def fields(line: object, *names: str) -> tuple[object, ...]:
    assert isinstance(line, dict)
    return tuple(line[name] for name in names)


def test_a_mandate_with_a_scope_waits_for_its_holder(staffed: Shell) -> None:
    refused = staffed.run("mandate", "add", "--person", "jansen01", "--authorisation", "99/999", *ACT)
    assert (refused.exit_code, "not one of that institution" in refused.stderr) == (1, True)
    given = staffed.json("mandate", "add", "--person", "jansen01", "--authorisation", "24/123", "--to-accept", *ACT)
    assert fields(given, "mandate", "accepted") == (2, False)
    [_, listed] = staffed.json("mandate", "list")
    assert fields(listed, "authorisations", "accepted") == ("24/123", None)
    under = ("--on-behalf-of", "2", "--reason", "x")
    waits = staffed.run("user-id", "block", "admin01", *under)
    assert (waits.exit_code, "gateway mandate accept" in waits.stderr) == (1, True)
    staffed.ok("mandate", "accept", "2", *ACT)
    assert all(row["accepted"] for row in staffed.json("mandate", "list"))
    staffed.ok("user-id", "block", "admin01", *under)
    again = staffed.run("mandate", "accept", "2", *ACT)
    assert (again.exit_code, "accepted already" in again.stderr) == (1, True)


def test_to_end_the_last_mandate_says_what_that_means(staffed: Shell) -> None:
    staffed.ok("mandate", "add", "--person", "jansen01", *ACT)
    assert "the last one" not in staffed.ok("mandate", "end", "2", *ACT)
    said = staffed.ok("mandate", "end", "1", *ACT)
    assert f"nobody manages the people of {NORTH}" in said


@pytest.mark.parametrize("words", [("user-id", "end", "admin01"), ("person", "end", "--person", "admin01")])
def test_so_does_the_last_administrator_who_leaves(staffed: Shell, words: tuple[str, ...]) -> None:
    staffed.ok("mandate", "add", "--person", "jansen01", *ACT)
    assert "the last one" not in staffed.ok("user-id", "end", "jansen01", *ACT)
    assert "the last one" not in staffed.ok("user-id", "block", "admin01", *ACT)
    assert f"it was the last one in force: nobody manages the people of {NORTH}" in staffed.ok(*words, *ACT)


@pytest.mark.parametrize(
    "words",
    [("user-id", "block", "jansen01"), ("user-id", "end", "jansen01"), ("person", "end", "--person", "jansen01")],
)
def test_a_mandate_does_not_shut_out_who_gave_it(staffed: Shell, words: tuple[str, ...]) -> None:
    """As on the administrator's pages; the head official's own written act does."""
    (staffed.config / "roles.toml").write_text(
        f'[[role]]\nrole = "head_official"\ninsz = "{INSZ}"\ninstitution = "{NORTH}"\nfrom = 2024-01-01\nuntil = 2099-12-31\nact = "KSZ/1"\n'
    )
    refused = staffed.run(*words, *UNDER)
    assert (refused.exit_code, "is the head official's" in refused.stderr) == (1, True), refused.output
    assert [row["blocked"] for row in staffed.json("user-id", "list") if row["user_id"] == "jansen01"] == [False]
    staffed.ok(*words, *ACT)


def test_nothing_rests_on_a_document_of_tomorrow(staffed: Shell) -> None:
    """As on the head official's page."""
    today = dt.datetime.now(BRUSSELS).date()
    for days, code in ((1, 2), (0, 0)):
        date = str(today + dt.timedelta(days=days))
        word = ("--act", "HO/2026/2", "--act-date", date, "--reason", "by letter")
        done = staffed.run("mandate", "add", "--person", "jansen01", *word)
        assert (done.exit_code, "lies in the future" in done.stderr) == (code, days == 1)


def test_a_designation_is_confirmed_and_said_to_be_needed(staffed: Shell) -> None:
    staffed.ok(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *UNDER
    )
    staffed.ok("designation", "confirm", "1", *ACT)
    staffed.ok("designation", "recertify", "1", *UNDER)
    refused = staffed.run("designation", "confirm", "1", *ACT)
    assert (refused.exit_code, "needs no confirmation" in refused.stderr) == (1, True)
    acts = [line["act"] for line in staffed.lines() if line["kind"] == "administration"][-3:]
    assert acts == ["designation add", "designation confirm", "designation recertify"]
    line = staffed.lines()[-1]
    assert line["objects"]["after"][0]["kind"] == "recertified"


def test_what_lapses_soon_is_listed(staffed: Shell) -> None:
    staffed.ok(
        "designation", "add", "--person", "jansen01", "--authorisation", "24/123", "--use", "consultation", *UNDER
    )
    due = ("designation", "list", "--institution", NORTH, "--due")
    assert staffed.json(*due) == []
    staffed.ok("mandate", "end", "1", *ACT)
    [row] = staffed.json(*due)
    assert fields(row, "designation", "user_id", "mandate_ended") == (1, "jansen01", True)
    assert staffed.run("designation", "list", "--due").exit_code == 2


def test_an_office(staffed: Shell) -> None:
    granted = staffed.json("office", "add", "--person", "jansen01", "--office", "dpo", *ACT)
    assert fields(granted, "record", "office") == (1, "dpo")
    [row] = staffed.json("office", "list", "--institution", NORTH)
    assert fields(row, "record", "user_id", "office") == (1, "jansen01", "dpo")
    staffed.ok("office", "end", "1", *ACT)
    assert staffed.json("office", "list") == []


def test_a_mandate_for_some_authorisations_gives_and_takes_no_role_by_command_line(staffed: Shell) -> None:
    """A role opens whatever asks for it, and nothing on the command line says which of that the mandate is for."""
    role = staffed.json("role", "add", "--person", "jansen01", "--role", "DossierReader", *UNDER)["role"]
    scoped = staffed.json("mandate", "add", "--person", "admin01", "--authorisation", "24/123", *ACT)["mandate"]
    by = ["--on-behalf-of", str(scoped), "--reason", "asked"]
    for words in (["role", "end", str(role)], ["role", "add", "--person", "jansen01", "--role", "PensionReader"]):
        refused = staffed.run(*words, *by)
        assert (refused.exit_code, "takes a mandate for all" in refused.stderr) == (1, True)
    staffed.ok("role", "end", str(role), *UNDER)


@pytest.mark.parametrize("gift", [("mandate", "add"), ("office", "add", "--office", "dpo")])
def test_the_only_head_official_gives_themself_nothing(staffed: Shell, gift: tuple[str, ...]) -> None:
    """As on the head official's page. With a second one, the act is the second one's."""

    def head(insz: str) -> str:
        return f'[[role]]\nrole = "head_official"\ninsz = "{insz}"\ninstitution = "{NORTH}"\nfrom = 2024-01-01\nuntil = 2099-12-31\nact = "KSZ/1"\n'

    roles = staffed.config / "roles.toml"
    roles.write_text(head(INSZ))
    refused = staffed.run(*gift, "--person", "jansen01", *ACT)
    assert (refused.exit_code, "nobody gives themself anything" in refused.stderr) == (1, True), refused.output
    staffed.ok(*gift, "--person", "admin01", *ACT)
    roles.write_text(head(INSZ) + head("93051822361"))
    staffed.ok(*gift, "--person", "jansen01", *ACT)
