"""What a migration asks before it takes something away: no legal record is ever lost by going back."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.errors import RecordsError


def must_be_empty(connection: sa.Connection, table: str, but: str = "TRUE", what: str = "legal records") -> None:
    """Raises RecordsError, with what is to be done, unless `table` has no row of which `but` holds."""
    rows = connection.scalar(sa.text(f"SELECT count(*) FROM {table} WHERE {but}"))  # noqa: S608 - words of a migration
    if rows:
        raise RecordsError(
            f"{rows} {what} in {table} would be lost, and legal records are never deleted: "
            "restore a backup into an empty database instead of going back"
        )
