"""`column IN (keys)` with all the keys as one parameter: a list on PostgreSQL, a JSON array on SQLite; and many keys, some at a time.

A parameter for each of several hundred keys would be written into the statement, cast, sent, parsed and planned one by one, which was a third of
what a start with a hundred thousand persons cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

KEYS_AT_ONCE: Final = 500
"""The loop turns between them, while many are read."""
_Key = TypeVar("_Key")


def among(column: sa.ColumnElement[Any], keys: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Whether `column`, of text or of whole numbers, is one of `keys`.

    A text with a NUL is nobody's key: PostgreSQL has no such texts, and SQLite's JSON would take what stands before it for the whole.
    """
    whole = [key for key in keys if not (isinstance(key, str) and "\0" in key)]
    return _Among(column, sa.bindparam(None, whole, _Keys(column.type)))


def chunks(keys: Sequence[_Key]) -> Iterator[Sequence[_Key]]:
    """All of `keys`, KEYS_AT_ONCE at a time."""
    return (keys[start : start + KEYS_AT_ONCE] for start in range(0, len(keys), KEYS_AT_ONCE))


class _Among(FunctionElement[bool]):
    """Of no type: what is of the type Boolean is written `… = 1` for SQLite, which then looks at every row."""

    inherit_cache = True


class _Keys(sa.types.TypeDecorator[Sequence[Any]]):
    impl = sa.Text
    cache_ok = True

    def __init__(self, of: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.of) if _has_lists(dialect) else sa.Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> list[Any] | str:
        keys = list(value or ())
        return keys if _has_lists(dialect) else orjson.dumps(keys).decode()


def _has_lists(dialect: Dialect) -> bool:
    return dialect.name == "postgresql"


@compiles(_Among, "postgresql")
def _is_any(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = element.clauses
    return f"{compiler.process(column, **options)} = ANY ({compiler.process(keys, **options)})"


@compiles(_Among, "sqlite")
def _is_one_of_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = element.clauses
    rows = f"SELECT value FROM json_each({compiler.process(keys, **options)})"  # noqa: S608 - a placeholder, and no value
    return f"{compiler.process(column, **options)} IN ({rows})"
