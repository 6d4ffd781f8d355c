"""Cookies of the gateway and of origins never meet (DESIGN section 6)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.cookies import from_origin, is_own, note_of, own_cookie, scope_of, split, to_origin

PER_SESSION = scope_of("per-session", "jansen01", 1.5, "dossier", "/dossier/", "/app/")
PLAIN = scope_of("plain", "jansen01", 1.5, "app", "/", "/")
NAMES = st.text("abcXYZ019_-", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("set_cookie", "seen"),
    [
        ("sid=1", "sid=1; Path=/; Secure"),
        ("sid=1; Path=/; HttpOnly; SameSite=Strict", "sid=1; HttpOnly; SameSite=Strict; Path=/; Secure"),
        ("sid=1; Domain=localhost; Path=/x", "sid=1; Path=/x; Secure"),
        ("__Host-sid=1; Path=/; Secure", "__Host-sid=1; Path=/; Secure"),
        ("__Secure-sid=1; secure", "__Secure-sid=1; Path=/; Secure"),
        ("__Host-gw-session=evil; Path=/; Secure", None),
        ("__HOST-GW-session=evil; Path=/; Secure", None),
        ("__Secure-gw-x=evil", None),
        ("=nameless", None),
        ("nameless", None),
    ],
)
def test_plain_cookies_keep_their_names_and_can_never_be_ours(set_cookie: str, seen: str | None) -> None:
    assert from_origin(set_cookie, PLAIN) == seen


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        (None, "/dossier/"),
        ("/", "/dossier/"),
        ("/app", "/dossier/"),
        ("/app/", "/dossier/"),
        ("/app/x", "/dossier/x"),
        ("/application", "/dossier/"),
        ("/dossier/x", "/dossier/x"),
        ("relative", "/dossier/"),
    ],
)
def test_a_cookie_path_never_lies_above_the_match(path: str | None, seen: str) -> None:
    value = from_origin("a=1" + ("" if path is None else f"; Path={path}"), PER_SESSION)
    assert value is not None
    assert f"; Path={seen};" in value


def test_per_session_cookies_come_back_under_their_old_names_to_this_session_and_transaction_only() -> None:
    mine = from_origin("sid=one; HttpOnly", PER_SESSION)
    assert mine is not None
    name = mine.partition("=")[0]
    assert name.startswith("__Secure-gw-")
    assert to_origin(split([f"{name}=one; other=2"]), PER_SESSION) == "sid=one"
    assert (
        to_origin(split([f"{name}=one"]), scope_of("per-session", "jansen01", 2.5, "dossier", "/dossier/", "/app/"))
        is None
    )
    assert to_origin(split([f"{name}=one"]), scope_of("per-session", "jansen01", 1.5, "pension", "/", "/")) is None


def test_the_gateways_cookies_never_reach_an_origin() -> None:
    field = "__Host-gw-session=secret; a=1; __host-GW-start=x; __Secure-gw-t-x-y=z; b=2"
    assert to_origin(split([field]), PLAIN) == "a=1; b=2"
    assert to_origin(split([field]), PER_SESSION) is None


def test_one_of_our_cookies_with_two_values_is_none() -> None:
    assert own_cookie(split(["__Host-gw-session=a"]), "__Host-gw-session") == "a"
    assert own_cookie(split(["x=1; __Host-gw-session=a", "__Host-gw-session=a"]), "__Host-gw-session") == "a"
    assert own_cookie(split(["__Host-gw-session=a; __Host-gw-session=b"]), "__Host-gw-session") is None
    assert own_cookie(split(["x__Host-gw-session=a"]), "__Host-gw-session") is None


def test_pieces_without_a_name() -> None:
    assert split(["a=1;; b ; c="]) == (("a", "1"), ("", "b"), ("c", ""))
    assert to_origin(split(["flag; a=1"]), PLAIN) == "flag; a=1"


@given(NAMES, st.text("abc019", max_size=8))
def test_what_an_origin_set_comes_back_unchanged(name: str, value: str) -> None:
    for scope in (PLAIN, PER_SESSION):
        seen = from_origin(f"{name}={value}", scope)
        if is_own(name):
            assert seen is None
        else:
            assert seen is not None
            assert to_origin(split([seen.split(";")[0]]), scope) == f"{name}={value}"


def test_a_transaction_whose_name_goes_on_another_has_cookies_of_its_own() -> None:
    short = scope_of("per-session", "jansen01", 1.0, "a", "/", "/")
    long = scope_of("per-session", "jansen01", 1.0, "a-b", "/b/", "/")
    forged = from_origin("b-sid=fixed", short)
    assert forged is not None
    assert to_origin(split([forged.partition(";")[0]]), long) is None
    own = from_origin("sid=secret", long)
    assert own is not None
    assert to_origin(split([own.partition(";")[0]]), short) is None


@pytest.mark.parametrize(
    ("set_cookie", "note"),
    [
        ("sid=1", None),
        ("sid=1; Path=/", None),
        ("sid=1; Path=/my app:é", "/my%20app%3A%C3%A9:sid; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("JSESSIONID=a=b; Path=/app; HttpOnly", "/app:JSESSIONID; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("sid=1; Max-Age=60; path=/x/", "/x/:sid; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (
            "sid=; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "/x:sid; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
    ],
)
def test_a_plain_cookie_that_no_page_of_ours_is_sent_leaves_a_note(set_cookie: str, note: str | None) -> None:
    seen = from_origin(set_cookie, PLAIN)
    assert seen is not None
    made = note_of(seen, PLAIN)
    assert (made is None) is (note is None)
    if made is not None:
        name, _, value = made.partition("=")
        assert re.fullmatch(r"__Host-gw-path-[0-9a-f]{12}", name)
        assert value == note
        assert is_own(name)
    per_session = from_origin(set_cookie, PER_SESSION)
    assert per_session is not None
    assert note_of(per_session, PER_SESSION) is None
