"""The table as it stands in its files, read but not yet checked against itself; and the settings that the decision reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import Field

from gateway.errors import Fault
from gateway.model import LANGUAGES, Channel
from gateway.policy.faults import FileModel, read_model, read_toml, readable
from gateway.policy.kinds import Many
from gateway.policy.schema import AboutFile, AuthorisationFile, InstitutionFile, RolesFile, TransactionFile
from gateway.policy.settings import Settings

ROLES_FILE = "roles.toml"
DIRECTORIES = ("institutions", "transactions", "authorisations")
REGULATION = "regulation"
CHECK_GRACE_SECONDS = 300.0
"""The most that a check of a card may be late by, before what nobody could ask about counts as unknown."""
_REGULATION_FILE = re.compile(r"regulation/([0-9A-Za-z][0-9A-Za-z._-]{0,39})/(about\.toml|(?:nl|fr|de|en)\.md)")
_SUBJECT_FILE = re.compile(r"(institutions|transactions|authorisations)/[0-9A-Za-z._-]+\.toml")


class DecisionSettings(FileModel):
    """What a decision reads of gateway.toml: part of the release and of its hash, so that an old line can be replayed.

    `names` maps a channel to its host names, sorted; `levels` sensitivity (0 to 4) to the least level; durations are seconds.
    `holidays` are dates (YYYY-MM-DD) that the table makes needed, and `load_release` adds.
    """

    portal_host: str
    names: dict[str, list[str]]
    levels: Annotated[list[int], Field(min_length=5, max_length=5)]
    idle_seconds: float
    mandate_review_seconds: float
    doubtful_score: float = 100.0
    holidays: Annotated[tuple[str, ...], Many] = ()
    card_fresh_seconds: float = 900.0
    roles_stale_seconds: float | None = None

    @property
    def own_names(self) -> frozenset[str]:
        """The hosts of every listener but the eID's."""
        return frozenset(name for channel, names in self.names.items() if channel != Channel.EID for name in names)

    @property
    def eid_names(self) -> frozenset[str]:
        return frozenset(self.names.get(Channel.EID, ()))

    @staticmethod
    def of(settings: Settings) -> DecisionSettings:
        channels = (Channel.USER, Channel.EID, Channel.FILE_TRANSFER)
        return DecisionSettings(
            portal_host=settings.portal.host,
            names={str(channel): sorted(settings.names_of(channel)) for channel in channels},
            levels=list(settings.levels),
            idle_seconds=settings.sessions.idle,
            mandate_review_seconds=settings.mandates.review,
            doubtful_score=settings.evidence.threshold,
            card_fresh_seconds=_fresh(settings.revocation.check_every),
            roles_stale_seconds=settings.roles.stale_seconds,
        )


def _fresh(check_every: float) -> float:
    """How old the last good answer on a card may be where none older does: a round of checks, and one that comes late or fails once."""
    return check_every + min(check_every, CHECK_GRACE_SECONDS) if readable(check_every) else check_every


@dataclass(frozen=True, slots=True)
class RegulationFiles:
    """One version of the user regulation: `about` is None when it could not be read, `texts` maps languages to what was."""

    about: AboutFile | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The files by their names. With faults, models may hold UNREAD, and `unread` names the files that gave no model."""

    institutions: dict[str, InstitutionFile] = field(default_factory=dict)
    transactions: dict[str, TransactionFile] = field(default_factory=dict)
    authorisations: dict[str, AuthorisationFile] = field(default_factory=dict)
    roles: dict[str, RolesFile] = field(default_factory=dict)
    regulations: dict[str, RegulationFiles] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def belongs_to_table(name: str) -> bool:
    """Whether a file of the configuration directory, by its name relative to it, is one of the table's."""
    return name == ROLES_FILE or bool(_SUBJECT_FILE.fullmatch(name) or _REGULATION_FILE.fullmatch(name))


def parse_table(
    files: Mapping[str, bytes], directory: object = "", unread: Collection[str] = ()
) -> tuple[Table, list[Fault]]:
    """The table in `files` (name relative to the configuration directory -> content), and what is wrong in each file alone.

    `unread` names files that are there and could not be read. Paths in files start at `directory`. Files are read in the order of their names, so the order they were found in never matters.
    """
    table = Table(unread=set(unread))
    faults: list[Fault] = []
    context: dict[str, object] = {"directory": directory}
    for name in sorted(files):
        if name.startswith("institutions/"):
            faults += _read_into(table, table.institutions, InstitutionFile, name, files[name], context)
        elif name.startswith("transactions/"):
            faults += _read_into(table, table.transactions, TransactionFile, name, files[name], context)
        elif name.startswith("authorisations/"):
            faults += _read_into(table, table.authorisations, AuthorisationFile, name, files[name], context)
        elif name == ROLES_FILE:
            faults += _read_into(table, table.roles, RolesFile, name, files[name], context)
    if ROLES_FILE not in files and ROLES_FILE not in table.unread:
        faults.append(Fault(ROLES_FILE, "", "the file is missing", "Make it, empty when the KSZ gave no roles"))
    faults += _read_regulations(table, files)
    return table, faults


Read = TypeVar("Read", bound=FileModel)


def _read_into(
    table: Table, found: dict[str, Read], model: type[Read], name: str, content: bytes, context: dict[str, object]
) -> list[Fault]:
    raw, faults = read_toml(name, content)
    if raw is not None:
        read, faults = read_model(model, name, raw, context)
        if read is not None:
            found[name] = read
            return faults
    table.unread.add(name)
    return faults


def _read_regulations(table: Table, files: Mapping[str, bytes]) -> Iterator[Fault]:
    versions = {found[1] for name in (*files, *table.unread) if (found := _REGULATION_FILE.fullmatch(name))}
    for version in sorted(versions):
        about: dict[str, AboutFile] = {}
        name = f"{REGULATION}/{version}/about.toml"
        if name in files:
            yield from _read_into(table, about, AboutFile, name, files[name], {})
        elif name not in table.unread:
            yield Fault(name, "", "the file is missing", "Say in it the source and the effective date of this version")
        texts: dict[str, str] = {}
        for language in LANGUAGES:
            name = f"{REGULATION}/{version}/{language}.md"
            if name in table.unread:
                continue
            try:
                texts[language] = files[name].decode()
            except KeyError:
                yield Fault(
                    name, "", "the regulation is missing in this language", "Add the text, as the KSZ published it"
                )
                continue
            except UnicodeDecodeError as error:
                line = files[name].count(b"\n", 0, error.start) + 1
                yield Fault(name, f"line {line}", "this is not UTF-8 text", "Save the file in UTF-8")
                continue
            if not texts[language].strip():
                yield Fault(name, "", "the text is empty", "Add the text, as the KSZ published it")
        table.regulations[version] = RegulationFiles(about.get(f"{REGULATION}/{version}/about.toml"), texts)
