"""What the gateway takes for a Belgian card: the roots it trusts, the authorities below them, and the policies of its certificates.

A root is trusted by the fingerprint of its key and by nothing else: a root of no standing bears the very name of Belgium Root CA6
(DOMAIN section 3). Pure: who reads the files hands over what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.credentials.certificate_chain import (
    Authority,
    add_authorities,
    check_algorithms,
    check_authorities,
    key_fingerprint,
)
from gateway.errors import CertificateRefused, ConfigurationError

CardKind = Literal["citizen", "foreigner"]

ROOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "f8e5f905bc939911267b83d50814a90323b51e183629db52d4fc2d5468a5a578": "Belgium Root CA2",
        "c7bc5e493726bbf531f62fc5f5513ac03ead813af4dcd445b3305ba3d3d53374": "Belgium Root CA3",
        "b1538a9071705a92d938e506b738da0cafd1ae66aec2eeddc75479d433bd8776": "Belgium Root CA4",
        "894ad2232fe69bb09e8370ef387ec1c66ab6a4ce53c811fd3c8ced5b5158d8c1": "Belgium Root CA6",
    }
)
"""The SHA-256 of the SubjectPublicKeyInfo of each root in production, and what people call it."""

POLICIES: Final[Mapping[str, CardKind]] = MappingProxyType(
    {
        "2.16.56.1.1.1.2.2": "citizen",
        "2.16.56.9.1.1.2.2": "citizen",
        "2.16.56.10.1.1.2.2": "citizen",
        "2.16.56.12.1.1.2.2": "citizen",
        "2.16.56.13.6.1.1.1000": "citizen",
        "2.16.56.1.1.1.7.2": "foreigner",
        "2.16.56.9.1.1.7.2": "foreigner",
        "2.16.56.10.1.1.7.2": "foreigner",
        "2.16.56.12.1.1.7.2": "foreigner",
        "2.16.56.13.6.2.1.1000": "foreigner",
    }
)
"""The policies of authentication certificates (DOMAIN section 3). Those under Belgium Root CA6 have one source only."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Profile:
    """What `certificate.verify` goes by: the pinned roots and the authorities that are known below them, and the policies."""

    authorities: tuple[Authority, ...]
    policies: Mapping[str, CardKind]

    @property
    def authorities_pem(self) -> bytes:
        """The roots and authorities, one after the other: whose names a browser is told, so that it offers the right certificates."""
        return b"".join(authority.certificate.public_bytes(Encoding.PEM) for authority in self.authorities)

    @classmethod
    def read(
        cls,
        files: Mapping[str, bytes],
        roots: Collection[str] = ROOTS.keys(),
        policies: Mapping[str, CardKind] = POLICIES,
    ) -> Self:
        """The profile that certificate files make, each by its name: PEM of one or more certificates, or DER of one.

        `roots` are fingerprints (`key_fingerprint`): a certificate whose key is among them is a root, and of several with one key
        the one that ends last counts. Every other must have been issued by one of those: an authority that a card's browser need
        not send along. `policies` maps each accepted policy to the kind of card.

        Raises ConfigurationError, naming the file: not a certificate, none of a pinned root, an authority that no pinned root
        vouches for, that may not issue certificates for cards, or that is weak.
        """
        read = [(name, certificate) for name, content in files.items() for certificate in _read_file(name, content)]
        pinned: dict[str, x509.Certificate] = {}
        for _, certificate in read:
            fingerprint = key_fingerprint(certificate)
            earlier = pinned.get(fingerprint, certificate)
            if fingerprint in roots and earlier.not_valid_after_utc <= certificate.not_valid_after_utc:
                pinned[fingerprint] = certificate
        if not pinned:
            raise ConfigurationError(
                "no certificate there has the key of a root that is trusted: put one there, or name its fingerprint"
            )
        others = [(name, certificate) for name, certificate in read if key_fingerprint(certificate) not in pinned]
        tops = [Authority((root,)) for root in pinned.values()]
        known = add_authorities(tops, (certificate for _, certificate in others))
        paths = {authority.certificate: authority.path for authority in known}
        for name, certificate in others:
            _check_authority(name, paths.get(certificate))
        return cls(tuple(known), MappingProxyType(dict(policies)))


def _read_file(name: str, content: bytes) -> Sequence[x509.Certificate]:
    try:
        if _PEM.search(content):
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        raise ConfigurationError(f"{name}: not a certificate in PEM or DER. Take it away or replace it") from None


def _check_authority(name: str, path: Sequence[x509.Certificate] | None) -> None:
    if path is None:
        raise ConfigurationError(
            f"{name}: no root that is trusted has issued this in a way that still proves it. Take it away, or put its root beside it"
        )
    try:
        check_authorities(path)
        check_algorithms(path)
    except CertificateRefused as refused:
        raise ConfigurationError(f"{name}: not an authority for cards ({refused.detail}). Take it away") from None
