"""The one function that yields a checked release of the table: `load_release`. Signatures are verified behind it (`trust`), and that
nobody leads back to an older one (`memory`).

A release is one canonical JSON document: the table's files as they stand, and what the decision reads of gateway.toml. Its hash
is the SHA-256 of that document, so `sha256sum` verifies one that was kept, and years later a ledger line finds its table. The
document names its format: a later one gets another number, and this one keeps being read.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
from tuf.api.metadata import Targets

from gateway.decision import Snapshot
from gateway.errors import Fault, TableError
from gateway.model import BRUSSELS
from gateway.policy.build import build_snapshot
from gateway.policy.checks import check_table
from gateway.policy.container import (
    SUFFIX,
    TARGETS,
    Container,
    archive,
    read_container,
    root_versions,
    table_files,
)
from gateway.policy.faults import FileModel, run_checks
from gateway.policy.files import Found, read_directory, read_files
from gateway.policy.making import write_over
from gateway.policy.material import inspect_origins
from gateway.policy.memory import Memory, admit, read_memory, recall, remember
from gateway.policy.refusals import ReleaseFaulty, ReleaseRefused
from gateway.policy.settings import SETTINGS_FILE, Settings
from gateway.policy.table import DecisionSettings, Table, parse_table
from gateway.policy.trust import Verified, read_metadata, terms, verify
from gateway.policy.working_days import holidays_of

ENDING_SOON_SECONDS = 60 * 86400.0
"""How long before its end an authorisation is warned of: a new deliberation takes about two months."""
EXPIRING_SOON_SECONDS = 30 * 86400.0
"""How long before its end a release is warned of: two people must meet it."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed release as it was found: what its signatures say, and everything that was in it."""

    verified: Verified
    container: Container


@dataclass(frozen=True, slots=True)
class Release:
    """One checked release. `hash` is the hex SHA-256 of `document`; `files` maps names to contents.

    `signed` is there unless nobody signed it. `waiting` is a newer one that is good and begins later: then this is the one that serves
    until that moment.
    """

    snapshot: Snapshot
    hash: str
    files: Mapping[str, bytes]
    warnings: list[str]
    document: bytes
    signed: Signed | None = None
    waiting: Release | None = None


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is in the table, and everything that is wrong with it."""

    files: Mapping[str, bytes]
    table: Table
    faults: list[Fault]
    warnings: list[str]


def inspect_table(settings: Settings, now: float) -> Inspected:
    """Read and check the table. `now` is Unix seconds; `settings` may have faults of their own (see `read_settings`)."""
    if not settings.table.unsafe_unsigned:
        try:
            return inspect_files(_offered(settings, now)[0].verified.files, settings, now)
        except ReleaseRefused as refused:
            return Inspected({}, Table(), refused.faults, [])
    inspected = _inspect(read_files(settings.table.directory), settings, now)
    inspected.warnings.insert(
        0, "table.unsafe_unsigned is true: nobody signed this table, whoever can write its files grants access"
    )
    return inspected


def inspect_files(files: Mapping[str, bytes], settings: Settings, now: float) -> Inspected:
    """The same of a table's files that were read already."""
    return _inspect(Found(dict(files)), settings, now)


def _inspect(found: Found, settings: Settings, now: float) -> Inspected:
    table, faults = parse_table(found.files, settings.directory, found.unread)
    faults += found.faults
    faults += run_checks((_cross_check,), table, settings, now)
    faults += inspect_origins(table, settings.directory, now)
    return Inspected(found.files, table, sorted(faults, key=lambda fault: fault.file), list(found.warnings))


def _cross_check(table: Table, settings: Settings, now: float) -> Iterator[Fault]:
    yield from check_table(table, DecisionSettings.of(settings), now)


