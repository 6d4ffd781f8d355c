"""TLS of the public ports: one strict profile, and the certificates that each name has (DESIGN section 6; clause B3).

Several certificates stand side by side, for names or for kinds of key (ECDSA for today's clients, RSA for older ones): names with the
same certificates share a context, and OpenSSL picks the kind that the client can verify.

**Tickets.** A context has random keys for session tickets from its making on, so contexts are made before workers are forked, and all
workers resume what one began. Python can neither set nor change those keys. So each set of names has a row of contexts, one a day,
made beforehand; all workers go to the next one at the same moment (ADR 0011). OpenSSL accepts a ticket for two hours.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from gateway.errors import ConfigurationError
from gateway.policy.certificates import describe
from gateway.policy.sections import CertificatePair
from gateway.policy.server_names import certificates_of_names

TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and AEAD only; TLS 1.3 has nothing else."""
TICKET_KEY_SECONDS: Final = 86_400.0
"""How long one key seals tickets: who steals it later can open the resumed TLS 1.2 connections of one day, and no more."""
TICKET_KEYS: Final = 100
"""Keys made beforehand, 12 KiB each and set of names. After as many days without a restart each worker makes its own."""


class ServerCertificate(NamedTuple):
    """A certificate chain and its key, as read; `kind` is the key's ("EC", "RSA"), `ends` Unix seconds."""

    file: Path
    pem: bytes
    key: bytes
    names: tuple[str, ...]
    kind: str
    ends: float


def read_certificates(pairs: Iterable[CertificatePair]) -> tuple[ServerCertificate, ...]:
    """Read and try each pair: what is returned can be used. Raises ConfigurationError."""
    return tuple(map(_read, pairs))


def _read(pair: CertificatePair) -> ServerCertificate:
    try:
        told = describe(pair.pem, datetime.now(UTC))
        found = ServerCertificate(
            pair.pem, pair.pem.read_bytes(), pair.key.read_bytes(), told.names, told.key.split()[0],
            told.not_after.timestamp(),
        )  # fmt: skip
        _load(_new_context(), found)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigurationError(
            f"{pair.pem}: cannot be used with {pair.key} ({error}). Run `gateway check`."
        ) from None
    return found


class ServerContexts:
    """The contexts of one listener. Made before workers are forked; used on the event loop's thread alone."""

    def __init__(
        self, names: Iterable[str], certificates: Sequence[ServerCertificate], ticket_keys: int = TICKET_KEYS
    ) -> None:
        """`ticket_keys` are made now for each set of names."""
        self._ticket_keys = ticket_keys
        self.certificates: tuple[ServerCertificate, ...] = ()
        self._rows: list[_Row] = []
        self._by_name: dict[str, _Row] = {}
        self._key = 0
        self.renew(names, certificates)

    def choose(self, name: str | None) -> ssl.SSLContext | None:
        """The context for the name that a client asks for; None when it is not ours.

        Without a name it is that of the first certificate, and then only what the Host field says counts.
        """
        row = self._rows[0] if name is None else self._by_name.get(name)
        return None if row is None else row.contexts[self._key]

    def renew(self, names: Iterable[str], certificates: Sequence[ServerCertificate]) -> None:
        """Serve these names with these certificates, from the next handshake on. Connections stay, and so do tickets where a name's
        kinds of certificates are the same as before: its context then only gets other certificates.
        """
        rows: list[_Row] = []
        taken: set[int] = set()
        for group, numbers in grouped_by_certificates(sorted(names), certificates):
            chains = [certificates[number] for number in numbers]
            row = self._by_name.get(group[0])
            if row is None or id(row) in taken or row.kinds != {chain.kind for chain in chains}:
                # Made after the fork: its tickets are good in one worker, until the next start.
                row = _Row(self._key, self._ticket_keys)
            taken.add(id(row))
            row.take(group, chains, self._key)
            rows.append(row)
        self._rows = rows
        self._by_name = {name: row for row in rows for name in row.names}
        self.certificates = tuple(certificates)

    def rotate(self, key: int) -> None:
        """Seal tickets with the key of this number from now on: days since the start, the same in all workers."""
        for row in self._rows:
            row.rotate(key)
        self._key = key


class _Row:
    """Contexts of one set of names, by the number of their key."""

    def __init__(self, first: int, count: int) -> None:
        self.names: frozenset[str] = frozenset()
        self.kinds: set[str] = set()
        self.contexts = {key: self._make() for key in range(first, first + count)}
        self._chains: list[ServerCertificate] = []

    def _make(self) -> ssl.SSLContext:
        context = _new_context()
        context.sni_callback = self._meet
        return context

    def take(self, names: Iterable[str], chains: list[ServerCertificate], key: int) -> None:
        self.names = frozenset(names)
        self.kinds = {chain.kind for chain in chains}
        self._chains = chains
        for chain in chains:
            _load(self.contexts[key], chain)

    def rotate(self, key: int) -> None:
        context = self.contexts.get(key) or self.contexts.setdefault(key, self._make())
        for chain in self._chains:
            _load(context, chain)
        for old in [number for number in self.contexts if number < key]:
            del self.contexts[old]

    def _meet(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
        """OpenSSL has read the name: it must be one that this context was chosen for, whatever our own reading was."""
        if name is None:
            return None
        lower = name.lower().rstrip(".")
        if lower not in self.names:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.requested_name = lower  # type: ignore[union-attr]  # the TLS object is where a connection's name belongs
        return None


def grouped_by_certificates(
    names: Sequence[str], certificates: Sequence[ServerCertificate]
) -> Iterator[tuple[list[str], list[int]]]:
    """Names that have the same certificates, those of the first certificate first. A name that none covers has the first one."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, numbers in certificates_of_names(names, [certificate.names for certificate in certificates]).items():
        groups.setdefault(numbers or (0,), []).append(name)
    for numbers in sorted(groups):
        yield groups[numbers], list(numbers)


class _Direct(ssl.SSLObject):
    """What uvloop calls for each record, without the Python function that `ssl` puts around it: four calls of a small request."""

    read = property(lambda self: self._sslobj.read)
    write = property(lambda self: self._sslobj.write)
    pending = property(lambda self: self._sslobj.pending)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Direct
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    return context


def _load(context: ssl.SSLContext, chain: ServerCertificate) -> None:
    """OpenSSL takes files only. What was read and tried is what it gets, whatever has become of the files since."""
    with in_memory(chain.pem) as pem, in_memory(chain.key) as key:
        context.load_cert_chain(pem, key, password="")


@contextmanager
def in_memory(content: bytes) -> Iterator[str]:
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
