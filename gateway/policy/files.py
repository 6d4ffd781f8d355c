"""The table's files on disk: which ones there are, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import Fault, TableError
from gateway.policy.faults import printable
from gateway.policy.table import DIRECTORIES, REGULATION, ROLES_FILE, belongs_to_table

MAX_FILE_BYTES = 1024 * 1024
"""Of one file: a regulation has some 100 kB, everything else less. Keeps a slip (a video in the directory) out of memory."""


@dataclass(slots=True)
class Found:
    """`files` maps names, relative to the directory, to contents; `unread` names those that are there and cannot be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_files(directory: Path) -> Found:
    """The table's files in a directory. A file that is not one of the table's is only warned of."""
    found = Found()
    found.faults += [
        Fault(f"{name}/", "", "the directory is missing", "Make it, or correct table.directory")
        for name in DIRECTORIES
        if not (directory / name).is_dir()
    ]
    for path in _paths(directory):
        name = path.relative_to(directory).as_posix()
        if not belongs_to_table(name):
            found.warnings.append(f"{printable(name)} is not read: it is not one of the table's files")
            continue
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            what, mend = f"the file cannot be read ({error.strerror})", "Let the service's user read it"
        else:
            if len(content) <= MAX_FILE_BYTES:
                found.files[name] = content
                continue
            what, mend = f"the file is longer than {MAX_FILE_BYTES} bytes", "Split it, or take it away"
        found.unread.add(name)
        found.faults.append(Fault(name, "", what, mend))
    return found


def read_directory(directory: Path) -> Found:
    """The same of one that somebody named. Raises TableError when it is none: of a wrong path, what is missing in it is no help."""
    if not directory.is_dir():
        there = "this is a file, no directory" if directory.exists() else "there is no such directory"
        holds = ", ".join(f"{name}/" for name in (*DIRECTORIES, REGULATION))
        raise TableError(
            [Fault(str(directory), "", there, f"Name one with the table's files in it: {holds} and {ROLES_FILE}")]
        )
    return read_files(directory)


def _paths(directory: Path) -> Iterator[Path]:
    """Everything that could be meant as a part of the table, but hidden files, which editors and version control leave."""
    if (directory / ROLES_FILE).exists():
        yield directory / ROLES_FILE
    for name in (*DIRECTORIES, REGULATION):
        for path in sorted((directory / name).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
            if not hidden and not path.is_dir():
                yield path
