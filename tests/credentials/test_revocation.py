"""Answers of responders and lists: the table of odd ones, OpenSSL's, and that large lists are cheap."""

from __future__ import annotations

import dataclasses as dc
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.revocation import NONCE_BYTES, OPEN_END_SECONDS, Answer, Status, ask, judge_list, judge_ocsp
from gateway.demo.card_answers import OcspAnswer, revocation_list
from gateway.demo.cards import (
    DAY,
    Draft,
    Extension,
    Issued,
    authority,
    card_subject,
    key_usage,
    make_tree,
    moment,
    responder,
)
from gateway.errors import CredentialError
from tests.credentials.card_world import INSZ, NOW, TREE, card, tlv, with_key, wrapped

SKEW: Final = 120.0
NONCE: Final = bytes(range(NONCE_BYTES))
CARD: Final = card().signed_by(TREE.citizen)
OTHER_CARD: Final = card().signed_by(TREE.citizen)
RSA_RESPONDER: Final = with_key(responder(NOW), rsa.generate_private_key(65537, 2048)).signed_by(TREE.citizen)
DELEGATE: Final = responder(NOW).signed_by(TREE.citizen)
QUESTION: Final = ask(CARD.der, TREE.citizen.der, NONCE)
ANSWER: Final = OcspAnswer(NOW - 60, NOW + 600, nonce=NONCE)
UNKNOWN: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def answered(answer: OcspAnswer = ANSWER, signer: Issued = DELEGATE, **changes: Any) -> bytes:
    return dc.replace(answer, **changes).signed(CARD, TREE.citizen, signer)


def judged(response: bytes, now: float = NOW) -> Answer:
    return judge_ocsp(response, QUESTION, now, SKEW)


# --- the question


def test_the_question_names_the_card_by_sha1_and_holds_the_nonce() -> None:
    request = ocsp.load_der_ocsp_request(QUESTION.request)
    assert request.serial_number == CARD.certificate.serial_number
    assert isinstance(request.hash_algorithm, hashes.SHA1)
    assert [each.value for each in request.extensions] == [x509.OCSPNonce(NONCE)]
    assert not ocsp.load_der_ocsp_request(ask(CARD.der, TREE.citizen.der).request).extensions
    assert NONCE.hex() not in repr(QUESTION)


# --- good answers


@pytest.mark.parametrize("signer", [DELEGATE, TREE.citizen], ids=["delegate", "authority"])
@pytest.mark.parametrize("by_key", [True, False], ids=["by key", "by name"])
@pytest.mark.parametrize("named", [hashes.SHA1(), hashes.SHA256()], ids=["sha1", "sha256"])
def test_a_good_answer(signer: Issued, by_key: bool, named: hashes.HashAlgorithm) -> None:
    found = judged(answered(signer=signer, names_key=by_key, hash=named))
    assert found == Answer(Status.GOOD, NOW - 60, NOW + 600)


def test_the_authority_need_not_send_its_own_certificate() -> None:
    assert judged(answered(signer=TREE.citizen, brings_certificate=False)).status is Status.GOOD


def test_a_revoked_card() -> None:
    assert judged(answered(revoked_at=NOW - DAY)) == Answer(Status.REVOKED, NOW - 60, NOW + 600, NOW - DAY)


def test_a_card_that_the_responder_does_not_know() -> None:
    assert judged(answered(unknown=True)).status is Status.UNKNOWN


def test_an_answer_without_an_end_counts_for_a_while() -> None:
    response = answered(next_update=None)
    assert judged(response).next_update == NOW - 60 + OPEN_END_SECONDS
    end = NOW - 60 + OPEN_END_SECONDS + SKEW
    assert judged(response, end).status is Status.GOOD
    with pytest.raises(CredentialError, match="ocsp_too_old"):
        judged(response, end + 1)


def test_the_nonce_is_optional() -> None:
    assert judged(answered(nonce=None)).status is Status.GOOD
    assert judge_ocsp(answered(), ask(CARD.der, TREE.citizen.der), NOW, SKEW).status is Status.GOOD


