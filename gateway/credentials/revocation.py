"""Whether a card was revoked: questions to an OCSP responder and its answers (RFC 6960), and revocation lists (RFC 5280 section 5). Pure.

An answer counts when whoever issued the card signed it, or who was made responder by that very authority; when it is about that card;
and when it is of now. Everything else is no answer, with the reason for it: CredentialError, whose word goes to the log and never says
that a card is good.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.credentials.certificate_chain import HASHES, extension_of, good_key, is_issued_by
from gateway.errors import CredentialError

MAX_RESPONSE_BYTES: Final = 65_536
"""An answer has some 2,000 with the responder's certificate."""
MAX_RESPONDERS: Final = 4
"""Certificates that an answer may bring along."""
NONCE_BYTES: Final = 16
"""Of randomness in a nonce; RFC 8954 allows 1 to 32."""
OPEN_END_SECONDS: Final = 600.0
"""How long an answer counts that does not say until when: its responder says that it always knows better (RFC 6960 section 4.2.2.1)."""


class Status(enum.StrEnum):
    """What is known of a card. UNKNOWN is what the responder itself said."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Question:
    """What a responder is asked: `request` is the DER to send (`application/ocsp-request`)."""

    request: bytes = field(repr=False)
    card: x509.Certificate = field(repr=False)
    issuer: x509.Certificate = field(repr=False)
    nonce: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a responder said. Moments are Unix seconds: it counts until `next_update`. `revoked_at` only when it was."""

    status: Status
    this_update: float
    next_update: float
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list that is in order and counts until `next_update` (Unix seconds); `count` numbers stand on it."""

    this_update: float
    next_update: float
    count: int
    _list: x509.CertificateRevocationList = field(repr=False)

    def serials(self) -> Iterator[int]:
        """The numbers of the revoked certificates, one after the other: a list of a million is never in memory as such."""
        return (entry.serial_number for entry in self._list)


def ask(leaf: bytes, issuer: bytes, nonce: bytes | None = None) -> Question:
    """The question whether `leaf` was revoked; `issuer` is the certificate of its authority, both DER, as `certificate.verify` gave them.

    The card is named by SHA-1, which every responder takes (RFC 5019 section 2.1.1): it names, and proves nothing. A `nonce` of `NONCE_BYTES`
    random bytes keeps old answers out, and caches of others too.
    """
    certificate, authority = x509.load_der_x509_certificate(leaf), x509.load_der_x509_certificate(issuer)
    # The rule S303 is against SHA-1 as a proof. Here it only says which authority is meant: another one of the same hash would gain nothing,
    # as an answer counts when ours signed it.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, authority, hashes.SHA1())  # noqa: S303 - no proof
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return Question(builder.build().public_bytes(Encoding.DER), certificate, authority, nonce)


def judge_ocsp(response: bytes, asked: Question, now: float, skew: float) -> Answer:
    """What an answer says of the card that was asked about. `now` is Unix seconds, `skew` what the responder's clock may be off.

    Raises CredentialError: `ocsp_unreadable`, `ocsp_failed` (the responder says that it cannot answer), `ocsp_other_card`,
    `ocsp_other_nonce`, `ocsp_not_understood` (a critical extension), `ocsp_not_authorised` (who signed may not speak for the issuer),
    `ocsp_weak`, `ocsp_signature`, `ocsp_too_new` or `ocsp_too_old`.
    """
    if len(response) > MAX_RESPONSE_BYTES:
        raise CredentialError("ocsp_unreadable")
    try:
        return _judged(ocsp.load_der_ocsp_response(response), asked, now, skew)
    except CredentialError:
        raise
    except Exception:  # noqa: BLE001  # it came over plain HTTP: whatever it does to the parser, it is no answer
        raise CredentialError("ocsp_unreadable") from None


def judge_list(content: bytes, issuer: bytes, url: str, now: float, skew: float) -> RevocationList:
    """The list in `content` (DER) that was fetched from `url`, if the authority `issuer` (DER) signed it and it is of now.

    Only whole lists are taken: no deltas, and none that leaves out reasons, persons or other lists of the same authority. A million
    numbers take some four seconds with reading them all, and no memory beside the list's own bytes.

    Raises CredentialError: `list_unreadable`, `list_not_authorised` (another authority's, or it may not sign lists), `list_weak`,
    `list_signature`, `list_not_whole`, `list_not_understood` (a critical extension), `list_too_new` or `list_too_old`.
    """
    try:
        return _judged_list(x509.load_der_x509_crl(content), x509.load_der_x509_certificate(issuer), url, now, skew)
    except CredentialError:
        raise
    except Exception:  # noqa: BLE001  # as in `judge_ocsp`
        raise CredentialError("list_unreadable") from None


# --- answers


def _judged(response: ocsp.OCSPResponse, asked: Question, now: float, skew: float) -> Answer:
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise CredentialError("ocsp_failed")
    _check_card(response, asked)
    _check_extensions(response, asked)
    _check_signature(response, _responders(response, asked.issuer, now, skew))
    this_update, end = response.this_update_utc.timestamp(), response.next_update_utc
    next_update = this_update + OPEN_END_SECONDS if end is None else end.timestamp()
    _check_times("ocsp", this_update, next_update, now, skew)
    at = response.revocation_time_utc
    status = Status[response.certificate_status.name]
    return Answer(status, this_update, next_update, None if at is None else at.timestamp())


def _check_card(response: ocsp.OCSPResponse, asked: Question) -> None:
    """One card was asked about, so one is answered for; by the hash that the responder likes."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(asked.card, asked.issuer, response.hash_algorithm)
    wanted = builder.build()
    if (response.issuer_name_hash, response.issuer_key_hash, response.serial_number) != (
        wanted.issuer_name_hash,
        wanted.issuer_key_hash,
        wanted.serial_number,
    ):
        raise CredentialError("ocsp_other_card")


def _check_extensions(response: ocsp.OCSPResponse, asked: Question) -> None:
    for extension in (*response.extensions, *response.single_extensions):
        if isinstance(extension.value, x509.OCSPNonce):
            if asked.nonce is not None and extension.value.nonce != asked.nonce:
                raise CredentialError("ocsp_other_nonce")
        elif extension.critical:
            raise CredentialError("ocsp_not_understood")


def _responders(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, now: float, skew: float
) -> list[x509.Certificate]:
    """Who may have signed: the issuer itself, or whom it made responder (RFC 6960 section 4.2.2.2), if the answer names them."""
    brought = response.certificates
    if len(brought) > MAX_RESPONDERS:
        raise CredentialError("ocsp_unreadable")
    named = [certificate for certificate in (issuer, *brought) if _is_named(response, certificate)]
    allowed = [
        certificate for certificate in named if certificate == issuer or _is_responder(certificate, issuer, now, skew)
    ]
    if not allowed:
        raise CredentialError("ocsp_not_authorised")
    return allowed


def _is_named(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _is_responder(certificate: x509.Certificate, issuer: x509.Certificate, now: float, skew: float) -> bool:
    """Whether the issuer itself, not somebody above or below it, made this the certificate of a responder."""
    usage, purposes = extension_of(certificate, x509.KeyUsage), extension_of(certificate, x509.ExtendedKeyUsage)
    understood = (x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints, x509.OCSPNoCheck)
    return (
        purposes is not None
        and ExtendedKeyUsageOID.OCSP_SIGNING in purposes
        and (usage is None or usage.digital_signature)
        and not any(each.critical and not isinstance(each.value, understood) for each in certificate.extensions)
        and certificate.not_valid_before_utc.timestamp() <= now + skew
        and certificate.not_valid_after_utc.timestamp() >= now - skew
        and is_issued_by(certificate, issuer)
    )


def _check_signature(response: ocsp.OCSPResponse, signers: list[x509.Certificate]) -> None:
    algorithm = response.signature_hash_algorithm
    keys = [key for key in map(good_key, signers) if key is not None]
    if algorithm is None or algorithm.name not in HASHES or len(keys) < len(signers):
        raise CredentialError("ocsp_weak")
    if not any(_is_signature(key, response, algorithm) for key in keys):
        raise CredentialError("ocsp_signature")


def _is_signature(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, response: ocsp.OCSPResponse, algorithm: hashes.HashAlgorithm
) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def _check_times(what: str, made: float, end: float, now: float, skew: float) -> None:
    """`made` and `end` are when an answer was made and until when it counts."""
    if made > now + skew:
        raise CredentialError(f"{what}_too_new")
    if end < max(made, now - skew):
        raise CredentialError(f"{what}_too_old")


# --- lists


def _judged_list(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate, url: str, now: float, skew: float
) -> RevocationList:
    usage, key = extension_of(issuer, x509.KeyUsage), good_key(issuer)
    if crl.issuer != issuer.subject or usage is None or not usage.crl_sign:
        raise CredentialError("list_not_authorised")
    algorithm = crl.signature_hash_algorithm
    if algorithm is None or algorithm.name not in HASHES or key is None:
        raise CredentialError("list_weak")
    if not crl.is_signature_valid(key):
        raise CredentialError("list_signature")
    _check_whole(crl, url)
    if crl.next_update_utc is None:
        raise CredentialError("list_too_old")
    this_update, next_update = crl.last_update_utc.timestamp(), crl.next_update_utc.timestamp()
    _check_times("list", this_update, next_update, now, skew)
    return RevocationList(this_update, next_update, len(crl), crl)


def _check_whole(crl: x509.CertificateRevocationList, url: str) -> None:
    """Whether a certificate that names this list and does not stand on it was not revoked (RFC 5280 sections 5.2 and 5.3)."""
    for extension in crl.extensions:
        part = extension.value
        if isinstance(part, x509.DeltaCRLIndicator):
            raise CredentialError("list_not_whole")
        if isinstance(part, x509.IssuingDistributionPoint):
            elsewhere = part.full_name is not None and x509.UniformResourceIdentifier(url) not in part.full_name
            if (
                elsewhere
                or part.relative_name is not None
                or part.only_contains_ca_certs
                or part.only_contains_attribute_certs
                or part.only_some_reasons is not None
                or part.indirect_crl
            ):
                raise CredentialError("list_not_whole")
        elif extension.critical:
            raise CredentialError("list_not_understood")
    if any(extension.critical for entry in crl for extension in entry.extensions):
        raise CredentialError("list_not_understood")
