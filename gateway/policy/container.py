"""A signed release as it lies there: one archive or one directory, both with the same names in them.

    1.root.json … N.root.json    whose signatures count, each root signed by the signers of the one before
    targets.json                 the release: its number, from when and until when, and the hash of every file of the table
    table/…                      the table's files, by the names that they have in a configuration directory

The archive is a tar of plain files, written in one way only: the same release gives the same bytes, and an archive that would not be
written so is refused. So nothing can stand in it that one reader sees and another does not. Nothing is ever unpacked.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tarfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from gateway.policy.faults import printable
from gateway.policy.files import MAX_FILE_BYTES
from gateway.policy.making import naming, write_new, write_over
from gateway.policy.refusals import ReleaseRefused
from gateway.policy.table import ROLES_FILE, belongs_to_table

TARGETS = "targets.json"
TABLE = "table/"
SUFFIX = ".tar"
MAX_FILES = 100_000
MAX_DIRECTORIES = 1000
"""Each version of the regulation has one."""
MAX_BYTES = 256 * 1024 * 1024
"""Of a whole release: the largest that was tried, 10,000 files, has 12 MB."""
MAX_ROOT_BYTES = 256 * 1024
"""Ten keys have 4 kB."""
MAX_TARGETS_BYTES = 32 * 1024 * 1024
"""150 bytes a file."""
_ROOT = re.compile(r"([1-9][0-9]{0,5})\.root\.json")
_SAFE = re.compile(r"[0-9A-Za-z._-]+(?:/[0-9A-Za-z._-]+)*")
_BLOCK = 512

Container = Mapping[str, bytes]


def root_name(version: int) -> str:
    return f"{version}.root.json"


def root_versions(container: Container) -> list[int]:
    """The versions whose roots are in it, rising."""
    return sorted(int(found[1]) for name in container if (found := _ROOT.fullmatch(name)))


def root_files(container: Container) -> dict[str, bytes]:
    """The roots that are in it."""
    return {root_name(version): container[root_name(version)] for version in root_versions(container)}


def table_files(container: Container) -> dict[str, bytes]:
    """The table's files, by their names in a configuration directory."""
    return {name.removeprefix(TABLE): content for name, content in container.items() if name.startswith(TABLE)}


def read_container(path: Path) -> dict[str, bytes]:
    """Everything in a release, by name. Only names and sizes are judged. Raises ReleaseRefused."""
    try:
        if path.is_dir():
            return dict(_bounded((name, _plain(path / name, name)) for name, _ in entries(path)))
        data = _plain(Path(os.path.realpath(path)), path.name, MAX_BYTES)
    except OSError as error:
        raise ReleaseRefused("unreadable", path.name, error.strerror or "") from None
    return parse_archive(data, path.name)


def parse_archive(data: bytes, name: str = "") -> dict[str, bytes]:
    """The same of the bytes of an archive called `name`. Raises ReleaseRefused."""
    if len(data) > MAX_BYTES:
        raise ReleaseRefused("too_large", name, f"more than {MAX_BYTES} bytes")
    container = dict(_bounded(_members(data, name)))
    if archive(container) != data:
        raise ReleaseRefused("malformed", name, "the archive was not written by gateway table")
    return container


def write_container(container: Container, path: Path) -> None:
    """Write it whole: an archive when the name ends on `.tar`, else a directory. Nothing that is there is written over.

    Raises OSError.
    """
    if path.suffix == SUFFIX:
        write_new(path, archive(container), 0o644)
        return
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with naming(path):
        partial.mkdir()
        try:
            for name, content in container.items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                write_new(partial / name, content, 0o644)
            partial.rename(path)  # fails when a directory with files in it is there by now
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_signatures(container: Container, path: Path) -> None:
    """Put a container in the place of the one that is there, from which only metadata may differ. Raises OSError."""
    if not path.is_dir():
        write_over(path, archive(container), 0o644)
        return
    for name, content in container.items():
        if not name.startswith(TABLE):
            write_over(path / name, content, 0o644)


