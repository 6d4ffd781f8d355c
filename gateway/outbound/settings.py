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
