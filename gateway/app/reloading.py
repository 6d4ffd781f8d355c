"""What a reload brings: read anew and checked whole beside the traffic, then swapped by the worker; and how it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from gateway.app.cards import CardRules
from gateway.app.prepared import NewCertificates, Prepared
from gateway.credentials.certificate_profile import Profile
from gateway.edge.tls import read_certificates
from gateway.errors import Fault, TableError
from gateway.policy.cards import read_profile
from gateway.policy.faults import run_checks
from gateway.policy.material import require_material
from gateway.policy.release import Release, load_release, note_release
from gateway.policy.sections import Section
from gateway.policy.settings import CHECKS, Listener, Settings, SettingsError, load_settings

TAKEN = frozenset(
    {
        "levels",
        "sessions.idle",
        "mandates.review",
        "evidence.threshold",
        "eid",
        "revocation.check_every",
        "roles",
        "table.release",
        "table.root",
        "table.grace",
    }
)
"""The settings that a reload takes: what decisions read (it is part of the release), and what a card is. Of a listener, its names and
certificates: see `as_taken`."""


class Outcome(TypedDict):
    """How a reload went, as `gateway reload` reads it from `reload.json`. `hash` is the table's that runs now; `code` says why a signed
    release was refused; `waiting` which one begins later, by its number and moment (Unix seconds).
    """

    at: float
    ok: bool
    hash: str
    faults: list[dict[str, str]]
    restart_for: list[str]
    code: str | None
    waiting: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Renewed:
    """Good as a whole. `settings` are those that run from now on; `restart_for` names those of the files that wait for the next start."""

    settings: Settings
    release: Release
    certificates: list[NewCertificates]
    card_rules: CardRules
    restart_for: list[str]


def read_anew(prepared: Prepared, *, begins: bool = False) -> Renewed:
    """`begins`: the release that waited shall serve. Raises TableError, SettingsError or ConfigurationError; nothing is changed yet. Reads files: to be called in a thread."""
    found = load_settings(prepared.config)
    require_material(found, time.time())
    profile = read_profile(found)
    certificates = certificates_anew(prepared, found, profile)
    settings = _checked(prepared.settings, found)
    return Renewed(
        settings,
        checked_release(settings, begins=begins),
        certificates,
        CardRules(profile, settings.revocation.check_every),
        waiting_for_a_start(prepared.settings, found),
    )


def renew_prepared(prepared: Prepared) -> None:
    """What the workers took, for those that are forked from now on. Raises ConfigurationError; then nothing was changed."""
    found = load_settings(prepared.config)
    profile = read_profile(found)
    certificates = certificates_anew(prepared, found, profile)
    prepared.settings = _checked(prepared.settings, found)
    prepared.card_profile = profile
    for new in certificates:
        new.serve()


def certificates_anew(prepared: Prepared, settings: Settings, profile: Profile | None) -> list[NewCertificates]:
    """What the listeners shall answer with, and whose cards the eID's ask for. Raises ConfigurationError."""
    authorities = b"" if profile is None else profile.authorities_pem
    return [
        NewCertificates(door, listener.names, read_certificates(listener.certificates), authorities)
        for door in prepared.doors
        if door.contexts is not None and (listener := _same_listener(settings, door.listener)) is not None
    ]


def checked_release(settings: Settings, *, begins: bool = False) -> Release:
    """The release, kept by its hash and remembered before it is served: else a line could name a table that nobody finds any more, or the
    next start take an older one. Raises TableError.
    """
    release = load_release(settings, time.time(), kept=begins)
    try:
        note_release(release, settings)
    except OSError as error:
        what = f"the release cannot be kept ({error.strerror})"
        raise TableError([Fault(str(settings.table.releases), "", what, "Make room, or mend the rights")]) from None
    return release


