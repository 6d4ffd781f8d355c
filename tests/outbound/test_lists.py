"""Revocation lists: fetched once for all workers, taken only when they are in order, kept over a restart, and no load on anybody."""

from __future__ import annotations

import asyncio
import datetime as dt
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import OutboundError
from gateway.outbound import lists
from gateway.outbound.lists import RETRY_SECONDS, UNUSED_SECONDS, Wanted
from tests.outbound.authority import CardAuthority
from tests.outbound.conftest import Clock, Office, Opener
from tests.outbound.elsewhere import Elsewhere, elsewhere, says

HOUR = 3600.0


def wanted_of(place: Elsewhere, authority: CardAuthority) -> Wanted:
    return Wanted(f"{place.address}/1.crl", authority.der)


def numbers(office: Office, wanted: Wanted, *serials: int) -> list[bool] | None:
    index = office.lists.find(wanted)
    return None if index is None else [serial in index for serial in serials]


async def test_a_list_is_there_after_the_fetch_for_every_worker_and_after_a_restart(
    authority: CardAuthority, office: Opener
) -> None:
    revoked, good = authority.issue(), authority.issue()
    serials = [int(card.serial, 16) for card in (revoked, good)]
    async with elsewhere(says(authority.list_of(revoked))) as place:
        wanted = wanted_of(place, authority)
        asking, fetching = office(place.address), office(place.address)
        asking.lists.want(wanted)
        assert numbers(asking, wanted, *serials) is None
        await fetching.lists.fetch_due()
        assert len(place.asked) == 1
    for worker in (asking, fetching, office(place.address)):
        assert numbers(worker, wanted, *serials) == [True, False]
    (header,) = fetching.lists.headers()
    assert header.url == wanted.url
    assert header.count == 1
    assert header.next_update - header.this_update == 86_400


async def test_it_is_fetched_on_schedule_and_not_before(authority: CardAuthority, office: Opener, clock: Clock) -> None:
    revoked = authority.issue()
    async with elsewhere(says(authority.list_of())) as place:
        worker, wanted = office(place.address, list_every=HOUR), wanted_of(place, authority)
        worker.lists.want(wanted)
        began = clock.now
        for after, asked in ((0, 1), (HOUR - 1, 1), (HOUR, 2), (2 * HOUR - 1, 2)):
            clock.now = began + after
            await worker.lists.fetch_due()
            assert len(place.asked) == asked, after
        assert numbers(worker, wanted, int(revoked.serial, 16)) == [False]
        place.answer = says(authority.list_of(revoked, issued=2 * HOUR))
        clock.now = began + 2 * HOUR
        await worker.lists.fetch_due()
        assert numbers(worker, wanted, int(revoked.serial, 16)) == [True]


async def test_one_that_ends_is_fetched_before_its_hour(authority: CardAuthority, office: Opener, clock: Clock) -> None:
    async with elsewhere(says(authority.list_of(holds=600))) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        await worker.lists.fetch_due()
        clock.now += 600
        await worker.lists.fetch_due()
        clock.now += RETRY_SECONDS - 1
        await worker.lists.fetch_due()
        assert len(place.asked) == 2


