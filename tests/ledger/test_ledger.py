"""The ledger of a process and of a command: streams, life lines, reserve, flood, health."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.errors import ConfigurationError, LedgerError
from gateway.ledger import CliLedger, Ledger, LedgerSettings, hand, journal
from gateway.ledger import ledger as module
from gateway.ledger.disk import Space
from gateway.ledger.reading import read_lines
from gateway.ledger.record import administration_record
from gateway.ledger.segments import find_segments
from gateway.ledger.verify import verify
from tests.ledger.conftest import FaultyDisk, record


def lines(settings: LedgerSettings, stream: str) -> list[dict[str, Any]]:
    return list(read_lines(find_segments(settings.directory)[stream]))


async def test_a_life_from_start_to_stop(settings: LedgerSettings) -> None:
    ledger = Ledger.open(settings, 3, asyncio.get_running_loop())
    assert ledger.reasons() == []
    await ledger.user.write(record(1))
    await ledger.admin.write({**record(2), "kind": "sign-in"})
    await ledger.conn.write({**record(3), "kind": "connection"})
    await ledger.reload(outcome="loaded", before="ab", after="cd", faults=0, cause="SIGHUP")
    await ledger.close()
    assert not ledger.healthy
    kinds = {stream: [line["kind"] for line in lines(settings, stream)] for stream in ("user-3", "admin-3", "conn-3")}
    assert kinds == {
        "user-3": ["start", "decision", "reload", "stop"],
        "admin-3": ["start", "sign-in", "reload", "stop"],
        "conn-3": ["start", "connection", "stop"],
    }
    last = lines(settings, "user-3")[-1]
    assert {stream: head["n"] for stream, head in last["heads"].items()} == {"conn-3": 2, "admin-3": 3}
    again = Ledger.open(settings, 3, asyncio.get_running_loop())
    await again.close()
    assert lines(settings, "conn-3")[3]["heads"]["user-3"]["n"] == 3
    assert verify(settings.directory).exit_status == 0


async def test_streams_lie_by_retention_class(settings: LedgerSettings) -> None:
    ledger = Ledger.open(settings, 0, asyncio.get_running_loop())
    with CliLedger(settings) as command:
        command.write(administration_record(command.references(), act="person add", actor="shell"))
    await ledger.close()
    names = {stream: segments[0].path.parent.name for stream, segments in find_segments(settings.directory).items()}
    (of_command,) = [stream for stream in names if stream.startswith("cli-")]
    assert names == {
        "user-0": "request",
        "admin-0": "administration",
        "conn-0": "connection",
        of_command: "administration",
    }


async def test_a_bad_key_stops_the_start(settings: LedgerSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Ledger.open(replace(settings, pseudonym_key=tmp_path / "none"), 0, asyncio.get_running_loop())


async def test_a_disk_that_cannot_be_written_at_the_start_stops_nothing(
    settings: LedgerSettings, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.05)
    disk.create_error = errno.EROFS
    ledger = Ledger(settings, 0, asyncio.get_running_loop(), disk)
    ledger.start()
    assert [reason.split(":")[0] for reason in ledger.reasons()] == ["conn-0", "admin-0", "user-0"]
    with pytest.raises(LedgerError, match="Read-only file system"):
        await ledger.user.write(record(0))
    disk.create_error = None
    async with asyncio.timeout(5):
        while not ledger.healthy:  # noqa: ASYNC110 - it comes back by itself, without telling anybody
            await asyncio.sleep(0.01)
    await ledger.close()
    assert verify(settings.directory).exit_status == 0


async def test_the_reserve_is_for_permits_and_the_alarm_comes_well_before(
    settings: LedgerSettings, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand, "HOUSEKEEPING_SECONDS", 0.02)
    mib = 1 << 20
    ledger = Ledger(replace(settings, reserve_bytes=100 * mib), 0, asyncio.get_running_loop(), disk)
    disk.free = Space(300 * mib, 10_000 * mib)
    ledger.start()
    await measured(ledger, disk)
    with structlog.testing.capture_logs() as logs:
        disk.free = Space(150 * mib, 10_000 * mib)
        await measured(ledger, disk)
        await asyncio.sleep(0.1)
    assert [line["event"] for line in logs] == ["ledger_space_alarm"]
    await ledger.conn.write({**record(1), "kind": "connection"})
    disk.free = Space(50 * mib, 10_000 * mib)
    await measured(ledger, disk)
    told: list[LedgerError | None] = []
    ledger.conn.append({**record(2), "kind": "connection"}, told.append, expendable=True)
    await ledger.user.write(record(3))
    assert isinstance(told[0], LedgerError)
    assert ledger.healthy, "permits go on"
    disk.free = Space(500 * mib, 10_000 * mib)
    await measured(ledger, disk)
    await ledger.close()
    alarms = [line for line in lines(settings, "admin-0") if line["kind"] == "alarm"]
    assert [(line["alarm"], line["values"]["reserve_bytes"]) for line in alarms] == [("space", 100 * mib)]
    gaps = [line for line in lines(settings, "conn-0") if line["kind"] == "gap"]
    assert [line["by_kind"] for line in gaps] == [{"connection": 1}]


async def test_the_reserve_shrinks_with_the_file_system(
    settings: LedgerSettings, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand, "HOUSEKEEPING_SECONDS", 0.02)
    ledger = Ledger(replace(settings, reserve_bytes=1 << 30), 0, asyncio.get_running_loop(), disk)
    disk.free = Space(6_000_000, 100_000_000)
    ledger.start()
    await measured(ledger, disk)
    await ledger.conn.write(record(1))
    told: list[LedgerError | None] = []
    ledger.conn.append(record(2), told.append, expendable=True)
    await ledger.conn.write(record(3))
    await ledger.close()
    assert told == [None]


async def measured(ledger: Ledger, disk: FaultyDisk) -> None:
    async with asyncio.timeout(5):
        while disk.free is None or ledger.free_bytes != disk.free.free:  # noqa: ASYNC110 - another thread measures
            await asyncio.sleep(0.01)


async def test_a_flood_becomes_counted_lines_that_its_references_find(
    settings: LedgerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLOOD_SECONDS", 0.05)
    ledger = Ledger.open(replace(settings, flood_rate=5), 0, asyncio.get_running_loop())
    client = ip_address("192.0.2.1")
    shown = [ledger.counted(client, "machine_client", ledger.references()) for _ in range(50)]
    assert shown[:5] == [None] * 5
    assert len(set(shown[5:])) == 1
    assert ledger.counted(ip_address("198.51.100.1"), "machine_client", ledger.references()) is None
    await asyncio.sleep(1.2)
    for _ in range(3):
        ledger.counted(client, "plain_http", ledger.references())
    await ledger.close()
    first, second = [line for line in lines(settings, "conn-0") if line["kind"] == "refusals"]
    assert (first["id"], first["count"], first["reasons"]) == (shown[5], 45, {"machine_client": 45})
    assert second["reasons"] == {"plain_http": 3}
    assert first["client"]["network"] == second["client"]["network"]


def test_a_command_without_a_line_leaves_nothing(settings: LedgerSettings) -> None:
    with CliLedger(settings):
        pass
    assert not settings.directory.exists()


def test_a_command_writes_before_it_commits(settings: LedgerSettings) -> None:
    with CliLedger(settings) as ledger:
        for number in range(3):
            ledger.write(
                administration_record(ledger.references(), act="person add", actor="shell", objects={"n": number})
            )
            (stream,) = find_segments(settings.directory)
            assert [line["objects"]["n"] for line in lines(settings, stream)] == list(range(number + 1))
    assert not list(settings.directory.glob("*/*.lock")), "nobody opens this stream again"
    assert verify(settings.directory).exit_status == 0


def test_a_command_whose_line_cannot_be_written_is_told_so(settings: LedgerSettings, disk: FaultyDisk) -> None:
    disk.write_error = errno.ENOSPC
    with CliLedger(settings, disk) as ledger, pytest.raises(LedgerError, match="No space left"):
        ledger.write(administration_record(ledger.references(), act="person add", actor="shell"))


def test_two_commands_of_one_second_have_streams_of_their_own(settings: LedgerSettings) -> None:
    ledgers = [CliLedger(settings, clock=lambda: 1.8e9) for _ in range(2)]
    with ledgers[0] as one, ledgers[1] as other:
        one.write(administration_record(one.references(), act="person add", actor="shell"))
        with pytest.raises(LedgerError, match="another process"):
            other.write(administration_record(other.references(), act="person add", actor="shell"))
