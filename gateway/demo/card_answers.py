"""What a responder says of the demo's cards, and the lists of those that were revoked (RFC 6960; RFC 5280 section 5): also the odd ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from gateway.demo.cards import Extension, Issued, moment


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """What a responder says. Moments are Unix seconds; no `next_update`: until further notice. `revoked_at`: it was revoked then."""

    this_update: float
    next_update: float | None = None
    revoked_at: float | None = None
    unknown: bool = False
    nonce: bytes | None = None
    names_key: bool = True
    brings_certificate: bool = True
    hash: hashes.HashAlgorithm = field(default_factory=hashes.SHA1)  # names a card, and proves nothing
    extensions: tuple[Extension, ...] = ()

    def signed(self, card: Issued, issuer: Issued, signer: Issued, by: hashes.HashAlgorithm | None = None) -> bytes:
        """About `card` of `issuer`, signed by `signer` with the hash `by`: DER."""
        status = ocsp.OCSPCertStatus.UNKNOWN if self.unknown else ocsp.OCSPCertStatus.GOOD
        if self.revoked_at is not None:
            status = ocsp.OCSPCertStatus.REVOKED
        naming = ocsp.OCSPResponderEncoding.HASH if self.names_key else ocsp.OCSPResponderEncoding.NAME
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                card.certificate,
                issuer.certificate,
                self.hash,
                status,
                moment(self.this_update),
                None if self.next_update is None else moment(self.next_update),
                None if self.revoked_at is None else moment(self.revoked_at),
                None,
            )
            .responder_id(naming, signer.certificate)
        )
        if self.brings_certificate:
            builder = builder.certificates([signer.certificate])
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical)
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        return builder.sign(signer.key, by or hashes.SHA384()).public_bytes(Encoding.DER)


def revocation_list(
    issuer: Issued,
    serials: Iterable[int],
    this_update: float,
    next_update: float,
    *,
    extensions: Sequence[Extension] = (),
    entry_extensions: Sequence[Extension] = (),
) -> bytes:
    """The list that `issuer` signs: DER. `entry_extensions` stand at every number."""
    entries = []
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment(this_update))
        for extension, critical in entry_extensions:
            entry = entry.add_extension(extension, critical)
        entries.append(entry.build())
    builder = x509.CertificateRevocationListBuilder(revoked_certificates=entries)
    builder = builder.issuer_name(issuer.certificate.subject)
    builder = builder.last_update(moment(this_update)).next_update(moment(next_update))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer.key, hashes.SHA384()).public_bytes(Encoding.DER)
