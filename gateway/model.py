"""The nouns of the policy (DESIGN section 1), as immutable values. No behaviour beyond what a value knows of itself.

Moments are Unix seconds (float, UTC). Dates of the KSZ's written word are days in Europe/Brussels, the last day
included; they become a `Validity` once, when a file or a record is read, so that a request compares two numbers.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, Protocol, cast
from zoneinfo import ZoneInfo

BRUSSELS: Final = ZoneInfo("Europe/Brussels")
YEARS: Final = (2000, 9998)
"""The first and the last year that may be asked about: none of this is older, and days before and after can be reckoned."""
Language = Literal["nl", "fr", "de", "en"]
LANGUAGES: tuple[Language, ...] = ("nl", "fr", "de", "en")
FOR_EVER: Final = float("inf")
KSZ: Final = "ksz"
"""The institution of the KSZ's own people, in roles.toml and in their user IDs."""
Network = IPv4Network | IPv6Network


class Channel(enum.StrEnum):
    """The listener a connection came in by; never inferred from a port number (DESIGN section 6)."""

    USER = "user"
    EID = "eid"
    FILE_TRANSFER = "file-transfer"
    PLAIN = "plain"
    OPERATOR = "operator"


class Use(enum.StrEnum):
    """What an operation does with social personal data (clause P2)."""

    CONSULTATION = "consultation"
    COMMUNICATION = "communication"


class Means(enum.StrEnum):
    """A means of authentication (clauses I2, I5). `level` is 1 to 4, compared as a number (DOMAIN section 3)."""

    PASSWORD = "password"  # noqa: S105 - the word for it, not one
    TOKEN = "token"  # noqa: S105 - the same
    ITSME = "itsme"
    EID = "eid"

    @property
    def level(self) -> int:
        return _LEVELS[self]


_LEVELS: Final = {Means.PASSWORD: 1, Means.TOKEN: 2, Means.ITSME: 3, Means.EID: 4}


@dataclass(frozen=True, slots=True)
class Text:
    """One text in the four languages."""

    nl: str
    fr: str
    de: str
    en: str

    def in_(self, language: str) -> str:
        return cast(str, getattr(self, language if language in LANGUAGES else "en"))


@dataclass(frozen=True, slots=True)
class Validity:
    """A half-open interval of time, `start <= now < end`, in Unix seconds."""

    start: float
    end: float = FOR_EVER

    def holds(self, now: float) -> bool:
        return self.start <= now < self.end

    @staticmethod
    def of_days(first: dt.date, last: dt.date | None) -> Validity:
        """From the first moment of `first` to the last moment of `last`, both days in Europe/Brussels.

        No `last`, or the calendar's own last day (9999-12-31, which has no next), means without end.
        """
        end = FOR_EVER if last is None or last == dt.date.max else _midnight(last + dt.timedelta(days=1))
        return Validity(_midnight(first), end)


def _midnight(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time.min, BRUSSELS).timestamp()


# --- granted by the KSZ: the table (DESIGN section 5) -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution that cannot join the Extranet (clause E1). `kbo` is its ten-digit KBO number."""

    kbo: str
    name: Text
    language: Language
    helpdesk: str
    ciso: str
    dpo: str


@dataclass(frozen=True, slots=True)
class Match:
    """Where a transaction lives: an exact host and a path prefix of whole segments."""

    host: str
    path: str


class Pattern(Protocol):
    """A compiled path pattern (see `decision.paths`)."""

    text: str

    def match(self, path: str) -> Mapping[str, str] | None: ...


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request to a transaction does; the first that matches decides. `path` is relative to the match."""

    use: Use
    path: Pattern
    methods: frozenset[str]
    websocket: bool = False
    background: bool = False
    cache: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin server of a transaction. Times are seconds."""

    url: str
    host: Literal["public", "origin"] = "public"
    cookies: Literal["per-session", "plain"] = "per-session"
    ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    connect_timeout: float = 5.0
    response_timeout: float = 60.0
    idle_timeout: float = 300.0

    def __hash__(self) -> int:
        """By the address alone, whose hash is kept: each request asks for its origin's connections."""
        return hash(self.url)


@dataclass(frozen=True, slots=True)
class Subjects:
    """How the ledger learns whose data a request concerned: a field set by the origin, and/or a path template."""

    origin_field: str | None = None
    path: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A KSZ-hosted application or system behind the gateway.

    `soft_revocation` is for how many seconds the last good answer on a card does where no newer one can be had; None: for no longer
    than between two checks (hard).
    """

    id: str
    title: Text
    channel: Channel
    sensitivity: int
    social_personal_data: bool
    role: str | None
    matches: tuple[Match, ...]
    origin: Origin
    operations: tuple[Operation, ...]
    subjects: Subjects | None = None
    inbound_authorization: bool = False
    max_body_bytes: int | None = None
    soft_revocation: float | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """The KSZ's opinion, before which nothing is activated (clause I3)."""

    favourable: bool
    on: dt.date


