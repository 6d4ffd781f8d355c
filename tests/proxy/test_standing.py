"""Open exchanges by what they hang on: each change finds those that it concerns, and asks nobody else (ADR 0008).

Counted by `Standing.decided`, never timed.
"""

from __future__ import annotations

import asyncio
import dataclasses as dc
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import Facts, Snapshot
from gateway.decision.suspensions import Scope, Suspended, Suspensions
from gateway.model import Context, Match, Means, Operation, Use, Validity
from gateway.proxy import keys, standing
from gateway.proxy.keys import Grants, Hosts, Institutions, Transactions
from gateway.proxy.wheel import SLOT_SECONDS
from gateway.records.index import SessionRow
from tests.decision import world
from tests.proxy.stage import HOST, TOKEN, Stage, slow_disk, stage, until

SLOW = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
SESSION = dc.replace(world.SESSION, means=Means.EID)
PERSONS = 5


async def never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"/live" in head.split(b"\r\n")[0]:
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        )
    elif b"/events" in head.split(b"\r\n")[0]:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n"
        )
    elif not head.startswith(b"POST"):
        writer.write(SLOW + b"x")
    await reader.read(-1)


class Clock:
    """The wall clock of the gateway, put forward by a test."""

    def __init__(self) -> None:
        self.now = world.NOW

    def __call__(self) -> float:
        return self.now


def token(number: int) -> str:
    return TOKEN if number == 0 else str(number) * 43


def user_id(number: int) -> str:
    return world.USER.user_id if number == 0 else f"person0{number}"


@dc.dataclass
class Open:
    """Some persons, each with a download that does not end."""

    it: Stage
    readers: list[asyncio.StreamReader]
    clock: Clock

    @property
    def decided(self) -> int:
        return self.it.gate.standing.decided

    async def settle(self) -> None:
        """Some ticks go by."""
        await asyncio.sleep(0.5)

    async def ended(self) -> list[int]:
        await self.settle()
        return [number for number, reader in enumerate(self.readers) if _has_ended(reader)]

    def reason(self) -> Any:
        lines = [line for line in self.it.lines("completion") if line["outcome"] == "access_ended"]
        return {line["detail"] for line in lines}


@asynccontextmanager
async def opened(directory: Path, line: str = "GET /dossier/x HTTP/1.1", *fields: str) -> AsyncIterator[Open]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(stage(directory, never_ends, clock=clock))
        readers = []
        for number in range(PERSONS):
            it.records.users[user_id(number)] = dc.replace(world.USER, user_id=user_id(number))
            session = dc.replace(SESSION, id=f"s{number}", user_id=user_id(number))
            it.records.signed_in(session, token(number))
            reader, writer = await it.connect()
            stack.callback(writer.close)
            data = it.request(line, *fields).replace(b"PORT", str(it.port).encode())
            if fields:
                data = data.replace(b"Connection: close", b"Connection: Upgrade")
            writer.write(data.replace(TOKEN.encode(), token(number).encode()))
            readers.append(reader)
        await until(lambda: len(it.gate.standing) == PERSONS)
        yield Open(it, readers, clock)


def _has_ended(reader: asyncio.StreamReader) -> bool:
    """Broken off; or a websocket that was told."""
    return reader.at_eof() or reader.exception() is not None or b"\x03\xf0access ended" in reader._buffer  # type: ignore[attr-defined]


def reloaded(now: Open, **changes: Any) -> None:
    """A reload: a snapshot of new values throughout."""
    fresh = dc.replace(now.it.gate.snapshot, hash="cd" * 32)
    values = {
        "transactions": {key: dc.replace(value) for key, value in fresh.transactions.items()},
        "institutions": {key: dc.replace(value) for key, value in fresh.institutions.items()},
        "authorisations": {
            key: tuple(dc.replace(grant) for grant in grants) for key, grants in fresh.authorisations.items()
        },
        "regulations": tuple(dc.replace(one) for one in fresh.regulations),
        "hosts": {
            host: {path: (dc.replace(one), match) for path, (one, match) in places.items()}
            for host, places in fresh.hosts.items()
        },
    }
    now.it.gate.snapshot = dc.replace(fresh, **(values | changes))


# --- the records ------------------------------------------------------------------------------------------------------


