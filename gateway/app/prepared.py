"""All that can be had before there is an event loop, a thread or a database: workers are forked from it, and share it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import structlog

from gateway.app.federation import ClientSecrets, load_client_secrets
from gateway.credentials.certificate_profile import Profile
from gateway.edge.admission import room_for
from gateway.edge.memory import hold_mmap_threshold
from gateway.edge.mutual import MutualContexts
from gateway.edge.openssl import GROUPS, groups_in_force
from gateway.edge.share import Shares
from gateway.edge.sockets import listen
from gateway.edge.tls import ServerCertificate, ServerContexts, read_certificates
from gateway.model import Channel
from gateway.policy.cards import card_warnings, read_profile
from gateway.policy.material import load_secret, require_material
from gateway.policy.settings import Listener, Settings, load_settings
from gateway.records.switch import Switch

_log = structlog.get_logger("gateway")


@dataclass(slots=True)
class Door:
    """A public listener, bound. `contexts` is None on the plain port."""

    listener: Listener
    sockets: list[socket.socket]
    contexts: ServerContexts | MutualContexts | None


class NewCertificates(NamedTuple):
    """Read and tried for a listener: it answers to `names` with these. `authorities` (PEM) are those whose cards it asks for."""

    door: Door
    names: tuple[str, ...]
    certificates: tuple[ServerCertificate, ...]
    authorities: bytes

    def serve(self) -> None:
        """With these from the next handshake on. Connections stay."""
        contexts = self.door.contexts
        if isinstance(contexts, MutualContexts):
            contexts.renew(self.names, self.certificates, self.authorities)
        elif contexts is not None:
            contexts.renew(self.names, self.certificates)


@dataclass(slots=True)
class Prepared:
    """What every worker starts from; after a reload, with the `settings` and `card_profile` that it brought. `started` is Unix seconds; `connections` is how many of clients a worker has room for,
    `shares` how many each has (None with one worker); `card_profile` what a card is (None where nobody asks for one);
    `client_secrets` are the gateway's own at the providers of the federation.
    """

    config: Path
    settings: Settings
    workers: int
    doors: list[Door]
    operator: list[socket.socket]
    assertion_key: bytes
    secret: bytes
    connections: int
    shares: Shares | None
    card_profile: Profile | None
    client_secrets: ClientSecrets
    started: float = field(default_factory=time.time)

    def close(self) -> None:
        """Closes the listening sockets in this process; they live on where another still has them."""
        for door in self.doors:
            for listener in door.sockets:
                listener.close()
        for listener in self.operator:
            listener.close()


def prepare(config: Path, workers: int = 1) -> Prepared:
    """Raises ConfigurationError: bad settings, keys or certificates, or a port in use, stop the start (THREATS row 10); RecordsError
    when there is no emergency switch and none can be made."""
    settings = load_settings(config)
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_material(settings, time.time())
    hold_mmap_threshold()
    if (groups := groups_in_force()) != GROUPS:
        _log.warning(
            "tls_groups", offered=[f"{code:04x}" for code in groups], do="unset OPENSSL_CONF, or see docs/tls.md"
        )
    assertion_key = settings.keys.assertion.read_bytes()
    secret = load_secret(settings.keys.gateway)
    profile = read_profile(settings)
    for warning in card_warnings(settings):
        _log.warning("cards", warning=warning)
    contexts = {id(listener): _contexts(listener, profile) for listener in settings.listeners}
    doors: list[Door] = []
    operator: list[socket.socket] = []
    for listener in settings.listeners:
        sockets = listen([(address.host, address.port) for address in listener.addresses], listener.channel)
        if listener.kind is Channel.OPERATOR:
            operator += sockets
        else:
            doors.append(Door(listener, sockets, contexts[id(listener)]))
    room, shares = room_for(settings.connections.total), Shares(workers) if workers > 1 else None
    client_secrets = load_client_secrets(settings)
    # Once, and not by each worker; and now that the ports are ours, so that no gateway runs that suspends everything for want of it.
    Switch(settings.switch_directory).make()
    return Prepared(
        config, settings, workers, doors, operator, assertion_key, secret, room, shares, profile, client_secrets
    )


def _contexts(listener: Listener, profile: Profile | None) -> ServerContexts | MutualContexts | None:
    if listener.kind is Channel.USER:
        return ServerContexts(listener.names, read_certificates(listener.certificates))
    if listener.kind is Channel.EID and profile is not None:
        return MutualContexts(listener.names, read_certificates(listener.certificates), profile.authorities_pem)
    return None
