"""Cards that sessions began with: what is needed to ask again whether they were revoked, and when they were last known not to be.

Working state. The certificate itself is kept for as long as a session can hang on it and an older answer can count; then it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from gateway.records.schema import eid_cards, sessions
from gateway.records.store import Store, Write

KEPT_SECONDS = 8 * 86_400.0
"""A session lasts a day at the most, and no policy goes by an answer that is older than a week."""


@dataclass(frozen=True, slots=True)
class KeptCard:
    """A card that live sessions hang on. `leaf` and `issuer` are DER; `good_at` is Unix seconds."""

    thumbprint: str
    leaf: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    good_at: float | None


class EidCards(Store):
    """Keeping and looking. Everything raises RecordsError when the database does not answer."""

    async def keep_eid_card(self, thumbprint: str, leaf: bytes, issuer: bytes, good_at: float | None) -> None:
        """Keeps what a later check needs. `good_at` is when the card was last known not to be revoked, if it was: it only goes forward,
        for the card and for the live sessions that hang on it."""
        now, known = self._clock(), sa.func.coalesce(eid_cards.c.good_at, 0.0)
        later = (
            eid_cards.c.good_at if good_at is None else sa.case((known < good_at, good_at), else_=eid_cards.c.good_at)
        )
        seen = sa.update(eid_cards).where(eid_cards.c.thumbprint == thumbprint).values(seen_at=now, good_at=later)
        async with self._write() as write:
            if (await write.execute(seen)).rowcount == 0:
                new = {"thumbprint": thumbprint, "leaf": leaf, "issuer": issuer, "good_at": good_at, "seen_at": now}
                await write.execute(sa.insert(eid_cards).values(**new))
            if good_at is not None:
                await _bring_forward(write, thumbprint, good_at)

    async def eid_card_good_at(self, thumbprint: str) -> float | None:
        """When a card was last known not to be revoked, Unix seconds; None: never, or too long ago to be kept."""
        async with self._database.reading() as connection:
            found = await connection.scalar(sa.select(eid_cards.c.good_at).where(eid_cards.c.thumbprint == thumbprint))
        return None if found is None else float(found)

    async def eid_cards_due(self, now: float, good_before: float) -> list[KeptCard]:
        """The cards that sessions hang on which are alive at `now`, and that were last known to be good at `good_before` or earlier."""
        live = sa.select(sessions.c.certificate).where(
            sessions.c.certificate.is_not(None), sessions.c.ended_at.is_(None), sessions.c.expires_at > now
        )
        known = sa.or_(eid_cards.c.good_at.is_(None), eid_cards.c.good_at <= good_before)
        columns = (eid_cards.c.thumbprint, eid_cards.c.leaf, eid_cards.c.issuer, eid_cards.c.good_at)
        query = sa.select(*columns).where(known, eid_cards.c.thumbprint.in_(live)).order_by(eid_cards.c.thumbprint)
        async with self._database.reading() as connection:
            return [KeptCard(*row) for row in await connection.execute(query)]

    async def sessions_with_eid_card(self, thumbprint: str, now: float) -> list[str]:
        """The ids of the sessions that hang on a card and are alive at `now`."""
        live = sa.and_(sessions.c.certificate == thumbprint, sessions.c.ended_at.is_(None), sessions.c.expires_at > now)
        async with self._database.reading() as connection:
            return list((await connection.execute(sa.select(sessions.c.id).where(live))).scalars())


async def forget_eid_cards(write: Write, now: float) -> None:
    """Throws away the cards that nothing can hang on any more."""
    await write.execute(sa.delete(eid_cards).where(eid_cards.c.seen_at < now - KEPT_SECONDS))


async def _bring_forward(write: Write, thumbprint: str, good_at: float) -> None:
    earlier = sa.and_(
        sessions.c.certificate == thumbprint,
        sessions.c.ended_at.is_(None),
        sa.or_(sessions.c.certificate_good_at.is_(None), sessions.c.certificate_good_at < good_at),
    )
    forward = sa.update(sessions).where(earlier).values(certificate_good_at=good_at).returning(sessions.c.id)
    write.sessions.update(dict.fromkeys((await write.execute(forward)).scalars()))