@pytest.mark.parametrize("change", [{"this_update": NOW + SKEW}, {"next_update": NOW - 60, "this_update": NOW - SKEW}])
def test_a_clock_that_is_off_within_bounds(change: dict[str, float]) -> None:
    assert judged(answered(**{"next_update": NOW + 600, **change})).status is Status.GOOD


def test_an_answer_that_is_signed_by_rsa() -> None:
    assert judged(answered(signer=RSA_RESPONDER)).status is Status.GOOD


# --- odd answers


def made_responder(change: Callable[[Draft], Draft], issuer: Issued | None = TREE.citizen) -> Issued:
    return change(responder(NOW)).signed_by(issuer)


NAMESAKE: Final = authority("Demo Citizen CA", NOW, 0, serial_number="202601").signed_by(None)
SMALL: Final = with_key(responder(NOW), rsa.generate_private_key(65537, 1024)).signed_by(TREE.citizen)

ODD: Final[dict[str, tuple[str, Callable[[], bytes]]]] = {
    "no byte": ("ocsp_unreadable", lambda: b""),
    "rubbish": ("ocsp_unreadable", lambda: b"<html>not found</html>"),
    "half": ("ocsp_unreadable", lambda: answered()[:-20]),
    "more": ("ocsp_unreadable", lambda: answered() + b"\0"),
    "too long": ("ocsp_unreadable", lambda: answered() + bytes(70_000)),
    "try later": (
        "ocsp_failed",
        lambda: ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
            encoding=Encoding.DER
        ),
    ),
    "another card": ("ocsp_other_card", lambda: ANSWER.signed(OTHER_CARD, TREE.citizen, DELEGATE)),
    "the same number of another authority": (
        "ocsp_other_card",
        lambda: ANSWER.signed(CARD, TREE.foreigner, made_responder(lambda draft: draft, TREE.foreigner)),
    ),
    "the same number of a namesake": ("ocsp_other_card", lambda: ANSWER.signed(CARD, NAMESAKE, NAMESAKE)),
    "another nonce": ("ocsp_other_nonce", lambda: answered(nonce=NONCE[::-1])),
    "a critical extension": ("ocsp_not_understood", lambda: answered(extensions=((UNKNOWN, True),))),
    "from the future": ("ocsp_too_new", lambda: answered(this_update=NOW + SKEW + 1, next_update=NOW + 600)),
    "over": ("ocsp_too_old", lambda: answered(next_update=NOW - SKEW - 1, this_update=NOW - 600)),
    "a signature by SHA-224": ("ocsp_weak", lambda: ANSWER.signed(CARD, TREE.citizen, DELEGATE, hashes.SHA224())),
    "a key of RSA 1024": ("ocsp_weak", lambda: ANSWER.signed(CARD, TREE.citizen, SMALL, hashes.SHA256())),
    "a changed signature": ("ocsp_signature", lambda: _turned(answered(signer=TREE.citizen))),
    "a changed signature of the delegate": ("ocsp_signature", lambda: _turned(answered())),
    "a changed signature by RSA": ("ocsp_signature", lambda: _turned(answered(signer=RSA_RESPONDER))),
    "no certificate of the delegate": ("ocsp_not_authorised", lambda: answered(brings_certificate=False)),
    "a responder of the root": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: draft, TREE.root)),
    ),
    "the root": ("ocsp_not_authorised", lambda: answered(signer=TREE.root)),
    "a responder of the other authority": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: draft, TREE.foreigner)),
    ),
    "a responder of its own": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: draft, None)),
    ),
    "a namesake of the authority": ("ocsp_signature", lambda: answered(signer=NAMESAKE, names_key=False)),
    "a person's card": ("ocsp_not_authorised", lambda: answered(signer=CARD)),
    "a card for other purposes": (
        "ocsp_not_authorised",
        lambda: answered(
            signer=made_responder(
                lambda draft: draft.having(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))
            )
        ),
    ),
    "no purpose": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: draft.without(x509.ExtendedKeyUsage))),
    ),
    "a key for certificates": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: draft.having(key_usage("key_cert_sign"), True))),
    ),
    "a responder with a critical extension": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: draft.having(UNKNOWN, True))),
    ),
    "a responder that is over": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: dc.replace(draft, not_after=NOW - SKEW - 1))),
    ),
    "a responder to come": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: dc.replace(draft, not_before=NOW + SKEW + 1))),
    ),
    "a responder by SHA-224": (
        "ocsp_not_authorised",
        lambda: answered(signer=made_responder(lambda draft: dc.replace(draft, hash=hashes.SHA224()))),
    ),
}


