"""The files of the granted table, as their text says it (DESIGN section 5). One class a file; nothing is decided here."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field

from gateway.decision import PathPattern, PatternError
from gateway.identifiers import IdentifierError, check_kbo
from gateway.model import KSZ, Language
from gateway.policy.faults import FileModel
from gateway.policy.kinds import DaysText, Duration, FilePath, HostName, HoursText, Insz, Kbo, NetworkText, Words

DAY = 86400.0
MAX_NETWORKS = 64
"""Of one use: each request looks through them."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_METHOD = re.compile(r"[A-Z]+(?:-[A-Z]+)*")
_SEGMENT = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,=:@]+")
_RESERVED_FIELDS = frozenset(
    {"connection", "content-length", "content-type", "date", "host", "keep-alive", "set-cookie", "te", "trailer",
     "transfer-encoding", "upgrade", "location"}
)  # fmt: skip


def _pattern(text: str) -> str:
    try:
        PathPattern(text)
    except PatternError as error:
        raise ValueError(f"{error}. Write canonical segments, *, {{name}}, or ** at the end") from None
    return text


def _prefix(text: str) -> str:
    """Where a transaction begins: canonical, whole segments, so that what is matched is what is forwarded (THREATS row 9)."""
    segments = text.split("/")
    inner = segments[1:-1]
    if text != "/" and (
        not text.startswith("/")
        or not text.endswith("/")
        or any(segment in (".", "..") or not _SEGMENT.fullmatch(segment) for segment in inner)
    ):
        raise ValueError(
            f"{text!r} is not a prefix of whole segments. Write /name/, without //, . or .., or percent-encoding"
        )
    return text


def _method(text: str) -> str:
    if not _METHOD.fullmatch(text) or text in ("CONNECT", "TRACE"):
        raise ValueError("it is not a method that a transaction can have. Write GET, HEAD, POST, PUT, PATCH, DELETE …")
    return text


def _origin_field(text: str) -> str:
    if not _TOKEN.fullmatch(text) or text.lower() in _RESERVED_FIELDS:
        raise ValueError("it is not a field that an origin can set for this. Write for example X-Subject-INSZ")
    return text


def _origin_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("it is not a URL. Write https://host[:port]/path/") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("it is not an http or https URL with a host. Write https://host[:port]/path/")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name or password. Take it out: the assertion says who the user is")
    if "?" in text or "#" in text:
        raise ValueError("it holds a query or a fragment. Take it out")
    _prefix(parts.path or "/")
    if not is_loopback(parts) and parts.scheme == "http":
        raise ValueError("plain http to another machine is not confidential. Use https, or an origin on loopback")
    return text


def is_loopback(parts: SplitResult) -> bool:
    """Whether the origin is on this machine, by an address or by the one name that means it (RFC 6761 section 6.3)."""
    host = parts.hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(?:\.[0-9]{1,3}){3}", host) is not None


def _shaped(pattern: str, mend: str) -> AfterValidator:
    shape = re.compile(pattern)

    def check(text: str) -> str:
        if not shape.fullmatch(text):
            raise ValueError(f"it does not have the right form. {mend}")
        return text

    return AfterValidator(check)


