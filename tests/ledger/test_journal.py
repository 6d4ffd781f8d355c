"""A stream on the event loop: who waits learns the truth in time, whatever the disk does; and it comes back by itself."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.errors import LedgerError
from gateway.ledger import hand, journal
from gateway.ledger.disk import Space
from gateway.ledger.journal import Stream
from gateway.ledger.lifecycle import stop_record
from gateway.ledger.reading import read_lines
from gateway.ledger.segments import find_segments
from gateway.ledger.verify import verify
from gateway.ledger.writer import StreamTaken, Writer
from tests.ledger.conftest import FaultyDisk, record, references, start_of

DEADLINE_SECONDS = 0.4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same behaviour with shorter waits."""
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(hand, "HOUSEKEEPING_SECONDS", 0.05)


@pytest.fixture
async def make_stream(tmp_path: Path, disk: FaultyDisk) -> AsyncIterator[Callable[..., Stream]]:
    made: list[Stream] = []

    def make(on_space: Callable[[Space], None] | None = None) -> Stream:
        writer = Writer(tmp_path, "user-0", 1 << 20, disk)
        stream = Stream(writer, asyncio.get_running_loop(), DEADLINE_SECONDS, on_space)
        made.append(stream)
        stream.start(start_of(["user-0"]))
        return stream

    yield make
    disk.hangs.set()
    disk.write_error = disk.sync_error = disk.create_error = disk.room = None
    for stream in made:
        await stream.close(stop_record(references(), cause="test", heads={}))


def lines(directory: Path) -> list[dict[str, Any]]:
    return list(read_lines(find_segments(directory)["user-0"]))


def numbers(directory: Path) -> list[int]:
    return [line["number"] for line in lines(directory) if line["kind"] == "decision"]


def gaps(directory: Path) -> list[dict[str, Any]]:
    return [line for line in lines(directory) if line["kind"] == "gap"]


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is in files and another thread
            await asyncio.sleep(0.01)


async def test_a_line_is_in_the_file_when_its_caller_is_told(
    tmp_path: Path, make_stream: Callable[..., Stream]
) -> None:
    stream = make_stream()
    await stream.write(record(1))
    assert numbers(tmp_path) == [1]
    assert stream.healthy
    assert stream.reason is None


