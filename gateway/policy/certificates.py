"""Server certificates: what is wrong with one, what it says, and one for a laptop.

The checks are those that decide whether a browser gets a working, confidential connection: the file can be read, the dates hold,
the key fits and nobody else can read it, every name of the listener is covered, the chain is in order. Whether browsers trust the
issuer is not checked: the trust store of the users' machines is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import Fault

# A year, as Mozilla's recommendations have it; Apple's systems accept 825 days from an issuer that the user added.
DEV_VALIDITY = timedelta(days=365)
# A laptop's clock may be behind that of the virtual machine that made the certificate.
DEV_BACKDATED = timedelta(hours=1)
DEV_AUTHORITY = "Gateway development authority, not for production"
DEV_SERVER = "Gateway development server"


@dataclass(frozen=True, slots=True)
class DevAuthority:
    """Where `make_dev_authority` put what it made. `ca_pem` is what a browser must trust."""

    ca_pem: Path
    server_pem: Path
    server_key: Path


@dataclass(frozen=True, slots=True)
class CertificateDescription:
    """What a server certificate says, for people. Times are in UTC; `fingerprint` is the SHA-256 of the DER form, in hex."""

    file: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    days_left: int
    key: str
    fingerprint: str

    def as_dict(self) -> dict[str, object]:
        return {
            "file": self.file,
            "subject": self.subject,
            "issuer": self.issuer,
            "names": list(self.names),
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "days_left": self.days_left,
            "key": self.key,
            "fingerprint_sha256": self.fingerprint,
        }


# ------------------------------------------------------------------------------------------------------------- making


def make_dev_authority(directory: Path, names: Sequence[str], now: datetime) -> DevAuthority:
    """`make_dev_certificates` for one server: `ca.pem`, `server.pem` and `server.key` in `directory`."""
    made = DevAuthority(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    make_dev_certificates(made.ca_pem, {made.server_pem: names}, now)
    return made


def make_dev_certificates(ca_pem: Path, servers: Mapping[Path, Sequence[str]], now: datetime) -> None:
    """Make an authority of one's own, and for each path in `servers` a certificate for its host names (a first label may be `*`).

    The key (mode 0600) is written beside each certificate. Each file is written whole; what was there is replaced. The
    authority's own key is forgotten at once: who trusts `ca_pem` trusts these certificates and can be shown no other.

    Raises ValueError for a server without names, OSError when a file cannot be written.
    """
    if not all(servers.values()):
        raise ValueError("a server certificate needs at least one name")
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        _builder(DEV_AUTHORITY, ca_key.public_key(), ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    for server_pem, names in servers.items():
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in dict.fromkeys(map(str.lower, names))])
        server = (
            _builder(DEV_SERVER, key.public_key(), ca_key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(san, critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        server_pem.parent.mkdir(parents=True, exist_ok=True)
        pkcs8 = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_whole(server_pem.with_suffix(".key"), pkcs8, 0o600)
        _write_whole(server_pem, server.public_bytes(serialization.Encoding.PEM), 0o644)
    ca_pem.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(ca_pem, ca.public_bytes(serialization.Encoding.PEM), 0o644)


def is_dev_certificate(pem: Path) -> bool:
    """Whether `make_dev_certificates` made this: what it did not make, it must not replace. False for what cannot be read."""
    try:
        return _load_chain(pem)[0].issuer == _name(DEV_AUTHORITY)
    except (OSError, ValueError, UnsupportedAlgorithm):
        return False


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: str, public_key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    """What both certificates have in common (RFC 5280 section 4.2.1)."""
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(DEV_AUTHORITY))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DEV_BACKDATED)
        .not_valid_after(now + DEV_VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _write_whole(path: Path, content: bytes, mode: int) -> None:
    """Write beside it, make it durable, rename: a reader sees the old file or the new one, and the mode from the first byte on."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


# ----------------------------------------------------------------------------------------------------------- checking


def inspect_server_certificate(pem: Path, key: Path, names: Sequence[str], now: datetime) -> list[Fault]:
    """Every fault of the certificate chain in `pem` and its private `key`, for a listener that answers to `names`.

    Reads both files. An empty list means that a client which trusts the issuer gets a connection.
    """
    faults, private = _inspect_key(key)
    try:
        chain = _load_chain(pem)
    except FileNotFoundError:
        return [*faults, Fault(str(pem), "", "the certificate is missing", "Put it there, or run: gateway certs dev")]
    except OSError as error:
        return [*faults, _unreadable(pem, "the certificate", error)]
    except (ValueError, UnsupportedAlgorithm):
        return [*faults, Fault(str(pem), "", "this is not a certificate in PEM form", _REPLACE)]
    if private is not None and private.public_key() != chain[0].public_key():
        what = f"the private key does not fit {pem.name}"
        faults.append(Fault(str(key), "", what, "Put the key of this certificate there"))
    return [*faults, *_inspect_chain(pem, chain, now), *_inspect_purpose(pem, chain[0], names)]


