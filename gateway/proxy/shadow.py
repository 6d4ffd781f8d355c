"""Shadow mode: each decision made once more by a release that does not serve, to count what it would change. Without any effect.

`Exchange` calls `compare` from the loop, after the decision was made and on no way of its own: what is found here goes nowhere but into a
report, and a fault is counted. The report is bounded; persons stand in it by the pseudonyms of their lines.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from gateway.decision import Decision, Facts, Snapshot, decide
from gateway.ledger.pseudonym import Identity
from gateway.ledger.replaying import EXAMPLES, Group, Report

MAX_GROUPS = 500
"""Differences that are told apart, by institution, transaction, use and both reasons; the rest is counted as one."""
MAX_PERSONS = 200
"""Persons that a group tells apart."""
BEYOND = "differences beyond the groups that are kept"


class Shadow:
    """A release beside the running one, and what came of comparing. `report` counts as not replayable what the shadow could not decide."""

    def __init__(self, snapshot: Snapshot, report: Report | None = None) -> None:
        self.snapshot = snapshot
        self.report = report or Report()

    def compare(self, reference: str, facts: Facts, decision: Decision, person: Callable[[], Identity | None]) -> None:
        """Decide on the same facts again; `person` gives who a difference concerns. Never raises."""
        self.report.decisions += 1
        try:
            other = decide(facts, self.snapshot)
            if other.reason is decision.reason:
                self.report.same += 1
            else:
                self._note(reference, facts, decision, other, person())
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a release that does not serve must not be felt by anybody
            self.report.not_replayable[f"a fault: {type(error).__name__}"] += 1

    def _note(self, reference: str, facts: Facts, decision: Decision, other: Decision, person: Identity | None) -> None:
        found = decision if decision.operation is not None else other
        key = (
            "" if facts.user is None else facts.user.institution,
            "" if found.transaction is None else found.transaction.id,
            "" if found.operation is None else found.operation.use.value,
            decision.reason.code,
            other.reason.code,
        )
        group = self.report.different.get(key)
        if group is None:
            if len(self.report.different) >= MAX_GROUPS:
                self.report.not_replayable[BEYOND] += 1
                return
            group = self.report.different[key] = Group()
        group.count += 1
        if person is not None and len(group.persons) < MAX_PERSONS:
            group.persons.add(orjson.loads(orjson.dumps(person.fragment))["user_id"])
        if len(group.examples) < EXAMPLES:
            group.examples.append(reference)

    @property
    def counts(self) -> dict[str, int]:
        """For the metrics: how many decisions were the same, different, and not to be had."""
        report = self.report
        beyond = report.not_replayable[BEYOND]
        failed = report.not_replayable.total() - beyond
        return {"same": report.same, "different": report.differences + beyond, "failed": failed}
