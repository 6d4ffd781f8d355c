"""Which means of authentication would do for a use of a transaction, and which the person has.

What would do is asked of the decision itself, with the session as it would then be: no page can promise anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.decision import Decision, Facts, PageOrigin
from gateway.model import Means, Session
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
    asked = replace(facts, connection=connection, method=method, host=host, path=path)
    return replace(asked, fetch_site="same-origin", page_origin=PageOrigin.OURS)


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
