"""Everything that the pages work with. `app.py` makes it, once a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.credentials.certificate_profile import Profile
from gateway.credentials.start import StartTokens
from gateway.decision import Snapshot
from gateway.ledger.journal import Stream
from gateway.ledger.pseudonym import Sealer
from gateway.outbound.oidc import ProviderDesk
from gateway.outbound.revocation import Revocation
from gateway.outbound.role_question import Asked
from gateway.portal.handed import Handed
from gateway.portal.settings import PortalSettings
from gateway.records import Records
from gateway.records.switch import Suspension, Switch


@dataclass(frozen=True, slots=True)
class PortalServices:
    """`secret` is the gateway's own (at least 32 bytes); `jwks` the bytes of the key set document; `clock` gives Unix seconds;
    `random(n)` n bytes from a cryptographic source; `handed` finds a request by its id; `providers` are those of the federation, by id;
    `card_profile` gives what a card is, and `revocation` asks about one: None where no listener asks for cards. `switch`
    is this machine's for emergencies, and `suspensions` gives what is in force on it: None when it cannot be read. `look_up_roles` asks the
    outside source of roles about somebody who signs in: None where there is none to ask. `ledger` is its directory, for those
    who may read lines. `table_then` gives the table that ran at a past moment (Unix seconds), and in a word of `app.past` why that is not
    certain; it reads files, so it is called in a thread."""

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
    providers: Mapping[str, ProviderDesk] = field(default_factory=dict)
    card_profile: Callable[[], Profile | None] = lambda: None
    revocation: Revocation | None = None
    switch: Switch | None = None
    suspensions: Callable[[], list[Suspension] | None] = list
    look_up_roles: Callable[[Asked], Awaitable[None]] | None = None
    ledger: Path = Path("ledger")
    table_then: Callable[[float], tuple[Snapshot, str | None]] = field(kw_only=True)