def load_release(settings: Settings, now: float, *, kept: bool = False) -> Release:
    """The release that the configuration names, verified and checked whole. `now` is Unix seconds.

    Of a signed one that begins later, the one that serves until then, with it as `waiting`. `kept`: the newest that was ever good, from
    where it is kept, whatever lies in its place by now: so one that waited begins.

    Raises TableError with every fault found: ReleaseRefused or ReleaseFaulty, each with a code, of a signed one.
    """
    if settings.table.unsafe_unsigned:
        inspected = inspect_table(settings, now)
        if inspected.faults:
            raise TableError(inspected.faults)
        return _release(inspected, settings, now)
    offered, memory = _offered(settings, now, kept=kept)
    release = _checked(offered, settings, now)
    serves = None if memory is None else memory.running
    if offered.verified.starts <= now or offered.verified.signed == serves:
        return release
    if serves is None:
        starts = offered.verified.starts
        raise ReleaseRefused("not_begun", "", f"release {offered.verified.number}: {_day(starts)}", until=starts)
    running = _serving(offered.verified, serves, settings)
    return dataclasses.replace(_checked(running, settings, now), waiting=release)


def open_release(path: Path, settings: Settings, now: float) -> Release:
    """A release that does not serve (shadow mode), verified and checked whole like one that would; its beginning may lie ahead. Where the
    settings let a table serve that nobody signed, a directory of its files. Raises TableError.
    """
    if settings.table.unsafe_unsigned:
        inspected = _inspect(read_directory(path), settings, now)
        if inspected.faults:
            raise TableError(inspected.faults)
        return _release(inspected, settings, now)
    trusted = _trusted_root(settings)
    container = read_container(path)
    signed = Signed(verify(container, trusted), container)
    admit(signed.verified, recall(settings.table_memory, settings.table.releases, trusted, now), now)
    return _checked(signed, settings, now)


def _offered(settings: Settings, now: float, *, kept: bool = False) -> tuple[Signed, Memory | None]:
    """The signed release that lies there, and what is remembered of earlier ones. Raises ReleaseRefused."""
    if settings.table.release is None:
        raise ReleaseRefused("not_named", SETTINGS_FILE)
    trusted = _trusted_root(settings)
    memory = recall(settings.table_memory, settings.table.releases, trusted, now)
    if kept and memory is not None:
        offered = _kept(settings.table.releases, memory.highest.signed, trusted)
    else:
        container = read_container(settings.table.release)
        offered = Signed(verify(container, trusted), container)
    admit(offered.verified, memory, now)
    return offered, memory


def _kept(directory: Path, signed: str, trusted: bytes) -> Signed:
    """One that was taken before. Raises ReleaseRefused."""
    container = read_container(_as_signed(directory, signed))
    return Signed(verify(container, trusted, taken=True), container)


def _serving(waits: Verified, serves: str, settings: Settings) -> Signed:
    """What serves until `waits` begins. Raises ReleaseRefused, which says that it is not about the one that lies there."""
    trusted = _trusted_root(settings)
    try:
        return _kept(settings.table.releases, serves, trusted)
    except ReleaseRefused as refused:
        begins = f"release {waits.number} begins on {_day(waits.starts)}"
        what = f"{begins}, what serves until then: {refused.code}"
        raise ReleaseRefused("serving_refused", f"{serves}{SUFFIX}", what, until=waits.starts) from None


def _trusted_root(settings: Settings) -> bytes:
    path = settings.table.root
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReleaseRefused("no_trusted_root", path.name, error.strerror or "") from None


def _checked(signed: Signed, settings: Settings, now: float) -> Release:
    """Raises ReleaseFaulty."""
    inspected = inspect_files(signed.verified.files, settings, now)
    if inspected.faults:
        raise ReleaseFaulty(inspected.faults)
    release = _release(inspected, settings, now, signed)
    left = signed.verified.expires - now
    if left < EXPIRING_SOON_SECONDS:
        when = f"expires on {_day(signed.verified.expires)}" if left > 0 else "has expired"
        release.warnings.insert(0, f"release {signed.verified.number} {when}: have a new one signed and published")
    return release


