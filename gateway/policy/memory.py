"""What a gateway remembers of releases, so that nobody can lead it back to an older one: also after a restart.

`state/table.json` holds the newest release that was seen, its root, and which one serves. It is written whole, made durable and
renamed; of several workers that write it, none writes over a higher number (a lock beside it). Each signed release that was taken is
also kept as it was signed, by the hash of what was signed: so a memory that was lost is put together again from those that verify. One
that is there and damaged is not guessed at: nothing is taken until somebody has looked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import Field

from gateway.policy.container import SUFFIX, read_container
from gateway.policy.faults import FileModel
from gateway.policy.making import write_over
from gateway.policy.refusals import ReleaseRefused
from gateway.policy.trust import NEWEST, Verified, verify

MAX_BYTES = 4096
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=1, le=NEWEST)]


class Seen(FileModel):
    """Of one release: its number, the hash of what its signers signed, and likewise of its root."""

    number: Number
    signed: Hex
    root_version: Number
    root: Hex

    @staticmethod
    def of(verified: Verified) -> Seen:
        return Seen(
            number=verified.number, signed=verified.signed, root_version=verified.root_version, root=verified.root
        )


class Memory(FileModel):
    """`highest` is the newest release that was ever taken or waits to begin; `running` is `signed` of the one that serves."""

    highest: Seen
    running: Hex | None = None


def read_memory(path: Path) -> Memory | None:
    """None when there is none. Raises ReleaseRefused when it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReleaseRefused("memory_damaged", path.name, error.strerror or "") from None
    try:
        return Memory.model_validate(orjson.loads(content))
    except ValueError:
        raise ReleaseRefused("memory_damaged", path.name) from None


def admit(verified: Verified, memory: Memory | None, now: float) -> None:
    """Whether a release with good signatures may be taken at `now` (Unix seconds) after all that was seen. Raises ReleaseRefused.

    One that has expired is only gone on with: it was taken while it was good, and its grace runs (DESIGN section 5).
    """
    highest = None if memory is None else memory.highest
    if highest is not None:
        if verified.root_version < highest.root_version:
            what = f"version {highest.root_version} was seen, it has {verified.root_version}"
            raise ReleaseRefused("root_older", "", what)
        if verified.roots.get(highest.root_version, highest.root) != highest.root:
            raise ReleaseRefused("root_differs", "", f"version {highest.root_version}")
        if verified.number < highest.number:
            raise ReleaseRefused("older_release", "", f"number {verified.number}; {highest.number} was seen")
        if verified.number == highest.number and verified.signed != highest.signed:
            raise ReleaseRefused("release_differs", "", f"number {verified.number}")
    if verified.expires <= now and (highest is None or verified.number != highest.number):
        raise ReleaseRefused("root_expired" if verified.root_expires <= now else "expired", "")


def recall(path: Path, kept: Path, trusted_root: bytes, now: float) -> Memory | None:
    """The memory; when there is none, what the releases kept in the directory `kept` say at `now` (Unix seconds); None on a machine that
    never had one.

    Raises ReleaseRefused.
    """
    memory = read_memory(path)
    if memory is not None or not kept.is_dir():
        return memory
    found: list[Verified] = []
    for archive in sorted(kept.glob(f"*{SUFFIX}")):
        try:
            found.append(verify(read_container(archive), trusted_root, taken=True))
        except ReleaseRefused:
            continue  # it was good once, by roots that this configuration does not trust any more
    if not found:
        return None
    found.sort(key=lambda verified: verified.number)
    begun = [verified.signed for verified in found if verified.starts <= now]
    return Memory(highest=Seen.of(found[-1]), running=begun[-1] if begun else None)


def remember(path: Path, verified: Verified, running: str | None) -> None:
    """Note a release that is taken, or waits; `running` is `signed` of the one that serves from now on (None: as before).

    Raises ReleaseRefused when another process has seen a newer one meanwhile, OSError when it cannot be written.
    """
    with _held(path):
        before = read_memory(path)
        if before is not None and before.highest.number > verified.number:
            raise ReleaseRefused("older_release", "", f"number {verified.number}; {before.highest.number} was seen")
        stays = None if before is None else before.running
        memory = Memory(highest=Seen.of(verified), running=running or stays)
        if memory != before:
            write_over(path, orjson.dumps(memory.model_dump()))


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
