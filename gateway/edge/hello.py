"""Reads a TLS ClientHello (RFC 8446 section 4.1.2) before OpenSSL does, for what it tells of the client. Pure and bounded.

The bytes are only looked at: OpenSSL reads the same ones again and decides on the handshake alone. How they are cut into
records (RFC 8446 section 5.1) or TCP segments changes nothing (THREATS row 11).

The fingerprint names a family of clients, not a person. It is our own: the parts of a hello that one browser varies from connection to
connection are left out, so that resumption, websockets (other ALPN) and padding do not change it (CLIENTS, measured). It is
`<newest version>-<ciphers>-<extensions>`, the last two the first 12 hex digits of SHA-256 over the sorted hexadecimal codes, with the
signature algorithms in their own order after the extensions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from struct import unpack
from typing import Final, NamedTuple

from gateway.decision import Hello
from gateway.errors import OpeningError

MAX_RECORD_BYTES: Final = 1 << 14
"""RFC 8446 section 5.1."""
MAX_HELLO_BYTES: Final = 1 << 14
"""Browsers send 1.9 to 2.5 kB (CLIENTS), resumption with a client certificate in the ticket a few more."""
MAX_OPENING_BYTES: Final = 2 * MAX_HELLO_BYTES
"""Of a hello with its record headers: as much as is ever peeked at."""

_CLIENT_HELLO = 0x01
_RECORD_HEADER, _MESSAGE_HEADER = 5, 4

SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, ALPN = 0x0000, 0x000A, 0x000D, 0x0010
SUPPORTED_VERSIONS, POST_HANDSHAKE_AUTH = 0x002B, 0x0031

VARYING: Final = frozenset({SERVER_NAME, ALPN, 0x0015, 0x001B, 0x0023, 0x0029, 0x002A, 0x002C, 0x4469, 0x44CD})
"""Extensions that one browser sends or not, by host, resumption and use: name, ALPN, padding, compressed certificates (Firefox 153 leaves
them out when it tries again after a handshake that broke off), ticket, pre-shared key, early data, cookie, application settings (old
and new)."""
_VERSIONS: Final = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
REMEMBERED: Final = 1024
"""Lists of codes whose hash is kept, some hundred bytes each: most connections are from a few dozen families."""
_MAX_NAME_BYTES = 255
"""A host name (RFC 1035 section 2.3.4)."""


class ClientHello(NamedTuple):
    """One ClientHello in its parts: codes as they stand, extensions by type."""

    version: int
    ciphers: tuple[int, ...]
    extensions: dict[int, bytes]


def read_client_hello(data: bytes) -> ClientHello | int:
    """The ClientHello that `data` begins with; or how many bytes there must be, before more can be said.

    Raises OpeningError for what is no ClientHello, or is over the bounds.
    """
    message = _message(data)
    return message if isinstance(message, int) else _parse(message)


def describe_hello(hello: ClientHello) -> Hello:
    """What it tells of its client. Raises OpeningError when a part that is looked at is broken."""
    extensions = hello.extensions
    newest = _newest_version(hello)
    algorithms = _codes(_vector(extensions.get(SIGNATURE_ALGORITHMS, b"\0\0"), 2))
    return Hello(
        f"{newest.removeprefix('TLSv')}-{_ciphers_part(hello.ciphers)}-{_extensions_part(extensions, algorithms)}",
        newest,
        _first_protocol(extensions.get(ALPN)),
        _host_name(extensions.get(SERVER_NAME)),
        POST_HANDSHAKE_AUTH in extensions,
    )


def offered_groups(hello: ClientHello) -> tuple[int, ...]:
    """The key exchange groups on offer (RFC 8446 section 4.2.7), without GREASE."""
    return tuple(
        code for code in _codes(_vector(hello.extensions.get(SUPPORTED_GROUPS, b"\0\0"), 2)) if not grease(code)
    )


def grease(code: int) -> bool:
    """Whether a code is one of those that clients strew in at random (RFC 8701 section 2)."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


# --- records and message -----------------------------------------------------------------------------------------------------


def _message(data: bytes) -> bytes | int:
    """The body of the handshake message at the beginning, put together from its records; or how many bytes are needed.

    What is asked for is what the rest of the message takes at least, so that records of one byte cost no more than some fifty looks.
    """
    at, message, whole = 0, bytearray(), _MESSAGE_HEADER
    while len(message) < whole:
        end = at + _RECORD_HEADER
        if data[at : at + 2] != b"\x16\3"[: len(data) - at]:
            raise OpeningError("not_tls")
        if len(data) >= end:
            length = int.from_bytes(data[at + 3 : end], "big")
            message += data[end : end + length]
            end += length
            if not 0 < length <= MAX_RECORD_BYTES:
                raise OpeningError("bad_hello")
        if message and message[0] != _CLIENT_HELLO:
            raise OpeningError("bad_hello")
        if len(message) >= _MESSAGE_HEADER:
            whole = _MESSAGE_HEADER + int.from_bytes(message[1:4], "big")
        # Of the message, what is not there yet comes after the bytes that are, in this record or behind another header.
        needed = max(end, max(at + _RECORD_HEADER, min(end, len(data))) + whole - len(message))
        if whole > MAX_HELLO_BYTES or needed > MAX_OPENING_BYTES:
            raise OpeningError("bad_hello")
        if len(data) < end:
            return needed
        at = end
    return bytes(message[_MESSAGE_HEADER:whole])


