"""Keys and certificates that the settings and the table name: there, readable by the service only, and fit for use.

The service does not start with bad ones (THREATS row 10): `require_material` is for `prepare`, `inspect_material` for `check`.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import Fault
from gateway.policy.certificates import inspect_server_certificate
from gateway.policy.faults import run_checks
from gateway.policy.schema import TransactionFile
from gateway.policy.sections import Settings
from gateway.policy.settings import SettingsError
from gateway.policy.table import Table

SECRET_BYTES = 32
"""Of the gateway's secret and the records' key: as long as SHA-256's output and an AES-256 key."""


def require_material(settings: Settings, now: float) -> None:
    """Raises SettingsError with every fault of the keys and certificates that the settings name. `now` is Unix seconds."""
    faults = inspect_material(settings, now)
    if faults:
        raise SettingsError(faults)


def inspect_material(settings: Settings, now: float) -> list[Fault]:
    """Every fault of the keys and certificates that the settings name."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    faults: dict[tuple[str, str, str], Fault] = {}
    for listener in settings.listeners:
        # One certificate may serve a part of the names: each name needs one that covers it, each certificate must be good.
        for pair in listener.certificates:
            for fault in inspect_server_certificate(pair.pem, pair.key, (), moment):
                faults[fault.file, fault.where, fault.what] = fault
        whole = [
            pair for pair in listener.certificates if not inspect_server_certificate(pair.pem, pair.key, (), moment)
        ]
        if len(whole) == len(listener.certificates):
            for name in listener.names:
                missing = [inspect_server_certificate(pair.pem, pair.key, (name,), moment) for pair in whole]
                if missing and all(missing):
                    fault = missing[0][0]
                    faults[fault.file, fault.where, fault.what] = fault
    for path, what in _secrets(settings):
        for fault in _inspect_secret(path, what):
            faults[fault.file, fault.where, fault.what] = fault
    for fault in (
        *_inspect_assertion_key(settings.keys.assertion),
        *_inspect_gateway_secret(settings.keys.gateway),
        *_inspect_records_key(settings.records.key),
        *_inspect_auditor_key(settings.ledger.auditor_public_key),
    ):
        faults.setdefault((fault.file, fault.where, fault.what), fault)
    return [_relative(fault, settings.directory) for fault in faults.values()]


_MAKE = "Run: gateway certs dev, for a machine of your own; or put the key there"


def _secrets(settings: Settings) -> Iterator[tuple[Path, str]]:
    yield settings.keys.assertion, "the key that signs assertions"
    yield settings.keys.gateway, "the gateway's secret"
    yield settings.records.key, "the key of the records"
    yield settings.ledger.pseudonym_key, "the key of the pseudonyms"


def _inspect_secret(path: Path, what: str) -> Iterator[Fault]:
    try:
        mode = path.stat().st_mode & 0o777
        path.read_bytes()
    except FileNotFoundError:
        yield Fault(str(path), "", f"{what} is missing", _MAKE)
        return
    except OSError as error:
        yield Fault(
            str(path),
            "",
            f"{what} cannot be read ({error.strerror})",
            "Let the service's user read it, and nobody else",
        )
        return
    if mode & 0o077:
        yield Fault(str(path), "", f"others can read {what} (mode {mode:04o})", f"Run: chmod 600 {path}")


def _inspect_assertion_key(path: Path) -> Iterator[Fault]:
    """ES256 is P-256 with SHA-256 (RFC 7518 section 3.4)."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError:
        return  # told by _inspect_secret
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        yield Fault(
            str(path),
            "",
            "this is not an EC P-256 private key in PEM form, without a passphrase",
            "Move it away; then: gateway certs dev",
        )


def _inspect_gateway_secret(path: Path) -> Iterator[Fault]:
    try:
        load_secret(path)
    except OSError:
        return  # told by _inspect_secret
    except ValueError:
        what = f"this is not {SECRET_BYTES} bytes in hex"
        yield Fault(str(path), "", what, "Move it away; then: gateway certs dev")


def _inspect_records_key(path: Path) -> Iterator[Fault]:
    try:
        length = path.stat().st_size
    except OSError:
        return  # told by _inspect_secret
    if length != SECRET_BYTES:
        yield Fault(
            str(path), "", f"this is not {SECRET_BYTES} random bytes", "Restore the key that the records were made with"
        )


def _inspect_auditor_key(path: Path) -> Iterator[Fault]:
    """Public, so others may read it. What it must hold is the ledger's to say, when it opens."""
    if not path.is_file():
        yield Fault(str(path), "", "the auditor's public key is missing", _MAKE)


def load_secret(path: Path) -> bytes:
    """The 32 bytes of a secret file: 64 hex digits, and a line end. Raises OSError, ValueError."""
    text = path.read_text("ascii").strip()
    if len(text) != 2 * SECRET_BYTES:
        raise ValueError("a secret file has 64 hex digits")
    return bytes.fromhex(text)


def inspect_origins(table: Table, directory: Path, now: float) -> list[Fault]:
    """Every fault of the authorities and client certificates that transactions name for TLS towards their origins."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    faults: list[Fault] = []
    for file, transaction in table.transactions.items():
        faults += run_checks((_origin_authority, _origin_client), file, transaction, moment)
    return [_relative(fault, directory) for fault in faults]


def _origin_authority(file: str, transaction: TransactionFile, now: dt.datetime) -> Iterator[Fault]:
    path = transaction.origin.ca
    if path is None:
        return
    where = "origin.ca"
    try:
        authorities = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        yield Fault(
            file, where, f"{path.name} cannot be read ({error.strerror})", "Put the authority's certificate there"
        )
        return
    except ValueError:
        yield Fault(
            file, where, f"{path.name} holds no certificate in PEM form", "Put the authority's certificate there"
        )
        return
    if all(authority.not_valid_after_utc < now for authority in authorities):
        yield Fault(
            file, where, f"every certificate in {path.name} has expired", "Put the authority's new certificate there"
        )


def _origin_client(file: str, transaction: TransactionFile, now: dt.datetime) -> Iterator[Fault]:
    """The certificate that this gateway shows to an origin; the checks of a server's certificate, but for its purpose."""
    certificate, key = transaction.origin.client_certificate, transaction.origin.client_key
    if certificate is None or key is None:
        return
    where = "origin.client_certificate"
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        yield Fault(file, where, f"{certificate.name} cannot be read ({error.strerror})", "Put the certificate there")
        return
    except ValueError:
        yield Fault(file, where, f"{certificate.name} holds no certificate in PEM form", "Put the certificate there")
        return
    if chain[0].not_valid_after_utc < now:
        yield Fault(file, where, f"{certificate.name} has expired", "Ask the origin's operator for a new one")
    unfit = list(_inspect_secret(key, "the key of the client certificate"))
    yield from unfit
    if not unfit:
        try:
            ssl.create_default_context().load_cert_chain(certificate, key, password="")
        except ssl.SSLError:
            mend = "Put the key of this certificate there, without a passphrase"
            yield Fault(file, "origin.client_key", f"{key.name} does not fit {certificate.name}", mend)


def _relative(fault: Fault, directory: Path) -> Fault:
    """Names of files as the settings write them, where they lie below the configuration directory."""
    path = Path(fault.file)
    if path.is_relative_to(directory):
        return Fault(str(path.relative_to(directory)), fault.where, fault.what, fault.mend)
    return fault
