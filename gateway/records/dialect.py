"""What differs between the databases; everything else of the records is SQL that both speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

WAIT_SECONDS = 5.0
"""How long a write waits for another's, of whatever process."""
WRITE_SECONDS = 10.0
"""The most that a write, or a look, may take, waiting included; then it is undone and the caller refuses."""
CONNECTIONS = 4
"""A process's: sign-ins read and write, the hot path does neither."""


class Moment(NamedTuple):
    """What a database holds at a moment. Another `state`: something was committed. Another `line`: it is not the continuation of what it
    was (a replica that lacks the last commits took over), so that everything must be read anew."""

    line: str
    state: str


class Lookout(Protocol):
    """Tells whether any process has committed something."""

    async def open(self) -> None:
        """Raises RecordsError."""

    async def read(self) -> Moment:
        """The database now, asked now: what was committed before the call is in the answer. Raises RecordsError."""

    async def close(self) -> None: ...


class Dialect(Protocol):
    """One database. Its text is its name in messages, with nothing secret in it.

    `reading` and `writing` are execution options: of a transaction that sees one moment, and of one that is alone in writing.
    """

    @property
    def reading(self) -> Mapping[str, object]: ...
    @property
    def writing(self) -> Mapping[str, object]: ...
    def engine(self) -> AsyncEngine: ...
    def exists(self) -> bool:
        """False: it is certain that there is no database yet."""

    def make(self) -> None:
        """Makes an empty database, where that is for the gateway to do. Raises RecordsError."""

    def check(self) -> None:
        """Raises RecordsError when this is not the database that it was."""

    def lookout(self, wake: Callable[[], None]) -> Lookout:
        """`wake` is called when somebody committed, where the database tells."""