@dataclass(frozen=True, slots=True)
class Context:
    """Where and when a use may be made (clause I2); what is left out is not looked at (`decision.context`).

    `networks` are those of clients; `hours` minutes after midnight in Brussels, the first included, the second not; `days` days of
    the week, Monday 0; `working` that public holidays are none of them.
    """

    networks: tuple[Network, ...] = ()
    hours: tuple[int, int] | None = None
    days: frozenset[int] | None = None
    working: bool = False


@dataclass(frozen=True, slots=True)
class UseGrant:
    """What the deliberation allows for one use. `max_authentication_age` is seconds."""

    use: Use
    purpose: Text | None
    means: frozenset[Means]
    stronger_satisfies: bool
    max_authentication_age: float
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Authorisation:
    """The KSZ's written word for one institution and one transaction (E1, P1). `reference` is the deliberation.

    Until `review_until` (Unix seconds; None: not at all) a person whom the head official has not reviewed yet stays under what this
    one supersedes.
    """

    reference: str
    transaction: str
    institution: str
    validity: Validity
    status: Literal["active", "suspended", "revoked"]
    opinion: Opinion | None
    uses: tuple[UseGrant, ...]
    supersedes: tuple[str, ...] = ()
    review_until: float | None = None

    def grant_for(self, use: Use) -> UseGrant | None:
        for grant in self.uses:
            if grant.use is use:
                return grant
        return None


@dataclass(frozen=True, slots=True)
class Regulation:
    """One version of the user regulation (clause I1); `sha256` (hex) covers the texts of all languages."""

    version: str
    effective: float
    source: str
    texts: Text
    sha256: str


@dataclass(frozen=True, slots=True)
class GrantedRole:
    """A role by the KSZ's word, from `roles.toml` (DESIGN section 1)."""

    role: str
    insz: str
    institution: str
    validity: Validity
    act: str


# --- managed by local administrators: the records ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mandate:
    """A head official's mandate to a local administrator (clause P5). `id` is the record's."""

    id: int
    validity: Validity


@dataclass(frozen=True, slots=True)
class Designation:
    """A natural person, named for one authorisation (P4), under `mandate` (None: by the head official in person).

    `made_at` is when it was recorded; `confirmed` that it bears the head official's written act.
    """

    id: int
    authorisation: str
    uses: frozenset[Use]
    validity: Validity
    made_at: float
    mandate: Mandate | None
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Role:
    """A user-management role (clause P3). `id` is the record's; 0 for one that a source outside has said."""

    id: int
    name: str
    validity: Validity


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That a user accepted a version of the regulation, by the hash of the text they saw (clause I1)."""

    id: int
    version: str
    sha256: str
    at: float


@dataclass(frozen=True, slots=True)
class UserRecords:
    """Everything that the records say of one user ID: one natural person acting for one institution.

    `designations` holds, per authorisation reference, all there ever were, newest last: who was designated once may be
    told why it ended (DESIGN section 4).

    `outside_roles` are those of a source outside the administration, as it said at `roles_known_at` (Unix seconds; None: never).
    """

    user_id: str
    person: int
    insz: str
    name: str
    institution: str
    language: Language
    validity: Validity
    blocked: bool
    designations: Mapping[str, tuple[Designation, ...]] = field(default_factory=dict)
    roles: Mapping[str, tuple[Role, ...]] = field(default_factory=dict)
    acceptances: Mapping[str, Acceptance] = field(default_factory=dict)
    outside_roles: Mapping[str, tuple[Role, ...]] = field(default_factory=dict)
    roles_known_at: float | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, kept at the portal. Moments are Unix seconds. `id` may stand in a log; it opens nothing.

    `certificate` is the thumbprint (lower-case hex SHA-256) of the card that it began with, `certificate_good_at` when that card was
    last known not to be revoked; `provider` the id of the federation's provider that vouched for the person; `client` the browser's
    name, for the person to know it by.
    """

    id: str
    user_id: str
    means: Means
    auth_time: float
    created_at: float
    expires_at: float
    ended_at: float | None = None
    ended_reason: str | None = None
    certificate: str | None = None
    certificate_good_at: float | None = None
    provider: str | None = None
    client: str | None = None
