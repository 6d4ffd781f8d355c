"""Tampering is noticed, and named for what it is: altered, incomplete, or cannot tell."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.ledger.disk import Disk
from gateway.ledger.lifecycle import start_record, stop_record
from gateway.ledger.line import compose, leaf, moment, read_envelope, serialise
from gateway.ledger.segments import Head
from gateway.ledger.verify import LedgerFault, Report, Verdict, verify
from gateway.ledger.writer import Writer
from tests.ledger.conftest import entry, opening, references

STREAMS = ("conn-0", "admin-0", "user-0")


class NoSync(Disk):
    """For the thousand ledgers of this file: nothing here is about durability."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass

    def sync_existing(self, path: Path) -> None:
        pass


def write_ledger(directory: Path, runs: int = 2, lines: int = 6, segment_bytes: int = 1200, stop: bool = True) -> None:
    """A small ledger of three streams, as a gateway writes it that ran `runs` times."""
    number = 0
    for _ in range(runs):
        writers = [Writer(directory, stream, segment_bytes, NoSync()) for stream in STREAMS]
        heads: dict[str, Head] = {}
        for writer in writers:
            writer.take()
            heads[writer.stream] = writer.head
        for writer in writers:
            writer.begin(
                opening(extra=start_record(references(), version="0", pid=1, streams=STREAMS, heads=heads, fences=()))
            )
        for _ in range(lines):
            number += 1
            for writer in writers:
                writer.commit([entry(number)])
        ended: dict[str, Head] = {}
        for writer in writers:
            if stop:
                writer.commit([(moment(1.8e9), serialise(stop_record(references(), cause="stopped", heads=ended)))])
                ended[writer.stream] = writer.head
            writer.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "ledger"
    write_ledger(directory)
    return directory


