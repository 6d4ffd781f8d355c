"""What keeps legal records append-only: triggers of the database itself, so that no bug and no other program gets round it.

SQLite's are here; PostgreSQL's will stand beside them when that database comes. Three for each legal table: no row is deleted; no
row is changed but from live to ended; and no INSERT takes the place of a row, which `INSERT OR REPLACE` would do without a
DELETE that a trigger sees.
"""

from __future__ import annotations

from collections.abc import Sequence

ENDING = ("ended_at", "ended_by", "ended_reason")
"""The only columns of a legal record that are ever written after it was made: together, once."""


def sqlite_triggers(table: str, columns: Sequence[str], unique: Sequence[str]) -> tuple[str, ...]:
    """The statements that make `table` append-only. `columns` are all it has; of `unique` together there is one live row."""
    fixed = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in columns if column not in ENDING)
    ended = " AND ".join(f"NEW.{column} IS NOT NULL" for column in ENDING)
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608 - our own names, in a migration
    if unique:
        same = " AND ".join(f"{column} = NEW.{column}" for column in unique)
        taken += f" OR EXISTS (SELECT 1 FROM {table} WHERE {same} AND ended_at IS NULL)"  # noqa: S608 - the same

    def trigger(name: str, event: str, when: str, message: str) -> str:
        refused = f"BEGIN SELECT RAISE(ABORT, '{table}: {message}'); END"
        return f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} WHEN {when} {refused}"

    return (
        trigger("kept", "DELETE", "TRUE", "legal records are never deleted"),
        trigger(
            "ended_once",
            "UPDATE",
            f"NOT (OLD.ended_at IS NULL AND {ended} AND {fixed})",
            "a legal record only ends, once",
        ),
        trigger(
            "added",
            "INSERT",
            f"NEW.ended_at IS NOT NULL OR {taken}",
            "a new record is live, and takes the place of none",
        ),
    )
