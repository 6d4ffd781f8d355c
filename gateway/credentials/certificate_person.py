"""What the certificate of a card must be itself: for authentication, of a natural person, with their INSZ (DOMAIN section 3). Pure.

The checks deny by default: what the profile does not name is not there. The step that fails first is one thing, what the certificate
is another: an organisation's certificate that fails by its key usage is still an organisation's, and the page should say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.credentials.certificate_chain import Step, extension_of
from gateway.credentials.certificate_profile import CardKind
from gateway.errors import CertificateRefused
from gateway.identifiers import IdentifierError, check_insz

UNDERSTOOD: Final = (x509.KeyUsage, x509.ExtendedKeyUsage, x509.CertificatePolicies)
"""The extensions of a card's certificate that may be critical: each is checked here."""

_PURPOSES: Final = frozenset(
    {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.SMARTCARD_LOGON}
)
"""What a person does with a card. Anything else, and any purpose at all, is somebody else's."""

_SUBJECT: Final = frozenset(
    {NameOID.COUNTRY_NAME, NameOID.COMMON_NAME, NameOID.SURNAME, NameOID.GIVEN_NAME, NameOID.SERIAL_NUMBER}
)
_REQUIRED: Final = (NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER)
_ORGANISATION: Final = frozenset(
    {
        NameOID.ORGANIZATION_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_IDENTIFIER,
        NameOID.BUSINESS_CATEGORY,
    }
)
_MACHINE: Final = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)

_NETSCAPE_TYPE: Final = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
_NETSCAPE_CLIENT, _NETSCAPE_PERSON, _NETSCAPE_MACHINE = 0x80, 0xA0, 0x57
"""What old certificates say beside, or instead of, their purposes: for a client; a client or mail; a server, a program, or an authority for
either. Old cards do, and a purpose that is told in this way is told."""

_COMPANIONS: Final = frozenset({"0.4.0.2042.1.1", "0.4.0.2042.1.2", "0.4.0.2042.1.3"})
"""Policies that say how carefully a certificate was issued (ETSI EN 319 411-1: NCP, NCP+, LCP): they may stand beside a card's."""

_QC_STATEMENTS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_QC_ESIGN, _QC_ESEAL, _QC_WEB = (bytes((0x06, 0x07, 0x04, 0x00, 0x8E, 0x46, 0x01, 0x06, kind)) for kind in (1, 2, 3))
"""Kinds of certificates under eIDAS (ETSI EN 319 412-5 section 4.2.3), as DER."""

_FOR_AUTHENTICATION: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def check_key_usage(leaf: x509.Certificate) -> None:
    """Step 7. Raises CertificateRefused unless the key is, critically, for digital signatures and for nothing else."""
    usages = [extension for extension in leaf.extensions if isinstance(extension.value, x509.KeyUsage)]
    if not usages or not usages[0].critical or usages[0].value != _FOR_AUTHENTICATION:
        raise _other(leaf, Step.KEY_USAGE, "the key is not for digital signatures alone")


def check_extended_key_usage(leaf: x509.Certificate) -> None:
    """Step 8. Raises CertificateRefused when purposes are named and `clientAuth` is missing, or one is not a person's. Old cards name none,
    or in Netscape's words."""
    purposes, old = extension_of(leaf, x509.ExtendedKeyUsage), _netscape_type(leaf)
    if (purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes) or not old & _NETSCAPE_CLIENT:
        raise _other(leaf, Step.EXTENDED_KEY_USAGE, "not for signing in")
    if not _PURPOSES.issuperset(purposes or ()) or old & ~_NETSCAPE_PERSON:
        raise _other(leaf, Step.EXTENDED_KEY_USAGE, "for purposes that are no person's")


def check_policy(leaf: x509.Certificate, policies: Mapping[str, CardKind]) -> CardKind:
    """Step 9. The kind of card. Raises CertificateRefused unless one policy is of a card's certificate for authentication, and no other
    contradicts it.
    """
    named = set(policies_of(leaf))
    kinds = {policies[policy] for policy in named if policy in policies}
    if not kinds:
        raise _other(leaf, Step.POLICY, "no policy of a card's certificate for signing in")
    if len(kinds) > 1 or not named <= policies.keys() | _COMPANIONS:
        raise _other(leaf, Step.POLICY, "policies that contradict each other")
    return kinds.pop()


