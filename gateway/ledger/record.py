"""Builds the records of each kind, in the fixed order of their keys (docs/ledger-line.schema.json). Pure.

Who a line is about stands in it only as `Identity` fragments (see `pseudonym`); queries, bodies, cookies, tokens and passwords
never do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.ledger.line import Record, moment
from gateway.ledger.segments import Fence, Head


def gap_record(
    reference: str,
    *,
    since: float,
    until: float,
    cause: str,
    refused: Mapping[str, int],
    late: tuple[int, int] | None,
    rewritten: int,
    fences: Sequence[Fence],
) -> Record:
    """A time during which lines could not be written, or the move to a new segment after trouble (`since`, `until` Unix seconds).

    `refused` counts by kind what was turned away; `late` are the numbers of lines that reached the disk after their
    requests had been refused; `rewritten` counts the lines of a fenced tail that follow again in this segment.
    """
    record: dict[str, object] = {
        "kind": "gap",
        "id": reference,
        "from": moment(since),
        "to": moment(until),
        "cause": cause,
        "turned_away": sum(refused.values()),
        "by_kind": dict(refused),
        "rewritten": rewritten,
    }
    if late is not None:
        record["late"] = {"first": late[0], "last": late[1]}
    record["fenced"] = [fence.as_record() for fence in fences]
    return record


def start_record(
    reference: str,
    *,
    version: str,
    pid: int,
    streams: Sequence[str],
    heads: Mapping[str, Head],
    fences: Sequence[Fence],
) -> Record:
    """A process begins to write its streams. `heads` are where they stood: the newest entry of each, by number and leaf."""
    return {
        "kind": "start",
        "id": reference,
        "version": version,
        "pid": pid,
        "streams": list(streams),
        "heads": _heads(heads),
        "fenced": [fence.as_record() for fence in fences],
    }


def stop_record(reference: str, *, cause: str, heads: Mapping[str, Head]) -> Record:
    """A process ends in order; `heads` are where its other streams ended."""
    return {"kind": "stop", "id": reference, "cause": cause, "heads": _heads(heads)}


def _heads(heads: Mapping[str, Head]) -> dict[str, object]:
    return {stream: {"n": head.n - 1, "leaf": head.prev} for stream, head in heads.items() if head.n > 0}