async def test_only_the_person_whose_records_changed_is_asked_about(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        before = now.decided
        now.it.records.users[user_id(2)] = dc.replace(world.USER, user_id=user_id(2), designations={})
        assert await now.ended() == [2]
        assert now.decided - before == 1
        assert now.reason() == {"not_designated"}


async def test_a_change_that_leaves_the_access_ends_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        before = now.decided
        now.it.records.users[user_id(2)] = dc.replace(world.USER, user_id=user_id(2), name="An De Smet")
        assert await now.ended() == []
        assert now.decided - before == 1
        now.it.records.users[user_id(2)] = dc.replace(world.USER, user_id=user_id(2), name="An De Smet")
        await now.settle()
        assert now.decided - before == 1


async def test_a_session_that_is_ended_ends_what_hangs_on_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        before = now.decided
        ended = dc.replace(SESSION, id="s3", user_id=user_id(3), ended_at=world.NOW, ended_reason="signed_out")
        now.it.records.signed_in(ended, token(3))
        assert await now.ended() == [3]
        assert now.decided - before == 1
        assert now.reason() == {"session_revoked"}


async def test_a_step_up_leaves_what_is_open_and_the_new_session_can_end_it(tmp_path: Path) -> None:
    """The entry lives on under the new id."""
    async with opened(tmp_path) as now:
        new = dc.replace(SESSION, id="new", user_id=user_id(1), auth_time=world.NOW)
        old = dc.replace(SESSION, id="s1", user_id=user_id(1), ended_at=world.NOW, ended_reason="renewed")
        now.it.records.index.put_sessions([SessionRow(old, world.NOW, None, ()), SessionRow(new, world.NOW, "s1", ())])
        assert await now.ended() == []
        now.it.records.index.put_sessions([SessionRow(dc.replace(new, ended_at=world.NOW), world.NOW, None, ())])
        assert await now.ended() == [1]


async def test_records_that_turn_stale_end_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        now.it.records.index.out_of_date()
        assert await now.ended() == list(range(PERSONS))
        assert now.reason() == {"records_unavailable"}


async def test_a_young_exchange_is_found_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path, never_ends) as it:
        reader, writer = await it.connect()
        writer.write(it.request())
        await reader.readuntil(b"\r\n\r\nx")
        assert len(it.gate.standing) == 0
        it.records.users[world.USER.user_id] = dc.replace(world.USER, blocked=True)
        assert await asyncio.wait_for(_rest(reader), 0.3) == b""
        writer.close()


