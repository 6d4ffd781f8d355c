"""Everything that the pages work with. `app.py` makes it, once a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.credentials.start import StartTokens
from gateway.decision import Snapshot
from gateway.ledger.journal import Stream
from gateway.ledger.pseudonym import Sealer
from gateway.portal.handed import Handed
from gateway.portal.settings import PortalSettings
from gateway.records import Records


@dataclass(frozen=True, slots=True)
class PortalServices:
    """`secret` is the gateway's own (at least 32 bytes); `jwks` the bytes of the key set document; `clock` gives Unix seconds;
    `random(n)` n bytes from a cryptographic source; `handed` finds a request by its id."""

    settings: PortalSettings
    snapshot: Callable[[], Snapshot]
    records: Records
    admin: Stream
    sealer: Sealer
    start_tokens: StartTokens
    secret: bytes
    jwks: Callable[[], bytes]
    handed: Callable[[str], Handed | None]
    clock: Callable[[], float]
    random: Callable[[int], bytes]
