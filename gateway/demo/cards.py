"""Cards like the eID's, below authorities of the demo's own: what the demo and the tests sign in with. Nothing else may trust them.

The tree has the shape of the real one under Belgium Root CA6: a root, a Citizen CA and a Foreigner CA, all EC P-384, and below them a
person's two certificates, for authentication and for signing. A `Draft` is a certificate before it is signed, so that every odd one is a
good one with one thing changed. Numbers, names and moments are the caller's; keys are random.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from gateway.credentials.certificate_chain import key_fingerprint

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Hash = hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512
Kind = Literal["citizen", "foreigner"]
Extension = tuple[x509.ExtensionType, bool]
"""An extension, and whether it is critical."""

DAY: Final = 86_400.0
AUTHENTICATION_POLICIES: Final[dict[Kind, str]] = {
    "citizen": "2.16.56.13.6.1.1.1000",
    "foreigner": "2.16.56.13.6.2.1.1000",
}
SIGNATURE_POLICIES: Final[dict[Kind, str]] = {
    "citizen": "2.16.56.13.6.1.2.1000",
    "foreigner": "2.16.56.13.6.2.2.1000",
}
QC_STATEMENTS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_QC_TYPES: Final = {"esign": 1, "eseal": 2, "web": 3}


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key = field(repr=False)

    @classmethod
    def read(cls, pem: bytes) -> Self:
        """What `pem` wrote. Raises ValueError."""
        key = load_pem_private_key(pem, None)
        if not isinstance(key, Key):
            raise TypeError("a key of another kind than cards have")
        return cls(x509.load_pem_x509_certificate(pem), key)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """Of its key: by this a root is trusted."""
        return key_fingerprint(self.certificate)

    def pem(self) -> bytes:
        """The certificate and the key without a password, one after the other."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.certificate.public_bytes(Encoding.PEM) + key

    def pkcs12(self, name: str, password: str, authorities: Sequence[Issued] = ()) -> bytes:
        """For a browser's store of certificates, which shows it by `name`."""
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
            self.key,
            self.certificate,
            [authority.certificate for authority in authorities] or None,
            BestAvailableEncryption(password.encode()),
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A certificate before it is signed. Moments are Unix seconds."""

    subject: x509.Name
    not_before: float
    not_after: float
    extensions: tuple[Extension, ...]
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()), repr=False)
    serial: int = field(default_factory=x509.random_serial_number)
    hash: Hash = field(default_factory=hashes.SHA384)

    def without(self, *kinds: type[x509.ExtensionType]) -> Self:
        """Without the extensions of these kinds."""
        return replace(self, extensions=tuple(each for each in self.extensions if not isinstance(each[0], kinds)))

    def having(self, extension: x509.ExtensionType, critical: bool = False) -> Self:
        """With this extension, in place of one of its kind if there is one."""
        others = tuple(each for each in self.extensions if each[0].oid != extension.oid)
        return replace(self, extensions=(*others, (extension, critical)))

    def named(self, *attributes: tuple[x509.ObjectIdentifier, str]) -> Self:
        """With these attributes added to the subject; an empty value takes one away, another replaces it."""
        kinds = {kind for kind, _ in attributes}
        kept = [attribute for attribute in self.subject if attribute.oid not in kinds]
        return replace(self, subject=x509.Name([*kept, *_attributes(attributes)]))

    def signed_by(self, issuer: Issued | None) -> Issued:
        """The certificate that `issuer` makes of it; None: its own key."""
        signer = self.key if issuer is None else issuer.key
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(self.subject if issuer is None else issuer.certificate.subject)
            .serial_number(self.serial)
            .not_valid_before(moment(self.not_before))
            .not_valid_after(moment(self.not_after))
            .public_key(self.key.public_key())
        )
        authority = signer.public_key()
        known = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority)
        for extension, critical in (*self.extensions, (known, False)):
            builder = builder.add_extension(extension, critical)
        return Issued(builder.sign(signer, self.hash), self.key)


@dataclass(frozen=True, slots=True)
class Tree:
    """A root and the two authorities below it, and where their cards say that revocation can be asked."""

    root: Issued
    citizen: Issued
    foreigner: Issued
    revocation: str
    """Scheme, host and port: OCSP at `/ocsp`, lists at `/citizen.crl` and `/foreigner.crl`."""

    def authority(self, kind: Kind) -> Issued:
        return self.citizen if kind == "citizen" else self.foreigner

    def card(self, insz: str, given_name: str, surname: str, now: float, kind: Kind = "citizen") -> Draft:
        """The certificate for authentication of a card that was made a year before `now`."""
        return Draft(
            card_subject(insz, given_name, surname, "Authentication"),
            now - 365 * DAY,
            now + 9 * 365 * DAY,
            (
                (key_usage("digital_signature"), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
                (policies(AUTHENTICATION_POLICIES[kind]), False),
                (self._access(), False),
                (self._lists(kind), False),
            ),
        )

    def signature(self, insz: str, given_name: str, surname: str, now: float, kind: Kind = "citizen") -> Draft:
        """The other certificate of that card, for signing."""
        card = self.card(insz, given_name, surname, now, kind).without(x509.ExtendedKeyUsage)
        return (
            replace(card, subject=card_subject(insz, given_name, surname, "Signature"))
            .having(key_usage("content_commitment"), critical=True)
            .having(policies(SIGNATURE_POLICIES[kind]))
            .having(qualified("esign"))
        )

    def organisation(self, name: str, kbo: str, now: float) -> Draft:
        """An organisation's certificate with which its application would sign in: all of it but the subject is as on a card."""
        subject = (
            (NameOID.COUNTRY_NAME, "BE"),
            (NameOID.ORGANIZATION_NAME, name),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, f"urn:be:fgov:kbo-bce:organization:cbe-number:{kbo}"),
            (NameOID.ORGANIZATION_IDENTIFIER, f"NTRBE-{kbo}"),
            (NameOID.COMMON_NAME, "application"),
        )
        return replace(self.card("", "", "", now), subject=x509.Name(_attributes(subject)))

    def _access(self) -> x509.AuthorityInformationAccess:
        place = x509.UniformResourceIdentifier(f"{self.revocation}/ocsp")
        return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])

    def _lists(self, kind: Kind) -> x509.CRLDistributionPoints:
        place = x509.UniformResourceIdentifier(f"{self.revocation}/{kind}.crl")
        return x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])


