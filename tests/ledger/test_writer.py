"""The writer: what it called durable is in the files, whatever the disk did, and the files verify."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import LedgerError
from gateway.ledger.reading import read_lines
from gateway.ledger.segments import SEGMENT_DIGITS, find_segments
from gateway.ledger.verify import verify
from gateway.ledger.writer import KEPT_BYTES, SEGMENT_SECONDS, StreamTaken, WriteFailed, Writer
from tests.ledger.conftest import FaultyDisk, entry, opening

MakeWriter = Callable[..., Writer]


def files(directory: Path, stream: str = "user-0") -> list[Path]:
    return sorted(directory.glob(f"*/{stream}-*.jsonl"))


def lines(directory: Path, stream: str = "user-0") -> list[dict[str, Any]]:
    return list(read_lines(find_segments(directory)[stream]))


def numbers(directory: Path) -> list[int]:
    return [line["number"] for line in lines(directory) if line["kind"] == "decision"]


def intact(directory: Path) -> bool:
    report = verify(directory)
    assert list(report.all_faults()) == []
    return report.exit_status == 0


def test_lines_are_chained_across_batches_and_segments(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer(segment_bytes=2000)
    writer.begin(opening())
    for number in range(0, 30, 3):
        writer.commit([entry(number), entry(number + 1), entry(number + 2)])
    assert numbers(tmp_path) == list(range(30))
    assert [line["n"] for line in lines(tmp_path)] == list(range(31))
    assert len(files(tmp_path)) > 3
    for path in files(tmp_path):
        first = json.loads(path.read_bytes().splitlines()[0])["n"]
        assert path.name == f"user-0-{first:0{SEGMENT_DIGITS}}.jsonl"
    assert intact(tmp_path)


def test_a_small_batch_after_a_large_one_shows_nothing_of_it(tmp_path: Path, make_writer: MakeWriter) -> None:
    """They are put together in the same memory, up to a size; a larger batch takes its memory along."""
    writer = make_writer(segment_bytes=1 << 24)
    writer.begin(opening())
    number = 0
    for size in (40, 1, 7, 3 * KEPT_BYTES // 4000, 2, 1):
        writer.commit([entry(number + more, text="x" * 4000) for more in range(size)])
        number += size
        writer.commit([entry(number)])
        number += 1
    assert numbers(tmp_path) == list(range(number))
    assert intact(tmp_path)
    assert len(writer._memory) <= KEPT_BYTES


def test_who_keeps_an_error_keeps_nobody_from_writing(
    tmp_path: Path, make_writer: MakeWriter, disk: FaultyDisk
) -> None:
    writer = make_writer()
    writer.begin(opening())
    disk.room = 1500
    with pytest.raises(WriteFailed) as kept:
        writer.commit([entry(0), entry(1, text="x" * 2000)])
    disk.room = None
    writer.begin(opening())
    writer.commit([entry(number, text="x" * 4000) for number in range(2, 12)])
    assert numbers(tmp_path)[-1] == 11
    assert intact(tmp_path)
    assert "No space left on device" in str(kept.value)


def test_a_name_with_a_number_that_no_stream_reaches_is_told(tmp_path: Path, make_writer: MakeWriter) -> None:
    """Going on after it, the stream would name its next segment so that nobody finds it."""
    before = make_writer()
    before.begin(opening())
    before.close()
    strange = tmp_path / "request" / f"user-0-{'9' * SEGMENT_DIGITS}.jsonl"
    strange.write_text("rubbish\n")
    writer = make_writer()
    with pytest.raises(WriteFailed, match=f"{strange.name}: .* Move it out of the ledger"):
        writer.begin(opening())
    strange.unlink()
    writer.begin(opening())
    writer.commit([entry(0)])
    assert intact(tmp_path)
    assert len(lines(tmp_path)) == 3


def test_files_are_private(tmp_path: Path, make_writer: MakeWriter) -> None:
    old = os.umask(0)
    try:
        make_writer().begin(opening())
    finally:
        os.umask(old)
    directory = tmp_path / "request"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_segment_ends_with_its_day(tmp_path: Path, make_writer: MakeWriter) -> None:
    now = [0.0]
    writer = make_writer(clock=lambda: now[0])
    writer.begin(opening())
    writer.commit([entry(0)])
    now[0] = SEGMENT_SECONDS
    writer.commit([])
    assert len(files(tmp_path)) == 1
    writer.commit([entry(1)])
    assert len(files(tmp_path)) == 2
    assert intact(tmp_path)


def test_a_stream_goes_on_after_a_restart(tmp_path: Path, make_writer: MakeWriter) -> None:
    for round_ in range(3):
        writer = make_writer()
        writer.begin(opening())
        writer.commit([entry(round_)])
        writer.close()
    assert numbers(tmp_path) == [0, 1, 2]
    assert [line["n"] for line in lines(tmp_path)] == list(range(6))
    assert len(files(tmp_path)) == 3
    assert intact(tmp_path)


def test_a_second_writer_is_refused_and_disturbs_nothing(tmp_path: Path, make_writer: MakeWriter) -> None:
    first, second = make_writer(), make_writer()
    first.begin(opening())
    with pytest.raises(StreamTaken, match="another process writes the stream user-0"):
        second.begin(opening())
    first.commit([entry(0)])
    assert intact(tmp_path)
    first.close()
    second.begin(opening())
    second.commit([entry(1)])
    assert numbers(tmp_path) == [0, 1]
    assert intact(tmp_path)


def test_a_torn_tail_is_fenced_untouched_and_recorded(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(0)])
    writer.close()
    torn = files(tmp_path)[0]
    with torn.open("ab") as file:
        file.write(b'{"v":1,"stream":"user-0","n":2,"pre')
    before = torn.read_bytes()
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(1)])
    assert torn.read_bytes() == before
    start = lines_of(files(tmp_path)[1])[0]
    assert start["n"] == 3
    assert start["fenced"] == [
        {
            "segment": torn.name,
            "offset": before.rindex(b"\n") + 1,
            "bytes": 35,
            "n": 2,
            "sha256": start["prev"],
            "cause": "torn",
        }
    ]
    assert intact(tmp_path)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_crash_upon_crash_at_the_first_line_of_a_segment(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    writer.close()
    for _ in range(3):
        newest = files(tmp_path)[-1]
        with newest.open("ab") as file:
            file.write(b'{"torn')
        # The next start dies while it writes its first line: half of it is there.
        writer = make_writer()
        writer.begin(opening())
        writer.close()
        newest = files(tmp_path)[-1]
        newest.write_bytes(newest.read_bytes()[:20])
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(0)])
    assert len(lines_of(files(tmp_path)[-1])[0]["fenced"]) == 4, "every torn tail so far"
    assert intact(tmp_path)


def test_an_empty_segment_of_a_crash_is_used_again(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    writer.close()
    (tmp_path / "request" / f"user-0-{1:020}.jsonl").touch()
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(0)])
    assert len(files(tmp_path)) == 2
    assert intact(tmp_path)


@pytest.mark.parametrize("fault", ["write_error", "sync_error"])
def test_nothing_is_durable_after_an_error_and_the_same_file_is_never_tried_again(
    tmp_path: Path, make_writer: MakeWriter, disk: FaultyDisk, fault: str
) -> None:
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(0)])
    setattr(disk, fault, errno.EIO)
    with pytest.raises(WriteFailed, match="Input/output error"):
        writer.commit([entry(1), entry(2)])
    setattr(disk, fault, None)
    with pytest.raises(WriteFailed, match="no segment"):
        writer.commit([entry(1), entry(2)])
    given_up = files(tmp_path)[0].read_bytes()
    writer.begin(opening())
    writer.commit([entry(1), entry(2)])
    assert files(tmp_path)[0].read_bytes() == given_up
    fenced = lines_of(files(tmp_path)[1])[0]["fenced"]
    if fault == "sync_error":
        assert [(fence["cause"], fence["n"]) for fence in fenced] == [("given_up", 2)]
    else:
        assert fenced == []
    assert intact(tmp_path)


def test_a_tail_that_the_disk_lost_is_no_alteration(tmp_path: Path, make_writer: MakeWriter, disk: FaultyDisk) -> None:
    writer = make_writer()
    writer.begin(opening())
    disk.sync_error = errno.EIO
    with pytest.raises(WriteFailed):
        writer.commit([entry(1)])
    disk.sync_error = None
    writer.begin(opening())
    first = files(tmp_path)[0]
    first.write_bytes(first.read_bytes().splitlines(keepends=True)[0])
    report = verify(tmp_path)
    assert [(fault.verdict, fault.file) for fault in report.all_faults()] == [
        ("cannot tell", str(first.relative_to(tmp_path)))
    ]
    assert report.exit_status == 3


@pytest.mark.parametrize("room", [0, 1, 100, 1500])
def test_a_full_disk_leaves_a_fenced_tail_at_most(
    tmp_path: Path, make_writer: MakeWriter, disk: FaultyDisk, room: int
) -> None:
    writer = make_writer()
    writer.begin(opening())
    disk.room = room
    with pytest.raises(WriteFailed, match="No space left"):
        writer.commit([entry(number) for number in range(20)])
    for _ in range(3):
        with pytest.raises(WriteFailed, match="No space left"):
            writer.begin(opening())
    assert len(files(tmp_path)) == 1, "attempts on a full disk leave nothing"
    disk.room = None
    writer.begin(opening())
    writer.commit([entry(99)])
    assert numbers(tmp_path)[-1] == 99
    assert intact_but_tail(tmp_path)


def intact_but_tail(directory: Path) -> bool:
    report = verify(directory)
    return report.exit_status == 0 and list(report.all_faults()) == []


@pytest.mark.parametrize("fault", ["create_error", "directory_error"])
def test_a_segment_that_cannot_be_made(tmp_path: Path, make_writer: MakeWriter, disk: FaultyDisk, fault: str) -> None:
    writer = make_writer(segment_bytes=1)
    writer.begin(opening())
    setattr(disk, fault, errno.EIO)
    with pytest.raises(WriteFailed, match="cannot create"):
        writer.commit([entry(0)])
    with pytest.raises(WriteFailed):
        writer.begin(opening())
    setattr(disk, fault, None)
    writer.begin(opening())
    writer.commit([entry(0)])
    assert numbers(tmp_path) == [0]
    assert intact(tmp_path)


def test_a_file_unlinked_under_us_is_noticed_before_anything_is_called_durable(
    tmp_path: Path, make_writer: MakeWriter
) -> None:
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(0)])
    writer.close()
    writer = make_writer()
    writer.begin(opening())
    files(tmp_path)[-1].unlink()
    with pytest.raises(WriteFailed, match="No such file"):
        writer.commit([entry(1)])
    writer.begin(opening())
    writer.commit([entry(1)])
    report = verify(tmp_path)
    assert [fault.verdict for fault in report.all_faults()] == ["incomplete"], "the unlinked start line is missing"


def test_a_file_replaced_under_us_is_noticed(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    path = files(tmp_path)[0]
    content = path.read_bytes()
    path.rename(tmp_path / "elsewhere")
    path.write_bytes(content)
    with pytest.raises(WriteFailed, match="replaced"):
        writer.commit([entry(0)])
    writer.begin(opening())
    writer.commit([entry(0)])
    assert numbers(tmp_path) == [0]
    assert intact(tmp_path)


def test_what_somebody_else_appends_is_noticed_and_fenced(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    with files(tmp_path)[0].open("ab") as file:
        file.write(b'{"forged":true}\n')
    with pytest.raises(WriteFailed, match="changed by somebody else"):
        writer.commit([entry(0)])
    writer.begin(opening())
    writer.commit([entry(0)])
    assert [fence["cause"] for fence in lines_of(files(tmp_path)[1])[0]["fenced"]] == ["given_up"]
    assert numbers(tmp_path)[-1:] == [0]


def test_an_idle_look_notices_what_happened_to_the_file(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    writer.commit([])
    files(tmp_path)[0].write_bytes(b"")
    with pytest.raises(WriteFailed, match="changed by somebody else"):
        writer.commit([])


def test_a_foreign_file_in_the_way_is_stepped_over_and_told(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer(segment_bytes=1)
    writer.begin(opening())
    (tmp_path / "request" / f"user-0-{1:020}.jsonl").write_bytes(b"what is this\n")
    writer.commit([entry(0)])
    writer.close()
    writer = make_writer()
    writer.begin(opening())
    writer.commit([entry(1)])
    assert numbers_of_good_files(tmp_path) == [0, 1]
    assert {fault.verdict for fault in verify(tmp_path).all_faults()} == {"altered"}


def numbers_of_good_files(directory: Path) -> list[int]:
    return [
        line["number"]
        for path in files(directory)
        if path.read_bytes().startswith(b'{"v"')
        for line in lines_of(path)
        if line["kind"] == "decision"
    ]


def test_a_ledger_directory_that_vanished_comes_back(tmp_path: Path, make_writer: MakeWriter) -> None:
    writer = make_writer()
    writer.begin(opening())
    (tmp_path / "request").rename(tmp_path / "gone")
    with pytest.raises(WriteFailed):
        writer.commit([entry(0)])
    writer.begin(opening())
    writer.commit([entry(0)])
    assert numbers(tmp_path / ".")[-1] == 0
    with pytest.raises(StreamTaken):
        make_writer().begin(opening())


def test_the_head_is_unknown_before_the_stream_was_read(make_writer: MakeWriter) -> None:
    with pytest.raises(LedgerError, match="not been read"):
        _ = make_writer().head
