"""An authority for cards with what it takes to ask about them: its responder (OpenSSL's own) and its list."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from gateway.credentials.certificate import PersonCertificate, verify
from gateway.credentials.certificate_chain import key_fingerprint
from gateway.credentials.certificate_profile import Profile

INSZ = "85073003328"
POLICY = "2.16.56.12.1.1.2.2"
DAY = dt.timedelta(days=1)


class CardAuthority:
    """A root, an authority below it, and the cards that it issues, around the moment `now` (Unix seconds)."""

    def __init__(self, now: float, name: str = "Citizen CA") -> None:
        self.now = dt.datetime.fromtimestamp(int(now), dt.UTC)
        self.root_key, self.key, self.responder_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self.root_name = _name("Test Root", "BE")
        self.name = _name(name, "BE")
        self.root = self._signed_by_root(self.root_name, self.root_key, path_length=1)
        self.certificate = self._signed_by_root(self.name, self.key, path_length=0)
        self.responder = self.issue_responder(self.key)
        self.cards: list[x509.Certificate] = []

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def profile(self) -> Profile:
        """What takes these cards for cards."""
        files = {"root": self.root.public_bytes(Encoding.PEM), "authority": self.certificate.public_bytes(Encoding.PEM)}
        return Profile.read(files, {key_fingerprint(self.root)}, {POLICY: "citizen"})

    def issue(
        self,
        ocsp: Iterable[str] = (),
        lists: Iterable[str] = (),
        *,
        insz: str = INSZ,
        days: float = 30,
        serial: int | None = None,
    ) -> PersonCertificate:
        """A card, verified as a door verifies it; it names these responders and lists."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "BE"),
                x509.NameAttribute(NameOID.COMMON_NAME, "An Janssens (Authentication)"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, insz),
            ]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(subject, self.name, key, self.now - DAY, self.now + days * DAY, serial)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(
                x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(POLICY), None)]), critical=False
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if described := [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
            for url in ocsp
        ]:
            builder = builder.add_extension(x509.AuthorityInformationAccess(described), critical=False)
        if points := [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in lists]:
            builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
        card = builder.sign(self.key, hashes.SHA256())
        self.cards.append(card)
        return verify([card.public_bytes(Encoding.DER), self.der], self.profile(), self.now.timestamp())

    def issue_responder(self, signer: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """The certificate of a responder; it is authorised when `signer` is the authority's own key."""
        return (
            _builder(_name("Responder", "BE"), self.name, self.responder_key, self.now - DAY, self.now + 30 * DAY)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
            .add_extension(x509.OCSPNoCheck(), critical=False)
            .sign(signer, hashes.SHA256())
        )

    def list_of(
        self,
        *revoked: PersonCertificate,
        signer: ec.EllipticCurvePrivateKey | None = None,
        issued: float = 0.0,
        holds: float = 86_400.0,
    ) -> bytes:
        """The authority's list (DER), issued so many seconds after `now`, good for so many more."""
        issued_at = self.now + dt.timedelta(seconds=issued)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(issued_at)
            .next_update(issued_at + dt.timedelta(seconds=holds))
        )
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(int(certificate.serial, 16))
                .revocation_date(issued_at)
                .build()
            )
        return builder.sign(signer or self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    @asynccontextmanager
    async def responding(
        self, directory: Path, revoked: Iterable[PersonCertificate] = (), *, responder: x509.Certificate | None = None
    ) -> AsyncIterator[None]:
        """OpenSSL's responder on `self.port`, for as long as the block lasts; it knows the cards issued until now."""
        gone = {certificate.thumbprint for certificate in revoked}
        rows = []
        for card in self.cards:
            end = f"{card.not_valid_after_utc:%y%m%d%H%M%SZ}"
            is_gone = card.fingerprint(hashes.SHA256()).hex() in gone
            state = ("R", end, f"{self.now:%y%m%d%H%M%SZ}") if is_gone else ("V", end, "")
            number = f"{card.serial_number:X}"
            rows.append("\t".join((*state, number.zfill(len(number) + len(number) % 2), "unknown", f"/CN={number}")))
        (directory / "index.txt").write_text("".join(f"{row}\n" for row in rows))
        for name, content in (
            ("ca.pem", self.certificate.public_bytes(Encoding.PEM)),
            ("responder.pem", (responder or self.responder).public_bytes(Encoding.PEM)),
            (
                "responder.key",
                self.responder_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            ),
        ):
            (directory / name).write_bytes(content)
        process = await asyncio.create_subprocess_exec(
            "openssl", "ocsp", "-index", "index.txt", "-port", str(self.port), "-CA", "ca.pem", "-rsigner",
            "responder.pem", "-rkey", "responder.key", "-nmin", "60", "-ignore_err",
            cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        try:
            await _listening(process.stdout)
            yield
        finally:
            process.kill()
            await process.wait()

    port = 0
    """Where its responder listens; a test picks a free one before it issues cards."""

    @property
    def responder_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _signed_by_root(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, path_length: int) -> x509.Certificate:
        return (
            _builder(name, self.root_name, key, self.now - 300 * DAY, self.now + 300 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()), critical=False
            )
            .sign(self.root_key, hashes.SHA256())
        )


async def _listening(said: asyncio.StreamReader | None) -> None:
    """Until it says so: a connection that asks nothing would keep it waiting for the question."""
    assert said is not None
    heard = b""
    async with asyncio.timeout(20):
        while line := await said.readline():
            heard += line
            if b"waiting for OCSP client connections" in line:
                return
    raise AssertionError(f"the responder does not listen: {heard!r}")


def _name(common: str, country: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, country), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: dt.datetime,
    end: dt.datetime,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _usage(**given: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{**dict.fromkeys(every, False), **given})