def describe(pem: Path, now: datetime) -> CertificateDescription:
    """What the first certificate in `pem` says. Raises OSError, ValueError or UnsupportedAlgorithm when there is
    none to read."""
    leaf = _load_chain(pem)[0]
    return CertificateDescription(
        file=str(pem),
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        names=_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        days_left=(leaf.not_valid_after_utc - now).days,
        key=_key_type(leaf.public_key()),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def _load_chain(pem: Path) -> list[x509.Certificate]:
    chain = x509.load_pem_x509_certificates(pem.read_bytes())
    for certificate in chain:  # the library parses these at first use: whatever is broken, let it show here
        _ = certificate.extensions, certificate.public_key()
    return chain


_REPLACE = "Replace it by the chain that the issuer delivered: the server's certificate first"


def _unreadable(path: Path, what: str, error: OSError) -> Fault:
    return Fault(
        str(path), "", f"{what} cannot be read ({error.strerror})", "Let the service's user read it, and nobody else"
    )


def _inspect_key(key: Path) -> tuple[list[Fault], PrivateKeyTypes | None]:
    where = str(key)
    try:
        mode = key.stat().st_mode & 0o777
        content = key.read_bytes()
    except FileNotFoundError:
        mend = "Put it beside its certificate, readable by the service only"
        return [Fault(where, "", "the private key is missing", mend)], None
    except OSError as error:
        return [_unreadable(key, "the private key", error)], None
    faults = []
    if mode & 0o077:
        faults.append(Fault(where, "", f"others can read the private key (mode {mode:04o})", f"Run: chmod 600 {key}"))
    try:
        return faults, serialization.load_pem_private_key(content, password=None)
    except TypeError:
        mend = "Store it without a passphrase, readable by the service only"
        return [*faults, Fault(where, "", "the private key is encrypted", mend)], None
    except (ValueError, UnsupportedAlgorithm):
        mend = "Replace it by the key of the certificate"
        return [*faults, Fault(where, "", "this is not a private key in PEM form", mend)], None


def _inspect_chain(pem: Path, chain: Sequence[x509.Certificate], now: datetime) -> list[Fault]:
    faults = []
    for number, certificate in enumerate(chain, 1):
        where = f"certificate {number}"
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now < start:
            faults.append(
                Fault(str(pem), where, f"it is not valid before {start:%Y-%m-%d %H:%M} UTC", "Check the clock, or wait")
            )
        if now > end:
            faults.append(
                Fault(str(pem), where, f"it expired on {end:%Y-%m-%d %H:%M} UTC", "Renew it, then: gateway reload")
            )
    for number, (certificate, issuer) in enumerate(pairwise(chain), 1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            what = f"it is not the issuer of certificate {number}"
            faults.append(Fault(str(pem), f"certificate {number + 1}", what, _REPLACE))
    return faults


def _inspect_purpose(pem: Path, leaf: x509.Certificate, names: Sequence[str]) -> list[Fault]:
    faults = []
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.SERVER_AUTH not in usages:
            what = "it is not meant for a server (extended key usage without serverAuth)"
            faults.append(Fault(str(pem), "certificate 1", what, _REPLACE))
    except x509.ExtensionNotFound:
        pass  # a certificate without the extension serves every purpose (RFC 5280 section 4.2.1.12)
    covered = _names(leaf)
    faults += [
        Fault(str(pem), "certificate 1", f"it does not cover {name}", "Ask for a certificate with this name as dNSName")
        for name in names
        if not any(covers_name(pattern, name.lower()) for pattern in covered)
    ]
    return faults


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names that browsers compare: dNSName in the SAN, never the common name (RFC 9525 section 6)."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in san.get_values_for_type(x509.DNSName))


def covers_name(pattern: str, name: str) -> bool:
    """A wildcard stands for exactly one label, the first (RFC 9525 section 6.3)."""
    if pattern.startswith("*."):
        label, _, rest = name.partition(".")
        return label != "" and rest == pattern[2:]
    return pattern == name


def _key_type(key: CertificatePublicKeyTypes) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey")
