"""Why a handshake failed, in words that are ours, and the alert that tells the client. Pure."""

from __future__ import annotations

import ssl
from typing import Final

NEW_ENOUGH: Final = frozenset({"TLSv1.2", "TLSv1.3"})
"""Newest versions on offer with which a handshake is begun at all (DESIGN section 6)."""


def handshake_fault(error: BaseException) -> str:
    """A word for the ledger: nothing of what the client sent is repeated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate_refused"
    if isinstance(error, ssl.SSLError):
        return _TLS_FAULTS.get(error.reason or "", (error.reason or "tls").lower())
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return "too_slow"
    return "broken_off"


def alert_of(why: str) -> bytes:
    """The alert record for what is found wrong in the ClientHello: nothing is encrypted at that point. Empty where none is owed."""
    alert = _ALERTS.get(why)
    return b"" if alert is None else _FATAL + bytes([alert])


_TLS_FAULTS = {
    "UNSUPPORTED_PROTOCOL": "protocol_too_old",
    "VERSION_TOO_LOW": "protocol_too_old",
    "INAPPROPRIATE_FALLBACK": "protocol_too_old",
    "NO_SHARED_CIPHER": "no_common_cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no_common_cipher",
    "NO_SUITABLE_KEY_SHARE": "no_common_cipher",
    "NO_SHARED_GROUPS": "no_common_cipher",
    "NO_APPLICATION_PROTOCOL": "no_common_protocol",
    "CALLBACK_FAILED": "unknown_name",
    "UNRECOGNIZED_NAME": "unknown_name",
    "TLSV1_UNRECOGNIZED_NAME": "unknown_name",
    "UNEXPECTED_EOF_WHILE_READING": "broken_off",
    "SSLV3_ALERT_BAD_CERTIFICATE": "certificate_refused_by_client",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "certificate_refused_by_client",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "certificate_refused_by_client",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "certificate_refused_by_client",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "certificate_refused_by_client",
    "TLSV1_ALERT_UNKNOWN_CA": "certificate_refused_by_client",
    "TLSV1_ALERT_USER_CANCELLED": "broken_off",
}

_FATAL: Final = b"\x15\x03\x03\x00\x02\x02"
"""The head of an unencrypted alert record, level fatal (RFC 8446 sections 5.1 and 6)."""
_ALERTS: Final[dict[str, int]] = {
    "no_common_cipher": ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE,
    "protocol_too_old": ssl.ALERT_DESCRIPTION_PROTOCOL_VERSION,
    "unknown_name": ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME,
    "bad_hello": ssl.ALERT_DESCRIPTION_DECODE_ERROR,
}