async def test_one_that_was_decided_on_just_before_is_found_when_it_is_forwarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change comes while its line is on the way to the disk: nothing of it is in any set then."""
    async with stage(tmp_path, never_ends) as it:
        slow_disk(monkeypatch, lambda: time.sleep(0.2))
        reader, writer = await it.connect()
        writer.write(it.request())
        await until(lambda: it.gate.decisions["permitted"] == 1)
        it.records.users[world.USER.user_id] = dc.replace(world.USER, blocked=True)
        assert len(await asyncio.wait_for(_rest(reader), 1.5)) < 1000
        assert (await it.completion())["outcome"] == "access_ended"
        writer.close()


# --- the table --------------------------------------------------------------------------------------------------------


async def test_a_reload_that_changes_nothing_asks_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        before = now.decided
        reloaded(now)
        assert await now.ended() == []
        assert now.decided == before


ELSEWHERE = dc.replace(world.TRANSACTION, id="pension", matches=(Match("pension.localhost", "/"),))


async def test_a_reload_that_changes_others_asks_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        before, snapshot = now.decided, now.it.gate.snapshot
        other = dc.replace(world.AUTHORISATION, reference="26/001", transaction="pension")
        reloaded(
            now,
            transactions={**snapshot.transactions, "pension": ELSEWHERE},
            authorisations={**snapshot.authorisations, (world.KBO, "pension"): (other,)},
            by_reference={**snapshot.by_reference, "26/001": other},
            institutions={**snapshot.institutions, "0884303369": dc.replace(world.INSTITUTION, kbo="0884303369")},
            hosts={**snapshot.hosts, "pension.localhost": {"/": (ELSEWHERE, ELSEWHERE.matches[0])}},
        )
        assert await now.ended() == []
        assert now.decided == before


def _suspended(snapshot: Snapshot) -> dict[str, Any]:
    grant = dc.replace(world.AUTHORISATION, status="suspended")
    return {"authorisations": {(world.KBO, "dossier"): (grant,)}, "by_reference": {grant.reference: grant}}


def _closed(snapshot: Snapshot) -> dict[str, Any]:
    operations = (Operation(Use.CONSULTATION, world.TRANSACTION.operations[0].path, frozenset({"PUT"})),)
    transaction = dc.replace(snapshot.transactions["dossier"], operations=operations)
    place = {"/dossier/": (transaction, transaction.matches[0])}
    return {"transactions": {"dossier": transaction}, "hosts": {HOST: place}}


def _between(snapshot: Snapshot) -> dict[str, Any]:
    """Another transaction below the prefix of this one."""
    transaction = dc.replace(world.TRANSACTION, id="other", matches=(Match(HOST, "/dossier/x/"),))
    hosts = {HOST: {**snapshot.hosts[HOST], "/dossier/x/": (transaction, transaction.matches[0])}}
    return {"transactions": {**snapshot.transactions, "other": transaction}, "hosts": hosts}


def _new_words(snapshot: Snapshot) -> dict[str, Any]:
    newer = dc.replace(world.REGULATION, version="2026b", effective=world.NOW - 1, sha256="11" * 32)
    return {"regulations": (*snapshot.regulations, newer)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_suspended, "suspended"),
        (_closed, "use_not_covered"),
        (_between, "not_authorised"),
        (_new_words, "regulation_not_accepted"),
        (lambda _: {"institutions": {}}, "not_authorised"),
        (lambda _: {"names": frozenset({"portal.localhost"})}, "unknown_host"),
        (lambda _: {"levels": (4, 4, 4, 4, 4), "usable": False}, "table_unavailable"),
    ],
)
async def test_a_reload_that_takes_the_access_away_ends_it(
    tmp_path: Path, change: Callable[[Snapshot], dict[str, Any]], reason: str
) -> None:
    async with opened(tmp_path) as now:
        reloaded(now, **change(now.it.gate.snapshot))
        assert await now.ended() == list(range(PERSONS))
        assert now.reason() == {reason}


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "session", "moment", "reason"),
    [
        ({}, {"expires_at": world.NOW + 100}, 100, "session_expired"),
        ({}, {"certificate": "ab" * 32, "certificate_good_at": world.NOW + 100 - 900}, 100, "revocation_unknown"),
        ({"validity": Validity(world.YEAR.start, world.NOW + 100)}, {}, 100, "person_blocked"),
        (
            {"designations": {"24/123": (dc.replace(world.DESIGNATION, validity=Validity(world.YEAR.start, world.NOW + 100)),)}},
            {}, 100, "designation_ended",
        ),
    ],
)  # fmt: skip
async def test_what_the_clock_alone_ends(
    tmp_path: Path, user: dict[str, Any], session: dict[str, Any], moment: float, reason: str
) -> None:
    async with opened(tmp_path) as now:
        now.it.records.users[user_id(1)] = dc.replace(world.USER, user_id=user_id(1), **user)
        now.it.records.signed_in(dc.replace(SESSION, id="s1", user_id=user_id(1), **session), token(1))
        await now.settle()
        before = now.decided
        now.clock.now += moment - 5
        now.it.records.index.read_at(now.clock.now)
        assert await now.ended() == []
        assert now.decided == before
        now.clock.now += 5 + SLOT_SECONDS
        assert await now.ended() == [1]
        assert now.decided - before == 1
        assert now.reason() == {reason}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("GET /dossier/x HTTP/1.1", ()),
        ("GET /dossier/events HTTP/1.1", ()),
        (
            "GET /dossier/live HTTP/1.1",
            ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        ),
    ],
)
async def test_the_end_of_the_hours_ends_what_is_open(tmp_path: Path, line: str, fields: tuple[str, ...]) -> None:
    """Until 10:02, and it was ten."""
    async with opened(tmp_path, *_with_origin(line, fields)) as now:
        hours = Context((ip_network("127.0.0.0/8"),), hours=(0, 602))
        grants = now.it.gate.snapshot.authorisations
        uses = (dc.replace(world.CONSULTATION, context=hours), world.COMMUNICATION)
        reloaded(
            now, authorisations={key: tuple(dc.replace(one, uses=uses) for one in of) for key, of in grants.items()}
        )
        assert await now.ended() == []
        now.clock.now += 120 - 5
        now.it.records.index.read_at(now.clock.now)
        assert await now.ended() == []
        now.clock.now += 5 + SLOT_SECONDS
        assert await now.ended() == list(range(PERSONS))
        assert now.reason() == {"outside_context"}
        lines = now.it.lines("decision")
        assert {json.dumps(line["client"]).count("127.0.0.") for line in lines} == {0}


async def test_another_network_than_it_was_ends_what_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        elsewhere = Context((ip_network("192.0.2.0/24"),))
        grants = now.it.gate.snapshot.authorisations
        uses = (dc.replace(world.CONSULTATION, context=elsewhere), world.COMMUNICATION)
        reloaded(
            now, authorisations={key: tuple(dc.replace(one, uses=uses) for one in of) for key, of in grants.items()}
        )
        assert await now.ended() == list(range(PERSONS))
        assert now.reason() == {"outside_context"}


@pytest.mark.parametrize(
    ("line", "fields", "lasting"),
    [
        ("GET /dossier/x HTTP/1.1", (), False),
        ("GET /dossier/events HTTP/1.1", (), True),
        (
            "GET /dossier/live HTTP/1.1",
            ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), True,
        ),
    ],
)  # fmt: skip
async def test_idle_time_ends_what_lasts_and_no_download(
    tmp_path: Path, line: str, fields: tuple[str, ...], lasting: bool
) -> None:
    """An event stream lasts whether the operation was declared background or not; a person's act keeps it alive."""
    async with opened(tmp_path, *_with_origin(line, fields)) as now:
        entry = now.it.records.index.session(_hash(token(1)), HOST)
        assert entry is not None
        now.it.records.index.touch(entry, world.NOW + 1000)
        now.clock.now += 1799
        now.it.records.index.read_at(now.clock.now)
        assert await now.ended() == []
        now.clock.now += 1 + SLOT_SECONDS
        assert await now.ended() == ([0, 2, 3, 4] if lasting else [])
        now.clock.now += 1000
        now.it.records.index.read_at(now.clock.now)
        assert await now.ended() == ([0, 1, 2, 3, 4] if lasting else [])
        assert now.reason() == ({"session_expired"} if lasting else set())


