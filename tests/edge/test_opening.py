"""How a connection begins: TLS, HTTP in the clear, or nothing that is ours to serve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.hello import ClientHello
from gateway.edge.opening import ClearText, read_opening
from gateway.edge.proxy_protocol import SIGNATURE_2
from gateway.errors import OpeningError
from tests.edge.hellos import chromium, hello


def test_tls() -> None:
    assert isinstance(read_opening(hello(chromium())), ClientHello)
    assert read_opening(b"") == 1
    assert read_opening(b"\x16") == 9


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"GET / HTTP/1.1\r\n", False),
        (b"HEAD / HTTP/1.1\r\n", True),
        (b"get / HTTP/1.1\r\n", False),
        (b"CONNECT a:443 HTTP/1.1\r\n", False),
        (b"UPDATEREDIRECTREF ", False),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", False),
    ],
)
def test_http_in_the_clear(data: bytes, head: bool) -> None:
    assert read_opening(data) == ClearText(head)
    for have in range(1, data.index(b" ") + 1):
        assert read_opening(data[:have]) == have + 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_tls"),
        (b"\0\1\2\3", "not_tls"),
        (b"\r\n\r\n", "not_tls"),
        (b"A" * 21, "not_tls"),
        (b"GET\t/", "not_tls"),
        (b"\x80\x2e\x01", "not_tls"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "proxy_header_refused"),
        (SIGNATURE_2 + b"\x21\x11\0\x0c", "proxy_header_refused"),
    ],
)
def test_anything_else(data: bytes, why: str) -> None:
    with pytest.raises(OpeningError) as refused:
        read_opening(data)
    assert refused.value.why == why


@given(st.binary(min_size=1, max_size=200))
def test_hostile_bytes_raise_only_our_errors(data: bytes) -> None:
    try:
        found = read_opening(data)
    except OpeningError:
        return
    assert not isinstance(found, int) or found > len(data)
