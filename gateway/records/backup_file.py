"""The file of a backup: one portable form for every database, so that what SQLite held can be restored to PostgreSQL and back.

gzip of lines of JSON (UTF-8): first what it is, and of each table its columns with their kinds; then a line a row, a list that begins with
its table's name; last how many rows of each table there are, with the SHA-256 of all bytes before that line, and their HMAC under a key made
from the records key. So a file that was cut off, damaged or altered is known, whoever altered it.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import hmac
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any

import sqlalchemy as sa

from gateway.errors import Conflict
from gateway.records.settings import RecordsKey

FORMAT = "gateway-records"
VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024
"""Far more than the longest row, a kept leaf of a card."""
_LEVEL = 6

Columns = Mapping[str, str]
"""Of a table: each column's kind, in the order of the values of a row."""
Values = tuple[object, ...]

KINDS: Mapping[str, type[sa.types.TypeEngine[Any]]] = MappingProxyType(
    {
        "integer": sa.BigInteger,
        "number": sa.Float,
        "text": sa.Text,
        "bytes": sa.LargeBinary,
        "boolean": sa.Boolean,
        "date": sa.Date,
    }
)
_KIND_OF = {int: "integer", float: "number", str: "text", bytes: "bytes", bool: "boolean", dt.date: "date"}
_WRITTEN: Mapping[str, Callable[[Any], object]] = {
    "bytes": lambda value: base64.b64encode(value).decode("ascii"),
    "date": dt.date.isoformat,
}
_READ: Mapping[str, Callable[[Any], object]] = {
    "integer": lambda value: _of(value, int),
    "number": lambda value: float(_of(value, float, int)),
    "text": lambda value: _of(value, str),
    "bytes": lambda value: base64.b64decode(value, validate=True),
    "boolean": lambda value: _of(value, bool),
    "date": dt.date.fromisoformat,
}


def kind_of(column: sa.Column[Any]) -> str:
    """The kind of a column of ours."""
    return _KIND_OF[column.type.python_type]


@dataclass(frozen=True, slots=True)
class Head:
    """What a backup says of itself: the schema's revision, when it was made (Unix seconds), and which records key fits."""

    schema: str
    made_at: float
    key_id: str
    tables: Mapping[str, Columns]


class BackupWriter:
    """Writes a backup to `file`: its head at once, then rows; `finish` makes it whole."""

    def __init__(self, file: IO[bytes], head: Head, key: RecordsKey) -> None:
        self._file = gzip.GzipFile("", "wb", _LEVEL, file, mtime=0)
        self._sha256, self._hmac = hashlib.sha256(), key.backup_hmac()
        self._head = head
        self._rows: Counter[str] = Counter(dict.fromkeys(head.tables, 0))
        told = {"format": FORMAT, "version": VERSION, "schema": head.schema, "made_at": head.made_at}
        tables = {name: list(columns.items()) for name, columns in head.tables.items()}
        self._line({**told, "key_id": head.key_id, "tables": tables})

    def _line(self, value: object) -> None:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        self._sha256.update(line)
        self._hmac.update(line)
        self._file.write(line)

    def rows(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        write = [_WRITTEN.get(kind) for kind in self._head.tables[table].values()]
        for row in rows:
            pairs = zip(row, write, strict=True)
            self._line([table, *(value if value is None or how is None else how(value) for value, how in pairs)])
        self._rows[table] += len(rows)

    def finish(self) -> None:
        end = {"rows": self._rows, "sha256": self._sha256.hexdigest(), "hmac": self._hmac.hexdigest()}
        self._line(end)
        self._file.close()


class BackupReader:
    """Reads a backup. What `rows` gave is only good when it came to its end: then `sha256` and `counts` are set.

    `key_lost` takes the checksum's word, which whoever altered the file can make anew. Everything raises Conflict, with what is wrong.
    """

    def __init__(self, file: IO[bytes], name: object, key: RecordsKey, *, key_lost: bool = False) -> None:
        self._name = name
        self._file = gzip.GzipFile("", "rb", fileobj=file)
        self._key_lost = key_lost
        self._sha256, self._hmac = hashlib.sha256(), key.backup_hmac()
        self.counts: Mapping[str, int] = {}
        self.sha256 = ""
        self.head = self._read_head(key)

    def _read_head(self, key: RecordsKey) -> Head:
        line, told = self._next()
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise self._refused("this is no backup of the records")
        if told.get("version") != VERSION:
            raise self._refused("a newer version of the gateway made it; restore it with that one")
        try:
            tables = {str(name): {str(column): str(kind) for column, kind in of} for name, of in told["tables"].items()}
            head = Head(str(told["schema"]), float(told["made_at"]), str(told["key_id"]), tables)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._refused("it was altered") from None
        if not {kind for columns in tables.values() for kind in columns.values()} <= KINDS.keys():
            raise self._refused("it was altered")
        if head.key_id != key.id and not self._key_lost:
            raise self._refused(
                f"it was made with another records key ({head.key_id}); put that key file back, or say --key-lost when it is lost for good"
            )
        self._count(line)
        return head

    def rows(self) -> Iterator[tuple[str, Values]]:
        """Every row with its table, in the order in which they can be put back."""
        readers = {name: [_READ[kind] for kind in columns.values()] for name, columns in self.head.tables.items()}
        counts: Counter[str] = Counter(dict.fromkeys(readers, 0))
        while True:
            line, told = self._next()
            if isinstance(told, dict):
                break
            self._count(line)
            try:
                table, *values = told
                read = zip(values, readers[table], strict=True)
                row = tuple(None if value is None else how(value) for value, how in read)
            except (KeyError, TypeError, ValueError):
                raise self._refused("it was altered") from None
            counts[table] += 1
            yield table, row
        sha256, mac = self._sha256.hexdigest(), self._hmac.hexdigest()
        whole = told.get("rows") == dict(counts) and told.get("sha256") == sha256
        signed = self._key_lost or hmac.compare_digest(str(told.get("hmac")).encode(), mac.encode())
        if not (whole and signed):
            raise self._refused("it was altered")
        if self._read(1):
            raise self._refused("something stands after its end")
        self.counts, self.sha256 = counts, sha256

    def _next(self) -> tuple[bytes, Any]:
        line = self._read(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise self._refused("it is cut off")
        try:
            return line, json.loads(line)
        except (ValueError, RecursionError):
            raise self._refused("it was altered") from None

    def _count(self, line: bytes) -> None:
        self._sha256.update(line)
        self._hmac.update(line)

    def _read(self, most: int) -> bytes:
        try:
            return self._file.readline(most)
        except EOFError:
            raise self._refused("it is cut off") from None
        except (OSError, zlib.error):
            raise self._refused("this is no backup of the records, or it was altered") from None

    def _refused(self, why: str) -> Conflict:
        return Conflict(f"{self._name}: {why}")


def _of(value: object, *types: type) -> Any:
    """The value, if it is of one of these types (JSON's, so that True is no number)."""
    if type(value) not in types:
        raise TypeError
    return value
