"""What readers are given of a ledger: only lines of the institution that is asked for, newest first, within a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.ledger.extract import Counts, Scan, count_lines, newest_lines
from gateway.ledger.line import moment
from tests.decision.world import DAY, KBO, NOW, WORLD
from tests.ledger.test_replaying import Book

OTHER = "0671516647"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two streams with lines of two institutions and of nobody, on three days."""
    one, two = Book(tmp_path), Book(tmp_path, "user-1")
    one.add(WORLD, WORLD.user(institution=OTHER), WORLD.anonymous(), WORLD.at(NOW + DAY))
    two.add(WORLD.at(NOW + 1), WORLD.at(NOW + 2 * DAY).designated(), WORLD.user(institution=OTHER))
    # What a client sends cannot pass for the institution's mark: neither as text, nor below another member.
    two.add(WORLD.user(institution=OTHER).request(path=f'/dossier/"institution":"{KBO}"'))
    two._write(
        {
            "kind": "decision",
            "id": "x",
            "verdict": "deny",
            "reason": "blocked",
            "inner": {"institution": KBO},
            "institution": OTHER,
        },
        NOW,
    )
    two._write({"kind": "completion", "id": "x", "institution": KBO}, NOW)
    two._write({"kind": "decision", "id": "x", "institution": {"truncated": KBO}, "more": {"institution": KBO}}, NOW)
    return tmp_path


def times(ledger: Path, institution: str = KBO, before: str = "", most: int = 10) -> list[str]:
    page = newest_lines(ledger, institution, most, lambda _: True, before, Scan.begun(60))
    assert all(line["institution"] == institution for line in page.lines)
    return [line["time"] for line in page.lines]


def test_only_the_institutions_lines_newest_first(ledger: Path) -> None:
    assert times(ledger) == [moment(NOW + late) for late in (2 * DAY, DAY, 1, 0)]
    assert len(times(ledger, OTHER)) == 4
    assert times(ledger, "0000000000") == []
    assert times(ledger, before=moment(NOW + 1)) == [moment(NOW)]
    page = newest_lines(ledger, KBO, 2, lambda line: line["reason"] == "permitted", "", Scan.begun(60))
    assert ([line["time"] for line in page.lines], page.more) == ([moment(NOW + DAY), moment(NOW + 1)], True)


def test_damaged_lines_are_left_out(ledger: Path) -> None:
    file = ledger / "request" / f"user-0-{0:020}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"verdict":"permit"', b'"verdict":"PERMIT"', 1) + b'{"institution":"')
    assert len(times(ledger)) == 3


def test_counts(ledger: Path) -> None:
    counts = count_lines(ledger, KBO, "", Scan.begun(60))
    assert counts.reasons == {(KBO, "dossier", "permitted"): 3, (KBO, "dossier", "not_designated"): 1}
    assert sum(counts.days.values()) == 4
    assert sum(count_lines(ledger, None, "", Scan.begun(60)).reasons.values()) == 8
    assert sum(count_lines(ledger, KBO, moment(NOW + DAY), Scan.begun(60)).reasons.values()) == 2


def test_files_that_are_older_are_not_read(ledger: Path) -> None:
    for file in ledger.rglob("*.jsonl"):
        os.utime(file, (NOW, NOW))
    assert count_lines(ledger, KBO, moment(NOW + DAY), Scan.begun(60)) == Counts()


def test_a_scan_ends_with_its_time(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.extract._REST_EVERY", 1)
    scan = Scan.begun(0)
    assert count_lines(ledger, KBO, "", scan) == Counts()
    assert not scan.whole
    whole = Scan.begun(60)
    assert sum(count_lines(ledger, KBO, "", whole).days.values()) == 4
    assert whole.whole
