"""Which authorities are taken: by the key of a root, never by a name."""

from __future__ import annotations

import dataclasses as dc
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.credentials.certificate import verify
from gateway.credentials.certificate_chain import key_fingerprint
from gateway.credentials.certificate_profile import POLICIES, ROOTS, Profile
from gateway.demo.cards import DAY, authority, key_usage, make_tree
from gateway.errors import CertificateRefused, ConfigurationError
from tests.credentials.card_world import IN_2024, NOW, TEST_ROOT, TREE, card, public, with_key

SHIPPED = Path(__file__).parents[2] / "certs" / "eid"


def shipped() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SHIPPED.glob("*.pem")}


def test_what_is_shipped_is_below_the_roots_of_production() -> None:
    profile = Profile.read(shipped())
    names = {authority.path[0].subject.rfc4514_string().split(",")[0] for authority in profile.authorities}
    assert names == {
        *(f"CN={name}" for name in ROOTS.values()),
        "CN=Citizen CA",
        "CN=Foreigner CA",
    }
    assert len(profile.authorities) == 6
    assert profile.policies == POLICIES


def test_what_is_shipped_is_what_its_list_says() -> None:
    text = (SHIPPED / "README.md").read_text()
    for name, content in shipped().items():
        certificate = x509.load_pem_x509_certificate(content)
        digests = hashes.Hash(hashes.SHA256())
        digests.update(content)
        numbers = (
            digests.finalize().hex(),
            certificate.fingerprint(hashes.SHA256()).hex(),
            key_fingerprint(certificate),
        )
        assert f"| `{name}` | " + " | ".join(f"`{number}`" for number in numbers) + " |" in text


def test_of_two_certificates_of_one_root_the_one_that_ends_last_counts() -> None:
    both = {name: content for name, content in shipped().items() if name.startswith("belgiumrca4")}
    for files in (both, dict(reversed(both.items()))):
        (root,) = Profile.read(files).authorities
        assert root.certificate.not_valid_after_utc.year == 2032


def test_the_test_root_is_no_root_of_production() -> None:
    assert TEST_ROOT not in ROOTS
    with pytest.raises(ConfigurationError, match=r"test-ec-root-ca\.pem: no root that is trusted"):
        Profile.read({**shipped(), "test-ec-root-ca.pem": public("test-ec-root-ca.pem")})
    chain = [public("nora-ecc.der"), _der("test-ec-citizen-ca.pem"), _der("test-ec-root-ca.pem")]
    with pytest.raises(CertificateRefused, match="certificate_untrusted"):
        verify(chain, Profile.read(shipped()), IN_2024)


def _der(name: str) -> bytes:
    return x509.load_pem_x509_certificate(public(name)).public_bytes(Encoding.DER)


def test_a_root_of_the_same_name_is_none() -> None:
    other = make_tree(NOW)
    assert other.root.certificate.subject == TREE.root.certificate.subject
    with pytest.raises(ConfigurationError, match=r"^other: no root that is trusted"):
        Profile.read({"root": TREE.root.pem(), "other": other.root.pem()}, [TREE.root.fingerprint])
    with pytest.raises(ConfigurationError, match=r"^citizen: no root that is trusted"):
        Profile.read({"root": TREE.root.pem(), "citizen": other.citizen.pem()}, [TREE.root.fingerprint])


def test_several_certificates_in_a_file_and_der() -> None:
    pem = b"".join(each.certificate.public_bytes(Encoding.PEM) for each in (TREE.citizen, TREE.root))
    profile = Profile.read({"bundle": pem, "foreigner": TREE.foreigner.der}, [TREE.root.fingerprint])
    assert [each.certificate for each in profile.authorities] == [
        TREE.root.certificate,
        TREE.citizen.certificate,
        TREE.foreigner.certificate,
    ]


def test_whose_cards_a_browser_is_told_to_offer() -> None:
    profile = Profile.read({"root": TREE.root.pem(), "citizen": TREE.citizen.pem()}, [TREE.root.fingerprint])
    told = x509.load_pem_x509_certificates(profile.authorities_pem)
    assert told == [TREE.root.certificate, TREE.citizen.certificate]


def test_policies_are_configurable() -> None:
    files = {"root": TREE.root.pem(), "citizen": TREE.citizen.pem()}
    issued = card().signed_by(TREE.citizen)
    other = Profile.read(files, [TREE.root.fingerprint], {"1.2.3": "citizen"})
    with pytest.raises(CertificateRefused) as caught:
        verify([issued.der], other, NOW)
    assert (caught.value.reason, caught.value.step) == ("certificate_wrong_type", "policy")
    as_foreigner = Profile.read(files, [TREE.root.fingerprint], {"2.16.56.13.6.1.1.1000": "foreigner"})
    assert verify([issued.der], as_foreigner, NOW).kind == "foreigner"


@pytest.mark.parametrize(
    "content",
    [b"", b"rubbish", TREE.citizen.der[:-1], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
)
def test_a_file_that_is_none(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^odd\.pem: not a certificate"):
        Profile.read({"root": TREE.root.pem(), "odd.pem": content}, [TREE.root.fingerprint])


@pytest.mark.parametrize("files", [{}, {"citizen": TREE.citizen.pem()}])
def test_without_a_root(files: dict[str, bytes]) -> None:
    with pytest.raises(ConfigurationError, match="no certificate there has the key of a root"):
        Profile.read(files, [TREE.root.fingerprint])


GOOD = authority("Another CA", NOW, 0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (card().signed_by(TREE.citizen).pem(), "no authority"),
        (GOOD.without(x509.BasicConstraints).signed_by(TREE.root).pem(), "no authority"),
        (GOOD.having(key_usage("crl_sign"), critical=True).signed_by(TREE.root).pem(), "no authority"),
        (authority("Sub CA", NOW, None).signed_by(TREE.citizen).pem(), "longer than"),
        (with_key(GOOD, rsa.generate_private_key(65537, 1024)).signed_by(TREE.root).pem(), "a key of"),
        (dc.replace(GOOD, hash=hashes.SHA224()).signed_by(TREE.root).pem(), "no root that is trusted"),
    ],
    ids=["card", "no constraints", "no issuing", "below", "RSA 1024", "SHA-224"],
)
def test_what_is_no_authority_for_cards(content: bytes, why: str) -> None:
    files = {"root": TREE.root.pem(), "citizen": TREE.citizen.pem(), "odd": content}
    with pytest.raises(ConfigurationError, match=rf"^odd: .*{why}"):
        Profile.read(files, [TREE.root.fingerprint])


def test_an_authority_that_is_over_may_lie_there() -> None:
    """Belgium made a new one every month for years; their cards are refused by date, and the start is not."""
    old = dc.replace(GOOD, not_after=NOW - DAY).signed_by(TREE.root)
    assert len(Profile.read({"root": TREE.root.pem(), "old": old.pem()}, [TREE.root.fingerprint]).authorities) == 2
