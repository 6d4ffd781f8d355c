"""How many connections there may be, in all and of one client network, and who is counted. No memory for whom nothing is open.

A network is an IPv4 address or an IPv6 /64, which is what one subscriber has (RFC 6177); or one of the large networks of the
configuration, which counts as a whole.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

import structlog

from gateway.address import client_ip
from gateway.edge.share import Share
from gateway.policy.sections import Connections

IPV6_SUBSCRIBER_BITS: Final = 64
DESCRIPTORS_EACH: Final = 3
"""A client's connection, and one to an origin; our own pages are reached over a socket with both its ends in this process."""
DESCRIPTORS_KEPT: Final = 512
"""For the ledger, the records, listeners, the operator's port and libraries."""

_Network = tuple[int, int, int]
"""IP version, prefix length, and the bits of that length."""

_log = structlog.get_logger("gateway.edge")


class Admission:
    """Counts the connections of one worker. Every seat that is taken is left once."""

    def __init__(self, limits: Connections, total: int, share: Share | None = None) -> None:
        """`total` is `limits.total`, or less: see `room_for`. `share` is where other workers see how many there are."""
        self.limits = limits
        self.open = 0
        self.handshakes = 0
        self._total = total
        self._share = share
        self._seats: dict[_Network, int] = {}
        self._large: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in limits.large_networks:
            bits = network.max_prefixlen - network.prefixlen
            self._large[network.version].setdefault(bits, set()).add(int(network.network_address) >> bits)

    def enter(self) -> Seat | None:
        """A seat, or None when all are taken."""
        if self.open >= self._total:
            return None
        self.open += 1
        if self._share is not None:
            self._share.tell(self.open)
        return Seat(self)

    @property
    def ahead(self) -> bool:
        """Whether another worker has fewer connections."""
        return self._share is not None and self._share.ahead()

    @property
    def networks(self) -> int:
        """How many networks have a connection open."""
        return len(self._seats)

    def claim(self, address: str) -> _Network | None:
        """Count one more of the network of `address`; None when it has as many as it may. Raises ValueError for what is no address."""
        network, limit = self._network(client_ip(address))
        count = self._seats.get(network, 0)
        if count >= limit:
            return None
        self._seats[network] = count + 1
        return network

    def leave(self, network: _Network | None) -> None:
        self.open -= 1
        if self._share is not None:
            self._share.tell(self.open)
        if network is None:
            return
        if (count := self._seats[network] - 1) > 0:
            self._seats[network] = count
        else:
            del self._seats[network]

    def _network(self, address: IPv4Address | IPv6Address) -> tuple[_Network, int]:
        """The work is bounded by how many prefix lengths there are, not by how many networks are listed."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number, version = int(address), address.version
        for bits, listed in self._large[version].items():
            if number >> bits in listed:
                return (version, bits, number >> bits), self.limits.per_large_network
        bits = 0 if version == 4 else IPV6_SUBSCRIBER_BITS
        return (version, -1, number >> bits), self.limits.per_network


class Seat:
    """One connection's place. `leave` may be called more than once: whoever notices first that it is gone."""

    __slots__ = ("_admission", "_network")

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission
        self._network: _Network | None = None

    @property
    def network(self) -> object:
        """Whom it is counted for: equal for connections of one client network."""
        return self._network

    def claim(self, address: str) -> bool:
        """Count it for the client's network, once its address is known. False when that has as many as it may."""
        if self._admission is not None:
            self._network = self._admission.claim(address)
        return self._network is not None

    def leave(self) -> None:
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave(self._network)


class Networks:
    """A set of networks, asked for one address in bounded time."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        found = client_ip(address)
        return any(found in network for network in self._networks)


def room_for(wanted: int) -> int:
    """How many client connections this process can have, of those wanted: descriptors are raised as far as the system lets us."""
    needed = wanted * DESCRIPTORS_EACH + DESCRIPTORS_KEPT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = min(wanted, max(1, (soft - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH))
    if room < wanted:
        mend = f"raise the limit of open files to {needed} (LimitNOFILE), or lower connections.total"
        _log.warning("fewer_connections", total=room, wanted=wanted, open_files=soft, do=mend)
    return room
