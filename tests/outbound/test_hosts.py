"""Addresses that strangers give: read once, strictly, and compared as values."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OutboundError
from gateway.outbound.hosts import MAX_URL_CHARACTERS, Hosts, Place, parse_place, parse_url

LISTED = Hosts.of(["http://crl.eid.belgium.be", "https://fas.example:8443", "http://[::1]:8080"])


@pytest.mark.parametrize(
    ("text", "place", "path", "query"),
    [
        ("http://ocsp.eid.belgium.be/2", Place("http", "ocsp.eid.belgium.be", 80), "/2", None),
        ("HTTP://OCSP.eID.Belgium.BE./2", Place("http", "ocsp.eid.belgium.be", 80), "/2", None),
        ("https://fas.example", Place("https", "fas.example", 443), "/", None),
        ("https://fas.example:8443/a?b=http://c", Place("https", "fas.example", 8443), "/a", "b=http://c"),
        ("http://[0:0:0:0:0:0:0:1]/", Place("http", "[::1]", 80), "/", None),
        ("https://fas.example?x", Place("https", "fas.example", 443), "/", "x"),
    ],
)
def test_an_address_has_one_reading(text: str, place: Place, path: str, query: str | None) -> None:
    assert parse_url(text) == (place, path, query)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ocsp.eid.belgium.be/2",
        "//ocsp.eid.belgium.be/2",
        "ftp://crl.eid.belgium.be/",
        "file:///etc/passwd",
        "ldap://crl.eid.belgium.be/cn=x",
        "http:crl.eid.belgium.be",
        "http:///crl.eid.belgium.be",
        "http://crl.eid.belgium.be@evil.example/",
        "http://user:password@crl.eid.belgium.be/",
        "http://crl.eid.belgium.be\\@evil.example/",
        "http://evil.example\\.crl.eid.belgium.be/",
        "http://crl.eid.belgium.be#@evil.example/",
        "http://crl.eid.belgium.be/#x",
        "http://crl.eid.belgium.be /",
        " http://crl.eid.belgium.be/",
        "http://crl.eid.belgium.be/\r\nHost: evil.example",
        "http://crl.eid.belgium.be\t/",
        "http://crl.eid%2ebelgium.be/",
        "http://crl.eid.belgium\u3002be/",
        "http://crl.eid.belgium.b\u0435/",
        "http://crl.eid.belgium.be:0/",
        "http://crl.eid.belgium.be:65536/",
        "http://crl.eid.belgium.be:80:80/",
        "http://crl.eid.belgium.be:/",
        "http://[::1/",
        "http://[::1%25lo]/",
        "http://crl..belgium.be/",
        "http://" + "a" * MAX_URL_CHARACTERS,
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(OutboundError) as refused:
        parse_url(text)
    assert refused.value.reason == "unsafe_url"


@pytest.mark.parametrize(
    "text",
    [
        "http://crl.eid.belgium.be/eidc202002.crl",
        "http://CRL.EID.BELGIUM.BE.:80/eidc202002.crl",
        "https://fas.example:8443/token",
        "http://[0::1]:8080/",
    ],
)
def test_a_listed_place_is_allowed_in_every_spelling(text: str) -> None:
    assert LISTED.check(text).place in LISTED


@pytest.mark.parametrize(
    "text",
    [
        "https://crl.eid.belgium.be/",
        "http://crl.eid.belgium.be:8080/",
        "http://crl.eid.belgium.be.evil.example/",
        "http://evil-crl.eid.belgium.be/",
        "http://eid.belgium.be/",
        "http://fas.example:8443/",
        "https://fas.example/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_another_scheme_host_or_port_is_not_allowed(text: str) -> None:
    with pytest.raises(OutboundError) as refused:
        LISTED.check(text)
    assert refused.value.reason == "host_not_allowed"


def test_an_empty_list_allows_nothing() -> None:
    with pytest.raises(OutboundError, match="host_not_allowed"):
        Hosts().check("http://crl.eid.belgium.be/")


@pytest.mark.parametrize("text", ["http://a.example/", "http://a.example/x", "http://a.example?x", "a.example"])
def test_an_entry_of_the_list_is_a_place_alone(text: str) -> None:
    with pytest.raises(OutboundError, match="unsafe_url"):
        parse_place(text)


def test_a_place_is_written_without_the_port_that_its_scheme_means() -> None:
    assert [str(place) for place in LISTED] == [
        "http://[::1]:8080",
        "http://crl.eid.belgium.be",
        "https://fas.example:8443",
    ]


_PIECES = st.one_of(
    st.sampled_from(["http", "https", "://", "a", "evil.example", "crl.eid.belgium.be", "80", "::1", "\u3002", "\t"]),
    st.sampled_from(list(":/@\\#?%.[] \x00-_;")),
)


@given(st.lists(_PIECES, max_size=9).map("".join))
def test_whatever_is_allowed_another_reader_reads_alike(text: str) -> None:
    try:
        url = LISTED.check(f"http://{text}")
    except OutboundError:
        return
    other = urlsplit(url.text)
    assert (other.scheme, other.hostname, other.port or 80) == ("http", url.place.host.strip("[]"), url.place.port)
    assert parse_url(url.text) == url
