"""The table of certificates: what is sent, and which step refuses it as what. Each is a good card's with one thing changed."""

from __future__ import annotations

import dataclasses as dc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.credentials.certificate_profile import POLICIES, Profile
from gateway.demo.cards import (
    AUTHENTICATION_POLICIES,
    DAY,
    SIGNATURE_POLICIES,
    Draft,
    Issued,
    Tree,
    authority,
    key_usage,
    make_tree,
    policies,
    qualified,
)
from tests.credentials.card_world import (
    BIS_INSZ,
    INSZ,
    MD5_RSA,
    NOW,
    PROFILE,
    SHA1_RSA,
    SHA256_RSA,
    TREE,
    algorithm_of,
    below,
    card,
    forged,
    tlv,
    with_key,
    wrapped,
)

TAKEN = ""
UNREADABLE, UNTRUSTED, WEAK = "certificate_unreadable", "certificate_untrusted", "certificate_weak"
EXPIRED, EARLY = "certificate_expired", "certificate_not_yet_valid"
WRONG, SIGNING, NOBODY = "certificate_wrong_type", "certificate_for_signing", "certificate_not_a_person"
READ, CHAIN, PATH, VALIDITY, ALGORITHMS, CONSTRAINTS = "read", "chain", "path", "validity", "algorithms", "constraints"
KEY_USAGE, PURPOSE, POLICY, PERSON, NUMBER = "key_usage", "extended_key_usage", "policy", "person", "insz"

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
MAIL, ANY = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
UNKNOWN = x509.ObjectIdentifier("1.2.3.4")
CITIZEN, FOREIGNER = AUTHENTICATION_POLICIES["citizen"], AUTHENTICATION_POLICIES["foreigner"]


@dc.dataclass(frozen=True)
class Row:
    """One certificate. `chain` makes what is sent, the certificate itself first. An empty `reason`: it is taken."""

    name: str
    reason: str
    step: str
    chain: Callable[[], list[bytes]]
    profile: Profile = PROFILE
    now: float = NOW


def changed(change: Callable[[Draft], Draft]) -> Callable[[], list[bytes]]:
    """A card changed before the Citizen CA signs it."""
    return lambda: [change(card()).signed_by(TREE.citizen).der]


def sent(make: Callable[[], Issued]) -> Callable[[], list[bytes]]:
    """A card below an authority of another making, that the Citizen CA's place is given to, sent with it."""

    def chain() -> list[bytes]:
        its = make()
        return [card(below(its)).signed_by(its).der, its.der]

    return chain


def sub(change: Callable[[Draft], Draft], issuer: Issued = TREE.root) -> Callable[[], Issued]:
    """Another Citizen CA, changed before `issuer` signs it."""
    return lambda: change(authority("Demo Citizen CA", NOW, 0)).signed_by(issuer)


def only_public(key: object) -> SimpleNamespace:
    """A key whose private half nobody has: a certificate can be made of it all the same."""
    return SimpleNamespace(public_key=lambda: key)


def huge_rsa() -> SimpleNamespace:
    return only_public(rsa.RSAPublicNumbers(65537, (1 << 9215) + 1).public_key())


def dsa_key() -> dsa.DSAPrivateKey:
    numbers = dsa.generate_parameters(1024)
    return numbers.generate_private_key()


def old_rsa(identifier: bytes, by: hashes.HashAlgorithm, bits: int = 2048) -> tuple[Issued, Callable[[], list[bytes]]]:
    """An authority with an RSA key below the root, and a card that it signed by an old algorithm."""
    its = sub(lambda draft: with_key(draft, rsa.generate_private_key(65537, bits)))()

    def chain() -> list[bytes]:
        good = dc.replace(card(below(its)), hash=hashes.SHA256()).signed_by(its)
        return [forged(good, SHA256_RSA, identifier, its.key, by), its.der]

    return its, chain


def old_copy() -> bytes:
    """The Citizen CA's certificate as the root once signed it, by an algorithm that proves nothing any more."""
    its = authority("Demo Citizen CA", NOW, 0, serial_number="202601")
    return dc.replace(with_key(its, TREE.citizen.key), hash=hashes.SHA224()).signed_by(TREE.root).der