async def test_what_did_not_change_is_neither_sent_nor_read_again(
    authority: CardAuthority, office: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = authority.list_of(authority.issue())

    async def unless_newer(request: bytes, writer: asyncio.StreamWriter) -> None:
        fields = ('ETag: "1"', "Last-Modified: Sat, 28 Nov 2026 10:00:00 GMT")
        same = b'If-None-Match: "1"' in request and b"If-Modified-Since: Sat, 28 Nov 2026 10:00:00 GMT" in request
        await says(b"" if same else content, *fields, status="304 Not Modified" if same else "200 OK")(request, writer)

    async with elsewhere(unless_newer) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        await worker.lists.fetch_due()

        async def never_again(_: dict[str, object]) -> dict[str, object]:
            raise AssertionError("it was read again")

        monkeypatch.setattr(lists, "_read", never_again)
        for answer in (unless_newer, says(content)):
            place.answer = answer
            clock.now += HOUR
            await worker.lists.fetch_due()
            (header,) = worker.lists.headers()
            assert header.fetched_at == clock.now
            assert header.count == 1


@pytest.mark.parametrize("mark", [b'"\xe9\xff"', b'"' + b"x" * 7000 + b'"'], ids=["no characters", "long"])
async def test_what_a_server_calls_its_list_never_keeps_the_next_one_away(
    authority: CardAuthority, office: Opener, clock: Clock, mark: bytes
) -> None:
    """It came over plain HTTP: once is enough for somebody in between, and it would be said back each time."""
    revoked = authority.issue()

    async def marked(request: bytes, writer: asyncio.StreamWriter) -> None:
        content = authority.list_of()
        writer.write(b"HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %d\r\n\r\n%s" % (mark, len(content), content))

    async with elsewhere(marked) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        await worker.lists.fetch_due()
        assert numbers(worker, wanted, int(revoked.serial, 16)) == [False]
        place.answer = says(authority.list_of(revoked))
        clock.now += HOUR
        await worker.lists.fetch_due()
        assert b"If-None-Match" not in place.asked[-1]
        assert numbers(worker, wanted, int(revoked.serial, 16)) == [True]


async def test_a_list_that_is_over_is_not_the_same_as_nothing_new(
    authority: CardAuthority, office: Opener, clock: Clock
) -> None:
    """A cache in between that says "not modified" for ever."""

    async def cached(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b"If-None-Match" in request:
            await says(b"", status="304 Not Modified")(request, writer)
        else:
            await says(authority.list_of(issued=clock.now - authority.now.timestamp()), 'ETag: "1"')(request, writer)

    async with elsewhere(cached) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        await worker.lists.fetch_due()
        clock.now += 25 * HOUR
        await worker.lists.fetch_due()
        (header,) = worker.lists.headers()
        assert header.next_update > clock.now


Refused = Callable[[CardAuthority], bytes]


@pytest.mark.parametrize(
    "content",
    [
        lambda authority: authority.list_of(signer=ec.generate_private_key(ec.SECP256R1())),
        lambda authority: CardAuthority(authority.now.timestamp()).list_of(),
        lambda authority: CardAuthority(authority.now.timestamp(), "Another CA").list_of(),
        lambda authority: authority.list_of(issued=-HOUR, holds=HOUR - 121),
        lambda authority: authority.list_of(issued=121),
        lambda authority: authority.list_of(issued=-HOUR),
        lambda authority: b"<html>not found</html>",
        lambda authority: authority.list_of()[:-1],
        lambda authority: b"0" * 3000,
    ],
    ids=["signature", "namesake", "another", "over", "future", "older", "page", "cut", "large"],
)
async def test_a_list_that_is_not_in_order_leaves_the_one_that_is_there(
    authority: CardAuthority, office: Opener, clock: Clock, content: Refused
) -> None:
    revoked = authority.issue()
    async with elsewhere(says(authority.list_of(revoked))) as place:
        worker, wanted = office(place.address, list_bytes=2500), wanted_of(place, authority)
        worker.lists.want(wanted)
        await worker.lists.fetch_due()
        (before,) = worker.lists.headers()
        place.answer = says(content(authority))
        await worker.lists._fetch(wanted)
        assert len(place.asked) == 2
        assert numbers(worker, wanted, int(revoked.serial, 16)) == [True]
        assert worker.lists.headers() == [before]
        assert sorted(path.suffix for path in worker.settings.directory.iterdir()) == [".index", ".wanted"]


async def test_after_a_failure_it_is_tried_again_in_a_while(
    authority: CardAuthority, office: Opener, clock: Clock
) -> None:
    async with elsewhere(says(b"", status="503 Service Unavailable")) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        for after, asked in ((0, 1), (RETRY_SECONDS - 1, 1), (1, 2)):
            clock.now += after
            await worker.lists.fetch_due()
            assert len(place.asked) == asked
        place.answer = says(authority.list_of())
        clock.now += RETRY_SECONDS
        await worker.lists.fetch_due()
        assert numbers(worker, wanted) == []


async def test_one_that_no_card_names_any_more_is_thrown_away(
    authority: CardAuthority, office: Opener, clock: Clock
) -> None:
    async with elsewhere(says(authority.list_of())) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        await worker.lists.fetch_due()
        clock.now += UNUSED_SECONDS - 1
        worker.lists.want(wanted)  # named once more: its time begins anew
        clock.now += 2
        await worker.lists.fetch_due()
        assert worker.lists.find(wanted) is not None
        clock.now += UNUSED_SECONDS
        await worker.lists.fetch_due()
        assert list(worker.settings.directory.iterdir()) == []
        assert worker.lists.find(wanted) is None


async def test_there_are_so_many_lists_at_the_most(
    authority: CardAuthority, office: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MOST_LISTS", 2)
    worker = office("http://crl.example")
    for number in range(4):
        worker.lists.want(Wanted(f"http://crl.example/{number}.crl", authority.der))
    assert len(list(worker.settings.directory.iterdir())) == 2


async def test_only_lists_of_allowed_places_are_asked_for(authority: CardAuthority, office: Opener) -> None:
    worker = office("http://crl.example")
    with pytest.raises(OutboundError, match="host_not_allowed"):
        worker.lists.want(Wanted("http://inner.example/1.crl", authority.der))
    assert not worker.settings.directory.exists()


async def test_what_somebody_put_there_is_not_taken(
    authority: CardAuthority, office: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    async with elsewhere(says(authority.list_of())) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        directory = worker.settings.directory
        (directory / f"{wanted.name}.index").write_bytes(b"revocation list 1\n{}\n")
        (directory / f"{'0' * 32}.wanted").write_text((directory / f"{wanted.name}.wanted").read_text())
        (directory / "x.wanted").write_text("[]")
        (directory / "y.wanted").write_bytes(b"\xff")
        assert worker.lists.find(wanted) is worker.lists.find(wanted) is None
        assert capsys.readouterr().out.count("cannot be read") == 1
        await worker.lists.fetch_due()
        assert len(place.asked) == 1
        assert numbers(worker, wanted) == []


async def test_a_directory_that_cannot_be_written_is_said_and_harms_nobody(
    authority: CardAuthority, office: Opener, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "revocation").write_text("a file")
    worker = office("http://crl.example")
    worker.lists.want(Wanted("http://crl.example/1.crl", authority.der))
    assert "cannot be asked for" in capsys.readouterr().out
    await worker.lists.fetch_due()


@pytest.mark.parametrize("program", ["import time; time.sleep(60)", "raise SystemExit(3)", "print('[')"])
async def test_a_reader_that_hangs_or_dies_costs_one_list(
    authority: CardAuthority, office: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{program}\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(lists, "READING_SECONDS", 1.0)
    async with elsewhere(says(authority.list_of())) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        await asyncio.wait_for(worker.lists.fetch_due(), 20)
        assert worker.lists.find(wanted) is None
        assert [path.suffix for path in worker.settings.directory.iterdir()] == [".wanted"]


def test_a_reader_that_has_ended_before_it_was_asked_costs_one_list_under_the_other_loop_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop says of a closed pipe what asyncio does not, and that was the end of all checking."""
    begin = asyncio.create_subprocess_exec

    async def ended(*words: Any, **how: Any) -> asyncio.subprocess.Process:
        process = await begin(*words, **how)
        await process.wait()
        await asyncio.sleep(0.05)  # the loop learns of the pipe after the process
        return process

    monkeypatch.setattr(sys, "executable", "/bin/true")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", ended)
    for factory in (uvloop.new_event_loop, asyncio.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner, pytest.raises(OutboundError, match="list_reading_failed"):
            runner.run(lists._read({"some": "order"}))


@pytest.mark.slow
async def test_a_large_list_holds_up_nobody(authority: CardAuthority, office: Opener, soak: bool) -> None:
    """A million rows at `make soak`. The work is another process's: what this one does meanwhile is to receive it."""
    count = 1_000_000 if soak else 200_000
    random = Random(5)  # positive, and 126 bits: no sign octet is needed
    serials = [random.getrandbits(126) | 1 << 125 for _ in range(count)]
    async with elsewhere(says(large_list(authority, serials))) as place:
        worker, wanted = office(place.address), wanted_of(place, authority)
        worker.lists.want(wanted)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        gaps = await gaps_during(worker.lists.fetch_due)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work = after.ru_utime - before.ru_utime
        index = worker.lists.find(wanted)
        assert index is not None
        assert index.header.count == count
        began = time.process_time()
        assert all(serial in index for serial in serials[:1000])
        assert not any(serial + (1 << 130) in index for serial in serials[:1000])
        assert time.process_time() - began < 0.5  # a lookup: less than 250 µs
        assert max(gaps) < max(0.25, work / 3), (max(gaps), work)


async def gaps_during(work: Callable[[], Awaitable[None]]) -> list[float]:
    """The CPU seconds of this process between two turns of its loop, while the work is done."""
    gaps, task = [0.0], asyncio.ensure_future(work())
    while not task.done():
        began = time.process_time()
        await asyncio.sleep(0.005)
        gaps.append(time.process_time() - began)
    await task
    return gaps


def large_list(authority: CardAuthority, serials: list[int]) -> bytes:
    """As `authority.list_of`, put together by hand: the library's builder copies all rows for each new one."""
    now = dt.datetime.fromtimestamp(authority.now.timestamp(), dt.UTC)
    date = _tlv(0x17, f"{now:%y%m%d%H%M%SZ}".encode())
    end = _tlv(0x17, f"{now + dt.timedelta(days=1):%y%m%d%H%M%SZ}".encode())
    rows = b"".join(_tlv(0x30, _tlv(0x02, serial.to_bytes(16, "big")) + date) for serial in serials)
    algorithm = _tlv(0x30, _tlv(0x06, bytes.fromhex("2a8648ce3d040302")))
    signed = _tlv(0x30, b"\x02\x01\x01" + algorithm + authority.name.public_bytes() + date + end + _tlv(0x30, rows))
    signature = authority.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return _tlv(0x30, signed + algorithm + _tlv(0x03, b"\0" + signature))


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
