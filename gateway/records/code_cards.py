"""Asking for a code of a card: which number, of whom, in which browser; and that there is one try.

A number that is asked for stays the one that is asked for until somebody tries it, right or wrong; then it is used, and comes again
after all others. So nobody waits for a number whose code they happen to know by asking again, and nobody tries one number twice,
however many pages ask for it at once.

The order of a try: `claim_attempt`; unless that says to wait, `take_card_challenge`; then `credentials.code_card.verify` in the
hashing pool; and `record_success` when it fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from gateway.credentials.code_card import choose_position, mark_used
from gateway.errors import Conflict
from gateway.records.pending import PendingSignIns
from gateway.records.schema import code_cards, credentials
from gateway.records.store import Write
from gateway.records.values import Login

CHALLENGE_SECONDS = 300.0
"""Five minutes to fetch the card."""


@dataclass(frozen=True, slots=True)
class CardChallenge:
    """A number that was asked for. `stored` is the card to verify against, `payload` what the asking page kept for its answer."""

    user_id: str
    number: int
    stored: bytes = field(repr=False)
    payload: Mapping[str, Any] = field(repr=False)


class CodeCards(PendingSignIns):
    """Asking and trying. Everything raises RecordsError when the database does not answer."""

    async def new_card_challenge(
        self,
        login: Login,
        key_hash: bytes,
        browser_hash: bytes,
        payload: Mapping[str, object],
        random: bytes,
        *,
        network: str,
    ) -> int | None:
        """Asks for a code of this person's card, for five minutes, and gives its number. None when there is no room for more sign-ins.

        The hashes are those of the challenge's key and of its browser's cookie, `network` is the client's (`new_pending`); `random` are `CHOICE_BYTES` bytes.
        Raises Conflict when they have no card, or it was replaced meanwhile.
        """
        if login.code_card is None:
            raise Conflict("this user ID has no code card")
        card, chosen = code_cards.c.credential == login.code_card, code_cards.c.asked
        async with self._write() as write:
            row = await write.one(_live_card(login.code_card))
            if row is None:
                raise Conflict("the code card was replaced or ended meanwhile")
            number = choose_position(row.used, random) if row.asked is None else int(row.asked)
            await write.execute(sa.update(code_cards).where(card, chosen.is_(None)).values(asked=number))
        kept = {"user_id": login.user_id, "card": login.code_card, "number": number, "payload": dict(payload)}
        room = await self.new_pending(key_hash, "code_card", browser_hash, kept, CHALLENGE_SECONDS, network=network)
        return number if room else None

    async def card_challenge(self, key_hash: bytes, browser_hash: bytes) -> CardChallenge | None:
        """What is asked for, for a page that shows it; it stays. None when it is over: too old, tried, another browser, a new card."""
        kept = await self.peek_pending(key_hash, "code_card", browser_hash)
        if kept is None:
            return None
        async with self._database.reading() as connection:
            return await _challenge(Write(connection), kept)

    async def take_card_challenge(self, key_hash: bytes, browser_hash: bytes) -> CardChallenge | None:
        """Takes the one try: the number is used, whatever becomes of it. None when it was over (see `card_challenge`)."""
        kept = await self.take_pending(key_hash, "code_card", browser_hash)
        if kept is None:
            return None
        async with self._write() as write:
            challenge = await _challenge(write, kept)
            row = await write.one(_live_card(kept["card"]))
            if challenge is None or row is None:
                return None
            tried = {"asked": None, "used": mark_used(row.used, challenge.number)}
            await write.execute(sa.update(code_cards).where(code_cards.c.credential == kept["card"]).values(**tried))
        return challenge


async def _challenge(write: Write, kept: Mapping[str, Any]) -> CardChallenge | None:
    row = await write.one(_live_card(kept["card"]))
    if row is None or row.asked != kept["number"]:
        return None
    return CardChallenge(kept["user_id"], kept["number"], row.secret, kept["payload"])


def _live_card(credential: int) -> sa.Select[Any]:
    found = sa.select(code_cards.c.used, code_cards.c.asked, credentials.c.secret)
    found = found.join(credentials, credentials.c.id == code_cards.c.credential)
    return found.where(credentials.c.id == credential, credentials.c.ended_at.is_(None))
