"""People and their designations as a table in a file, as a spreadsheet reads and writes it: CSV (RFC 4180), with a semicolon or a comma. Pure.

What is written is safe to open: a spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula, so such a
cell begins with an apostrophe, which is taken off again when the file comes back (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

COLUMNS: Final = ("insz", "name", "user_id", "language", "authorisation", "uses", "from", "until", "role", "reason")
NEEDED: Final = ("user_id",)
MOST_BYTES: Final = 256 * 1024
"""Of a file: twice what its rows need."""
MOST_ROWS: Final = 500
"""Of a file: they are recorded in one transaction, and everybody else who signs in waits for it."""
MOST_CHARACTERS: Final = 1000
"""Of a cell; the longest that means anything is a name of 200."""
UTF8_MARK: Final = b"\xef\xbb\xbf"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_SPREADSHEETS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How files of Excel and LibreOffice begin (ZIP), and old ones of Excel (compound file)."""


class Fault(NamedTuple):
    """What is wrong in one cell: `line` as a spreadsheet numbers it (1 is the head, 0 the file as a whole), `column` of `COLUMNS` or empty,
    `code` which rule, `value` what stands there, where it may be shown: never an INSZ."""

    line: int
    column: str
    code: str
    value: str = ""


class Row(NamedTuple):
    """One row: its line, and what stands in each of `COLUMNS`, without space around it."""

    line: int
    cells: Mapping[str, str]


class Read(NamedTuple):
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]


def read_table(data: bytes) -> Read:
    """The rows of a file, and every fault of its form. A file of which nothing can be said has one fault, of line 0."""
    text = _decoded(data)
    if isinstance(text, Fault):
        return Read((), (text,))
    lines = text.splitlines(keepends=True)
    skipped = 0
    if lines and lines[0].strip().lower().startswith("sep="):
        lines, skipped = lines[1:], 1
    if not "".join(lines).strip():
        return _nothing("empty")
    separator = max(";,\t", key=lines[0].count)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        head = [cell.strip().lower() for cell in next(reader)]
        faults = _head_faults(head, skipped + 1)
        if faults:
            return Read((), tuple(faults))
        found: list[Row] = []
        while True:
            line = reader.line_num + skipped + 1
            cells = next(reader, None)
            if cells is None:
                break
            if not any(cell.strip() for cell in cells):
                continue
            if len(found) == MOST_ROWS:
                return _nothing("too_many")
            faults += _row_faults(line, head, cells)
            by_name = dict(zip(head, map(_plain, cells), strict=False))
            found.append(Row(line, {column: by_name.get(column, "") for column in COLUMNS}))
    except csv.Error:
        return Read((), (Fault(reader.line_num + skipped, "", "quotes"),))
    return Read(tuple(found), tuple(faults)) if found else _nothing("empty")


def write_head() -> bytes:
    """How a file begins that Excel opens as it is in Belgium: UTF-8 with a mark, semicolons, CRLF."""
    return UTF8_MARK + write_rows([COLUMNS])


def write_rows(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of that file, each with a cell for each of its columns. What a spreadsheet would take for a formula is marked as text."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return file.getvalue().encode()


def _decoded(data: bytes) -> str | Fault:
    """UTF-8 with or without a mark; else windows-1252, in which older programs write, when it can be that."""
    if len(data) > MOST_BYTES:
        return Fault(0, "", "too_large")
    if data.startswith(_SPREADSHEETS):
        return Fault(0, "", "spreadsheet")
    if b"\0" in data:
        return Fault(0, "", "not_text")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # NEL, LS and PS would end a line for Python and for nothing else.
        return text if not set(text) & set("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029") else Fault(0, "", "not_text")
    return Fault(0, "", "not_text")


def _head_faults(head: Sequence[str], line: int) -> list[Fault]:
    while head and not head[-1]:
        head = head[:-1]
    faults = [Fault(line, "", "unknown_column", name[:40]) for name in head if name not in COLUMNS]
    faults += [Fault(line, name, "column_twice") for name in COLUMNS if head.count(name) > 1]
    return faults + [Fault(line, name, "column_missing") for name in NEEDED if name not in head]


def _row_faults(line: int, head: Sequence[str], cells: Sequence[str]) -> list[Fault]:
    faults = [Fault(line, "", "too_many_cells")] if any(cell.strip() for cell in cells[len(head) :]) else []
    for column, cell in zip(head, cells, strict=False):
        if len(cell) > MOST_CHARACTERS or not _plain(cell).isprintable():
            faults.append(Fault(line, column, "characters"))
    return faults


def _plain(cell: str) -> str:
    cell = cell.strip(" \u00a0")
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _nothing(code: str) -> Read:
    return Read((), (Fault(0, "", code),))
