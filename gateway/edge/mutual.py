"""TLS of a listener that asks for a client certificate: the same strict profile, by pyOpenSSL, because Python's `ssl` ends a handshake
on a certificate that does not verify, without a word that a person could read (DESIGN section 10).

The certificate is asked for and not demanded, and whatever is shown is taken: only that the client holds its key is proved here. The
verdict is given afterwards, on a page (issue "Means of authentication", section 1).

**No resumption.** A resumed session would show a certificate that was proved hours ago, and to whichever worker has the keys. On this
listener a handshake is the act of signing in, so each one is whole: no tickets, no cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from gateway.edge.tls import (
    TLS12_CIPHERS,
    ServerCertificate,
    grouped_by_certificates,
    in_memory,
)

PROTOCOL: Final = b"http/1.1"
_SESSIONS: Final = b"gateway"
"""OpenSSL breaks a handshake off when a client offers a session and there is no such name, although none is kept."""


class MutualContexts:
    """The contexts of one listener, as `ServerContexts` has them. A context that was used is never changed: a new one takes its place."""

    def __init__(self, names: Iterable[str], certificates: Sequence[ServerCertificate], authorities: bytes) -> None:
        """`authorities` are the certificates (PEM) of those whose names the client is told, so that a browser offers what they issued and
        nothing else (RFC 8446 section 4.2.4); without any it offers all it has."""
        self.certificates: tuple[ServerCertificate, ...] = ()
        self._first: SSL.Context | None = None
        self._by_name: dict[str, SSL.Context] = {}
        self.renew(names, certificates, authorities)

    def choose(self, name: str | None) -> SSL.Context | None:
        """The context for the name that a client asks for; None when it is not ours. Without a name it is the first certificate's."""
        return self._first if name is None else self._by_name.get(name)

    def renew(self, names: Iterable[str], certificates: Sequence[ServerCertificate], authorities: bytes) -> None:
        """Serve these names with these certificates, from the next handshake on. Connections stay."""
        by_name: dict[str, SSL.Context] = {}
        first: SSL.Context | None = None
        for group, numbers in grouped_by_certificates(sorted(names), certificates):
            context = _new_context(authorities)
            for number in numbers:
                _load(context, certificates[number])
            first = first or context
            by_name |= dict.fromkeys(group, context)
        self._first, self._by_name, self.certificates = first, by_name, tuple(certificates)


def _new_context(authorities: bytes) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(TLS12_CIPHERS.encode("ascii"))
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(_SESSIONS)
    context.set_alpn_select_callback(_select)
    context.set_verify(SSL.VERIFY_PEER, _go_on)
    if authorities:
        with in_memory(authorities) as file:
            context.load_client_ca(file.encode("ascii"))
    return context


def _load(context: SSL.Context, chain: ServerCertificate) -> None:
    with in_memory(chain.pem) as file:
        context.use_certificate_chain_file(file)
    key = load_pem_private_key(chain.key, None)
    context.use_privatekey(key)  # type: ignore[arg-type]  # of a server certificate that OpenSSL has used already: RSA or EC


def _select(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """HTTP/1.1, or no word about it: as on the other listeners, who offers nothing that we speak is not refused for it."""
    # The library's mark for "none" has a private type.
    return PROTOCOL if PROTOCOL in offered else cast(bytes, SSL.NO_OVERLAPPING_PROTOCOLS)


def _go_on(*_: object) -> bool:
    """OpenSSL knows no root here, and finds something wrong with every certificate. What is wrong, our own verification says."""
    return True
