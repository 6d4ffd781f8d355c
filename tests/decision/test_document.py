"""The committed page of reasons is the one that the tables make."""

from __future__ import annotations

from pathlib import Path

from gateway.decision import REASONS
from gateway.decision.criteria import CRITERIA
from gateway.decision.document import OUTSIDE, reasons_page

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reasons_page(), "run .venv/bin/python scripts/document.py"


def test_every_code_and_every_check_stands_in_it_once_by_its_row() -> None:
    lines = reasons_page().splitlines()
    for code, reason in REASONS.items():
        rows = [line for line in lines if line.startswith(f"| `{code}`")]
        assert len(rows) == 1
        assert reason.meaning in rows[0]
        assert ("†" in rows[0]) is reason.personal
    for number, row in enumerate(CRITERIA, 1):
        assert sum(line.startswith(f"| {number} | {row.name} | {row.clause} |") for line in lines) == 1


def test_what_no_check_gives_is_said_and_nothing_else() -> None:
    assert set(OUTSIDE) == set(REASONS) - {code for row in CRITERIA for code in row.reasons}
