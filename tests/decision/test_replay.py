"""A decision made again from its line: the same by the same release, and never a guess by another."""

from __future__ import annotations

import dataclasses as dc
import json
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import event, given, settings

from gateway.decision import ClientEvidence, Signal
from gateway.decision.replay import NotReplayable, Replayed, Users, replay
from gateway.decision.suspensions import Scope, Suspended, Suspensions
from gateway.ledger.line import serialise
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import MAX_RECORDS, decision_record
from gateway.model import Channel, Context, Role
from tests.decision.test_properties import worlds
from tests.decision.test_reasons import CASES, NEW, OLD, ON_BOTH, REVIEWED
from tests.decision.world import (
    AUTHORISATION,
    CONSULTATION,
    DESIGNATION,
    NOW,
    REGULATION,
    USER,
    WORLD,
    YEAR,
    Change,
    World,
)

WHO = Identity({"user_id": "ab.cd", "insz": "ab.ef", "sealed": "", "sealed_to": ""})


def line_of(world: World) -> dict[str, Any]:
    """The line of the decision in this world, as it comes back from the disk."""
    decision = world.decide()
    user = None if world.facts.user is None else WHO
    record = decision_record("000G40R40M30E2099", world.facts, decision, world.snapshot, client=WHO, user=user)
    line: dict[str, Any] = json.loads("{" + serialise(record) + "}")
    return line


def again(world: World, other: World | None = None) -> Replayed:
    return replay(line_of(world), (other or world).snapshot)


MANY = settings(max_examples=max(500, settings().max_examples))


@MANY
@given(worlds())
def test_by_the_same_release_every_verdict_is_the_same(world: World) -> None:
    found = again(world)
    assert found.same, found
    assert found.then == world.code
    event("permitted" if found.now == "permitted" else "refused")


@pytest.mark.parametrize(("code", "change"), [pytest.param(c, f, id=f"{c}: {n}") for c, n, f in CASES])
def test_every_case_again(code: str, change: Change) -> None:
    assert again(change(WORLD))[:2] == (code, code)


@pytest.mark.parametrize("grants", [(OLD, NEW), (OLD, REVIEWED), (OLD, dc.replace(REVIEWED, status="suspended"))])
@pytest.mark.parametrize("designations", [(), ON_BOTH[:1], ON_BOTH[1:], ON_BOTH])
def test_with_several_authorisations_too(grants: Any, designations: Any) -> None:
    world = WORLD.authorised(*grants).designated(*designations)
    assert again(world).same


OTHER_TABLE = WORLD.table(hash="ef" * 32)


@pytest.mark.parametrize(
    ("now", "other"),
    [
        ("permitted", OTHER_TABLE),
        ("suspended", OTHER_TABLE.authorisation(status="suspended")),
        ("not_activated", OTHER_TABLE.authorisation(opinion=None)),
        ("not_authorised", OTHER_TABLE.authorised()),
        ("no_transaction", dc.replace(OTHER_TABLE, transactions=())),
        ("use_not_covered", OTHER_TABLE.transaction(operations=())),
        ("means_too_weak", OTHER_TABLE.transaction(sensitivity=4)),
    ],
)
def test_another_release_says_what_it_would_have_said(now: str, other: World) -> None:
    assert again(WORLD, other)[:2] == ("permitted", now)


@pytest.mark.parametrize(
    ("then", "other", "what"),
    [
        (WORLD, OTHER_TABLE.authorised(dc.replace(AUTHORISATION, reference="26/007")), "designations: 26/007"),
        (WORLD.authorised(), OTHER_TABLE, "designations: 24/123"),
        (WORLD, OTHER_TABLE.transaction(role="PensionReader"), "roles: PensionReader"),
        (
            WORLD,
            OTHER_TABLE.table(regulations=(dc.replace(REGULATION, version="2027"),)),
            "whether a regulation was accepted: 2027",
        ),
        (WORLD.session(expires_at=NOW), OTHER_TABLE, None),
    ],
)
def test_what_the_line_does_not_hold_is_not_guessed(then: World, other: World, what: str | None) -> None:
    if what is None:
        assert again(then, other).same
        return
    with pytest.raises(NotReplayable, match=what):
        again(then, other)


def within(*networks: str, table: World = WORLD) -> World:
    context = Context(tuple(ip_network(each) for each in networks))
    return table.authorisation(uses=(dc.replace(CONSULTATION, context=context),))


@pytest.mark.parametrize(
    ("then", "now", "code"),
    [
        (within("192.0.2.0/24"), within("192.0.2.0/24"), "permitted"),
        (within("192.0.2.0/24"), within("198.51.100.0/24", "192.0.0.0/16"), "permitted"),
        (within("192.0.2.0/24"), within("192.0.2.0/28"), None),
        (within("192.0.2.0/24"), within("2001:db8::/32"), None),
        (within("198.51.100.0/24"), within("198.51.100.0/24"), None),
        (WORLD, within("192.0.2.0/24"), None),
        (within("192.0.2.0/24"), WORLD, "permitted"),
    ],
)
def test_where_the_client_was_is_known_as_far_as_the_line_names_its_network(
    then: World, now: World, code: str | None
) -> None:
    then, now = then.connection(address="192.0.2.7"), now.table(hash="ef" * 32)
    if code is not None:
        assert again(then, now).now == code
        return
    with pytest.raises(NotReplayable, match="network"):
        again(then, now)