Pattern = Annotated[str, AfterValidator(_pattern)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Method = Annotated[str, AfterValidator(_method)]
Identifier = Annotated[str, _shaped(r"[a-z][a-z0-9-]{0,39}", "Write a lower-case name such as dossier")]
RoleName = Annotated[str, _shaped(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", "Write a name such as DossierReader")]
Reference = Annotated[str, _shaped(r"[0-9]{2}/[0-9]{3}", "Write the deliberation as YY/NNN, such as 24/123")]
Sha256 = Annotated[str, _shaped(r"[0-9a-f]{64}", "Write the 64 lower-case hex digits that sha256sum prints")]
Day = Annotated[dt.date, Field(ge=dt.date(1990, 1, 1), le=dt.date(2199, 12, 31))]
"""A day in Europe/Brussels. The KSZ was founded by the law of 15 January 1990; the other bound catches slips of the pen."""
UseName = Literal["consultation", "communication"]


class Languages(FileModel):
    """One text in the four languages; none may be missing."""

    nl: Words
    fr: Words
    de: Words
    en: Words


class Contact(FileModel):
    helpdesk: Words
    ciso: Words
    dpo: Words


class InstitutionFile(FileModel):
    """`institutions/*.toml`"""

    kbo: Kbo
    name: Languages
    language: Language
    contact: Contact
    extranet_connected: bool


class MatchTable(FileModel):
    host: HostName
    path: Prefix


class OriginTable(FileModel):
    url: Annotated[str, AfterValidator(_origin_url)]
    host: Literal["public", "origin"] = "public"
    cookies: Literal["per-session", "plain"] = "per-session"
    ca: FilePath | None = None
    client_certificate: FilePath | None = None
    client_key: FilePath | None = None
    connect_timeout: Annotated[Duration, Field(ge=0.1, le=60)] = 5.0
    response_timeout: Annotated[Duration, Field(ge=0.1, le=3600)] = 60.0
    idle_timeout: Annotated[Duration, Field(ge=1, le=DAY)] = 300.0


class OperationTable(FileModel):
    """`methods` may be left out of a websocket: its handshake is a GET (RFC 6455 section 4.1)."""

    use: UseName
    path: Pattern
    methods: Annotated[list[Method], Field(default_factory=list)]
    websocket: bool = False
    background: bool = False
    cache: bool = False


class SubjectsTable(FileModel):
    origin_field: Annotated[str, AfterValidator(_origin_field)] | None = None
    path: Pattern | None = None


class RevocationTable(FileModel):
    """What holds while nobody answers whether a card is revoked. `within` is seconds."""

    mode: Literal["hard", "soft"]
    within: Annotated[Duration, Field(ge=60, le=7 * DAY)] | None = None


class TransactionFile(FileModel):
    """`transactions/*.toml`"""

    id: Identifier
    title: Languages
    channel: Literal["user", "file-transfer"]
    sensitivity: Annotated[int, Field(ge=0, le=4)]
    social_personal_data: bool
    role: RoleName | None = None
    inbound_authorization: bool = False
    max_body_bytes: Annotated[int, Field(ge=1)] | None = None
    match: Annotated[list[MatchTable], Field(min_length=1)]
    origin: OriginTable
    operation: Annotated[list[OperationTable], Field(min_length=1)]
    subjects: SubjectsTable | None = None
    revocation: RevocationTable = RevocationTable(mode="hard")


class OpinionTable(FileModel):
    outcome: Literal["favourable", "unfavourable"]
    on: Day


class ContextTable(FileModel):
    """Where and when a use may be made (clause I2)."""

    networks: Annotated[list[NetworkText], Field(min_length=1, max_length=MAX_NETWORKS)] | None = None
    hours: HoursText | None = None
    days: DaysText | None = None


class UseTable(FileModel):
    use: UseName
    purpose: Languages | None = None
    means: Annotated[list[Literal["password", "token", "itsme", "eid"]], Field(min_length=1)]
    stronger_satisfies: bool = False
    max_authentication_age: Annotated[Duration, Field(ge=60, le=DAY)]
    context: ContextTable | None = None


class AuthorisationFile(FileModel):
    """`authorisations/*.toml`"""

    reference: Reference
    deliberated_on: Day
    amendments: Annotated[list[Day], Field(default_factory=list)]
    supersedes: Annotated[list[Reference], Field(default_factory=list)]
    review_until: Day | None = None
    granted_by: Words
    granted_on: Day
    derogation: Words
    request_sha256: Sha256
    transaction: Identifier
    institution: Kbo
    extranet_impossible_because: Words
    measures: Annotated[list[Words], Field(min_length=1)]
    opinion: OpinionTable | None = None
    valid_from: Day
    valid_until: Day
    status: Literal["active", "suspended", "revoked"]
    use: Annotated[list[UseTable], Field(min_length=1)]


def _scope(text: str) -> str:
    if text == KSZ:
        return text
    try:
        return check_kbo(text)
    except IdentifierError as error:
        raise ValueError(f"{error}. Write the institution's number, or \"{KSZ}\" for the KSZ's own people") from None


class RoleTable(FileModel):
    """A role by the KSZ's word. `institution` is a KBO number, or "ksz" for its own people."""

    role: Literal["head_official", "ksz_reader", "duty_officer", "auditor"]
    insz: Insz
    institution: Annotated[str, AfterValidator(_scope)]
    first: Annotated[Day, Field(alias="from")]
    until: Day
    act: Words


class RolesFile(FileModel):
    """`roles.toml`"""

    role: Annotated[list[RoleTable], Field(default_factory=list)]


class AboutFile(FileModel):
    """`regulation/<version>/about.toml`"""

    source: Words
    effective: Day
