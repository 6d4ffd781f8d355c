"""One kind of error for all that can go wrong with a database. No value of a row is ever in its text."""

from __future__ import annotations

import sqlite3

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Conflict, RecordsError

NO_TEXT = "a value holds characters that are no text"
_NO_CHARACTER = "22021"
"""SQLSTATE of a character that PostgreSQL cannot keep: zero."""


_POSTGRESQL = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_FAILURES = (SQLAlchemyError, sqlite3.Error, *_POSTGRESQL)


class as_records_error:  # noqa: N801 - reads as a phrase in a with statement
    """Turns the errors of the database `name`, and running out of time, into RecordsError."""

    def __init__(self, name: object) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if _is_no_text(error):
            raise Conflict(NO_TEXT) from error
        if isinstance(error, _FAILURES):
            raise RecordsError(f"{self._name}: {_words(getattr(error, 'orig', None) or error)}") from error
        if isinstance(error, TimeoutError):
            raise RecordsError(f"{self._name}: the records did not answer in time") from error
        if isinstance(error, OSError):
            raise RecordsError(f"{self._name}: {error.strerror or error}") from error


def _words(cause: BaseException) -> str:
    """What happened. PostgreSQL's details name the values of the row, and its client's errors the value that it would not send."""
    state = getattr(cause, "sqlstate", None)
    original = cause.__cause__ or cause
    if isinstance(original, asyncpg.PostgresError) and not isinstance(original, asyncpg.DataError):
        return f"{original.args[0]} ({state})"
    if isinstance(original, _POSTGRESQL):
        return type(original).__name__ + (f" ({state})" if state else "")
    return str(cause)


def _is_no_text(error: BaseException | None) -> bool:
    """Whether a text held what neither database keeps: a zero, or half of a pair of surrogates."""
    while error is not None:
        if isinstance(error, UnicodeEncodeError) or getattr(error, "sqlstate", None) == _NO_CHARACTER:
            return True
        error = error.__cause__
    return False
