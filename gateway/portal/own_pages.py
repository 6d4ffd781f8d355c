"""The portal's own pages that ask for more than a session: by what means, and how lately, one must have proved who one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.decision import REASONS, Decision
from gateway.model import Means, Session
from gateway.portal.catalogue import N_

APP_PAGE: Final = "/methods/app"
PASSWORD_PAGE: Final = "/methods/password"  # noqa: S105 - a path
FRESH_SECONDS: Final = 900.0
"""For so long after an authentication nobody is asked again before they change their own means."""


class OwnPage(NamedTuple):
    """`means` are those that will do, within `FRESH_SECONDS`; `why` is what the person is told, a message of the catalogues."""

    means: frozenset[Means]
    why: str


OWN_PAGES: Final = {
    APP_PAGE: OwnPage(
        frozenset({Means.TOKEN, Means.ITSME, Means.EID}),
        N_(
            "Before the app for your security codes is changed, confirm who you are, with a means that is at least as strong."
        ),
    ),
    PASSWORD_PAGE: OwnPage(
        frozenset({Means.ITSME, Means.EID}),
        N_("To set a new password without the old one, confirm who you are by a stronger means."),
    ),
}


def suffices(page: OwnPage, session: Session, now: float) -> bool:
    """Whether the session's authentication is one of those, and fresh. One of the future, by a clock that was set back, proves nothing."""
    return session.means in page.means and 0 <= now - session.auth_time <= FRESH_SECONDS


def page_verdict(verdict: Callable[[Session], Decision], page: OwnPage, now: float) -> Callable[[Session], Decision]:
    """The decision on a request for such a page, with what the page itself asks for on top."""

    def ruled(session: Session) -> Decision:
        decision = verdict(session)
        if not decision.permitted or suffices(page, session, now):
            return decision
        known = session.means in page.means
        return decision._replace(reason=REASONS["authentication_too_old" if known else "means_too_weak"])

    return ruled
