"""What people do to their own means and sessions: on their own word, with a line in the ledger before it is committed."""

from __future__ import annotations

from gateway.ledger.record import administration_record
from gateway.model import Session, UserRecords
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.records import BeforeCommit, By, Change, SessionEntry


def own_word(user_id: str, reason: str) -> By:
    """A person's own word: no mandate, no written act."""
    return By(f"user:{user_id}", reason)


def own_act(ask: Ask, user_id: str, insz: str) -> BeforeCommit:
    """Writes the line of what a person does to their own records; when it cannot, it is not done (clause T1)."""
    identity = ask.services.sealer.person(user_id, insz)

    async def write(change: Change) -> None:
        await ask.services.admin.write(
            administration_record(
                ask.handed.reference,
                act=change.act,
                actor="portal",
                by=identity,
                person=identity,
                institution=change.institution,
                reason=change.by.reason,
                objects=change.objects,
            )
        )

    return write


async def others(ask: Ask, user: UserRecords, but: Session) -> list[SessionEntry]:
    """The other sessions of this user ID that can be used now, newest first."""
    idle = ask.services.snapshot().idle_seconds
    entries = await ask.services.records.open_sessions_of(user.user_id, ask.services.clock(), idle)
    return [entry for entry in entries if entry.session.id != but.id]


def ended_words(ask: Ask, count: int) -> str:
    """How many other sessions ended."""
    if not count:
        return ask.text(N_("You were signed in nowhere else."))
    texts = catalogue.translations(ask.language)
    return texts.ngettext("%(n)d other session has ended.", "%(n)d other sessions have ended.", count) % {"n": count}
