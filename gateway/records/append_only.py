"""What keeps legal records append-only: triggers of the database itself, so that no bug and no other program gets round it.

For each legal table: no row is deleted; no row is changed but from live to ended; and a new row is live, and takes the place of none.
SQLite has a trigger for each; an INSERT could take a row's place there, which `INSERT OR REPLACE` would do without a DELETE that a trigger
sees. PostgreSQL knows no such INSERT, but TRUNCATE, which is refused like a DELETE; its triggers fire always, for replication too
(`session_replication_role`), and share three functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

ENDING = ("ended_at", "ended_by", "ended_reason")
"""The only columns of a legal record that are ever written after it was made: together, once."""
SQLITE_NAMES = ("kept", "ended_once", "added")
POSTGRESQL_NAMES = ("kept", "kept_whole", "ended_once", "added")
FUNCTIONS = ("gateway_kept", "gateway_ended_once", "gateway_added")

_KEPT = "legal records are never deleted"
_ENDED_ONCE = "a legal record only ends, once"
_ADDED = "a new record is live, and takes the place of none"


def protect(connection: sa.Connection, table: str, unique: Sequence[str] = ()) -> None:
    """Makes `table` append-only, as it stands now. Of `unique` together there is one live row."""
    if connection.dialect.name == "sqlite":
        columns = [column["name"] for column in sa.inspect(connection).get_columns(table)]
        statements = _sqlite_triggers(table, columns, unique)
    else:
        statements = _POSTGRESQL_FUNCTIONS + _postgresql_triggers(table)
    for statement in statements:
        connection.exec_driver_sql(statement)


def unprotect(connection: sa.Connection, table: str) -> None:
    """Takes the triggers off, in a transaction that puts them back or does away with the table."""
    sqlite = connection.dialect.name == "sqlite"
    for name in SQLITE_NAMES if sqlite else POSTGRESQL_NAMES:
        connection.exec_driver_sql(f"DROP TRIGGER {table}_{name}" + ("" if sqlite else f" ON {table}"))


def forget_functions(connection: sa.Connection) -> None:
    """Does away with what the triggers shared, when no table has any left."""
    if connection.dialect.name == "postgresql":
        for function in FUNCTIONS:
            connection.exec_driver_sql(f"DROP FUNCTION {function}()")


@contextmanager
def asleep(connection: sa.Connection) -> Iterator[None]:
    """Within this, in one transaction, records that have ended can be put back: a restore. When it fails, undo the transaction."""
    if connection.dialect.name == "sqlite":
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
        for name, _statement in made:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield
        for _name, statement in made:
            connection.exec_driver_sql(statement)
        return
    ours = (
        "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        " AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)"
    )
    triggers = connection.exec_driver_sql(ours).all()
    for table, name in triggers:
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    yield
    for table, name in triggers:
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def _sqlite_triggers(table: str, columns: Sequence[str], unique: Sequence[str]) -> tuple[str, ...]:
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
        trigger("kept", "DELETE", "TRUE", _KEPT),
        trigger("ended_once", "UPDATE", f"NOT (OLD.ended_at IS NULL AND {ended} AND {fixed})", _ENDED_ONCE),
        trigger("added", "INSERT", f"NEW.ended_at IS NOT NULL OR {taken}", _ADDED),
    )


def _function(name: str, body: str) -> str:
    return f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"


def _refused(message: str) -> str:
    return f"RAISE EXCEPTION '%: {message}', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';"


# Rows are compared as they lie in memory (*<>): a comparison as text could be told to round.
_POSTGRESQL_FUNCTIONS = (
    _function(FUNCTIONS[0], f"BEGIN {_refused(_KEPT)} END"),
    _function(
        FUNCTIONS[1],
        "DECLARE before record; BEGIN before := NEW;"
        " before.ended_at := NULL; before.ended_by := NULL; before.ended_reason := NULL;"
        " IF NEW.ended_at IS NULL OR NEW.ended_by IS NULL OR NEW.ended_reason IS NULL OR before *<> OLD"
        f" THEN {_refused(_ENDED_ONCE)} END IF; RETURN NEW; END",
    ),
    _function(FUNCTIONS[2], f"BEGIN IF NEW.ended_at IS NOT NULL THEN {_refused(_ADDED)} END IF; RETURN NEW; END"),
)


def _postgresql_triggers(table: str) -> tuple[str, ...]:
    made = []
    for name, event, each, function in (
        ("kept", "DELETE", "ROW", FUNCTIONS[0]),
        ("kept_whole", "TRUNCATE", "STATEMENT", FUNCTIONS[0]),
        ("ended_once", "UPDATE", "ROW", FUNCTIONS[1]),
        ("added", "INSERT", "ROW", FUNCTIONS[2]),
    ):
        trigger = f"{table}_{name}"
        made.append(f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
        made.append(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
    return tuple(made)
