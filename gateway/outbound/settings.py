"""How the gateway reaches others: the part of gateway.toml that its one client is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.outbound.hosts import Place
from gateway.outbound.role_question import LdapServer, Question


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """`proxy` is the egress proxy, if the network has one; `ca` a PEM file of the authorities that https servers are checked by
    instead of the system's; `connect` seconds for a connection and its TLS; `per_host` the most requests at once to one place.
    """

    proxy: Place | None = None
    ca: Path | None = None
    connect: float = 3.0
    per_host: int = 8


@dataclass(frozen=True, slots=True)
class RevocationSettings:
    """How it is asked whether cards were revoked. Times are seconds.

    `hosts` are the only places asked. `check_every`: how often the cards of live sessions are asked about. `ocsp` bounds one question,
    `ocsp_kept` how long its answer counts. `list_every`: how often a list is fetched, in at most `list_download` and of at most
    `list_bytes`. `skew` is what a responder's clock may be off. Lists are kept in `directory`.
    """

    directory: Path
    hosts: tuple[Place, ...]
    check_every: float = 900.0
    ocsp: float = 3.0
    ocsp_kept: float = 300.0
    list_every: float = 3600.0
    list_download: float = 120.0
    list_bytes: int = 128 * 1024 * 1024
    skew: float = 120.0


@dataclass(frozen=True, slots=True)
class RoleSettings:
    """The directory that says who has which user-management role (P3). Times are seconds.

    `servers` are asked in this order, each verified by the authorities in `ca` (PEM), as `bind_dn` with the password in `password_file`.
    `question` is the filter below `base`; the entries that it finds name roles in `attribute`, and from when and until when they hold in
    `valid_from` and `valid_until` (None: always). The roles of persons at work are looked up every `refresh`; one look-up takes at most
    `timeout` a server, and `connections` are under way at once, in one worker.
    """

    servers: tuple[LdapServer, ...]
    ca: Path
    bind_dn: str
    password_file: Path
    base: str
    question: Question
    attribute: str
    valid_from: str | None = None
    valid_until: str | None = None
    refresh: float = 900.0
    timeout: float = 3.0
    connections: int = 4
