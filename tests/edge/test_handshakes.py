"""Words and alerts of a failed handshake."""

from __future__ import annotations

import ssl

import pytest

from gateway.edge.handshakes import alert_of, handshake_fault


def tls(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "whatever")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (tls("UNSUPPORTED_PROTOCOL"), "protocol_too_old"),
        (tls("NO_SHARED_CIPHER"), "no_common_cipher"),
        (tls("NO_SUITABLE_KEY_SHARE"), "no_common_cipher"),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), "certificate_refused_by_client"),
        (tls("SSLV3_ALERT_CERTIFICATE_EXPIRED"), "certificate_refused_by_client"),
        (tls("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), "decryption_failed_or_bad_record_mac"),
        (tls(None), "tls"),
        (ssl.SSLCertVerificationError(1, "x"), "certificate_refused"),
        (TimeoutError(), "too_slow"),
        (ConnectionAbortedError(), "too_slow"),
        (ConnectionResetError(), "broken_off"),
        (OSError(5, "x"), "broken_off"),
    ],
)
def test_words(error: BaseException, word: str) -> None:
    assert handshake_fault(error) == word


@pytest.mark.parametrize(
    ("word", "alert"),
    [("no_common_cipher", 40), ("protocol_too_old", 70), ("unknown_name", 112), ("bad_hello", 50), ("not_tls", None)],
)
def test_alerts(word: str, alert: int | None) -> None:
    assert alert_of(word) == (b"" if alert is None else b"\x15\x03\x03\x00\x02\x02" + bytes([alert]))