async def test_a_suspension_ends_what_it_is_for(tmp_path: Path) -> None:
    """A person's, a transaction's that nobody has open, and then everything."""
    async with opened(tmp_path) as now:
        one = Suspended("20260615-00000001", Scope.PERSON, user_id(1))
        other = Suspended("20260615-00000002", Scope.TRANSACTION, "pension")
        now.it.gate.suspensions = Suspensions([one, other])
        assert await now.ended() == [1]
        now.it.gate.suspensions = Suspensions([one, other, Suspended("20260615-00000003", Scope.ALL)])
        assert await now.ended() == list(range(PERSONS))
        assert now.reason() == {"suspended_by_ksz"}


async def test_a_clock_that_is_put_back_asks_about_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        now.clock.now -= 700
        now.it.records.index.read_at(now.clock.now)
        assert await now.ended() == list(range(PERSONS))


async def test_the_net_below(tmp_path: Path) -> None:
    """A change that nobody told of is found all the same, in BACKSTOP_SECONDS."""
    async with opened(tmp_path) as now:
        now.it.records.index._users[user_id(1)] = dc.replace(world.USER, user_id=user_id(1), blocked=True)
        assert await now.ended() == []
        now.clock.now += standing.BACKSTOP_SECONDS + SLOT_SECONDS
        now.it.records.index.read_at(now.clock.now)
        assert await now.ended() == [1]


# --- what an index could forget ---------------------------------------------------------------------------------------


def test_every_fact_is_of_the_request_or_has_something_that_wakes() -> None:
    """A new fact belongs in one of these: it stays as it was at the door, it is asked at the door alone, or `renewed` reads it anew
    and something tells of it."""
    renewed = {"now", "session", "last_seen", "user", "records_current", "records_age", "suspensions"}
    at_the_door_alone = {"evidence", "too_fast"}
    of_the_request = {
        "connection", "method", "host", "port_is_ours", "path", "fault", "agent", "signature_agent", "authorization", "credential",
        "websocket", "fetch_site", "page_origin", "navigation", "activity",
    }  # fmt: skip
    assert {field.name for field in dc.fields(Facts)} == renewed | at_the_door_alone | of_the_request


def test_every_field_of_the_snapshot_is_compared() -> None:
    names = {field.name for field in dc.fields(Snapshot)}
    assert names > keys.BY_KEY
    assert names - keys.BY_KEY - {"hash", "_longest"} == set(keys.WHOLE)


def test_keys_of_one_word_are_not_each_other() -> None:
    assert len({Transactions("x"), Institutions("x"), Hosts("x"), keys.User("x"), Grants("x", "x")}) == 5


async def test_nothing_is_left_when_all_is_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as now:
        now.it.records.users.clear()
        assert await now.ended() == list(range(PERSONS))
        index = now.it.gate.standing
        assert (len(index), index._young, index._by_key, len(index._wheel)) == (0, set(), {}, 0)


def _with_origin(line: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    return (line, *fields) if not fields else (line, *fields, "Origin: https://dossier.localhost:PORT")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(-1)
    except ConnectionError:
        return b""
