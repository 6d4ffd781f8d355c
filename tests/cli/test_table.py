"""`gateway table …`: what is not shown at a running gateway (tests/end_to_end/test_releases.py)."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import build
from gateway.cli.init import make_configuration
from gateway.policy.container import read_container
from tests.end_to_end.signing import PASSPHRASES, Ksz, done, gateway_table

TABLE = ("institutions", "transactions", "authorisations", "regulation", "roles.toml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration, two signers, a signed root, and a signed release of it."""
    directory = tmp_path_factory.mktemp("table")
    make_configuration(directory / "config", time.time())
    ksz = Ksz(directory / "ksz")
    roots = ksz.roots("an", "bert")
    shutil.copytree(roots, directory / "roots")
    shutil.copytree(ksz.release(directory / "config", roots, 11), directory / "release-11")
    return directory


@pytest.fixture
def at(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "at")


def run(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(build(["table"]), ["table", *words], input=given, prog_name="gateway")


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# --- keys and roots ---------------------------------------------------------------------------------------------------


def test_a_passphrase_is_typed_and_never_repeated(tmp_path: Path) -> None:
    result = run("new-key", "--name", "An", "--to", str(tmp_path / "an.pem"), given=PASSPHRASES["an"])
    assert result.exit_code == 0, result.output
    assert PASSPHRASES["an"] not in result.output
    assert (tmp_path / "an.pem").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in (tmp_path / "an.pem").read_bytes()
    again = run("new-key", "--name", "An", "--to", str(tmp_path / "an.pem"), given=PASSPHRASES["an"])
    assert again.exit_code == 2  # a key is never overwritten
    assert f"{tmp_path}/an.pem: it is there already, and nothing is written over" in again.stderr
    (tmp_path / "b.pem.pub").write_text("somebody's")
    half = run("new-key", "--name", "An", "--to", str(tmp_path / "b.pem"), given=PASSPHRASES["an"])
    assert (half.exit_code, (tmp_path / "b.pem").exists()) == (2, False)  # no private key without its public one
    (tmp_path / "b.pem.pub").unlink()
    short = run("new-key", "--name", "An", "--to", str(tmp_path / "b.pem"), given="short")
    assert (short.exit_code, "12 characters" in short.stderr) == (2, True)
    assert not (tmp_path / "b.pem").exists()


def at_a_terminal(*words: str, typed: tuple[str, ...]) -> tuple[int, str]:
    """A command whose terminal is one of its own: what it ended with, and what stood on the screen."""
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "gateway", "table", *words]
    child = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # the end of a terminal
        for line in typed:
            while not shown.endswith(b": "):
                shown += os.read(screen, 1024)
            os.write(screen, f"{line}\n".encode())
            shown += os.read(screen, 1)
        while piece := os.read(screen, 1024):
            shown += piece
    os.close(screen)
    return child.wait(), shown.decode()


def test_a_new_passphrase_is_typed_twice(tmp_path: Path) -> None:
    """A slip that nobody saw would make a key that nobody opens, found out at the first release that it must sign."""
    key, words = tmp_path / "an.pem", PASSPHRASES["an"]
    status, shown = at_a_terminal("new-key", "--name", "An", "--to", str(key), typed=(words, f"{words}."))
    assert (status, "not the same passphrase" in shown, words in shown, key.exists()) == (2, True, False, False)
    status, shown = at_a_terminal("new-key", "--name", "An", "--to", str(key), typed=(words, words))
    assert (status, words in shown, key.exists()) == (0, False, True), shown


def test_who_may_sign_is_shown(at: Path) -> None:
    said = run("show", str(at / "roots"))
    assert said.exit_code == 0
    assert "signatures needed: 2 for a release, 2 for a root" in said.stdout
    assert said.stdout.count("may sign releases and roots") == 2
    told = done("show", str(at / "roots"))
    assert told["complete"] is True
    (root,) = told["parts"]
    assert {one["name"] for one in root["signed_by"]} == {"An", "Bert"}


