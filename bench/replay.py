"""How many decisions a second `gateway replay` makes again, on one core, from a file of lines as a ledger has them.

    .venv/bin/python -m bench.replay [LEDGER] [--decisions N]

Of the lines of LEDGER, by the releases beside it (`releases`); without it of N permits and refusals that are made first, each with its
completion where it was permitted, of 500 persons. What is measured is `replay_lines` over `decisions`: reading the file, the check of each
line, the decision, and the report. Time is the processor's, of this process; the best of ten rounds, as others use the machine too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

from gateway.decision import REASONS, Snapshot, decide
from gateway.ledger.line import ZERO_LEAF, compose, leaf, moment, serialise
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import completion_record, decision_record
from gateway.ledger.reference import ReferenceSource
from gateway.ledger.replaying import decisions, replay_lines
from gateway.ledger.segments import SEGMENT_DIGITS
from gateway.policy.release import load_kept
from tests.decision.world import WORLD, World
from tests.ledger import samples

PERSONS = 500
ROUNDS = 10
SNAPSHOT = WORLD.snapshot
references = ReferenceSource()


def worlds(person: int) -> list[World]:
    """What somebody's day is made of: mostly permits, some refusals of each kind."""
    own = WORLD.user(user_id=f"person{person}").session(id=f"s-{person}", user_id=f"person{person}")
    part = own.request(navigation=False, activity=False)
    return [*[part] * 8, own, own.request(path="/dossier/dossiers/85073003328"), own.designated(), own.anonymous()]


def write(directory: Path, count: int) -> None:
    """One stream of `count` decisions, in order."""
    (directory / "request").mkdir(parents=True)
    stream, n, prev = "user-0", 0, ZERO_LEAF
    everybody = [(world.facts, _identity(person)) for person in range(PERSONS) for world in worlds(person)]
    with (directory / "request" / f"{stream}-{0:0{SEGMENT_DIGITS}}.jsonl").open("wb") as file:
        for number in range(count):
            facts, identity = everybody[number * 7919 % len(everybody)]
            facts = replace(facts, now=facts.now + number % 60_000 * 0.01)
            reference, user, decision = references(), None if facts.user is None else identity, decide(facts, SNAPSHOT)
            records = [
                decision_record(
                    reference, facts, decision, SNAPSHOT, client=samples.CLIENT, user=user, user_agent=samples.BROWSER
                )
            ]
            if decision.permitted:
                records.append(
                    completion_record(
                        reference,
                        REASONS["completed"],
                        client=samples.CLIENT,
                        user=user,
                        status=200,
                        request_bytes=0,
                        response_bytes=1234,
                        seconds=0.0123,
                        first_byte_seconds=0.01,
                    )
                )
            for record in records:
                line = compose(stream, n, prev, moment(facts.now), serialise(record))
                file.write(line + b"\n")
                n, prev = n + 1, leaf(line)


def _identity(person: int) -> Identity:
    return Identity.of(
        {"user_id": f"d446.{person:026}", "insz": f"d446.{person:026}", "sealed": "c2Vh" * 40, "sealed_to": "0b19a492"}
    )


def measure(ledger: Path, releases: Path | None) -> None:
    @cache
    def find(digest: str) -> Snapshot:
        return SNAPSHOT if releases is None else load_kept(releases, digest)

    lines = sum(piece.count(b"\n") for file in ledger.rglob("*.jsonl") for piece in [file.read_bytes()])
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        report = replay_lines(decisions(ledger), find)
        best = min(best, time.process_time() - begun)
    print(
        f"{report.decisions} decisions in {lines} lines: {report.decisions / best:.0f} decisions/s, {lines / best:.0f} lines/s"
        f" of one core; {report.same} the same, {report.differences} different, {report.not_replayable.total()} not replayable"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("ledger", type=Path, nargs="?")
    parser.add_argument("--decisions", type=int, default=5_000)
    options = parser.parse_args()
    if options.ledger is not None:
        measure(options.ledger, options.ledger.parent / "releases")
        return
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), options.decisions)
        measure(Path(directory), None)


if __name__ == "__main__":
    main()
