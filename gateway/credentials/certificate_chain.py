"""From a client's certificate up to a root that is trusted by the fingerprint of its key (RFC 5280 section 6).

Read from the root downwards: no key is computed with before a root, or who has its word, vouched for it. Signatures, dates and
constraints are then judged a second time by the library as a whole, which knows more rules than are repeated here. Pure.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from gateway.errors import CertificateRefused

MAX_CERTIFICATES: Final = 6
"""A card's browser sends two or three: its own, the authority's, the root's."""
MAX_CERTIFICATE_BYTES: Final = 8192
"""A card's certificate has some 1,500."""

HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""A longer one is only a way to keep the gateway busy."""

MAX_SERIAL_BITS: Final = 160
"""20 bytes (RFC 5280 section 4.1.2.2), as in a list that was indexed (`outbound.index`); the first bit of some authorities' is 1."""

PATH_CERTIFICATES: Final = 3
"""The card's, that of an authority for cards, and the root's: neither fewer nor more."""

_UNDERSTOOD_OF_AUTHORITY: Final = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.CertificatePolicies,
)


_AUTHORITIES: Final = ExtensionPolicy.webpki_defaults_ca().may_be_present(
    x509.CertificatePolicies, Criticality.AGNOSTIC, None
)
_CARDS: Final = ExtensionPolicy.permit_all().may_be_present(x509.CertificatePolicies, Criticality.AGNOSTIC, None)
"""For the library. Its own policy for the lowest certificate demands the name of a host; what a card's must be, the profile says."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class Step(enum.StrEnum):
    """The steps of `certificate.verify`, in their order; the last two are the caller's."""

    READ = "read"
    CHAIN = "chain"
    PATH = "path"
    VALIDITY = "validity"
    ALGORITHMS = "algorithms"
    CONSTRAINTS = "constraints"
    KEY_USAGE = "key_usage"
    EXTENDED_KEY_USAGE = "extended_key_usage"
    POLICY = "policy"
    PERSON = "person"
    INSZ = "insz"
    OWNER = "owner"
    REVOCATION = "revocation"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that a pinned root vouches for: the way up to that root, itself first. Whether it may issue is seen later."""

    path: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return self.path[0]


def key_fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's SubjectPublicKeyInfo, in lower-case hex: it stays when a root is signed anew with another end."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def read_chain(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """Step 1. The certificates, every part of them that is used later parsed once. Raises CertificateRefused."""
    if not chain:
        raise CertificateRefused("certificate_missing", Step.READ, "no certificate was sent")
    if len(chain) > MAX_CERTIFICATES or any(len(content) > MAX_CERTIFICATE_BYTES for content in chain):
        raise CertificateRefused("certificate_unreadable", Step.READ, "too many certificates, or too long")
    try:
        return [_parsed(content) for content in chain]
    except Exception:  # noqa: BLE001  # whatever hostile bytes do to the parser, it is a refusal
        raise CertificateRefused("certificate_unreadable", Step.READ, "not a certificate that can be read") from None


def add_authorities(known: Sequence[Authority], found: Iterable[x509.Certificate]) -> list[Authority]:
    """The authorities that are known, and those of the certificates found that they vouch for, at whatever distance."""
    authorities = list(known)
    have = {authority.certificate for authority in known}
    waiting = [certificate for certificate in dict.fromkeys(found) if certificate not in have]
    while (new := _next_vouched_for(authorities, waiting)) is not None:
        authorities.append(new)
        waiting.remove(new.certificate)
    return authorities


def find_path(
    leaf: x509.Certificate, sent: Sequence[x509.Certificate], known: Sequence[Authority], now: float
) -> tuple[x509.Certificate, ...]:
    """Step 2. The way from `leaf` up to a pinned root, both included, over what is known and what was sent; of several the one that
    the next steps can accept.

    Raises CertificateRefused: `certificate_weak` when the certificate, or one that was sent as its issuer's, was signed in a way that proves
    nothing any more.
    """
    namesakes = [each for each in add_authorities(known, sent) if each.certificate.subject == leaf.issuer]
    good = _has_good_hash(leaf)
    paths = [(leaf, *each.path) for each in namesakes if good and _is_signed_by(leaf, each.certificate)]
    if paths:
        return min(paths, key=lambda path: (len(path) != PATH_CERTIFICATES, _outside_validity(path, now) is not None))
    if (namesakes and not good) or any(each.subject == leaf.issuer and not _has_good_hash(each) for each in sent):
        raise CertificateRefused("certificate_weak", Step.ALGORITHMS, "signed by an algorithm that is not accepted")
    if namesakes:
        raise CertificateRefused("certificate_untrusted", Step.CHAIN, "not signed by who it names as its issuer")
    itself = "it names itself as its issuer" if leaf.issuer == leaf.subject else "its issuer is not known"
    raise CertificateRefused("certificate_untrusted", Step.CHAIN, itself)


def check_path(path: Sequence[x509.Certificate]) -> None:
    """Step 3. Raises CertificateRefused unless an authority stands between card and root, alone, and each may issue what is below."""
    if len(path) < PATH_CERTIFICATES:
        raise CertificateRefused("certificate_wrong_type", Step.PATH, "issued by the root itself: no card's")
    check_authorities(path[1:])


def check_authorities(authorities: Sequence[x509.Certificate]) -> None:
    """The part of step 3 without the card: `authorities` end with the root. Raises CertificateRefused."""
    for below, authority in enumerate(authorities):
        constraints = extension_of(authority, x509.BasicConstraints)
        usage = extension_of(authority, x509.KeyUsage)
        if constraints is None or not constraints.ca or usage is None or not usage.key_cert_sign:
            raise CertificateRefused("certificate_untrusted", Step.PATH, "issued by a certificate of no authority")
        if constraints.path_length is not None and constraints.path_length < below:
            raise CertificateRefused("certificate_untrusted", Step.PATH, "longer than an authority allows")
    if len(authorities) >= PATH_CERTIFICATES:
        raise CertificateRefused("certificate_untrusted", Step.PATH, "more than one authority below the root")


def check_validity(path: Sequence[x509.Certificate], now: float) -> None:
    """Step 4. Raises CertificateRefused unless every certificate is valid at `now`, first and last second included."""
    outside = _outside_validity(path, now)
    if outside is not None:
        reason, place = outside
        whose = "the certificate" if place == 0 else "an authority's certificate"
        ended = "is over" if reason == "certificate_expired" else "has not begun"
        raise CertificateRefused(reason, Step.VALIDITY, f"the time of {whose} {ended}")


def check_algorithms(path: Sequence[x509.Certificate]) -> None:
    """Step 5. Raises CertificateRefused for a weak key of anyone on the path. Weak signatures made no path: step 2 says of them that it is
    this step that they fail, as nothing can be learnt by verifying one."""
    if any(good_key(certificate) is None for certificate in path):
        raise CertificateRefused("certificate_weak", Step.ALGORITHMS, "a key of a kind or size that is not accepted")


def check_constraints(
    path: Sequence[x509.Certificate], understood: Sequence[type[x509.ExtensionType]], now: float
) -> None:
    """Step 6. Raises CertificateRefused for name constraints, for a critical extension that is not understood (`understood` are those
    of the card's own certificate), and for whatever else the library finds wrong with the path as a whole.
    """
    for place, certificate in enumerate(path):
        reason = "certificate_untrusted" if place else "certificate_wrong_type"
        known = _UNDERSTOOD_OF_AUTHORITY if place else tuple(understood)
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.NameConstraints):
                raise CertificateRefused(reason, Step.CONSTRAINTS, "name constraints")
            if extension.critical and not isinstance(extension.value, known):
                raise CertificateRefused(reason, Step.CONSTRAINTS, "a critical extension that is not understood")
    leaf, *authorities, root = path
    verifier = (
        PolicyBuilder()
        .store(Store([root]))
        .time(dt.datetime.fromtimestamp(now, dt.UTC))
        .max_chain_depth(len(authorities))
        .extension_policies(ca_policy=_AUTHORITIES, ee_policy=_CARDS)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, authorities)
    except VerificationError:
        raise CertificateRefused(
            "certificate_untrusted", Step.CONSTRAINTS, "the path as a whole is not valid"
        ) from None


def good_key(certificate: x509.Certificate) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None:
    """The certificate's key if it is of a kind and size that is accepted."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    return None


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` is named in and has signed `certificate`, by an algorithm that still proves it."""
    return certificate.issuer == issuer.subject and _has_good_hash(certificate) and _is_signed_by(certificate, issuer)


def _next_vouched_for(authorities: Sequence[Authority], waiting: Iterable[x509.Certificate]) -> Authority | None:
    for certificate in waiting:
        for authority in authorities:
            if is_issued_by(certificate, authority.certificate):
                return Authority((certificate, *authority.path))
    return None


def _parsed(content: bytes) -> x509.Certificate:
    """The library parses these at first use: whatever is broken, let it show here."""
    with warnings.catch_warnings(action="ignore"):  # of what it takes for wrong and reads nevertheless
        certificate = x509.load_der_x509_certificate(content)
        _ = certificate.extensions, certificate.public_key(), certificate.subject, certificate.issuer
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if certificate.serial_number < 1 or certificate.serial_number.bit_length() > MAX_SERIAL_BITS:
            raise ValueError("a serial number is positive, and has 20 bytes at the most (RFC 5280 section 4.1.2.2)")
    return certificate


def _has_good_hash(certificate: x509.Certificate) -> bool:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    return algorithm is not None and algorithm.name in HASHES


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _outside_validity(path: Sequence[x509.Certificate], now: float) -> tuple[str, int] | None:
    """The reason and the place of the first certificate that is not valid at `now`."""
    for place, certificate in enumerate(path):
        if now < certificate.not_valid_before_utc.timestamp():
            return "certificate_not_yet_valid", place
        if now > certificate.not_valid_after_utc.timestamp():
            return "certificate_expired", place
    return None


def extension_of(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The extension of this kind, or None when there is none."""
    for extension in certificate.extensions:
        if isinstance(extension.value, kind):
            return extension.value
    return None
