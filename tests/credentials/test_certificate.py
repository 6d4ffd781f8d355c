"""eID certificates: the table of odd ones, the published specimen, mutations, and what can never be taken."""

from __future__ import annotations

import dataclasses as dc
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.certificate import PersonCertificate, Step, belongs_to, verify
from gateway.credentials.certificate_profile import Profile
from gateway.decision.reasons import ATTEMPTS
from gateway.demo.cards import DAY, Issued, authority, key_usage, policies, qualified
from gateway.errors import CertificateRefused
from gateway.identifiers import IdentifierError, check_insz, mask_insz
from tests.credentials.card_world import (
    BIS_INSZ,
    IN_2024,
    INSZ,
    NOW,
    PROFILE,
    TEST_ROOT,
    TREE,
    below,
    card,
    public,
    with_key,
)
from tests.credentials.odd_cards import CITIZEN, ROWS, Row

ROOT = Path(__file__).parents[2]
SPECIMEN = Profile.read({name: public(name) for name in ("test-ec-root-ca.pem", "test-ec-citizen-ca.pem")}, [TEST_ROOT])
NORA = public("nora-ecc.der")


def refusal(chain: list[bytes], profile: Profile = PROFILE, now: float = NOW) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        verify(chain, profile, now)
    assert caught.value.reason in ATTEMPTS
    assert caught.value.step in set(Step)
    return caught.value


def taken(issued: Issued, *sent: Issued) -> PersonCertificate:
    return verify([issued.der, *[each.der for each in sent]], PROFILE, NOW)


# --- the table


def test_the_table_is_long_enough() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 60
    assert {row.step for row in ROWS if row.step} == set(Step) - {Step.OWNER, Step.REVOCATION}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_table(row: Row) -> None:
    chain = row.chain()
    if not row.reason:
        assert verify(chain, row.profile, row.now).insz in {INSZ, BIS_INSZ}
        return
    refused = refusal(chain, row.profile, row.now)
    assert (refused.reason, refused.step) == (row.reason, row.step)
    assert INSZ not in f"{refused!r} {refused.detail} {refused.issuer} {refused.policy}"


def test_the_steps_are_told_in_their_order_wherever_they_are_listed() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs/eid.md").read_text(), re.MULTILINE)
    assert rows == [(str(number), step) for number, step in enumerate(Step, 1)]
    assert re.findall(r"^ +(\d+)\. ", verify.__doc__ or "", re.MULTILINE) == [number for number, _ in rows]


# --- what is said of a card


def test_what_a_card_says() -> None:
    issued = card().signed_by(TREE.citizen)
    found = taken(issued)
    assert (found.insz, found.name, found.kind) == (INSZ, "Jan Janssens", "citizen")
    assert found.thumbprint == issued.certificate.fingerprint(hashes.SHA256()).hex()
    assert found.serial == f"{issued.certificate.serial_number:x}"
    assert found.issuer.startswith("CN=Demo Citizen CA,")
    assert found.policy == CITIZEN
    assert found.not_after == issued.certificate.not_valid_after_utc.timestamp()
    assert (found.leaf, found.issuer_certificate) == (issued.der, TREE.citizen.der)
    assert found.ocsp_urls == ("http://revocation.localhost:8446/ocsp",)
    assert found.crl_urls == ("http://revocation.localhost:8446/citizen.crl",)


def test_it_shows_neither_number_nor_name() -> None:
    found = taken(card().signed_by(TREE.citizen))
    assert INSZ not in repr(found)
    assert "Janssens" not in repr(found)


def test_a_foreigners_card() -> None:
    found = taken(TREE.card(BIS_INSZ, "Ana", "Silva", NOW, "foreigner").signed_by(TREE.foreigner))
    assert (found.insz, found.kind) == (BIS_INSZ, "foreigner")