def _day(moment: float) -> str:
    return f"{dt.datetime.fromtimestamp(moment, BRUSSELS):%Y-%m-%d %H:%M}"


def _release(inspected: Inspected, settings: Settings, now: float, signed: Signed | None = None) -> Release:
    decision = decision_settings(settings, inspected.table)
    term = None if signed is None else Term.of(signed.verified, settings.table.grace)
    document = _document(inspected.files, decision, term)
    digest = hashlib.sha256(document).hexdigest()
    snapshot = _with_term(build_snapshot(inspected.table, decision, digest), term)
    warnings = [*inspected.warnings, *_ending_soon(snapshot, now)]
    return Release(snapshot, digest, inspected.files, warnings, document, signed)


def decision_settings(settings: Settings, table: Table) -> DecisionSettings:
    """What decisions on this table read besides it; the table has no faults."""
    days = tuple(day.isoformat() for day in holidays_of(table.authorisations.values()))
    return DecisionSettings.of(settings).model_copy(update={"holidays": days})


def _ending_soon(snapshot: Snapshot, now: float) -> Iterator[str]:
    for reference, grant in sorted(snapshot.by_reference.items()):
        if grant.status == "active" and now < grant.validity.end <= now + ENDING_SOON_SECONDS:
            last = dt.datetime.fromtimestamp(grant.validity.end - 1, BRUSSELS).date()
            yield f"authorisation {reference} ({grant.institution}, {grant.transaction}) ends on {last}"
    for kbo in sorted(snapshot.institutions):
        yield from _head_missing(snapshot, kbo, now)


