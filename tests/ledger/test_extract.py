"""What readers are given of a ledger: only lines of the institution that is asked for, newest first, within a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.ledger.extract import AFTER_ALL, Counts, Scan, count_lines, newest_lines
from gateway.ledger.line import moment
from tests.decision.world import DAY, KBO, NOW, WORLD
from tests.ledger.test_replaying import Book

OTHER = "0671516647"


def another_segment(book: Book) -> None:
    """What follows stands in the next file of the stream."""
    book.file = book.file.with_name(f"{book.stream}-{book.n:020}.jsonl")


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


class Lines(Scan):
    """A scan whose time is over after so many questions."""

    def __init__(self, most: int) -> None:
        super().__init__(0)
        self.most, self.asked = most, 0

    def over(self) -> bool:
        self.asked += 1
        self.whole = self.whole and self.asked <= self.most
        return not self.whole


def times(
    ledger: Path, institution: str = KBO, since: str = "", before: str = AFTER_ALL, scan: Scan | None = None
) -> list[str]:
    page = newest_lines(ledger, institution, 10, lambda _: True, since, before, scan or Scan.begun(60))
    assert all(line["institution"] == institution for line in page.lines)
    return [line["time"] for line in page.lines]


def test_only_the_institutions_lines_newest_first(ledger: Path) -> None:
    assert times(ledger) == [moment(NOW + late) for late in (2 * DAY, DAY, 1, 0)]
    assert len(times(ledger, OTHER)) == 4
    assert times(ledger, "0000000000") == []
    assert times(ledger, before=moment(NOW + 1)) == [moment(NOW)]
    assert times(ledger, since=moment(NOW + 1)) == [moment(NOW + late) for late in (2 * DAY, DAY, 1)]
    day = moment(NOW + DAY)[:10]
    assert times(ledger, since=day, before=day + AFTER_ALL) == [moment(NOW + DAY)]
    page = newest_lines(ledger, KBO, 2, lambda line: line["reason"] == "permitted", "", AFTER_ALL, Scan.begun(60))
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


def test_an_old_day_of_a_long_ledger_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before that day and after it is not gone through."""
    monkeypatch.setattr("gateway.ledger.extract._REST_EVERY", 1)
    book = Book(tmp_path)
    for day in range(30):
        book.add(*(WORLD.at(NOW + day * DAY + second) for second in range(10)))
        another_segment(book)
    book.add(WORLD.at(NOW + 30 * DAY))
    old, scan = (
        moment(NOW + 3 * DAY)[:10],
        Lines(40),
    )  # that day's file, and the one before it, which may go on into that day
    assert len(times(tmp_path, since=old, before=old + AFTER_ALL, scan=scan)) == 10
    assert scan.whole
    scan = Lines(40)
    assert times(tmp_path, since=old, before=moment(NOW + 3 * DAY + 1), scan=scan) == [moment(NOW + 3 * DAY)]
    assert scan.whole


def test_a_scan_ends_with_its_time(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.extract._REST_EVERY", 1)
    scan = Scan.begun(0)
    assert count_lines(ledger, KBO, "", scan) == Counts()
    assert not scan.whole
    whole = Scan.begun(60)
    assert sum(count_lines(ledger, KBO, "", whole).days.values()) == 4
    assert whole.whole
