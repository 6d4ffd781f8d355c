"""ClientHellos for the tests: OpenSSL's own, and ones put together from their parts."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping, Sequence

RECORD = 1 << 14

CHROMIUM_CIPHERS = (
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035,
)  # fmt: skip
CHROMIUM_ALGORITHMS = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)


def vector(value: bytes, width: int) -> bytes:
    return len(value).to_bytes(width, "big") + value


def codes(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def server_name(name: bytes) -> bytes:
    return vector(b"\0" + vector(name, 2), 2)


def alpn(*names: bytes) -> bytes:
    return vector(b"".join(vector(name, 1) for name in names), 2)


def chromium(name: bytes = b"dossier.localhost", random: int = 0x1A1A) -> dict[int, bytes]:
    """The extensions of a Chromium; `random` is the GREASE code of this connection."""
    return {
        random: b"",
        0x0000: server_name(name),
        0x0005: b"\1\0\0\0\0",
        0x000A: vector(codes((random, 0x11EC, 0x001D, 0x0017, 0x0018)), 2),
        0x000B: b"\1\0",
        0x000D: vector(codes(CHROMIUM_ALGORITHMS), 2),
        0x0010: alpn(b"h2", b"http/1.1"),
        0x0012: b"",
        0x0017: b"",
        0x001B: b"\2\0\2",
        0x0023: b"",
        0x002B: vector(codes((random, 0x0304, 0x0303)), 1),
        0x002D: b"\1\1",
        0x0033: vector(b"", 2),
        0x44CD: b"\0\3\2h2",
        0xFF01: b"\0",
    }


def hello_body(
    extensions: Mapping[int, bytes] | None,
    ciphers: Sequence[int] = CHROMIUM_CIPHERS,
    version: int = 0x0303,
    session_id: bytes = b"",
) -> bytes:
    body = codes((version,)) + bytes(32) + vector(session_id, 1) + vector(codes(ciphers), 2) + b"\1\0"
    if extensions is not None:
        body += vector(b"".join(codes((kind,)) + vector(value, 2) for kind, value in extensions.items()), 2)
    return body


def message(body: bytes) -> bytes:
    return b"\1" + vector(body, 3)


def records(data: bytes, size: int = RECORD, version: bytes = b"\3\1") -> bytes:
    """Handshake records of at most `size` bytes each."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"\x16" + version + vector(piece, 2) for piece in pieces)


def hello(extensions: Mapping[int, bytes] | None, **options: object) -> bytes:
    return records(message(hello_body(extensions, **options)))  # type: ignore[arg-type]


def openssl_hello(name: str | None = "dossier.localhost", context: ssl.SSLContext | None = None) -> bytes:
    """What OpenSSL says first, with this name."""
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
