"""When the client that lost a session to another one comes again: then two have it, and it ends (clause I4, docs/adr/0015)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from gateway.decision import Facts
from gateway.errors import GatewayError
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import sign_out_record
from gateway.records.values import MOVED, BeforeCommit, Change

if TYPE_CHECKING:
    from gateway.proxy.gate import Gate

ASKED_SECONDS = 1.0
"""How often the records are asked about one session: whoever has an old cookie can send it as often as they like."""
CAUSE: Final = "used_by_two_clients"

_log = structlog.get_logger("gateway.proxy")


class TwoPlaces(Protocol):
    """Who ends such a session: `records.MovedSessions`."""

    async def in_two_places(
        self, session_id: str, host: str, now: float, before_commit: BeforeCommit | None = None
    ) -> str | None: ...


class OldClients:
    """Looks out for them, in one worker. Everything happens on the loop."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._asked: set[str] = set()
        self._asking: set[asyncio.Task[None]] = set()

    def look(self, facts: Facts, client: Identity, user: Identity | None, reference: str) -> None:
        """A request was decided on. Nobody waits for what comes of this: the request itself has no session any more."""
        session, evidence, sessions = facts.session, facts.evidence, self._gate.moved_sessions
        if session is None or session.ended_reason != MOVED or sessions is None or session.id in self._asked:
            return
        if evidence is not None and (evidence.moved or evidence.moved_reported):
            return  # not the client that the cookie was given to
        self._asked.add(session.id)
        self._gate.loop.call_later(ASKED_SECONDS, self._asked.discard, session.id)
        task = self._gate.loop.create_task(self._end(sessions, facts, client, user, reference))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _end(
        self, sessions: TwoPlaces, facts: Facts, client: Identity, user: Identity | None, reference: str
    ) -> None:
        async def write(change: Change) -> None:
            ended = str(change.details["session"])
            await self._gate.ledger.admin.write(
                sign_out_record(reference, cause=CAUSE, client=client, user=user, session=ended)
            )

        if facts.session is None:
            return
        try:
            await sessions.in_two_places(facts.session.id, facts.host or "", facts.now, before_commit=write)
        except GatewayError as error:
            # The old client gets nothing; when it comes again, this is tried again.
            _log.error("session_not_ended", id=reference, detail=str(error))
