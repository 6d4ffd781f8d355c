"""What every exchange of a worker shares. Made by `app`, which is the only place that knows all rooms."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gateway.credentials.start import StartTokens
from gateway.decision import Decision, Facts, Rules, Snapshot
from gateway.decision.suspensions import NOTHING_SUSPENDED, Suspensions
from gateway.ledger.ledger import Ledger
from gateway.ledger.pseudonym import Identity
from gateway.message import Limits
from gateway.model import Language, Origin
from gateway.proxy.assertion import Signer
from gateway.proxy.moved import OldClients, TwoPlaces
from gateway.proxy.origin import Pool
from gateway.proxy.pacing import Rates
from gateway.proxy.shadow import Shadow
from gateway.proxy.standing import Standing
from gateway.proxy.wheel import Wheel
from gateway.records.index import Index

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection
    from gateway.proxy.keeping import FormStore, Keeping


class Pages(Protocol):
    """The refusal pages, as the portal renders them: whole bodies, never raising."""

    fields: tuple[tuple[str, str], ...]

    def page(self, decision: Decision, facts: Facts, reference: str, language: Language) -> bytes: ...
    def problem(self, decision: Decision, facts: Facts, reference: str, language: Language) -> bytes: ...
    def language(self, accept_language: str | None, cookie: str | None, facts: Facts) -> Language: ...


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds of time on the client's side, in seconds; each is a setting (`limits.…`)."""

    header: float
    """From the first byte of a request to the end of its fields."""
    keep_alive: float
    """Between two requests of one connection."""
    body_idle: float
    """How far a client may fall behind its rate, sending or taking; without any byte it is cut after this."""
    drain: float
    """For running requests at a stop."""


@dataclass(slots=True)
class Gate:
    """The shared parts. `snapshot` is replaced whole at a reload, `suspensions` when one begins or ends; everything else stays."""

    loop: asyncio.AbstractEventLoop
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    new_reference: Callable[[], str]
    snapshot: Snapshot
    index: Index
    ledger: Ledger
    signer: Signer
    start_tokens: StartTokens
    pages: Pages
    pool: Pool
    portal: Origin
    portal_authority: str
    hand: Callable[[str, Facts, Decision, Identity], None]
    unhand: Callable[[str], None]
    timeouts: Timeouts
    rates: Rates
    limits: Limits
    requests_per_connection: int
    max_body_bytes: int
    rules: Rules = field(default_factory=Rules)
    """By which evidence is gathered."""
    suspensions: Suspensions = NOTHING_SUSPENDED
    """What a duty officer has suspended; replaced whole when that changes."""
    catch_up: Callable[[], asyncio.Future[bool]] | None = None
    """Asks for what other processes committed up to now (`records.Watch`); None where there are no records behind the index."""
    forms: FormStore | None = None
    """Where forms that met a challenge are kept; None where there are no records to keep them in."""
    moved_sessions: TwoPlaces | None = None
    """Who ends sessions that two clients have; None where there are no records behind the index."""
    max_form_bytes: int = 0
    """Of a form that is kept; a larger one gets the page of a form that was not sent."""
    keeping: set[Keeping] = field(default_factory=set)
    """Forms that are being read or stored."""
    draining: bool = False
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a draining gateway has no connection left."""
    connections: set[ClientConnection] = field(default_factory=set)
    decisions: Counter[str] = field(default_factory=Counter)
    """Decisions by reason code, for the metrics."""
    shadow: Shadow | None = None
    """A release that decides once more without effect; None, as a rule."""
    wheel: Wheel = field(init=False)
    """Connections with a limit of time to come, on the loop's time."""
    standing: Standing = field(init=False)
    """Open exchanges by what they hang on."""
    old_clients: OldClients = field(init=False)

    def __post_init__(self) -> None:
        self.wheel = Wheel(self._told)
        self.standing = Standing(self)
        self.old_clients = OldClients(self)

    def tick(self) -> None:
        """Four times a second: what is due, and nothing else, is looked at."""
        self.wheel.turn(self.loop.time())
        self.standing.tick()

    def _told(self, fault: Exception) -> None:
        self.loop.call_exception_handler({"message": "a connection's limits of time failed", "exception": fault})

    def most_body_bytes(self, decision: Decision) -> int:
        """How large the body of a request may be: the transaction's limit, else the gateway's."""
        own = None if decision.transaction is None else decision.transaction.max_body_bytes
        return self.max_body_bytes if own is None else own
