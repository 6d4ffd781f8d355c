"""A release in shadow mode changes nothing: not a decision, not a line, not an answer, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import event, given

from gateway.decision import Decision, Facts, Snapshot, decide
from gateway.ledger.pseudonym import Identity
from gateway.ledger.replaying import EXAMPLES, replay_lines
from gateway.proxy.shadow import BEYOND, MAX_GROUPS, MAX_PERSONS, Shadow
from tests.decision.test_properties import worlds
from tests.decision.test_replay import line_of
from tests.decision.world import WORLD, World
from tests.proxy.stage import stage, until

SUSPENDED = WORLD.table(hash="ef" * 32).authorisation(status="suspended")


class Broken:
    """A release that fails wherever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name) if name.startswith("__") else RecursionError(name)


BROKEN = cast(Snapshot, Broken())


def who(number: int = 1) -> Identity:
    return Identity({"user_id": f"ab.{number}", "insz": "ab.ef", "sealed": "", "sealed_to": ""})  # type: ignore[arg-type]


def compare(shadow: Shadow, world: World, person: int = 1) -> None:
    user = world.facts.user
    shadow.compare("000G40R40M30E2099", world.facts, world.decide(), lambda: None if user is None else who(person))


@given(worlds(), worlds())
def test_decisions_with_and_without_a_shadow_are_the_same(running: World, other: World) -> None:
    facts, snapshot = running.facts, running.snapshot
    before: tuple[Facts, Decision] = (facts, decide(facts, snapshot))
    for table in (other.snapshot, snapshot, BROKEN):
        shadow = Shadow(table)
        shadow.compare("ref", facts, before[1], who)
        assert decide(facts, snapshot) == before[1]
        assert (facts, facts.session, facts.user) == (before[0], before[0].session, before[0].user)
        assert shadow.report.decisions == sum(shadow.counts.values()) == 1
    event(decide(facts, other.snapshot).reason.code)


@given(worlds(), worlds())
def test_it_says_what_the_release_would_decide_and_what_replay_says(running: World, other: World) -> None:
    shadow, table = Shadow(other.snapshot), other.snapshot
    compare(shadow, running)
    then, now = running.decide().reason.code, decide(running.facts, table).reason.code
    assert [key[3:] for key in shadow.report.different] == ([] if then == now else [(then, now)])
    replayed = replay_lines([line_of(running)], lambda _: table)
    if not replayed.not_replayable:
        assert [key[3:] for key in replayed.different] == [key[3:] for key in shadow.report.different]


def test_differences_are_grouped_with_examples_and_persons_by_pseudonym() -> None:
    shadow = Shadow(SUSPENDED.snapshot)
    for number in range(MAX_PERSONS + 5):
        compare(shadow, WORLD, number)
    compare(shadow, WORLD.anonymous())
    ((key, group),) = shadow.report.different.items()
    assert key == (WORLD.the_user.institution, "dossier", "consultation", "permitted", "suspended")  # type: ignore[union-attr]
    assert (group.count, len(group.persons), len(group.examples)) == (MAX_PERSONS + 5, MAX_PERSONS, EXAMPLES)
    assert "ab.7" in group.persons
    assert shadow.counts == {"same": 1, "different": MAX_PERSONS + 5, "failed": 0}


def test_a_difference_of_nobody() -> None:
    shadow = Shadow(WORLD.snapshot)
    world = WORLD.anonymous()
    shadow.compare("ref", world.facts, WORLD.decide(), lambda: None)
    ((key, group),) = shadow.report.different.items()
    assert key == ("", "dossier", "consultation", "permitted", "sign_in_required")
    assert group.persons == set()


def test_the_report_is_bounded() -> None:
    shadow = Shadow(SUSPENDED.snapshot)
    for number in range(MAX_GROUPS + 3):
        shadow.compare("ref", WORLD.user(institution=f"{number:010}").facts, WORLD.decide(), who)
    assert len(shadow.report.different) == MAX_GROUPS
    assert shadow.report.not_replayable == {BEYOND: 3}
    assert shadow.counts == {"same": 0, "different": MAX_GROUPS + 3, "failed": 0}


def test_a_fault_is_counted() -> None:
    shadow = Shadow(BROKEN)
    compare(shadow, WORLD)
    (fault,) = shadow.report.not_replayable.elements()
    assert fault in ("a fault: RecursionError", "a fault: TypeError")  # as it is, and as it is compiled
    assert shadow.counts == {"same": 0, "different": 0, "failed": 1}


def test_a_fault_beside_the_release_is_counted_too() -> None:
    shadow = Shadow(SUSPENDED.snapshot)
    shadow.compare("ref", WORLD.facts, WORLD.decide(), lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    assert shadow.counts["failed"] == 1


@pytest.mark.parametrize(
    ("table", "counts"),
    [
        (SUSPENDED.snapshot, {"same": 0, "different": 1, "failed": 0}),
        (BROKEN, {"same": 0, "different": 0, "failed": 1}),
        (None, None),
    ],
)
async def test_a_request_is_answered_as_without_it(
    tmp_path: Path, table: Snapshot | None, counts: dict[str, int] | None
) -> None:
    async with stage(tmp_path) as it:
        it.gate.shadow = None if table is None else Shadow(table)
        answer = await it.ask(it.request())
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
        await it.completion()
        (decision,) = it.lines("decision")
        assert decision["reason"] == "permitted"
        assert it.gate.decisions == {"permitted": 1}
        shadow = it.gate.shadow
        if shadow is not None:
            await until(lambda: shadow.report.decisions == 1)
            assert shadow.counts == counts
            if not isinstance(table, Broken):
                ((_, group),) = shadow.report.different.items()
                assert group.examples == [decision["id"]]
                assert group.persons == {decision["user"]["user_id"]}
