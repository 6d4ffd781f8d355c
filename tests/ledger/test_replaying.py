"""Whole ledgers replayed: every decision's line, by the release that it names, and what differs, grouped."""

from __future__ import annotations

import dataclasses as dc
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.decision import REASONS, Snapshot
from gateway.ledger.line import ZERO_LEAF, compose, leaf, moment, serialise
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import completion_record, decision_record
from gateway.ledger.reference import ReferenceSource
from gateway.ledger.replaying import EXAMPLES, Report, decisions, replay_lines
from tests.decision.world import DAY, NOW, WORLD, World
from tests.ledger import samples

OTHER = WORLD.table(hash="ef" * 32)
references = ReferenceSource()


class Book:
    """A ledger that is written by hand: one stream, in order."""

    def __init__(self, directory: Path, stream: str = "user-0") -> None:
        self.stream, self.n, self.prev = stream, 0, ZERO_LEAF
        self.file = directory / "request" / f"{stream}-{0:020}.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def add(self, *worlds: World, person: str = "ab.cd") -> list[str]:
        """A decision in each, with its completion where it was a permit: their references."""
        who = Identity({"user_id": person, "insz": "ab.ef", "sealed": "", "sealed_to": ""})
        found = []
        for world in worlds:
            reference, decision = references(), world.decide()
            user = None if world.facts.user is None else who
            self._write(
                decision_record(reference, world.facts, decision, world.snapshot, client=samples.CLIENT, user=user),
                world.facts.now,
            )
            if decision.permitted:
                done = REASONS["completed"]
                ended = completion_record(
                    reference,
                    done,
                    client=samples.CLIENT,
                    user=user,
                    status=200,
                    request_bytes=0,
                    response_bytes=1,
                    seconds=0.1,
                )
                self._write(ended, world.facts.now)
            found.append(reference)
        return found

    def _write(self, record: object, at: float) -> None:
        line = compose(self.stream, self.n, self.prev, moment(at), serialise(record))  # type: ignore[arg-type]
        with self.file.open("ab") as file:
            file.write(line + b"\n")
        self.n, self.prev = self.n + 1, leaf(line)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def replayed(
    directory: Path, find: Callable[[str], Snapshot | None] = lambda _: WORLD.snapshot, since: str = ""
) -> Report:
    return replay_lines(decisions(directory, since), find)


REFUSED = (
    WORLD.anonymous(),
    WORLD.designated(),
    WORLD.user(blocked=True),
    WORLD.session(ended_at=NOW, ended_reason="user"),
)


def test_by_the_release_that_each_line_names(tmp_path: Path, book: Book) -> None:
    book.add(WORLD, *REFUSED, OTHER.authorised(), WORLD)
    tables = {WORLD.snapshot.hash: WORLD.snapshot, OTHER.snapshot.hash: OTHER.authorised().snapshot}
    asked: list[str] = []

    def find(digest: str) -> Snapshot | None:
        asked.append(digest)
        return tables[digest]

    report = replayed(tmp_path, find)
    assert (report.decisions, report.same, report.differences, report.not_replayable) == (7, 7, 0, {})
    assert set(asked) == set(tables)


def test_what_another_release_would_say_is_grouped(tmp_path: Path, book: Book) -> None:
    first = book.add(*[WORLD] * 5, person="ab.one")
    book.add(WORLD, person="ab.two")
    book.add(*REFUSED[:2])
    suspended = OTHER.authorisation(status="suspended").snapshot
    report = replayed(tmp_path, lambda _: suspended)
    (key, group), (other, one) = sorted(report.different.items(), key=lambda item: -item[1].count)
    assert key == (WORLD.the_user.institution, "dossier", "consultation", "permitted", "suspended")  # type: ignore[union-attr]
    assert (group.count, group.persons) == (6, {"ab.one", "ab.two"})
    assert group.examples == first[:EXAMPLES]
    assert (other[3:], one.count) == (("not_designated", "suspended"), 1)
    assert (report.decisions, report.same, report.differences) == (8, 1, 7)