def _head_missing(snapshot: Snapshot, kbo: str, now: float) -> Iterator[str]:
    """Without a head official nobody gives mandates or confirms designations (P5): the KSZ names another before the last one leaves."""
    heads = [
        role.validity
        for roles in snapshot.roles.values()
        for role in roles
        if role.role == "head_official" and role.institution == kbo
    ]
    held_until = max((each.end for each in heads if each.holds(now)), default=None)
    if held_until is None:
        yield f"institution {kbo} has no head official now: nobody can give mandates there, or confirm designations"
    elif held_until <= now + ENDING_SOON_SECONDS and not any(each.holds(held_until) for each in heads):
        last = dt.datetime.fromtimestamp(held_until - 1, BRUSSELS).date()
        yield f"institution {kbo} has a head official until {last}, and nobody after that"


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
    """Keep a release by its hash, as `<hash>.json`, and a signed one as it was signed, by the hash of what was signed, as `<hash>.tar`:
    written whole, made durable, then renamed. Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if release.signed is not None:
        _keep_as_signed(release.signed, directory)
    path = directory / f"{release.hash}.json"
    if not path.exists():
        write_over(path, release.document)
    return path


def _keep_as_signed(signed: Signed, directory: Path) -> None:
    """Anew when it was signed again under a newer root: by the old one it would be refused from then on. And when it is damaged."""
    path = _as_signed(directory, signed.verified.signed)
    try:
        if root_versions(read_container(path))[-1:] >= root_versions(signed.container)[-1:]:
            return
    except ReleaseRefused:
        pass  # it is not there, most of all
    write_over(path, archive(signed.container))


def _as_signed(directory: Path, signed: str) -> Path:
    return directory / f"{signed}{SUFFIX}"


def note_release(release: Release, settings: Settings) -> None:
    """Keep a release that is taken, and one that waits, and remember them. Raises OSError; ReleaseRefused when another process has seen
    a newer one meanwhile.
    """
    if release.waiting is not None:
        keep_release(release.waiting, settings.table.releases)
    keep_release(release, settings.table.releases)
    newest = release if release.waiting is None else release.waiting
    if newest.signed is not None and release.signed is not None:
        remember(settings.table_memory, newest.signed.verified, release.signed.verified.signed)


def load_kept(directory: Path, digest: str) -> Snapshot:
    """The snapshot of a release that was kept: it was checked in its time, so only its hash and its form are looked at again.

    Raises TableError when it is not there, altered, or of a form that this version cannot read.
    """
    return _load_kept(directory, digest)[0]


def load_running(settings: Settings, digest: str) -> Snapshot | None:
    """What the other workers of a gateway are said to run, as it was kept, for one that begins among them. None when the memory says that
    another signed release serves by now: nobody is led back to an older one by a worker's death.

    Raises TableError as `load_kept`, and ReleaseRefused when the memory is damaged.
    """
    snapshot, term = _load_kept(settings.table.releases, digest)
    memory = None if term is None else read_memory(settings.table_memory)
    if term is not None and memory is not None and memory.running != term.signed:
        return None
    return snapshot


def _load_kept(directory: Path, digest: str) -> tuple[Snapshot, Term | None]:
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


def snapshot_of(files: Mapping[str, bytes], settings: Settings) -> Snapshot:
    """What these files would be for the decision, to compare it with another: it is no release, and has no hash.

    Raises TableError with the faults of each file alone.
    """
    table, faults = parse_table(files, settings.directory)
    if faults:
        raise TableError(faults)
    return build_snapshot(table, decision_settings(settings, table), "")


def open_snapshot(path: Path, settings: Settings) -> tuple[Snapshot, float]:
    """A table to compare with another, and from when it is in force (Unix seconds; 0: for ever): a kept release (`<hash>.json`), a signed
    one (an archive or a directory), whose signatures are not judged here, or a directory of the table's files.

    Raises TableError.
    """
    if path.suffix == ".json":
        return load_kept(path.parent, path.stem), 0.0
    if path.is_dir() and not (path / TARGETS).exists() and not any(path.glob("*.root.json")):
        found = read_files(path)
        if found.faults:
            raise TableError(found.faults)
        return snapshot_of(found.files, settings), 0.0
    container = read_container(path)
    starts = 0.0 if TARGETS not in container else terms(read_metadata(Targets, TARGETS, container[TARGETS]).signed)[1]
    return snapshot_of(table_files(container), settings), starts


class Term(FileModel):
    """What a kept document says of a signed release: `signed` is the hash of what was signed, moments are Unix seconds.

    It `expires` by its signers' word; `refused_from` is when the grace of this gateway's settings is over.
    """

    number: int
    signed: str
    expires: float
    refused_from: float

    @staticmethod
    def of(verified: Verified, grace: float) -> Term:
        return Term(
            number=verified.number,
            signed=verified.signed,
            expires=verified.expires,
            refused_from=verified.expires + grace,
        )


class _Document(FileModel):
    format: Literal[1]
    files: dict[str, str]
    settings: DecisionSettings
    release: Term | None = None


def _read_document(name: str, document: bytes, digest: str) -> tuple[Snapshot, Term | None]:
    try:
        content = _Document.model_validate(orjson.loads(document))
    except ValueError:  # of orjson, and pydantic's, which is one
        mend = "Use the version of the gateway that wrote it"
        raise TableError([Fault(name, "", "this is not a release that this version can read", mend)]) from None
    table, faults = parse_table({file: text.encode() for file, text in content.files.items()})
    if faults:
        raise TableError(faults)
    return _with_term(build_snapshot(table, content.settings, digest), content.release), content.release


def _with_term(snapshot: Snapshot, term: Term | None) -> Snapshot:
    if term is None:
        return snapshot
    return dataclasses.replace(snapshot, release=term.number, expires=term.expires, refused_from=term.refused_from)


def _document(files: Mapping[str, bytes], settings: DecisionSettings, term: Term | None) -> bytes:
    """Canonical: keys sorted, no space, UTF-8. Every file of a table without faults is UTF-8 text."""
    content: dict[str, object] = {
        "format": 1,
        "files": {name: text.decode() for name, text in files.items()},
        "settings": settings.model_dump(),
    }
    if term is not None:
        content["release"] = term.model_dump()
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
