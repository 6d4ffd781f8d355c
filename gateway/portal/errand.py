"""What somebody proves who they are for, as it travels through forms and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from gateway.credentials.start import Start
from gateway.model import Session, UserRecords
from gateway.portal.ask import Ask
from gateway.portal.hand_over import (
    MAX_START_CHARACTERS,
    changes_page,
    mandate_page,
    onward,
    open_start,
    regulation_page,
)
from gateway.records.mandates import MandateEntry

STEP_UP: Final = "step-up"
"""The value of the field `errand` in the forms of a step-up; a sign-in has none."""
_AGAIN: Final = ("start", "transaction", "use", "page")


class Errand(NamedTuple):
    """To sign in, or to raise the session that this browser has (`step_up`).

    `again` are the names and values by which a form or an address says where they were going: `start`, a page of a transaction's host;
    `transaction` and `use`; or `page`, one of the portal's own.
    """

    step_up: bool
    again: dict[str, str]

    @classmethod
    def of(cls, named: Mapping[str, str]) -> Errand:
        """From the fields of a form, or the query of a page. What is longer than a start is nothing of ours, and would be kept and sent on."""
        again = {name: value for name in _AGAIN if 0 < len(value := named.get(name, "")) <= MAX_START_CHARACTERS}
        return cls(named.get("errand") == STEP_UP, again)

    @property
    def fields(self) -> dict[str, str]:
        """As the hidden fields of a form; `of` reads them."""
        return {**({"errand": STEP_UP} if self.step_up else {}), **self.again}

    def start(self, ask: Ask) -> Start | None:
        """The page, or kept form, to go back to."""
        return open_start(ask, self.again.get("start", ""))


async def way_on(ask: Ask, session: Session, user: UserRecords | None, token: str) -> web.Response:
    """Where somebody with a session goes on: to the regulation until they have accepted it, to what was changed of their means until they
    have read it, to a mandate that they have yet to accept, and then to where they were going. `token` is that of a start, or "". Raises as `onward` does."""
    start = open_start(ask, token)
    kept = token if start else ""
    if user is None or not ask.accepted(user):
        return ask.redirect(regulation_page(kept))
    records = ask.services.records
    untold = await records.untold_changes(user.user_id) or await records.untold_acts(user.user_id)
    if untold or await records.untold_ends(user.user_id):
        return ask.redirect(changes_page(kept))
    if await mandate_waits(ask, user) is not None:
        return ask.redirect(mandate_page(kept))
    return await onward(ask, session, start)


async def mandate_waits(ask: Ask, user: UserRecords) -> MandateEntry | None:
    """The oldest mandate that this user ID has yet to accept."""
    now = ask.services.clock()
    held = await ask.services.records.mandates_of(user.user_id)
    return next((each for each in held if each.waits(now)), None)
