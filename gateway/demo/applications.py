"""The applications of the demo's origin: one program, several transactions, each below a base path of its own.

They stand in a module of their own because two processes read them: the origin, and the world that writes the table.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# The national numbers that are known to be valid and to belong to nobody in particular (DOMAIN section 2).
INSZ: Final = (
    "85073003328", "17073003384", "98472899765", "01490700185", "81050003552", "10200100128", "92521506931", "00003241778",
    "19282416134", "01050399864", "93051822361",
)  # fmt: skip

ARCHIVE_BYTES: Final = 8 * 1024 * 1024
"""Size of the file to download: some MiB, so that it does not fit into any buffer on the way."""

_PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Application:
    """One application. `base` is where it lives on the origin; `noun` what it calls its records.

    `social` says that its records concern persons; `by_insz` that a record's path bears the person's INSZ instead of a number.
    """

    transaction: str
    base: str
    title: str
    noun: str
    social: bool
    by_insz: bool = False


APPLICATIONS: Final = (
    Application("dossier", "/dossier-app/", "Dossiers", "dossier", social=True, by_insz=True),
    Application("benefits", "/benefits-app/", "Benefits", "benefit file", social=True),
    Application("pension", "/pension-app/", "Pensions", "pension file", social=True),
    Application("career", "/career-app/", "Careers", "career file", social=True),
    Application("guidance", "/guidance-app/", "Guidance", "circular", social=False),
)


@dataclass(slots=True)
class Record:
    """One record, in memory only: the origin forgets everything when it stops."""

    key: str
    title: str
    insz: str | None
    status: str
    note: str
    version: int = 1


STATUSES: Final = ("open", "waiting", "closed")

_PEOPLE = ("M. Aerts", "S. Bernard", "T. Claes", "L. Dumont", "R. Engels", "P. Fontaine")
_CIRCULARS = (
    "Keeping a case file", "Who may consult what", "Reporting a fault", "Changing an address", "Working with the eID",
    "When a dossier closes",
)  # fmt: skip


def records_of(application: Application) -> dict[str, Record]:
    """The records that an application starts with, by the last part of their path."""
    records: dict[str, Record] = {}
    for number, (person, circular) in enumerate(zip(_PEOPLE, _CIRCULARS, strict=True)):
        insz = INSZ[-1 - number] if application.social else None
        key = insz if application.by_insz and insz is not None else f"{1001 + number}"
        title = f"{application.noun.capitalize()} of {person}" if application.social else circular
        records[key] = Record(key, title, insz, STATUSES[number % len(STATUSES)], "Nothing noted yet.")
    return records


def archive() -> Iterator[bytes]:
    """The file to download, ARCHIVE_BYTES long and the same every time, in pieces: never whole in memory."""
    rest = b"".join(b"%05d;%04d;demo case file\n" % (line, line * line % 9973) for line in range(1, _PIECE_BYTES // 26))
    for number in range(ARCHIVE_BYTES // _PIECE_BYTES):
        piece = b"piece %d of archive.csv\n" % number + rest
        yield piece.ljust(_PIECE_BYTES, b"-")


@functools.cache
def archive_sha256() -> str:
    """The hex SHA-256 of the file to download, shown beside it."""
    digest = hashlib.sha256()
    for piece in archive():
        digest.update(piece)
    return digest.hexdigest()
