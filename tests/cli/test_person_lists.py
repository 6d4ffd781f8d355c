"""Lists by the command line: the same checks as on the pages, a dry run, whole or nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import NORTH, SOUTH, UNDER, Shell

LIST = """user_id;insz;name;language;authorisation;uses
bo.peeters;01490700185;Bo Peeters;nl;24/123;consultation
celik.dhondt;81050003552;Çelik D'Hondt;fr;;
"""
OF = ("--institution", NORTH, *UNDER)


def test_a_list_is_checked_and_brought_in(staffed: Shell, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(LIST, encoding="utf-8-sig")
    before = len(staffed.lines())
    assert staffed.ok("person", "import", str(file), *OF, "--dry-run").startswith(
        "would add 2 user IDs, 1 designations"
    )
    assert len(staffed.lines()) == before
    assert staffed.json("person", "import", str(file), *OF) == {
        "done": True, "user_ids": 2, "designations": 1, "roles": 0, "nothing": 0, "alike": {},
    }  # fmt: skip
    acts = [line["act"] for line in staffed.lines() if line["kind"] == "administration"][-5:]
    assert acts == ["person add", "user-id add", "designation add", "person add", "user-id add"]
    [designation] = staffed.json("designation", "list", "--person", "bo.peeters")
    assert (designation["on_behalf_of"], designation["actor"]) == (1, "shell")
    exported = staffed.ok("person", "export", "--institution", NORTH)
    assert ";Bo Peeters;bo.peeters;nl;24/123;consultation;" in exported
    assert "01490700185" not in exported
    again = staffed.json("person", "import", "-", *OF, given=exported)
    assert (again["user_ids"], again["designations"], again["roles"]) == (0, 0, 0)


def test_who_may_be_there_already_is_told(staffed: Shell) -> None:
    said = staffed.run("person", "import", "-", *OF, "--dry-run", given=LIST.replace("Bo Peeters", "An JÁNSEN"))
    assert (said.exit_code, "Note: row 2 may be the person of jansen01 once more" in said.stderr) == (0, True)


def test_every_fault_is_printed_and_nothing_is_done(staffed: Shell) -> None:
    wrong = LIST.replace("24/123", "99/999").replace("81050003552", "81050003553")
    done = staffed.run("person", "import", "-", *OF, "--json", given=wrong)
    assert done.exit_code == 1
    assert [(row["row"], row["column"]) for row in json.loads(done.stdout)] == [(2, "authorisation"), (3, "insz")]
    assert "81050003553" not in done.output
    assert [row for row in staffed.json("person", "list") if row["name"] == "Bo Peeters"] == []
    assert staffed.run("person", "import", "-", *OF, given="nothing\n").exit_code == 1
    assert staffed.run("person", "import", "/no/such/file", *OF).exit_code == 2
    assert staffed.run("person", "import", "-", "--institution", SOUTH, *UNDER, given=LIST).exit_code == 1
    assert staffed.run("person", "import", "-", "--institution", "1", *UNDER, given=LIST).exit_code == 2
