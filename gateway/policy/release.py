"""The one function that yields a checked release of the table: `load_release`. Signatures will be verified behind it.

A release is one canonical JSON document: the table's files as they stand, and what the decision reads of gateway.toml. Its hash
is the SHA-256 of that document, so `sha256sum` verifies one that was kept, and years later a ledger line finds its table. The
document names its format: a later one gets another number, and this one keeps being read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from gateway.decision import Snapshot
from gateway.errors import Fault, TableError
from gateway.model import BRUSSELS
from gateway.policy.build import build_snapshot
from gateway.policy.checks import check_table
from gateway.policy.faults import FileModel, run_checks
from gateway.policy.files import read_files
from gateway.policy.material import inspect_origins
from gateway.policy.settings import SETTINGS_FILE, Settings
from gateway.policy.table import DecisionSettings, Table, parse_table
from gateway.policy.working_days import holidays_of

ENDING_SOON_SECONDS = 60 * 86400.0
"""How long before its end an authorisation is warned of: a new deliberation takes about two months."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Release:
    """One checked release. `hash` is the hex SHA-256 of `document`; `files` maps names to contents."""

    snapshot: Snapshot
    hash: str
    files: Mapping[str, bytes]
    warnings: list[str]
    document: bytes


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is in the configured directory, and everything that is wrong with it."""

    files: Mapping[str, bytes]
    table: Table
    faults: list[Fault]
    warnings: list[str]


def inspect_table(settings: Settings, now: float) -> Inspected:
    """Read and check the table. `now` is Unix seconds; `settings` may have faults of their own (see `read_settings`)."""
    found = read_files(settings.table.directory)
    table, faults = parse_table(found.files, settings.directory, found.unread)
    faults += found.faults
    faults += run_checks((_cross_check,), table, settings, now)
    faults += inspect_origins(table, settings.directory, now)
    warnings = list(found.warnings)
    if settings.table.unsafe_unsigned:
        warnings.insert(
            0, "table.unsafe_unsigned is true: nobody signed this table, whoever can write its files grants access"
        )
    else:
        mend = "Set table.unsafe_unsigned = true, on a machine whose files nobody else can write"
        what = "signed releases are not supported yet, and unsigned ones are not allowed"
        faults.append(Fault(SETTINGS_FILE, "table.unsafe_unsigned", what, mend))
    return Inspected(found.files, table, sorted(faults, key=lambda fault: fault.file), warnings)


def _cross_check(table: Table, settings: Settings, now: float) -> Iterator[Fault]:
    yield from check_table(table, DecisionSettings.of(settings), now)


def load_release(settings: Settings, now: float) -> Release:
    """The table in the configured directory, checked whole. `now` is Unix seconds.

    Raises TableError with every fault found.
    """
    inspected = inspect_table(settings, now)
    if inspected.faults:
        raise TableError(inspected.faults)
    decision = decision_settings(settings, inspected.table)
    document = _document(inspected.files, decision)
    digest = hashlib.sha256(document).hexdigest()
    snapshot = build_snapshot(inspected.table, decision, digest)
    warnings = [*inspected.warnings, *_ending_soon(snapshot, now)]
    return Release(snapshot, digest, inspected.files, warnings, document)


def decision_settings(settings: Settings, table: Table) -> DecisionSettings:
    """What decisions on this table read besides it; the table has no faults."""
    days = tuple(day.isoformat() for day in holidays_of(table.authorisations.values()))
    return DecisionSettings.of(settings).model_copy(update={"holidays": days})


def _ending_soon(snapshot: Snapshot, now: float) -> Iterator[str]:
    for reference, grant in sorted(snapshot.by_reference.items()):
        if grant.status == "active" and now < grant.validity.end <= now + ENDING_SOON_SECONDS:
            last = dt.datetime.fromtimestamp(grant.validity.end - 1, BRUSSELS).date()
            yield f"authorisation {reference} ({grant.institution}, {grant.transaction}) ends on {last}"


def refusing_snapshot(settings: Settings) -> Snapshot:
    """What stands in for a table when there is no good one: the gateway's own hosts, and nothing permitted."""
    decision = DecisionSettings.of(settings)
    return Snapshot(
        hash="",
        portal_host=decision.portal_host,
        names=decision.own_names,
        usable=False,
        eid_names=decision.eid_names,
    )


def keep_release(release: Release, directory: Path) -> Path:
    """Keep a release by its hash, as `<hash>.json`: written whole, made durable, then renamed. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{release.hash}.json"
    if path.exists():
        return path
    partial = directory / f".{release.hash}.{os.getpid()}"
    with partial.open("wb") as file:
        file.write(release.document)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)  # the name, too, outlives a power cut
    finally:
        os.close(descriptor)
    return path


def load_kept(directory: Path, digest: str) -> Snapshot:
    """The snapshot of a release that was kept: it was checked in its time, so only its hash and its form are looked at again.

    Raises TableError when it is not there, altered, or of a form that this version cannot read.
    """
    name = f"{digest[:64]}.json"
    if not _HASH.fullmatch(digest):
        raise TableError(
            [Fault(name, "", "this is not the hash of a release", "Copy the 64 hex digits from the ledger line")]
        )
    try:
        document = (directory / name).read_bytes()
    except OSError as error:
        what = f"the release cannot be read ({error.strerror})"
        raise TableError([Fault(name, "", what, f"Restore it to {directory} from a backup")]) from None
    if hashlib.sha256(document).hexdigest() != digest:
        raise TableError([Fault(name, "", "the release was altered: its hash differs", "Restore it from a backup")])
    return _read_document(name, document, digest)


class _Document(FileModel):
    format: Literal[1]
    files: dict[str, str]
    settings: DecisionSettings


def _read_document(name: str, document: bytes, digest: str) -> Snapshot:
    try:
        content = _Document.model_validate(orjson.loads(document))
    except ValueError:  # of orjson, and pydantic's, which is one
        mend = "Use the version of the gateway that wrote it"
        raise TableError([Fault(name, "", "this is not a release that this version can read", mend)]) from None
    table, faults = parse_table({file: text.encode() for file, text in content.files.items()})
    if faults:
        raise TableError(faults)
    return build_snapshot(table, content.settings, digest)


def _document(files: Mapping[str, bytes], settings: DecisionSettings) -> bytes:
    """Canonical: keys sorted, no space, UTF-8. Every file of a table without faults is UTF-8 text."""
    content = {
        "format": 1,
        "files": {name: text.decode() for name, text in files.items()},
        "settings": settings.model_dump(),
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
