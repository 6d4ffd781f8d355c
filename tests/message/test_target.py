"""The canonicaliser: tables of what passes, in which form, and what does not, with the attack it belongs to."""

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import RequestError
from gateway.message import Authority, Target, canonical_path, parse_target

SAME = [
    "/",
    "/a",
    "/a/",
    "/a/b.html",
    "/a/.hidden",
    "/a/...",
    "/a/..b",
    "/a/b..",
    "/-._~!$&'()*+,=:@",
    "/caf%C3%A9",
    "/%E2%82%AC",
    "/%F0%9F%98%80",
    "/a%20b",
    "/100%25",
    "/100%25-x",
    "/a%3Bb",
    "/a%3Fb%23c",
    "/%40%3A",
    "/a?",
    "/?",
    "/?a=b",
    "/?/../..//%2e%2e/",
    "/?r=https%3A%2F%2Fa.example%2F..%2f",
    '/?q=[a]{b}|c^d\\e`f"<>;',  # what browsers leave raw in a query
    "/?%zz%",
    "/a?b?c",
    "/.well-known/security.txt",
    "/.gateway/enter?code=x",
]
NORMALISED = [
    ("/%41%62%30%2D%2E%5F%7E", "/Ab0-._~"),  # unreserved are decoded (RFC 3986 section 6.2.2.2)
    ("/caf%c3%a9", "/caf%C3%A9"),  # digits in upper case (section 6.2.2.1)
    ("/%3f%3b", "/%3F%3B"),
    ("/a[1]", "/a%5B1%5D"),  # browsers send these four raw
    ("/a|b^c", "/a%7Cb%5Ec"),
    ("/a%5b1%5d?[x]|^", "/a%5B1%5D?[x]|^"),
    ("/%2525%", None),
    ("/%61?%61", "/a?%61"),  # never in the query
    ("/%2Ehidden", "/.hidden"),
    ("/x%2Ey", "/x.y"),
]
REFUSED = {
    "dot segments": ["/.", "/..", "/./", "/../", "/a/./b", "/a/../b", "/a/..", "/a/.", "/a/..?x", "/..?x", "/../?x"],
    "encoded dot segments": ["/%2e", "/%2E%2e/a", "/a/%2e%2E", "/a/.%2e/b", "/a/%2e./b", "/%2e/"],
    "dots with something behind": ["/a/..%3B/b", "/a/..%3bx/b", "/a/.%20/b", "/a/..%20", "/..%3F/", "/.%23"],
    "encoded separators": ["/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/..%2f..", "/%2f"],
    "controls": ["/%00", "/a%00.html", "/%0d%0a", "/%0A", "/%09", "/%1f", "/%7f", "/%7F"],
    "backslash": ["/a\\b", "/..\\", "\\a"],
    "path parameters": ["/a;b", "/..;/", "/a/;/b", "/;", "/a;jsessionid=1?x"],
    "double encoding": ["/%252e%252e/", "/%252f", "/%255c", "/%2500", "/%25%32%65", "/%25%36%31", "/%2541"],
    "bad percent signs": ["/%", "/%2", "/%g0", "/%u002e", "/a%", "/%%32e", "/%2%65"],
    "overlong or no UTF-8": [
        "/%c0%ae%c0%ae/",
        "/%C0%AF",
        "/%e0%80%af",
        "/%f0%80%80%af",
        "/%ff",
        "/%E9",
        "/%c3",
        "/%ed%a0%80",
    ],
    "empty segments": ["//", "//a", "/a//b", "/a//", "//a.example/b", "///"],
    "raw octets": ["/a b", "/a\tb", "/a\x7f", "/a\x00", "/\u00e9", '/"', "/<>", "/`", "/{a}", "/a\r\n"],
    "fragments": ["/#", "/a#b", "/a?b#c", "#"],
    "queries": ["/?a b", "/?\u00e9", "/?a\x00", "/?a\tb", "/?\x7f", "/?a\nb"],
    "other forms": [
        "",
        "a",
        "a.example:443",
        "*",
        "?a",
        "ftp://a/",
        "http://a.example/",
        "https:/a",
        "https:///a",
        "javascript:alert(1)",
    ],
    "bad authorities": [
        "https://u@a.example/",
        "https://u:p@a.example/",
        "https://a.example:0/",
        "https://a.example:/",
        "https://a b/",
    ],
    "absolute, then unsafe": [
        "https://a.example/../b",
        "https://a.example//b",
        "https://a.example/%2e%2e",
        "https://a.example/#a",
    ],
}


