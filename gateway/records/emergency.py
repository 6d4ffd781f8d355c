"""Suspending and resuming in an emergency: the same order for the command line and the duty officer's page (clause I3).

The ledger's line first, then the switch of this machine, which is what counts here; then the records, by which other machines
learn of it. Without records it holds here all the same, and a running gateway brings it to them as soon as they are back. They are asked
nothing before the switch is written, but for who a person is: a server that hangs must not hold it up.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, Protocol

from gateway.decision.suspensions import Scope
from gateway.errors import Conflict, RecordsError
from gateway.model import UserRecords
from gateway.records.suspensions import merged, suspension_change
from gateway.records.switch import MAX_REASON_CHARACTERS, Suspension, Switch
from gateway.records.values import BeforeCommit, By, Change


class Known(Protocol):
    """What is asked of the records. Each raises RecordsError when they cannot be reached."""

    async def user(self, user_id: str) -> UserRecords | None: ...
    async def add_suspension(self, suspension: Suspension) -> Suspension | None: ...
    async def end_suspension(self, key: str, by: By, now: float, before_commit: BeforeCommit | None = None) -> None: ...
    async def running_suspensions(self) -> tuple[Suspension, ...]: ...


class Ended(NamedTuple):
    """A suspension that is over, and the `others` by which the very same stays suspended: it is open again only without them."""

    suspension: Suspension
    others: tuple[Suspension, ...]


async def suspend(switch: Switch, records: Known, suspension: Suspension, before_commit: BeforeCommit) -> Suspension:
    """Puts it into force; gives it as it stands, `recorded` unless the records could not be reached. A user ID is taken however it was typed.

    Raises Conflict for a user ID that nobody has and a reason that is none, LedgerError and RecordsError when the line or the switch
    cannot be written: then nothing is suspended.
    """
    checked_reason(suspension.reason)
    entry = suspension.entry
    user, reachable = None, True
    if entry.scope is Scope.PERSON:
        entry = entry._replace(subject=entry.subject.strip().lower())
        try:
            user = await records.user(entry.subject)
        except RecordsError:
            reachable = False
        if reachable and user is None:
            raise Conflict(f"user ID {entry.subject} does not exist; see `gateway user-id list`")
    suspension = replace(suspension, entry=entry if user is None else entry._replace(person=user.person))
    change = suspension_change("suspension add", suspension, suspension.since)
    if user is not None:
        change = replace(change, insz=user.insz, institution=user.institution)
    await _tell(before_commit, change)
    await asyncio.to_thread(switch.write, suspension)
    if not reachable:
        return suspension
    try:
        recorded = await records.add_suspension(suspension)
        if recorded is not None:
            await asyncio.to_thread(switch.write, recorded)
            return recorded
    except RecordsError:
        pass  # the gateway brings it there when they are back; here it holds
    return suspension


async def resume(switch: Switch, records: Known, key: str, by: By, now: float, before_commit: BeforeCommit) -> Ended:
    """Ends it, and gives what it was.

    Raises Conflict when there is none of this key; RecordsError when the records have it and cannot be reached, since it would go on
    by them; LedgerError. Then it stays in force.
    """
    checked_reason(by.reason)
    on_switch = switch.read()
    known: tuple[Suspension, ...] = ()
    unreachable: RecordsError | None = None
    try:
        known = await records.running_suspensions()
    except RecordsError as error:
        unreachable = error
    running = merged(on_switch, known)
    found = next((each for each in running if each.entry.key == key), None)
    if found is None:
        raise Conflict(f"suspension {key} is not in force; see `gateway suspend --list`")
    if any(each.entry.key == key for each in known):
        await records.end_suspension(key, by, now, before_commit)
    elif found.recorded and unreachable is not None:
        raise RecordsError(
            f"suspension {key} is in the records too, and they cannot be reached ({unreachable}): it stays in force; run this again when "
            "they are back"
        )
    else:
        await _tell(before_commit, suspension_change("suspension end", found, now, by))
    await asyncio.to_thread(switch.remove, key)
    if unreachable is None:
        # A running gateway may have brought it to the records since they were asked: there, too, it is over, by the line that stands
        # already. Should they be gone by now, that gateway finds the file gone and ends it (app.emergency).
        with suppress(RecordsError):
            if any(each.entry.key == key for each in await records.running_suspensions()):
                await records.end_suspension(key, by, now)
    return Ended(found, tuple(each for each in running if each.entry.key != key and _covers(each, found)))


def _covers(other: Suspension, ended: Suspension) -> bool:
    """Whether all that one suspended is suspended by the other as well."""
    entry, theirs = ended.entry, other.entry
    same_person = entry.person is not None and entry.person == theirs.person
    return theirs.scope is Scope.ALL or (theirs.scope, theirs.subject) == (entry.scope, entry.subject) or same_person


def checked_reason(reason: str) -> None:
    """Raises Conflict unless it says why."""
    if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise Conflict(f"say why: 1 to {MAX_REASON_CHARACTERS} printable characters")


async def _tell(before_commit: BeforeCommit, change: Change) -> None:
    written = before_commit(change)
    if inspect.isawaitable(written):
        await written
