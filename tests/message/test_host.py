"""Authorities (RFC 9110 section 7.2, RFC 3986 section 3.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RequestError
from gateway.message import Authority, parse_authority

ACCEPTED = [
    ("dossier.localhost", "dossier.localhost", None),
    ("Dossier.LOCALHOST:8443", "dossier.localhost", 8443),
    ("dossier.localhost.", "dossier.localhost", None),  # the root's dot, as a browser sends it when it was typed
    ("dossier.localhost.:443", "dossier.localhost", 443),
    ("127.0.0.1:1", "127.0.0.1", 1),
    ("a-b.example:65535", "a-b.example", 65535),
    ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
    ("[::1]", "[::1]", None),
    ("[0:0:0:0:0:0:0:1]:8443", "[::1]", 8443),
    ("[2001:DB8::1]", "[2001:db8::1]", None),
    ("[::ffff:1.2.3.4]", "[::ffff:102:304]", None),
    ("a" * 63 + ".example", "a" * 63 + ".example", None),
]
REFUSED = [
    "",
    ":8443",
    "a.example:",
    "a.example:0",
    "a.example:080",
    "a.example:65536",
    "a.example:99999999",
    "a.example:+80",
    "a.example:-80",
    "a.example:8_0",
    "a.example:8\u0661",
    "a.example:80:80",
    "a.example:http",
    "user@a.example",
    "user:password@a.example",
    "a.example, b.example",
    "a.example b.example",
    "a.example/",
    "a.example?x",
    "a.example#x",
    "a.example\\",
    "a..example",
    "a.example..",
    ".a.example",
    ".",
    "-a.example",
    "a-.example",
    "a_b.example",
    "a%2eexample",
    "a\u00e9.example",
    "\u212a.example",  # KELVIN SIGN, which lower() makes a k
    "a" * 64 + ".example",
    ".".join(["a" * 60] * 5),
    "[::1",
    "::1",
    "[::1]x",
    "[::g]",
    "[:::]",
    "[1.2.3.4]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[v1.a]",
    "[]",
]


@pytest.mark.parametrize(("value", "name", "port"), ACCEPTED)
def test_accepted(value: str, name: str, port: int | None) -> None:
    assert parse_authority(value) == Authority(name, port)


@pytest.mark.parametrize("value", REFUSED)
def test_refused(value: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_authority(value)
    assert caught.value.reason == "malformed"
    assert caught.value.status == 400


@given(st.text(max_size=40) | st.text(alphabet="a1.-:[]%@", max_size=20))
def test_one_spelling_and_only_our_errors(value: str) -> None:
    try:
        name, port = parse_authority(value)
    except RequestError:
        return
    assert name == name.lower()
    assert not name.endswith(".")
    assert parse_authority(name if port is None else f"{name}:{port}") == (name, port)
