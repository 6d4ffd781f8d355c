"""Which means of authentication would do for a target, and which of them the person has.

What would do is asked of the decision itself, with the session as it would then be: no page can promise anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.decision import Decision
from gateway.model import Means, Session
from gateway.records import Login

MENDED: Final = frozenset({"means_too_weak", "means_not_agreed", "authentication_too_old"})
"""The reasons that another authentication can mend."""

Verdict = Callable[[Session], Decision]
"""The decision on one request, made with this session instead."""


def enough(verdict: Verdict, session: Session, now: float) -> frozenset[Means]:
    """The means with which the request would be permitted, were the person to authenticate by them now."""
    return frozenset(means for means in Means if verdict(replace(session, means=means, auth_time=now)).permitted)


def owned(login: Login | None) -> frozenset[Means]:
    """The means that this gateway can ask the person for. A short password is none without a code."""
    if login is None or login.password_hash is None:
        return frozenset()
    having = {Means.PASSWORD} if login.password_alone else set()
    return frozenset(having | {Means.TOKEN} if login.has_totp else having)


def least(would_do: frozenset[Means], having: frozenset[Means], session: Session) -> Means | None:
    """What to ask the person for: never less than they signed in with, so that a confirmation takes nothing away elsewhere."""
    fitting = [means for means in would_do & having if means.level >= session.means.level]
    return min(fitting, key=lambda means: means.level, default=None)
