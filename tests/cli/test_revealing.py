"""Names on a shell: what `gateway table diff` tells of persons, and to whom (`gateway access`: tests/cli/test_access.py)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import build
from tests.cli.conftest import Shell
from tests.cli.test_access import designated


def run(*words: str) -> Result:
    return CliRunner().invoke(build(["table"]), ["table", *words], prog_name="gateway")


def test_names_are_for_the_auditor_alone(staffed: Shell, tmp_path: Path) -> None:
    designated(staffed)
    new = shutil.copytree(staffed.config, tmp_path / "new", ignore=shutil.ignore_patterns("state", "auditor"))
    file = new / "authorisations/24-123.toml"
    file.write_text(file.read_text().replace('status = "active"', 'status = "suspended"'))
    words = ("diff", str(staffed.config), str(new), "--config", str(staffed.config))
    assert "user ID jansen01 (0403019261) loses dossier (consultation)" in run(*words).stdout
    assert "An Jansen" not in run(*words).output + run(*words, "--json").output
    key = ("--auditor-key", str(next(staffed.config.rglob("auditor-person-private.pem"))))
    before = len(staffed.lines())
    for wrong in (key, (*key, "--reason", " "), (*key, "--reason", "x", "--no-records")):
        refused = run(*words, *wrong)
        assert (refused.exit_code, "An Jansen" in refused.output, len(staffed.lines())) == (2, False, before)
    named = run(*words, *key, "--reason", "review of release 12")
    assert "user ID jansen01, An Jansen (0403019261) loses dossier (consultation)" in named.stdout
    line = staffed.lines()[-1]
    assert (line["act"], line["actor"], line["reason"]) == ("table diff reveal", "shell", "review of release 12")
    assert sorted(line["objects"]) == ["new", "old"]
    [person] = json.loads(run(*words, *key, "--reason", "x", "--json").stdout)["persons"]
    assert (person["user_id"], person["name"]) == ("jansen01", "An Jansen")
