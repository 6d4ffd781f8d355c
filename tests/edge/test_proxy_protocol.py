"""The PROXY protocol: the header exactly, in any pieces, and nothing but our error from anything else."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.proxy_protocol import (
    MAX_HEADER_BYTES,
    MAX_LINE_BYTES,
    SIGNATURE_2,
    ProxyHeader,
    looks_like_proxy,
    read_proxy_header,
)
from gateway.errors import OpeningError

FOUR = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + b"\x10\x92\x01\xbb"
SIX = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + b"\x10\x92\x01\xbb"


def version_2(command: int, family: int, content: bytes) -> bytes:
    return SIGNATURE_2 + bytes([command, family]) + len(content).to_bytes(2, "big") + content


GOOD = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:DB8::1 4242 443\r\n", "2001:db8::7"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n", "192.0.2.7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f... and whatever\r\n", None),
    (version_2(0x21, 0x11, FOUR), "192.0.2.7"),
    (version_2(0x21, 0x21, SIX), "2001:db8::7"),
    (version_2(0x21, 0x11, FOUR + b"\x01\x00\x02h2" + b"\x04\x00\x00"), "192.0.2.7"),
    (version_2(0x20, 0x00, b""), None),
    (version_2(0x20, 0x11, FOUR), None),
    (version_2(0x21, 0x00, b"x" * 200), None),
]


@pytest.mark.parametrize(("data", "address"), GOOD)
def test_the_header_and_not_a_byte_more(data: bytes, address: str | None) -> None:
    assert read_proxy_header(data) == ProxyHeader(len(data), address)
    assert read_proxy_header(data + b"\x16\3\1 what follows\r\n") == ProxyHeader(len(data), address)
    assert looks_like_proxy(data)
    for have in range(len(data)):
        needed = read_proxy_header(data[:have])
        assert isinstance(needed, int)
        assert have < needed <= len(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x16\3\1\2\0\1", "proxy_header_missing"),
        (b"GET / HTTP/1.1\r\n", "proxy_header_missing"),
        (b"proxy TCP4 ", "proxy_header_missing"),
        (b"PROXX", "proxy_header_missing"),
        (b"\r\n\r\n\0\r\nQUIX", "proxy_header_missing"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\n\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.07 198.51.100.1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.300 198.51.100.1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 65536\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 04242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.7  198.51.100.1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 2001:db8::7 2001:db8::1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP4 192.0.2.7 2001:db8::1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP6 192.0.2.7 198.51.100.1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "bad_proxy_header"),
        (b"PROXY UDP4 192.0.2.7 198.51.100.1 4242 443\r\n", "bad_proxy_header"),
        (b"PROXY TCP4\r\n", "bad_proxy_header"),
        (b"PROXY UNKNOWN\x00\r\n", "bad_proxy_header"),
        (b"PROXY " + b"x" * MAX_LINE_BYTES, "bad_proxy_header"),
        (version_2(0x21, 0x11, FOUR[:-1]), "bad_proxy_header"),
        (version_2(0x21, 0x21, SIX[:-1]), "bad_proxy_header"),
        (version_2(0x21, 0x12, FOUR), "bad_proxy_header"),
        (version_2(0x21, 0x31, bytes(216)), "bad_proxy_header"),
        (version_2(0x22, 0x11, FOUR), "bad_proxy_header"),
        (version_2(0x11, 0x11, FOUR), "bad_proxy_header"),
        (version_2(0x21, 0x11, bytes(MAX_HEADER_BYTES)), "bad_proxy_header"),
    ],
)
def test_what_is_no_header(data: bytes, why: str) -> None:
    with pytest.raises(OpeningError) as refused:
        read_proxy_header(data)
    assert refused.value.why == why


@given(
    st.binary(max_size=120), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE_2, SIGNATURE_2 + b"\x21\x11"])
)
def test_hostile_bytes_raise_only_our_errors(junk: bytes, start: bytes) -> None:
    data = start + junk
    try:
        found = read_proxy_header(data)
    except OpeningError:
        return
    if isinstance(found, int):
        assert found > len(data)
    else:
        assert found.length <= len(data)
        assert found.address is None or str(ip_address(found.address)) == found.address