def rewritten(old: bytes, new: bytes) -> Callable[[], list[bytes]]:
    """A card that the Citizen CA signed with other bytes in it than the library would write."""
    return lambda: [forged(card().signed_by(TREE.citizen), old, new, TREE.citizen.key)]


def flipped(issued: Issued, at: int) -> bytes:
    content = bytearray(issued.der)
    content[at] ^= 1
    return bytes(content)


def version_one() -> list[bytes]:
    good = card().signed_by(TREE.citizen)
    tbs = good.certificate.tbs_certificate_bytes
    version = bytes.fromhex("a003020102")
    body = tbs[tbs.index(version) + len(version) :]
    return [wrapped(tlv(0x30, body), algorithm_of(good), TREE.citizen.key, hashes.SHA384())]


def twice_the_same_extension() -> list[bytes]:
    """The second of two extensions takes the identifier of the first."""
    draft = card().having(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), b"\x05\x00"))
    issued = draft.having(x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00")).signed_by(TREE.citizen)
    return [forged(issued, bytes.fromhex("06032a0305"), bytes.fromhex("06032a0304"), TREE.citizen.key)]


def other_tree() -> Tree:
    """Authorities of the very same names, with keys of their own."""
    return make_tree(NOW, TREE.revocation)


def namesakes() -> list[bytes]:
    other = other_tree()
    return [card(other).signed_by(other.citizen).der, other.citizen.der, other.root.der]


def card_below_card() -> list[bytes]:
    first = card().signed_by(TREE.citizen)
    return [card().signed_by(first).der, first.der]


def card_below_sub_authority() -> list[bytes]:
    its = authority("Demo Sub CA", NOW, None).signed_by(TREE.citizen)
    return [card().signed_by(its).der, its.der]


def card_two_below_free_authority() -> list[bytes]:
    upper = authority("Demo Upper CA", NOW, None).signed_by(TREE.root)
    lower = authority("Demo Lower CA", NOW, 0).signed_by(upper)
    return [card().signed_by(lower).der, lower.der, upper.der]


def strict_root(change: Callable[[Draft], Draft]) -> tuple[Callable[[], list[bytes]], Profile]:
    """A tree of its own below a root that is changed; its authority is sent."""
    root = change(authority("Demo strict root", NOW, None)).signed_by(None)
    citizen = authority("Demo Citizen CA", NOW, None).signed_by(root)
    profile = Profile.read({"root": root.pem()}, [root.fingerprint])
    return (lambda: [card().signed_by(citizen).der, citizen.der]), profile


SHORT_ROOT, BELOW_SHORT_ROOT = strict_root(lambda draft: draft.having(x509.BasicConstraints(True, 0), critical=True))
OLD_ROOT, BELOW_OLD_ROOT = strict_root(lambda draft: dc.replace(draft, not_after=NOW - 1))
NAMING_ROOT, BELOW_NAMING_ROOT = strict_root(
    lambda draft: draft.having(x509.NameConstraints([x509.DNSName("example.be")], None), critical=True)
)
SMALL_ROOT, BELOW_SMALL_ROOT = strict_root(
    lambda draft: with_key(dc.replace(draft, hash=hashes.SHA256()), ec.generate_private_key(ec.SECP256R1()))
)
ROOT_ALONE = Profile.read({"root": TREE.root.pem()}, [TREE.root.fingerprint])
_, SHA1_CARD = old_rsa(SHA1_RSA, hashes.SHA1())
_, MD5_CARD = old_rsa(MD5_RSA, hashes.MD5())
P256, K1 = ec.SECP256R1(), ec.SECP256K1()
DNS = x509.SubjectAlternativeName([x509.DNSName("www.example.be")])
NAMES = x509.NameConstraints([x509.DNSName("example.be")], None)

READING: Final = (
    Row("nothing", "certificate_missing", READ, list),
    Row("no byte", UNREADABLE, READ, lambda: [b""]),
    Row("no certificate", UNREADABLE, READ, lambda: [b"\x30\x03\x02\x01\x00"]),
    Row("half a card", UNREADABLE, READ, lambda: [card().signed_by(TREE.citizen).der[:-40]]),
    Row("a card and more", UNREADABLE, READ, lambda: [card().signed_by(TREE.citizen).der + b"\0"]),
    Row("PEM", UNREADABLE, READ, lambda: [card().signed_by(TREE.citizen).certificate.public_bytes(Encoding.PEM)]),
    Row("too many", UNREADABLE, READ, lambda: [card().signed_by(TREE.citizen).der, *[TREE.citizen.der] * 6]),
    Row(
        "too long", UNREADABLE, READ,
        changed(lambda draft: draft.having(x509.UnrecognizedExtension(UNKNOWN, bytes(9000)))),
    ),
    Row("a good one and rubbish", UNREADABLE, READ, lambda: [card().signed_by(TREE.citizen).der, b"rubbish"]),
    Row("an extension twice", UNREADABLE, READ, twice_the_same_extension),
    Row("version 1 with extensions", UNTRUSTED, CONSTRAINTS, version_one),
    Row("a version that is not", UNREADABLE, READ, rewritten(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"))),
    Row("a key off its curve", UNREADABLE, READ, lambda: [off_curve()]),
    Row("number zero", UNREADABLE, READ, lambda: [numbered(b"\x02\x01\x00")]),
    Row("a number of 21 bytes", UNREADABLE, READ, lambda: [numbered(tlv(0x02, b"\x01" + bytes(20)))]),
    Row("the longest number", TAKEN, "", lambda: [numbered(tlv(0x02, b"\x00" + b"\xff" * 20))]),
    Row("a negative number", UNREADABLE, READ, lambda: [numbered(b"\x02\x01\x80")]),
    Row("an end in month 13", UNREADABLE, READ, rewritten(b"341230", b"341330")),
    Row("a usage that is none", UNREADABLE, READ, rewritten(bytes.fromhex("0404 0302 0780"), bytes.fromhex("0404 0402 0780"))),
)  # fmt: skip

CHAINS: Final = (
    Row("a card", TAKEN, "", changed(lambda draft: draft)),
    Row("a card with its authorities", TAKEN, "", lambda: [card().signed_by(TREE.citizen).der, TREE.citizen.der, TREE.root.der]),
    Row("in another order", TAKEN, "", lambda: [card().signed_by(TREE.citizen).der, TREE.root.der, TREE.citizen.der]),
    Row("with others' certificates", TAKEN, "", lambda: [card().signed_by(TREE.citizen).der, other_tree().root.der]),
    Row("an authority sent along", TAKEN, "", sent(sub(lambda draft: draft))),
    Row("an authority unknown and not sent", UNTRUSTED, CHAIN, lambda: [card().signed_by(TREE.citizen).der], ROOT_ALONE),
    Row("the same, sent", TAKEN, "", lambda: [card().signed_by(TREE.citizen).der, TREE.citizen.der], ROOT_ALONE),
    Row("signed by itself", UNTRUSTED, CHAIN, lambda: [card().signed_by(None).der]),
    Row(
        "signed by itself in the authority's name", UNTRUSTED, CHAIN,
        lambda: [card().signed_by(Issued(TREE.citizen.certificate, ec.generate_private_key(ec.SECP384R1()))).der],
    ),
    Row("of namesakes, alone", UNTRUSTED, CHAIN, lambda: [card().signed_by(other_tree().citizen).der]),
    Row("of namesakes, with their authorities", UNTRUSTED, CHAIN, namesakes),
    Row("of an authority below a namesake of the root", UNTRUSTED, CHAIN, namesakes, ROOT_ALONE),
    Row("of a provider elsewhere", UNTRUSTED, CHAIN, sent(lambda: authority("Elsewhere CA", NOW, 0).signed_by(None))),
    Row("a signature changed", UNTRUSTED, CHAIN, lambda: [flipped(card().signed_by(TREE.citizen), -1)]),
    Row("a number changed", UNTRUSTED, CHAIN, lambda: [card().signed_by(TREE.citizen).der.replace(INSZ.encode(), BIS_INSZ.encode())]),
    Row("signed by the other authority", UNTRUSTED, CHAIN, lambda: [card().signed_by(Issued(TREE.citizen.certificate, TREE.foreigner.key)).der]),
    Row("below the root itself", WRONG, PATH, lambda: [card().signed_by(TREE.root).der]),
    Row("the authority itself", WRONG, PATH, lambda: [TREE.citizen.der]),
    Row("the root itself", WRONG, PATH, lambda: [TREE.root.der]),
    Row("below another card", UNTRUSTED, PATH, card_below_card),
    Row("below an authority that may have none", UNTRUSTED, PATH, card_below_sub_authority),
    Row("two authorities below the root", UNTRUSTED, PATH, card_two_below_free_authority),
    Row("a root that allows none", UNTRUSTED, PATH, SHORT_ROOT, BELOW_SHORT_ROOT),
    Row("of no authority", UNTRUSTED, PATH, sent(sub(lambda draft: draft.without(x509.BasicConstraints)))),
    Row("of a denied authority", UNTRUSTED, PATH, sent(sub(lambda draft: draft.having(x509.BasicConstraints(False, None), True)))),
    Row("of one that may not issue", UNTRUSTED, PATH, sent(sub(lambda draft: draft.having(key_usage("crl_sign"), True)))),
    Row("of one that says nothing of it", UNTRUSTED, PATH, sent(sub(lambda draft: draft.without(x509.KeyUsage)))),
)  # fmt: skip

TIMES: Final = (
    Row("in its last second", TAKEN, "", changed(lambda draft: dc.replace(draft, not_after=NOW))),
    Row("over since a second", EXPIRED, VALIDITY, changed(lambda draft: dc.replace(draft, not_after=NOW - 1))),
    Row("over since half a second", EXPIRED, VALIDITY, changed(lambda draft: dc.replace(draft, not_after=NOW)), PROFILE, NOW + 0.5),
    Row("in its first second", TAKEN, "", changed(lambda draft: dc.replace(draft, not_before=NOW))),
    Row("from the next second", EARLY, VALIDITY, changed(lambda draft: dc.replace(draft, not_before=NOW + 1))),
    Row("of an authority that is over", EXPIRED, VALIDITY, sent(sub(lambda draft: dc.replace(draft, not_after=NOW - 1)))),
    Row("of an authority to come", EARLY, VALIDITY, sent(sub(lambda draft: dc.replace(draft, not_before=NOW + 1)))),
    Row("below a root that is over", EXPIRED, VALIDITY, OLD_ROOT, BELOW_OLD_ROOT),
    Row(
        "over, by itself", UNTRUSTED, CHAIN,
        lambda: [dc.replace(card(), not_after=NOW - DAY).signed_by(None).der],
    ),
)  # fmt: skip

ALGORITHM: Final = (
    Row("P-256", TAKEN, "", changed(lambda draft: with_key(draft, ec.generate_private_key(P256)))),
    Row("P-521", TAKEN, "", changed(lambda draft: with_key(draft, ec.generate_private_key(ec.SECP521R1())))),
    Row("RSA 2048", TAKEN, "", changed(lambda draft: with_key(draft, rsa.generate_private_key(65537, 2048)))),
    Row("of an RSA authority", TAKEN, "", sent(sub(lambda draft: with_key(draft, rsa.generate_private_key(65537, 2048))))),
    Row("below a root of P-256", TAKEN, "", SMALL_ROOT, BELOW_SMALL_ROOT),
    Row("RSA 1024", WEAK, ALGORITHMS, changed(lambda draft: with_key(draft, rsa.generate_private_key(65537, 1024)))),
    Row("RSA 9216", WEAK, ALGORITHMS, changed(lambda draft: with_key(draft, huge_rsa()))),
    Row("secp256k1", WEAK, ALGORITHMS, changed(lambda draft: with_key(draft, ec.generate_private_key(K1)))),
    Row("P-224", WEAK, ALGORITHMS, changed(lambda draft: with_key(draft, ec.generate_private_key(ec.SECP224R1())))),
    Row("Ed25519", WEAK, ALGORITHMS, changed(lambda draft: with_key(draft, ed25519.Ed25519PrivateKey.generate()))),
    Row("DSA", WEAK, ALGORITHMS, changed(lambda draft: with_key(draft, dsa_key()))),
    Row("SHA-1", WEAK, ALGORITHMS, SHA1_CARD),
    Row("MD5", WEAK, ALGORITHMS, MD5_CARD),
    Row("SHA-224", WEAK, ALGORITHMS, changed(lambda draft: dc.replace(draft, hash=hashes.SHA224()))),
    Row(
        "an algorithm that nobody knows", WEAK, ALGORITHMS,
        rewritten(bytes.fromhex("06082a8648ce3d040303"), bytes.fromhex("06082a8648ce3d04037f")),
    ),
    Row("of an authority of RSA 1024", WEAK, ALGORITHMS, sent(sub(lambda draft: with_key(draft, rsa.generate_private_key(65537, 1024))))),
    Row("of an authority by SHA-224", WEAK, ALGORITHMS, sent(sub(lambda draft: dc.replace(draft, hash=hashes.SHA224())))),
    Row("of a known authority, with an old certificate of it", TAKEN, "", lambda: [card().signed_by(TREE.citizen).der, old_copy()]),
)  # fmt: skip

CONSTRAINT: Final = (
    Row("name constraints", WRONG, CONSTRAINTS, changed(lambda draft: draft.having(NAMES))),
    Row("name constraints of the authority", UNTRUSTED, CONSTRAINTS, sent(sub(lambda draft: draft.having(NAMES, True)))),
    Row("name constraints of the root", UNTRUSTED, CONSTRAINTS, NAMING_ROOT, BELOW_NAMING_ROOT),
    Row(
        "a critical extension that nobody knows", WRONG, CONSTRAINTS,
        changed(lambda draft: draft.having(x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), True)),
    ),
    Row("the same, not critical", TAKEN, "", changed(lambda draft: draft.having(x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00")))),
    Row("critical purposes", TAKEN, "", changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT]), True))),
    Row("an authority's critical policies", TAKEN, "", sent(sub(lambda draft: draft.having(policies("2.5.29.32.0"), True)))),
    Row("critical policies", TAKEN, "", changed(lambda draft: draft.having(policies(CITIZEN), True))),
    Row(
        "an authority's critical extension that nobody knows", UNTRUSTED, CONSTRAINTS,
        sent(sub(lambda draft: draft.having(x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), True))),
    ),
    Row(
        "an authority with constraints of policies", UNTRUSTED, CONSTRAINTS,
        sent(sub(lambda draft: draft.having(x509.PolicyConstraints(0, None), True))),
    ),
    Row("an authority for servers", UNTRUSTED, CONSTRAINTS, sent(sub(lambda draft: draft.having(x509.ExtendedKeyUsage([SERVER]))))),
    Row("an authority without the name of its key", TAKEN, "", sent(sub(lambda draft: draft.without(x509.SubjectKeyIdentifier)))),
)  # fmt: skip


