"""A tree of authorities, a card below it that is in order, and how to change what the library would not sign."""

from __future__ import annotations

import dataclasses as dc
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from gateway.credentials.certificate_profile import Profile
from gateway.demo.cards import Draft, Issued, Key, Tree, make_tree

PUBLIC: Final = Path(__file__).parent / "eid"
TEST_ROOT: Final = "058b52cd97663b7831341b21b540e94cc640a51369876edfd3032d9b76c47af3"
IN_2024: Final = 1_717_236_000.0

NOW: Final = 1_767_225_600.0
INSZ: Final = "85073003328"
BIS_INSZ: Final = "85473003317"
TREE: Final = make_tree(NOW)
PROFILE: Final = Profile.read(
    {"root": TREE.root.pem(), "citizen": TREE.citizen.pem(), "foreigner": TREE.foreigner.pem()}, [TREE.root.fingerprint]
)


def card(tree: Tree = TREE) -> Draft:
    """The certificate for authentication of a card that is in order."""
    return tree.card(INSZ, "Jan", "Janssens", NOW)


def with_key(draft: Draft, key: Any) -> Draft:
    """The same with another key; an authority's key identifier follows."""
    changed = dc.replace(draft, key=key)
    if any(isinstance(value, x509.SubjectKeyIdentifier) for value, _ in draft.extensions):
        return changed.having(x509.SubjectKeyIdentifier.from_public_key(key.public_key()))
    return changed


def below(authority: Issued) -> Tree:
    """A tree whose Citizen CA is another."""
    return dc.replace(TREE, citizen=authority)


def public(name: str) -> bytes:
    return (PUBLIC / name).read_bytes()


# --- what the library would not make: a certificate is a sequence of what is signed, an algorithm, and a signature


def tlv(tag: int, content: bytes) -> bytes:
    """One value in DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


SHA256_RSA: Final = bytes.fromhex("06092a864886f70d01010b")
SHA1_RSA: Final = bytes.fromhex("06092a864886f70d010105")
MD5_RSA: Final = bytes.fromhex("06092a864886f70d010104")
ECDSA_SHA384: Final = bytes.fromhex("06082a8648ce3d040303")


def forged(issued: Issued, old: bytes, new: bytes, signer: Key, by: hashes.HashAlgorithm | None = None) -> bytes:
    """The certificate with `old` replaced by `new`, of the same length, everywhere in what is signed and in the algorithm; signed anew."""
    assert len(old) == len(new)
    tbs = issued.certificate.tbs_certificate_bytes
    assert old in tbs
    return wrapped(tbs.replace(old, new), algorithm_of(issued).replace(old, new), signer, by or hashes.SHA384())


def algorithm_of(issued: Issued) -> bytes:
    """The outer algorithm identifier, as DER: what stands between what is signed and the signature."""
    tbs = issued.certificate.tbs_certificate_bytes
    after = issued.der[issued.der.index(tbs) + len(tbs) :]
    return after[: 2 + after[1]]


def wrapped(tbs: bytes, algorithm: bytes, signer: Key, by: hashes.HashAlgorithm) -> bytes:
    """A certificate of these parts."""
    if isinstance(signer, rsa.RSAPrivateKey):
        signature = signer.sign(tbs, padding.PKCS1v15(), by)
    else:
        signature = signer.sign(tbs, ec.ECDSA(by))
    return tlv(0x30, tbs + algorithm + tlv(0x03, b"\0" + signature))
