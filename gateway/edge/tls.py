"""TLS of the public ports: one strict profile, the certificate and the known names (DESIGN section 6; clause B3)."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from gateway.errors import ConfigurationError

TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and AEAD only; TLS 1.3 has nothing else."""


def server_context(certificate: Path, key: Path, names: Iterable[str]) -> ssl.SSLContext:
    """The context of a listener that answers to `names` (lower case). Raises ConfigurationError for keys that cannot be used.

    A handshake that asks for another name gets the alert `unrecognized_name`; one that asks for none gets the certificate,
    and then only what the Host field says counts. The asked name is kept on the TLS object as `requested_name`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{certificate}: cannot be used with {key} ({error}). Run `gateway check`.") from None
    known = frozenset(names)

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        lower = name.lower().rstrip(".")
        if lower not in known:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.requested_name = lower  # type: ignore[union-attr]  # the TLS object is where a connection's name belongs
        return None

    context.sni_callback = choose
    return context