def test_where_revocation_is_asked_is_bounded() -> None:
    """Addresses that are no URL, too many, too long, of lists by others and of lists of some reasons."""
    urls = [x509.UniformResourceIdentifier(f"http://a.example/{number}") for number in range(9)]
    long = x509.UniformResourceIdentifier("http://a.example/" + "x" * 300)
    name = x509.DirectoryName(TREE.root.certificate.subject)
    ocsp, issuers = AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS
    access = [x509.AccessDescription(issuers, urls[0]), x509.AccessDescription(ocsp, long)]
    access += [x509.AccessDescription(ocsp, each) for each in (name, *urls)]
    points = [
        x509.DistributionPoint([urls[0]], None, frozenset([x509.ReasonFlags.key_compromise]), None),
        x509.DistributionPoint([urls[1]], None, None, [name]),
        x509.DistributionPoint(None, TREE.root.certificate.subject.rdns[0], None, None),
        x509.DistributionPoint([urls[2]], None, None, None),
    ]
    draft = card().having(x509.AuthorityInformationAccess(access)).having(x509.CRLDistributionPoints(points))
    found = taken(draft.signed_by(TREE.citizen))
    assert found.ocsp_urls == tuple(each.value for each in urls[:3])
    assert found.crl_urls == ("http://a.example/2",)


def test_a_card_that_says_nothing_of_it() -> None:
    found = taken(card().without(x509.AuthorityInformationAccess, x509.CRLDistributionPoints).signed_by(TREE.citizen))
    assert found.ocsp_urls == found.crl_urls == ()


def test_what_the_ledger_is_told_of_a_refused_one() -> None:
    issued = card().without(x509.KeyUsage).signed_by(TREE.citizen)
    refused = refusal([issued.der])
    assert refused.issuer == issued.certificate.issuer.rfc4514_string()
    assert (refused.serial, refused.policy) == (f"{issued.certificate.serial_number:x}", CITIZEN)


def test_an_issuer_of_its_own_making_is_told_without_number_and_bounded() -> None:
    refused = refusal([card().signed_by(None).der])
    assert "{insz}" in refused.issuer
    long = card().named(
        (NameOID.COMMON_NAME, "a\u202eb" + "c" * 58), (NameOID.GIVEN_NAME, "d" * 60), (NameOID.SURNAME, "e" * 60)
    )
    refused = refusal([long.signed_by(None).der])
    assert len(refused.issuer) <= 200
    assert refused.issuer.isprintable()


def test_a_policy_of_its_own_making_is_told_without_number() -> None:
    refused = refusal([card().having(policies(f"1.2.{INSZ}.1")).signed_by(None).der])
    assert refused.policy == "1.2.{insz}.1"
    assert all(mask_insz(policy) == policy for policy in PROFILE.policies)


def test_the_callers_steps_say_the_same_of_it() -> None:
    found = taken(card().signed_by(TREE.citizen))
    refused = found.refused("certificate_revoked", Step.REVOCATION, "revoked")
    assert (refused.reason, refused.step, refused.detail) == ("certificate_revoked", "revocation", "revoked")
    assert (refused.issuer, refused.serial, refused.policy) == (found.issuer, found.serial, found.policy)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([], False), ([INSZ], True), ([BIS_INSZ], False), ([BIS_INSZ, INSZ], True), ([INSZ[:-1]], False), ([""], False)],
)
def test_whose_it_is(numbers: list[str], expected: bool) -> None:
    assert belongs_to(taken(card().signed_by(TREE.citizen)), numbers) is expected


def test_of_two_authorities_with_one_key_the_one_that_holds_counts() -> None:
    """An authority that was certified anew: the earlier certificate is over, and known; the later is sent."""
    draft = authority("Renewed CA", NOW, 0)
    old = dc.replace(draft, not_after=NOW - 1, serial=2).signed_by(TREE.root)
    new = dc.replace(draft, serial=3).signed_by(TREE.root)
    issued = card(below(new)).signed_by(new)
    profile = Profile.read({"root": TREE.root.pem(), "old": old.pem()}, [TREE.root.fingerprint])
    assert refusal([issued.der], profile).reason == "certificate_expired"
    assert verify([issued.der, new.der], profile, NOW).issuer_certificate == new.der
    assert verify([issued.der, new.der, old.der], PROFILE, NOW).issuer_certificate == new.der