def test_records_that_lines_share_are_one_persons_each(tmp_path: Path, book: Book) -> None:
    """The same bytes of records in lines of two persons, institutions and releases: each decided as if it were alone."""
    other = WORLD.user(user_id="peeters01").session(user_id="peeters01")
    book.add(WORLD, WORLD.user(institution="0671516647"), WORLD, person="ab.one")
    book.add(other, WORLD.request(path="/dossier/unknown"), WORLD, person="ab.two")
    book.add(WORLD.session(user_id="another"), WORLD)
    lines = list(decisions(tmp_path))
    assert lines[0]["records"] is lines[2]["records"]
    assert replayed(tmp_path).same == len(lines)
    suspended = OTHER.authorisation(status="suspended").snapshot
    alone = [replay_lines([json.loads(json.dumps(line))], lambda _: suspended) for line in lines]
    assert replayed(tmp_path, lambda _: suspended).differences == sum(each.differences for each in alone)


def test_a_release_that_is_not_kept_is_named_and_nothing_is_guessed(tmp_path: Path, book: Book) -> None:
    book.add(WORLD, OTHER)
    report = replayed(tmp_path, lambda digest: WORLD.snapshot if digest == WORLD.snapshot.hash else None)
    assert (report.same, report.differences) == (1, 0)
    assert report.not_replayable == {f"release {'ef' * 32} is not kept": 1}


def test_lines_that_were_altered_are_not_read(tmp_path: Path, book: Book) -> None:
    """`log verify` tells of them; here a verdict that somebody wrote over counts for nothing."""
    book.add(WORLD, WORLD, WORLD)
    content = book.file.read_bytes()
    book.file.write_bytes(
        content.replace(b'"reason":"permitted"', b'"reason":"suspended"', 1) + b'{"kind":"decision"}\n'
    )
    assert (replayed(tmp_path).decisions, replayed(tmp_path).same) == (2, 2)


def test_a_text_of_the_client_cannot_pass_for_records(tmp_path: Path, book: Book) -> None:
    book.add(WORLD.anonymous().request(path='/dossier/,"records":{"a":1}'), WORLD)
    first, second = decisions(tmp_path)
    assert "records" not in first
    assert second["records"]["blocked"] is False


def test_records_that_are_not_the_last_member(tmp_path: Path, book: Book) -> None:
    line = {"kind": "decision", "id": "x", "inner": {"a": 1, "records": {"b": 2}}, "records": {"c": 3}, "later": 4}
    book._write(line, NOW)
    book._write({"kind": "decision", "id": "y", "inner": {"a": 1, "records": {"b": 2}}}, NOW)
    first, second = decisions(tmp_path)
    assert {key: first[key] for key in line} == line
    assert second["inner"] == line["inner"]
    assert "records" not in second


def test_from_a_moment_on_and_over_several_streams(tmp_path: Path, book: Book) -> None:
    book.add(WORLD, WORLD.at(NOW + DAY))
    Book(tmp_path, "user-1").add(WORLD.at(NOW + 2 * DAY))
    assert replayed(tmp_path).decisions == 3
    assert replayed(tmp_path, since=moment(NOW + DAY)).decisions == 2


@pytest.mark.parametrize(
    ("fits", "now", "missing"),
    [(WORLD, "too_large", None), (OTHER, None, "the length of the body"), (OTHER.authorised(), "not_authorised", None)],
)
def test_a_body_beyond_the_limit_is_known_for_the_same_release_only(
    tmp_path: Path, book: Book, fits: World, now: str | None, missing: str | None
) -> None:
    """The proxy refuses it after a permit of the checks: the line says that it was too large, and not how large."""
    decision = dc.replace(WORLD.decide(), reason=REASONS["too_large"])
    who = Identity({"user_id": "ab.cd", "insz": "ab.ef", "sealed": "", "sealed_to": ""})
    book._write(
        decision_record(references(), WORLD.facts, decision, WORLD.snapshot, client=samples.CLIENT, user=who), NOW
    )
    report = replayed(tmp_path, lambda _: fits.snapshot)
    assert dict(report.not_replayable) == ({} if missing is None else {missing: 1})
    assert [key[4] for key in report.different] == ([] if now in ("too_large", None) else [now])
    assert report.same == (now == "too_large")


def test_a_difference_of_nobody(tmp_path: Path, book: Book) -> None:
    book.add(dc.replace(WORLD.anonymous(), transactions=()))
    (line,) = decisions(tmp_path)
    report = replay_lines([{**line, "reason": "permitted"}], lambda _: WORLD.snapshot)
    ((key, group),) = report.different.items()
    assert key == ("", "", "", "permitted", "sign_in_required")
    assert group.persons == set()