def make_tree(now: float, revocation: str = "http://revocation.localhost:8446") -> Tree:
    """New authorities, as they stand at `now` (Unix seconds). Their names say what they are."""
    root = authority("Demo eID Root CA", now, None).signed_by(None)
    citizen, foreigner = (
        authority(f"Demo {kind} CA", now, 0, serial_number="202601").signed_by(root)
        for kind in ("Citizen", "Foreigner")
    )
    return Tree(root, citizen, foreigner, revocation)


def authority(name: str, now: float, path_length: int | None, serial_number: str = "") -> Draft:
    """The certificate of an authority that was made two years before `now`."""
    key = ec.generate_private_key(ec.SECP384R1())
    subject = (
        (NameOID.COUNTRY_NAME, "BE"),
        (NameOID.ORGANIZATION_NAME, "Demonstration: no cards of Belgium"),
        (NameOID.SERIAL_NUMBER, serial_number),
        (NameOID.COMMON_NAME, name),
    )
    return Draft(
        x509.Name(_attributes(subject)),
        now - 2 * 365 * DAY,
        now + 10 * 365 * DAY,
        (
            (x509.BasicConstraints(ca=True, path_length=path_length), True),
            (key_usage("key_cert_sign", "crl_sign"), True),
            (policies("2.5.29.32.0"), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        ),
        key,
    )


def responder(now: float) -> Draft:
    """The certificate of an OCSP responder, for an authority to sign (RFC 6960 section 4.2.2.2)."""
    return Draft(
        x509.Name(_attributes(((NameOID.COUNTRY_NAME, "BE"), (NameOID.COMMON_NAME, "Demo OCSP Responder")))),
        now - 7 * DAY,
        now + 60 * DAY,
        (
            (key_usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
            (x509.OCSPNoCheck(), False),
        ),
    )


# --- pieces of certificates


def card_subject(insz: str, given_name: str, surname: str, purpose: str) -> x509.Name:
    """The subject of a card's certificate (DOMAIN section 3); `purpose` is `Authentication` or `Signature`."""
    return x509.Name(
        _attributes(
            (
                (NameOID.COUNTRY_NAME, "BE"),
                (NameOID.COMMON_NAME, f"{given_name} {surname} ({purpose})"),
                (NameOID.SURNAME, surname),
                (NameOID.GIVEN_NAME, given_name),
                (NameOID.SERIAL_NUMBER, insz),
            )
        )
    )


def key_usage(*usages: str) -> x509.KeyUsage:
    """These usages and no others, by their names in RFC 5280 section 4.2.1.3 as the library writes them."""
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in usages for name in names})


def policies(*identifiers: str) -> x509.CertificatePolicies:
    """These policies, without qualifiers."""
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(each), None) for each in identifiers])


def qualified(kind: Literal["esign", "eseal", "web"]) -> x509.UnrecognizedExtension:
    """The statement that a certificate is qualified, for signatures, seals or websites (ETSI EN 319 412-5 section 4.2.3)."""
    kinds = bytes((0x06, 0x07, 0x04, 0x00, 0x8E, 0x46, 0x01, 0x06, _QC_TYPES[kind]))
    statement = bytes((0x06, 0x06, 0x04, 0x00, 0x8E, 0x46, 0x01, 0x06)) + _sequence(kinds)
    return x509.UnrecognizedExtension(QC_STATEMENTS, _sequence(_sequence(statement)))


def moment(at: float) -> dt.datetime:
    """Unix seconds, whole, as the library takes them."""
    return dt.datetime.fromtimestamp(int(at), dt.UTC)


def _attributes(pairs: Iterable[tuple[x509.ObjectIdentifier, str]]) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(kind, value) for kind, value in pairs if value]


def _sequence(content: bytes) -> bytes:
    return bytes((0x30, len(content))) + content
