"""Keys and certificates that the settings and the table name: there, readable by the service only, and fit for use.

The service does not start with bad ones (THREATS row 10): `require_material` is for `prepare`, `inspect_material` for `check`.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import Fault
from gateway.outbound.role_question import read_password
from gateway.policy.cards import card_faults
from gateway.policy.certificates import describe, inspect_server_certificate
from gateway.policy.faults import readable, run_checks
from gateway.policy.providers import load_client_key, load_client_secret
from gateway.policy.schema import TransactionFile
from gateway.policy.sections import Listener, Settings
from gateway.policy.server_names import certificates_of_names
from gateway.policy.settings import SettingsError
from gateway.policy.table import Table

SECRET_BYTES = 32
"""Of the gateway's secret and the records' key: as long as SHA-256's output and an AES-256 key."""

RENEW_DAYS = 30
"""How long before its end a certificate is warned of: what public authorities and their clients use."""


def require_material(settings: Settings, now: float) -> None:
    """Raises SettingsError with every fault of the keys and certificates that the settings name. `now` is Unix seconds."""
    faults = inspect_material(settings, now)
    if faults:
        raise SettingsError(faults)


def inspect_material(settings: Settings, now: float) -> list[Fault]:
    """Every fault of the keys and certificates that the settings name; these may have faults of their own (`read_settings`)."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    found = run_checks((_certificates,), settings, moment)
    found += run_checks(
        (
            _assertion_key,
            _gateway_secret,
            _records_key,
            _pseudonym_key,
            _auditor_key,
            _providers,
            _directory,
            card_faults,
        ),
        settings,
    )
    # Listeners may share a certificate: each fault is told once.
    once = {(fault.file, fault.where, fault.what): fault for fault in found}
    return [_relative(fault, settings.directory) for fault in once.values()]


def _certificates(settings: Settings, now: dt.datetime) -> Iterator[Fault]:
    """Each certificate must be good; each name of a listener needs one that covers it."""
    for listener in settings.listeners:
        if not readable(listener.certificate):
            continue
        faults = [fault for pair in listener.certificates for fault in inspect_server_certificate(*pair, (), now)]
        yield from faults
        if faults or not readable(listener.names):
            continue
        for name in listener.names:
            lacking = [inspect_server_certificate(*pair, (name,), now) for pair in listener.certificates]
            if all(lacking):
                yield from lacking[0][:1]
        yield from _one_of_a_kind(listener, now)


def _one_of_a_kind(listener: Listener, now: dt.datetime) -> Iterator[Fault]:
    """A client is shown the certificate of the kind of key that it can verify: two of one kind for a name leave it to chance."""
    told = [describe(pair.pem, now) for pair in listener.certificates]
    seen: dict[tuple[int, int], str] = {}
    for name, numbers in certificates_of_names(listener.names, [one.names for one in told]).items():
        for first, second in combinations(numbers, 2):
            if told[first].key.split()[0] == told[second].key.split()[0]:
                seen.setdefault((first, second), name)
    for (first, second), name in seen.items():
        kind = told[second].key.split()[0]
        what = f"{listener.certificates[first].pem.name} has a key of the same kind ({kind}) for {name}"
        yield Fault(str(listener.certificates[second].pem), "", what, "Leave one of them out of the listener")


def certificates_ending_soon(settings: Settings, now: float) -> Iterator[str]:
    """A warning for each good server certificate that is due to be renewed."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    for pem in sorted({pair.pem for listener in settings.listeners for pair in listener.certificates}):
        left = describe(pem, moment).days_left
        if left < RENEW_DAYS:
            name = pem.relative_to(settings.directory) if pem.is_relative_to(settings.directory) else pem
            yield f"{name} expires in {left} days"


_MAKE = "Restore it; or, on a new machine, run: gateway init --keys DIR"
_MAKE_ANEW = "Restore it; or move it away and run: gateway init --keys DIR"


