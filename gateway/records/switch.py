"""The emergency switch of one machine: a directory with a file for each suspension, which works without any database.

`gateway suspend` and the duty officer's page write such a file first, and the records afterwards, by which other machines learn of it
(`records.suspensions`). Each process that serves looks at the directory four times a second. A file that cannot be read, or a directory
that is gone, suspends everything: nobody can know what was meant.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.decision.suspensions import Scope, Suspended
from gateway.errors import RecordsError

SUFFIX = ".json"
MAX_FILE_BYTES = 16_384
MAX_REASON_CHARACTERS = 500
_KEY = re.compile(r"[0-9]{8}-[0-9a-f]{8}")
"""The day that it began (UTC) and a random number: short enough to be read out."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal[1]
    scope: Scope = Field(strict=False)
    subject: str
    person: int | None
    reason: str
    by: str
    since: float
    recorded: bool


@dataclass(frozen=True, slots=True)
class Suspension:
    """One suspension with what is told of it: why, by whom (`shell` or `user:<user ID>`), and since when (Unix seconds).

    `recorded` is that the records have it too; then it ends there as well.
    """

    entry: Suspended
    reason: str
    by: str
    since: float
    recorded: bool = False


def new_key(day: str) -> str:
    """A name for a suspension that begins on `day` (YYYYMMDD)."""
    return f"{day}-{secrets.token_hex(4)}"


class Switch:
    """The directory: `make` is for the start of a gateway, and where none runs; later it has to be there. Whoever makes it anew beside a
    gateway that runs ends what it holds suspended, which is everything, and what only the lost files said is forgotten."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def make(self) -> None:
        """Raises RecordsError when it cannot be made, also because the state directory around it is gone."""
        try:
            self.directory.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise RecordsError(f"{self.directory}: the directory cannot be made ({error.strerror})") from None

    def version(self) -> tuple[int, ...]:
        """Differs when a file came, went or was replaced. Raises RecordsError when the directory is gone."""
        try:
            status = self.directory.stat()
        except OSError as error:
            raise RecordsError(
                f"{self.directory}: {error.strerror}; everything is suspended until it is back"
            ) from None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def read(self) -> list[Suspension]:
        """All suspensions of this machine, oldest first. Raises RecordsError, naming the file and what to do."""
        try:
            names = sorted(path.name for path in self.directory.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise RecordsError(
                f"{self.directory}: {error.strerror}; everything is suspended until it is back"
            ) from None
        return sorted((self._read(name) for name in names), key=lambda found: (found.since, found.entry.key))

    def _read(self, name: str) -> Suspension:
        path = self.directory / name
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
            read = _File.model_validate_json(content)
            key = name.removesuffix(SUFFIX)
            if not name.endswith(SUFFIX) or not _KEY.fullmatch(key) or (read.scope is Scope.ALL) != (not read.subject):
                raise ValueError(name)
        except OSError as error:
            raise RecordsError(f"{path}: {error.strerror}; everything is suspended until it can be read") from None
        except (ValidationError, ValueError):
            raise RecordsError(
                f"{path}: this is no suspension that `gateway suspend` wrote; everything is suspended until it is removed or mended"
            ) from None
        return Suspension(
            Suspended(key, read.scope, read.subject, read.person), read.reason, read.by, read.since, read.recorded
        )

    def holds(self, key: str) -> bool:
        """Whether it is here at this moment. Raises RecordsError when the directory is gone: then nobody knows."""
        self.version()
        return (self.directory / f"{key}{SUFFIX}").exists()

    def write(self, suspension: Suspension) -> None:
        """Puts it into force on this machine, written whole and durable. Raises RecordsError; then nothing changed."""
        entry = suspension.entry
        content = _File(
            format=1,
            scope=entry.scope,
            subject=entry.subject,
            person=entry.person,
            reason=suspension.reason,
            by=suspension.by,
            since=suspension.since,
            recorded=suspension.recorded,
        )
        partial = self.directory / f".{entry.key}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.model_dump_json().encode())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.directory / f"{entry.key}{SUFFIX}")
            self._make_durable()
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RecordsError(f"{self.directory}: the suspension cannot be written ({error.strerror})") from None

    def remove(self, key: str) -> None:
        """Ends it on this machine; one that is not there has ended. Raises RecordsError."""
        try:
            (self.directory / f"{key}{SUFFIX}").unlink(missing_ok=True)
            self._make_durable()
        except OSError as error:
            raise RecordsError(f"{self.directory}: the suspension cannot be ended ({error.strerror})") from None

    def _make_durable(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