def _turned(response: bytes) -> bytes:
    """With a bit of its signature turned."""
    signature = ocsp.load_der_ocsp_response(response).signature
    return response.replace(signature, signature[:-1] + bytes((signature[-1] ^ 1,)))


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_are_none(name: str) -> None:
    reason, make = ODD[name]
    with pytest.raises(CredentialError) as caught:
        judged(make())
    assert caught.value.reason == reason


def test_a_responder_need_not_say_what_its_key_is_for() -> None:
    its = made_responder(lambda draft: draft.without(x509.KeyUsage))
    assert judged(answered(signer=its)).status is Status.GOOD


def test_more_certificates_than_an_answer_needs() -> None:
    def with_certificates(count: int) -> bytes:
        builder = ocsp.OCSPResponseBuilder().add_response(
            CARD.certificate,
            TREE.citizen.certificate,
            hashes.SHA1(),
            ocsp.OCSPCertStatus.GOOD,
            moment(NOW),
            None,
            None,
            None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, DELEGATE.certificate)
        builder = builder.certificates([DELEGATE.certificate] * count)
        return builder.sign(DELEGATE.key, hashes.SHA384()).public_bytes(Encoding.DER)

    assert judged(with_certificates(4)).status is Status.GOOD
    with pytest.raises(CredentialError, match="ocsp_unreadable"):
        judged(with_certificates(5))


