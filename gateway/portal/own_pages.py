"""The portal's own pages that ask for more than a session: by what means, and how lately, one must have proved who one is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from gateway.decision import REASONS, Decision
from gateway.model import Means, Session
from gateway.portal.catalogue import N_

APP_PAGE: Final = "/methods/app"
PASSWORD_PAGE: Final = "/methods/password"  # noqa: S105 - a path
ADMINISTRATION_PAGE: Final = "/administration"
HEAD_PAGE: Final = "/head"
MANDATE_PAGE: Final = "/mandate"
DUTY_PAGE: Final = "/duty"
READ_PAGE: Final = "/read"
TABLE_PAGE: Final = "/read/table"
FRESH_SECONDS: Final = 900.0
"""For so long after an authentication nobody is asked again before they change their own means."""


class OwnPage(NamedTuple):
    """`means` are those that will do, within so many seconds; `why` is what the person is told, a message of the catalogues."""

    means: frozenset[Means]
    why: str
    within: float = FRESH_SECONDS


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
    ADMINISTRATION_PAGE: OwnPage(
        frozenset({Means.EID}),
        N_(
            "Local administrators manage other people's means. So they confirm who they are with their electronic identity card (eID), the strongest means."
        ),
        within=math.inf,
    ),
    HEAD_PAGE: OwnPage(
        frozenset({Means.EID}),
        N_("A head official acts in the name of the institution. So you confirm who you are with your eID."),
        within=math.inf,
    ),
    MANDATE_PAGE: OwnPage(
        frozenset({Means.EID}),
        N_(
            "A local administrator acts for others. So you confirm who you are with your eID before you accept a mandate."
        ),
        within=math.inf,
    ),
    DUTY_PAGE: OwnPage(
        frozenset({Means.EID}),
        N_("A duty officer stops access for everybody concerned. So you confirm who you are with your eID."),
        within=math.inf,
    ),
    TABLE_PAGE: OwnPage(
        frozenset({Means.EID}),
        N_("Who reads for the KSZ reads of every institution. So you confirm who you are with your eID."),
        within=math.inf,
    ),
    READ_PAGE: OwnPage(
        frozenset({Means.TOKEN, Means.EID}),
        N_("These pages show who did what. So you confirm who you are by a stronger means."),
        within=math.inf,
    ),
}


def suffices(page: OwnPage, session: Session, now: float) -> bool:
    """Whether the session's authentication is one of those, and fresh enough. One of the future, by a clock that was set back, proves nothing."""
    return session.means in page.means and 0 <= now - session.auth_time <= page.within


def page_verdict(verdict: Callable[[Session], Decision], page: OwnPage, now: float) -> Callable[[Session], Decision]:
    """The decision on a request for such a page, with what the page itself asks for on top."""

    def ruled(session: Session) -> Decision:
        decision = verdict(session)
        if not decision.permitted or suffices(page, session, now):
            return decision
        known = session.means in page.means
        return replace(decision, reason=REASONS["authentication_too_old" if known else "means_too_weak"])

    return ruled
