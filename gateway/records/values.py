"""What the records give and take, besides the nouns of `gateway.model`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.model import Language, Session, Validity

USER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{2,62}[a-z0-9]")
"""Lower case, so that no two of them differ by case alone; 4 to 64 characters that need no escaping anywhere."""


MOVED = "moved"
"""Why a session ended whose place another one took, when a client that it was not given to proved who is there."""


class SessionEntry:
    """A session as this process holds it.

    `session` is replaced when the session changes (a step-up, its end); whoever holds the entry sees it. `last_seen` is the last act
    of the person, Unix seconds; `saved_at` what the database knows of it. `identity` is a slot for the ledger's sealed identity,
    made once a session by whoever writes the lines; `observed` one for what was seen of its client.
    """

    __slots__ = ("identity", "last_seen", "observed", "saved_at", "session")

    def __init__(self, session: Session, last_seen: float) -> None:
        self.session = session
        self.last_seen = last_seen
        self.saved_at = last_seen
        self.identity: object | None = None
        self.observed: object | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """What a sign-in needs to know of a user ID. `person` is the natural person, whose attempts count together.

    `password_hash` is None without a live password; `password_disabled` that it was disabled after too many failures;
    `password_alone` that it is long enough to be the only factor. `totp_credential` and `totp_secret` are None without an app;
    `code_card` is the credential of the card, None without one; `activation` and `activation_hash` are None without a code that was
    given and not used, which is good until `activation_until` (Unix seconds).
    """

    user_id: str
    person: int
    insz: str = field(repr=False)
    name: str = field(repr=False)
    institution: str
    language: Language
    validity: Validity
    blocked: bool
    password_hash: str | None = field(repr=False)
    password_disabled: bool
    password_alone: bool
    totp_credential: int | None
    totp_secret: bytes | None = field(repr=False)
    last_totp_step: int
    code_card: int | None
    activation: int | None
    activation_hash: str | None = field(repr=False)
    activation_until: float

    @property
    def has_totp(self) -> bool:
        return self.totp_secret is not None

    @property
    def has_code_card(self) -> bool:
        return self.code_card is not None

    @property
    def has_token(self) -> bool:
        """Whether they have an official's token, which a card and an app alike are."""
        return self.has_totp or self.has_code_card

    def allowed(self, now: float) -> bool:
        """Whether this user ID may sign in at all."""
        return not self.blocked and self.validity.holds(now)


class Bound(NamedTuple):
    """What a session is bound to, besides the person: see `model.Session`. `provider_session` is the provider's own name for its
    session, by which a back-channel logout names it."""

    certificate: str | None = None
    certificate_good_at: float | None = None
    provider: str | None = None
    provider_session: str | None = None
    client: str | None = None


UNBOUND = Bound()


@dataclass(frozen=True, slots=True)
class EntryCode:
    """What a one-time code stood for: this session may enter this host, and goes to `target` there."""

    session_id: str
    user_id: str
    host: str
    target: str


@dataclass(frozen=True, slots=True)
class Act:
    """The head official's written act: its reference and its date."""

    reference: str
    on: dt.date


@dataclass(frozen=True, slots=True)
class By:
    """On whose word something is done: who acts (`shell`, `user:<user ID>`, …), why, and under which mandate or written act.

    `seen` is the last act on the user ID (`acts`) that they had before their eyes; None: they were shown nothing that could be old.
    """

    actor: str
    reason: str
    mandate: int | None = None
    act: Act | None = None
    seen: int | None = None

    @property
    def signature(self) -> str:
        """How it stands in `ended_by`."""
        return self.actor if self.mandate is None else f"{self.actor}, mandate {self.mandate}"


Detail = str | int | float | None


@dataclass(frozen=True, slots=True)
class Change:
    """An act on the records, checked and about to be committed: what the ledger writes first.

    `act` is a noun and a verb (`designation end`); `user_id` and `insz` may stand in a line only sealed; `details` hold neither names nor secrets.
    `before` are the records as they stood that it ends, `after` those that it makes, each with what may be known of it.
    """

    act: str
    at: float
    by: By
    user_id: str | None = None
    insz: str | None = field(default=None, repr=False)
    institution: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)
    before: tuple[Mapping[str, Detail], ...] = ()
    after: tuple[Mapping[str, Detail], ...] = ()

    @property
    def objects(self) -> dict[str, object]:
        """As they stand in the line."""
        then: dict[str, object] = {} if not self.before else {"before": [dict(each) for each in self.before]}
        now: dict[str, object] = {} if not self.after else {"after": [dict(each) for each in self.after]}
        return {**self.details, **then, **now}


BeforeCommit = Callable[[Change], Awaitable[None] | None]
"""Called after every check and before the commit; when it raises, nothing was changed."""
