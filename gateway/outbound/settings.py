"""How the gateway reaches others: the part of gateway.toml that its one client is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.outbound.hosts import Place


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