def _parse(body: bytes) -> ClientHello:
    """`body` is what follows the message's header: version, random, session id, ciphers, compression, extensions."""
    if len(body) < 2 + 32:
        raise OpeningError("bad_hello")
    version, at = int.from_bytes(body[:2], "big"), 2 + 32
    _, at = _take(body, at, 1)
    ciphers, at = _take(body, at, 2)
    _, at = _take(body, at, 1)
    if not ciphers:
        raise OpeningError("bad_hello")
    extensions: dict[int, bytes] = {}
    if at < len(body):  # before TLS 1.3 there need not be any
        listed, at = _take(body, at, 2)
        if at != len(body):
            raise OpeningError("bad_hello")
        at = 0
        while at < len(listed):
            kind = int.from_bytes(listed[at : at + 2], "big")
            value, at = _take(listed, at + 2, 2)
            if kind in extensions:  # RFC 8446 section 4.2: two of a type have two readings
                raise OpeningError("bad_hello")
            extensions[kind] = value
    return ClientHello(version, _codes(ciphers), extensions)


def _take(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """The vector at `at` whose length stands before it in `width` bytes, and where it ends (RFC 8446 section 3.4)."""
    start = at + width
    end = start + int.from_bytes(data[at:start], "big")
    if start > len(data) or end > len(data):
        raise OpeningError("bad_hello")
    return data[start:end], end


def _vector(data: bytes, width: int) -> bytes:
    """`data` is one vector and nothing more."""
    value, end = _take(data, 0, width)
    if end != len(data):
        raise OpeningError("bad_hello")
    return value


def _codes(data: bytes) -> tuple[int, ...]:
    if len(data) % 2:
        raise OpeningError("bad_hello")
    return unpack(f">{len(data) // 2}H", data)


# --- what it tells -----------------------------------------------------------------------------------------------------------


def _newest_version(hello: ClientHello) -> str:
    """RFC 8446 section 4.2.1: the extension counts where there is one; else the older field, where nothing is newer than TLS 1.2."""
    offered = hello.extensions.get(SUPPORTED_VERSIONS)
    if offered is None:
        return _VERSIONS.get(min(hello.version, 0x0303), "")
    known = [code for code in _codes(_vector(offered, 1)) if code in _VERSIONS]
    return _VERSIONS[max(known)] if known else ""


@lru_cache(REMEMBERED)
def _ciphers_part(ciphers: tuple[int, ...]) -> str:
    return short_hash(_listed(sorted(ciphers)))


def _extensions_part(extensions: dict[int, bytes], algorithms: tuple[int, ...]) -> str:
    # Sorted first: Chromium shuffles them for each connection.
    return _hash_extensions(tuple(sorted(kind for kind in extensions if kind not in VARYING)), algorithms)


@lru_cache(REMEMBERED)
def _hash_extensions(kinds: tuple[int, ...], algorithms: tuple[int, ...]) -> str:
    return short_hash(f"{_listed(kinds)}_{_listed(algorithms)}")


def _listed(codes: Sequence[int]) -> str:
    return ",".join([f"{code:04x}" for code in codes if not grease(code)])


def short_hash(text: str) -> str:
    """The first 12 hex digits of SHA-256: enough to tell families apart; it keeps nobody from finding another text for it."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]


def _first_protocol(extension: bytes | None) -> str:
    """RFC 7301 section 3.1. The name is a client's: printable ASCII, the rest escaped."""
    if extension is None:
        return ""
    protocols, at = _vector(extension, 2), 0
    while at < len(protocols):
        name, at = _take(protocols, at, 1)
        if not name:
            raise OpeningError("bad_hello")
        if len(name) != 2 or not grease(int.from_bytes(name, "big")):
            return "".join(chr(byte) if 0x20 < byte < 0x7F else f"\\x{byte:02x}" for byte in name)
    return ""


def _host_name(extension: bytes | None) -> str | None:
    """RFC 6066 section 3: one name of type host_name, in lower case here. Absent is None; what no host name can be is an error."""
    if extension is None:
        return None
    listed = _vector(extension, 2)
    if listed[:1] != b"\0":
        raise OpeningError("bad_hello")
    name = _vector(listed[1:], 2)
    if not 0 < len(name) <= _MAX_NAME_BYTES or any(not 0x20 < byte < 0x7F for byte in name):
        raise OpeningError("bad_hello")
    return name.decode("ascii").lower().rstrip(".")
