"""Every test that THREAT_MODEL.md names exists, and every known bug has its row."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", MODEL)))
LATER = re.compile(r"with the (?:front door|means|table)")


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert (ROOT / path).exists(), f"{path} is named in THREAT_MODEL.md"
    assert name in named_in(path)


def test_nothing_that_looks_like_a_test_is_misspelt() -> None:
    assert len(NAMED) == len(set(re.findall(r"tests/[^`\s]*::[^`\s]*", MODEL)))


def test_every_threat_has_a_test_or_the_part_it_comes_with() -> None:
    cells = [line.split("|")[1:-1] for line in MODEL.splitlines() if line.startswith("| ") and line.endswith(" |")]
    rows = [(first.strip(), covered) for first, *_, covered in cells if re.fullmatch(r"[A-Z]?\d+", first.strip())]
    assert [number for number, _ in rows if number.isdigit()] == [str(number) for number in range(1, 22)]
    assert len(rows) == len({number for number, _ in rows})
    for number, covered in rows:
        assert "::test_" in covered or LATER.search(covered), number
