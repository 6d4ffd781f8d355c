"""The table's files on disk: which ones there are, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.errors import Fault
from gateway.policy.table import DIRECTORIES, REGULATION, ROLES_FILE, belongs_to_table

MAX_FILE_BYTES = 1024 * 1024
"""Of one file: a regulation has some 100 kB, everything else less. Keeps a slip (a video in the directory) out of memory."""


def read_files(directory: Path) -> tuple[dict[str, bytes], list[Fault], list[str]]:
    """(name relative to `directory` -> content, faults, warnings). A file that is not one of the table's is only warned of."""
    files: dict[str, bytes] = {}
    warnings: list[str] = []
    faults = [
        Fault(f"{name}/", "", "the directory is missing", "Make it, or correct table.directory")
        for name in DIRECTORIES
        if not (directory / name).is_dir()
    ]
    for path in _paths(directory):
        name = path.relative_to(directory).as_posix()
        if not belongs_to_table(name):
            warnings.append(f"{name} is not read: it is not one of the table's files")
            continue
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            what = f"the file cannot be read ({error.strerror})"
            faults.append(Fault(name, "", what, "Let the service's user read it"))
            content = b"\xff"  # it exists: what refers to it is not at fault
        if len(content) > MAX_FILE_BYTES:
            faults.append(
                Fault(name, "", f"the file is longer than {MAX_FILE_BYTES} bytes", "Split it, or take it away")
            )
            content = b"\xff"
        files[name] = content
    return files, faults, warnings


def _paths(directory: Path) -> Iterator[Path]:
    """Everything that could be meant as a part of the table, but hidden files, which editors and version control leave."""
    if (directory / ROLES_FILE).exists():
        yield directory / ROLES_FILE
    for name in (*DIRECTORIES, REGULATION):
        for path in sorted((directory / name).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
            if not hidden and not path.is_dir():
                yield path