def test_more_designations_than_a_line_lists() -> None:
    many = tuple(dc.replace(DESIGNATION, id=number) for number in range(1, MAX_RECORDS + 2))
    with pytest.raises(NotReplayable, match="beyond"):
        again(WORLD.designated(*many))
    assert again(WORLD.designated(*many[1:])).same


def test_more_records_of_a_role_than_a_line_lists() -> None:
    many = tuple(Role(number, "DossierReader", YEAR) for number in range(1, MAX_RECORDS + 2))
    with pytest.raises(NotReplayable, match="beyond"):
        again(WORLD.user(roles={"DossierReader": many}))
    assert again(WORLD.user(roles={"DossierReader": many[1:]})).same


def test_a_suspension_that_the_line_names() -> None:
    suspended = Suspensions(
        [
            Suspended("20260615-00000001", Scope.TRANSACTION, "pension"),
            Suspended("20260615-00000002", Scope.PERSON, "an.elsewhere", WORLD.the_user.person),  # type: ignore[union-attr]
        ]
    )
    world = WORLD.request(suspensions=suspended)
    assert again(world)[:2] == ("suspended_by_ksz", "suspended_by_ksz")
    assert [each["key"] for each in line_of(world)["suspensions"]] == ["20260615-00000001", "20260615-00000002"]


@pytest.mark.parametrize(
    "spoil",
    [
        {"reason": "a_code_of_the_future"},
        {"reason": None},
        {"reason": "draining"},
        {"reason": "ledger_unavailable"},
        {"path": {"truncated": "/dossier", "length": 9999, "sha256": "00"}},
        {"host": {"truncated": "x", "length": 9999, "sha256": "00"}},
        {"now": None},
        {"channel": "carrier-pigeon"},
        {"agent": "robot"},
        {"records": {"validity": [0]}},
        {"session": 1},
        {"means": "guess"},
    ],
)
def test_a_line_that_is_incomplete_is_not_replayable(spoil: dict[str, Any]) -> None:
    with pytest.raises(NotReplayable):
        replay(line_of(WORLD) | spoil, WORLD.snapshot)
    for key in ("now", "path", "channel", "method", "session"):
        if key in spoil:
            line = line_of(WORLD)
            del line[key]
            if key != "session":
                with pytest.raises(NotReplayable):
                    replay(line, WORLD.snapshot)


def test_a_line_from_before_the_role_stood_in_it() -> None:
    line = line_of(WORLD)
    assert line["records"].pop("role") == "DossierReader"
    assert replay(line, WORLD.snapshot).same
    line["transaction"] = "gone"
    with pytest.raises(NotReplayable, match="roles: DossierReader"):
        replay(line, WORLD.snapshot)


def test_of_the_source_of_roles_that_did_not_count_nothing_is_known() -> None:
    there = WORLD.user(outside_roles=USER.roles, roles_known_at=NOW).table(roles_stale_seconds=60.0)
    here, unavailable = there.table(roles_stale_seconds=None), there.user(roles_known_at=NOW - 61)
    assert line_of(there)["records"]["roles_known_at"] == NOW
    assert "roles_known_at" not in line_of(here)["records"]
    assert again(there)[:2] == ("permitted", "permitted")
    assert again(unavailable)[:2] == ("role_source_unavailable", "role_source_unavailable")
    assert again(unavailable, there.table(roles_stale_seconds=3600.0, hash="ef" * 32)).now == "permitted"
    for then, now, what in ((there, here, "roles: "), (here, there, "roles of an outside source: ")):
        with pytest.raises(NotReplayable, match=what):
            again(then, now.table(hash="ef" * 32))


def test_evidence_and_pace_come_back() -> None:
    evidence = ClientEvidence(100.0, ((Signal.NO_FETCH_METADATA, 100.0),), since=NOW)
    assert again(WORLD.request(evidence=evidence)).now == "doubtful_client"
    assert again(WORLD.request(too_fast=("dossier",))).now == "too_fast"


def test_records_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.decision.replay.REMEMBERED", 2)
    users, lines = Users(), [line_of(WORLD) for _ in range(4)]
    made = [users.of(line, WORLD.snapshot) for line in (lines[0], lines[0], lines[1], lines[2], lines[3])]
    assert made[0] is made[1]
    assert len({id(one) for one in made}) == 4
    assert all(replay(line, WORLD.snapshot, users).same for line in lines)
    assert users.of(line_of(WORLD.anonymous()), WORLD.snapshot) is None


def test_a_body_that_was_too_large() -> None:
    line = line_of(WORLD) | {"reason": "too_large"}
    assert replay(line, WORLD.snapshot).same
    assert replay(line, OTHER_TABLE.authorised().snapshot).now == "not_authorised"
    with pytest.raises(NotReplayable, match="the length of the body"):
        replay(line, OTHER_TABLE.snapshot)


@pytest.mark.parametrize("channel", [channel for channel in Channel if channel is not Channel.PLAIN])
def test_other_channels(channel: Channel) -> None:
    assert again(WORLD.connection(channel=channel)).same
