"""Who used what, which table ran when, and what only the auditor opens."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.app.past import Doubt, table_then
from gateway.errors import ConfigurationError
from gateway.ledger.extract import Scan
from gateway.ledger.keys import load_keys, make_keys
from gateway.ledger.lifecycle import reload_record
from gateway.ledger.pseudonym import Sealer
from gateway.ledger.tables import Around, tables_around
from gateway.ledger.unsealing import Auditor
from gateway.ledger.using import usage
from gateway.model import Means, Use
from tests.decision.world import DAY, HOUR, KBO, MINUTE, NOW, WORLD
from tests.ledger.test_extract import Lines, another_segment
from tests.ledger.test_replaying import Book, references

NEXT = WORLD.table(hash="ef" * 32)
TABLE, OTHER = "cd" * 32, "ef" * 32
SENT = WORLD.request(method="PUT", path="/dossier/dossiers/1").session(means=Means.EID)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Three days in two streams and several files: by one table, and from the third day on by another."""
    book, other = Book(tmp_path), Book(tmp_path, "user-1")
    book.add(WORLD.at(NOW), WORLD.at(NOW + MINUTE))
    another_segment(book)
    book.add(SENT.at(NOW + DAY), WORLD.anonymous().at(NOW + DAY), WORLD.at(NOW + DAY).session(means=Means.PASSWORD))
    another_segment(book)
    reloaded = reload_record(references(), outcome="loaded", before=TABLE, after=OTHER, faults=0, cause="file")
    book._write(reloaded, NOW + 2 * DAY)
    book.add(NEXT.at(NOW + 2 * DAY + HOUR))
    other.add(WORLD.at(NOW + HOUR), person="gh.ij")
    return tmp_path


def test_permits_are_counted_by_person_transaction_use_and_means(ledger: Path) -> None:
    found = usage(ledger, NOW, NOW + 3 * DAY)
    told = {
        (key.user, key.transaction, key.use, key.means): (each.count, each.first[:13], each.last[:13])
        for key, each in found.items()
    }
    assert told == {
        ("ab.cd", "dossier", Use.CONSULTATION, "token"): (3, "2026-06-15T08", "2026-06-17T09"),
        ("ab.cd", "dossier", Use.COMMUNICATION, "eid"): (1, "2026-06-16T08", "2026-06-16T08"),
        ("gh.ij", "dossier", Use.CONSULTATION, "token"): (1, "2026-06-15T09", "2026-06-15T09"),
    }
    assert {(key.institution, key.authorisation) for key in found} == {(KBO, "24/123")}


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (NOW, NOW + MINUTE, 1), (NOW + 1, NOW + DAY, 2), (NOW + 2 * DAY, NOW + 3 * DAY, 1), (NOW + 9 * DAY, NOW + 10 * DAY, 0),
        (NOW - DAY, NOW, 0),
    ],
)  # fmt: skip
def test_of_a_span_of_time(ledger: Path, since: float, until: float, count: int) -> None:
    assert sum(each.count for each in usage(ledger, since, until).values()) == count


def test_of_one_person_transaction_or_institution(ledger: Path) -> None:
    def count(**only: str) -> int:
        return sum(each.count for each in usage(ledger, NOW, NOW + 3 * DAY, **only).values())  # type: ignore[arg-type]

    assert (count(user="gh.ij"), count(user="no.body")) == (1, 0)
    assert (count(transaction="dossier"), count(transaction="pension")) == (5, 0)
    assert (count(institution=KBO), count(institution="0884303369")) == (5, 0)


