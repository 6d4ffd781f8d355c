"""Make the keys that a configuration names and that are not there yet. Nothing that exists is ever touched."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.policy.certificates import make_dev_certificates
from gateway.policy.material import SECRET_BYTES
from gateway.policy.sections import Settings


def make_missing_keys(settings: Settings, now: float) -> list[Path]:
    """Make the server's certificates (for a laptop), the assertion key, the gateway's secret and the records' key.

    Gives the files made, keys with mode 0600. Raises OSError. The ledger makes its own keys (`ledger.keys.make_keys`).
    """
    made = _make_certificates(settings, now)
    for path, content in (
        (settings.keys.assertion, _assertion_key()),
        (settings.keys.gateway, secrets.token_hex(SECRET_BYTES).encode() + b"\n"),
        (settings.records.key, secrets.token_bytes(SECRET_BYTES)),
    ):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_new(path, content)
            made.append(path)
    return made


def _make_certificates(settings: Settings, now: float) -> list[Path]:
    servers: dict[Path, list[str]] = {}
    for listener in settings.listeners:
        for pair in listener.certificates:
            if not pair.pem.exists() and not pair.key.exists():
                servers.setdefault(pair.pem, []).extend(listener.names)
    authority = next(iter(servers)).with_name("ca.pem") if servers else None
    if authority is None or authority.exists():  # a browser may trust it already: `gateway certs dev` makes all anew
        return []
    make_dev_certificates(authority, servers, dt.datetime.fromtimestamp(now, dt.UTC))
    return [authority, *(path for pem in servers for path in (pem, pem.with_suffix(".key")))]


def _assertion_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write beside it, make it durable, give it its name: never half a file, and never over one. Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with naming(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)
        finally:
            partial.unlink()


def write_over(path: Path, content: bytes, mode: int = 0o600) -> None:
    """The same in the place of what is there: whoever reads finds the old file or the new one, also after a power cut. Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with naming(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)  # the name, too, outlives a power cut
        finally:
            os.close(directory)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What goes wrong with the file beside it is told of `path`, which whoever reads it knows. Raises OSError."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
