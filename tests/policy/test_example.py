"""config/ of the sources and what `gateway init` writes are the same files."""

from __future__ import annotations

import filecmp
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = {"keys", "state", "auditor", "certs", ".gitignore"}
"""What a clone's config/ holds besides: its own keys and data."""
SHARED = Path("certs/eid")
"""The authorities of cards: the only certificates that come along."""


def test_config_is_the_example_that_the_package_ships() -> None:
    example = ROOT / "gateway/policy/example"
    files = {path.relative_to(example) for path in example.rglob("*") if path.is_file()}
    config = ROOT / "config"
    here = {
        path.relative_to(config)
        for path in config.rglob("*")
        if path.is_file()
        and (path.relative_to(config).parts[0] not in LOCAL or path.relative_to(config).is_relative_to(SHARED))
    }
    assert here == files
    same, different, unreadable = filecmp.cmpfiles(example, config, map(str, files), shallow=False)
    assert (different, unreadable) == ([], []), "copy the changed files: cp -r config/. gateway/policy/example"
    assert len(same) == len(files)


def test_the_regulation_says_that_it_is_a_demonstration() -> None:
    for language, word in (
        ("nl", "demonstratietekst"),
        ("fr", "texte de démonstration"),
        ("de", "Demonstrationstext"),
        ("en", "demonstration text"),
    ):
        assert word in (ROOT / f"config/regulation/demo-1/{language}.md").read_text()
