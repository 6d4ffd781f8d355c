"""Prints legal records of one kind; the `list` commands of persons and grants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.cli.acting import Desk, at_desk
from gateway.cli.output import Moment, Row, show
from gateway.records.lists import Entry

LEFT_OUT = frozenset({"recorded", "actor", "ended_by"})
"""Columns that only programs get: a screen is narrow."""


def list_entries(
    kind: str, person: str | None, institution: str | None, ended: bool, config: Path, *, as_json: bool
) -> None:
    """Prints the records of a kind; of one user ID, of one institution, or all."""

    async def work(desk: Desk) -> list[Row]:
        found = await desk.records.entries(kind, user_id=person, institution=institution, ended=ended)
        accepted = await desk.records.accepted_mandates() if kind == "mandate" else None
        return [_row(kind, entry, accepted) for entry in found]

    show(at_desk(work, config, acts=False, as_json=as_json), f"No {kind} found.", as_json=as_json, left_out=LEFT_OUT)


def _row(kind: str, entry: Entry, accepted: Mapping[int, float] | None = None) -> Row:
    number = "record" if kind in ("user-id", "role", "office") else kind
    return {
        number: entry.record,
        "user_id": entry.user_id,
        "institution": entry.institution,
        **entry.says,
        **({} if accepted is None else {"accepted": Moment(accepted.get(entry.record))}),
        "from": Moment(entry.validity.start),
        "until": Moment(entry.validity.end),
        "recorded": Moment(entry.recorded_at),
        "actor": entry.actor,
        "on_behalf_of": entry.mandate,
        "act": entry.act,
        "reason": entry.reason,
        "ended": Moment(entry.ended_at),
        "ended_by": entry.ended_by,
        "ended_reason": entry.ended_reason,
    }