@pytest.fixture
def ledger(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def segments(ledger: Path, stream: str = "user-0") -> list[Path]:
    return sorted(ledger.glob(f"*/{stream}-*.jsonl"))


def verdicts(report: Report) -> set[str]:
    return {str(fault.verdict) for fault in report.all_faults()}


def change_lines(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_a_ledger_is_intact_also_as_a_copy_on_another_machine(ledger: Path) -> None:
    report = verify(ledger)
    assert list(report.all_faults()) == []
    assert report.exit_status == 0
    assert {stream.stream: stream.entries for stream in report.streams} == dict.fromkeys(STREAMS, 16)
    assert all(stream.stopped and stream.segments >= 4 for stream in report.streams)


def flip_a_bit(ledger: Path) -> None:
    path = segments(ledger)[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def delete_first(ledger: Path) -> None:
    change_lines(segments(ledger)[0], lambda lines: lines[1:])


def delete_middle(ledger: Path) -> None:
    change_lines(segments(ledger)[1], lambda lines: [lines[0], *lines[2:]])


def delete_last_of_a_segment(ledger: Path) -> None:
    change_lines(segments(ledger)[1], lambda lines: lines[:-1])


def delete_first_segment(ledger: Path) -> None:
    segments(ledger)[0].unlink()


def delete_middle_segment(ledger: Path) -> None:
    segments(ledger)[2].unlink()


def delete_a_stream(ledger: Path) -> None:
    for path in segments(ledger, "conn-0"):
        path.unlink()


def cut_the_newest_lines_of_a_stream_that_ended_before(ledger: Path) -> None:
    """Its own chain does not tell, but the stop line of the stream that ended after it does."""
    change_lines(segments(ledger, "admin-0")[-1], lambda lines: lines[:-1])


def delete_the_newest_segment_of_a_stream_that_ended_before(ledger: Path) -> None:
    segments(ledger, "conn-0")[-1].unlink()


def truncate_at_a_line(ledger: Path) -> None:
    change_lines(segments(ledger)[0], lambda lines: lines[:1])


def truncate_inside_a_line(ledger: Path) -> None:
    path = segments(ledger)[0]
    path.write_bytes(path.read_bytes()[:-30])


def truncate_inside_the_last_line(ledger: Path) -> None:
    path = segments(ledger)[-1]
    path.write_bytes(path.read_bytes()[:-30])


def swap(ledger: Path) -> None:
    change_lines(segments(ledger)[1], lambda lines: [lines[1], lines[0], *lines[2:]])


def duplicate(ledger: Path) -> None:
    change_lines(segments(ledger)[1], lambda lines: [lines[0], *lines])


def splice_from_another_stream(ledger: Path) -> None:
    other = segments(ledger, "admin-0")[1].read_bytes().splitlines(keepends=True)
    change_lines(segments(ledger)[1], lambda lines: [other[0], *lines[1:]])


def a_segment_of_another_stream(ledger: Path) -> None:
    path = segments(ledger)[1]
    first = path.name.rsplit("-", 1)[1]
    path.write_bytes(next(ledger.glob(f"*/admin-0-{first}")).read_bytes())


def edit_and_hash_again(ledger: Path) -> None:
    """The crc is made to fit; the leaf cannot be, since the next line holds it."""

    def edited(lines: list[bytes]) -> list[bytes]:
        found = read_envelope(lines[0][:-1])
        assert found is not None
        changed = compose(found.stream, found.n, found.prev, found.time, '"kind":"decision","id":"X","verdict":"deny"')
        return [changed + b"\n", *lines[1:]]

    change_lines(segments(ledger)[1], edited)


def edit_and_hash_a_suffix_again(ledger: Path) -> None:
    """The whole rest of a segment is chained anew: the next segment still knows better."""

    def edited(lines: list[bytes]) -> list[bytes]:
        made: list[bytes] = []
        prev = ""
        for line in lines:
            found = read_envelope(line[:-1])
            assert found is not None
            record = '"kind":"decision","id":"X"'
            made.append(compose(found.stream, found.n, prev or found.prev, found.time, record))
            prev = leaf(made[-1])
        return [line + b"\n" for line in made]

    change_lines(segments(ledger)[1], edited)


def foreign_bytes_at_the_end(ledger: Path) -> None:
    with segments(ledger)[-1].open("ab") as file:
        file.write(b"more\n")


def an_unwritten_tail(ledger: Path) -> None:
    with segments(ledger)[-1].open("ab") as file:
        file.write(bytes(100))


def rename_a_segment(ledger: Path) -> None:
    path = segments(ledger)[-1]
    path.rename(path.with_name(f"user-0-{99:020}.jsonl"))


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (flip_a_bit, {"altered"}),
        (delete_first, {"incomplete"}),
        (delete_middle, {"incomplete"}),
        (delete_last_of_a_segment, {"incomplete"}),
        (delete_first_segment, {"incomplete"}),
        (delete_middle_segment, {"incomplete"}),
        (delete_a_stream, {"incomplete"}),
        (cut_the_newest_lines_of_a_stream_that_ended_before, {"incomplete"}),
        (delete_the_newest_segment_of_a_stream_that_ended_before, {"incomplete"}),
        (truncate_at_a_line, {"incomplete"}),
        (truncate_inside_a_line, {"altered"}),
        (truncate_inside_the_last_line, {"cannot tell"}),
        (swap, {"altered", "incomplete"}),
        (duplicate, {"altered"}),
        (splice_from_another_stream, {"altered"}),
        (a_segment_of_another_stream, {"altered"}),
        (edit_and_hash_again, {"altered"}),
        (edit_and_hash_a_suffix_again, {"altered"}),
        (foreign_bytes_at_the_end, {"altered"}),
        (an_unwritten_tail, {"cannot tell"}),
        (rename_a_segment, {"altered", "incomplete"}),
    ],
)
def test_tampering_is_named(ledger: Path, tamper: Callable[[Path], None], expected: set[str]) -> None:
    tamper(ledger)
    report = verify(ledger)
    assert verdicts(report) == expected
    assert report.exit_status == (3 if expected == {"cannot tell"} else 1)


def test_a_fault_names_file_and_line(ledger: Path) -> None:
    path = segments(ledger)[1]
    first = int(path.stem.rsplit("-", 1)[1])
    delete_middle(ledger)
    why = f"entry {first + 1} is missing before entry {first + 2}"
    assert list(verify(ledger).all_faults()) == [LedgerFault(Verdict.INCOMPLETE, str(path.relative_to(ledger)), 2, why)]


def single_byte_changes(path: Path, step: int) -> Iterator[bytes]:
    data = path.read_bytes()
    for place in range(0, len(data), step):
        changed = bytearray(data)
        changed[place] ^= 0x01
        yield bytes(changed)


@pytest.mark.parametrize("torn", [False, True])
def test_every_single_byte_mutation_of_a_small_log_is_noticed(
    tmp_path: Path, torn: bool, soak: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte of the request stream, and in `make soak` of all streams and with a torn tail."""
    monkeypatch.setattr("gateway.ledger.verify._PATIENCE_SECONDS", 0.0)
    directory = tmp_path / "ledger"
    write_ledger(directory, runs=1, lines=1)
    if torn:
        with segments(directory)[-1].open("ab") as file:
            file.write(b'{"v":1,"str')
        write_ledger(directory, runs=1, lines=1)
    assert verify(directory).exit_status == 0
    for path in sorted(directory.glob("*/*.jsonl")):
        original = path.read_bytes()
        step = 1 if soak or (path.name.startswith("user") and not torn) else 7
        for number, changed in enumerate(single_byte_changes(path, step)):
            path.write_bytes(changed)
            assert verify(directory).exit_status != 0, (path.name, number)
        path.write_bytes(original)
    assert verify(directory).exit_status == 0


def test_cutting_the_newest_lines_of_the_last_stream_cannot_be_noticed_yet(ledger: Path) -> None:
    """The honest limit (docs/ledger.md): no later line exists. What is left says that it does not end in order."""
    change_lines(segments(ledger)[-1], lambda lines: lines[:-1])
    report = verify(ledger)
    assert report.exit_status == 0
    assert [stream.stopped for stream in report.streams] == [True, True, False]


def test_a_change_before_a_restart_is_still_seen_after_it(ledger: Path) -> None:
    path = segments(ledger)[-1]
    change_lines(path, lambda lines: [lines[0].replace(b"decision", b"decisiom"), *lines[1:]])
    write_ledger(ledger, runs=1)
    assert verify(ledger).exit_status != 0


def test_recorded_torn_tails_are_notes(ledger: Path) -> None:
    with segments(ledger)[-1].open("ab") as file:
        file.write(b'{"v":1,"str')
    assert verify(ledger).exit_status == 3
    write_ledger(ledger, runs=1)
    report = verify(ledger)
    assert report.exit_status == 0
    assert [note for stream in report.streams for note in stream.notes if "11 bytes" in note]


def test_zeroed_lines_after_a_power_cut_cannot_be_told_from_a_change(ledger: Path) -> None:
    with segments(ledger)[-1].open("ab") as file:
        file.write(bytes(50) + b"\n" + bytes(50))
    write_ledger(ledger, runs=1)
    assert verdicts(verify(ledger)) == {"cannot tell"}


def test_an_unreadable_segment_cannot_be_told(ledger: Path) -> None:
    path = segments(ledger)[1]
    path.unlink()
    path.mkdir()
    report = verify(ledger)
    assert "cannot tell" in verdicts(report)


def test_an_empty_directory_cannot_be_told(tmp_path: Path) -> None:
    assert verify(tmp_path).exit_status == 3


def test_a_line_being_written_is_waited_for(ledger: Path) -> None:
    path = segments(ledger)[-1]
    data = path.read_bytes()
    path.write_bytes(data[:-30])

    def finish() -> None:
        with path.open("ab") as file:
            file.write(data[-30:])

    timer = threading.Timer(0.02, finish)
    timer.start()
    assert verify(ledger).exit_status == 0
    timer.join()