def test_it_stops_when_it_is_told_to(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.reading.STOP_EVERY", 1)
    assert not usage(ledger, NOW, NOW + 3 * DAY, stop=lambda: True)
    # Also while there is nothing of whom it is asked about: not only between lines that are theirs.
    for user in (None, "no.body"):
        asked: list[bool] = []

        def stop(asked: list[bool] = asked) -> bool:
            asked.append(True)
            return len(asked) > 3

        assert sum(each.count for each in usage(ledger, NOW, NOW + 3 * DAY, user=user, stop=stop).values()) <= 2
        assert len(asked) in (4, 5), user


def test_the_search_for_the_table_ends_with_its_time(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, kept = WORLD.snapshot, ledger / "releases"
    assert table_then(before, ledger, kept, NOW + HOUR, Scan.begun(60)) == (before, None)
    monkeypatch.setattr("gateway.ledger.reading.STOP_EVERY", 1)
    for at in (NOW + HOUR, NOW + 9 * DAY):
        over = Lines(3)
        assert table_then(before, ledger, kept, at, over) == (before, Doubt.TOO_LONG)
        assert over.asked <= 6


# --- which table


@pytest.mark.parametrize(
    ("at", "around"),
    [
        (NOW - 1, (None, TABLE)),
        (NOW, (TABLE, TABLE)),
        (NOW + 2 * HOUR, (TABLE, TABLE)),
        (NOW + DAY + HOUR, (TABLE, TABLE)),  # the reload says what it took the place of
        (NOW + 2 * DAY + MINUTE, (OTHER, OTHER)),
        (NOW + 9 * DAY, (OTHER, None)),
    ],
)
def test_the_table_of_a_moment(ledger: Path, at: float, around: tuple[str | None, str | None]) -> None:
    assert tables_around(ledger, at) == Around(*around)


def test_what_cannot_be_known_is_said(ledger: Path, tmp_path: Path) -> None:
    running, kept = NEXT.snapshot, tmp_path / "releases"
    assert table_then(running, ledger, kept, NOW + 3 * DAY) == (running, None)
    assert table_then(WORLD.snapshot, ledger, kept, NOW + 3 * DAY).doubt is Doubt.NOT_KEPT
    assert table_then(running, ledger, kept, NOW - DAY) == (running, Doubt.NO_LINE)
    assert table_then(running, ledger, kept, NOW + HOUR) == (running, Doubt.NOT_KEPT)
    assert table_then(running, tmp_path / "nowhere", kept, NOW) == (running, Doubt.NO_LINE)
    before = WORLD.snapshot
    assert table_then(before, ledger, kept, NOW + HOUR) == (before, None)
    Book(tmp_path / "two").add(WORLD.at(NOW), NEXT.at(NOW + DAY))
    assert table_then(before, tmp_path / "two", kept, NOW + HOUR) == (before, Doubt.BETWEEN)


def test_a_time_without_a_table(tmp_path: Path) -> None:
    """The gateway refused everything then, by a table of no hash: the same release before and after says nothing about it."""
    none, kept = WORLD.table(hash="", usable=False), tmp_path / "releases"
    Book(tmp_path).add(
        WORLD.at(NOW), none.at(NOW + HOUR), none.at(NOW + 2 * HOUR), WORLD.at(NOW + DAY), none.at(NOW + 2 * DAY)
    )
    running = WORLD.snapshot
    for at, around, doubt, usable in (
        (NOW + MINUTE, (TABLE, ""), Doubt.BETWEEN, True),
        (NOW + HOUR + MINUTE, ("", ""), None, False),
        (NOW + 3 * HOUR, ("", TABLE), Doubt.BETWEEN, False),
        (NOW + 3 * DAY, ("", None), Doubt.BETWEEN, False),
    ):
        assert tables_around(tmp_path, at) == Around(*around)
        found = table_then(running, tmp_path, kept, at)
        assert (found.doubt, found.snapshot.usable) == (doubt, usable)
        # What there is to ask about stays known, so that the answer can be why not.
        assert found.snapshot.transactions == running.transactions
        assert found.snapshot.hash == (TABLE if usable else "")
    assert table_then(none.snapshot, tmp_path, kept, NOW + 3 * DAY).doubt is None


# --- the auditor


def test_the_auditors_key_opens_what_is_sealed_to_it_and_nothing_else_does(tmp_path: Path) -> None:
    made = make_keys(tmp_path / "auditor.pub", tmp_path / "pseudonym.key", tmp_path / "auditor")
    keys = load_keys(made.auditor_public, made.pseudonym)
    private = tmp_path / "auditor" / "auditor-person-private.pem"
    auditor = Auditor.read(private, keys.person_seal)
    identity = Sealer(keys).person("jansen01", "85073003328")
    sealed = orjson.loads(orjson.dumps(identity.fragment))
    assert auditor.person(sealed["sealed"], sealed["sealed_to"]) == {"user_id": "jansen01", "insz": "85073003328"}
    assert auditor.person(sealed["sealed"], "00000000") is None
    assert auditor.person(sealed["sealed"][:-8] + "AAAAAAAA", sealed["sealed_to"]) is None
    for path in (tmp_path / "nothing.pem", made.auditor_public, tmp_path / "auditor" / "auditor-address-private.pem"):
        with pytest.raises(ConfigurationError, match=path.name):
            Auditor.read(path, keys.person_seal)
