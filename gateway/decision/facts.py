"""What the decision is told: values only, gathered by the shell, each of which goes into the ledger line.

`Facts` is written out because each request makes one: compiled, it is a structure in C, and a frozen dataclass or a named tuple costs several
times as much to make and to read (docs/adr/0023). Its fields are `Final`, so that mypy refuses what would change them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.decision.evidence import ClientEvidence
from gateway.decision.suspensions import NOTHING_SUSPENDED, Suspensions
from gateway.model import Channel, Session, UserRecords

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 section 9.2.1, without TRACE, which nothing here answers."""


class Agent(enum.StrEnum):
    """What the client says it is (CLIENTS, "the contract")."""

    BROWSER = "browser"
    OFFICE = "office"
    """Microsoft Office, which fetches a link itself before it opens the browser."""
    ABSENT = "absent"
    PROGRAM = "program"
    """A library, a command-line tool, a crawler."""
    AUTOMATION = "automation"
    """A browser that a program drives, and that says so."""


class PageOrigin(enum.StrEnum):
    """Where the page stands that made the request, by its Origin field against the host asked."""

    NONE = "none"
    OURS = "ours"
    NULL = "null"
    FOREIGN = "foreign"


class Hello(NamedTuple):
    """What a client's TLS says first (its ClientHello), as far as it tells kinds of clients apart (CLIENTS). It names no person.

    `fingerprint` is the family's: the same for a browser whether it resumes or opens a websocket. `server_name` is lower case, as
    asked; `newest_version` and `alpn` are the newest TLS version and the first protocol on offer, "" when none can be read.
    """

    fingerprint: str
    newest_version: str
    alpn: str
    server_name: str | None
    post_handshake_auth: bool


class Connection(NamedTuple):
    """Facts of the connection, the same for each request on it. `sni` is lower case; TLS names are OpenSSL's.

    `certificate` is the chain that the client showed, each as DER, the leaf first (on the eID channel only); `address` is the
    client's, for an authorisation that names networks.
    """

    channel: Channel
    tls_version: str | None
    tls_cipher: str | None
    sni: str | None
    hello: Hello | None = None
    certificate: tuple[bytes, ...] = ()
    address: str = ""


@dataclass(init=False, slots=True)
class Facts:
    """Facts of one request.

    `now` is Unix seconds. `host` is the Host field's name in lower case, None when it is absent or unreadable;
    `port_is_ours` that its port is the public one or absent. `path` is canonical (`message.target`). `fault` is the
    reason code of a message that the reader refused. `fetch_site` is Sec-Fetch-Site; `navigation` that the request is
    a browser's navigation; `evidence` is what speaks for a program on this session, None for nothing; `too_fast` are the ids of
    transactions that this session asks more of than a person can. `credential` is the name, in lower case, of a field that carries a
    key of its own (an API key, a client's assertion), besides Authorization; `activity` that a person's own act made it (navigation or form), which resets the idle
    time. `last_seen` is the last such act, Unix seconds. `records_current` is False when the records are older than
    their limit; `records_age` is how old they are, in seconds, None where they were not asked. `suspensions` are what the duty officer has suspended now.
    """

    now: Final[float]
    connection: Final[Connection]
    method: Final[str]
    host: Final[str | None]
    port_is_ours: Final[bool]
    path: Final[str]
    fault: Final[str | None]
    agent: Final[Agent]
    signature_agent: Final[bool]
    authorization: Final[bool]
    credential: Final[str | None]
    websocket: Final[bool]
    fetch_site: Final[str | None]
    page_origin: Final[PageOrigin]
    navigation: Final[bool]
    activity: Final[bool]
    session: Final[Session | None]
    last_seen: Final[float]
    user: Final[UserRecords | None]
    records_current: Final[bool]
    evidence: Final[ClientEvidence | None]
    too_fast: Final[tuple[str, ...]]
    suspensions: Final[Suspensions]
    records_age: Final[float | None]

    def __init__(
        self,
        now: float,
        connection: Connection,
        method: str,
        host: str | None,
        port_is_ours: bool,
        path: str,
        fault: str | None = None,
        agent: Agent = Agent.ABSENT,
        signature_agent: bool = False,
        authorization: bool = False,
        credential: str | None = None,
        websocket: bool = False,
        fetch_site: str | None = None,
        page_origin: PageOrigin = PageOrigin.NONE,
        navigation: bool = False,
        activity: bool = False,
        session: Session | None = None,
        last_seen: float = 0.0,
        user: UserRecords | None = None,
        records_current: bool = True,
        evidence: ClientEvidence | None = None,
        too_fast: tuple[str, ...] = (),
        suspensions: Suspensions = NOTHING_SUSPENDED,
        records_age: float | None = None,
    ) -> None:
        self.now = now
        self.connection = connection
        self.method = method
        self.host = host
        self.port_is_ours = port_is_ours
        self.path = path
        self.fault = fault
        self.agent = agent
        self.signature_agent = signature_agent
        self.authorization = authorization
        self.credential = credential
        self.websocket = websocket
        self.fetch_site = fetch_site
        self.page_origin = page_origin
        self.navigation = navigation
        self.activity = activity
        self.session = session
        self.last_seen = last_seen
        self.user = user
        self.records_current = records_current
        self.evidence = evidence
        self.too_fast = too_fast
        self.suspensions = suspensions
        self.records_age = records_age
