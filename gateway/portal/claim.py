"""What the gateway keeps while somebody goes from the portal to the eID door and back: which user ID was claimed, in which browser, what for.

A code in each direction (DESIGN section 6). With the first one a card can be shown, by whoever has it; what comes of that is of use in the
browser that began alone, once, and within a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.errors import CredentialError
from gateway.portal.ask import Ask
from gateway.portal.errand import Errand

DOOR_SECONDS: Final = 600.0
"""To show a card in: to find it, and its PIN, and to read why the first one did not do."""
RESULT_SECONDS: Final = 60.0
"""For the way back (DESIGN section 6)."""
MOST_TRIES: Final = 10
"""Cards, or none, that one claim may be tried with; then it is begun again at the portal."""
_NOBODY: Final = bytes(32)
"""The door has other cookies than the portal: what is kept for it is tied to no browser, and opens nothing."""


class Claim(NamedTuple):
    """`browser` is the holder of the portal's form, hashed; `moved` the id of the session that this client has to confirm, "" for none; `tries`
    how many times a card was shown, or none; `why` is the code of the last refusal and `reference` its line's, "" before."""

    user_id: str
    errand: Errand
    browser: bytes
    moved: str = ""
    tries: int = 0
    why: str = ""
    reference: str = ""

    async def keep(self, ask: Ask) -> str | None:
        """The code with which it is found again; None when there is no room."""
        kept = {
            "user_id": self.user_id,
            "errand": self.errand.fields,
            "browser": self.browser.hex(),
            "moved": self.moved,
            "tries": self.tries,
            "why": self.why,
            "reference": self.reference,
        }
        code = make_token(ask.services.random(TOKEN_BYTES))
        done = await ask.services.records.new_pending(
            token_hash(code), "eid", _NOBODY, kept, DOOR_SECONDS, network=ask.network
        )
        return code if done else None

    @classmethod
    def _of(cls, kept: Mapping[str, Any]) -> Claim:
        errand = Errand.of(kept["errand"])
        browser = bytes.fromhex(kept["browser"])
        return cls(kept["user_id"], errand, browser, kept["moved"], kept["tries"], kept["why"], kept["reference"])

    @classmethod
    async def take(cls, ask: Ask) -> Claim | None:
        """The one that the code in the address stands for, once."""
        key = _key(ask)
        kept = None if key is None else await ask.services.records.take_pending(key, "eid", _NOBODY)
        return None if kept is None else cls._of(kept)

    @classmethod
    async def look(cls, ask: Ask) -> Claim | None:
        """The same, for a page that shows it; it stays."""
        key = _key(ask)
        kept = None if key is None else await ask.services.records.peek_pending(key, "eid", _NOBODY)
        return None if kept is None else cls._of(kept)


class Vouched(NamedTuple):
    """What the door found: a card that is in order, and the claimed person's, at `at` (Unix seconds). `good_at` is when it was last known not
    to be revoked; `unknown` that nobody could say so now. `issuer`, `serial` and `policy` are for the line alone."""

    user_id: str
    errand: Errand
    at: float
    thumbprint: str
    good_at: float | None
    unknown: bool
    issuer: str
    serial: str
    policy: str

    async def keep(self, ask: Ask, browser: bytes) -> str | None:
        """The code for the way back, good in that browser alone; None when there is no room."""
        code = make_token(ask.services.random(TOKEN_BYTES))
        kept = {**self._asdict(), "errand": self.errand.fields}
        done = await ask.services.records.new_pending(
            token_hash(code), "eid_result", browser, kept, RESULT_SECONDS, network=ask.network
        )
        return code if done else None

    @classmethod
    async def take(cls, ask: Ask) -> Vouched | None:
        """What was vouched for in this browser, once; shown in another one, it is over for both."""
        key = _key(ask)
        kept = None if key is None else await ask.services.records.take_pending(key, "eid_result", ask.holder_hash)
        return None if kept is None else cls(**{**kept, "errand": Errand.of(kept["errand"])})


def _key(ask: Ask) -> bytes | None:
    try:
        return token_hash(ask.request.query.get("code", ""))
    except CredentialError:
        return None
