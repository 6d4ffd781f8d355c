"""What a client's TLS says first: one reading, however it is cut; a fingerprint that a browser keeps; and no surprise from hostile bytes."""

from __future__ import annotations

import random
import ssl
import warnings
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision import Hello
from gateway.edge.hello import (
    MAX_HELLO_BYTES,
    MAX_OPENING_BYTES,
    ClientHello,
    describe_hello,
    grease,
    offered_groups,
    read_client_hello,
    short_hash,
)
from gateway.errors import OpeningError
from tests.edge.hellos import (
    CHROMIUM_ALGORITHMS,
    CHROMIUM_CIPHERS,
    alpn,
    chromium,
    codes,
    hello,
    hello_body,
    message,
    openssl_hello,
    records,
    server_name,
    vector,
)


def read(data: bytes) -> Hello:
    found = read_client_hello(data)
    assert isinstance(found, ClientHello)
    return describe_hello(found)


def test_the_parts_are_hashed_as_the_published_vectors_are() -> None:
    """JA4's specification, its two hashed parts; ours leaves more out, so the second is its text alone."""
    ciphers = "002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
    assert short_hash(ciphers) == "8daaf6152771"
    extensions = "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
    assert short_hash(f"{extensions}_0403,0804,0401,0503,0805,0501,0806,0601") == "e5627efa2ab1"
    assert read(hello(chromium())).fingerprint.startswith("1.3-8daaf6152771-")


def test_a_chromium() -> None:
    assert read(hello(chromium())) == Hello(
        "1.3-8daaf6152771-" + short_hash(
            "0005,000a,000b,000d,0012,0017,002b,002d,0033,ff01_0403,0804,0401,0503,0805,0501,0806,0601"
        ),
        "TLSv1.3", "h2", "dossier.localhost", False,
    )  # fmt: skip


def with_(**changes: bytes | None) -> dict[int, bytes]:
    """A Chromium's extensions with some changed: x0031=b"", x0023=None."""
    extensions = chromium()
    for key, value in changes.items():
        if value is None:
            extensions.pop(int(key[1:], 16), None)
        else:
            extensions[int(key[1:], 16)] = value
    return extensions


@pytest.mark.parametrize(
    "extensions",
    [
        chromium(random=0xFAFA),
        chromium(b"pension.localhost"),
        dict(sorted(chromium().items(), key=lambda item: item[0] * 7919 % 104729)),
        with_(x0010=alpn(b"http/1.1"), x44cd=None),
        with_(x0010=None, x44cd=None),
        with_(x0015=bytes(200)),
        with_(x0023=bytes(100)),
        with_(x0023=None, x0029=b"\0\0", x002a=b""),
        with_(x002c=b"\0\1x"),
        with_(x4469=b"\0\3\2h2", x44cd=None),
        with_(x0000=None),
        with_(x001b=None),
    ],
    ids=["grease", "name", "order", "websocket", "no-alpn", "padding", "ticket", "resumed", "cookie", "old-alps", "no-name", "retry"],
)  # fmt: skip
def test_what_one_browser_varies_changes_no_fingerprint(extensions: Mapping[int, bytes]) -> None:
    assert read(hello(extensions)).fingerprint == read(hello(chromium())).fingerprint


@pytest.mark.parametrize(
    ("extensions", "ciphers"),
    [
        (with_(x0031=b""), CHROMIUM_CIPHERS),
        (chromium(), CHROMIUM_CIPHERS[1:]),
        (with_(x000d=vector(codes(CHROMIUM_ALGORITHMS[::-1]), 2)), CHROMIUM_CIPHERS),
        (with_(x0012=None), CHROMIUM_CIPHERS),
        (with_(x002b=vector(codes((0x0303,)), 1)), CHROMIUM_CIPHERS),
    ],
    ids=["post-handshake", "ciphers", "algorithms", "extension", "version"],
)
def test_what_tells_families_apart_changes_the_fingerprint(
    extensions: Mapping[int, bytes], ciphers: tuple[int, ...]
) -> None:
    assert read(hello(extensions, ciphers=ciphers)).fingerprint != read(hello(chromium())).fingerprint


def test_the_order_of_ciphers_is_no_mark() -> None:
    shuffled = list(CHROMIUM_CIPHERS)
    random.Random(4).shuffle(shuffled)
    assert read(hello(chromium(), ciphers=(0x2A2A, *shuffled))).fingerprint == read(hello(chromium())).fingerprint