def test_what_cannot_be_used_later_is_a_refusal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that was read and still fails: nothing of it gets out of `verify`."""

    def broken(*_: object) -> None:
        raise RuntimeError("a part of the library that nobody thought of")

    for name in ("check_number", "policies_of"):
        monkeypatch.setattr(f"gateway.credentials.certificate.{name}", broken)
    refused = refusal([card().signed_by(TREE.citizen).der])
    assert (refused.reason, refused.step, refused.issuer) == ("certificate_unreadable", Step.READ, "")


# --- the published specimen


def test_the_specimen_with_the_test_root() -> None:
    found = verify([NORA], SPECIMEN, IN_2024)
    assert (found.insz, found.name, found.kind) == ("01050399864", "Nora Specimen", "citizen")
    assert found.thumbprint == "96a4641b9f9b566fc3a89973216f6a207eaab729d441034e82503d27eee5006d"
    assert found.policy == "2.16.56.12.1.1.2.2"
    assert found.ocsp_urls == ("http://eiddevcards.zetescards.be:8888",)


@pytest.mark.parametrize(
    ("now", "reason"),
    [(IN_2024 - 5 * 365 * 86400, "certificate_not_yet_valid"), (IN_2024 + 7 * 365 * 86400, "certificate_expired")],
)
def test_the_specimen_at_other_times(now: float, reason: str) -> None:
    assert refusal([NORA], SPECIMEN, now).reason == reason


# --- mutations


def small_card() -> tuple[Issued, Profile]:
    """A card and authorities with keys that are quick to compute with."""
    root, citizen = (
        dc.replace(
            with_key(authority(name, NOW, length), ec.generate_private_key(ec.SECP256R1())), hash=hashes.SHA256()
        )
        for name, length in (("Small root", None), ("Small CA", 0))
    )
    top = root.signed_by(None)
    issuer = citizen.signed_by(top)
    draft = with_key(card(below(issuer)), ec.generate_private_key(ec.SECP256R1()))
    profile = Profile.read({"root": top.pem(), "citizen": issuer.pem()}, [top.fingerprint])
    return dc.replace(draft, hash=hashes.SHA256()).signed_by(issuer), profile


@pytest.mark.slow
def test_every_mutation_of_a_byte_is_refused_or_means_the_same(soak: bool) -> None:
    """Every byte of a good certificate with each of its bits turned, as zero and as 255; in the long rounds as every other byte.

    The same: what is signed is the same to the bit, so only how the signature is written can differ.
    """
    issued, profile = small_card()
    good = issued.der
    signed = issued.certificate.tbs_certificate_bytes
    meant = verify([good], profile, NOW)
    for at, byte in enumerate(good):
        values = range(256) if soak else {byte ^ 1 << bit for bit in range(8)} | {0, 255}
        for value in values:
            if value == byte:
                continue
            mutated = good[:at] + bytes((value,)) + good[at + 1 :]
            try:
                found = verify([mutated], profile, NOW)
            except CertificateRefused:
                continue
            assert x509.load_der_x509_certificate(mutated).tbs_certificate_bytes == signed, (at, value)
            assert dc.replace(found, leaf=good, thumbprint=meant.thumbprint) == meant, (at, value)


# --- what can never be


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_bytes_are_refused_and_nothing_else_happens(chain: list[bytes]) -> None:
    refusal(chain)


GOOD = card().signed_by(TREE.citizen)
OTHERS = (TREE.citizen.der, TREE.root.der, TREE.foreigner.der, GOOD.der)


@given(st.data())
def test_a_good_card_spliced_with_bytes_is_refused(data: st.DataObject) -> None:
    """Anything may be sent along, but nothing may be in a card that its authority did not sign."""
    start = data.draw(st.integers(0, len(GOOD.der)))
    end = data.draw(st.integers(start, len(GOOD.der)))
    piece = data.draw(st.binary(max_size=40) | st.sampled_from(OTHERS))
    spliced = GOOD.der[:start] + piece + GOOD.der[end:]
    chain = [spliced, *data.draw(st.lists(st.sampled_from(OTHERS), max_size=4))]
    if spliced == GOOD.der:
        assert verify(chain, PROFILE, NOW).insz == INSZ
    else:
        refusal(chain)


STRANGER = Issued(TREE.citizen.certificate, ec.generate_private_key(ec.SECP384R1()))


@given(st.permutations(OTHERS), st.sampled_from([None, STRANGER, GOOD]), st.booleans())
def test_no_card_is_taken_that_a_pinned_root_did_not_vouch_for(
    others: list[bytes], signer: Issued | None, with_itself: bool
) -> None:
    forged = card().signed_by(signer)
    chain = [forged.der, *others, *([forged.certificate.public_bytes(Encoding.DER)] if with_itself else [])]
    assert refusal(chain).reason == "certificate_untrusted"


USAGES = ("digital_signature", "content_commitment", "key_encipherment", "key_cert_sign")
PURPOSES = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.SERVER_AUTH)
POLICIES = (CITIZEN, "2.16.56.12.1.1.2.2", "2.16.56.12.1.1.2.1", "2.5.29.32.0")
STRANGE: tuple[x509.ExtensionType, ...] = (
    x509.SubjectAlternativeName([x509.DNSName("www.example.be")]),
    x509.BasicConstraints(ca=True, path_length=None),
    qualified("eseal"),
)


def some(things: tuple[Any, ...], usual: int) -> st.SearchStrategy[frozenset[Any]]:
    """A set of them: often the first ones alone, as on a card."""
    return st.just(frozenset(things[:usual])) | st.frozensets(st.sampled_from(things))


@given(
    usages=some(USAGES, 1),
    critical=st.sampled_from([True, True, True, False]),
    purposes=st.none() | some(PURPOSES, 1),
    named=some(POLICIES, 1),
    attribute=st.none() | st.sampled_from([NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATION_IDENTIFIER, NameOID.TITLE]),
    strange=st.none() | st.sampled_from(STRANGE),
    number=st.just(INSZ) | st.from_regex(r"[0-9]{10,12}", fullmatch=True),
    begins=st.just(-DAY) | st.integers(-2, 2),
    ends=st.just(DAY) | st.integers(-2, 2),
)
def test_a_card_is_taken_only_when_all_of_it_is_a_cards(
    usages: frozenset[str],
    critical: bool,
    purposes: frozenset[x509.ObjectIdentifier] | None,
    named: frozenset[str],
    attribute: x509.ObjectIdentifier | None,
    strange: x509.ExtensionType | None,
    number: str,
    begins: float,
    ends: float,
) -> None:
    """Any combination of what is right and wrong, judged a second time in one sentence."""
    draft = card().without(x509.ExtendedKeyUsage, x509.CertificatePolicies).named((NameOID.SERIAL_NUMBER, number))
    draft = dc.replace(draft, not_before=NOW + min(begins, ends), not_after=NOW + max(begins, ends))
    draft = draft.having(key_usage(*usages), critical) if usages else draft.without(x509.KeyUsage)
    draft = draft.having(x509.ExtendedKeyUsage(sorted(purposes, key=str))) if purposes else draft
    draft = draft.having(policies(*sorted(named))) if named else draft
    draft = draft.named((attribute, "x")) if attribute else draft
    draft = draft.having(strange) if strange else draft
    is_a_cards = (
        (usages == {"digital_signature"} and critical)
        and (not purposes or (PURPOSES[0] in purposes and PURPOSES[2] not in purposes))
        and (named and named <= set(POLICIES[:2]))
        and not attribute
        and not strange
        and (number.isdigit() and len(number) == 11 and _is_insz(number))
        and (min(begins, ends) <= 0 <= max(begins, ends))
    )
    chain = [draft.signed_by(TREE.citizen).der]
    if is_a_cards:
        assert verify(chain, PROFILE, NOW).insz == number
    else:
        refusal(chain)


def _is_insz(number: str) -> bool:
    try:
        return check_insz(number) == number
    except IdentifierError:
        return False
