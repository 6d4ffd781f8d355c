"""What the decision would be on a use of a transaction, which means of authentication would do, and which the person has.

What would do is asked of the decision itself, with the session as it would then be: no page can promise anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.decision import Decision, Facts, PageOrigin, Snapshot, decide
from gateway.model import Means, Session, Transaction, Use
from gateway.records import Login

DOUBTS: Final = frozenset({"session_moved", "doubtful_client"})
"""Reasons to ask whether it still is the same person, whatever is asked for."""
MENDED: Final = DOUBTS | {"means_too_weak", "means_not_agreed", "authentication_too_old"}
"""The reasons that another authentication can mend."""

Verdict = Callable[[Session], Decision]
"""The decision on one request, made with this session instead."""


def enough(verdict: Verdict, session: Session, now: float) -> frozenset[Means]:
    """The means by which the person, were they to authenticate now, would be asked no more.

    Where the client is in doubt that is enough, wherever they were going: what else may stand in the way is not for this page to
    say. Otherwise it is a means with which the request is permitted.
    """
    doubted = verdict(session).reason.code in DOUBTS
    after = {means: verdict(replace(session, means=means, auth_time=now)) for means in Means}
    return frozenset(
        means
        for means, decision in after.items()
        if decision.permitted or (doubted and decision.reason.code not in MENDED)
    )


def from_its_page(facts: Facts, method: str, host: str, path: str) -> Facts:
    """The facts of a request that this browser would make now from a page of that host."""
    connection = facts.connection._replace(sni=host)
    asked = facts._replace(connection=connection, method=method, host=host, path=path)
    return asked._replace(fetch_site="same-origin", page_origin=PageOrigin.OURS)


def owned(login: Login | None) -> frozenset[Means]:
    """The means that this gateway can ask the person for. A short password is none without a code."""
    if login is None or login.password_hash is None:
        return frozenset()
    having = {Means.PASSWORD} if login.password_alone else set()
    return frozenset(having | {Means.TOKEN} if login.has_token else having)


def fitting(would_do: frozenset[Means], having: frozenset[Means], session: Session) -> frozenset[Means]:
    """What the person may be asked for: never less than they signed in with, so that a confirmation takes nothing away elsewhere."""
    return frozenset(means for means in would_do & having if means.level >= session.means.level)


def least(would_do: frozenset[Means], having: frozenset[Means], session: Session) -> Means | None:
    """What to ask the person for."""
    return min(fitting(would_do, having, session), key=lambda means: means.level, default=None)


def ruling(facts: Facts, transaction: Transaction, use: Use, snapshot: Snapshot) -> Decision:
    """The decision on a request of this use, by one of its operations; the last one asked when none of them reaches the use."""
    decision = None
    for operation in transaction.operations:
        if operation.use is not use:
            continue
        for match in transaction.matches:
            path = match.path.removesuffix("/") + _example(operation.path.text)
            asked = facts._replace(
                connection=facts.connection._replace(sni=match.host),
                method=min(operation.methods, default="GET"),
                host=match.host,
                path=path,
                websocket=operation.websocket,
                fetch_site="same-origin",
                page_origin=PageOrigin.OURS,
                navigation=False,
            )
            decision = decide(asked, snapshot)
            if decision.operation is operation or decision.operation is None:
                return decision
    return decision or _undeclared(facts, transaction, snapshot)


def _undeclared(facts: Facts, transaction: Transaction, snapshot: Snapshot) -> Decision:
    """A use that no operation has: what a request for a thing that nobody declared would get."""
    match = transaction.matches[0]
    connection = facts.connection._replace(sni=match.host)
    return decide(
        facts._replace(connection=connection, method="undeclared", host=match.host, path=match.path), snapshot
    )


def _example(pattern: str) -> str:
    """A path that the pattern matches."""
    segments = ["x" if part == "*" or part.startswith("{") else part for part in pattern.split("/")]
    return "/".join("" if part == "**" else part for part in segments)