def as_taken(running: Settings, new: Settings) -> Settings:
    """What runs after a reload of `new`: its are the keys of TAKEN, and of each listener names and certificates; all others stay.

    Which release serves stays as well when `table.unsafe_unsigned` changes: what nobody signed takes a signed one's place at a start alone.
    """
    changes: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        section, before, after = field.alias or name, getattr(running, name), getattr(new, name)
        if section in TAKEN:
            changes[name] = after
        elif isinstance(before, Section):
            taken = {key: getattr(after, key) for key in type(before).model_fields if f"{section}.{key}" in TAKEN}
            changes[name] = before.model_copy(update=taken)
    if running.table.unsafe_unsigned != new.table.unsafe_unsigned:
        changes["table"] = running.table
    changes["listeners"] = tuple(_renewed(listener, _same_listener(new, listener)) for listener in running.listeners)
    return running.model_copy(update=changes)


def _renewed(running: Listener, new: Listener | None) -> Listener:
    if new is None:
        return running
    return running.model_copy(update={"names": new.names, "certificate": new.certificate})


def _checked(running: Settings, new: Settings) -> Settings:
    """As `as_taken`. Raises SettingsError when what is taken does not fit what stays."""
    settings = as_taken(running, new)
    if faults := run_checks(CHECKS, settings):
        waits = ", ".join(waiting_for_a_start(running, new))
        mend = "Start the gateway anew, or undo the change"
        raise SettingsError(
            [Fault(each.file, each.where, f"{each.what}, and {waits} waits for a start", mend) for each in faults]
        )
    return settings


def waiting_for_a_start(running: Settings, new: Settings) -> list[str]:
    """The keys that were changed and that a reload does not take."""
    stays, wanted = _flat(as_taken(running, new)), _flat(new)
    return sorted(key for key in stays.keys() | wanted.keys() if stays.get(key) != wanted.get(key))


def _flat(settings: Settings) -> dict[str, object]:
    """Settings by key. Of a listener what only a start takes: its channel, addresses and ports."""
    flat: dict[str, object] = {}
    for section, values in settings.model_dump(by_alias=True, exclude={"listeners"}).items():
        for key, value in values.items() if isinstance(values, dict) else [("", values)]:
            flat[f"{section}.{key}" if key else section] = value
    for number, listener in enumerate(settings.listeners, 1):
        taken = {"names", "certificate"}
        for key, value in listener.model_dump(by_alias=True, exclude=taken).items():
            flat[f"listener[{number}].{key}"] = value
    return flat


def outcome_of(
    table: str,
    faults: Iterable[Fault],
    restart_for: Sequence[str] = (),
    code: str | None = None,
    waiting: Release | None = None,
) -> Outcome:
    told = [fault.as_dict() for fault in faults]
    later = None if waiting is None or waiting.signed is None else waiting.signed.verified
    return Outcome(
        at=time.time(),
        ok=not told,
        hash=table,
        faults=told,
        restart_for=list(restart_for),
        code=code,
        waiting=None if later is None else {"release": later.number, "from": later.starts},
    )


def write_outcome(path: Path, outcome: Outcome) -> None:
    """For `gateway reload`, which waits for the file: written whole, then renamed. What there is none of is left out."""
    told: dict[str, Any] = dict(outcome)
    for key in ("restart_for", "code", "waiting"):
        if not told[key]:
            del told[key]
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(told))
    draft.replace(path)


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for all workers: good when all are good and run the same table."""
    faults = [fault for outcome in outcomes for fault in outcome["faults"]]
    tables = dict.fromkeys(outcome["hash"] for outcome in outcomes)
    if not faults and len(tables) > 1:
        what = "the workers read different tables: the files changed meanwhile"
        faults = [Fault("", "", what, "Run `gateway reload` again when the files are as they should be").as_dict()]
    return Outcome(
        at=time.time(),
        ok=not faults,
        hash=next(iter(tables), ""),
        faults=[fault for number, fault in enumerate(faults) if fault not in faults[:number]],
        restart_for=sorted({key for outcome in outcomes for key in outcome["restart_for"]}),
        code=next((outcome["code"] for outcome in outcomes if outcome["code"]), None),
        waiting=next((outcome["waiting"] for outcome in outcomes if outcome["waiting"]), None),
    )


def _same_listener(settings: Settings, old: Listener) -> Listener | None:
    for listener in settings.listeners:
        if listener.kind is old.kind and listener.addresses == old.addresses:
            return listener
    return None
