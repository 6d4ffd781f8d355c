"""eID certificates: who a client's certificate says somebody is, if it is a Belgian card's (policy clause I5; DOMAIN section 3).

That the client holds the private key was shown by the handshake, and that nobody revoked the certificate is for `revocation`.
Pure: the certificates come from whoever connects, and nothing that is in them raises anything but CertificateRefused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from gateway.credentials.certificate_chain import (
    Step,
    check_algorithms,
    check_constraints,
    check_path,
    check_validity,
    extension_of,
    find_path,
    read_chain,
)
from gateway.credentials.certificate_person import (
    UNDERSTOOD,
    check_extended_key_usage,
    check_key_usage,
    check_number,
    check_person,
    check_policy,
    policies_of,
)
from gateway.credentials.certificate_profile import CardKind, Profile
from gateway.errors import CertificateRefused
from gateway.identifiers import mask_insz

MAX_URLS: Final = 4
MAX_URL_CHARACTERS: Final = 300
MAX_TOLD_CHARACTERS: Final = 200
"""Of an issuer or the policies, in the ledger: whoever connects can write there what they like."""


@dataclass(frozen=True, slots=True)
class PersonCertificate:
    """A card's certificate that is in order, but for its owner and for revocation.

    `thumbprint` is the SHA-256 of its DER and `serial` its number, both in lower-case hex; `issuer` is a name, for people and the ledger;
    `policy` the object identifiers of its policies; `not_after` Unix seconds; `leaf` and `issuer_certificate` DER. `ocsp_urls` and `crl_urls` are
    what the certificate says, unchecked: where the gateway asks is configured.
    """

    insz: str = field(repr=False)
    name: str = field(repr=False)
    kind: CardKind
    thumbprint: str
    issuer: str
    serial: str
    policy: str
    not_after: float
    leaf: bytes = field(repr=False)
    issuer_certificate: bytes = field(repr=False)
    ocsp_urls: tuple[str, ...]
    crl_urls: tuple[str, ...]

    def refused(self, reason: str, step: Step, detail: str) -> CertificateRefused:
        """The refusal of this certificate by a step that is the caller's: 12 or 13."""
        return CertificateRefused(reason, step, detail, issuer=self.issuer, serial=self.serial, policy=self.policy)


def verify(chain: Sequence[bytes], profile: Profile, now: float) -> PersonCertificate:
    """What a card's certificate says. `chain` is what the client sent, DER, its own first; `now` is Unix seconds.

     1. read: there is one, few enough and short enough, and every part of each can be read
     2. chain: signed by an authority that is known or was sent along, up to a root that is pinned by the fingerprint of its key
     3. path: one authority stands between card and root, and both may issue what is below them
     4. validity: every certificate on the path is valid at `now`
     5. algorithms: no signature by SHA-1 or older, no RSA key below 2048 bits, no unknown kind of key or curve
     6. constraints: no name constraints, no critical extension that is not understood, and the library finds the path as a whole valid
     7. key usage: critical, digital signatures alone
     8. extended key usage: absent, or client authentication and no purpose but a person's
     9. policy: one of the profile's, and none that contradicts it
    10. person: a natural person's subject (no organisation), no other names, no authority, no qualified statements
    11. INSZ: the subject's serial number is one
    12. owner: the INSZ is the person's whose user ID was claimed: for the caller, `belongs_to`
    13. revocation: for the caller, module `revocation`

    Raises CertificateRefused, and nothing else.
    """
    leaf, *sent = read_chain(chain)  # 1
    try:
        return _verified(leaf, sent, profile, now)
    except CertificateRefused as refused:
        reason, step, detail = refused.reason, refused.step, refused.detail
    except Exception:  # noqa: BLE001  # what was read and still cannot be used, however that shows
        reason, step, detail = "certificate_unreadable", Step.READ, "a part of it cannot be read"
    raise CertificateRefused(reason, step, detail, **_told(leaf))


def _verified(
    leaf: x509.Certificate, sent: Sequence[x509.Certificate], profile: Profile, now: float
) -> PersonCertificate:
    path = find_path(leaf, sent, profile.authorities, now)  # 2
    check_path(path)  # 3
    check_validity(path, now)  # 4
    check_algorithms(path)  # 5
    check_constraints(path, UNDERSTOOD, now)  # 6
    check_key_usage(leaf)  # 7
    check_extended_key_usage(leaf)  # 8
    kind = check_policy(leaf, profile.policies)  # 9
    name = check_person(leaf)  # 10
    insz = check_number(leaf)  # 11
    content = leaf.public_bytes(Encoding.DER)
    return PersonCertificate(
        insz,
        name,
        kind,
        thumbprint=hashlib.sha256(content).hexdigest(),
        not_after=leaf.not_valid_after_utc.timestamp(),
        leaf=content,
        issuer_certificate=path[1].public_bytes(Encoding.DER),
        ocsp_urls=_ocsp_urls(leaf),
        crl_urls=_crl_urls(leaf),
        **_told(leaf),
    )


def belongs_to(certificate: PersonCertificate, numbers: Iterable[str]) -> bool:
    """Whether the certificate is of the person whose INSZ are `numbers`: now and earlier, since a bis number may become a national one.

    Takes the same time whichever of them it is, and whether it is one.
    """
    found = False
    for number in numbers:
        found |= hmac.compare_digest(number.encode(), certificate.insz.encode())
    return found


def _told(leaf: x509.Certificate) -> dict[str, str]:
    """Which certificate it is, for the ledger. A name that somebody gave themselves as issuer may hold a person's number,
    and so may the identifier of a policy."""
    try:
        issuer, policy = leaf.issuer.rfc4514_string(), " ".join(policies_of(leaf))
    except Exception:  # noqa: BLE001  # as in `verify`
        issuer, policy = "", ""
    return {"issuer": _line(mask_insz(issuer)), "serial": f"{leaf.serial_number:x}", "policy": _line(mask_insz(policy))}


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:MAX_TOLD_CHARACTERS])


def _ocsp_urls(leaf: x509.Certificate) -> tuple[str, ...]:
    access = extension_of(leaf, x509.AuthorityInformationAccess) or ()
    wanted = AuthorityInformationAccessOID.OCSP
    return _urls(description.access_location for description in access if description.access_method == wanted)


def _crl_urls(leaf: x509.Certificate) -> tuple[str, ...]:
    """Of lists that the issuer itself signs and that name every reason: no others are understood."""
    points = extension_of(leaf, x509.CRLDistributionPoints) or ()
    whole = [point for point in points if point.reasons is None and point.crl_issuer is None]
    return _urls(name for point in whole for name in point.full_name or ())


def _urls(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return tuple(url for url in urls[:MAX_URLS] if len(url) <= MAX_URL_CHARACTERS)