@pytest.mark.parametrize("raw", SAME)
def test_passes_unchanged(raw: str) -> None:
    target = parse_target("GET", raw)
    assert target.encoded == raw
    assert target.authority is None
    assert parse_target("GET", raw.encode("ascii")) == target


@pytest.mark.parametrize(("raw", "canonical"), NORMALISED)
def test_normalised_once(raw: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(RequestError):
            parse_target("GET", raw)
    else:
        assert parse_target("GET", raw).encoded == canonical
        assert parse_target("GET", canonical).encoded == canonical


@pytest.mark.parametrize(("family", "raw"), [(family, raw) for family, rows in REFUSED.items() for raw in rows])
def test_refused(family: str, raw: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_target("GET", raw)
    assert (caught.value.reason, caught.value.status) == ("unsafe_target", 400)
    if len(raw) > 3:
        assert raw not in caught.value.detail  # a target may hold what no line may


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
@pytest.mark.parametrize("raw", ["/", "a.example:443", "*"])
def test_refused_methods(method: str, raw: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_target(method, raw)
    assert caught.value.reason == "malformed"


def test_asterisk_is_for_options_only() -> None:
    assert parse_target("OPTIONS", "*") == Target("*", None)
    assert parse_target("OPTIONS", "*").encoded == "*"
    with pytest.raises(RequestError):
        parse_target("OPTIONS", "*x")


@pytest.mark.parametrize(
    ("raw", "encoded", "authority"),
    [
        ("https://a.example/b?c", "/b?c", Authority("a.example", None)),
        ("HTTPS://A.example:8443/B", "/B", Authority("a.example", 8443)),
        ("https://a.example", "/", Authority("a.example", None)),  # RFC 3986 section 6.2.3
        ("https://a.example?x", "/?x", Authority("a.example", None)),
        ("https://[::1]:8443/", "/", Authority("[::1]", 8443)),
    ],
)
def test_absolute_form(raw: str, encoded: str, authority: Authority) -> None:
    target = parse_target("GET", raw)
    assert target.encoded == encoded
    assert target.authority == authority


def test_segments() -> None:
    assert parse_target("GET", "/").segments == ("",)
    assert parse_target("GET", "/a/b%20c/?/x").segments == ("a", "b%20c", "")


def test_empty_query_is_not_no_query() -> None:
    assert parse_target("GET", "/a?").query == ""
    assert parse_target("GET", "/a").query is None


_PIECES = st.sampled_from(
    [
        "/",
        ".",
        "..",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "%25",
        "%00",
        "%c3%a9",
        "%C0%AF",
        ";",
        "\\",
        "[",
        "|",
        "a",
        "b",
        "%",
        "2",
        "e",
        "?",
        "#",
        " ",
        "%41",
    ]
)
TARGETS = (
    st.lists(_PIECES, max_size=12).map(lambda pieces: "/" + "".join(pieces))
    | st.text(max_size=30)
    | st.binary(max_size=30)
)


@given(TARGETS)
@example("/%25%32%65%25%32%65/")
@example("/%2%35%32e")
def test_properties_of_what_is_accepted(raw: str | bytes) -> None:
    try:
        target = parse_target("GET", raw)
    except RequestError:
        return
    assert parse_target("GET", target.encoded) == target._replace(authority=None)
    assert canonical_path(target.path) == target.path
    assert target.path.isascii()
    assert target.path.startswith("/")
    decoded = unquote(target.path, errors="strict")
    assert decoded.count("/") == target.path.count("/")
    for segment in target.segments:
        assert unquote(segment) not in (".", "..")
    assert not any(segment in (".", "..") for segment in unquote(decoded).replace("\\", "/").split("/"))
    assert "//" not in decoded
    assert not set(decoded) & {"\\", "\0", "\r", "\n"}


@given(st.text(alphabet="/ab.-_~%25eE3?;", max_size=20))
def test_the_everyday_way_is_the_long_way(raw: str) -> None:
    path, mark, query = raw.partition("?")
    try:
        expected: str | None = canonical_path(path) + mark + query if path.startswith("/") else None
    except RequestError:
        expected = None
    try:
        got: str | None = parse_target("GET", raw).encoded
    except RequestError:
        got = None
    assert got == expected
