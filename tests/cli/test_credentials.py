"""What the gateway makes itself: a code card and a letter, shown once, on the screen or in a file."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from pathlib import Path

import pytest

from gateway.cli.paper_file import PaperFile
from gateway.credentials import activation, code_card
from gateway.errors import Conflict
from gateway.policy.settings import load_settings
from gateway.records import Login, RecordsDesk
from tests.cheap import cheap_hashes  # noqa: F401 - for every test here
from tests.cli.conftest import UNDER, Shell

ADD = ["credential", "add", "--person", "jansen01"]
CODE = re.compile(r"\b[2-9C-Y]{6}\b")


def stored(shell: Shell) -> list[tuple[str, bytes]]:
    database = sqlite3.connect(shell.config / "state" / "records.sqlite")
    rows = database.execute("SELECT kind, secret FROM credentials ORDER BY id").fetchall()
    database.close()
    return rows


def login(shell: Shell) -> tuple[Login, RecordsDesk]:
    async def work() -> tuple[Login, RecordsDesk]:
        desk = await RecordsDesk.open(load_settings(shell.config).records_settings)
        found = await desk.find_login("jansen01")
        await desk.close()
        assert found is not None
        return found, desk

    return asyncio.run(work())


def test_a_card_is_shown_once_and_works(staffed: Shell) -> None:
    said = staffed.ok(*ADD, "--kind", "code-card", *UNDER)
    numbered = {int(number): code for number, code in re.findall(r"\b(\d{1,2})  ([2-9C-Y]{6})\b", said)}
    assert sorted(numbered) == list(code_card.NUMBERS)
    assert "An Jansen" in said
    [(kind, secret)] = stored(staffed)
    assert kind == "code_card"
    _, desk = login(staffed)
    for number in (1, 24):
        code_card.verify(secret, desk.pepper, "jansen01", number, numbered[number])
    for place in (staffed.ok("credential", "list", "--all"), json.dumps(staffed.lines()), secret.decode()):
        assert not any(code in place for code in numbered.values())
    [row] = staffed.json("credential", "list")
    assert (row["kind"], row["actor"], row["on_behalf_of"], row["reason"]) == ("code_card", "shell", 1, "asked")
    line = staffed.lines()[-1]
    assert (line["act"], line["actor"], line["on_behalf_of"]) == ("credential add", "shell", 1)
    assert (line["objects"]["record"], line["objects"]["kind"]) == (1, "code_card")
    assert [(made["table"], made["id"]) for made in line["objects"]["after"]] == [("credentials", 1)]


def test_a_letter_is_shown_once_and_works(staffed: Shell) -> None:
    made = staffed.json(*ADD, "--kind", "activation", *UNDER)
    assert set(made) == {"credential", "user_id", "code"}
    assert re.fullmatch(r"[2-9C-Y]{4}(-[2-9C-Y]{4}){3}", made["code"])
    who, desk = login(staffed)
    assert who.activation == made["credential"]
    activation.verify(who.activation_hash, desk.pepper, "jansen01", made["code"], who.activation_until, 0.0)
    assert made["code"] not in json.dumps(staffed.lines())


def test_a_new_one_voids_the_old_one(staffed: Shell) -> None:
    for kind in ("code-card", "activation"):
        for _ in range(2):
            staffed.ok(*ADD, "--kind", kind, *UNDER)
    rows = staffed.json("credential", "list", "--all")
    assert [(row["kind"], row["ended"] is None) for row in rows] == [
        ("code_card", False),
        ("code_card", True),
        ("activation", False),
        ("activation", True),
    ]


@pytest.mark.parametrize("kind", ["code-card", "activation"])
def test_in_a_file_that_only_its_owner_reads(staffed: Shell, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "paper.pdf"
    said = staffed.ok(*ADD, "--kind", kind, "--pdf", str(path), *UNDER)
    assert path.read_bytes().startswith(b"%PDF-")
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(path) in said
    assert not CODE.search(said)
    assert [each.name for each in tmp_path.iterdir() if "paper" in each.name] == ["paper.pdf"]


def test_a_file_that_is_there_is_not_written_over(staffed: Shell, tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_text("another letter, not printed yet")
    result = staffed.run(*ADD, "--kind", "activation", "--pdf", str(path), *UNDER)
    assert (result.exit_code, stored(staffed)) == (1, [])
    assert "is there already" in result.stderr
    assert path.read_text() == "another letter, not printed yet"


def test_a_place_that_cannot_be_written(staffed: Shell, tmp_path: Path) -> None:
    """Nothing is made that nobody would see."""
    result = staffed.run(*ADD, "--kind", "activation", "--pdf", str(tmp_path / "none" / "paper.pdf"), *UNDER)
    assert (result.exit_code, stored(staffed)) == (1, [])
    assert "cannot be written" in result.stderr


def test_no_file_when_the_records_say_no(staffed: Shell, tmp_path: Path) -> None:
    """The administrator's own means: another one must act."""
    path = tmp_path / "paper.pdf"
    result = staffed.run("credential", "add", "--person", "admin01", "--kind", "activation", "--pdf", str(path), *UNDER)
    assert result.exit_code == 1
    assert "nobody administers their own means" in result.stderr
    assert not any("paper" in each.name for each in tmp_path.iterdir())


def test_a_paper_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"

    def refused() -> None:
        with PaperFile(path, lambda: b"content"):
            assert not path.exists()
            raise Conflict("no")

    with pytest.raises(Conflict, match="no"):
        refused()
    assert list(tmp_path.iterdir()) == []
    with PaperFile(path, lambda: b"content"):
        pass
    assert path.read_bytes() == b"content"
    with PaperFile(None, lambda: b"content"):
        pass
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([*ADD, "--kind", "code-card", "--password-file", "-"], 2, "one of them"),
        ([*ADD, "--password-file", "-", "--pdf", "x.pdf"], 2, "--pdf goes with --kind"),
        ([*ADD, "--kind", "paper"], 2, "code-card"),
        (["credential", "add", "--person", "nobody01", "--kind", "code-card"], 1, "does not exist"),
    ],
)
def test_wrong_use(staffed: Shell, arguments: list[str], code: int, says: str) -> None:
    result = staffed.run(*arguments, *UNDER)
    assert result.exit_code == code
    assert says in result.stderr
    assert stored(staffed) == []
