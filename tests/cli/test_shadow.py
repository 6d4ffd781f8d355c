"""`gateway shadow` without a gateway that runs; with one: tests/end_to_end/test_shadow.py."""

from __future__ import annotations

import json
import shutil
import time
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.app.shadow import read_loaded
from gateway.cli import build
from gateway.cli.init import make_configuration
from tests.end_to_end.signing import Ksz


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shadow")
    make_configuration(directory / "config", time.time())
    return directory


@pytest.fixture
def at(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "at")


def run(at: Path, *words: str) -> Result:
    command = ["shadow", *words, "--config", str(at / "config")]
    return CliRunner().invoke(build(["shadow"]), command, prog_name="gateway")


def lines(at: Path) -> list[dict[str, Any]]:
    files = (at / "config" / "state" / "ledger").rglob("cli-*.jsonl")
    found = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return sorted((line for line in found if line["kind"] == "administration"), key=itemgetter("time"))


def test_a_directory_where_the_table_is_unsigned(at: Path) -> None:
    result = run(at, "load", str(at / "config"))
    assert result.exit_code == 0, result.output
    loaded = read_loaded(at / "config" / "state" / "shadow")
    assert loaded is not None
    assert (at / "config" / "state" / "shadow" / f"{loaded.table}.json").exists()
    assert not (at / "config" / "state" / "releases").exists()
    assert run(at, "report").stdout.endswith("0 decisions: 0 the same, 0 different, 0 not decided\n")
    said = json.loads(run(at, "report", "--json").stdout)
    assert (said["table"], said["decisions"], said["groups"]) == (loaded.table, 0, [])
    result = run(at, "promote")
    assert (result.exit_code, "nobody signed this shadow" in result.stderr) == (2, True)
    own = at / "config" / "state" / "shadow" / "worker-0.json"
    own.write_text("{}")
    result = run(at, "report")
    assert (result.exit_code, "worker-0.json" in result.stderr, "Traceback" in result.stderr) == (2, True, False)
    assert run(at, "stop").exit_code == 0
    assert list(own.parent.iterdir()) == []
    assert [line["act"] for line in lines(at)] == ["shadow load", "shadow stop"]
    assert lines(at)[0]["objects"] == {"table": loaded.table, "release": None}


@pytest.mark.parametrize("word", ["report", "promote", "stop"])
def test_where_there_is_none(at: Path, word: str) -> None:
    result = run(at, word)
    assert (result.exit_code, "there is no shadow" in result.stderr) == (2, True)


def test_a_table_with_faults_is_refused(at: Path) -> None:
    other = shutil.copytree(at / "config", at / "other", ignore=shutil.ignore_patterns("state"))
    next((other / "institutions").glob("*.toml")).write_text("kbo = 1\n")
    result = run(at, "load", str(other))
    assert (result.exit_code, "nothing was changed" in result.stderr) == (1, True)
    assert read_loaded(at / "config" / "state" / "shadow") is None
    assert lines(at) == []


@pytest.mark.parametrize(("name", "said"), [("nowhere", "no such directory"), ("release-12.tar", "no directory")])
def test_a_wrong_path_is_said_to_be_one(at: Path, name: str, said: str) -> None:
    """Not that each part of a table is missing in it."""
    (at / "release-12.tar").write_bytes(b"")
    result = run(at, "load", str(at / name))
    assert (result.exit_code, said in result.stderr, result.stderr.count(str(at / name))) == (1, True, 1)
    assert "the file is missing" not in result.stderr


def test_files_that_somebody_wrote_over(at: Path) -> None:
    run(at, "load", str(at / "config"))
    (at / "config" / "state" / "shadow" / "release.json").write_text("[]")
    result = run(at, "report")
    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)


def test_signed_releases_are_verified(at: Path, tmp_path: Path) -> None:
    ksz = Ksz(tmp_path / "ksz")
    roots = ksz.roots("an", "bert")
    release = ksz.release(at / "config", roots, 12)
    draft = ksz.release(at / "config", roots, 13, by=())
    file = at / "config" / "gateway.toml"
    text = file.read_text()
    assert "unsafe_unsigned = true" in text
    file.write_text(text.replace("unsafe_unsigned = true", 'release = "release.tar"'))
    shutil.copy(roots / "1.root.json", at / "config" / "root.json")
    (at / "config" / "release.tar").mkdir()
    assert run(at, "load", str(release)).exit_code == 0
    assert lines(at)[0]["objects"]["release"] == 12
    # Nobody published it: a memory that was lost must not find it among those that served.
    assert not (at / "config" / "state" / "releases").exists()
    refused = run(at, "load", str(draft))
    assert (refused.exit_code, read_loaded(at / "config" / "state" / "shadow").number) == (1, 12)  # type: ignore[union-attr]
    result = run(at, "promote")
    assert (result.exit_code, "names a directory" in result.stderr) == (2, True)
    (at / "config" / "release.tar").rmdir()
    result = run(at, "promote")
    assert (result.exit_code, "no gateway runs" in result.stderr) == (2, True)
    assert "the release is published" in result.stderr
    assert (at / "config" / "release.tar").read_bytes() == next((at / "config/state/shadow").glob("*.tar")).read_bytes()