def archive(container: Container) -> bytes:
    """The one archive of these files."""
    parts: list[bytes] = []
    for name in sorted(container):
        content = container[name]
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        try:
            parts.append(member.tobuf(tarfile.USTAR_FORMAT))
        except ValueError:
            raise ReleaseRefused("unsafe_name", printable(name), "the name is too long") from None
        parts += (content, bytes(-len(content) % _BLOCK))
    parts.append(bytes(2 * _BLOCK))
    return b"".join(parts)


# --- reading -----------------------------------------------------------------------------------------------------------


def _bounded(members: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Each with a name that belongs here, once, within its size."""
    seen: set[str] = set()
    whole = 0
    for name, content in members:
        if name in seen:
            raise ReleaseRefused("malformed", name, "it is there twice")
        seen.add(name)
        whole += len(content)
        if len(content) > _most(name) or whole > MAX_BYTES or len(seen) > MAX_FILES:
            raise ReleaseRefused("too_large", name)
        yield name, content


def _most(name: str) -> int:
    if name == TARGETS:
        return MAX_TARGETS_BYTES
    return MAX_ROOT_BYTES if _ROOT.fullmatch(name) else MAX_FILE_BYTES


def _judged(name: str) -> str:
    if not _SAFE.fullmatch(name) or any(part in (".", "..") for part in name.split("/")):
        raise ReleaseRefused("unsafe_name", printable(name))
    if name != TARGETS and not _ROOT.fullmatch(name):
        inner = name.removeprefix(TABLE)
        if inner == name or not belongs_to_table(inner):
            raise ReleaseRefused("extra_file", name)
    return name


def entries(path: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything that lies in a release that is a directory, but the directories in it, by name; nothing of it is read.

    Nothing is entered in which no file of the table can lie, so it is never deep. Links are not followed: what a name leads to could be
    anything, and be another thing at the next look. Raises ReleaseRefused, OSError.
    """
    left = MAX_FILES
    below = [""]
    for directory in below:  # it grows meanwhile
        with os.scandir(path / directory) as there:
            found = list(islice(there, left + 1))
        left -= len(found)
        if left < 0 or len(below) > MAX_DIRECTORIES:
            raise ReleaseRefused("too_large", directory.rstrip("/"))
        for entry in sorted(found, key=lambda entry: entry.name):
            name = f"{directory}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                below.append(f"{_entered(name)}/")
            else:
                yield name, entry


def _entered(directory: str) -> str:
    """One in which a file of the table can lie, or in a directory of it."""
    if not _SAFE.fullmatch(directory):
        raise ReleaseRefused("unsafe_name", printable(directory))
    name = f"{directory}/"
    inner = name.removeprefix(TABLE)
    if inner == name or not any(belongs_to_table(f"{inner}{file}") for file in (ROLES_FILE, "nl.md", "1/nl.md")):
        raise ReleaseRefused("extra_file", directory)
    return directory


def _plain(path: Path, name: str, most: int | None = None) -> bytes:
    """Of a plain file as much as there may be under its name (or `most` bytes), and one byte more. A pipe is never waited for."""
    if stat.S_ISREG(path.lstat().st_mode):
        bound = _most(_judged(name)) if most is None else most
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.read(bound + 1)
    raise ReleaseRefused("unsafe_name", printable(name), "it is no plain file")


def _members(data: bytes, whole: str) -> Iterator[tuple[str, bytes]]:
    """The members of a ustar archive (POSIX.1-2001) called `whole`, as far as `archive` writes one."""
    position = 0
    while any(header := data[position : position + _BLOCK]):
        if len(header) < _BLOCK:
            raise ReleaseRefused("malformed", whole, "the archive breaks off, or is none")
        if header[257:265] != b"ustar\x0000":
            raise ReleaseRefused("malformed", whole, "this is no archive of a release")
        name = "/".join(part for part in (_text(header[345:500]), _text(header[:100])) if part)
        if header[156:157] != b"0":
            raise ReleaseRefused("unsafe_name", printable(name), "it is no plain file")
        _judged(name)
        digits = header[124:135]
        if not re.fullmatch(rb"[0-7]{11}", digits):
            raise ReleaseRefused("malformed", name, "it has no size")
        position += _BLOCK
        size = int(digits, 8)
        content = data[position : position + size]
        if len(content) < size:
            raise ReleaseRefused("malformed", name, "the archive breaks off")
        position += size + -size % _BLOCK
        yield name, content


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("latin-1")
