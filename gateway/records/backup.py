"""A backup of the records, taken while the gateway works: one read transaction, so that it is of one moment, and nobody waits for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import Conflict
from gateway.records.backup_file import BackupReader, BackupWriter, Head, kind_of
from gateway.records.schema import (
    changes,
    directory,
    eid_cards,
    entry_codes,
    kept_forms,
    metadata,
    pending,
    session_cookies,
    sessions,
)
from gateway.records.settings import RecordsKey
from gateway.records.store import Store
from gateway.records.upgrade import version_of
from gateway.records.values import BeforeCommit, By, Change

NOT_KEPT = frozenset(
    table.name for table in (sessions, session_cookies, entry_codes, kept_forms, pending, eid_cards, changes, directory)
)
"""What hangs on browsers that are signed in, or about to: a restore ends every session, so a backup holds none. And the directory, which is
made from the records."""
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: the schema's revision, when it was made (Unix seconds), the records key that fits, and rows by table."""

    schema: str
    made_at: float
    key_id: str
    sha256: str
    rows: Mapping[str, int]


class Backups(Store):
    """Takes backups."""

    async def backup(self, path: Path, by: By, now: float, before_commit: BeforeCommit | None = None) -> Backup:
        """Writes a backup to `path`: whole or not at all, verified, mode 0600, and never over a file that is there.

        Raises Conflict when the file is there or cannot be written; RecordsError.
        """
        draft, descriptor = _begun(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                async with self._database.reading() as connection:
                    head = Head(str(await version_of(connection)), now, self._key.id, _tables())
                    writer = BackupWriter(file, head, self._key)
                    await _write_rows(connection, writer)
                writer.finish()
                file.flush()
                os.fsync(file.fileno())
            made = verify(draft, self._key)
            if before_commit is not None:
                await self._tell(before_commit, Change("records backup", now, by, details=told(made)))
            os.link(draft, path)  # unlike a rename never over another file
            _sync(path.parent)
        except OSError as error:
            raise Conflict(f"{path}: cannot be written ({error.strerror})") from None
        finally:
            draft.unlink(missing_ok=True)
        return made

    @staticmethod
    async def _tell(before_commit: BeforeCommit, change: Change) -> None:
        written = before_commit(change)
        if written is not None:
            await written


def _begun(path: Path) -> tuple[Path, int]:
    """The file that becomes the backup, beside it, and open. Raises Conflict."""
    if path.exists():
        raise Conflict(f"{path}: is there already; name another file")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return draft, os.open(draft, flags, 0o600)
    except OSError as error:
        raise Conflict(f"{path}: cannot be written ({error.strerror})") from None


def told(backup: Backup) -> dict[str, str | int]:
    """What a line of the ledger says of it."""
    return {"sha256": backup.sha256, "schema": backup.schema, "rows": sum(backup.rows.values())}


def verify(path: Path, key: RecordsKey, *, key_lost: bool = False) -> Backup:
    """Reads a backup to its end. Raises Conflict, with what is wrong with it."""
    try:
        with path.open("rb") as file:
            reader = BackupReader(file, path, key, key_lost=key_lost)
            for _table, _row in reader.rows():
                pass
    except OSError as error:
        raise Conflict(f"{path}: cannot be read ({error.strerror})") from None
    head = reader.head
    return Backup(head.schema, head.made_at, head.key_id, reader.sha256, MappingProxyType(dict(reader.counts)))


def _tables() -> dict[str, dict[str, str]]:
    """Every table that a backup holds, those first to which others refer."""
    return {
        table.name: {column.name: kind_of(column) for column in table.columns}
        for table in metadata.sorted_tables
        if table.name not in NOT_KEPT
    }


async def _write_rows(connection: AsyncConnection, writer: BackupWriter) -> None:
    for name in _tables():
        table = metadata.tables[name]
        async with connection.stream(sa.select(table).order_by(*table.primary_key.columns)) as result:
            async for rows in result.partitions(_ROWS_AT_ONCE):
                writer.rows(name, rows)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