@given(st.data())
def test_a_changed_answer_never_says_that_a_revoked_card_is_good(data: st.DataObject) -> None:
    response = bytearray(REVOKED_RESPONSE)
    for _ in range(data.draw(st.integers(1, 3))):
        response[data.draw(st.integers(0, len(response) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = judged(bytes(response))
    except CredentialError:
        return
    assert found.status is Status.REVOKED


REVOKED_RESPONSE: Final = answered(revoked_at=NOW - DAY)


@pytest.mark.parametrize("revoked", [False, True])
def test_the_answer_of_openssl(tmp_path: Path, revoked: bool) -> None:
    """A real responder, which knows its cards from the index of `openssl ca`, and the time from the machine."""
    now = time.time()
    tree = make_tree(now)
    issued, signer = (
        tree.card(INSZ, "Jan", "Janssens", now).signed_by(tree.citizen),
        responder(now).signed_by(tree.citizen),
    )
    question = ask(issued.der, tree.citizen.der, NONCE)
    state = "R\t350101000000Z\t260101000000Z" if revoked else "V\t350101000000Z\t"
    (tmp_path / "index.txt").write_text(f"{state}\t{issued.certificate.serial_number:040X}\tunknown\t/CN=card\n")
    for name, each in (("ca", tree.citizen), ("ocsp", signer)):
        (tmp_path / f"{name}.pem").write_bytes(each.pem())
    (tmp_path / "request.der").write_bytes(question.request)
    command = (
        "openssl ocsp -index index.txt -CA ca.pem -rsigner ocsp.pem -reqin request.der -respout response.der -ndays 1"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    found = judge_ocsp((tmp_path / "response.der").read_bytes(), question, now, SKEW)
    assert found.status is (Status.REVOKED if revoked else Status.GOOD)
    assert found.next_update - found.this_update == pytest.approx(DAY, abs=1)


# --- lists


URL: Final = "http://revocation.localhost:8446/citizen.crl"
Idp = x509.IssuingDistributionPoint


def listed(
    serials: tuple[int, ...] = (5, 7), *, issuer: Issued = TREE.citizen, this: float = NOW - 60, until: float = NOW + 600,
    extensions: tuple[Extension, ...] = (), entries: tuple[Extension, ...] = (),
) -> bytes:  # fmt: skip
    return revocation_list(issuer, serials, this, until, extensions=extensions, entry_extensions=entries)


def point(**changes: Any) -> Idp:
    parts: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return Idp(**{**parts, **changes})


def at(url: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(url)]


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        ((x509.CRLNumber(3), False), (x509.AuthorityKeyIdentifier(b"key", None, None), False)),
        ((point(only_contains_user_certs=True), True),),
        ((point(full_name=[*at("http://elsewhere.example/1.crl"), *at(URL)]), True),),
        ((UNKNOWN, False),),
    ],
)
def test_a_good_list(extensions: tuple[Extension, ...]) -> None:
    found = judge_list(listed(extensions=extensions), TREE.citizen.der, URL, NOW, SKEW)
    assert (found.this_update, found.next_update, found.count) == (NOW - 60, NOW + 600, 2)
    assert list(found.serials()) == [5, 7]


def test_an_empty_list_and_reasons_beside_the_numbers() -> None:
    assert list(judge_list(listed(()), TREE.citizen.der, URL, NOW, SKEW).serials()) == []
    reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
    content = listed(entries=((reason, False),))
    assert list(judge_list(content, TREE.citizen.der, URL, NOW, SKEW).serials()) == [5, 7]


def test_a_list_that_is_signed_by_rsa() -> None:
    its = with_key(authority("RSA CA", NOW, 0), rsa.generate_private_key(65537, 2048)).signed_by(TREE.root)
    assert judge_list(listed(issuer=its), its.der, URL, NOW, SKEW).count == 2


def _by_sha224() -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(TREE.citizen.certificate.subject)
    start = TREE.citizen.certificate.not_valid_before_utc
    builder = builder.last_update(start).next_update(TREE.citizen.certificate.not_valid_after_utc)
    return builder.sign(TREE.citizen.key, hashes.SHA224()).public_bytes(Encoding.DER)


def _endless() -> bytes:
    """A list that does not say when the next one comes: the library would not make it."""
    content = listed(until=NOW + 600)
    tbs = x509.load_der_x509_crl(content).tbs_certlist_bytes
    end = tlv(0x17, moment(NOW + 600).strftime("%y%m%d%H%M%SZ").encode())
    body = tbs[2 + (tbs[1] & 0x7F if tbs[1] & 0x80 else 0) :].replace(end, b"")
    algorithm = content[content.index(tbs) + len(tbs) :]
    return wrapped(tlv(0x30, body), algorithm[: 2 + algorithm[1]], TREE.citizen.key, hashes.SHA384())


WEAK_CA: Final = with_key(authority("Small CA", NOW, 0), rsa.generate_private_key(65537, 1024)).signed_by(TREE.root)
NO_LISTS: Final = authority("No lists CA", NOW, 0).having(key_usage("key_cert_sign"), True).signed_by(TREE.root)
SILENT: Final = authority("Silent CA", NOW, 0).without(x509.KeyUsage).signed_by(TREE.root)
CERTIFICATE_ISSUER = x509.CertificateIssuer([x509.DirectoryName(card_subject("1", "a", "b", "c"))])

ODD_LISTS: Final[dict[str, tuple[str, Callable[[], bytes], Issued]]] = {
    "no byte": ("list_unreadable", lambda: b"", TREE.citizen),
    "rubbish": ("list_unreadable", lambda: b"<html>", TREE.citizen),
    "half": ("list_unreadable", lambda: listed()[:-9], TREE.citizen),
    "of the other authority": ("list_not_authorised", lambda: listed(issuer=TREE.foreigner), TREE.citizen),
    "of one that signs no lists": ("list_not_authorised", lambda: listed(issuer=NO_LISTS), NO_LISTS),
    "of one that does not say": ("list_not_authorised", lambda: listed(issuer=SILENT), SILENT),
    "by RSA 1024": ("list_weak", lambda: listed(issuer=WEAK_CA), WEAK_CA),
    "by SHA-224": ("list_weak", _by_sha224, TREE.citizen),
    "of a namesake": ("list_signature", lambda: listed(issuer=NAMESAKE), TREE.citizen),
    "changed": ("list_signature", lambda: listed((0x1234567,)).replace(b"\x01\x23\x45\x67", b"\x01\x23\x45\x68"), TREE.citizen),
    "from the future": ("list_too_new", lambda: listed(this=NOW + SKEW + 1), TREE.citizen),
    "over": ("list_too_old", lambda: listed(this=NOW - 900, until=NOW - SKEW - 1), TREE.citizen),
    "without an end": ("list_too_old", _endless, TREE.citizen),
    "a delta": ("list_not_whole", lambda: listed(extensions=((x509.DeltaCRLIndicator(1), True),)), TREE.citizen),
    "from elsewhere": (
        "list_not_whole",
        lambda: listed(extensions=((point(full_name=at("http://revocation.localhost:8446/other.crl")), True),)),
        TREE.citizen,
    ),
    "from somewhere relative": (
        "list_not_whole",
        lambda: listed(extensions=((point(relative_name=TREE.root.certificate.subject.rdns[0]), True),)),
        TREE.citizen,
    ),
    "of authorities": ("list_not_whole", lambda: listed(extensions=((point(only_contains_ca_certs=True), True),)), TREE.citizen),
    "of attributes": ("list_not_whole", lambda: listed(extensions=((point(only_contains_attribute_certs=True), True),)), TREE.citizen),
    "of some reasons": (
        "list_not_whole",
        lambda: listed(extensions=((point(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])), True),)),
        TREE.citizen,
    ),
    "for others": ("list_not_whole", lambda: listed(extensions=((point(indirect_crl=True), True),)), TREE.citizen),
    "a critical extension": ("list_not_understood", lambda: listed(extensions=((UNKNOWN, True),)), TREE.citizen),
    "a number of others": ("list_not_understood", lambda: listed(entries=((CERTIFICATE_ISSUER, True),)), TREE.citizen),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_LISTS)
