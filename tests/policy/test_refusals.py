"""The codes of refused releases: one table, one page, each with a section and each given somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.policy.refusals import REFUSALS, ReleaseRefused, refusals_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_from_the_table() -> None:
    assert (ROOT / "docs/refused-releases.md").read_text() == refusals_page(), "run scripts/document.py"
    sections = re.findall(r"^## `(\w+)`$", refusals_page(), re.MULTILINE)
    assert sections == list(REFUSALS)


def test_every_code_is_given_by_the_code_and_no_other() -> None:
    given = set()
    for file in (ROOT / "gateway").rglob("*.py"):
        given |= set(re.findall(r'ReleaseRefused\(\s*"(\w+)"', file.read_text()))
    indirect = {"root_expired", "expired", "missing_file", "extra_file", "altered_file", "table_faulty"}
    assert given | indirect == set(REFUSALS)
    source = "".join((ROOT / f"gateway/policy/{name}.py").read_text() for name in ("memory", "trust", "refusals"))
    assert all(source.count(f'"{code}"') >= 2 for code in indirect)


def test_a_refusal_is_a_fault_that_can_be_printed() -> None:
    for code, row in REFUSALS.items():
        (fault,) = ReleaseRefused(code, "targets.json", "detail").faults
        assert (fault.where, fault.mend) == (code, row.mend)
        assert str(fault).isprintable()
        assert not row.mend.endswith(".")