@pytest.mark.parametrize(
    ("version", "extension", "newest"),
    [
        (0x0303, vector(codes((0x0304, 0x0303)), 1), "TLSv1.3"),
        (0x0303, vector(codes((0x5A5A, 0x0303)), 1), "TLSv1.2"),
        (0x0303, vector(codes((0x7F1C,)), 1), ""),
        (0x0303, None, "TLSv1.2"),
        (0x0304, None, "TLSv1.2"),
        (0x0302, None, "TLSv1.1"),
        (0x0301, None, "TLSv1"),
        (0x0300, None, "SSLv3"),
        (0x0001, None, ""),
    ],
)
def test_the_newest_version(version: int, extension: bytes | None, newest: str) -> None:
    extensions = {} if extension is None else {0x002B: extension}
    assert read(hello(extensions, version=version)).newest_version == newest


def test_a_hello_without_any_extension() -> None:
    found = read(hello(None, version=0x0301))
    assert (found.newest_version, found.alpn, found.server_name, found.post_handshake_auth) == (
        "TLSv1",
        "",
        None,
        False,
    )
    assert found.fingerprint.endswith(short_hash("_"))


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        (b"Dossier.LOCALHOST", "dossier.localhost"),
        (b"dossier.localhost.", "dossier.localhost"),
        (b"127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_name_is_lower_case_without_its_last_dot(name: bytes, read_as: str) -> None:
    assert read(hello(chromium(name))).server_name == read_as


def test_the_first_protocol_is_printable() -> None:
    assert read(hello(with_(x0010=alpn(b"\x1a\x1a", b"http/1.1")))).alpn == "http/1.1"
    assert read(hello(with_(x0010=alpn(b"\x1b[2J\xe9")))).alpn == "\\x1b[2J\\xe9"
    assert read(hello(with_(x0010=alpn(b"\x2a\x2a")))).alpn == ""


def test_groups_on_offer() -> None:
    found = read_client_hello(hello(chromium()))
    assert isinstance(found, ClientHello)
    assert offered_groups(found) == (0x11EC, 0x001D, 0x0017, 0x0018)


@pytest.mark.parametrize("code", range(0x0A0A, 0x10000, 0x1010))
def test_grease(code: int) -> None:
    assert grease(code)
    assert not grease(code ^ 1)
    assert not grease(code ^ 0x1000)


def test_openssl_says_what_it_was_told() -> None:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.post_handshake_auth = True
    found = read(openssl_hello("dossier.localhost", context))
    assert (found.newest_version, found.alpn, found.server_name) == ("TLSv1.3", "http/1.1", "dossier.localhost")
    assert found.post_handshake_auth
    assert read(openssl_hello("other.localhost", context)).fingerprint == found.fingerprint
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname = False  # without a name there is none to check, and Debian's ssl says so
    assert read(openssl_hello(None, context)).newest_version == "TLSv1.1"


# --- how it is cut (THREATS row 11) -------------------------------------------------------------------------------------------


@given(st.integers(1, 700), st.integers(0, 64), st.sampled_from([b"\3\1", b"\3\3", b"\3\0"]))
def test_a_fragmented_hello_changes_nothing(size: int, early: int, version: bytes) -> None:
    whole = message(hello_body(chromium()))
    cut = records(whole[:early], max(early, 1), version) + records(whole[early:], size, version)
    assert read(cut) == read(records(whole))


def test_it_asks_for_the_bytes_that_it_needs_and_reads_no_further() -> None:
    data = records(message(hello_body(chromium())), 100)
    have, asked = 0, 0
    while isinstance(found := read_client_hello(data[:have]), int):
        assert have < found <= len(data)
        have, asked = found, asked + 1
    assert have == len(data)
    assert asked <= 2 * (len(data) // 100 + 1)
    assert read_client_hello(data + b"anything that follows") == found


@pytest.mark.parametrize("have", range(0, 230, 7))
def test_what_is_not_whole_is_never_read(have: int) -> None:
    data = hello(chromium())
    needed = read_client_hello(data[:have])
    assert isinstance(needed, int)
    assert have < needed <= len(data)


# --- hostile bytes -------------------------------------------------------------------------------------------------------------

_WHOLE = message(hello_body(chromium()))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "not_tls"),
        (b"\x80\x2e\x01\x00\x02", "not_tls"),
        (b"\x15\3\1\0\2\1\0", "not_tls"),
        (b"\x16\2\0\0\5\1\0\0\1\0", "not_tls"),
        (records(_WHOLE, 100) [:105] + b"\x17\3\3\0\5hello", "not_tls"),
        (records(_WHOLE, 100) [:105] + b"\x15\3\3", "not_tls"),
        (b"\x16\3\1\0\0", "bad_hello"),
        (b"\x16\3\1\x40\x01", "bad_hello"),
        (records(b"\2" + _WHOLE[1:]), "bad_hello"),
        (records(b"\1" + (MAX_HELLO_BYTES - 3).to_bytes(3, "big") + bytes(16)), "bad_hello"),
        (records(message(bytes(33))), "bad_hello"),
        (records(message(b"")), "bad_hello"),
        (hello(chromium(), ciphers=()), "bad_hello"),
        (records(message(hello_body(chromium()) + b"\0")), "bad_hello"),
        (records(message(hello_body(chromium())[:-1])), "bad_hello"),
        (records(message(codes((0x0303,)) + bytes(32) + b"\0" + b"\0\3\1\1\1" + b"\1\0")), "bad_hello"),
        (records(message(hello_body({})[:-2] + vector(b"\0\0\0\0" * 2, 2))), "bad_hello"),
        (records(message(hello_body({})[:-2] + vector(b"\0\0\0", 2))), "bad_hello"),
        (hello(with_(x0000=b"")), "bad_hello"),
        (hello(with_(x0000=vector(b"", 2))), "bad_hello"),
        (hello(with_(x0000=vector(b"\1\0\1x", 2))), "bad_hello"),
        (hello(with_(x0000=server_name(b""))), "bad_hello"),
        (hello(with_(x0000=server_name(b"a" * 256))), "bad_hello"),
        (hello(with_(x0000=server_name(b"a\0.localhost"))), "bad_hello"),
        (hello(with_(x0000=server_name(b"a b"))), "bad_hello"),
        (hello(with_(x0000=server_name("é.be".encode()))), "bad_hello"),
        (hello(with_(x0000=vector((b"\0" + vector(b"a.be", 2)) * 2, 2))), "bad_hello"),
        (hello(with_(x0010=alpn(b""))), "bad_hello"),
        (hello(with_(x0010=b"\0\3\2h2x")), "bad_hello"),
        (hello(with_(x000d=b"\0\1\4")), "bad_hello"),
        (hello(with_(x002b=b"\3\3\4\3")), "bad_hello"),
    ],
)  # fmt: skip
def test_what_is_no_hello(data: bytes, why: str) -> None:
    with pytest.raises(OpeningError) as refused:
        read(data)
    assert refused.value.why == why