def check_person(leaf: x509.Certificate) -> str:
    """Step 10. The person's name, as on the card. Raises CertificateRefused for what is not a natural person's: attributes that no card has,
    other names, an authority, qualified statements (for seals, websites and the card's other certificate).
    """
    attributes = list(leaf.subject)
    kinds = [attribute.oid for attribute in attributes]
    if not _SUBJECT.issuperset(kinds) or len(kinds) != len(set(kinds)):
        raise _other(leaf, Step.PERSON, "the subject has attributes that no card has")
    if not all(required in kinds for required in _REQUIRED):
        raise _other(leaf, Step.PERSON, "the subject lacks a name or a number")
    if not all(isinstance(attribute.value, str) and attribute.value.isprintable() for attribute in attributes):
        raise _other(leaf, Step.PERSON, "the subject is not written in letters")
    if extension_of(leaf, x509.SubjectAlternativeName) is not None:
        raise _other(leaf, Step.PERSON, "it has other names: hosts', or addresses")
    if extension_of(leaf, x509.BasicConstraints) is not None:
        raise _other(leaf, Step.PERSON, "it says whether it is an authority: no card does")
    if _qualified(leaf) is not None:
        raise _other(leaf, Step.PERSON, "it has statements of qualified certificates")
    return subject_text(leaf, NameOID.COMMON_NAME).removesuffix(" (Authentication)")


def check_number(leaf: x509.Certificate) -> str:
    """Step 11. The INSZ, 11 digits. Raises CertificateRefused when the number is none."""
    number = subject_text(leaf, NameOID.SERIAL_NUMBER)
    try:
        if check_insz(number) == number:
            return number
    except IdentifierError:
        pass
    raise _other(leaf, Step.INSZ, "the number is not an INSZ of 11 digits")


def policies_of(leaf: x509.Certificate) -> list[str]:
    """The object identifiers of its policies."""
    policies = extension_of(leaf, x509.CertificatePolicies)
    return [] if policies is None else [policy.policy_identifier.dotted_string for policy in policies]


def subject_text(leaf: x509.Certificate, kind: x509.ObjectIdentifier) -> str:
    """The first value of an attribute of the subject; empty when there is none."""
    return next((str(attribute.value) for attribute in leaf.subject.get_attributes_for_oid(kind)), "")


def _other(leaf: x509.Certificate, step: Step, detail: str) -> CertificateRefused:
    """The refusal of something that is no card's certificate for signing in, by what it seems to be instead."""
    return CertificateRefused(_kind_of_other(leaf), step, detail)


def _kind_of_other(leaf: x509.Certificate) -> str:
    usage = extension_of(leaf, x509.KeyUsage)
    purposes = extension_of(leaf, x509.ExtendedKeyUsage) or ()
    constraints = extension_of(leaf, x509.BasicConstraints)
    qualified = _qualified(leaf) or b""
    if (
        any(attribute.oid in _ORGANISATION for attribute in leaf.subject)
        or not _MACHINE.isdisjoint(purposes)
        or _netscape_type(leaf) & _NETSCAPE_MACHINE
        or extension_of(leaf, x509.SubjectAlternativeName) is not None
        or (constraints is not None and constraints.ca)
        or _QC_ESEAL in qualified
        or _QC_WEB in qualified
    ):
        return "certificate_not_a_person"
    if (usage is not None and usage.content_commitment) or _QC_ESIGN in qualified:
        return "certificate_for_signing"
    return "certificate_wrong_type"


def _qualified(leaf: x509.Certificate) -> bytes | None:
    """The statements of a qualified certificate (RFC 3739 section 3.2.6), as DER."""
    return _unread(leaf, _QC_STATEMENTS)


def _netscape_type(leaf: x509.Certificate) -> int:
    """The bits of Netscape's type, the first one highest. Where it is missing, a client's; what cannot be read is every one's."""
    content = _unread(leaf, _NETSCAPE_TYPE)
    if content is None:
        return _NETSCAPE_CLIENT
    # A bit string of one byte in DER: its tag, its length, how many bits are not used, the bits.
    return content[3] if len(content) == 4 and content[:2] == b"\x03\x02" else 0xFF


def _unread(leaf: x509.Certificate, identifier: x509.ObjectIdentifier) -> bytes | None:
    """The DER of an extension that the library does not know; None when it is not there."""
    for extension in leaf.extensions:
        if extension.oid == identifier and isinstance(extension.value, x509.UnrecognizedExtension):
            return extension.value.value
    return None
