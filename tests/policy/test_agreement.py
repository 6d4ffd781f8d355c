"""`explain`, `access`, `replay` and `diff` say what the decision says: over random tables, people, moments, means and suspensions.

Plain `random` with one seed: thousands of cases have to be cheap. A case is one request; with it go its explanation, its line replayed,
what its person could use then, and what the table that takes the place of this one would change.
"""

from __future__ import annotations

import dataclasses as dc
import json
from collections import Counter
from itertools import product
from random import Random
from typing import Any

import pytest

from gateway.decision import Decision, PathPattern, Snapshot, decide, explain
from gateway.decision.access import NOT_ACCEPTED, OUTSIDE, Could, could, until
from gateway.decision.facts import Facts
from gateway.decision.replay import replay
from gateway.decision.ruling import find_operation
from gateway.decision.supposing import coming_from, suppose, using
from gateway.decision.suspensions import NOTHING_SUSPENDED, Scope, Suspended, Suspensions
from gateway.ledger.line import serialise
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import decision_record
from gateway.model import (
    FOR_EVER,
    Acceptance,
    Authorisation,
    Channel,
    Context,
    Designation,
    Mandate,
    Match,
    Means,
    Operation,
    Role,
    Transaction,
    Use,
    UserRecords,
    Validity,
)
from gateway.policy.consequences import accesses
from tests.decision.world import (
    AUTHORISATION,
    COMMUNICATION,
    CONSULTATION,
    DAY,
    KBO,
    NOW,
    REGULATION,
    SHA,
    TRANSACTION,
    USER,
    YEAR,
    build_snapshot,
)

CASES = [2_000, pytest.param(10_000, marks=pytest.mark.soak)]
"""Of a run, and of a long one (make soak), each with a seed of its own."""
WHO = Identity({"user_id": "ab.cd", "insz": "ab.ef", "sealed": "", "sealed_to": ""})
OTHER = dc.replace(
    TRANSACTION,
    id="pension",
    matches=(Match("pension.localhost", "/pension/"),),
    role=None,
    social_personal_data=False,
    operations=(
        Operation(Use.COMMUNICATION, PathPattern("/rights"), frozenset({"GET"})),
        Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET", "HEAD"})),
    ),
)
WINDOWS = (
    YEAR,
    Validity(NOW - 60 * DAY, NOW - 5 * DAY),
    Validity(NOW + 5 * DAY, NOW + 60 * DAY),
    Validity(NOW - 5 * DAY, NOW + 5 * DAY),
)
MOMENTS = (NOW, NOW, NOW - 20 * DAY, NOW + 20 * DAY, NOW - 4 * DAY)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})
REFERENCES = ("24/123", "26/007", "25/001")


def mostly(random: Random, usual: Any, *others: Any) -> Any:
    return usual if random.random() < 0.9 else random.choice(others)


def a_grant(random: Random, authorisation: Authorisation) -> Authorisation:
    means = frozenset(random.sample(list(Means), random.randint(1, 3)))
    consultation = dc.replace(
        CONSULTATION,
        means=mostly(random, CONSULTATION.means, means),
        stronger_satisfies=random.random() < 0.7,
        purpose=mostly(random, CONSULTATION.purpose, None),
        context=mostly(random, None, Context(hours=(9 * 60, 17 * 60)), Context(hours=(0, 60))),
    )
    communication = dc.replace(COMMUNICATION, means=mostly(random, COMMUNICATION.means, means))
    uses = mostly(random, (consultation, communication), (consultation,), (communication,))
    return dc.replace(
        authorisation,
        uses=uses,
        validity=mostly(random, YEAR, *WINDOWS),
        status=mostly(random, "active", "suspended", "revoked"),
        opinion=mostly(random, AUTHORISATION.opinion, None),
    )


