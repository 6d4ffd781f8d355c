"""The client that lost a session to another one and comes again: the records are asked, once a second, and never waited for."""

from __future__ import annotations

import asyncio
import dataclasses as dc
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.decision import ClientEvidence, Facts
from gateway.errors import RecordsError
from gateway.proxy import moved
from gateway.records.values import BeforeCommit, By, Change
from tests.decision.world import NOW, SESSION, WORLD
from tests.proxy.stage import Stage, stage, until
from tests.proxy.test_standing import never_ends

PARTED = dc.replace(SESSION, ended_at=NOW - 1, ended_reason="moved")


class Asked:
    """Records that are asked."""

    def __init__(self, fault: RecordsError | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fault = fault

    async def in_two_places(
        self, session_id: str, host: str, now: float, before_commit: BeforeCommit | None = None
    ) -> str | None:
        self.asked.append((session_id, host))
        if self.fault is not None:
            raise self.fault
        assert before_commit is not None
        written = before_commit(Change("session end", now, By("gateway", "because"), details={"session": "heir"}))
        assert written is not None
        await written
        return "heir"


def look(it: Stage, facts: Facts) -> str:
    reference = it.gate.new_reference()
    client = it.gate.ledger.sealer.address(ip_address("192.0.2.7"))
    it.gate.old_clients.look(facts, client, None, reference)
    return reference


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_asked_once_a_second_and_its_line_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moved, "ASKED_SECONDS", 0.2)
    async with stage(tmp_path, never_ends) as it:
        it.gate.moved_sessions = records = Asked()
        facts = dc.replace(WORLD.facts, session=PARTED)
        reference = look(it, facts)
        look(it, facts)
        await until(lambda: bool(it.lines("sign-out")))
        assert records.asked == [(SESSION.id, "dossier.localhost")]
        (line,) = it.lines("sign-out")
        assert (line["id"], line["cause"], line["session"]) == (reference, "used_by_two_clients", "heir")
        await asyncio.sleep(0.25)
        look(it, facts)
        await until(lambda: len(records.asked) == 2)


@pytest.mark.parametrize("facts", [
    WORLD.facts,
    WORLD.anonymous().facts,
    WORLD.session(ended_at=NOW - 1, ended_reason="renewed").facts,
    dc.replace(WORLD.facts, session=PARTED, evidence=ClientEvidence(moved=True)),
    dc.replace(WORLD.facts, session=PARTED, evidence=ClientEvidence(moved_reported=True)),
])  # fmt: skip
async def test_nobody_else_is_an_old_client(tmp_path: Path, facts: Facts) -> None:
    """Neither another client with the old cookie: whose that is, the records cannot say."""
    async with stage(tmp_path, never_ends) as it:
        it.gate.moved_sessions = records = Asked()
        look(it, facts)
        await settle()
        assert records.asked == []


async def test_a_fault_of_the_records_stops_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, never_ends) as it:
        it.gate.moved_sessions = records = Asked(RecordsError("busy"))
        look(it, dc.replace(WORLD.facts, session=PARTED, evidence=ClientEvidence(score=5.0)))
        await settle()
        assert len(records.asked) == 1
        assert it.lines("sign-out") == []
        it.gate.moved_sessions = None
        look(it, dc.replace(WORLD.facts, session=dc.replace(PARTED, id="s2")))
        await settle()