def test_a_rotation_says_who_is_missing(at: Path) -> None:
    ksz = Ksz(at / "ksz2")
    keyid = done("show", str(at / "roots"))["parts"][0]["signed_by"][0]["keyid"]
    said = done(
        "rotate-keys", "--from", str(at / "release-11"), "--key", ksz.public("carla"), "--remove", keyid,
        "--root-key", ksz.public("carla"), "--days", "30", "--to", str(at / "next"),
    )  # fmt: skip
    assert [part["missing"] for part in said["parts"]] == [0, 2]
    assert said["parts"][1]["version"] == 2
    assert sorted(path.name for path in (at / "next").iterdir()) == ["1.root.json", "2.root.json"]
    # Nothing is built on a root that is not signed yet.
    for words in (
        ("new", str(at / "config"), "--roots", str(at / "next"), "--to", str(at / "draft")),
        ("rotate-keys", "--from", str(at / "next"), "--to", str(at / "more")),
    ):
        assert gateway_table(*words)[0] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--threshold", "1"), "the threshold cannot be 1"),
        (("--threshold", "3"), "3 must sign and only 2 may"),
        (("--remove", "ab"), "names no key ab"),
        (("--key", "config/gateway.toml"), "config/gateway.toml: this is no public key of a signer"),
        (("--key", "missing.pub"), "No such file"),
    ],
)
def test_roots_that_would_not_do(
    at: Path, options: tuple[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(at)
    result = run("rotate-keys", "--from", "roots", *options, "--to", "next")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (at / "next").exists()


@pytest.mark.parametrize("signatures", [0, 1])
def test_roots_that_too_few_signed_say_so(at: Path, signatures: int) -> None:
    """Half of a ceremony is no fault of a gateway's configuration, which has nothing to do with it."""
    file = at / "roots" / "1.root.json"
    root = json.loads(file.read_bytes())
    file.write_text(json.dumps(root | {"signatures": root["signatures"][:signatures]}))
    for words in (("new", str(at / "config"), "--roots"), ("rotate-keys", "--from")):
        result = run(*words, str(at / "roots"), "--to", str(at / "next"))
        assert (result.exit_code, (at / "next").exists()) == (1, False)
        assert result.stderr.startswith("1.root.json: root_under_threshold\n")
        assert "gateway table sign, then merge" in result.stderr
        assert "table.root" not in result.stderr


def test_what_is_no_release_is_named(at: Path) -> None:
    (at / "notes.tar").write_text("no archive")
    result = run("show", str(at / "notes.tar"))
    assert (result.exit_code, result.stderr.startswith("notes.tar: malformed\n")) == (1, True)


def test_a_signer_that_leaves_and_one_that_comes(at: Path) -> None:
    """As docs/releases.md says: whoever signs roots is named apart."""
    carla = Ksz(at / "ksz2").public("carla")
    (an,) = (one["keyid"] for one in done("show", str(at / "roots"))["parts"][0]["signed_by"] if one["name"] == "An")
    words = ("rotate-keys", "--from", str(at / "roots"), "--key", carla, "--remove", an, "--to", str(at / "next"))
    result = run(*words)
    assert (result.exit_code, "name more keys for roots (--root-key)" in result.stderr) == (2, True)
    keys = done(*words, "--root-key", carla)["parts"][1]["keys"]
    assert an not in keys
    assert list(keys.values()) == ["releases and roots"] * 2


# --- a release --------------------------------------------------------------------------------------------------------


def test_a_table_with_faults_is_not_prepared(at: Path) -> None:
    (at / "config/roles.toml").write_text("[[role]]\nrole = 1\n")
    result = run("new", str(at / "config"), "--roots", str(at / "roots"), "--to", str(at / "draft"))
    assert result.exit_code == 1
    assert "roles.toml: role[1].insz" in result.stderr
    assert "refused: table_faulty" in result.stderr
    assert not (at / "draft").exists()


def test_a_table_that_is_not_there_is_not_prepared(at: Path) -> None:
    result = run("new", str(at / "tabel"), "--roots", str(at / "roots"), "--to", str(at / "draft"))
    assert (result.exit_code, (at / "draft").exists()) == (1, False)
    assert result.stderr.startswith(f"{at / 'tabel'}\n    there is no such directory\n")
    assert "roles.toml\n    the file is missing" not in result.stderr


def test_what_only_the_settings_tell(at: Path) -> None:
    edit(at / "config/gateway.toml", '"portal.localhost", "dossier.localhost", ', '"portal.localhost", ')
    words = ("new", str(at / "config"), "--roots", str(at / "roots"))
    assert run(*words, "--to", str(at / "draft")).exit_code == 0
    result = run(*words, "--config", str(at / "config"), "--to", str(at / "other"))
    assert (result.exit_code, "dossier.localhost" in result.stderr) == (1, True)


def test_numbers_follow_the_last_release(at: Path) -> None:
    words = ("new", str(at / "config"), "--roots", str(at / "release-11"))
    said = done(*words, "--from", "2027-01-01", "--days", "90", "--to", str(at / "next"))
    assert said["parts"][-1]["release"] == 12
    assert said["parts"][-1]["expires"] - said["parts"][-1]["from"] == 90 * 86400
    assert said["parts"][-1]["missing"] == 2
    assert "from 2027-01-01 00:00 until 2027-04-01 01:00" in run("show", str(at / "next")).stdout
    late = run(*words, "--from", "2028-10-01", "--to", str(at / "late"))
    assert (late.exit_code, "the root expires before this release" in late.stderr) == (0, True)
    result = run(*words, "--number", "11", "--to", str(at / "again"))
    assert (result.exit_code, "needs a higher one" in result.stderr) == (2, True)
    for soon in ("soon", "2027-03-28T02:30"):
        result = run(*words, "--from", soon, "--to", str(at / "again"))
        assert (result.exit_code, f"--from '{soon}'" in result.stderr) == (2, True)
    assert run(*words, "--number", str(2**31), "--to", str(at / "again")).exit_code == 2
    assert not (at / "again").exists()
    done(*words, "--number", str(2**31 - 1), "--to", str(at / "last"))
    result = run("new", str(at / "config"), "--roots", str(at / "last"), "--to", str(at / "again"))
    assert (result.exit_code, "none can follow it" in result.stderr) == (2, True)


def test_signing_says_what_it_cannot(at: Path, made: Path) -> None:
    key = made / "ksz/an/key.pem"
    words = ("sign", str(at / "release-11"), "--key", str(key))
    again = run(*words, given=PASSPHRASES["an"])
    assert (again.exit_code, "has signed it already" in again.stderr) == (2, True)
    wrong = run(*words, given="not the passphrase")
    assert (wrong.exit_code, f"{key}: the passphrase is wrong" in wrong.stderr) == (2, True)
    carla = Ksz(at / "ksz2").person("carla")
    strange = run("sign", str(at / "release-11"), "--key", str(carla / "key.pem"), given=PASSPHRASES["carla"])
    assert (strange.exit_code, "no root lets key" in strange.stderr) == (2, True)
    (at / "release-11/table/roles.toml").write_text("# after all")
    altered = run(*words, given=PASSPHRASES["an"])
    assert (altered.exit_code, "refused: altered_file" in altered.stderr) == (1, True)


def test_an_archive_is_signed_and_replaced_in_its_place(at: Path, made: Path) -> None:
    done("new", str(at / "config"), "--roots", str(at / "roots"), "--number", "12", "--to", str(at / "next.tar"))
    for name in ("an", "bert"):
        words = ("sign", str(at / "next.tar"), "--key", str(made / f"ksz/{name}/key.pem"))
        assert run(*words, given=PASSPHRASES[name]).exit_code == 0
    assert run("verify", str(at / "next.tar"), "--root", str(at / "roots/1.root.json")).stdout.startswith("good\n")
    shutil.copy(at / "next.tar", at / "published.tar")
    words = ("merge", str(at / "release-11"), "--to", str(at / "published.tar"))
    assert run(*words).exit_code == 2
    assert run(*words, "--replace").exit_code == 0
    assert read_container(at / "published.tar") == read_container(at / "release-11")
    over = run("merge", str(at / "release-11"), "--to", str(at / "release-11"))
    assert (over.exit_code, f"{at}/release-11: it is there already" in over.stderr) == (2, True)
    result = run("merge", str(at / "next.tar"), str(at / "release-11"), "--to", str(at / "both"))
    assert (result.exit_code, "two different ones" in result.stderr) == (1, True)


# --- looking at it ----------------------------------------------------------------------------------------------------


def test_what_is_served_is_shown(at: Path) -> None:
    config = at / "config"
    said = run("show", "--config", str(config))
    assert (said.exit_code, "nobody signed it" in said.stdout) == (0, True)
    edit(config / "gateway.toml", "unsafe_unsigned = true", 'release = "../release-11"')
    missing = run("show", "--config", str(config))
    assert (missing.exit_code, "refused: no_trusted_root" in missing.stderr) == (1, True)
    shutil.copy(at / "roots/1.root.json", config / "root.json")
    said = run("show", "--config", str(config))
    assert "release 11, in force since" in said.stdout
    assert "signed by An (" in said.stdout
    assert run("verify", "--config", str(config)).exit_code == 0
    (config / "keys").rename(config / "no-keys")  # who only verifies needs none
    assert run("verify", "--config", str(config)).exit_code == 0


def test_verify_names_what_is_missing(at: Path) -> None:
    result = run("verify", "--root", str(at / "roots/1.root.json"))
    assert (result.exit_code, "name the release" in result.stderr) == (2, True)
    result = run("verify", "--config", str(at / "config"))
    assert (result.exit_code, "names no release" in result.stderr) == (2, True)
    result = run("verify", str(at / "release-11"), "--config", str(at / "config"))
    assert (result.exit_code, "nothing is verified: name a --root" in result.stderr) == (2, True)
    assert (
        gateway_table("verify", str(at / "release-11"), "--root", str(at / "release-11/targets.json"))[1]["code"]
        == "no_trusted_root"
    )


# --- consequences -----------------------------------------------------------------------------------------------------


def diff(at: Path, old: str, new: str, *options: str) -> tuple[int, Any]:
    return gateway_table("diff", str(at / old), str(at / new), "--config", str(at / "config"), *options)


def test_nothing_would_change(at: Path) -> None:
    status, said = diff(at, "release-11", "config")
    assert (status, said["changes"], said["persons"], said["reviews"]) == (0, [], [], [])
    assert (
        "nothing would change"
        in run("diff", str(at / "release-11"), str(at / "config"), "--config", str(at / "config")).stdout
    )


def test_consequences_in_words(at: Path) -> None:
    shutil.copytree(at / "config", at / "new")
    edit(at / "new/authorisations/24-123.toml", 'status = "active"', 'status = "suspended"')
    edit(at / "new/authorisations/25-012.toml", "valid_until = 2029-02-28", "valid_until = 2028-02-29")
    (at / "new/authorisations/24-140.toml").unlink()
    edit(at / "new/transactions/library.toml", "sensitivity = ", "sensitivity = 1 #")
    status, said = diff(at, "release-11", "new", "--no-records")
    assert status == 1
    assert {(one["kind"], one["id"], one["how"]) for one in said["changes"]} >= {
        ("authorisation", "24/123", "ends"),
        ("authorisation", "24/140", "ends"),
        ("authorisation", "25/012", "changes"),
    }
    assert "persons" not in said
    printed = run(
        "diff", str(at / "release-11"), str(at / "new"), "--no-records", "--config", str(at / "config")
    ).stdout
    assert "authorisation 24/123 (0403019261) ends\n    status: active -> suspended\n" in printed
    assert "    until: 2029-02-28 -> 2028-02-29\n" in printed


def test_files_that_are_no_table(at: Path) -> None:
    (at / "new").mkdir()
    assert diff(at, "release-11", "new")[0] == 1
    assert diff(at, "release-11", "nothing.tar")[1]["code"] == "unreadable"
    assert diff(at, "release-11", f"{'0' * 64}.json")[0] == 1
    assert json.dumps(diff(at, "release-11", "new")[1])


def test_requests_of_a_ledger(at: Path) -> None:
    """By replay (tests/ledger/test_replaying.py); here, that it is asked for the new release."""
    own = at / "config" / "state" / "ledger"
    own.mkdir(parents=True, exist_ok=True)
    status, said = diff(at, "release-11", "config", "--ledger", str(own), "--days", "7")
    assert (status, said["requests"]["decisions"], said["requests"]["groups"]) == (0, 0, [])
    for wrong in ("nowhere", "release-11"):
        assert diff(at, "release-11", "config", "--ledger", str(at / wrong))[0] == 2