def test_odd_lists_are_none(name: str) -> None:
    reason, make, issuer = ODD_LISTS[name]
    with pytest.raises(CredentialError) as caught:
        judge_list(make(), issuer.der, URL, NOW, SKEW)
    assert caught.value.reason == reason


def long_list(count: int) -> bytes:
    """A list of so many numbers of 16 bytes, from a list of one: the library takes a minute to build it."""
    first = 1 << 126
    short = listed((first,))
    tbs = x509.load_der_x509_crl(short).tbs_certlist_bytes
    number = tlv(0x02, first.to_bytes(16))
    start = tbs.index(number) - 2
    entry = tbs[start : start + 2 + tbs[start + 1]]
    before, after = entry.split(first.to_bytes(16))
    entries = b"".join(before + (first + 7 * place).to_bytes(16) + after for place in range(count))
    head = tbs[2 + (tbs[1] & 0x7F if tbs[1] & 0x80 else 0) : start - 2]
    algorithm = short[short.index(tbs) + len(tbs) :]
    return wrapped(
        tlv(0x30, head + tlv(0x30, entries)), algorithm[: 2 + algorithm[1]], TREE.citizen.key, hashes.SHA384()
    )


@pytest.mark.slow
def test_a_large_list_is_never_in_memory_as_numbers(soak: bool) -> None:
    count = 1_000_000 if soak else 100_000
    content = long_list(count)
    tracemalloc.start()
    try:
        found = judge_list(content, TREE.citizen.der, URL, NOW, SKEW)
        assert found.count == count
        assert sum(1 for serial in found.serials() if serial % 7 == (1 << 126) % 7) == count
        assert tracemalloc.get_traced_memory()[1] < len(content) + 1024 * 1024
    finally:
        tracemalloc.stop()
