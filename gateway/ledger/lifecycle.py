"""Builds the records of the ledger's and the gateway's own life: start, stop, gap, reload and alarm. Pure.

The order of keys is part of the format (docs/ledger-line.schema.json).
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
        "fenced": [fence.as_record() for fence in fences],
    }
    if late is not None:
        record["late"] = {"first": late[0], "last": late[1]}
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


def reload_record(
    reference: str,
    *,
    outcome: str,
    before: str,
    after: str | None,
    faults: int,
    cause: str,
    code: str | None = None,
    release: int | None = None,
) -> Record:
    """The table was asked to be read again: `outcome` is `loaded` or `refused`, the hashes are the table's, `cause` who asked; `code` says
    why a signed release was refused, `release` is the number of the one that serves.
    """
    record: dict[str, object] = {
        "kind": "reload",
        "id": reference,
        "outcome": outcome,
        "table_before": before,
        "table": after,
        "faults": faults,
        "cause": cause,
    }
    if code is not None:
        record["code"] = code
    if release is not None:
        record["release"] = release
    return record


def alarm_record(reference: str, *, alarm: str, text: str, values: Mapping[str, int | float | str]) -> Record:
    """Something that somebody must look at: a stable code, words, and the figures that it rests on."""
    return {"kind": "alarm", "id": reference, "alarm": alarm, "text": text, "values": dict(values)}


def _heads(heads: Mapping[str, Head]) -> dict[str, object]:
    return {stream: {"n": head.n - 1, "leaf": head.prev} for stream, head in heads.items() if head.n > 0}