def test_records_of_one_byte_cannot_make_it_wait_for_ever() -> None:
    endless = (
        b"\x16\3\1\0\1\1" + b"\x16\3\1\0\1\0" + b"\x16\3\1\0\1\x3f" + b"\x16\3\1\0\1\xf0"
    ) + b"\x16\3\1\0\1x" * 6000
    have, asked, why = 0, 0, ""
    while not why:
        try:
            found = read_client_hello(endless[:have])
        except OpeningError as error:
            why = error.why
        else:
            assert isinstance(found, int)
            assert have < found <= MAX_OPENING_BYTES
            have, asked = found, asked + 1
    assert why == "bad_hello"
    assert 3 < asked < 60


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_hostile_bytes_raise_only_our_errors(junk: bytes, at: int, cut: int) -> None:
    good = hello(chromium())
    for data in (
        junk,
        b"\x16\3\1" + junk,
        records(message(junk)) if junk else b"",
        good[:at] + junk + good[at + cut :],
    ):
        try:
            found = read_client_hello(data)
            if not isinstance(found, int):
                describe_hello(found)
        except OpeningError:
            continue
        else:
            assert not isinstance(found, int) or len(data) < found <= MAX_OPENING_BYTES


@given(st.dictionaries(st.sampled_from(sorted(chromium())), st.binary(max_size=40)), st.binary(max_size=60))
def test_any_extension_may_hold_anything(changed: dict[int, bytes], body: bytes) -> None:
    try:
        found = read(hello({**chromium(), **changed}))
    except OpeningError:
        return
    assert (found.alpn + (found.server_name or "")).isprintable()
