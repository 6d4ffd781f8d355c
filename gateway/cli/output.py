"""Printing shared by the commands: tables for people, JSON for programs, one readable line for what went wrong.

Exit codes (DESIGN section 7): 0 done, 1 the answer is no, 2 wrong use or a gateway that cannot work.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import sys
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.errors import Conflict, GatewayError
from gateway.model import BRUSSELS, FOR_EVER, YEARS

ANSWER_IS_NO = 1
WRONG_USE = 2
STANDARD_INPUT = "-"
MOST_DAYS = 36_500.0
"""A hundred years, of which a ledger is looked at: far more than any, and a moment that can be reckoned."""
MAX_SECRET_FILE_BYTES = 4096
"""Far more than any password; a bound for a wrong path."""

ConfigOption = Annotated[Path, typer.Option("--config", metavar="DIR", help="The configuration directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def fail(message: str, code: int, *, as_json: bool = False) -> NoReturn:
    """Says what went wrong on stderr, and ends."""
    print(json.dumps({"error": message}, ensure_ascii=False) if as_json else f"gateway: {message}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def reporting(*, as_json: bool) -> Iterator[None]:
    """Turns our errors into a line and an exit code: 1 when the records say no, 2 for everything else."""
    try:
        yield
    except GatewayError as error:
        fail(str(error), ANSWER_IS_NO if isinstance(error, Conflict) else WRONG_USE, as_json=as_json)


def done(message: str, result: Mapping[str, object], *, as_json: bool) -> None:
    """Says what was done: a sentence, or the result as one JSON object."""
    print(json.dumps(result, ensure_ascii=False) if as_json else message)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in a row, Unix seconds: RFC 3339 with Brussels' offset for programs, date and time of day for people."""

    seconds: float | None

    def __bool__(self) -> bool:
        return self.seconds is not None and self.seconds != FOR_EVER

    def written(self, *, brief: bool = False) -> str | None:
        """None when there is none, or when it is for ever."""
        if self.seconds is None or not self:
            return None
        at = dt.datetime.fromtimestamp(self.seconds, BRUSSELS)
        if not brief:
            return at.isoformat(timespec="seconds")
        # The hour that the clock goes through twice, in autumn, is told apart by its offset.
        return f"{at:%Y-%m-%d %H:%M %z}" if _offset(at) != _offset(at, 1 - at.fold) else f"{at:%Y-%m-%d %H:%M}"


Row = Mapping[str, object]


def show(rows: Sequence[Row], nothing: str, *, as_json: bool, left_out: Container[str] = ()) -> None:
    """Prints rows: a table with the keys as heads, but for those that are `left_out`; or a JSON array with all of them.

    `nothing` is said, on stderr, when there are none.
    """
    if as_json:
        print(json.dumps([for_programs(row) for row in rows], ensure_ascii=False))
        return
    if not rows:
        print(nothing, file=sys.stderr)
        return
    # What nobody has in any row is no column on a screen.
    written = {head: [_cell(row[head]) for row in rows] for head in rows[0] if head not in left_out}
    columns = {head: cells for head, cells in written.items() if any(cells)}
    if not sys.stdout.isatty():
        _print_unfolded(columns)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in columns:
        table.add_column(Text(_words(head)), overflow="fold", no_wrap=head in _WHOLE)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    console().print(table)


def _print_unfolded(columns: Mapping[str, Sequence[str]]) -> None:
    """For a program or a pager: a line for each row, however long. (Rich would take a minute for the rows of 100,000 persons.)"""
    padded: list[list[str]] = []
    for head, cells in columns.items():
        lines = [_words(head), *(" ".join(cell.split("\n")) for cell in cells)]
        width = max(map(cell_len, lines))
        padded.append([line + " " * (width - cell_len(line)) for line in lines])
    for row in zip(*padded, strict=True):
        print("  ".join(row).rstrip())


def _words(head: str) -> str:
    return head.replace("_", " ")


def moment_of(text: str | None, option: str = "--at") -> float:
    """The moment that an option names, Unix seconds: without a zone it is Europe/Brussels, like the dates of the table; None is now.

    A time of day that the night of a changing clock has twice, or not at all, is nobody's guess.
    """
    if text is None:
        return time.time()
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is no time. Write it like 2026-06-15T10:00", WRONG_USE)
    if not YEARS[0] <= moment.year <= YEARS[1]:
        fail(f"{option} {text!r}: nothing is known of that year. From {YEARS[0]} to {YEARS[1]} can be asked", WRONG_USE)
    if moment.tzinfo is not None:
        return moment.timestamp()
    local = moment.replace(tzinfo=BRUSSELS)
    if _offset(local, 0) != _offset(local, 1):
        readings = " or ".join(_from_utc(local.replace(fold=fold)).isoformat() for fold in (0, 1))
        fail(f"{option} {text!r}: the clock changes that night. Write which moment you mean: {readings}", WRONG_USE)
    return local.timestamp()


def _offset(moment: dt.datetime, fold: int | None = None) -> dt.timedelta | None:
    return moment.replace(fold=moment.fold if fold is None else fold).utcoffset()


def _from_utc(moment: dt.datetime) -> dt.datetime:
    """As a clock in Brussels really showed it."""
    return moment.astimezone(dt.UTC).astimezone(BRUSSELS)


def console() -> Console:
    """Standard output: as wide as the terminal, or so wide that nothing is folded for a program or a pager."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE)


_WHOLE = frozenset({"record", "credential", "mandate", "designation", "session", "person", "user_id"})
"""Columns that people copy from: never folded."""
_WIDTH_IN_A_PIPE = 1_000
"""Columns; longer than any row."""


def for_programs(row: Row) -> dict[str, object]:
    """A row with its moments in words."""
    return {key: value.written() if isinstance(value, Moment) else value for key, value in row.items()}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Moment):
        return value.written(brief=True) or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} ({of})" for key, of in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(str(part) for part in value)
    return str(value)


def read_secret(source: str, what: str, *, new: bool = False) -> str:
    """A secret from a file, from standard input (`-`), or typed unseen when that is a terminal; never from an argument.

    A `new` one is typed twice: what nobody saw may not be what was meant, and opens nothing later. One line end at the end is not part of it. Fails with a line that says what to do.
    """
    try:
        if source != STANDARD_INPUT:
            with Path(source).open("rb") as file:
                content = file.read(MAX_SECRET_FILE_BYTES + 1)
        elif sys.stdin.isatty():
            typed = getpass.getpass(f"{what}: ")
            if new and getpass.getpass(f"{what}, once more: ") != typed:
                fail(f"the two are not the same {what}: nothing was made; begin again", WRONG_USE)
            return typed
        else:
            content = sys.stdin.buffer.read(MAX_SECRET_FILE_BYTES + 1)
    except OSError as error:
        # The name is not repeated: who mistakes the option gives the secret itself.
        fail(
            f"the file that you named for the {what} cannot be read ({error.strerror}): give a file that holds it, or - to type it",
            WRONG_USE,
        )
    if len(content) > MAX_SECRET_FILE_BYTES:
        fail(
            f"{source}: more than {MAX_SECRET_FILE_BYTES} bytes; the file must hold the {what} and nothing else",
            WRONG_USE,
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        fail(f"{source}: is not UTF-8 text; the file must hold the {what} and nothing else", WRONG_USE)
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        fail(f"{source}: is empty; it must hold the {what}", WRONG_USE)
    return text