def _inspect_secret(path: Path, what: str, make: str = _MAKE) -> Iterator[Fault]:
    try:
        mode = path.stat().st_mode & 0o777
        path.read_bytes()
    except FileNotFoundError:
        yield Fault(str(path), "", f"{what} is missing", make)
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


def _assertion_key(settings: Settings) -> Iterator[Fault]:
    """ES256 is P-256 with SHA-256 (RFC 7518 section 3.4)."""
    path = settings.keys.assertion
    if unfit := list(_inspect_secret(path, "the key that signs assertions")):
        yield from unfit
        return
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        yield Fault(str(path), "", "this is not an EC P-256 private key in PEM form without a passphrase", _MAKE_ANEW)


def _gateway_secret(settings: Settings) -> Iterator[Fault]:
    path = settings.keys.gateway
    if unfit := list(_inspect_secret(path, "the gateway's secret")):
        yield from unfit
        return
    try:
        load_secret(path)
    except ValueError:
        yield Fault(str(path), "", f"this is not {SECRET_BYTES} bytes in hex", _MAKE_ANEW)


def _records_key(settings: Settings) -> Iterator[Fault]:
    path = settings.records.key
    if unfit := list(_inspect_secret(path, "the key of the records")):
        yield from unfit
    elif path.stat().st_size != SECRET_BYTES:
        mend = "Restore the key that the records were made with"
        yield Fault(str(path), "", f"this is not {SECRET_BYTES} random bytes", mend)


def _pseudonym_key(settings: Settings) -> Iterator[Fault]:
    """What is in it, and in the next, is the ledger's to say (`ledger.keys.load_keys`)."""
    yield from _inspect_secret(settings.ledger.pseudonym_key, "the key of the pseudonyms")


def _auditor_key(settings: Settings) -> Iterator[Fault]:
    """Public, so others may read it."""
    path = settings.ledger.auditor_public_key
    if not path.is_file():
        yield Fault(
            str(path),
            "",
            "the auditor's public key is missing",
            "Get it from the auditor; or run: gateway init --keys DIR",
        )


_CLIENT_SECRET = "one line of printable ASCII", "Put there what the provider gave, on one line"
_CLIENT_KEY = (
    "an RSA key of 2048 bits or more, or one of EC P-256, in PEM form without a passphrase",
    "Make one by: openssl ecparam -name prime256v1 -genkey -noout",
)


def _providers(settings: Settings) -> Iterator[Fault]:
    """What proves to each provider of the federation that it is this gateway that asks. Nothing of it is repeated."""
    for provider in settings.providers:
        for path, load, what, (shape, mend) in (
            (provider.client_secret, load_client_secret, "secret", _CLIENT_SECRET),
            (provider.client_key, load_client_key, "key", _CLIENT_KEY),
        ):
            if not readable(path) or path is None:
                continue
            if unfit := list(_inspect_secret(path, f"the client's {what}", mend)):
                yield from unfit
                continue
            try:
                load(path)
            except ValueError:
                yield Fault(str(path), "", f"the client's {what} is not {shape}", mend)


def _directory(settings: Settings) -> Iterator[Fault]:
    """What the directory of roles is verified by, and what proves to it that it is this gateway that asks."""
    roles = settings.roles
    if readable(roles.password_file) and roles.password_file is not None:
        mend = "Write the password of roles.bind_dn into it, on one line"
        if unfit := list(_inspect_secret(roles.password_file, "the directory's password", mend)):
            yield from unfit
        else:
            try:
                read_password(roles.password_file)
            except ValueError:
                yield Fault(str(roles.password_file), "", "there is not one line with a password in it", mend)
    if readable(roles.ca) and roles.ca is not None:
        try:
            ssl.create_default_context(cafile=roles.ca)
        except (OSError, ssl.SSLError):
            mend = "Name a PEM file of the authorities that vouch for the directory"
            yield Fault(str(roles.ca), "", "there are no certificates in it", mend)
    if roles.source == "ldap" and find_spec("bonsai") is None:
        mend = "Run: pip install 'ksz-gateway[ldap]'"
        yield Fault("gateway.toml", "roles.source", "the library for LDAP is not installed", mend)


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