async def test_what_comes_during_a_sync_is_one_batch(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    stream = make_stream()
    told: list[int] = []
    before = disk.syncs
    for number in range(100):
        stream.append(record(number), lambda error, number=number: told.append(number))  # type: ignore[misc]
    assert told == []
    await until(lambda: len(told) == 100)
    assert told == list(range(100)) == numbers(tmp_path)
    assert disk.syncs - before == 1
    assert (stream.lines_written, stream.batches_written) == (100, 1)


async def test_a_line_that_nobody_waits_for_goes_with_the_next_that_somebody_waits_for(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.journal.PATIENT_SECONDS", 60)
    stream = make_stream()
    await stream.write(record(0))
    before, told = disk.syncs, asyncio.Event()
    stream.append(record(1), lambda error: told.set(), patient=True)
    await asyncio.sleep(0.05)
    assert not told.is_set()
    await asyncio.wait_for(stream.write(record(2)), 1)
    assert told.is_set()
    assert (numbers(tmp_path), disk.syncs - before) == ([0, 1, 2], 1)


async def test_a_line_that_nobody_waits_for_goes_by_itself_a_little_later(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    stream = make_stream()
    await stream.write(record(0))
    before, told = disk.syncs, asyncio.Event()
    stream.append(record(1), lambda error: None, patient=True)
    stream.append(record(2), lambda error: told.set(), patient=True)
    await asyncio.wait_for(told.wait(), 5)
    assert (numbers(tmp_path), disk.syncs - before) == ([0, 1, 2], 1)


@pytest.mark.parametrize(("most", "shared"), [(60.0, True), (0.0, False)])
async def test_lines_that_each_turn_of_a_busy_loop_brings_share_a_sync_for_so_long(
    tmp_path: Path,
    make_stream: Callable[..., Stream],
    disk: FaultyDisk,
    monkeypatch: pytest.MonkeyPatch,
    most: float,
    shared: bool,
) -> None:
    monkeypatch.setattr("gateway.ledger.journal.GATHER_SECONDS", 0.0)
    monkeypatch.setattr("gateway.ledger.journal.GATHER_MOST_SECONDS", most)
    monkeypatch.setattr("gateway.ledger.journal.CROWD_LEAST", 100)
    stream = make_stream()
    await stream.write(record(0))
    before, told = disk.syncs, list[LedgerError | None]()
    for number in range(1, 21):
        stream.append(record(number), told.append)
        await asyncio.sleep(0)
    await until(lambda: len(told) == 20)
    assert numbers(tmp_path) == list(range(21))
    assert (disk.syncs - before == 1) is shared


async def test_of_a_crowd_three_of_four_do_not_wait_for_the_rest(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However busy the loop is, and however little time has passed: the disk works while the others are served."""
    monkeypatch.setattr("gateway.ledger.journal.GATHER_SECONDS", 60.0)
    monkeypatch.setattr("gateway.ledger.journal.GATHER_MOST_SECONDS", 60.0)
    stream = make_stream()
    told = list[LedgerError | None]()
    for number in range(40):
        stream.append(record(number), told.append)
    await until(lambda: len(told) == 40)
    before = disk.syncs
    for number in range(40, 69):
        stream.append(record(number), told.append)
        await asyncio.sleep(0.001)
    assert (len(told), disk.syncs - before) == (40, 0)
    stream.append(record(69), told.append)
    await until(lambda: len(told) == 70)
    assert disk.syncs - before == 1
    for number in range(70, 92):  # thirty came lately: fewer are enough now
        stream.append(record(number), told.append)
    await until(lambda: len(told) == 92)
    assert numbers(tmp_path) == list(range(92))


async def test_many_waiters_get_their_own_answer_in_order(tmp_path: Path, make_stream: Callable[..., Stream]) -> None:
    stream = make_stream()
    await asyncio.gather(*(stream.write(record(number)) for number in range(500)))
    assert numbers(tmp_path) == list(range(500))


@pytest.mark.parametrize(("fault", "number"), [("write_error", errno.EIO), ("sync_error", errno.EIO), ("room", 100)])
async def test_a_disk_that_cannot_be_written_refuses_and_comes_back_with_a_gap_line(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk, fault: str, number: int
) -> None:
    stream = make_stream()
    await stream.write(record(0))
    setattr(disk, fault, number)
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(LedgerError):
            await stream.write(record(1))
        assert not stream.healthy
        assert stream.reason is not None
        for _ in range(5):
            with pytest.raises(LedgerError):
                await asyncio.wait_for(stream.write(record(2)), DEADLINE_SECONDS)
        await asyncio.sleep(0.2)
    assert [line["event"] for line in logs] == ["ledger_not_writable"], "one loud line, however long it lasts"
    setattr(disk, fault, None)
    await until(lambda: stream.healthy)
    await stream.write(record(3))
    assert numbers(tmp_path) == [0, 3]
    (gap,) = gaps(tmp_path)
    assert gap["turned_away"] == 6
    assert gap["by_kind"] == {"decision": 6}
    assert gap["from"] <= gap["to"]
    assert verify(tmp_path).exit_status == 0


async def test_one_failed_sync_moves_to_a_new_segment_and_turns_nobody_away(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    stream = make_stream()
    await stream.write(record(0))
    disk.sync = failing_once(disk.sync)  # type: ignore[method-assign,assignment]
    with structlog.testing.capture_logs() as logs:
        await asyncio.gather(stream.write(record(1)), stream.write(record(2)))
    assert [line["event"] for line in logs] == ["ledger_segment_given_up"]
    assert numbers(tmp_path) == [0, 1, 2]
    (gap,) = gaps(tmp_path)
    assert (gap["turned_away"], gap["rewritten"]) == (0, 2)
    assert verify(tmp_path).exit_status == 0


def failing_once(sync: Callable[[int], None]) -> Callable[[int], None]:
    failures = [OSError(errno.EIO, "failed once")]

    def run(descriptor: int) -> None:
        if failures:
            raise failures.pop()
        sync(descriptor)

    return run


async def test_a_hung_disk_refuses_at_the_deadline_and_tells_which_lines_came_late(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    stream = make_stream()
    disk.hangs.clear()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    flying = asyncio.ensure_future(stream.write(record(1)))
    await asyncio.sleep(0.05)
    waiting = asyncio.ensure_future(stream.write(record(2)))
    for future in (flying, waiting):
        with pytest.raises(LedgerError, match="did not answer within"):
            await future
    assert DEADLINE_SECONDS <= loop.time() - begun < 10 * DEADLINE_SECONDS
    begun = loop.time()
    with pytest.raises(LedgerError):
        await stream.write(record(3))
    assert loop.time() - begun < DEADLINE_SECONDS / 2, "who comes later does not wait"
    disk.hangs.set()
    await until(lambda: stream.healthy)
    await stream.write(record(4))
    (gap,) = gaps(tmp_path)
    assert gap["turned_away"] == 3
    late = gap["late"]
    assert [line["number"] for line in lines(tmp_path) if late["first"] <= line["n"] <= late["last"]] == [1]
    assert numbers(tmp_path) == [1, 4]
    assert verify(tmp_path).exit_status == 0


async def test_refusals_while_the_gap_line_is_written_are_told_too(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    stream = make_stream()
    disk.write_error = errno.EIO
    with pytest.raises(LedgerError):
        await stream.write(record(1))
    disk.hangs.clear()
    disk.write_error = None
    await until(lambda: stream._flying is not None)
    for _ in range(3):
        with pytest.raises(LedgerError):
            await stream.write(record(2))
    disk.hangs.set()
    await until(lambda: stream.healthy and len(gaps(tmp_path)) == 2)
    assert sum(gap["turned_away"] for gap in gaps(tmp_path)) == 4


async def test_a_file_unlinked_under_an_idle_stream_is_noticed(
    tmp_path: Path, make_stream: Callable[..., Stream]
) -> None:
    stream = make_stream()
    await stream.write(record(0))
    with structlog.testing.capture_logs() as logs:
        find_segments(tmp_path)["user-0"][-1].path.unlink()
        await until(lambda: "user-0" in find_segments(tmp_path))
        await until(lambda: logs)
    assert [line["event"] for line in logs] == ["ledger_segment_given_up"]
    await stream.write(record(1))
    assert numbers(tmp_path) == [1]
    assert {fault.verdict for fault in verify(tmp_path).all_faults()} == {"incomplete"}


async def test_a_start_on_a_bad_disk_comes_up_by_itself_with_its_start_line(
    tmp_path: Path, make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    disk.create_error = errno.ENOSPC
    stream = make_stream()
    assert not stream.healthy
    with pytest.raises(LedgerError):
        await stream.write(record(0))
    disk.create_error = None
    await until(lambda: stream.healthy)
    assert [line["kind"] for line in lines(tmp_path)] == ["start", "gap"]
    assert gaps(tmp_path)[0]["turned_away"] == 1


async def test_a_taken_stream_stops_the_start(tmp_path: Path, make_stream: Callable[..., Stream]) -> None:
    make_stream()
    second = Stream(Writer(tmp_path, "user-0", 1 << 20), asyncio.get_running_loop())
    with pytest.raises(StreamTaken):
        second.start(start_of(["user-0"]))


async def test_what_is_expendable_is_refused_when_space_is_low(
    tmp_path: Path, make_stream: Callable[..., Stream]
) -> None:
    stream = make_stream()
    stream.spare_space(True)
    told: list[LedgerError | None] = []
    stream.append(record(1), told.append, expendable=True)
    stream.append({**record(2), "kind": "connection"}, told.append, expendable=True)
    await stream.write(record(3))
    assert [str(error) for error in told] == ["user-0: the rest of the disk is kept for permits"] * 2
    assert stream.healthy
    stream.spare_space(False)
    stream.append(record(4), told.append, expendable=True)
    await until(lambda: len(told) == 3)
    assert told[-1] is None
    assert numbers(tmp_path) == [3, 4]
    assert gaps(tmp_path)[0]["by_kind"] == {"decision": 1, "connection": 1}


async def test_one_callers_fault_leaves_no_other_waiting(make_stream: Callable[..., Stream]) -> None:
    stream = make_stream()
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))

    def faulty(error: LedgerError | None) -> None:
        raise RuntimeError("a caller's fault")

    stream.append(record(0), faulty)
    await stream.write(record(1))
    assert [str(context["exception"]) for context in seen] == ["a caller's fault"]
    assert stream.healthy


async def test_a_surprise_in_the_thread_refuses_and_is_told(
    make_stream: Callable[..., Stream], disk: FaultyDisk
) -> None:
    stream = make_stream()

    def surprise(descriptor: int) -> None:
        raise RuntimeError("surprise")

    disk.sync, sync = surprise, disk.sync  # type: ignore[method-assign]
    with pytest.raises(LedgerError, match="surprise"):
        await stream.write(record(0))
    disk.sync = sync  # type: ignore[method-assign]
    await until(lambda: stream.healthy)


async def test_too_many_waiting_lines_are_refused(
    tmp_path: Path, make_stream: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_PENDING_LINES", 3)
    stream = make_stream()
    results = await asyncio.gather(*(stream.write(record(n)) for n in range(5)), return_exceptions=True)
    assert [isinstance(result, LedgerError) for result in results] == [False] * 3 + [True] * 2
    await until(lambda: gaps(tmp_path))
    assert gaps(tmp_path)[0]["turned_away"] == 2
    assert stream.healthy


async def test_close_writes_what_waits_then_a_stop_line(tmp_path: Path, make_stream: Callable[..., Stream]) -> None:
    stream = make_stream()
    told: list[LedgerError | None] = []
    for number in range(3):
        stream.append(record(number), told.append)
    assert await stream.close(stop_record(references(), cause="test", heads={}))
    assert told == [None] * 3
    assert [line["kind"] for line in lines(tmp_path)] == ["start", "decision", "decision", "decision", "stop"]
    with pytest.raises(LedgerError, match="closed"):
        await stream.write(record(9))
    assert verify(tmp_path).streams[0].stopped


async def test_space_is_measured_about_once_a_second(make_stream: Callable[..., Stream], disk: FaultyDisk) -> None:
    disk.free = Space(17, 100)
    found: list[Space] = []
    make_stream(found.append)
    await until(lambda: len(found) >= 2)
    assert found[0] == Space(17, 100)