def some_operations(random: Random, usual: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Also such that one stands before others and takes all their requests."""
    first = Operation(random.choice(list(Use)), PathPattern("/**"), METHODS)
    return random.choice([usual, usual, (first, *usual), usual[::-1], usual[1:], usual[:1]])


def a_table(random: Random, digest: str) -> Snapshot:
    transactions: list[Transaction] = [
        dc.replace(
            each,
            channel=mostly(random, each.channel, Channel.FILE_TRANSFER),
            sensitivity=random.randint(0, 4),
            role=mostly(random, each.role, None),
            operations=some_operations(random, each.operations),
        )
        for each in (TRANSACTION, OTHER)
    ]
    grants = [
        a_grant(random, dc.replace(AUTHORISATION, reference=reference, transaction=transaction, supersedes=supersedes))
        for reference, transaction, supersedes, there in (
            ("24/123", "dossier", (), 0.9),
            ("26/007", "dossier", ("24/123",), 0.2),
            ("25/001", "pension", (), 0.8),
        )
        if random.random() < there
    ]
    if random.random() < 0.3:
        grants = [dc.replace(each, review_until=NOW + 10 * DAY) if each.supersedes else each for each in grants]
    return build_snapshot(tuple(transactions), tuple(grants), hash=digest)


def a_person(random: Random) -> UserRecords:
    named: dict[str, tuple[Designation, ...]] = {}
    for reference in REFERENCES:
        for number in range(mostly(random, 1, 0, 2)):
            mandate = mostly(
                random,
                Mandate(3, YEAR),
                None,
                Mandate(4, Validity(YEAR.start, NOW - 40 * DAY)),
                Mandate(5, Validity(NOW, YEAR.end)),
            )
            made = Designation(
                number + 1,
                reference,
                mostly(random, frozenset(Use), frozenset({Use.CONSULTATION}), frozenset({Use.COMMUNICATION})),
                mostly(random, YEAR, *WINDOWS),
                YEAR.start + DAY,
                mandate,
                confirmed=random.random() < 0.9,
            )
            named[reference] = (*named.get(reference, ()), made)
    roles = (
        {"DossierReader": (Role(1, "DossierReader", mostly(random, YEAR, *WINDOWS)),)} if random.random() < 0.9 else {}
    )
    accepted = (
        {"2026": Acceptance(1, "2026", mostly(random, SHA, "cd" * 32), YEAR.start)} if random.random() < 0.95 else {}
    )
    return dc.replace(
        USER,
        institution=mostly(random, KBO, "0884303369"),
        validity=mostly(random, YEAR, *WINDOWS),
        blocked=random.random() < 0.05,
        designations=named,
        roles=roles,
        acceptances=accepted,
    )


def suspended(random: Random) -> Suspensions:
    if random.random() < 0.85:
        return NOTHING_SUSPENDED
    scope = random.choice(list(Scope))
    subjects = {
        Scope.ALL: "", Scope.TRANSACTION: "dossier", Scope.INSTITUTION: KBO, Scope.AUTHORISATION: "24/123", Scope.PERSON: USER.user_id,
    }  # fmt: skip
    return Suspensions([Suspended("20260615-00000001", scope, subjects[scope])])


def requested(
    user: UserRecords,
    transaction: Transaction,
    use: Use,
    means: Means,
    at: float,
    stopped: Suspensions,
    table: Snapshot,
) -> Facts | None:
    """None: no request that the transaction gets is of this use."""
    facts = using(suppose(transaction, user, "/", "GET", means, at, suspensions=stopped), transaction, use, table)
    assert (facts is not None) is (use in uses_of(transaction, table))
    return None if facts is None else coming_from(facts, None, table)


def uses_of(transaction: Transaction, table: Snapshot) -> set[Use]:
    """Of all requests that there can be: none of the patterns tells more paths apart than these."""
    found = set()
    for match, rest in product(transaction.matches, ("/", "/search", "/dossiers/1", "/live", "/rights")):
        located = table.locate(match.host, match.path.removesuffix("/") + rest)
        if located is not None and located.transaction is transaction:
            for method, websocket in product(METHODS, (False, True)):
                operation = find_operation(transaction.operations, method, located.rest, websocket=websocket)
                found |= set() if operation is None else {operation.use}
    return found


def line_of(facts: Facts, decision: Decision, table: Snapshot) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(
        "{" + serialise(decision_record("000G40R40M30E2099", facts, decision, table, client=WHO, user=WHO)) + "}"
    )
    return line


def best(
    user: UserRecords, transaction: Transaction, use: Use, at: float, stopped: Suspensions, table: Snapshot
) -> set[Means]:
    """By which means the decision permits this use."""
    facts = requested(user, transaction, use, Means.EID, at, stopped, table)
    if facts is None:
        return set()
    assert facts.session is not None
    by = {means: dc.replace(facts, session=dc.replace(facts.session, means=means)) for means in Means}
    return {means for means, asked in by.items() if decide(asked, table).permitted}


@pytest.mark.parametrize("wanted", CASES)
def test_explain_access_replay_and_diff_say_what_the_decision_says(wanted: int) -> None:
    random, seen = Random(wanted), Counter[str]()
    cases = 0
    while cases < wanted:
        old, new = a_table(random, "cd" * 32), a_table(random, "ef" * 32)
        user, at, stopped = a_person(random), random.choice(MOMENTS), suspended(random)
        able = {(one.transaction.id, one.use): one for one in could(user, old, at, stopped)}
        for name in ("dossier", "pension"):
            transaction = old.transactions[name]
            for use in Use:
                means = random.choice(list(Means))
                facts = requested(user, transaction, use, means, at, stopped, old)
                if facts is None:
                    assert (name, use) not in able
                    seen["nothing is of this use"] += 1
                    continue
                decision = decide(facts, old)
                explained, steps = explain(facts, old)
                assert explained == decision
                first = next((step for step in steps if step.met is False), None)
                assert decision.permitted is (first is None)
                assert first is None or (first.reason is decision.reason and first.mender is not None)

                again = replay(line_of(facts, decision, old), old)
                assert (again.then, again.now) == (decision.reason.code, decision.reason.code)

                permitted = best(user, transaction, use, at, stopped, old)
                one = able.get((name, use))
                as_it_is = one is not None and not one.first
                assert as_it_is is bool(permitted)
                if one is not None and as_it_is:
                    assert (set(one.means), one.decision.permitted) == (permitted, True)
                if one is not None and one.first:
                    # What has to come first is what the decision says now, and nothing else stands in the way after it.
                    asked = requested(user, transaction, use, one.means[-1], at, stopped, old)
                    assert asked is not None
                    assert decide(asked, old).reason is one.first[0]
                if one is not None:
                    seen["ends"] += _until_agrees(random, one, user, at, stopped, old)
                seen["accepts first" if one is not None and NOT_ACCEPTED in one.first else "as it is"] += 1
                seen["outside" if one is not None and OUTSIDE in one.first else "inside"] += 1
                seen[decision.reason.code] += 1
                cases += 1
        _diff_agrees(user, old, new, at, seen)
    # None of this is worth anything if everything is refused alike.
    assert (
        min(
            seen["permitted"],
            seen["accepts first"],
            seen["outside"],
            seen["loses"],
            seen["gains"],
            seen["suspended_by_ksz"],
            seen["no_transaction"],
            seen["ends"],
            seen["nothing is of this use"],
        )
        > wanted / 250
    ), seen
    assert len(seen) > 16, seen


def _until_agrees(
    random: Random, one: Could, user: UserRecords, at: float, stopped: Suspensions, table: Snapshot
) -> bool:
    """Up to that moment it is as it was said, and from then on no more. Whether there is one."""
    ends = until(one, table, at, stopped)
    last = min(ends, at + 700 * DAY)

    def there(moment: float) -> bool:
        found = could(user, table, moment, stopped, [one.transaction.id])
        return any(each.use is one.use for each in found)

    assert all(map(there, (random.uniform(at, last - 1), last - 1)))
    assert ends == FOR_EVER or not there(ends)
    return ends != FOR_EVER


def _diff_agrees(user: UserRecords, old: Snapshot, new: Snapshot, at: float, seen: Counter[str]) -> None:
    """A use is lost or gained just when the decision differs: of somebody who accepted the regulation, at an hour that is agreed, with
    nothing suspended; acceptance, hours and emergencies are no consequence of a release for a person."""
    accepted = dc.replace(user, acceptances={"2026": Acceptance(1, REGULATION.version, REGULATION.sha256, YEAR.start)})
    before, after = accesses(accepted, old, at), accesses(accepted, new, at)
    for table, said in ((old, before), (new, after)):
        assert {(one.transaction.id, one.use) for one in could(accepted, table, at)} == said
        open_all_day = _without_hours(table)
        for name in ("dossier", "pension"):
            for use in Use:
                does = best(accepted, table.transactions[name], use, at, NOTHING_SUSPENDED, open_all_day)
                assert bool(does) is ((name, use) in said)
    seen["loses"] += len(before - after)
    seen["gains"] += len(after - before)


def _without_hours(table: Snapshot) -> Snapshot:
    by_pair = {
        pair: tuple(dc.replace(one, uses=tuple(dc.replace(use, context=None) for use in one.uses)) for one in grants)
        for pair, grants in table.authorisations.items()
    }
    return dc.replace(table, authorisations=by_pair)