def netscape(content: bytes, *purposes: x509.ObjectIdentifier) -> Callable[[], list[bytes]]:
    """A card with Netscape's type, and with these purposes or none."""
    kind = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.1"), content)

    def change(draft: Draft) -> Draft:
        bare = draft.without(x509.ExtendedKeyUsage).having(kind)
        return bare.having(x509.ExtendedKeyUsage(purposes)) if purposes else bare

    return changed(change)


USAGES: Final = (
    Row("Netscape: a client, and mail, as old cards", TAKEN, "", netscape(bytes.fromhex("030205a0"))),
    Row("Netscape: a client alone", TAKEN, "", netscape(bytes.fromhex("03020780"), CLIENT)),
    Row("Netscape: mail only", WRONG, PURPOSE, netscape(bytes.fromhex("03020520"))),
    Row("Netscape: a server", NOBODY, PURPOSE, netscape(bytes.fromhex("03020640"), CLIENT)),
    Row("Netscape: a server too", NOBODY, PURPOSE, netscape(bytes.fromhex("030206c0"))),
    Row("Netscape: programs too", NOBODY, PURPOSE, netscape(bytes.fromhex("03020490"))),
    Row("Netscape: a purpose that nobody knows", WRONG, PURPOSE, netscape(bytes.fromhex("03020388"))),
    Row("Netscape: what is no type", NOBODY, PURPOSE, netscape(b"\x05\x00")),
    Row("the card's signature", SIGNING, KEY_USAGE, lambda: [TREE.signature(INSZ, "Jan", "Janssens", NOW).signed_by(TREE.citizen).der]),
    Row(
        "a foreigner's signature", SIGNING, KEY_USAGE,
        lambda: [TREE.signature(INSZ, "Jan", "Janssens", NOW, "foreigner").signed_by(TREE.foreigner).der],
    ),
    Row("for both", SIGNING, KEY_USAGE, changed(lambda draft: draft.having(key_usage("digital_signature", "content_commitment"), True))),
    Row("no key usage", WRONG, KEY_USAGE, changed(lambda draft: draft.without(x509.KeyUsage))),
    Row("a key usage not critical", WRONG, KEY_USAGE, changed(lambda draft: draft.having(key_usage("digital_signature")))),
    Row("key encipherment too", WRONG, KEY_USAGE, changed(lambda draft: draft.having(key_usage("digital_signature", "key_encipherment"), True))),
    Row("key agreement alone", WRONG, KEY_USAGE, changed(lambda draft: draft.having(key_usage("key_agreement"), True))),
    Row("may sign certificates", WRONG, KEY_USAGE, changed(lambda draft: draft.having(key_usage("digital_signature", "key_cert_sign"), True))),
    Row("no purpose, as old cards", TAKEN, "", changed(lambda draft: draft.without(x509.ExtendedKeyUsage))),
    Row("mail too", TAKEN, "", changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT, MAIL])))),
    Row("mail only", WRONG, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([MAIL])))),
    Row("servers only", NOBODY, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([SERVER])))),
    Row("servers too", NOBODY, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT, SERVER])))),
    Row("any purpose", WRONG, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([ANY])))),
    Row("any purpose too", WRONG, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT, ANY])))),
    Row("a purpose that nobody knows", WRONG, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT, UNKNOWN])))),
    Row(
        "a responder's", NOBODY, PURPOSE,
        changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT, ExtendedKeyUsageOID.OCSP_SIGNING]))),
    ),
    Row("programs", NOBODY, PURPOSE, changed(lambda draft: draft.having(x509.ExtendedKeyUsage([CLIENT, ExtendedKeyUsageOID.CODE_SIGNING])))),
)  # fmt: skip


