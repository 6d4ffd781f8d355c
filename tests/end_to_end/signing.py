"""The KSZ's signers, each with a directory of their own, who know nothing but the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signer
from typer.testing import CliRunner

from gateway.cli import build
from gateway.policy import sealed_keys, signing

PASSPHRASES = {"an": "paarse olifanten dansen", "bert": "zeven groene fietsbellen", "carla": "honderd natte paraplu's"}


def gateway_table(*words: str) -> tuple[int, Any]:
    """`gateway table …`: its exit status and what it says as JSON."""
    result = CliRunner().invoke(build(["table"]), ["table", *words, "--json"], prog_name="gateway")
    assert "Traceback" not in result.output, result.output
    return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr


def done(*words: str) -> Any:
    status, said = gateway_table(*words)
    assert status == 0, said
    return said


@dataclass
class Ksz:
    """`directory` holds one directory a signer, and what goes back and forth."""

    directory: Path
    keyids: dict[str, str] = field(default_factory=dict)
    copies: int = 0

    def person(self, name: str) -> Path:
        """Somebody's own directory, with a key under a passphrase."""
        theirs = self.directory / name
        if name not in self.keyids:
            theirs.mkdir(parents=True)
            (theirs / "passphrase").write_text(PASSPHRASES[name] + "\n")
            words = (
                "--name",
                name.title(),
                "--to",
                str(theirs / "key.pem"),
                "--passphrase",
                str(theirs / "passphrase"),
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sealed_keys, "COST", 2)  # each use of the key would take a third of a second
                said = done("new-key", *words)
            self.keyids[name] = said["keyid"]
        return theirs

    def public(self, name: str) -> str:
        return str(self.person(name) / "key.pem.pub")

    def key_of(self, name: str) -> Signer:
        """For what no command prepares."""
        return signing.open_key((self.person(name) / "key.pem").read_bytes(), PASSPHRASES[name])

    def new(self, what: str) -> Path:
        self.copies += 1
        return self.directory / f"{what}-{self.copies}"

    def signed(self, draft: Path, *names: str) -> Path:
        """Each signs a copy in their own directory; then the copies are put together."""
        copies = []
        for name in names:
            theirs = self.person(name)
            copy = theirs / draft.name
            shutil.copytree(draft, copy)
            done("sign", str(copy), "--key", str(theirs / "key.pem"), "--passphrase", str(theirs / "passphrase"))
            copies.append(str(copy))
        together = self.new("signed")
        done("merge", *copies, "--to", str(together))
        return together

    def roots(self, *names: str) -> Path:
        """The first root, by these for these."""
        draft = self.new("roots")
        keys = [word for name in names for word in ("--key", self.public(name))]
        done("rotate-keys", *keys, "--to", str(draft))
        return self.signed(draft, *names)

    def rotated(self, roots: Path, *options: str, by: tuple[str, ...]) -> Path:
        draft = self.new("roots")
        done("rotate-keys", "--from", str(roots), *options, "--to", str(draft))
        return self.signed(draft, *by)

    def release(
        self, table: Path, roots: Path, number: int, *options: str, by: tuple[str, ...] = ("an", "bert")
    ) -> Path:
        """A release from the files in `table`, as a directory."""
        draft = self.new(f"release-{number}")
        done("new", str(table), "--roots", str(roots), "--number", str(number), *options, "--to", str(draft))
        return self.signed(draft, *by) if by else draft

    def archived(self, release: Path) -> bytes:
        archive = self.new("release").with_suffix(".tar")
        done("merge", str(release), "--to", str(archive))
        return archive.read_bytes()
