"""Everything that is wrong with a configuration directory, in one go: what `gateway check` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import Fault, TableError
from gateway.policy.cards import card_warnings
from gateway.policy.faults import UnreadTouched
from gateway.policy.files import read_files
from gateway.policy.material import certificates_ending_soon, inspect_material
from gateway.policy.release import Release, inspect_table, load_release
from gateway.policy.settings import Settings, read_settings
from gateway.policy.table import parse_table


@dataclass(slots=True)
class Examined:
    """`release` is there only without faults; `settings` may have faults of their own (see `read_settings`)."""

    settings: Settings | None
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    release: Release | None = None


def examine(config_dir: Path, now: float) -> Examined:
    """Read and check settings, keys, certificates and table. `now` is Unix seconds."""
    settings, faults = read_settings(config_dir)
    examined = Examined(settings, faults)
    if settings is None:
        return _files_alone(examined, config_dir)
    try:
        examined.faults += inspect_material(settings, now)
        inspected = inspect_table(settings, now)
    except UnreadTouched:  # where the table lies, or whether it may be unsigned, could not be read
        return _files_alone(examined, config_dir)
    examined.faults += inspected.faults
    examined.warnings += inspected.warnings
    if not examined.faults:
        try:
            examined.release = load_release(settings, now)
        except TableError as error:  # a file changed in between
            examined.faults += error.faults
        else:
            examined.warnings = [
                *examined.release.warnings,
                *certificates_ending_soon(settings, now),
                *card_warnings(settings),
            ]
    return examined


def _files_alone(examined: Examined, directory: Path) -> Examined:
    """Without settings each file can still be read by itself, where the table lies by default."""
    found = read_files(directory)
    examined.faults += found.faults
    examined.faults += parse_table(found.files, directory, found.unread)[1]
    examined.warnings += found.warnings
    return examined