def policy(*identifiers: str) -> Callable[[], list[bytes]]:
    return changed(lambda draft: draft.having(policies(*identifiers)))


POLICY_ROWS: Final = (
    *[Row(f"policy {each}", TAKEN, "", policy(each)) for each in POLICIES],
    Row("no policy", WRONG, POLICY, changed(lambda draft: draft.without(x509.CertificatePolicies))),
    Row("any policy", WRONG, POLICY, policy("2.5.29.32.0")),
    Row("a policy for signing", WRONG, POLICY, policy(SIGNATURE_POLICIES["citizen"])),
    Row("an old policy for signing", WRONG, POLICY, policy("2.16.56.12.1.1.2.1")),
    Row("a policy of the authority's", WRONG, POLICY, policy("2.16.56.12.1.1.2")),
    Row("a policy below a card's", WRONG, POLICY, policy(f"{CITIZEN}.1")),
    Row("a card's and one for signing", WRONG, POLICY, policy(CITIZEN, SIGNATURE_POLICIES["citizen"])),
    Row("a card's and a website's", WRONG, POLICY, policy(CITIZEN, "2.23.140.1.2.3")),
    Row("a card's and any", WRONG, POLICY, policy(CITIZEN, "2.5.29.32.0")),
    Row("a citizen's and a foreigner's", WRONG, POLICY, policy(CITIZEN, FOREIGNER)),
    Row("a card's, with care (NCP+)", TAKEN, "", policy(CITIZEN, "0.4.0.2042.1.2")),
    Row("with care alone", WRONG, POLICY, policy("0.4.0.2042.1.2")),
)


