"""Each check by itself refuses when what an earlier one should have found is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decision.checks import Found, may_be_told
from gateway.decision.criteria import CRITERIA, Criterion
from gateway.decision.ruling import ruling_authorisation
from tests.decision.world import NOW, WORLD

NEEDY = [row for row in CRITERIA if row.needs]


FOUND = [name for name in dir(Found) if not name.startswith("_")]


@pytest.mark.parametrize("row", NEEDY, ids=lambda row: row.name)
def test_a_check_that_finds_nothing_to_look_at_refuses(row: Criterion) -> None:
    anonymous = WORLD.anonymous()
    assert row.check(anonymous.facts, anonymous.snapshot, Found()) in row.reasons
    if set(row.needs) != {"user"}:
        assert row.check(WORLD.facts, WORLD.snapshot, Found()) in row.reasons


@pytest.mark.parametrize("row", NEEDY, ids=lambda row: row.name)
def test_each_need_alone_is_enough_to_refuse(row: Criterion) -> None:
    decision = WORLD.decide()
    for missing in row.needs:
        found = Found()
        for name in FOUND:
            setattr(found, name, None if name == missing else getattr(decision, name, None))
        facts = replace(WORLD.facts, **{missing: None}) if missing in ("user", "session") else WORLD.facts
        assert row.check(facts, WORLD.snapshot, found) in row.reasons, missing


@pytest.mark.parametrize("row", NEEDY, ids=lambda row: row.name)
def test_with_all_its_needs_it_is_met(row: Criterion) -> None:
    decision = WORLD.decide()
    found = Found()
    for name in row.needs:
        if name not in ("user", "session"):
            setattr(found, name, getattr(decision, name))
    # `designated_for_use` also reads the authorisation when the newest designation does not cover the use.
    assert row.check(WORLD.facts, WORLD.snapshot, found) is None or row.name == "the person is designated for this use"


def test_nobody_may_be_told_what_nobody_asked_for() -> None:
    assert not may_be_told(WORLD.facts, WORLD.snapshot, Found())
    found = Found()
    found.located = WORLD.decide().located
    assert may_be_told(WORLD.facts, WORLD.snapshot, found)
    assert not may_be_told(WORLD.anonymous().facts, WORLD.snapshot, found)


def test_of_no_authorisation_none_rules() -> None:
    assert ruling_authorisation((), NOW) is None
