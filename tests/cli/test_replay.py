"""`gateway replay` on a configuration, a release that was kept, and ledgers with decisions by it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import build
from gateway.cli.init import make_configuration
from gateway.decision import Snapshot, decide
from gateway.ledger.line import ZERO_LEAF, compose, leaf, moment, serialise
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import decision_record
from gateway.ledger.reference import ReferenceSource
from gateway.model import Acceptance
from gateway.policy.release import keep_release, load_release
from gateway.policy.settings import load_settings
from tests.decision.world import DAY, WORLD
from tests.end_to_end.signing import Ksz
from tests.ledger import samples

references = ReferenceSource()
WHO = Identity({"user_id": "ab.cd", "insz": "ab.ef", "sealed": "", "sealed_to": ""})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose release is kept, and a ledger: one of today and two of ten days ago."""
    directory = tmp_path_factory.mktemp("replay")
    make_configuration(directory / "config", time.time())
    settings = load_settings(directory / "config")
    release = load_release(settings, time.time())
    keep_release(release, settings.table.releases)
    write(settings.ledger.directory, release.snapshot, [0.0, 10.0, 10.5])
    write(directory / "second", release.snapshot, [0.0])
    return directory


def write(ledger: Path, snapshot: Snapshot, days_ago: list[float]) -> None:
    file = ledger / "request" / f"user-0-{0:020}.jsonl"
    file.parent.mkdir(parents=True)
    prev, lines = ZERO_LEAF, b""
    for n, days in enumerate(days_ago):
        moment_of = time.time() - days * DAY
        regulation = snapshot.regulation(moment_of)
        assert regulation is not None
        accepted = Acceptance(1, regulation.version, regulation.sha256, 0.0)
        facts = WORLD.at(moment_of).user(acceptances={regulation.version: accepted}).facts
        record = decision_record(
            references(), facts, decide(facts, snapshot), snapshot, client=samples.CLIENT, user=WHO
        )
        line = compose("user-0", n, prev, moment(facts.now), serialise(record))
        prev, lines = leaf(line), lines + line + b"\n"
    file.write_bytes(lines)


@pytest.fixture
def at(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "at")


def run(at: Path, *words: str) -> Result:
    command = ["replay", *words, "--config", str(at / "config")]
    return CliRunner().invoke(build(["replay"]), command, prog_name="gateway")


def said(at: Path, *words: str) -> tuple[int, Any]:
    result = run(at, *words, "--json")
    return result.exit_code, json.loads(result.stdout)


def without_authorisations(at: Path) -> Path:
    """Another table: the same, but that nothing of `dossier` is authorised any more."""
    other = shutil.copytree(at / "config", at / "other", ignore=shutil.ignore_patterns("state"))
    for file in (other / "authorisations").glob("*.toml"):
        text = file.read_text()
        file.write_text(text.replace('status = "active"', 'status = "suspended"'))
    return other


def test_by_the_release_that_was_kept(at: Path) -> None:
    assert said(at) == (0, {"decisions": 3, "same": 3, "different": 0, "not_replayable": {}, "groups": []})
    result = run(at)
    assert (result.exit_code, result.stdout) == (
        0,
        "3 decisions again, by the releases they were made by: 3 the same, 0 different, 0 not replayable\n",
    )


def test_several_ledgers_and_the_last_days(at: Path) -> None:
    own = at / "config" / "state" / "ledger"
    assert said(at, str(own), str(at / "second"))[1]["decisions"] == 4
    assert said(at, "--days", "1")[1]["decisions"] == 1
    assert said(at, "--days", "10.2")[1]["decisions"] == 2
    assert said(at, str(own), str(at / "second"), "--days", "1")[1]["decisions"] == 2


def test_no_ledger_is_wrong_use(at: Path) -> None:
    """Nor is a wrong path answered by "no difference": whoever checks a release by it would be told that all is well."""
    (at / "empty").mkdir()
    for wrong in ("nowhere", "empty", "config"):
        result = run(at, str(at / wrong))
        assert (result.exit_code, "this is no ledger's directory" in result.stderr) == (2, True)


@pytest.mark.parametrize("days", ["inf", "nan", "1e9", "-1"])
def test_days_that_nobody_can_reckon(at: Path, days: str) -> None:
    assert run(at, "--days", days).exit_code == 2


def test_a_release_that_is_lost_or_altered(at: Path) -> None:
    (kept,) = (at / "config" / "state" / "releases").glob("*.json")
    content = kept.read_bytes()
    for spoilt in (content + b" ", None):
        kept.unlink()
        if spoilt is not None:
            kept.write_bytes(spoilt)
        status, told = said(at)
        # What could not be asked has not been answered by yes.
        assert (status, told["same"], told["different"]) == (1, 0, 0)
        assert told["not_replayable"] == {f"release {kept.stem} is not kept": 3}
        if spoilt is None:
            assert f"not replayable, 3: the line does not hold release {kept.stem} is not kept" in run(at).stdout


def test_some_that_cannot_be_decided_again_are_no_difference(at: Path) -> None:
    write(at / "lost", WORLD.table(hash="ef" * 32).snapshot, [0.0])
    assert said(at, str(at / "lost"))[0] == 1
    status, told = said(at, str(at / "lost"), str(at / "second"))
    assert (status, told["decisions"], told["same"]) == (0, 2, 1)


def test_altered_lines_are_not_read(at: Path) -> None:
    (file,) = (at / "config" / "state" / "ledger").rglob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"verdict":"', b'"verdict":"x', 1))
    assert said(at)[1]["decisions"] == 2


def test_by_a_directory_that_is_proposed(at: Path) -> None:
    status, told = said(at, "--table", str(at / "config"))
    assert (status, told["different"]) == (0, 0)
    status, told = said(at, "--table", str(without_authorisations(at)))
    assert (status, told["different"], told["same"]) == (1, 3, 0)
    (group,) = told["groups"]
    assert (group["now"], group["count"], group["persons"]) == ("suspended", 3, 1)
    assert group["transaction"] == "dossier"
    assert all("-" in example for example in group["examples"])
    result = run(at, "--table", str(at / "other"))
    assert (result.exit_code, "suspended" in result.stdout) == (1, True)


def test_by_a_release(at: Path, tmp_path: Path) -> None:
    """One that two people signed, as an archive, and one that was kept. Whether they are trusted is for `gateway table verify`."""
    ksz = Ksz(tmp_path / "ksz")
    release = ksz.release(without_authorisations(at), ksz.roots("an", "bert"), 11)
    assert (said(at, "--table", str(release))[0], said(at, "--table", str(release))[1]["different"]) == (1, 3)
    (kept,) = (at / "config" / "state" / "releases").glob("*.json")
    assert said(at, "--table", str(kept)) == (0, said(at)[1])


def test_a_table_that_is_none(at: Path) -> None:
    (at / "broken" / "institutions").mkdir(parents=True)
    (at / "broken" / "institutions" / "x.toml").write_text("kbo = 1")
    result = run(at, "--table", str(at / "broken"))
    assert result.exit_code == 2, result.output
