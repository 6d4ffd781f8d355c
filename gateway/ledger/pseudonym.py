"""Who a line is about, as the ledger may hold it: a keyed pseudonym for correlation, and the value sealed to the auditor.

A pseudonym is `<key id>.<26 base32 characters>`, the first 128 bits of HMAC-SHA-256 over the value with its field's name. The
sealed value is JSON under HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM): the encapsulated key and
the ciphertext, base64url without padding. An INSZ has about 10^9 values: without the key a hash of it hides nothing.
"""

from __future__ import annotations

import hmac
from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import orjson
from cryptography.hazmat.primitives import hpke

from gateway.ledger.keys import AuditorKey, LedgerKeys, PseudonymKey
from gateway.ledger.line import fragment

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
INFO: Final = {"person": b"gateway ledger 1 person", "address": b"gateway ledger 1 address"}
"""HPKE's `info`: a value that was sealed for one purpose opens for no other."""
_PADDING_BYTES: Final = 48
"""Sealed values are filled up to a multiple of this, so that their length tells nothing."""
_SEALED_CHARACTERS: Final = 96
"""Of a user ID that somebody typed: far more than any has, and sealed it is no over-long value, whatever the characters."""
_PSEUDONYM_BYTES: Final = 16
NETWORK_PREFIX: Final = {4: 24, 6: 48}
"""A client network: what one site usually has (RFC 6177 for IPv6)."""
REMEMBERED: Final = 4096
"""Identities kept of each sort, about 0.5 KiB each."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One person or address in the form that goes into lines. Made once per session or connection, then copied."""

    fragment: orjson.Fragment

    @staticmethod
    def of(members: dict[str, str]) -> Identity:
        return Identity(fragment(members))


def network_of(address: Address) -> Network:
    """The client network that an address belongs to."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return ip_network((address, NETWORK_PREFIX[address.version]), strict=False)


def pseudonym(key: PseudonymKey, field: str, value: str) -> str:
    """Equal values of one field have equal pseudonyms under one key; nothing else can be told from them without it."""
    digest = hmac.digest(key.key, f"{field}\0{value}".encode("utf-8", "surrogatepass"), "sha256")
    return f"{key.id}.{b32encode(digest[:_PSEUDONYM_BYTES]).rstrip(b'=').decode('ascii').lower()}"


class Sealer:
    """Makes identities with the keys of one gateway."""

    def __init__(self, keys: LedgerKeys) -> None:
        self._keys = keys
        # Sealing costs as much as a third of a TLS handshake: who comes again is not sealed again.
        self.address = lru_cache(REMEMBERED)(self._address)
        self.network = lru_cache(REMEMBERED)(self._network)
        self.person = lru_cache(REMEMBERED)(self._person)

    def _address(self, address: Address | str) -> Identity:
        """A client's address, with the pseudonym of its network. Raises `ValueError` when a text is no IP address."""
        known = ip_address(address) if isinstance(address, str) else address
        key = self._keys.address_pseudonym
        return Identity.of(
            {
                "pseudonym": pseudonym(key, "address", str(known)),
                "network": pseudonym(key, "network", str(network_of(known))),
                **self._sealed("address", self._keys.address_seal, {"address": str(known)}),
            }
        )

    def _network(self, network: Network) -> Identity:
        """A client network, for a `refusals` line."""
        return Identity.of(
            {
                "network": pseudonym(self._keys.address_pseudonym, "network", str(network)),
                **self._sealed("address", self._keys.address_seal, {"network": str(network)}),
            }
        )

    def _person(self, user_id: str | None, insz: str | None) -> Identity:
        """A user: the user ID, the natural person's INSZ, or both as far as they are known."""
        key = self._keys.person_pseudonym
        values = {name: value for name, value in (("user_id", user_id), ("insz", insz)) if value is not None}
        return Identity.of(
            {name: pseudonym(key, name, value) for name, value in values.items()}
            | self._sealed("person", self._keys.person_seal, values)
        )

    def user_pseudonym(self, user_id: str) -> str:
        """By which a user ID stands in lines: who knows it finds its lines, and nobody finds it by them."""
        return pseudonym(self._keys.person_pseudonym, "user_id", user_id)

    def subject(self, insz: str) -> Identity:
        """A data subject; the pseudonym is the one that the same person has as a user."""
        return self.person(None, insz)

    def certificate(self, issuer: str, serial: str) -> Identity:
        """A card's certificate, which is a person's: `issuer` is its issuer's name, `serial` its number in hex."""
        values = {"issuer": issuer, "serial": serial}
        return Identity.of(
            {"certificate": pseudonym(self._keys.person_pseudonym, "certificate", f"{issuer}\0{serial}")}
            | self._sealed("person", self._keys.person_seal, values)
        )

    def _sealed(self, purpose: str, key: AuditorKey, values: dict[str, str]) -> dict[str, str]:
        shown = {name: value[:_SEALED_CHARACTERS] for name, value in values.items()}
        plain = orjson.dumps({name: value.encode("utf-8", "replace").decode() for name, value in shown.items()})
        padded = plain + b" " * (-len(plain) % _PADDING_BYTES)
        sealed = SUITE.encrypt(padded, key.key, INFO[purpose])
        return {"sealed": urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii"), "sealed_to": key.id}