def subject(*attributes: tuple[x509.ObjectIdentifier, str]) -> Callable[[], list[bytes]]:
    return changed(lambda draft: draft.named(*attributes))


def doubled(kind: x509.ObjectIdentifier, value: str) -> Callable[[], list[bytes]]:
    return changed(
        lambda draft: dc.replace(draft, subject=x509.Name([*draft.subject, x509.NameAttribute(kind, value)]))
    )


PERSONS: Final = (
    Row("an organisation's application", NOBODY, PERSON, lambda: [TREE.organisation("Ministry", "0403019261", NOW).signed_by(TREE.citizen).der]),
    Row("an organisation", NOBODY, PERSON, subject((NameOID.ORGANIZATION_NAME, "Ministry"))),
    Row("a unit", NOBODY, PERSON, subject((NameOID.ORGANIZATIONAL_UNIT_NAME, "Archive"))),
    Row("an organisation's number", NOBODY, PERSON, subject((NameOID.ORGANIZATION_IDENTIFIER, "NTRBE-0403019261"))),
    Row("a title", WRONG, PERSON, subject((NameOID.TITLE, "Notary"))),
    Row("an address of mail", WRONG, PERSON, subject((NameOID.EMAIL_ADDRESS, "jan@example.be"))),
    Row("a pseudonym", WRONG, PERSON, subject((NameOID.PSEUDONYM, "Jan"))),
    Row("no first name", TAKEN, "", subject((NameOID.GIVEN_NAME, ""))),
    Row("no name at all", WRONG, PERSON, subject((NameOID.COMMON_NAME, ""))),
    Row("no number", WRONG, PERSON, subject((NameOID.SERIAL_NUMBER, ""))),
    Row("two numbers", WRONG, PERSON, doubled(NameOID.SERIAL_NUMBER, BIS_INSZ)),
    Row("two names", WRONG, PERSON, doubled(NameOID.COMMON_NAME, "Piet Janssens (Authentication)")),
    Row("a name with a new line", WRONG, PERSON, subject((NameOID.COMMON_NAME, "Jan\nJanssens"))),
    Row("a host's name", NOBODY, PERSON, changed(lambda draft: draft.having(DNS))),
    Row("a mail's name", NOBODY, PERSON, changed(lambda draft: draft.having(x509.SubjectAlternativeName([x509.RFC822Name("jan@example.be")])))),
    Row("an authority", NOBODY, PERSON, changed(lambda draft: draft.having(x509.BasicConstraints(True, None)))),
    Row("no authority, and says so", WRONG, PERSON, changed(lambda draft: draft.having(x509.BasicConstraints(False, None)))),
    Row("a qualified signature", SIGNING, PERSON, changed(lambda draft: draft.having(qualified("esign")))),
    Row("a seal", NOBODY, PERSON, changed(lambda draft: draft.having(qualified("eseal")))),
    Row("a website", NOBODY, PERSON, changed(lambda draft: draft.having(qualified("web")))),
    Row("a bis number", TAKEN, "", subject((NameOID.SERIAL_NUMBER, BIS_INSZ))),
    *[
        Row(f"number {number}", WRONG, NUMBER, subject((NameOID.SERIAL_NUMBER, number)))
        for number in ("85073003329", "8507300332", "850730033280", "85.07.30-033.28", "85133003390", "8507300332A", "PNOBE-85073003328")
    ],
)  # fmt: skip

ROWS: Final = (*READING, *CHAINS, *TIMES, *ALGORITHM, *CONSTRAINT, *USAGES, *POLICY_ROWS, *PERSONS)


def off_curve() -> bytes:
    issued = card().signed_by(TREE.citizen)
    point = issued.certificate.public_key()
    assert isinstance(point, ec.EllipticCurvePublicKey)
    x = point.public_numbers().x.to_bytes(48)
    return forged(issued, x, bytes(47) + b"\x05", TREE.citizen.key)


def numbered(number: bytes) -> bytes:
    """A card with a serial number (DER) that the library would not write."""
    issued = dc.replace(card(), serial=1).signed_by(TREE.citizen)
    tbs, version = issued.certificate.tbs_certificate_bytes, bytes.fromhex("a003020102")
    body = tbs[tbs.index(version) :].replace(version + b"\x02\x01\x01", version + number)
    return wrapped(tlv(0x30, body), algorithm_of(issued), TREE.citizen.key, hashes.SHA384())
